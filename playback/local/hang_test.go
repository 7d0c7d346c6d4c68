package local

import (
	"strings"
	"testing"
	"testing/synctest"

	"nvrfs/schema"
	"nvrfs/store"
)

// hungDir is a sample directory whose disk hangs until back is closed.
type hungDir struct{ back chan struct{} }

func (h hungDir) Open(store.Key) (store.Reader, error) {
	<-h.back
	return nil, store.ErrAway
}

// hungReader is a sample file whose disk hangs when it is closed.
type hungReader struct {
	*strings.Reader
	back chan struct{}
}

func (h hungReader) Close() error {
	<-h.back
	return nil
}

type oneFile struct{ r store.Reader }

func (o oneFile) Open(store.Key) (store.Reader, error) { return o.r, nil }

// A disk that hangs, while a file on it is opened or closed, holds up nobody who reads from another, and no look at its own files.
func TestDiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := make(chan struct{})
		good := oneFile{hungReader{strings.NewReader("footage"), back}} // when it is closed only
		s := newSampleFiles(func(id int64) (files, error) {
			if id == 2 {
				return hungDir{back}, nil
			}
			return good, nil
		}, nowhere, 8)
		object := func(dir, number int64) *sampleFile {
			return &sampleFile{s, sampleKey{schema.MakeRecordingID(1, number), dir, "cam"}}
		}
		p := make([]byte, 7)
		var failed, kept error
		go func() { _, failed = object(2, 1).ReadAt(make([]byte, 7), 0) }()
		go func() { _, kept = object(2, 1).Keep() }()
		synctest.Wait() // which are blocked
		if _, err := object(1, 2).ReadAt(p, 0); err != nil || string(p) != "footage" {
			t.Errorf("read from the other disk: %q, %v", p, err)
		}
		f, err := s.acquire(object(1, 2).key)
		if err != nil {
			t.Fatal(err)
		}
		f.release()
		go s.close()
		synctest.Wait() // which is closing it
		if f.retain() {
			t.Error("a file that is being closed is retained")
		}
		if _, err := object(1, 3).ReadAt(p, 0); err != nil {
			t.Errorf("read while a file is being closed: %v", err)
		}
		close(back)
		synctest.Wait()
		if failed != store.ErrAway || kept != store.ErrAway {
			t.Errorf("when the disk is back: %v, %v", failed, kept)
		}
	})
}

func TestKeptFile(t *testing.T) {
	st := countedFiles(t, 1)
	s := newSampleFiles(func(int64) (files, error) { return st, nil }, nowhere, 1)
	object := &sampleFile{s, sampleKey{id: schema.MakeRecordingID(1, 1), label: "cam"}}
	p := make([]byte, 8)
	if _, err := object.ReadAt(p, 0); err != nil {
		t.Fatal(err)
	}
	kept, err := object.Keep()
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	if st.open.Load() != 1 {
		t.Errorf("%d files are open, want the one that is kept", st.open.Load())
	}
	if _, err := kept.ReadAt(p, 0); err != nil || string(p) != "00000001" {
		t.Errorf("what is kept holds %q, %v", p, err)
	}
	if err := kept.Close(); err != nil || st.open.Load() != 0 {
		t.Errorf("closed: %v, and %d files are open", err, st.open.Load())
	}
	if _, err := kept.ReadAt(p, 0); err == nil {
		t.Error("what was closed is read")
	}
	lent := func(uintptr, int64, int64) int64 {
		t.Error("a file is lent that has no descriptor, or is closed")
		return 0
	}
	if n := kept.(keptFile).WithFile(0, 8, lent) + object.WithFile(0, 8, lent); n != 0 {
		t.Errorf("%d bytes were used", n)
	}
	s.close()
}
