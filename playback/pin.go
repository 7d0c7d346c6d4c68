package playback

import (
	"errors"
	"time"

	"nvrfs/store"
)

// ErrLost says that footage was deleted while it was read, and that its reader has had its time: see store.ReadersKeep.
var ErrLost = errors.New("the footage was deleted, and is kept no longer for its readers")

// A pin keeps what reading a deleted recording takes for the files that were open when it was deleted: its sample file, open
// apart from those in the cache, and its packed index. The last of those files to be closed removes it, which frees the
// space. Readers who take too long lose it: it is lost after store.ReadersKeep, or when the recorder, which knows how much room
// the disk has, took the bytes away. This holds for a mount in a process of its own, too.
type pin struct {
	file   *sampleFile
	packed []byte
	users  int
	since  time.Time
	lost   bool // nothing can be read any more, and file is dropped
}

// isPinned reports whether something is kept of a deleted recording.
func (s *sampleFiles) isPinned(k sampleKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pinned[k] != nil
}

// pinnedFile returns the sample file of a deleted recording that is kept, which the caller releases; or nil where none is.
func (s *sampleFiles) pinnedFile(k sampleKey) (*sampleFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch p := s.pinned[k]; {
	case p == nil:
		return nil, nil
	case p.lost:
		return nil, ErrLost
	case p.file.retain():
		return p.file, nil
	}
	return nil, nil
}

// pinnedIndex returns the packed index of a deleted recording that is kept; ok is false where none is.
func (s *sampleFiles) pinnedIndex(k sampleKey) (packed []byte, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pinned[k]
	if p != nil && p.lost {
		return nil, true, ErrLost
	}
	if p == nil {
		return nil, false, nil
	}
	return p.packed, true, nil
}

// keepAgain counts one more user of a recording that is pinned, and reports whether it is.
func (s *sampleFiles) keepAgain(k sampleKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pinned[k]
	if p != nil {
		p.users++
	}
	return p != nil
}

// keep pins a recording for one more user.
func (s *sampleFiles) keep(k sampleKey, packed []byte) error {
	if s.keepAgain(k) {
		return nil
	}
	r, err := s.openFile(k)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pinned[k]; p != nil { // another goroutine was faster
		p.users++
		return r.Close()
	}
	s.pinned[k] = &pin{file: &sampleFile{r: r}, packed: packed, users: 1, since: time.Now()}
	return nil
}

// letGo undoes keep.
func (s *sampleFiles) letGo(k sampleKey) {
	s.mu.Lock()
	p := s.pinned[k]
	p.users--
	last := p.users == 0
	if last {
		delete(s.pinned, k)
	}
	s.mu.Unlock()
	if last {
		p.file.drop() // without the lock: its disk may hang
	}
}

// lose takes a recording that is pinned from its readers, and reports whether it was pinned.
func (s *sampleFiles) lose(k sampleKey) bool {
	s.mu.Lock()
	p := s.pinned[k]
	if p != nil {
		p.lost, p.packed = true, nil
	}
	s.mu.Unlock()
	if p != nil {
		p.file.drop()
	}
	return p != nil
}

// loseOld takes the recordings that were kept for long enough from their readers, and returns which those are.
func (s *sampleFiles) loseOld(now time.Time) (lost map[sampleKey]bool) {
	lost = map[sampleKey]bool{}
	s.mu.Lock()
	for k, p := range s.pinned {
		if !p.lost && now.Sub(p.since) >= store.ReadersKeep {
			lost[k] = true
		}
	}
	s.mu.Unlock()
	for k := range lost {
		s.lose(k)
	}
	return lost
}

// loseOld has readers who took too long lose what was deleted.
func (l *Library) loseOld() {
	lost := l.samples.loseOld(time.Now())
	if len(lost) == 0 {
		return
	}
	var readers []*File
	l.mu.Lock()
	for f := range l.opened {
		for _, k := range f.pins {
			if lost[k] {
				readers = append(readers, f)
				break
			}
		}
	}
	l.mu.Unlock()
	for _, f := range readers {
		f.sayLost()
	}
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if errors.Is(err, ErrLost) {
		f.sayLost()
	}
	return n, err
}

// sayLost says once who has lost footage.
func (f *File) sayLost() {
	if f.saidLost.CompareAndSwap(false, true) {
		f.lib.o.Log.Warn("a reader has lost footage that was deleted; reading it fails from now on", "entry", f.e.Name, "reader", f.reader,
			"reason", "it was read for "+store.ReadersKeep.String()+" after it was deleted, or the disk had no more room for it")
	}
}
