package fs

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/playback"
)

// A lookup that is under way is waited for, and what it found is known then.
func TestUnderWay(t *testing.T) {
	asked, answers := make(chan struct{}, 1), make(chan struct{})
	var slow atomic.Bool
	f := newFixture(t, fixtureOptions{
		still: true, cameras: []footage.Camera{{Name: "cam", Start: growStart, Duration: time.Minute, Tiny: true}},
		sees: func(playback.Stream) bool {
			if slow.Load() {
				asked <- struct{}{}
				<-answers
				slow.Store(false)
			}
			return true
		},
	})
	release := sync.OnceFunc(func() { close(answers) })
	t.Cleanup(release)
	slow.Store(true)
	looked, waited := make(chan error, 1), make(chan bool, 1)
	go func() {
		_, err := os.Stat(f.path("cam"))
		looked <- err
	}()
	<-asked
	go func() {
		f.s.underWay.wait()
		waited <- f.s.knows(inoOf("/cam"))
	}()
	eventually(t, "it waits", func() bool {
		f.s.underWay.mu.Lock()
		defer f.s.underWay.mu.Unlock()
		return f.s.underWay.now == nil // wait has taken it
	})
	select {
	case <-waited:
		t.Error("it does not wait")
	default:
	}
	release()
	select {
	case known := <-waited:
		if !known {
			t.Error("what was looked up meanwhile is not known")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it still waits")
	}
	if err := <-looked; err != nil {
		t.Error(err)
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
