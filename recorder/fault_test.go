package recorder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/integration/faultfs"
	"nvrfs/media"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// faulty is a running recorder with the sample files of stream a on a disk that fails when it is told to, and those of b on
// another. A second of its cameras takes 10 ms.
type faulty struct {
	t     *testing.T
	o     Options
	fs    *faultfs.FS
	point string
	log   *bench.LogBuffer
	r     *Recorder
	stop  func()

	mu   sync.Mutex
	sent map[string][][]media.Sample // by stream and session
}

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	return newFaultyIn(t, t.TempDir())
}

// newFaultyIn is newFaulty with a data directory, in which there are no sample files.
func newFaultyIn(t *testing.T, data string) *faulty {
	t.Helper()
	f := &faulty{t: t, log: new(bench.LogBuffer), sent: map[string][][]media.Sample{}}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("nothing can be mounted: ", err)
	}
	f.point = filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(f.point, 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	if f.fs, err = faultfs.Mount(t.TempDir(), f.point); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := f.fs.Unmount(); err != nil {
			t.Error(err)
		}
	})
	f.o = Options{
		Data: data, Length: 6 * time.Second, Sync: 20 * time.Millisecond, Log: bench.NewLog(f.log),
		Streams: []StreamOptions{{Camera: "a", Name: "main", Source: f.camera("a"), Samples: f.point}, {Camera: "b", Name: "main", Source: f.camera("b"), Samples: t.TempDir()}},
	}
	f.start()
	return f
}

// camera is one that goes on whatever happens to its sessions.
func (f *faulty) camera(name string) media.Source {
	c := bench.Camera{Start: bench.At(bench.Dawn), GOP: 25, Run: uint32(name[0])}
	next := 0 // picture
	return bench.SourceFunc(func(ctx context.Context, h media.Handler) error {
		if err := h.Start(c.Tracks()); err != nil {
			return err
		}
		f.mu.Lock()
		session := len(f.sent[name])
		f.sent[name] = append(f.sent[name], nil)
		f.mu.Unlock()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for c := c.WithDefaults(); ; next++ {
			x := c.Picture(next, c.Taken(float64(next)/25))
			if x.Sync {
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
				}
			}
			if err := h.Sample(x); err != nil {
				next += 25 - next%25 // what comes meanwhile is lost
				return err
			}
			f.mu.Lock()
			f.sent[name][session] = append(f.sent[name][session], x)
			f.mu.Unlock()
		}
	})
}

func (f *faulty) start() {
	f.t.Helper()
	var err error
	if f.r, err = Open(f.t.Context(), f.o); err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.r.Run(ctx) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, f.r.Close()); err != nil {
			f.t.Error(err)
		}
	})
	f.t.Cleanup(f.stop)
}

// rows lists the recordings of a stream, as any process sees them.
func (f *faulty) rows(name string) []schema.Recording {
	f.t.Helper()
	db, err := schema.OpenReadOnly(f.t.Context(), f.o.Data)
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	streams, err := db.Streams(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	for _, s := range streams {
		if s.Label() == name {
			return bench.RowsOf(f.t, db, s.ID)
		}
	}
	return nil
}

// grows waits until more of a stream is committed.
func (f *faulty) grows(name string) {
	f.t.Helper()
	count := func() (n int64) {
		for _, r := range f.rows(name) {
			n += r.Bytes
		}
		return n
	}
	before := count()
	bench.Eventually(f.t, name+" records", func() bool { return count() > before })
}

// says waits until the log says something.
func (f *faulty) says(what string) {
	f.t.Helper()
	bench.Eventually(f.t, "the log says "+what, func() bool { return strings.Contains(f.log.String(), what) })
}

// kept stops the recorder, checks what is there, and returns for each session how many pictures were sent, and how many are
// kept: a beginning of each, without a hole.
func (f *faulty) kept(name string) (sent, kept []int) {
	f.t.Helper()
	f.stop()
	bench.NoProblems(f.t, f.o.Data)
	type place struct{ session, picture int }
	places := map[string]place{}
	for s, samples := range f.sent[name] {
		for i, x := range samples {
			places[string(x.Data)] = place{s, i}
		}
		sent, kept = append(sent, len(samples)), append(kept, 0)
	}
	for _, day := range bench.PlayBackStream(f.t, f.o.Data, name) {
		for _, x := range day[volume.Video] {
			p, ok := places[x.Data]
			if !ok || p.picture != kept[p.session] {
				f.t.Fatalf("%s: picture %d of session %d follows %d, or was never sent (%v)", name, p.picture, p.session, kept[p.session]-1, ok)
			}
			kept[p.session]++
		}
	}
	return sent, kept
}

// unhurt checks that the other stream lost nothing, in one session.
func (f *faulty) unhurt() {
	f.t.Helper()
	if sent, kept := f.kept("b"); len(sent) != 1 || !slices.Equal(sent, kept) {
		f.t.Errorf("the stream on the other disk: of %v pictures %v are kept", sent, kept)
	}
}

// TestFaults has the disk of one stream fail in each way, and recover. Nothing that was handed over is lost.
func TestFaults(t *testing.T) {
	always := func(op faultfs.Op, errno syscall.Errno) func(*faulty) {
		return func(f *faulty) {
			f.fs.Hook(func(o faultfs.Op) syscall.Errno {
				if o == op {
					return errno
				}
				return 0
			})
		}
	}
	once := func(op faultfs.Op, errno syscall.Errno) func(*faulty) {
		return func(f *faulty) {
			var done atomic.Bool
			f.fs.Hook(func(o faultfs.Op) syscall.Errno {
				if o == op && !done.Swap(true) {
					return errno
				}
				return 0
			})
		}
	}
	for name, c := range map[string]struct {
		fail func(*faulty)
		says string
		once bool // the run goes on
	}{
		"the disk is full":              {func(f *faulty) { f.fs.SetSpace(10_000) }, "no space left on device", false},
		"the disk is full at once":      {func(f *faulty) { f.fs.SetSpace(0) }, "no space left on device", false},
		"a write fails":                 {once(faultfs.Write, syscall.EIO), "input/output error", true},
		"writes fail":                   {always(faultfs.Write, syscall.EIO), "input/output error", false},
		"a sync fails":                  {once(faultfs.Sync, syscall.EIO), "input/output error", true},
		"syncs fail":                    {always(faultfs.Sync, syscall.EIO), "input/output error", false},
		"a sync of a directory fails":   {once(faultfs.SyncDir, syscall.EIO), "input/output error", true},
		"syncs of directories fail":     {always(faultfs.SyncDir, syscall.EIO), "input/output error", false},
		"files cannot be made":          {always(faultfs.Create, syscall.EROFS), "read-only file system", false},
		"a write fails for lack of all": {once(faultfs.Write, syscall.EDQUOT), "disk quota exceeded", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFaulty(t)
			bench.Eventually(t, "recordings are sealed", func() bool { return len(f.rows("a")) > 3 })
			before := f.rows("a")
			c.fail(f)
			f.says(c.says)
			f.says("cannot write to a sample file; the footage is kept in memory")
			f.grows("b")
			if !c.once {
				f.says("cannot write to the new sample file either")
				f.fs.SetSpace(-1)
				f.fs.Hook(nil)
			}
			f.says("the footage that was kept in memory is written")
			f.grows("a")
			if !c.once {
				bench.Eventually(t, "another run", func() bool {
					rows := f.rows("a")
					return rows[len(rows)-1].Run != before[0].Run
				})
			}
			after := f.rows("a")
			for i, r := range before {
				if after[i].ID != r.ID || after[i].Bytes < r.Bytes {
					t.Errorf("row was %+v, is %+v", r, after[i])
				}
			}
			f.unhurt()
			if sent, kept := f.kept("a"); !slices.Equal(sent, kept) || c.once != (len(sent) == 1) {
				t.Errorf("of %v pictures %v are kept", sent, kept)
			}
		})
	}
}

// TestStalledSync has a sync take as long as a disk takes that spins up, or retries: no picture is lost.
func TestStalledSync(t *testing.T) {
	for _, op := range []faultfs.Op{faultfs.Sync, faultfs.Write} {
		for _, stall := range []time.Duration{300 * time.Millisecond, 10 * time.Second} {
			t.Run(fmt.Sprint(op, " ", stall), func(t *testing.T) {
				t.Parallel()
				if testing.Short() && stall > time.Second {
					t.Skip("takes its time")
				}
				f := newFaulty(t)
				bench.Eventually(t, "recordings", func() bool { return len(f.rows("a")) > 1 })
				var done atomic.Bool
				over := make(chan struct{})
				f.fs.Hook(func(o faultfs.Op) syscall.Errno {
					if o == op && !done.Swap(true) {
						time.Sleep(stall) // the disk's, not the test's
						close(over)
					}
					return 0
				})
				f.grows("b")
				select {
				case <-over:
				case <-time.After(20 * time.Second):
					t.Fatal("nothing is written")
				}
				f.grows("a")
				f.unhurt()
				if sent, kept := f.kept("a"); len(sent) != 1 || !slices.Equal(sent, kept) {
					t.Errorf("of %v pictures %v are kept", sent, kept)
				} else {
					t.Logf("%d pictures, all kept", sent[0])
				}
			})
		}
	}
}

// TestUnmounted takes the disk of one stream away, as umount -l does, and brings it back.
func TestUnmounted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can detach a mount")
	}
	f := newFaulty(t)
	bench.Eventually(t, "recordings", func() bool { return len(f.rows("a")) > 1 })
	moved := t.TempDir() // keeps the mount, as a disk keeps what is on it
	if err := errors.Join(unix.Mount(f.point, moved, "", unix.MS_BIND, ""), unix.Unmount(f.point, unix.MNT_DETACH)); err != nil {
		t.Fatal(err)
	}
	f.says("the sample directory is not there; is its disk mounted?")
	f.says("not recording; trying again")
	f.grows("b")
	if left, err := os.ReadDir(f.point); err != nil || len(left) > 0 {
		t.Errorf("below the mount point: %v, %v", left, err)
	}
	if err := errors.Join(unix.Mount(moved, f.point, "", unix.MS_BIND, ""), unix.Unmount(moved, unix.MNT_DETACH)); err != nil {
		t.Fatal(err)
	}
	f.says("recording again")
	f.grows("a")
	f.unhurt()
	if sent, kept := f.kept("a"); len(sent) < 2 || !slices.Equal(sent, kept) {
		t.Errorf("of %v pictures %v are kept", sent, kept)
	}
}

// TestPowerCutOfARunningRecorder cuts the power at any moment, twenty times.
func TestPowerCutOfARunningRecorder(t *testing.T) {
	f := newFaulty(t)
	most := 0
	for cut := range 20 {
		rows := len(f.rows("a"))
		bench.Eventually(t, "recordings", func() bool { return len(f.rows("a")) > rows })
		time.Sleep(time.Duration(cut) * 3 * time.Millisecond) // the moment; nothing is waited for
		f.mu.Lock()
		sent := 0
		for _, s := range f.sent["a"] {
			sent += len(s)
		}
		f.mu.Unlock()
		data, disk := f.cutPower()
		lost := f.afterCut(data, disk, sent)
		most = max(most, lost)
		if t.Failed() {
			t.Fatalf("cut %d", cut)
		}
	}
	t.Logf("at most %d pictures lost: %v of the host's time", most, time.Duration(most)*10*time.Millisecond/25)
	// 20 ms of the sync interval, and what the busy host takes for a commit.
	if lostTime := time.Duration(most) * 10 * time.Millisecond / 25; lostTime > 2*time.Second {
		t.Errorf("%v are lost", lostTime)
	}
}

// cutPower stops the disk and copies what a power cut would leave of the data directory, and of the disk.
func (f *faulty) cutPower() (data, disk string) {
	f.t.Helper()
	frozen := make(chan struct{})
	f.fs.Hook(func(faultfs.Op) syscall.Errno { <-frozen; return 0 })
	data, disk = f.t.TempDir(), f.t.TempDir()
	db, err := schema.OpenExisting(f.t.Context(), f.o.Data)
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	// While this transaction writes nobody else does: a commit is in the copy as a whole, or not at all.
	err = db.Write(f.t.Context(), func(*schema.Tx) error {
		return errors.Join(os.CopyFS(data, os.DirFS(f.o.Data)), f.fs.PowerCut(disk))
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.fs.Hook(nil)
	close(frozen)
	return data, disk
}

// afterCut starts a recorder with what is left, and returns how many pictures of stream a, of those that were sent, are
// lost.
func (f *faulty) afterCut(data, disk string, sent int) (lost int) {
	f.t.Helper()
	db, err := schema.Create(f.t.Context(), data)
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	before := bench.RowsOf(f.t, db, 1)
	st, err := openDir(disk, db.UUID(), false)
	if err != nil {
		f.t.Fatal(err)
	}
	log := new(bench.LogBuffer)
	if err := fsck.MendFiles(f.t.Context(), db, map[int64]*volume.Volume{2: volume.New(2, disk, st)}, bench.NewLog(log)); err != nil {
		f.t.Fatal(err)
	}
	after := bench.RowsOf(f.t, db, 1)
	kept := 0
	for i := range after {
		r := &after[i]
		kept += int(r.Tracks[volume.Video].Samples)
		k := storeKey("a", r)
		size, err := st.Size(k)
		if err != nil || size < r.Bytes || !r.Sealed || i < len(before) && (r.ID != before[i].ID || r.Bytes < before[i].Bytes) {
			f.t.Errorf("row %+v has a file of %d bytes, %v", r, size, err)
		}
	}
	files, err := st.Scan("a", 1)
	if err != nil || len(files) != len(after) || len(after) < len(before) {
		f.t.Errorf("%d files, %d rows, %d before: %v\n%s", len(files), len(after), len(before), err, log)
	}
	return sent - kept
}

// dropping is a media.Handler that does something when n samples have come, or, where n is 0, when the first is still awaited.
type dropping struct {
	media.Handler
	n    int
	drop func()
}

func (d *dropping) Start(tracks []media.SampleEntry) error {
	if d.n == 0 {
		d.drop()
	}
	return d.Handler.Start(tracks)
}

func (d *dropping) Sample(x media.Sample) error {
	if d.n--; d.n == 0 {
		d.drop()
	}
	return d.Handler.Sample(x)
}

// TestHundredSessions has a camera that comes and goes a hundred times.
func TestHundredSessions(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	for range 100 {
		b.Record(bench.Camera{AudioRate: 48000}, 2*time.Second)
	}
	bench.NoProblems(t, b.Dir)
	b.CheckFiles()
	if n := len(b.Recordings()); n < 100 {
		t.Errorf("%d recordings of 100 sessions", n)
	}
}

func storeKey(label string, r *schema.Recording) store.Key {
	return store.Key{Stream: label, Number: r.ID.Number()}
}

// TestBusyDatabase has another process write to the database for longer than anybody waits for it.
func TestBusyDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	t.Parallel()
	f := newFaulty(t)
	bench.Eventually(t, "recordings", func() bool { return len(f.rows("a")) > 1 && len(f.rows("b")) > 1 })
	db, err := schema.OpenExisting(t.Context(), f.o.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Write(t.Context(), func(*schema.Tx) error {
		f.says("cannot write to the database; new footage is safe in its sample files")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	f.commitsAgain()
	if log := f.log.String(); !strings.Contains(log, "database is locked") {
		t.Error(log)
	}
}

// TestFullDatabase fills the disk of the database, and frees it again. The sample files are elsewhere.
func TestFullDatabase(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	t.Parallel()
	data := t.TempDir()
	if err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("no small disk: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(data, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	f := newFaultyIn(t, data)
	bench.Eventually(t, "recordings", func() bool { return len(f.rows("a")) > 1 && len(f.rows("b")) > 1 })
	ballast := filepath.Join(data, "ballast")
	w, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = w.Write(make([]byte, 4096))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f.says("cannot write to the database; new footage is safe in its sample files")
	f.says("database or disk is full")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	f.commitsAgain()
}

// commitsAgain checks that nothing of either stream is lost when the database is well again.
func (f *faulty) commitsAgain() {
	f.t.Helper()
	f.says("the database takes new footage again")
	f.grows("a")
	f.grows("b")
	for _, name := range []string{"a", "b"} {
		if sent, kept := f.kept(name); len(sent) != 1 || !slices.Equal(sent, kept) {
			f.t.Errorf("stream %s: of %v pictures %v are kept", name, sent, kept)
		}
	}
}
