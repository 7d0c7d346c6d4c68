package local

import (
	"context"
	"fmt"
	"sync"

	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// files is what is asked of a sample directory.
type files interface {
	Open(store.Key) (store.Reader, error)
}

// sampleDirs are the sample directories that were read from.
type sampleDirs struct {
	db   *schema.DB
	data string

	mu   sync.Mutex
	open map[int64]files // by id
}

// dir opens a sample directory, or returns the one that is open.
func (d *sampleDirs) dir(id int64) (files, error) {
	d.mu.Lock()
	st, ok := d.open[id]
	d.mu.Unlock()
	if ok {
		return st, nil
	}
	st, err := d.find(id) // without the lock: its disk may hang
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[id] = st
	return st, nil
}

func (d *sampleDirs) find(id int64) (files, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	paths, err := d.db.SampleDirs(ctx)
	if err != nil {
		return nil, err
	}
	path, ok := paths[id]
	if !ok {
		return nil, fmt.Errorf("sample directory %d is not in the database", id)
	}
	return dir.Open(schema.SampleDirPath(d.data, path), d.db.UUID())
}
