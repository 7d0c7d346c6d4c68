package local

import (
	"context"
	"fmt"
	"log/slog"
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
	db      *schema.DB
	data    string
	log     *slog.Logger                  // of disks that do not answer; nil where nobody asked for that
	readers func(id int64) (names string) // who has opened what lies in one

	mu      sync.Mutex
	open    map[int64]files // by id
	watches map[int64]*store.Watch
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

// of asks in which sample directory a recording lies. ok is false where there is no such recording.
func (d *sampleDirs) of(id schema.RecordingID) (dir int64, ok bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	r, ok, err := d.db.Recording(ctx, id)
	return r.Dir, ok, err
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
	path = schema.SampleDirPath(d.data, path)
	if d.log == nil {
		return dir.Open(path, d.db.UUID())
	}
	w := d.watch(id, path)
	defer w.End(w.Begin())
	st, err := dir.Open(path, d.db.UUID())
	if err != nil {
		return nil, err
	}
	return store.Watched(st, w), nil
}

// watch returns what has the log say when a sample directory does not answer its readers, and who has opened footage on it.
func (d *sampleDirs) watch(id int64, path string) *store.Watch {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watches[id] == nil {
		d.watches[id] = store.NewWatch(d.log.With("path", path), "reading", func() []any { return []any{"reader", d.readers(id)} })
	}
	return d.watches[id]
}
