package fs

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/playback"
)

// What has begun is waited for, and nothing that begins later.
func TestWaitForWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u underWay
		u.wait() // for nothing
		first, second := u.begin(), u.begin()
		waited := false
		go func() {
			u.wait()
			waited = true
		}()
		synctest.Wait()
		later := u.begin()
		first.Done()
		synctest.Wait()
		if waited {
			t.Error("it does not wait for all that had begun")
		}
		second.Done()
		synctest.Wait()
		if !waited {
			t.Error("it waits for more than had begun")
		}
		later.Done()
		u.wait()
	})
}

// TestUnderWay has the kernel look something up, and list it. Either counts as under way until it is answered, so that whoever
// waits for it finds known what was looked up.
func TestUnderWay(t *testing.T) {
	for name, ask := range map[string]func(f *fixture) error{
		"a lookup":  func(f *fixture) error { _, err := os.Stat(f.path("cam")); return err },
		"a listing": func(f *fixture) error { _, err := os.ReadDir(f.mnt); return err },
	} {
		t.Run(name, func(t *testing.T) {
			var slow atomic.Bool
			seen, answers := make(chan struct{}, 10), make(chan struct{})
			f := newFixture(t, fixtureOptions{
				still: true, cameras: []footage.Camera{{Name: "cam", Start: growStart, Duration: time.Minute, Tiny: true}},
				sees: func(playback.Stream) bool {
					if slow.Load() {
						seen <- struct{}{}
						<-answers
					}
					return true
				},
			})
			f.s.underWay.wait() // for what was asked before
			slow.Store(true)

			asked := make(chan error, 1)
			go func() { asked <- ask(f) }()
			<-seen
			f.s.underWay.mu.Lock()
			begun := f.s.underWay.now
			f.s.underWay.now = nil // as wait does, so that none that comes later is counted in it
			f.s.underWay.mu.Unlock()
			if begun == nil {
				close(answers)
				t.Fatal("it does not count as under way")
			}
			close(answers)
			begun.Wait()
			if !f.s.knows(inoOf("/cam")) {
				t.Error("what was looked up is not known when that is answered")
			}
			if err := <-asked; err != nil {
				t.Error(err)
			}
		})
	}
}

// The kernel is told at once, and again when those have been answered who might have been told what was.
func TestToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{}
		s.ctx, s.stop = context.WithCancel(t.Context())
		n := newNotifier(s)
		n.start(func() {})
		told := func() bool { // of a change since it was last asked
			synctest.Wait()
			return s.newest.Swap(0) != 0
		}
		change := []playback.Change{{Stream: playback.Stream{Label: "cam"}, Listed: true}}
		n.add(change)
		if !told() {
			t.Error("it is not told at once")
		}
		time.Sleep(tellAgainAfter / 2)
		n.add(change)
		request := s.underWay.begin()
		if !told() {
			t.Error("of the next change it is not told at once")
		}
		time.Sleep(tellAgainAfter / 2)
		if told() {
			t.Error("it does not wait for a request")
		}
		request.Done()
		if !told() {
			t.Error("it is not told again")
		}
		time.Sleep(tellAgainAfter / 2)
		if !told() {
			t.Error("of the next change it is not told again")
		}
		time.Sleep(10 * tellAgainAfter)
		if told() {
			t.Error("it is told for a third time")
		}
		s.stop()
		<-n.done
	})
}
