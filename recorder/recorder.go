package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"nvrfs/schema"
	"nvrfs/store"
)

// Options says what to record, and where.
type Options struct {
	Data    string        // data directory, which must exist
	Length  time.Duration // of a recording; 0 means a minute
	Sync    time.Duration // how often what was written is synced and committed; 0 means 5 s
	Streams []StreamOptions
	Log     *slog.Logger
}

// StreamOptions is one stream of a camera.
type StreamOptions struct {
	Camera string
	Name   string // "main" or "sub"
	Source Source
}

// samplesDir is where, in a data directory, the sample files lie.
const samplesDir = "samples"

// stopDeadline bounds how long stopping waits for a disk.
const stopDeadline = 30 * time.Second

// A Recorder records into a data directory. Only one at a time can.
type Recorder struct {
	o       Options
	lock    *store.Lock
	db      *schema.DB
	disk    *disk
	streams []*stream
}

// Open takes the lock of the data directory, makes or opens the database and the sample directory in it, and mends what a
// crash left. It returns store.ErrLocked when another process records there.
func Open(ctx context.Context, o Options) (*Recorder, error) {
	if o.Length == 0 {
		o.Length = time.Minute
	}
	if o.Sync == 0 {
		o.Sync = 5 * time.Second
	}
	lock, err := store.LockDir(o.Data)
	if err != nil {
		return nil, err
	}
	r := &Recorder{o: o, lock: lock}
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Recorder) open(ctx context.Context) (err error) {
	if r.db, err = schema.Create(ctx, r.o.Data); err != nil {
		return err
	}
	st, err := store.Attach(filepath.Join(r.o.Data, samplesDir), r.db.UUID())
	if err != nil {
		return err
	}
	rows := make([]schema.Stream, len(r.o.Streams))
	err = r.db.Write(ctx, func(tx *schema.Tx) error {
		for i, s := range r.o.Streams {
			if rows[i], err = tx.Stream(s.Camera, s.Name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := recoverStreams(ctx, r.db, st, r.o.Log); err != nil {
		return fmt.Errorf("mend what the last run left: %w", err)
	}
	if rows, err = r.currentRows(ctx, rows); err != nil {
		return err
	}
	r.disk = newDisk(st, r.db, r.o.Sync, r.o.Log)
	for i, s := range r.o.Streams {
		r.streams = append(r.streams, newStream(s.Source, rows[i], r.disk, r.o.Length, r.o.Log))
	}
	return nil
}

// currentRows reads the rows again: mending may have taken numbers.
func (r *Recorder) currentRows(ctx context.Context, rows []schema.Stream) ([]schema.Stream, error) {
	all, err := r.db.Streams(ctx)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		for _, s := range all {
			if s.ID == rows[i].ID {
				rows[i] = s
			}
		}
	}
	return rows, nil
}

// Run records until ctx ends. When it returns nil, what was recorded is sealed, synced and committed. It must be called
// only once.
func (r *Recorder) Run(ctx context.Context) error {
	go r.disk.run() // until disk.close
	var wg sync.WaitGroup
	for _, s := range r.streams {
		wg.Go(func() { s.run(ctx) })
	}
	wg.Wait()
	deadline, cancel := context.WithTimeout(context.Background(), stopDeadline)
	defer cancel()
	return r.disk.close(deadline)
}

// Close gives back what Open took, after Run. Where readers close the database before, nothing is left of it but one file.
func (r *Recorder) Close() error {
	var err error
	if r.db != nil {
		err = r.db.Close()
	}
	return errors.Join(err, r.lock.Release())
}
