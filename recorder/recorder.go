package recorder

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
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

	open func(path, database string, fresh bool) (store.Store, error) // as volume.Options.OpenStore
}

// StreamOptions is one stream of a camera.
type StreamOptions struct {
	Camera string
	Name   string // "main", "sub" or any other
	Source media.Source
	// Origin says where Source gets its samples, and how. While Set is given the same Origin, it goes on with the Source it has.
	Origin string
	// Samples is the directory of the stream's sample files; empty means the one in the data directory.
	Samples string
	Retain  Limits
}

// stopDeadline bounds how long stopping waits for a disk.
const stopDeadline = 30 * time.Second

// A Recorder records into a data directory. Only one at a time can.
type Recorder struct {
	o       Options
	set     *volume.Set
	setting sync.Mutex // held while Set changes streams

	mu      sync.Mutex
	ctx     context.Context          // of Run; nil until Run has started the streams
	total   Limits                   // of all streams
	minFree MinFree                  // of each disk
	streams []*stream                // in the order of the options
	rows    map[int64]*volume.Stream // by id: every stream that was recorded since Open
	writers map[int64]*volume.Writer // by volume
}

// Open takes the lock of the data directory, makes or opens the database and the sample directories, and mends what a crash
// left. It returns store.ErrLocked when another process records there, or into one of the sample directories. A sample directory
// that was recorded to, but is not there now or does not answer, is waited for by its own streams only, while Run records the
// others.
func Open(ctx context.Context, o Options) (*Recorder, error) {
	o.Length, o.Sync = cmp.Or(o.Length, time.Minute), cmp.Or(o.Sync, 5*time.Second)
	if o.clock == nil {
		o.clock = steadyClock()
	}
	set, rows, err := fsck.Open(ctx, volume.Options{Data: o.Data, Needed: needed(o.Data, o.Streams), Log: o.Log, OpenStore: o.open})
	if err != nil {
		return nil, err
	}
	if err := set.DB.Write(ctx, (*schema.Tx).EndMarks); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	r := &Recorder{
		o: o, set: set, total: o.Retain, minFree: o.MinFree, rows: map[int64]*volume.Stream{}, writers: map[int64]*volume.Writer{},
	}
	for i, s := range o.Streams {
		r.rows[rows[i].ID] = volume.NewStream(rows[i])
		r.streams = append(r.streams, newStream(s, r.rows[rows[i].ID], r.writerOf(s), o.Length, o.Log))
	}
	return r, nil
}

// needed says which volumes streams need.
func needed(data string, streams []StreamOptions) []volume.Needed {
	n := make([]volume.Needed, len(streams))
	for i, s := range streams {
		n[i] = volume.Needed{Camera: s.Camera, Stream: s.Name, Path: volume.SamplesPath(data, s.Samples)}
	}
	return n
}

// writerOf returns the Writer of a stream's volume.
func (r *Recorder) writerOf(s StreamOptions) *volume.Writer {
	v := r.set.At(volume.SamplesPath(r.o.Data, s.Samples))
	w := r.writers[v.ID]
	if w == nil {
		w = volume.NewWriter(v, r.set.DB, r.o.Sync, r.o.Log)
		r.writers[v.ID] = w
		if r.ctx != nil {
			r.startWriter(w)
		}
	}
	return w
}

// Run records until ctx ends. When it returns nil, what was recorded is sealed, synced and committed. It must be called
// only once.
func (r *Recorder) Run(ctx context.Context) error {
	keep := newRetention(r)
	r.start(ctx)
	keep.run(ctx)
	r.setting.Lock() // Set has no streams left to change
	defer r.setting.Unlock()
	for _, s := range r.streams {
		s.stop(nil)
	}
	deadline, cancel := context.WithTimeout(context.Background(), stopDeadline)
	defer cancel()
	var err error
	for _, w := range r.writers {
		err = errors.Join(err, w.Close(deadline))
	}
	return err
}

// start starts the writers and the streams.
func (r *Recorder) start(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ctx = ctx
	for _, w := range r.writers {
		r.startWriter(w)
	}
	for _, s := range r.streams {
		s.start(ctx)
	}
}

// startWriter starts a Writer, which Run closes. If its volume is absent, the Writer waits for it first.
func (r *Recorder) startWriter(w *volume.Writer) {
	ctx := r.ctx
	go func() {
		w.Volume().Await(ctx, r.takeIn)
		w.Run()
	}()
}

// takeIn mends what a crash left in a volume that has just come back, and moves its streams behind the numbers used there.
func (r *Recorder) takeIn(ctx context.Context, v *volume.Volume) error {
	if err := fsck.MendVolume(ctx, r.set.DB, v, r.o.Log); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, s := range r.rows {
		s.SkipTo(v.NextNumbers[id])
	}
	return nil
}

// Write runs a transaction in the database, for data that is kept beside the footage, such as marks. It has to be small, because footage
// that was recorded waits for it to be committed.
func (r *Recorder) Write(ctx context.Context, f func(*schema.Tx) error) error {
	return r.set.DB.Write(ctx, f)
}

// Close releases the locks and closes the database, after Run. If readers have closed the database before, SQLite leaves one file
// of it.
func (r *Recorder) Close() error { return r.set.Close() }

// Disks is how many sample directories are recorded to.
func (r *Recorder) Disks() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.writers)
}

// Stats returns the counters of each sample directory that is recorded to, by path.
func (r *Recorder) Stats() map[string]volume.Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]volume.Stats{}
	for _, w := range r.writers {
		x := w.Stats()
		for _, s := range r.streams {
			if s.writer == w {
				x.Streams++
			}
		}
		all[w.Volume().Path] = x
	}
	return all
}
