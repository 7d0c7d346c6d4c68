package local

import (
	"os"
	"sync"
	"sync/atomic"

	"nvrfs/playback/lru"
	"nvrfs/schema"
	"nvrfs/store"
)

// sampleFiles keeps the sample files that were read last open, up to a number.
type sampleFiles struct {
	dir   func(id int64) (files, error)
	dirOf func(schema.RecordingID) (dir int64, ok bool, err error) // as the database says now
	open  *lru.Cache[sampleKey, *openFile]
	opens atomic.Int64
}

// sampleKey is a recording, and where its sample file lies.
type sampleKey struct {
	id    schema.RecordingID
	dir   int64
	label string
}

func newSampleFiles(
	dir func(id int64) (files, error), dirOf func(schema.RecordingID) (dir int64, ok bool, err error), most int64,
) *sampleFiles {
	return &sampleFiles{dir: dir, dirOf: dirOf, open: lru.New(most, func(_ sampleKey, f *openFile) { f.drop() })}
}

func (s *sampleFiles) close() {
	s.open.Remove(func(sampleKey, *openFile) bool { return true })
}

// openNow opens a sample file, for one who uses it until release.
func (s *sampleFiles) openNow(k sampleKey) (*openFile, error) {
	r, err := s.openIn(k.dir, k)
	if err != nil { // it may have been moved since its key was made
		if dir, ok, e := s.dirOf(k.id); e == nil && ok && dir != k.dir {
			r, err = s.openIn(dir, k)
		}
	}
	if err != nil {
		return nil, err
	}
	return &openFile{r: r, users: 1}, nil
}

func (s *sampleFiles) openIn(dir int64, k sampleKey) (store.Reader, error) {
	st, err := s.dir(dir)
	if err != nil {
		return nil, err
	}
	return st.Open(store.Key{Stream: k.label, Number: k.id.Number()})
}

// acquire returns a sample file that is open, and stays so until the caller releases it.
func (s *sampleFiles) acquire(k sampleKey) (*openFile, error) {
	if f, ok := s.open.Get(k); ok && f.retain() {
		return f, nil
	}
	f, err := s.openNow(k)
	if err != nil {
		return nil, err
	}
	s.opens.Add(1)
	s.open.Put(k, f, 1) // where another goroutine was faster, this one is dropped, and closed by its release
	return f, nil
}

// sampleFile is an object: it opens the sample file when it is read.
type sampleFile struct {
	files *sampleFiles
	key   sampleKey
}

// ReadAt implements io.ReaderAt.
func (o *sampleFile) ReadAt(p []byte, off int64) (int, error) {
	f, err := o.files.acquire(o.key)
	if err != nil {
		return 0, err
	}
	defer f.release()
	return f.r.ReadAt(p, off)
}

// WithFile lends the sample file to use, and returns how many of its n bytes at off use took.
func (o *sampleFile) WithFile(off, n int64, use func(fd uintptr, at, n int64) int64) (used int64) {
	f, err := o.files.acquire(o.key)
	if err != nil {
		return 0
	}
	defer f.release()
	return f.lend(off, n, use)
}

// Keep opens the sample file apart from those in the cache. Its bytes can be read, and take space, until it is closed, whatever
// becomes of its name.
func (o *sampleFile) Keep() (store.Reader, error) {
	f, err := o.files.openNow(o.key)
	if err != nil {
		return nil, err
	}
	return keptFile{f}, nil
}

// Device is the sample directory: what lies in one hangs, or answers, together.
func (o *sampleFile) Device() int64 { return o.key.dir }

// keptFile is a sample file that is open for one user, who closes it. Reads that are under way then end as if it were open.
type keptFile struct{ f *openFile }

// ReadAt implements io.ReaderAt.
func (k keptFile) ReadAt(p []byte, off int64) (int, error) {
	if !k.f.retain() {
		return 0, os.ErrClosed
	}
	defer k.f.release()
	return k.f.r.ReadAt(p, off)
}

// WithFile is that of a sampleFile.
func (k keptFile) WithFile(off, n int64, use func(fd uintptr, at, n int64) int64) (used int64) {
	if !k.f.retain() {
		return 0
	}
	defer k.f.release()
	return k.f.lend(off, n, use)
}

// Close implements io.Closer.
func (k keptFile) Close() error {
	k.f.drop()
	k.f.release()
	return nil
}

// openFile is a sample file that is closed when it was dropped and its last user has released it.
type openFile struct {
	r store.Reader

	mu      sync.Mutex
	users   int
	dropped bool
}

// retain counts a user; it reports false when the file was dropped.
func (f *openFile) retain() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dropped {
		return false
	}
	f.users++
	return true
}

// release ends what retain began.
func (f *openFile) release() {
	f.mu.Lock()
	f.users--
	unused := f.dropped && f.users == 0
	f.mu.Unlock()
	if unused {
		f.close()
	}
}

// drop has nobody use the file any more who does not yet. It may be called again.
func (f *openFile) drop() {
	f.mu.Lock()
	unused := !f.dropped && f.users == 0
	f.dropped = true
	f.mu.Unlock()
	if unused {
		f.close()
	}
}

// close is called once, without the lock, because the disk may hang.
func (f *openFile) close() {
	f.r.Close() //nolint:errcheck // read only: nothing can be lost
}

// lend lends the file to use where it has a descriptor.
func (f *openFile) lend(off, n int64, use func(fd uintptr, at, n int64) int64) (used int64) {
	r := f.r
	if x, ok := r.(store.WatchedReader); ok {
		w := x.Watch()
		defer w.End(w.Begin())
		r = x.Unwatched()
	}
	file, ok := r.(interface{ Fd() uintptr })
	if !ok {
		return 0
	}
	return use(file.Fd(), off, n)
}
