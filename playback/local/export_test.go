package local

import (
	"nvrfs/store"
	"nvrfs/store/dir"
)

// slowStore is a disk whose files hang when they are read, until back is closed.
type slowStore struct {
	store.Store
	back chan struct{}
}

type slowReader struct {
	store.Reader
	back chan struct{}
}

func (s slowStore) Open(k store.Key) (store.Reader, error) {
	f, err := s.Store.Open(k)
	return slowReader{f, s.back}, err
}

func (r slowReader) ReadAt(p []byte, off int64) (int, error) {
	<-r.back
	return r.Reader.ReadAt(p, off)
}

// HangReads has sample files, all of which lie in the sample directory at path, hang when they are read, until back is closed.
func (s *Source) HangReads(path string, back chan struct{}) error {
	disk, err := dir.Open(path, s.UUID())
	if err != nil {
		return err
	}
	watched := store.Watched(slowStore{disk, back}, s.dirs.watch(1, path))
	s.files.dir = func(int64) (files, error) { return watched, nil }
	return nil
}
