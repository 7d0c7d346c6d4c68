package volume_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/session"
	"nvrfs/recorder/volume"
)

// A watcher holds every fragment that goes to another sink, and what its bytes were.
type watcher struct {
	session.Sink
	held *[]heldFragment
}

type heldFragment struct {
	*volume.Fragment
	was []byte
}

func (w watcher) Append(f *volume.Fragment) error {
	f.Retain()
	*w.held = append(*w.held, heldFragment{f, slices.Clone(f.Bytes())})
	return w.Sink.Append(f)
}

// TestHeldFragmentsDoNotChange holds fragments of one camera, beside the Writer, while another camera is recorded through the same
// pool: no byte of them changes until they are released.
func TestHeldFragmentsDoNotChange(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	var held []heldFragment
	a := session.New(session.Options{
		NewRun:    func() session.Sink { return watcher{b.Writer.NewRun(b.Stream.Row), &held} },
		Length90k: b.Stream.Length90k, Log: b.Stream.Log,
	})
	c := bench.Camera{AudioRate: 48000}
	if err := a.Start(c.Tracks()); err != nil {
		t.Fatal(err)
	}
	var given []media.Sample
	for x := range c.Samples(30 * time.Second) {
		given = append(given, x)
		if err := a.Sample(x); err != nil {
			t.Fatal(err)
		}
		if len(given)%200 == 0 {
			b.Commit() // the Writer releases them
		}
	}
	if err := a.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { // as a live watcher reads, at any time
		for {
			for i := range held {
				if !bytes.Equal(held[i].Bytes(), held[i].was) {
					t.Errorf("fragment %d has changed", i)
					return
				}
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	other := b.SecondStream().Session()
	another := bench.Camera{Run: 7, GOP: 25}
	if err := other.Start(another.Tracks()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for x := range another.Samples(60 * time.Second) {
		if err := other.Sample(x); err != nil {
			t.Fatal(err)
		}
		if n++; n%100 == 0 {
			b.Commit()
		}
	}
	if err := other.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	close(stop)
	watching.Wait()
	if len(held) < 10 || b.Writer.Stats().Waiting != 0 {
		t.Errorf("%d fragments were held; %d bytes wait", len(held), b.Writer.Stats().Waiting)
	}
	for i := range held {
		held[i].Release()
	}
	b.CheckShown(given, c.Tracks())
}

// TestUnbalancedRelease releases what nobody holds any more: that is a fault of ours, and must not go unnoticed.
func TestUnbalancedRelease(t *testing.T) {
	for name, misuse := range map[string]func(f *volume.Fragment){
		"released twice":         (*volume.Fragment).Release,
		"retained when released": (*volume.Fragment).Retain,
		"read when released":     func(f *volume.Fragment) { _ = f.Bytes() },
	} {
		t.Run(name, func(t *testing.T) {
			f := bench.NewFragment()
			f.Retain()
			f.Release()
			f.Release()
			defer func() {
				if recover() == nil {
					t.Error("nobody noticed")
				}
			}()
			misuse(f)
		})
	}
}
