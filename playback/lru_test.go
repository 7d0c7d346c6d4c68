package playback

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"nvrfs/schema"
	"nvrfs/store"
)

func TestLRU(t *testing.T) {
	var out []string
	c := newLRU(10, func(k string, v int) { out = append(out, fmt.Sprint(k, v)) })
	c.put("a", 1, 4)
	c.put("b", 2, 4)
	if v, ok := c.get("a"); !ok || v != 1 { // now b was used longest ago
		t.Error("a is gone")
	}
	c.put("c", 3, 4)
	if _, ok := c.get("b"); ok || !slices.Equal(out, []string{"b2"}) {
		t.Errorf("evicted %q", out)
	}
	if v := c.put("a", 9, 4); v != 1 || out[1] != "a9" {
		t.Errorf("a second a: %d, evicted %q", v, out)
	}
	c.put("big", 4, 100) // the newest stays, whatever it costs
	if v, ok := c.get("big"); !ok || v != 4 || c.cost != 100 || len(c.items) != 1 {
		t.Errorf("cost %d, %d items", c.cost, len(c.items))
	}
	c.put("d", 5, 1)
	c.remove(func(k string, _ int) bool { return k == "d" })
	if _, ok := c.get("d"); ok || c.cost != 0 || c.order.Len() != 0 {
		t.Errorf("cost %d, %d items", c.cost, len(c.items))
	}
	if want := "b2 a9 a1 c3 big4 d5"; len(out) != 6 || !sameWords(out, want) {
		t.Errorf("evicted %q, want %s", out, want)
	}
}

func sameWords(got []string, want string) bool {
	return slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(strings.Fields(want))))
}

// countingStore counts what is open.
type countingStore struct {
	store.Store
	open, opened, most atomic.Int64
}

func (s *countingStore) Open(k store.Key) (store.Reader, error) {
	r, err := s.Store.Open(k)
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
	dir, err := store.Attach(filepath.Join(t.TempDir(), "samples"), "a database")
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
	return &countingStore{Store: dir}
}

func TestSampleFilesAreBounded(t *testing.T) {
	const files, bound, readers = 60, 8, 6
	st := countedFiles(t, files)
	s := newSampleFiles(func(int64) (store.Store, error) { return st, nil }, nowhere, bound)
	var wg sync.WaitGroup
	for g := range uint64(readers) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(g, 0))
			p := make([]byte, 8)
			for range 2000 {
				n := rnd.Int64N(files) + 1
				if _, err := s.source(sampleKey{Key: store.Key{Stream: "cam", Number: n}}).ReadAt(p, 0); err != nil || string(p) != fmt.Sprintf("%08d", n) {
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
	s := newSampleFiles(func(int64) (store.Store, error) { return st, nil }, nowhere, 1)
	key := func(n int64) sampleKey { return sampleKey{Key: store.Key{Stream: "cam", Number: n}} }
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
	if _, err := s.source(key(1)).ReadAt(p, 0); err != nil || string(p) != "00000001" {
		t.Errorf("opened again: %q, %v", p, err)
	}
	if _, err := s.source(key(4)).ReadAt(p, 0); err == nil || err == io.EOF {
		t.Errorf("a file that is not there: %v", err)
	}
	s.close()
	if st.open.Load() != 0 {
		t.Errorf("%d open", st.open.Load())
	}
}

// nowhere is where a recording lies that the database does not know.
func nowhere(schema.RecordingID) (int64, bool, error) { return 0, false, nil }
