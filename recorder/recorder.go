package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"nvrfs/media"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// Options says what to record, and where.
type Options struct {
	Data    string        // data directory, which must exist
	Length  time.Duration // of a recording; 0 means a minute
	Sync    time.Duration // how often what was written is synced and committed; 0 means 5 s
	Streams []StreamOptions
	Retain  Limits  // of all streams together; Age is not used
	MinFree MinFree // of each disk
	Log     *slog.Logger

	clock       func() int64  // wall time for retention, 90k; nil means steadyClock
	retainEvery time.Duration // between two looks of retention; 0 means retainEvery

	needAll bool                                                         // Open fails where a sample directory that a stream needs is away, in place of waiting for it
	open    func(path, database string, fresh bool) (store.Store, error) // a sample directory; nil means openDir
}

// StreamOptions is one stream of a camera.
type StreamOptions struct {
	Camera string
	Name   string // "main", "sub" or any other
	Source media.Source
	// Samples is the directory of the stream's sample files; empty means the one in the data directory.
	Samples string
	Retain  Limits
}

// stopDeadline bounds how long stopping waits for a disk.
const stopDeadline = 30 * time.Second

// A Recorder records into a data directory. Only one at a time can.
type Recorder struct {
	o       Options
	lock    *dir.Lock
	db      *schema.DB
	dirs    map[int64]sampleDir // those that were there when it started
	late    map[int64]*lateDir  // those that streams need, but that were not
	disks   map[int64]*disk     // by sample directory
	streams []*stream
}

// Open takes the lock of the data directory, makes or opens the database and the sample directories, and mends what a crash
// left. It returns store.ErrLocked when another process records there. A sample directory that was recorded to, but is not
// there now or does not answer, is waited for by its own streams only, while Run records the others.
func Open(ctx context.Context, o Options) (*Recorder, error) {
	if o.Length == 0 {
		o.Length = time.Minute
	}
	if o.Sync == 0 {
		o.Sync = 5 * time.Second
	}
	if o.open == nil {
		o.open = openDir
	}
	if o.clock == nil {
		o.clock = steadyClock()
	}
	lock, err := dir.LockDir(o.Data)
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
	if err := refuseOrphans(r.o); err != nil {
		return err
	}
	if r.db, err = schema.Create(ctx, r.o.Data); err != nil {
		return err
	}
	if r.dirs, r.late, err = openDirs(ctx, r.db, r.o); err != nil {
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
	if err := recoverStreams(ctx, r.db, r.dirs, r.o.Log); err != nil {
		return fmt.Errorf("mend what the last run left: %w", err)
	}
	if rows, err = r.currentRows(ctx, rows); err != nil {
		return err
	}
	for _, late := range r.late {
		if late.free, err = nextNumbers(ctx, r.db); err != nil {
			return err
		}
	}
	for i, row := range rows {
		left, err := newStreamRecovery(ctx, r.db, r.dirs, row, r.o.Log)
		if err != nil {
			return err
		}
		rows[i].NextNumber = left.next
	}
	r.disks = map[int64]*disk{}
	for i, s := range r.o.Streams {
		dir := dirID(r.dirs, r.late, samplesOf(r.o.Data, s))
		if r.disks[dir] == nil {
			r.disks[dir] = newDisk(dir, r.dirs[dir].store, r.db, r.o.Sync, r.o.Log)
		}
		r.streams = append(r.streams, newStream(s, rows[i], r.disks[dir], r.o.Length, r.o.Log))
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
	keep := newRetention(r)
	for dir, d := range r.disks {
		go func() { // until disk.close
			if late := r.late[dir]; late != nil {
				r.await(ctx, late, keep.come)
			}
			d.run()
		}()
	}
	var wg sync.WaitGroup
	wg.Go(func() { keep.run(ctx) })
	for _, s := range r.streams {
		wg.Go(func() {
			if late := r.late[s.disk.dir]; late != nil {
				late.wait(ctx)
			}
			s.run(ctx)
		})
	}
	wg.Wait()
	deadline, cancel := context.WithTimeout(context.Background(), stopDeadline)
	defer cancel()
	var err error
	for _, d := range r.disks {
		err = errors.Join(err, d.close(deadline))
	}
	return err
}

// Close gives back what Open took, after Run. Where readers close the database before, nothing is left of it but one file.
func (r *Recorder) Close() error {
	var err error
	if r.db != nil {
		err = r.db.Close()
	}
	return errors.Join(err, r.lock.Release())
}
