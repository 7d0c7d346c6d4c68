package playback

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"nvrfs/schema"
	"nvrfs/store"
)

// ErrLost says that footage was deleted while a reader had it open, and that it is not kept for the reader any more: see
// store.ReadersKeep.
var ErrLost = errors.New("the footage was deleted, and is kept no longer for its readers")

// pins keep deleted recordings readable for the files that were open when they were deleted. When the last of those files is closed,
// the pin is removed, which frees the space. A pin is lost after store.ReadersKeep, or when the recorder, which knows how much room
// the disk has, has taken the bytes away. This also works for a mount in a process of its own.
type pins struct {
	added atomic.Int64 // how many pins were added; it rises while mu is held

	mu sync.Mutex // no other lock is taken inside it
	of map[schema.RecordingID]*pin
}

// A pin keeps one recording: its object, open apart from whatever the source keeps open, and its packed index.
type pin struct {
	object store.Reader
	packed []byte
	users  int
	since  time.Time
	lost   bool // nothing can be read any more, and object is closed
}

// object returns the object from which a pinned recording is read, or nil if the recording is not pinned.
func (p *pins) object(id schema.RecordingID) (store.Reader, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch x := p.of[id]; {
	case x == nil:
		return nil, nil
	case x.lost:
		return nil, ErrLost
	default:
		return x.object, nil
	}
}

// index returns the packed index of a pinned recording; ok is false if the recording is not pinned.
func (p *pins) index(id schema.RecordingID) (packed []byte, ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch x := p.of[id]; {
	case x == nil:
		return nil, false, nil
	case x.lost:
		return nil, true, ErrLost
	default:
		return x.packed, true, nil
	}
}

// has reports whether a recording is pinned.
func (p *pins) has(id schema.RecordingID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of[id] != nil
}

// again counts one more user of a recording that is pinned, and reports whether it is.
func (p *pins) again(id schema.RecordingID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.of[id]
	if x != nil {
		x.users++
	}
	return x != nil
}

// add pins a recording for one more user.
func (p *pins) add(id schema.RecordingID, packed []byte, keep func() (store.Reader, error)) error {
	if p.again(id) {
		return nil
	}
	object, err := keep() // without the lock: the disk may hang
	if err != nil {
		return err
	}
	p.mu.Lock()
	x := p.of[id]
	if x == nil {
		if p.of == nil {
			p.of = map[schema.RecordingID]*pin{}
		}
		p.of[id] = &pin{object: object, packed: packed, users: 1, since: time.Now()}
		p.added.Add(1)
	} else {
		x.users++
	}
	p.mu.Unlock()
	if x != nil { // another goroutine was faster
		return object.Close()
	}
	return nil
}

// letGo undoes add.
func (p *pins) letGo(id schema.RecordingID) {
	p.mu.Lock()
	x := p.of[id]
	x.users--
	last := x.users == 0
	if last {
		delete(p.of, id)
	}
	p.mu.Unlock()
	if last && !x.lost {
		x.object.Close() //nolint:errcheck // read only: nothing can be lost
	}
}

// lose takes a recording that is pinned from its readers, and reports whether it was pinned.
func (p *pins) lose(id schema.RecordingID) bool {
	p.mu.Lock()
	x := p.of[id]
	first := x != nil && !x.lost
	if first {
		x.lost, x.packed = true, nil
	}
	p.mu.Unlock()
	if first {
		x.object.Close() //nolint:errcheck // read only: nothing can be lost
	}
	return x != nil
}

// loseOld takes the recordings that were kept for store.ReadersKeep from their readers, and returns them.
func (p *pins) loseOld(now time.Time) (lost map[schema.RecordingID]bool) {
	lost = map[schema.RecordingID]bool{}
	p.mu.Lock()
	for id, x := range p.of {
		if !x.lost && now.Sub(x.since) >= store.ReadersKeep {
			lost[id] = true
		}
	}
	p.mu.Unlock()
	for id := range lost {
		p.lose(id)
	}
	return lost
}

// cannotRead returns why a recording could not be read to its end. A pinned recording whose file is shorter than it was, or closed, was
// taken from its readers, and the error is ErrLost.
func (p *pins) cannotRead(id schema.RecordingID, err error) error {
	if err == io.EOF && p.lose(id) {
		return ErrLost
	}
	if _, gone := p.object(id); gone != nil {
		return gone
	}
	return err
}
