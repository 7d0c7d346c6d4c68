package playback

import (
	"io"
	"sync"

	"golang.org/x/sys/unix"

	"nvrfs/schema"
	"nvrfs/store"
)

// sampleFiles keeps the sample files that were read last open, up to a number.
type sampleFiles struct {
	store func(dir int64) (store.Store, error)
	dirOf func(schema.RecordingID) (dir int64, ok bool, err error) // as the database says now
	open  *lru[sampleKey, *sampleFile]
	count sampleCounters

	mu     sync.Mutex
	pinned map[sampleKey]*pin
}

// sampleKey is a recording, and where its sample file lies.
type sampleKey struct {
	id  schema.RecordingID
	dir int64
	store.Key
}

// sampleFile is an open sample file that is closed when it was dropped from the cache and its last read has ended.
type sampleFile struct {
	r store.Reader

	mu      sync.Mutex
	readers int
	dropped bool
}

func newSampleFiles(
	st func(dir int64) (store.Store, error), dirOf func(schema.RecordingID) (int64, bool, error), most int64,
) *sampleFiles {
	return &sampleFiles{store: st, dirOf: dirOf, pinned: map[sampleKey]*pin{}, open: newLRU(most, func(_ sampleKey, f *sampleFile) { f.drop() })}
}

func (s *sampleFiles) close() {
	s.open.remove(func(sampleKey, *sampleFile) bool { return true })
}

// source returns a reader of a sample file, which opens it when it is read.
func (s *sampleFiles) source(k sampleKey) *source { return &source{s, k} }

type source struct {
	files *sampleFiles
	key   sampleKey
}

// ReadAt implements io.ReaderAt.
func (s *source) ReadAt(p []byte, off int64) (n int, err error) {
	defer func() { s.files.count.read(int64(n), int64(len(p))) }()
	f, err := s.files.acquire(s.key)
	if err != nil {
		return 0, err
	}
	defer f.release()
	n, err = f.r.ReadAt(p, off)
	if err == io.EOF && n < len(p) && s.files.lose(s.key) { // the recorder took its bytes
		err = ErrLost
	}
	return n, err
}

// splice puts n bytes of the sample file into a pipe, and returns how many are in it.
func (s *source) splice(pipe int, off, n int64) (moved int64) {
	defer func() { s.files.count.read(moved, n) }()
	f, err := s.files.acquire(s.key)
	if err != nil {
		return 0
	}
	defer f.release()
	for moved < n {
		m, err := unix.Splice(int(f.r.Fd()), &off, pipe, nil, int(n-moved), 0)
		if err == unix.EINTR {
			continue
		}
		if m <= 0 || err != nil {
			break
		}
		moved += int64(m)
	}
	return moved
}

// openFile opens a sample file, also one that was moved since its key was made.
func (s *sampleFiles) openFile(k sampleKey) (store.Reader, error) {
	r, err := s.openIn(k.dir, k.Key)
	if err == nil {
		return r, nil
	}
	if dir, ok, e := s.dirOf(k.id); e == nil && ok && dir != k.dir {
		return s.openIn(dir, k.Key)
	}
	return nil, err
}

func (s *sampleFiles) openIn(dir int64, k store.Key) (store.Reader, error) {
	st, err := s.store(dir)
	if err != nil {
		return nil, err
	}
	return st.Open(k)
}

// acquire returns an open sample file, which the caller releases.
func (s *sampleFiles) acquire(k sampleKey) (*sampleFile, error) {
	if f, err := s.pinnedFile(k); f != nil || err != nil {
		return f, err
	}
	if f, ok := s.open.get(k); ok && f.retain() {
		return f, nil
	}
	r, err := s.openFile(k)
	if err != nil {
		return nil, err
	}
	s.count.opens.Add(1)
	f := &sampleFile{r: r, readers: 1}
	s.open.put(k, f, 1) // where another goroutine was faster, this one is dropped, and closed by its release
	if s.isPinned(k) {
		s.open.remove(func(have sampleKey, _ *sampleFile) bool { return have == k }) // it was deleted meanwhile
	}
	return f, nil
}

// retain counts a reader; it reports false when the file was dropped.
func (f *sampleFile) retain() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dropped {
		return false
	}
	f.readers++
	return true
}

func (f *sampleFile) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers--
	f.closeIfUnusedLocked()
}

func (f *sampleFile) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.dropped {
		f.dropped = true
		f.closeIfUnusedLocked()
	}
}

func (f *sampleFile) closeIfUnusedLocked() {
	if f.dropped && f.readers == 0 {
		f.r.Close() //nolint:errcheck // read only: nothing can be lost
	}
}
