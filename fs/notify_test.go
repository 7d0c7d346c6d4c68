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

// slowDir finds a file, and lists it, when it is told to.
type slowDir struct {
	s       *Server
	asked   chan struct{} // gets a value when it is asked
	answers chan struct{} // closed when it answers
}

func (d slowDir) modTime() time.Time { return time.Time{} }

func (d slowDir) list(context.Context) (listing, error) {
	d.asked <- struct{}{}
	<-d.answers
	return listing{}, nil
}

func (d slowDir) find(context.Context, string) (child, error) {
	d.asked <- struct{}{}
	<-d.answers
	return child{name: "file", file: func(context.Context) (node, error) {
		return d.s.textNode("file", nil, time.Time{}, keepLong), nil
	}}, nil
}

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
	for name, ask := range map[string]func(path string) error{
		"a lookup":  func(path string) error { _, err := os.Stat(filepath.Join(path, "file")); return err },
		"a listing": func(path string) error { _, err := os.ReadDir(path); return err },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{still: true, cameras: []footage.Camera{{Name: "cam", Start: growStart, Duration: time.Minute, Tiny: true}}})
			slow := slowDir{f.s, make(chan struct{}, 10), make(chan struct{})}
			if _, err := os.Stat(f.path("cam")); err != nil {
				t.Fatal(err)
			}
			f.s.nodes.mu.Lock()
			f.s.nodes.kept[inoOf("/cam")] = f.s.dirNode(slow, "/cam")
			f.s.nodes.mu.Unlock()
			f.s.underWay.wait() // for what was asked before

			asked := make(chan error, 1)
			go func() { asked <- ask(filepath.Join(f.mnt, "cam")) }()
			<-slow.asked
			f.s.underWay.mu.Lock()
			begun := f.s.underWay.now
			f.s.underWay.now = nil // as wait does, so that none that comes later is counted in it
			f.s.underWay.mu.Unlock()
			if begun == nil {
				close(slow.answers)
				t.Fatal("it does not count as under way")
			}
			close(slow.answers)
			begun.Wait()
			if _, _, known := f.s.nodes.get(digest("file", "")); name == "a lookup" && !known {
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
