package recorder

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/session"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
)

// longDaysEnv is for how many days TestLongRun records; make longrun sets it.
const longDaysEnv = "NVRFS_LONG_DAYS"

const (
	longCameras = 8
	longLength  = 3 * time.Minute  // of a recording
	longFrame   = 30 * time.Second // between pictures, each a sync sample
	longRetain  = 30 * time.Minute // between two looks of retention
)

// longRun records cameras by a simulated clock: what takes a disk a day takes seconds. Sessions, the disk with all its
// syncs, retention and the database are those of a recorder; only its goroutines are not, so that the same happens each
// time.
type longRun struct {
	t     *testing.T
	r     *Recorder
	keep  *retention
	disk  *volume.Writer
	start time.Time
	cams  []*longCamera
}

// longCamera is a camera and its session.
type longCamera struct {
	stream  *stream
	session *session.Session
	began   time.Duration
	ends    time.Duration // when the session does
	runs    int
}

func newLongRun(t *testing.T, keepFor time.Duration) *longRun {
	t.Helper()
	o := Options{Data: memoryDir(t), Length: longLength, Log: slog.New(slog.DiscardHandler)}
	for i := range longCameras {
		s := StreamOptions{Camera: fmt.Sprint("cam", i), Name: "main"}
		if i%2 == 0 {
			s.Retain.Age = keepFor
		} else {
			s.Retain.Bytes = int64(keepFor/longLength) * 470 // about as long
		}
		o.Streams = append(o.Streams, s)
	}
	r, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	x := &longRun{t: t, r: r, keep: newRetention(r), start: bench.At(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	for _, d := range r.writers {
		x.disk = d
	}
	for _, s := range r.streams {
		s.stagger90k = 0 // 20 recordings an hour
		x.cams = append(x.cams, &longCamera{stream: s})
	}
	return x
}

// memoryDir is a directory whose syncs cost nothing, where there is one.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "nvrfs-long-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// day records the n-th day.
func (x *longRun) day(n int) {
	x.t.Helper()
	const day = 24 * time.Hour
	for now := time.Duration(n) * day; now < time.Duration(n+1)*day; now += longFrame {
		x.keep.clock = func() int64 { return media.FromTime(x.start.Add(now)) }
		for i, c := range x.cams {
			x.picture(c, i, now)
		}
		if now%longLength == 0 {
			x.disk.Drain()
			x.disk.Commit()
		}
		if now%longRetain == 0 {
			if err := x.keep.round(x.t.Context()); err != nil {
				x.t.Fatal(err)
			}
		}
	}
}

// picture has a camera send the picture of now. Now and then a session ends, each camera's after another time.
func (x *longRun) picture(c *longCamera, i int, now time.Duration) {
	x.t.Helper()
	if c.session != nil && now >= c.ends {
		x.end(c, fmt.Sprintf("the camera closed the connection at %v", now))
		return // and the next picture is of another
	}
	if c.session == nil {
		c.session, c.began, c.runs = c.stream.newSession(), now, c.runs+1
		c.ends = now + time.Duration(7*(i+1)+c.runs%5)*time.Hour
		if err := c.session.Start(bench.Camera{}.Tracks()); err != nil {
			x.t.Fatal(err)
		}
	}
	s := media.Sample{
		DTS: media.Ticks(now - c.began), Sync: true, Data: bench.PictureOf(int64(now/longFrame), true),
		Received: x.start.Add(now + time.Duration(i*int(now/longFrame)%17)*time.Millisecond),
	}
	if err := c.session.Sample(s); err != nil {
		x.t.Fatalf("camera %d after %v: %v", i, now, err)
	}
}

func (x *longRun) end(c *longCamera, reason string) {
	x.t.Helper()
	if err := c.session.Finish(reason); err != nil {
		x.t.Fatal(err)
	}
	c.session = nil
}

// stop ends all sessions.
func (x *longRun) stop() {
	x.t.Helper()
	for _, c := range x.cams {
		if c.session != nil {
			x.end(c, "stopped")
		}
	}
	x.disk.Drain()
	x.disk.Commit()
}

// longFigures is what must not grow.
type longFigures struct {
	recordings, made      int64
	files                 int   // sample files
	heap, rss             int64 // bytes
	database              int64 // bytes, with its WAL
	descriptors, routines int
}

func (x *longRun) measure() (f longFigures) {
	x.t.Helper()
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.heap, f.rss, f.routines = int64(m.HeapAlloc), residentBytes(x.t), runtime.NumGoroutine()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		x.t.Fatal(err)
	}
	f.descriptors = len(fds)
	streams, err := x.r.set.DB.Streams(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	for _, s := range streams {
		f.recordings, f.made = f.recordings+s.Recordings, f.made+s.NextNumber-1
	}
	for _, name := range []string{"", "-wal", "-shm"} {
		if st, err := os.Stat(filepath.Join(x.r.o.Data, schema.FileName+name)); err == nil {
			f.database += st.Size()
		}
	}
	err = filepath.WalkDir(filepath.Join(x.r.o.Data, schema.DefaultSampleDir), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			f.files++
		}
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return f
}

func residentBytes(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func (f longFigures) String() string {
	return fmt.Sprintf("%7d made, %6d kept, %6d files, database %5.1f MB (%4.0f B a recording), heap %5.2f MB, RSS %5.1f MB, %d descriptors, %d goroutines",
		f.made, f.recordings, f.files, float64(f.database)/1e6, float64(f.database)/float64(max(1, f.recordings)), float64(f.heap)/1e6, float64(f.rss)/1e6, f.descriptors, f.routines)
}

// TestLongRun records eight cameras for months, with retention, and looks whether anything grows once retention holds the
// footage steady. It is days where NVRFS_LONG_DAYS is not set.
func TestLongRun(t *testing.T) {
	days := 3
	if s := os.Getenv(longDaysEnv); s != "" {
		var err error
		if days, err = strconv.Atoi(s); err != nil || days < 3 {
			t.Fatalf("%s is %q, not a number of days from 3 on", longDaysEnv, s)
		}
	}
	steadyFrom := days / 3
	x := newLongRun(t, time.Duration(steadyFrom)*24*time.Hour*5/6)
	began := time.Now()
	var steady, last longFigures
	for n := range days {
		x.day(n)
		done := n + 1
		if done%max(1, days/9) != 0 {
			continue
		}
		last = x.measure()
		line := fmt.Sprintf("day %2d: %v, %v", done, last, time.Since(began).Round(100*time.Millisecond))
		t.Log(line)
		if os.Getenv(longDaysEnv) != "" {
			fmt.Println(line)
		}
		if done >= steadyFrom && steady.made == 0 {
			steady = last
		}
	}
	x.checkFlat(steady, last)
	x.stop()
	x.checkReasons()
	bench.NoProblems(t, x.r.o.Data)
}

// checkFlat checks that nothing grew beyond what chance and the runtime make of it.
func (x *longRun) checkFlat(a, b longFigures) {
	x.t.Helper()
	for _, c := range []struct {
		what          string
		before, after int64
		slack         int64
	}{
		{"recordings", a.recordings, b.recordings, a.recordings / 10},
		{"sample files", int64(a.files), int64(b.files), int64(a.files) / 10},
		{"bytes of heap", a.heap, b.heap, a.heap/10 + 1<<20},
		{"bytes of database", a.database, b.database, a.database/10 + 2<<20}, // the journal of changes takes days to fill,
		{"open descriptors", int64(a.descriptors), int64(b.descriptors), 2},
		{"goroutines", int64(a.routines), int64(b.routines), 0},
	} {
		if c.after > c.before+c.slack {
			x.t.Errorf("%s grew from %d to %d", c.what, c.before, c.after)
		}
	}
	// The race detector, of which a long run has none, takes memory of its own.
	if long := os.Getenv(longDaysEnv) != ""; long && b.rss > a.rss+a.rss/5+8<<20 {
		x.t.Errorf("resident bytes grew from %d to %d", a.rss, b.rss)
	}
	if most := b.recordings + int64(longCameras)*int64(longRetain/longLength+2); int64(b.files) > most {
		x.t.Errorf("%d sample files for %d recordings", b.files, b.recordings)
	}
}

// checkReasons checks that every recording knows why its run ended, and that no run is left of which there is no recording.
func (x *longRun) checkReasons() {
	x.t.Helper()
	for _, c := range x.cams {
		recs := bench.RowsOf(x.t, x.r.set.DB, c.stream.row.ID)
		known := map[int64]bool{}
		for i := range recs {
			if known[recs[i].Run] {
				continue
			}
			run, err := x.r.set.DB.Run(x.t.Context(), recs[i].Run)
			if err != nil || run.EndReason == "" {
				x.t.Errorf("recording %s does not know why its run ended: %+v, %v", recs[i].ID, run, err)
			}
			known[recs[i].Run] = true
		}
		runs, err := x.r.set.DB.Runs(x.t.Context(), c.stream.row.ID, 0, 1<<62)
		if err != nil {
			x.t.Fatal(err)
		}
		for _, run := range runs {
			if !known[run.ID] {
				x.t.Errorf("run %d of %s has no recording", run.ID, c.stream.row.Label())
			}
		}
	}
}
