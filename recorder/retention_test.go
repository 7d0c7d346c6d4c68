package recorder

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// yard is a recorder without its goroutines, with the clock and the disks that a test gives it.
type yard struct {
	t    *testing.T
	r    *Recorder
	keep *retention
	log  *bench.LogBuffer
	now  time.Time
	free map[string]fullDisk // by sample directory
}

// fullDisk is how full a disk is.
type fullDisk struct {
	disk      uint64
	free, all int64
}

func newYard(t *testing.T, o Options) *yard {
	t.Helper()
	y := &yard{t: t, log: new(bench.LogBuffer), now: bench.Dawn.Add(time.Hour), free: map[string]fullDisk{}}
	if o.Data == "" {
		o.Data = t.TempDir()
	}
	o.Length, o.Log = 10*time.Second, bench.NewLog(y.log)
	var err error
	if y.r, err = Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(y.close)
	for _, s := range y.r.streams {
		s.stagger90k = 0
	}
	y.keep = newRetention(y.r)
	y.keep.clock = func() int64 { return media.FromTime(y.now) }
	space := func(path string) fullDisk {
		if s, ok := y.free[path]; ok {
			return s
		}
		return fullDisk{disk: 1, free: 1 << 40, all: 1 << 41}
	}
	y.keep.space = func(path string) (free, all int64, err error) { return space(path).free, space(path).all, nil }
	y.keep.disk = func(path string) (uint64, error) { return space(path).disk, nil }
	return y
}

func (y *yard) close() {
	if y.r == nil {
		return
	}
	for _, d := range y.r.writers {
		d.Abandon()
	}
	if err := y.r.Close(); err != nil {
		y.t.Error(err)
	}
	y.r = nil
}

// record records a stream for n times 10 seconds, from a time on, in recordings of that length. The last one goes on
// when the returned function is not called.
func (y *yard) record(stream int, from time.Time, n int) (end func()) {
	y.t.Helper()
	s := y.r.streams[stream].newSession()
	c := bench.Camera{Start: bench.At(from.Add(time.Millisecond)), Run: uint32(stream)}
	if err := s.Start(c.Tracks()); err != nil {
		y.t.Fatal(err)
	}
	for x := range c.Samples(time.Duration(n) * 10 * time.Second) {
		if err := s.Sample(x); err != nil {
			y.t.Fatal(err)
		}
	}
	y.commit()
	return func() {
		y.t.Helper()
		if err := s.Finish("stopped"); err != nil {
			y.t.Fatal(err)
		}
		y.commit()
	}
}

func (y *yard) commit() {
	for _, d := range y.r.writers {
		d.Drain()
		d.Commit()
	}
}

// round has retention do what is due, and checks the promises that always hold.
func (y *yard) round() {
	y.t.Helper()
	if err := y.keep.round(y.t.Context()); err != nil {
		y.t.Error(err)
	}
	y.check()
}

// unlinked moves the clock on and has retention unlink what it deleted.
func (y *yard) unlinked() {
	y.t.Helper()
	y.now = y.now.Add(unlinkAfter + time.Second)
	y.round()
	if g := y.garbage(); len(g) > 0 {
		y.t.Errorf("left to unlink: %+v", g)
	}
}

func (y *yard) garbage() []schema.Garbage {
	y.t.Helper()
	g, err := y.r.set.DB.Garbage(context.Background())
	if err != nil {
		y.t.Fatal(err)
	}
	return g
}

// check checks that the sums are those of the rows, and that files and rows fit.
func (y *yard) check() {
	y.t.Helper()
	bench.NoProblems(y.t, y.r.o.Data)
	wrong, err := y.r.set.DB.WrongSums(context.Background())
	if err != nil || len(wrong) > 0 {
		y.t.Errorf("sums should be %+v, %v", wrong, err)
	}
}

func (y *yard) hold(stream int, from, to time.Time) (id int64) {
	y.t.Helper()
	err := y.r.set.DB.Write(y.t.Context(), func(tx *schema.Tx) (err error) {
		id, err = tx.Hold(schema.Hold{Stream: y.r.streams[stream].row.ID, From90k: media.FromTime(from), To90k: media.FromTime(to), Why: "test", Created90k: 1})
		return err
	})
	if err != nil {
		y.t.Fatal(err)
	}
	return id
}

func (y *yard) removeHold(id int64) {
	y.t.Helper()
	if err := y.r.set.DB.Write(y.t.Context(), func(tx *schema.Tx) error { return tx.RemoveHold(id) }); err != nil {
		y.t.Fatal(err)
	}
}

// numbers lists the recordings of a stream.
func (y *yard) numbers(stream int) (numbers []int64) {
	y.t.Helper()
	for _, r := range bench.RowsOf(y.t, y.r.set.DB, y.r.streams[stream].row.ID) {
		numbers = append(numbers, r.ID.Number())
	}
	return numbers
}

func (y *yard) want(stream int, want ...int64) {
	y.t.Helper()
	if got := y.numbers(stream); !slices.Equal(got, want) {
		y.t.Errorf("stream %d has recordings %v, want %v", stream, got, want)
	}
}

// bytes sums up the recordings of a stream from a number on.
func (y *yard) bytes(stream int, from int64) (n int64) {
	y.t.Helper()
	for _, r := range bench.RowsOf(y.t, y.r.set.DB, y.r.streams[stream].row.ID) {
		if r.ID.Number() >= from {
			n += r.Bytes
		}
	}
	return n
}

func streamsOf(limits Limits, cameras ...string) (all []StreamOptions) {
	for _, c := range cameras {
		all = append(all, StreamOptions{Camera: c, Name: "main", Retain: limits})
	}
	return all
}

func TestRetainAge(t *testing.T) {
	y := newYard(t, Options{Streams: append(streamsOf(Limits{Age: time.Hour}, "a"), streamsOf(Limits{}, "b")...)})
	y.record(0, bench.Dawn, 5)() // ends at 0:00:50
	y.record(1, bench.Dawn, 3)()
	y.now = bench.Dawn.Add(time.Hour + 29*time.Second)
	y.round()
	y.want(0, 3, 4, 5) // one that ended just less than an hour ago is not old
	if g := y.garbage(); len(g) != 2 {
		t.Errorf("garbage %+v", g)
	}
	if files := y.files("a"); len(files) != 5 {
		t.Errorf("files are unlinked at once: %v", files)
	}
	y.now = y.now.Add(unlinkAfter - time.Second)
	y.round()
	if files := y.files("a"); len(files) != 5 {
		t.Errorf("files are unlinked too soon: %v", files)
	}
	y.now = y.now.Add(time.Second)
	y.round()
	if files := y.files("a"); len(files) != 3 {
		t.Errorf("files left: %v", files)
	}
	y.now = bench.Dawn.Add(48 * time.Hour)
	y.round()
	y.unlinked()
	y.want(0)
	y.want(1, 1, 2, 3)
	if _, err := os.Stat(filepath.Join(y.r.o.Data, schema.DefaultSampleDir, "a", "000")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the numbered directory is still there: %v", err)
	}
	runs, err := y.r.set.DB.Runs(t.Context(), y.r.streams[0].row.ID, 0, 1<<62)
	if err != nil || len(runs) != 0 {
		t.Errorf("runs of which nothing is left: %+v, %v", runs, err)
	}
	y.record(0, y.now, 2)() // makes the directory again
	y.want(0, 6, 7)
	y.check()
}

// files lists the sample files of a camera, wherever.
func (y *yard) files(camera string) (files []string) {
	for _, d := range y.r.set.Ready() {
		f, err := filepath.Glob(filepath.Join(d.Path, camera, "*", "*.mp4"))
		if err != nil {
			y.t.Fatal(err)
		}
		files = append(files, f...)
	}
	return files
}

func TestRetainBytesOfAStream(t *testing.T) {
	y := newYard(t, Options{Streams: streamsOf(Limits{}, "a", "b")})
	end := y.record(0, bench.Dawn, 60)
	y.record(1, bench.Dawn, 10)()
	y.r.streams[0].limits.Bytes = y.bytes(0, 50)
	y.round() // in more than one batch
	y.want(0, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60)
	if got := len(y.numbers(1)); got != 10 {
		t.Errorf("%d recordings of the stream without a limit", got)
	}
	y.r.streams[0].limits.Bytes = 1
	y.round()
	y.want(0, 60) // goes on
	if err := y.r.streams[0].mayRecord(); err != nil {
		t.Errorf("blocked: %v", err)
	}
	end()
	y.round()
	y.want(0)
	y.unlinked()
}

func TestRetainBytesOfAll(t *testing.T) {
	y := newYard(t, Options{Streams: streamsOf(Limits{}, "a", "b")})
	y.record(0, bench.Dawn.Add(15*time.Second), 6)()
	y.record(1, bench.Dawn, 6)()
	y.r.total.Bytes = y.bytes(0, 3) + y.bytes(1, 5)
	y.round()
	y.want(0, 3, 4, 5, 6) // start at :35, :45, :55, 1:05
	y.want(1, 5, 6)       // at :40, :50
	y.unlinked()
}

func TestRetainMinFree(t *testing.T) {
	// Two directories on one disk, and a third on another.
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	o := Options{Data: t.TempDir(), Streams: streamsOf(Limits{}, "a", "b", "c"), MinFree: MinFree{Part: 0.1}}
	for i := range dirs {
		o.Streams[i].Samples = dirs[i]
	}
	y := newYard(t, o)
	y.record(0, bench.Dawn, 4)()
	y.record(1, bench.Dawn.Add(5*time.Second), 4)()
	y.record(2, bench.Dawn, 4)()
	want := y.bytes(0, 1) - y.bytes(0, 3) + y.bytes(1, 1) - y.bytes(1, 2)
	y.free[dirs[0]] = fullDisk{disk: 7, free: 1000, all: 10 * (1000 + want)}
	y.free[dirs[1]] = y.free[dirs[0]]
	y.free[dirs[2]] = fullDisk{disk: 8, free: 1000, all: 10000}
	for range 2 { // what is about to be unlinked counts as free
		y.round()
		y.want(0, 3, 4)
		y.want(1, 2, 3, 4)
		y.want(2, 1, 2, 3, 4)
	}
}

func TestHolds(t *testing.T) {
	y := newYard(t, Options{Streams: streamsOf(Limits{Age: time.Minute}, "a", "b")})
	y.record(0, bench.Dawn, 8)()
	y.record(1, bench.Dawn, 8)()
	first := y.hold(0, bench.Dawn.Add(25*time.Second), bench.Dawn.Add(31*time.Second)) // of recordings 3 and 4
	y.hold(0, bench.Dawn.Add(60500*time.Millisecond), bench.Dawn.Add(61*time.Second))  // of 7
	y.round()
	y.want(0, 3, 4, 7)
	y.want(1)
	y.removeHold(first)
	y.round()
	y.want(0, 7)
	y.unlinked()
	if err := y.r.streams[0].mayRecord(); err != nil {
		t.Errorf("footage that is held for longer than its age blocks: %v", err)
	}
}

func TestOnlyHeldFootageIsLeft(t *testing.T) {
	for name, limit := range map[string]func(y *yard, bytes int64){
		"bytes of the stream": func(y *yard, n int64) { y.r.streams[0].limits.Bytes = n },
		"bytes of all":        func(y *yard, n int64) { y.r.total.Bytes = n },
		"min free": func(y *yard, n int64) {
			y.r.minFree.Bytes = 1 << 30
			free := 1<<30 + n - y.bytes(0, 1)
			y.free[y.r.set.At(volume.SamplesPath(y.r.o.Data, "")).Path] = fullDisk{disk: 1, free: free, all: 1 << 40}
		},
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, Options{Streams: streamsOf(Limits{}, "a")})
			y.record(0, bench.Dawn, 5)()
			hold := y.hold(0, bench.Dawn, bench.Dawn.Add(time.Hour))
			limit(y, y.bytes(0, 1))
			y.round()
			x := y.r.streams[0]
			if err := x.mayRecord(); err != nil {
				t.Fatal(err)
			}
			limit(y, y.bytes(0, 1)-1)
			s := x.newSession()
			c := bench.Camera{Start: bench.At(bench.Dawn.Add(time.Hour + time.Second)), Run: 9}
			if err := s.Start(c.Tracks()); err != nil {
				t.Fatal(err)
			}
			var reason error
			n := 0
			for sample := range c.Samples(20 * time.Second) {
				if n++; n == 230 {
					y.round()
					y.round()
				}
				if reason = s.Sample(sample); reason != nil {
					break
				}
			}
			if !errors.Is(reason, errOnlyHeld) || n != 230 {
				t.Fatalf("after %d samples: %v", n, reason)
			}
			if err := s.Finish(reason.Error()); err != nil {
				t.Fatal(err)
			}
			y.commit()
			y.want(0, 1, 2, 3, 4, 5, 6)
			run := bench.RowsOf(t, y.r.set.DB, x.row.ID)[5].Run
			if r, err := y.r.set.DB.Run(t.Context(), run); err != nil || r.EndReason != reason.Error() {
				t.Errorf("run %+v, %v", r, err)
			}
			if n := strings.Count(y.log.String(), "recording stops"); n != 1 || !strings.Contains(y.log.String(), "level=ERROR msg=\"recording stops\"") {
				t.Errorf("the log says so %d times:\n%s", n, y.log)
			}
			limit(y, y.bytes(0, 1)-1)
			y.round()
			y.want(0, 1, 2, 3, 4, 5) // what was recorded after the held footage may go
			y.now = y.now.Add(time.Minute)
			y.round()                      // unlinks it
			y.now = y.now.Add(time.Minute) // and the disk has shown by now that it is free
			limit(y, y.bytes(0, 1)-1)
			y.removeHold(hold)
			y.round()
			if err := x.mayRecord(); err != nil {
				t.Errorf("after the hold was removed: %v", err)
			}
			if got := y.numbers(0); len(got) == 0 || got[0] == 1 {
				t.Errorf("left are %v", got)
			}
		})
	}
}

// TestHoldsOfOthersDoNotBlock has a limit that is smaller than what is being recorded.
func TestHoldsOfOthersDoNotBlock(t *testing.T) {
	y := newYard(t, Options{Streams: streamsOf(Limits{}, "a", "b")})
	y.record(0, bench.Dawn, 1)()
	y.hold(0, bench.Dawn, bench.Dawn.Add(time.Hour))
	y.r.streams[1].limits.Bytes = 1
	y.record(1, bench.Dawn, 1)
	y.round()
	for i, s := range y.r.streams {
		if err := s.mayRecord(); err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
	}
}

// TestUnlinkAfterACrash ends a recorder between the deletion of rows and that of files.
func TestUnlinkAfterACrash(t *testing.T) {
	o := Options{Data: t.TempDir(), Streams: streamsOf(Limits{Age: time.Minute}, "a")}
	y := newYard(t, o)
	y.record(0, bench.Dawn, 4)()
	y.round()
	if g := y.garbage(); len(g) != 4 {
		t.Fatalf("garbage %+v", g)
	}
	// One file was unlinked before the crash, and no row says so.
	if err := os.Remove(y.files("a")[0]); err != nil {
		t.Fatal(err)
	}
	y.close()
	bench.NoProblems(t, o.Data)
	y = newYard(t, o)
	y.now = bench.Dawn // a clock that was wrong when the rows were deleted
	y.round()
	if files := y.files("a"); len(files) != 0 || len(y.garbage()) != 0 {
		t.Errorf("left are %v", files)
	}
	y.record(0, bench.Dawn.Add(time.Hour), 1)()
	y.want(0, 5)
}

// TestUnlinkFails has one disk that fails, which keeps no other from being freed.
func TestUnlinkFails(t *testing.T) {
	o := Options{Streams: streamsOf(Limits{Age: time.Minute}, "a", "b")}
	o.Streams[1].Samples = t.TempDir()
	var bad *bench.FaultStore
	o.open = func(path, database string, fresh bool) (store.Store, error) {
		st, err := openDir(path, database, fresh)
		if path != o.Streams[1].Samples || err != nil {
			return st, err
		}
		bad = bench.NewFaultStore(st)
		return bad, nil
	}
	y := newYard(t, o)
	y.record(0, bench.Dawn, 2)()
	y.record(1, bench.Dawn, 2)()
	bad.Failing(func(op string, _ store.Key) error {
		if op == "remove" {
			return unix.EIO
		}
		return nil
	})
	y.round()
	y.now = y.now.Add(time.Minute)
	y.round()
	y.round()
	if a, b := y.files("a"), y.files("b"); len(a) != 0 || len(b) != 2 {
		t.Errorf("left are %v, %v", a, b)
	}
	if n := strings.Count(y.log.String(), "cannot delete"); n != 1 {
		t.Errorf("the log says so %d times:\n%s", n, y.log)
	}
	bad.Failing(nil)
	y.round()
	if b := y.files("b"); len(b) != 0 || !strings.Contains(y.log.String(), "nvrfs can delete old sample files again") {
		t.Errorf("left are %v; %s", b, y.log)
	}
}

func TestSeveralSampleDirs(t *testing.T) {
	o := Options{Data: t.TempDir(), Streams: streamsOf(Limits{}, "cam")}
	second, third := filepath.Join(t.TempDir(), "second"), filepath.Join(t.TempDir(), "third")
	y := newYard(t, o)
	y.record(0, bench.Dawn, 3)()
	y.close()
	o.Streams[0].Samples = second + "/"
	y = newYard(t, o)
	y.record(0, bench.Dawn.Add(time.Minute), 3) // is cut off
	y.close()
	o.Streams[0].Samples = second
	y = newYard(t, o)
	if len(y.r.set.Ready()) != 2 {
		t.Fatalf("directories %v", y.r.set.Ready())
	}
	if got := len(bench.Pictures(t, o.Data)); got < 30*25+20*25 {
		t.Errorf("%d pictures", got)
	}
	y.check()
	y.close()

	// The disk of the stream is not mounted: nothing is written below its mount point.
	back := bench.Away(t, second)
	y = newYard(t, o)
	if log := y.log.String(); strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, second) || !strings.Contains(log, "streams=cam") {
		t.Errorf("a stream's directory is not there: %s", log)
	}
	y.close()
	// No stream needs it: the others record, and what is in it is neither forgotten nor unlinked.
	o.Streams[0].Samples = third
	o.Streams[0].Retain.Age = time.Minute
	y = newYard(t, o)
	if !strings.Contains(y.log.String(), "its footage cannot be shown") {
		t.Error(y.log)
	}
	if err := y.keep.round(t.Context()); err != nil {
		t.Error(err)
	}
	y.now = y.now.Add(time.Minute)
	if err := y.keep.round(t.Context()); err != nil {
		t.Error(err)
	}
	if g := y.garbage(); len(g) != 3 {
		t.Errorf("garbage of the disk that is away: %+v", g)
	}
	y.record(0, bench.Dawn.Add(2*time.Minute), 2)()
	y.close()
	back()
	y = newYard(t, o)
	if len(y.r.set.Ready()) != 3 {
		t.Fatalf("directories %v", y.r.set.Ready())
	}
	y.now = y.now.Add(time.Hour)
	y.round()
	y.unlinked()
	if f := y.files("cam"); len(f) != 0 {
		t.Errorf("left are %v", f)
	}
}

// TestDirOfData has the data directory's own sample directory not mounted.
func TestDirOfData(t *testing.T) {
	o := Options{Data: t.TempDir(), Streams: streamsOf(Limits{}, "a")}
	y := newYard(t, o)
	y.record(0, bench.Dawn, 1)()
	y.close()
	back := bench.Away(t, filepath.Join(o.Data, schema.DefaultSampleDir))
	y = newYard(t, o)
	if log := y.log.String(); strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, "mount its disk") {
		t.Error(log)
	}
	y.close()
	back()
	y = newYard(t, o)
	y.want(0, 1)
	y.check()
}

// TestRefusedDirCanBeMended uses a new sample directory that is refused at first.
func TestRefusedDirCanBeMended(t *testing.T) {
	dir := t.TempDir()
	strange := filepath.Join(dir, "holiday.jpg")
	if err := os.WriteFile(strange, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Data: t.TempDir(), Streams: streamsOf(Limits{}, "a"), Log: bench.NewLog(new(bench.LogBuffer))}
	y := newYard(t, o)
	y.record(0, bench.Dawn, 1)()
	y.close()
	o.Streams[0].Samples = dir
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Fatal(err)
	}
	if err := os.Remove(strange); err != nil {
		t.Fatal(err)
	}
	y = newYard(t, o)
	y.record(0, bench.Dawn.Add(time.Minute), 1)()
	y.check()
}

// TestDirGoesAwayWhileRecording takes the disk of one of two streams away and brings it back.
func TestDirGoesAwayWhileRecording(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "disk")
	o := Options{Data: t.TempDir(), Streams: streamsOf(Limits{}, "a", "b")}
	o.Streams[0].Samples = gone
	y := newYard(t, o)
	y.record(0, bench.Dawn, 2) // goes on
	back := bench.Away(t, gone)
	s := y.r.streams[0].newSession()
	c := bench.Camera{Start: bench.At(bench.Dawn.Add(time.Minute)), Run: 1}
	if err := s.Start(c.Tracks()); err != nil {
		t.Fatal(err)
	}
	var reason error
	for x := range c.Samples(30 * time.Second) {
		if reason = s.Sample(x); reason != nil {
			break
		}
		y.commit()
	}
	if !errors.Is(reason, store.ErrAway) {
		t.Fatalf("the run ends by: %v", reason)
	}
	if err := s.Finish(reason.Error()); err != nil {
		t.Fatal(err)
	}
	y.record(1, bench.Dawn, 2)()
	y.want(1, 1, 2)
	if left, err := os.ReadDir(gone); err != nil || len(left) > 0 {
		t.Errorf("below the mount point there is %v, %v", left, err)
	}
	if n := strings.Count(y.log.String(), "level=ERROR"); n == 0 {
		t.Errorf("the log: %s", y.log)
	}
	y.r.minFree.Bytes = 1 << 50 // the disk below the mount point is full
	y.free[gone] = fullDisk{disk: 3, all: 1 << 51}
	if err := y.keep.round(t.Context()); err != nil {
		t.Error(err)
	}
	if got := y.numbers(0); len(got) == 0 || got[0] != 1 {
		t.Errorf("for lack of space below a mount point footage was deleted: %v", got)
	}
	y.r.minFree.Bytes = 0
	back()
	y.record(0, bench.Dawn.Add(2*time.Minute), 2)()
	y.commit()
	y.check()
	y.close()
	y = newYard(t, o)
	y.check()
	if files := y.files("a"); len(files) != len(y.numbers(0)) || len(files) < 4 {
		t.Errorf("files %v, rows %v", files, y.numbers(0))
	}
}
