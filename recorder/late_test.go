package recorder

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// numbersSkipped is how many numbers fsck leaves out for the sake of a directory that is away.
const numbersSkipped = 1000

// openDir opens a sample directory as a recorder does by itself.
func openDir(path, database string, fresh bool) (store.Store, error) {
	if fresh {
		return dir.Attach(path, database)
	}
	return dir.Open(path, database)
}

// lateTest is a recorder that starts while the disk of some streams is away. It runs by a simulated clock.
type lateTest struct {
	t    *testing.T
	o    Options
	disk string // the sample directory on it
	log  *bench.LogBuffer
	r    *Recorder
	stop func() error // ends Run

	mu    sync.Mutex
	began map[string]time.Time // when the session of a stream began
}

// newLateTest leaves what a crash leaves of cameras a, on a disk of its own, and b.
func newLateTest(t *testing.T) *lateTest {
	l := &lateTest{t: t, disk: filepath.Join(t.TempDir(), "disk"), log: new(bench.LogBuffer), began: map[string]time.Time{}}
	l.o = Options{Data: t.TempDir(), Length: 10 * time.Second, Sync: time.Second, Streams: streamsOf(Limits{}, "a", "b"), Log: bench.NewLog(l.log)}
	l.o.Streams[0].Samples = l.disk
	y := newYard(t, l.o)
	y.record(0, bench.Dawn, 2)()
	y.record(1, bench.Dawn, 2)()
	y.record(0, bench.Dawn.Add(time.Minute), 2) // goes on
	y.cutOff(0, bench.Dawn.Add(2*time.Minute), 2)
	for i := range l.o.Streams {
		l.o.Streams[i].Source = l.camera(l.o.Streams[i].Camera)
	}
	return l
}

// camera sends pictures for ever, from ten minutes after dawn on.
func (l *lateTest) camera(name string) media.Source {
	return bench.SourceFunc(func(ctx context.Context, h media.Handler) error {
		l.mu.Lock()
		l.began[name] = time.Now()
		l.mu.Unlock()
		c := bench.Camera{Start: bench.At(bench.Dawn.Add(10 * time.Minute)), Run: uint32(name[0]), FPS: 5, GOP: 5}
		if err := h.Start(c.Tracks()); err != nil {
			return err
		}
		for x := range c.Samples(time.Hour) {
			select {
			case <-time.After(time.Second / 5):
			case <-ctx.Done():
				return nil
			}
			if err := h.Sample(x); err != nil {
				return err
			}
		}
		return errors.New("the test takes too long")
	})
}

func (l *lateTest) start() {
	l.t.Helper()
	var err error
	if l.r, err = Open(l.t.Context(), l.o); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.r.Run(ctx) }()
	l.stop = sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-done, l.r.Close())
	})
}

// sessionOf says when the session of a stream began, if it did.
func (l *lateTest) sessionOf(name string) (began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.began[name]
}

func (l *lateTest) rows(stream int) []schema.Recording {
	l.t.Helper()
	return bench.RowsOf(l.t, l.r.set.DB, l.r.streams[stream].row.ID)
}

// stopped stops the recorder and checks what is there.
func (l *lateTest) stopped() {
	l.t.Helper()
	if err := l.stop(); err != nil {
		l.t.Error(err)
	}
	bench.NoProblems(l.t, l.o.Data)
}

// saidOnce checks that there is one error that the directory is not there, which says what.
func (l *lateTest) saidOnce(what string) {
	l.t.Helper()
	var said []string
	for line := range strings.Lines(l.log.String()) {
		if strings.Contains(line, "level=ERROR") && !strings.Contains(line, hangs) && strings.Contains(line, "path="+l.disk+" ") {
			said = append(said, line)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], what) {
		l.t.Errorf("one error should say %q: %q", what, said)
	}
}

// hangs is what is said when a disk is there and does not answer.
const hangs = "the disk does not answer; recording waits for it"

// hangs has whatever opens the directory hang.
func (l *lateTest) hangs() (back func()) {
	c := make(chan struct{})
	l.o.open = func(path, database string, fresh bool) (store.Store, error) {
		if path == l.disk {
			<-c
		}
		return openDir(path, database, fresh)
	}
	return func() { close(c) }
}

// hangsLater has the directory be there after ten seconds, and hang when what a crash left in it was mended.
func (l *lateTest) hangsLater() (back func()) {
	there := bench.Away(l.t, l.disk)
	bad := &hanging{}
	back = bad.hang()
	l.o.open = func(path, database string, fresh bool) (store.Store, error) {
		st, err := openDir(path, database, fresh)
		if path != l.disk || err != nil {
			return st, err
		}
		bad.Store = st
		return bad, nil
	}
	time.AfterFunc(10*time.Second, there)
	return back
}

// TestDirComesLate starts a recorder while the disk of one of two cameras is away. The other one is recorded, and when the
// disk comes, what a crash left on it is mended and its camera recorded, too.
func TestDirComesLate(t *testing.T) {
	for name, c := range map[string]struct {
		gone func(l *lateTest) (back func())
		says string
	}{
		"it is not mounted":       {func(l *lateTest) func() { return bench.Away(l.t, l.disk) }, "streams=a "},
		"it hangs":                {(*lateTest).hangs, "the disk does not answer"},
		"it hangs when it comes":  {(*lateTest).hangsLater, "streams=a "},
		"another one hangs, too":  {twoHang, "streams=a "},
		"there is something else": {somethingElse, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLateTest(t)
				back := c.gone(l)
				l.start()
				time.Sleep(30 * time.Second)
				if b := l.rows(1); len(b) < 4 || b[len(b)-1].Start90k < media.FromTime(bench.Dawn.Add(10*time.Minute)) {
					t.Errorf("the other camera has %d recordings", len(b))
				}
				if a := l.rows(0); len(a) > 6 || !l.sessionOf("a").IsZero() {
					t.Errorf("recordings on a disk that is away: %+v", a)
				}
				l.saidOnce(c.says)
				came := time.Now()
				back()
				time.Sleep(volume.LookEvery)
				synctest.Wait()
				if began := l.sessionOf("a"); began.IsZero() || began.Sub(came) > volume.LookEvery {
					t.Errorf("the camera is recorded from %v on, the disk came at %v:\n%s", began, came, l.log)
				}
				time.Sleep(25 * time.Second)
				a := l.rows(0)
				l.stopped()
				if len(a) < 8 {
					t.Errorf("%d recordings", len(a))
				}
				for i, r := range a[:6] {
					if want := int64(i + 1); r.ID.Number() != want || !r.Sealed {
						t.Errorf("recording %s, sealed %v, want %d", r.ID, r.Sealed, want)
					}
				}
				if r := a[6]; r.ID.Number() <= numbersSkipped {
					t.Errorf("recording %s has a number that may have been another's", r.ID)
				}
				want := 0
				if name == "it hangs when it comes" {
					want = 1
				}
				if hung, over := strings.Count(l.log.String(), hangs), strings.Count(l.log.String(), "the disk answers again"); hung != want || over != want {
					t.Errorf("that it hangs is said %d times, and %d times that it is over, want %d:\n%s", hung, over, want, l.log)
				}
				if n := strings.Count(l.log.String(), "the sample directory is there"); n != 1 {
					t.Errorf("that it is there is said %d times:\n%s", n, l.log)
				}
			})
		})
	}
}

// twoHang has the disk of a third camera hang for good, besides.
func twoHang(l *lateTest) (back func()) {
	other := filepath.Join(l.t.TempDir(), "other")
	l.o.Streams = append(l.o.Streams, StreamOptions{Camera: "c", Name: "main", Source: l.camera("c"), Samples: other})
	newYard(l.t, l.o).close()
	there, hung := bench.Away(l.t, l.disk), make(chan struct{})
	l.t.Cleanup(func() { close(hung) })
	l.o.open = func(path, database string, fresh bool) (store.Store, error) {
		if path == other {
			<-hung
		}
		return openDir(path, database, fresh)
	}
	return there
}

// somethingElse has a file lie below the mount point.
func somethingElse(l *lateTest) (back func()) {
	there := bench.Away(l.t, l.disk)
	path := filepath.Join(l.disk, "lost+found")
	if err := os.Mkdir(path, 0o700); err != nil {
		l.t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			l.t.Error(err)
		}
		there()
	}
}

// TestStopWhileDirIsLate stops a recorder that still waits for a disk: at once, unless it hangs.
func TestStopWhileDirIsLate(t *testing.T) {
	for name, c := range map[string]struct {
		gone   func(l *lateTest) (back func())
		within time.Duration
		err    string
	}{
		"it is not mounted":      {func(l *lateTest) func() { return bench.Away(l.t, l.disk) }, 0, ""},
		"it hangs":               {(*lateTest).hangs, 0, ""},
		"it hangs when it comes": {(*lateTest).hangsLater, stopDeadline, "the disk does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // which fails when a goroutine is left
				l := newLateTest(t)
				back := c.gone(l)
				defer back()
				l.start()
				time.Sleep(time.Minute)
				began := time.Now()
				err := l.stop()
				if d := time.Since(began); d > c.within {
					t.Errorf("it took %v to stop", d)
				}
				if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
					t.Errorf("error %v, want %q", err, c.err)
				}
			})
		})
	}
}

// TestDirStaysAway deletes what is too much while a disk is away: of others its files, of this one the rows, and its files
// as soon as it is back.
func TestDirStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLateTest(t)
		back := bench.Away(t, l.disk)
		l.o.Streams[0].Retain.Bytes = 1 // too much is whatever has ended
		l.o.Streams[1].Retain.Bytes = 1
		l.start()
		time.Sleep(10 * time.Minute)
		l.saidOnce("streams=a ")
		files := func(dir, label string) int {
			paths, err := filepath.Glob(filepath.Join(dir, label, "*", "*.mp4"))
			if err != nil {
				t.Fatal(err)
			}
			return len(paths)
		}
		if n := files(filepath.Join(l.o.Data, schema.DefaultSampleDir), "b"); n > 3 {
			t.Errorf("the other camera has %d files", n)
		}
		if n := files(l.disk+".disk", "a"); n != 6 {
			t.Errorf("on the disk that is away there are %d files", n)
		}
		if g, err := l.r.set.DB.Garbage(t.Context()); err != nil || !slices.ContainsFunc(g, func(g schema.Garbage) bool { return g.Dir == 2 }) {
			t.Errorf("garbage %+v, %v", g, err)
		}
		back()
		time.Sleep(time.Minute)
		if n := files(l.disk, "a"); n == 0 || n > 3 {
			t.Errorf("on the disk that is back there are %d files", n)
		}
		l.stopped()
	})
}

// TestMovedStreamsDirComesLate has a stream record elsewhere, when the disk comes on which it was recorded before the crash.
// Its run goes on, and what is mended takes none of its numbers.
func TestMovedStreamsDirComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLateTest(t)
		path := filepath.Join(l.disk, "a", "000", "000005.mp4") // has no row; its damage makes two files of it
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text[len(text)/2] ^= 1
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		l.o.Streams[0].Samples, l.o.Streams[1].Samples = "", l.disk
		back := bench.Away(t, l.disk)
		l.start()
		time.Sleep(30 * time.Second)
		back()
		time.Sleep(30 * time.Second)
		a := l.rows(0)
		run, err := l.r.set.DB.Run(t.Context(), a[len(a)-1].Run)
		if err != nil || run.EndReason != "" {
			t.Errorf("run %+v, %v", run, err)
		}
		l.stopped()
		var mended []int64
		for _, r := range a {
			if r.Dir == 2 {
				mended = append(mended, r.ID.Number())
			}
		}
		if want := []int64{1, 2, 3, 4, 5, 6, 7}; !slices.Equal(mended, want) {
			t.Errorf("on the disk that came there are recordings %v, want %v\n%s", mended, want, l.log)
		}
		db, err := schema.OpenReadOnly(t.Context(), l.o.Data)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, r := range a {
			if run, err := db.Run(t.Context(), r.Run); err != nil || run.EndReason == "" {
				t.Errorf("the run of recording %s goes on: %+v, %v", r.ID, run, err)
			}
		}
	})
}

// TestForeignDir refuses to start with a sample directory of another database: waiting does not mend that.
func TestForeignDir(t *testing.T) {
	l := newLateTest(t)
	foreign := filepath.Join(t.TempDir(), "foreign")
	if _, err := dir.Attach(foreign, "another"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(l.disk), os.Rename(foreign, l.disk)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), l.o); !errors.Is(err, store.ErrForeign) || !strings.Contains(err.Error(), l.disk) {
		t.Error(err)
	}
}

// idle is a camera that sends nothing.
var idle = bench.SourceFunc(func(ctx context.Context, _ media.Handler) error {
	<-ctx.Done()
	return nil
})
