package recorder

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/recorder/internal/bench"
	"nvrfs/store"
)

// hanging is a Store that hangs when it is told to.
type hanging struct {
	store.Store
	back atomic.Pointer[chan struct{}]
}

func (h *hanging) hang() (back func()) {
	c := make(chan struct{})
	h.back.Store(&c)
	return func() {
		h.back.Store(nil)
		close(c)
	}
}

func (h *hanging) wait() {
	if c := h.back.Load(); c != nil {
		<-*c
	}
}

func (h *hanging) Present() error {
	h.wait()
	return h.Store.Present()
}

func (h *hanging) Remove(k store.Key) error {
	h.wait()
	return h.Store.Remove(k)
}

// TestHungDisk has one of two disks hang, first when it is asked for its free space and then while a file is removed. The
// other one goes on as ever.
func TestHungDisk(t *testing.T) {
	for name, before := range map[string]bool{"asked": true, "removing": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Options{Data: t.TempDir(), Streams: streamsOf(Limits{}, "a", "b")}
				o.Streams[1].Samples = t.TempDir()
				bad := &hanging{}
				o.open = func(path, database string, fresh bool) (store.Store, error) {
					st, err := openDir(path, database, fresh)
					if path != o.Streams[1].Samples || err != nil {
						return st, err
					}
					bad.Store = st
					return bad, nil
				}
				y := newYard(t, o)
				defer y.close()
				y.record(0, bench.Dawn, 6)()
				y.record(1, bench.Dawn, 6)()
				var back func()
				if before {
					back = bad.hang()
				}
				for _, s := range y.r.streams {
					s.limits.Age = time.Hour + 30*time.Second // recordings 1 to 3 are older, now and a minute on
				}
				y.now = bench.Dawn.Add(time.Hour + time.Minute)
				rounds := func() {
					t.Helper()
					for range 3 {
						y.now = y.now.Add(unlinkAfter)
						if err := y.keep.round(t.Context()); err != nil {
							t.Error(err)
						}
					}
				}
				if !before {
					y.round()
					back = bad.hang()
				}
				rounds()
				if a, b := y.files("a"), y.files("b"); len(a) >= 6 || len(b) != 6 {
					t.Errorf("left are %v, %v", a, b)
				}
				if n := strings.Count(y.log.String(), store.ErrNoAnswer.Error()); n != 1 {
					t.Errorf("the log says so %d times:\n%s", n, y.log)
				}
				back()
				synctest.Wait()
				rounds()
				if a, b := y.files("a"), y.files("b"); len(a) != len(b) || !strings.Contains(y.log.String(), "nvrfs can see how much space is free again") {
					t.Errorf("when it is back: %v, %v\n%s", a, b, y.log)
				}
				y.check()
			})
		})
	}
}
