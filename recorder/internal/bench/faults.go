package bench

import (
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"nvrfs/store"
	"nvrfs/store/dir"
)

// FaultStore is a Store that fails when it is told to, and that knows what a power cut would leave.
type FaultStore struct {
	store.Store
	Keeps  bool // what a failed sync did not write can be read until the power is cut
	mu     sync.Mutex
	fail   func(op string, k store.Key) error // nil for no failures; called without the lock
	size   map[store.Key]int64
	synced map[store.Key]int64
	named  map[store.Key]bool
}

func NewFaultStore(s store.Store) *FaultStore {
	return &FaultStore{Store: s, size: map[store.Key]int64{}, synced: map[store.Key]int64{}, named: map[store.Key]bool{}}
}

// Failing has the operations fail for which f returns an error.
func (s *FaultStore) Failing(f func(op string, k store.Key) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

func (s *FaultStore) Try(op string, k store.Key) error {
	s.mu.Lock()
	f := s.fail
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(op, k)
}

// Durable returns how many bytes of a file a power cut would leave, and whether it would leave the file's name.
func (s *FaultStore) Durable(k store.Key) (synced int64, named bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.size[k]; !ok { // another store wrote it, long ago
		size, err := s.Size(k)
		return size, err == nil
	}
	return s.synced[k], s.named[k]
}

func (s *FaultStore) Keys() []store.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.size))
}

func (s *FaultStore) Create(k store.Key) (store.Writer, error) {
	if err := s.Try("create", k); err != nil {
		return nil, err
	}
	w, err := s.Store.Create(k)
	return s.Writer(k, w), err
}

func (s *FaultStore) Reopen(k store.Key) (store.Writer, error) {
	if err := s.Try("reopen", k); err != nil {
		return nil, err
	}
	w, err := s.Store.Reopen(k)
	return s.Writer(k, w), err
}

func (s *FaultStore) Remove(k store.Key) error {
	if err := s.Try("remove", k); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.size, k)
	delete(s.synced, k)
	delete(s.named, k)
	s.mu.Unlock()
	return s.Store.Remove(k)
}

func (s *FaultStore) SyncDir(k store.Key) error {
	if err := s.Try("syncdir", k); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named[k] = true
	return nil
}

func (s *FaultStore) Writer(k store.Key, w store.Writer) store.Writer {
	size, _ := s.Size(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.size[k]; !ok {
		s.synced[k] = size // what another store wrote, long ago
	}
	s.size[k] = size
	return &FaultWriter{w, s, k}
}

type FaultWriter struct {
	store.Writer
	S *FaultStore
	K store.Key
}

func (w *FaultWriter) Append(p []byte) error {
	if err := w.S.Try("append", w.K); err != nil {
		return err
	}
	if err := w.Writer.Append(p); err != nil {
		return err
	}
	w.S.mu.Lock()
	defer w.S.mu.Unlock()
	w.S.size[w.K] += int64(len(p))
	return nil
}

func (w *FaultWriter) Truncate(size int64) error {
	if err := w.S.Try("truncate", w.K); err != nil {
		return err
	}
	w.S.mu.Lock()
	w.S.size[w.K], w.S.synced[w.K] = size, min(size, w.S.synced[w.K])
	w.S.mu.Unlock()
	return w.Writer.Truncate(size)
}

// Sync, when it fails, leaves what Linux may: the pages that were not written are dropped, or are kept and count as
// written, and the next sync succeeds.
func (w *FaultWriter) Sync() error {
	if err := w.S.Try("sync", w.K); err != nil {
		return errors.Join(err, w.S.Drop(w.K))
	}
	w.S.mu.Lock() // and that is all: nobody cuts the power of a test
	defer w.S.mu.Unlock()
	w.S.synced[w.K] = w.S.size[w.K]
	return nil
}

// Drop overwrites what of a file is not synced, unless that is kept.
func (s *FaultStore) Drop(k store.Key) error {
	if s.Keeps {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.OpenFile(s.Store.(*dir.Dir).Path(k), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, s.size[k]-s.synced[k]), s.synced[k])
	return errors.Join(err, f.Close())
}

// Unreadable is a Store one of whose files the disk does not give.
type Unreadable struct {
	store.Store
	Number int64
}

func (s Unreadable) Open(k store.Key) (store.Reader, error) {
	r, err := s.Store.Open(k)
	if k.Number == s.Number {
		return BadSector{r}, err
	}
	return r, err
}

type BadSector struct{ store.Reader }

func (r BadSector) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > 5000 {
		return 0, unix.EIO
	}
	return r.Reader.ReadAt(p, off)
}

// Away moves a sample directory away, as the disk under it, and leaves the mount point. The returned function brings it
// back.
func Away(t *testing.T, dir string) (back func()) {
	t.Helper()
	elsewhere := dir + ".disk"
	if err := errors.Join(os.Rename(dir, elsewhere), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := errors.Join(os.Remove(dir), os.Rename(elsewhere, dir)); err != nil { // Remove fails when something was made in it
			t.Fatal(err)
		}
	}
}
