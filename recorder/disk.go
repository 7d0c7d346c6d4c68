package recorder

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// maxBacklog bounds the bytes that wait for a disk: ten seconds and more of hundreds of streams. A disk that is stalled for
// longer ends the runs of its streams.
const maxBacklog = 256 << 20

var errBacklog = fmt.Errorf("the disk is too slow: %d MB wait to be written", maxBacklog>>20)

// A disk writes the recordings of one store, from one goroutine, so that a slow disk never holds up a camera. What it has
// written becomes rows in one transaction every sync interval.
//
// A row is committed only after the bytes that it counts, and the name of its file, are synced.
type disk struct {
	store    store.Store
	db       *schema.DB
	interval time.Duration
	log      *slog.Logger

	wake chan struct{} // has room for one: there are jobs, or no more will come
	done chan struct{} // closed when run has returned

	mu      sync.Mutex
	jobs    []job
	backlog int // bytes in jobs
	closed  bool

	// The goroutine's own.
	dirty   []*recording // with bytes or an end that no row counts yet
	entries map[entryKey]int64
	failing bool // the last commit failed
}

type entryKey struct {
	box       string
	timescale uint32
}

func newDisk(st store.Store, db *schema.DB, interval time.Duration, log *slog.Logger) *disk {
	return &disk{
		store: st, db: db, interval: interval, log: log,
		wake: make(chan struct{}, 1), done: make(chan struct{}), entries: map[entryKey]int64{},
	}
}

// enqueue takes a job, or returns errBacklog. It never waits.
func (d *disk) enqueue(j job) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.backlog+len(j.data) > maxBacklog {
		return errBacklog
	}
	d.jobs, d.backlog = append(d.jobs, j), d.backlog+len(j.data)
	d.wakeUp()
	return nil
}

func (d *disk) wakeUp() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// close has run write what is enqueued, and waits for it until ctx ends.
func (d *disk) close(ctx context.Context) error {
	d.mu.Lock()
	d.closed = true
	d.wakeUp()
	d.mu.Unlock()
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the disk does not answer; what waits to be written is lost: %w", ctx.Err())
	}
}

// run writes until close is called.
func (d *disk) run() {
	defer close(d.done)
	tick := time.NewTicker(d.interval)
	defer tick.Stop()
	for {
		select {
		case <-d.wake:
			if d.writeAll() {
				d.commit()
				return
			}
		case <-tick.C:
			d.commit()
		}
	}
}

// writeAll writes what is enqueued, and reports whether that is all there will be.
func (d *disk) writeAll() (last bool) {
	d.mu.Lock()
	jobs, last := d.jobs, d.closed
	d.jobs = nil
	d.mu.Unlock()
	for _, j := range jobs {
		d.write(j)
		d.mu.Lock()
		d.backlog -= len(j.data)
		d.mu.Unlock()
	}
	return last
}

// write appends a fragment to its sample file. When that fails, the recording ends before it.
func (d *disk) write(j job) {
	r := j.rec
	if r.failed.Load() != nil {
		return
	}
	if !slices.Contains(d.dirty, r) {
		d.dirty = append(d.dirty, r)
	}
	if err := d.append(j); err != nil {
		d.fail(r, err)
		return
	}
	r.seal = j.seal
}

func (d *disk) append(j job) error {
	r, data := j.rec, j.data
	if r.file == nil {
		f, err := d.store.Create(r.key)
		if err != nil {
			return err
		}
		r.file, r.index = f, newIndex(r.tracks)
		r.row = schema.Recording{ID: r.id, Sequence: r.sequence, HeaderBytes: int64(len(r.header))}
		data = slices.Concat(r.header, data)
	}
	whole := len(data)
	if j.seal != nil {
		var err error
		if data, err = mp4.AppendSeal(data, *j.seal); err != nil {
			return err
		}
	}
	if err := r.file.Append(data); err != nil {
		return err
	}
	r.index.Add(j.index, j.starts)
	r.row.Bytes += int64(whole)
	r.row.Start90k, r.row.WallDuration90k = j.start90k, j.wallDuration90k
	return nil
}

// newIndex starts the index of a recording.
func newIndex(tracks []mp4.SampleEntry) *schema.Index {
	isVideo := make([]bool, len(tracks))
	for i, t := range tracks {
		isVideo[i] = t.Kind == mp4.Video
	}
	return schema.NewIndex(isVideo)
}

// fail ends a recording at what was written of it so far. Its session notices with its next sample.
func (d *disk) fail(r *recording, err error) {
	r.seal = &mp4.Seal{EndReason: err.Error()}
	r.failed.Store(&err)
	d.log.Error("recording ends: cannot write", "stream", r.key.Stream, "err", err)
}

// commit syncs what was written since the last commit, and makes rows of it. What fails is tried again with the next.
func (d *disk) commit() {
	if len(d.dirty) == 0 {
		return
	}
	ready := d.sync()
	ctx, cancel := context.WithTimeout(context.Background(), commitDeadline)
	defer cancel()
	err := d.db.Write(ctx, func(tx *schema.Tx) error {
		for _, r := range ready {
			if err := d.put(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		clear(d.entries) // what the transaction added is not there
		if !d.failing {
			d.log.Error("cannot commit; footage is kept in its files, and the commit tried again", "err", err)
		}
	} else {
		if d.failing {
			d.log.Info("committing again")
		}
		d.forget(ready)
	}
	d.failing = err != nil
}

const commitDeadline = time.Minute

// sync makes the bytes of dirty recordings durable, and returns those that can become rows.
func (d *disk) sync() (ready []*recording) {
	d.dirty = slices.DeleteFunc(d.dirty, func(r *recording) bool {
		if r.row.Bytes == 0 {
			d.discard(r)
			return true
		}
		err := r.file.Sync()
		if err == nil && !r.named {
			err = d.store.SyncDir(r.key)
			r.named = err == nil
		}
		if err != nil {
			// What the disk holds now is not known. The row stays at what was synced before; start-up reads the file back.
			d.fail(r, err)
			d.closeFile(r)
			return true
		}
		ready = append(ready, r)
		return false
	})
	return ready
}

func (d *disk) put(tx *schema.Tx, r *recording) error {
	runID, err := tx.Run(r.id.Stream(), r.runUUID, r.runStart90k)
	if err != nil {
		return err
	}
	for i, t := range r.tracks {
		id, err := d.entry(tx, t)
		if err != nil {
			return err
		}
		r.index.SetEntry(i, id)
	}
	r.row.Run, r.row.Tracks, r.row.Sealed = runID, r.index.Tracks(), r.seal != nil
	if err := tx.PutRecording(&r.row, r.index.Bytes()); err != nil {
		return err
	}
	if r.seal != nil && r.seal.EndReason != "" {
		return tx.EndRun(runID, r.seal.EndReason)
	}
	return nil
}

func (d *disk) entry(tx *schema.Tx, e mp4.SampleEntry) (int64, error) {
	k := entryKey{string(e.Box), e.Timescale}
	if id, ok := d.entries[k]; ok {
		return id, nil
	}
	id, err := tx.SampleEntry(entryRow(e))
	if err == nil {
		d.entries[k] = id
	}
	return id, err
}

func entryRow(e mp4.SampleEntry) schema.SampleEntry {
	return schema.SampleEntry{Kind: uint8(e.Kind), Codec: e.Codec, Timescale: e.Timescale, Width: e.Width, Height: e.Height, Box: e.Box}
}

// forget drops recordings from the dirty ones, and closes those that have ended.
func (d *disk) forget(committed []*recording) {
	for _, r := range committed {
		if r.seal != nil {
			d.closeFile(r)
		}
	}
	d.dirty = d.dirty[:0]
}

// discard removes the file of a recording of which not one fragment could be written.
func (d *disk) discard(r *recording) {
	if r.file == nil {
		return
	}
	d.closeFile(r)
	if err := d.store.Remove(r.key); err != nil {
		d.log.Warn("cannot remove an empty sample file", "stream", r.key.Stream, "err", err)
	}
}

func (d *disk) closeFile(r *recording) {
	if r.file == nil {
		return
	}
	if err := r.file.Close(); err != nil {
		d.log.Warn("cannot close a sample file", "stream", r.key.Stream, "err", err)
	}
	r.file = nil
}
