package fs

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/playback"
)

// slowDir finds a file when it is told to.
type slowDir struct {
	s       *Server
	asked   chan struct{} // gets a value when it is asked
	answers chan struct{} // closed when it answers
}

func (d slowDir) list(context.Context) (listing, error) { return listing{}, nil }
func (d slowDir) modTime() time.Time                    { return time.Time{} }

func (d slowDir) find(context.Context, string) (child, error) {
	d.asked <- struct{}{}
	<-d.answers
	return child{name: "file", file: func(context.Context) (node, error) {
		return d.s.textNode("file", nil, time.Time{}, keepLong), nil
	}}, nil
}

// A lookup that is under way is waited for, and what it found is known then.
func TestUnderWay(t *testing.T) {
	f := newFixture(t, fixtureOptions{still: true, cameras: []footage.Camera{{Name: "cam", Start: growStart, Duration: time.Minute, Tiny: true}}})
	slow := slowDir{f.s, make(chan struct{}, 1), make(chan struct{})}
	if _, err := os.Stat(f.path("cam")); err != nil {
		t.Fatal(err)
	}
	f.s.nodes.mu.Lock()
	f.s.nodes.kept[inoOf("/cam")] = f.s.dirNode(slow, "/cam")
	f.s.nodes.mu.Unlock()

	looked, waited := make(chan error, 1), make(chan bool, 1)
	go func() {
		_, err := os.Stat(filepath.Join(f.mnt, "cam", "file"))
		looked <- err
	}()
	<-slow.asked
	go func() {
		f.s.underWay.wait()
		_, _, known := f.s.nodes.get(digest("file", ""))
		waited <- known
	}()
	close(slow.answers)
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
		change := []playback.Change{{Stream: "cam", Listed: true}}
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
