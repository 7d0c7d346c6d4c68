package playback

import (
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nvrfs/schema"
	"nvrfs/store"
)

// keptBytes is what keeps an object. It must be closed once.
type keptBytes struct {
	io.ReaderAt
	open *atomic.Int64
	once atomic.Bool
}

func (k *keptBytes) Close() error {
	if k.once.Swap(true) {
		panic("closed twice")
	}
	k.open.Add(-1)
	return nil
}

func TestPins(t *testing.T) {
	var p pins
	var open atomic.Int64
	keep := func() (store.Reader, error) {
		open.Add(1)
		return &keptBytes{ReaderAt: strings.NewReader("footage"), open: &open}, nil
	}
	const id, other = schema.RecordingID(1), schema.RecordingID(2)
	if object, err := p.object(id); object != nil || err != nil || p.has(id) {
		t.Errorf("of nothing that is pinned: %v, %v", object, err)
	}
	away := errors.New("away")
	if err := p.add(id, nil, func() (store.Reader, error) { return nil, away }); err != away || p.has(id) {
		t.Errorf("what cannot be kept: %v", err)
	}
	for range 2 {
		if err := p.add(id, []byte("index"), keep); err != nil || open.Load() != 1 {
			t.Fatalf("%d objects are open, %v", open.Load(), err)
		}
	}
	if packed, ok, err := p.index(id); string(packed) != "index" || !ok || err != nil {
		t.Errorf("its index is %q, %v, %v", packed, ok, err)
	}
	if _, ok, err := p.index(other); ok || err != nil {
		t.Errorf("of another: %v, %v", ok, err)
	}
	if err := p.cannotRead(other, io.EOF); err != io.EOF {
		t.Errorf("the end of a recording that is not pinned: %v", err)
	}
	p.letGo(id)
	if object, err := p.object(id); object == nil || err != nil {
		t.Errorf("with one of two users: %v, %v", object, err)
	}
	if err := p.cannotRead(id, away); err != away {
		t.Errorf("an error while it is pinned: %v", err)
	}
	if err := p.cannotRead(id, io.EOF); err != ErrLost || open.Load() != 0 {
		t.Errorf("when the recorder took its bytes: %v, and %d are open", err, open.Load())
	}
	if _, err := p.object(id); err != ErrLost {
		t.Errorf("what was lost: %v", err)
	}
	if _, _, err := p.index(id); err != ErrLost {
		t.Errorf("the index of what was lost: %v", err)
	}
	if err := p.cannotRead(id, away); err != ErrLost {
		t.Errorf("read while it was lost: %v", err)
	}
	p.letGo(id)
	if p.has(id) || open.Load() != 0 {
		t.Errorf("after its last user it is pinned: %v, and %d are open", p.has(id), open.Load())
	}
}

func TestPinsAreLostInTime(t *testing.T) {
	var p pins
	var open atomic.Int64
	if err := p.add(1, nil, func() (store.Reader, error) { open.Add(1); return &keptBytes{open: &open}, nil }); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if lost := p.loseOld(now.Add(store.ReadersKeep - time.Minute)); len(lost) > 0 || open.Load() != 1 {
		t.Errorf("lost early: %v", lost)
	}
	if lost := p.loseOld(now.Add(store.ReadersKeep)); !lost[1] || open.Load() != 0 {
		t.Errorf("lost: %v, %d open", lost, open.Load())
	}
	if lost := p.loseOld(now.Add(time.Hour)); len(lost) > 0 {
		t.Errorf("lost again: %v", lost)
	}
}

// TestPinsInParallel has many keep one recording, read it, lose it, and let go of it.
func TestPinsInParallel(t *testing.T) {
	var p pins
	var open atomic.Int64
	keep := func() (store.Reader, error) {
		open.Add(1)
		return &keptBytes{ReaderAt: strings.NewReader("footage"), open: &open}, nil
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				if err := p.add(1, nil, keep); err != nil {
					t.Error(err)
				}
				if object, err := p.object(1); (object == nil) == (err == nil) {
					t.Errorf("what is pinned: %v, %v", object, err)
				}
				if g == 0 && i%10 == 0 {
					p.lose(1)
				}
				p.letGo(1)
			}
		})
	}
	wg.Wait()
	if n := open.Load(); n != 0 || len(p.of) != 0 {
		t.Errorf("%d objects are open, %d recordings are pinned", n, len(p.of))
	}
}

// forgettingTest is a source that notes what it was to close, and nothing else.
type forgettingTest struct {
	Source
	forgot []schema.RecordingID
}

func (f *forgettingTest) Forget(deleted func(schema.RecordingID) bool) {
	for id := schema.RecordingID(1); id < 4; id++ {
		if deleted(id) {
			f.forgot = append(f.forgot, id)
		}
	}
}

// whileRead is an object that does something while it is read.
type whileRead func()

func (f whileRead) ReadAt(p []byte, _ int64) (int, error) {
	f()
	return len(p), nil
}

func (f whileRead) WithFile(_, n int64, _ func(fd uintptr, at, n int64) int64) int64 {
	f()
	return n
}

// A recording that is pinned while its object is read, which may open it once more, is closed by the source, so that its space is
// free when the pin is gone.
func TestPinnedWhileItIsRead(t *testing.T) {
	keep := func() (store.Reader, error) {
		return &keptBytes{ReaderAt: strings.NewReader("footage"), open: new(atomic.Int64)}, nil
	}
	for name, read := range map[string]func(*recordingPart) int64{
		"read": func(r *recordingPart) int64 { n, _ := r.ReadAt(make([]byte, 7), 0); return int64(n) },
		"lent": func(r *recordingPart) int64 { return r.withFile(0, 7, nil) },
	} {
		for pinned, closed := range map[schema.RecordingID]int{0: 0, 2: 1, 3: 0} {
			src := &forgettingTest{}
			l := &Library{src: src}
			object := whileRead(func() {
				if pinned == 0 {
					return
				}
				if err := l.pins.add(pinned, nil, keep); err != nil {
					t.Error(err)
				}
			})
			n := read(&recordingPart{lib: l, id: 2, object: object})
			if n != 7 || len(src.forgot) != closed || closed > 0 && src.forgot[0] != 2 {
				t.Errorf("%s, while %d was pinned: %d bytes, and %v were closed", name, pinned, n, src.forgot)
			}
		}
	}
}
