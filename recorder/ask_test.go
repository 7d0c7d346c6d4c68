package recorder

import (
	"errors"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/store"
)

func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a asking
		var asked atomic.Int32
		back := make(chan struct{})
		question := func(dir int64) int64 {
			asked.Add(1)
			if dir == 2 {
				<-back
			}
			return dir * 10
		}
		dirs := []int64{1, 2, 3}
		want := map[int64]int64{1: 10, 3: 30}
		for i, wait := range []time.Duration{answerWithin, 0, 0} { // it is waited for once
			began := time.Now()
			if got := ask(&a, dirs, question); !maps.Equal(got, want) || time.Since(began) != wait {
				t.Errorf("time %d: answers %v after %v", i, got, time.Since(began))
			}
		}
		if n := asked.Load(); n != 1+2+2+2 {
			t.Errorf("%d questions", n)
		}
		close(back)
		synctest.Wait()
		want[2] = 20
		if got := ask(&a, dirs, question); !maps.Equal(got, want) {
			t.Errorf("when it is back, answers are %v", got)
		}
	})
}

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
				y := newYard(t, o)
				defer y.close()
				y.record(0, dawn, 6)()
				y.record(1, dawn, 6)()
				bad := &hanging{Store: y.r.dirs[2].store}
				y.keep.dirs[2] = sampleDir{y.r.dirs[2].path, bad}
				var back func()
				if before {
					back = bad.hang()
				}
				for _, s := range y.r.streams {
					s.limits.Age = time.Hour + 30*time.Second // recordings 1 to 3 are older, now and a minute on
				}
				y.now = dawn.Add(time.Hour + time.Minute)
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
				if n := strings.Count(y.log.String(), errNoAnswer.Error()); n != 1 {
					t.Errorf("the log says so %d times:\n%s", n, y.log)
				}
				back()
				synctest.Wait()
				rounds()
				if a, b := y.files("a"), y.files("b"); len(a) != len(b) || !strings.Contains(y.log.String(), "deleting old footage again") {
					t.Errorf("when it is back: %v, %v\n%s", a, b, y.log)
				}
				y.check()
			})
		})
	}
}

// TestHungDisksAtTheStart waits for several sample directories no longer than for one.
func TestHungDisksAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, back := time.Now(), make(chan struct{})
		all := openAll(new(asking), map[int64]string{1: "/mnt/x", 2: "/mnt/y", 3: "/mnt/z"}, func(path string) (store.Store, error) {
			if path != "/mnt/y" {
				<-back
			}
			return nil, nil
		})
		if d := time.Since(began); len(all) != 3 || all[2].err != nil || d != answerWithin {
			t.Errorf("%v after %v", all, d)
		}
		if err := all[1].err; !errors.Is(err, errNoAnswer) || !strings.Contains(err.Error(), "/mnt/x") {
			t.Error(err)
		}
		close(back)
	})
}
