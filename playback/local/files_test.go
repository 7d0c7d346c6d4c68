package local

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// countingStore counts what is open.
type countingStore struct {
	files
	open, opened, most atomic.Int64
}

func (s *countingStore) Open(k store.Key) (store.Reader, error) {
	r, err := s.files.Open(k)
	if err != nil {
		return nil, err
	}
	s.opened.Add(1)
	n := s.open.Add(1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	return &countingReader{Reader: r, s: s}, nil
}

type countingReader struct {
	store.Reader
	s      *countingStore
	closed atomic.Bool
}

func (r *countingReader) ReadAt(p []byte, off int64) (int, error) {
	if r.closed.Load() {
		return 0, os.ErrClosed
	}
	return r.Reader.ReadAt(p, off)
}

func (r *countingReader) Close() error {
	if r.closed.Swap(true) {
		panic("closed twice")
	}
	r.s.open.Add(-1)
	return r.Reader.Close()
}

// countedFiles makes sample files 1 to n, of which each holds its number.
func countedFiles(t *testing.T, n int64) *countingStore {
	t.Helper()
	dir, err := dir.Attach(filepath.Join(t.TempDir(), "samples"), "a database")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		w, err := dir.Create(store.Key{Stream: "cam", Number: i + 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Append(fmt.Appendf(nil, "%08d", i+1)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return &countingStore{files: dir}
}

func TestSampleFilesAreBounded(t *testing.T) {
	const count, bound, readers = 60, 8, 6
	st := countedFiles(t, count)
	s := newSampleFiles(func(int64) (files, error) { return st, nil }, nowhere, bound)
	var wg sync.WaitGroup
	for g := range uint64(readers) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(g, 0))
			p := make([]byte, 8)
			for range 2000 {
				n := rnd.Int64N(count) + 1
				if _, err := (&sampleFile{s, sampleKey{id: schema.MakeRecordingID(1, n), label: "cam"}}).ReadAt(p, 0); err != nil || string(p) != fmt.Sprintf("%08d", n) {
					t.Errorf("file %d holds %q, %v", n, p, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if most := st.most.Load(); most > bound+2*readers {
		t.Errorf("%d files were open at a time", most)
	}
	if open := st.open.Load(); open > bound {
		t.Errorf("%d files are open", open)
	}
	s.close()
	if open := st.open.Load(); open != 0 {
		t.Errorf("%d files are open after the end", open)
	}
}

func TestSampleFileIsClosedAfterItsLastRead(t *testing.T) {
	st := countedFiles(t, 3)
	s := newSampleFiles(func(int64) (files, error) { return st, nil }, nowhere, 1)
	key := func(n int64) sampleKey { return sampleKey{id: schema.MakeRecordingID(1, n), label: "cam"} }
	a, err := s.acquire(key(1))
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.acquire(key(1)) // the same
	if err != nil || a != b || st.opened.Load() != 1 {
		t.Fatalf("%p, %p, %v", a, b, err)
	}
	c, err := s.acquire(key(2)) // takes its place
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 8)
	a.release()
	if _, err := b.r.ReadAt(p, 0); err != nil || string(p) != "00000001" {
		t.Errorf("dropped, and read: %q, %v", p, err)
	}
	if st.open.Load() != 2 {
		t.Errorf("%d open", st.open.Load())
	}
	b.release()
	if st.open.Load() != 1 {
		t.Errorf("%d open", st.open.Load())
	}
	if b.retain() {
		t.Error("a closed file is retained")
	}
	c.release()
	if _, err := (&sampleFile{s, key(1)}).ReadAt(p, 0); err != nil || string(p) != "00000001" {
		t.Errorf("opened again: %q, %v", p, err)
	}
	if _, err := (&sampleFile{s, key(4)}).ReadAt(p, 0); err == nil || err == io.EOF {
		t.Errorf("a file that is not there: %v", err)
	}
	s.close()
	if st.open.Load() != 0 {
		t.Errorf("%d open", st.open.Load())
	}
}

// nowhere is where a recording lies that the database does not know.
func nowhere(schema.RecordingID) (int64, bool, error) { return 0, false, nil }
