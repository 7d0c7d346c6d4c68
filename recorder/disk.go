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
	dir      int64 // the sample directory's id
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
	broken  []*recording // whose files are not in a known state
	ended   []*run       // whose end is not in the database yet
	entries map[entryKey]int64
	failing bool // the last commit failed
}

type entryKey struct {
	box       string
	timescale uint32
}

func newDisk(dir int64, st store.Store, db *schema.DB, interval time.Duration, log *slog.Logger) *disk {
	return &disk{
		dir: dir, store: st, db: db, interval: interval, log: log,
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
				d.closeAll()
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

// write appends a fragment to its sample file, or ends a run. When that fails, the run ends before it.
func (d *disk) write(j job) {
	r := j.rec
	if r.run.failed.Load() != nil {
		return
	}
	if !slices.Contains(d.dirty, r) {
		d.dirty = append(d.dirty, r)
	}
	if j.data == nil {
		d.end(r, j.endReason)
		return
	}
	if err := d.append(j); err != nil {
		d.fail(r, err)
		return
	}
	if j.seal != nil {
		r.seal, r.sealed = j.seal, true
		if j.seal.EndReason != "" {
			d.endRun(r.run, j.seal.EndReason)
		}
	}
}

func (d *disk) append(j job) error {
	r, data := j.rec, j.data
	if r.sequence == 0 {
		r.run.start90k = j.start90k // which may have moved
	}
	if r.file == nil {
		f, err := d.store.Create(r.key)
		if err != nil {
			return err
		}
		r.file, r.index, r.digest = f, newIndex(r.tracks), newDigest()
		r.row = schema.Recording{ID: r.id, Dir: d.dir, Sequence: r.sequence, HeaderBytes: int64(len(r.header))}
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
	r.unsynced = true
	r.digest.Write(data[:whole]) //nolint:errcheck // never fails
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

// fail ends a run at what was written of a recording of it so far. Its session notices with its next sample.
func (d *disk) fail(r *recording, err error) {
	d.end(r, err.Error())
	r.run.failed.Store(&err)
	d.log.Error("recording ends: cannot write", "stream", r.key.Stream, "err", err)
}

// end ends a recording, and its run, at what was written of it so far. The seal is written with the next commit.
func (d *disk) end(r *recording, reason string) {
	r.seal = &mp4.Seal{Start90k: r.row.Start90k, WallDuration90k: r.row.WallDuration90k, EndReason: reason}
	d.endRun(r.run, reason)
}

func (d *disk) endRun(r *run, reason string) {
	r.endReason = reason
	d.ended = append(d.ended, r)
}

// commit syncs what was written since the last commit, and makes rows of it. What fails is tried again with the next.
func (d *disk) commit() {
	ctx, cancel := context.WithTimeout(context.Background(), commitDeadline)
	defer cancel()
	d.mend(ctx)
	ready := d.committable(d.sync())
	if len(ready) == 0 && len(d.ended) == 0 {
		return
	}
	err := d.db.Write(ctx, func(tx *schema.Tx) error { return d.putAll(tx, ready) })
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

// sync makes the bytes of dirty recordings durable, and returns those of which there are any.
func (d *disk) sync() (synced []*recording) {
	d.dirty = slices.DeleteFunc(d.dirty, func(r *recording) bool {
		if r.index == nil {
			return true // not even made
		}
		if r.row.Bytes == 0 {
			d.leaveToMend(r)
			return true
		}
		if err := d.syncFile(r); err != nil {
			// What the disk holds now is not known.
			d.fail(r, err)
			d.leaveToMend(r)
			return true
		}
		synced = append(synced, r)
		return false
	})
	return synced
}

// syncFile makes the bytes and the name of a recording durable, with the seal of one that was cut short, and closes its
// file when it has ended.
func (d *disk) syncFile(r *recording) error {
	if r.seal != nil && !r.sealed {
		seal, err := mp4.AppendSeal(nil, *r.seal)
		if err == nil && r.file.Append(seal) == nil { // or else with the next commit
			r.sealed, r.unsynced = true, true
		}
	}
	if r.unsynced {
		if err := r.file.Sync(); err != nil {
			return err
		}
		r.unsynced = false
	}
	if !r.named {
		if err := d.store.SyncDir(r.key); err != nil {
			return err
		}
		r.named = true
	}
	if r.sealed {
		d.closeFile(r)
	}
	return nil
}

// committable leaves out recordings of streams of which an earlier one has no row yet: start-up looks for files only from
// the number after the last row on.
func (d *disk) committable(synced []*recording) (ready []*recording) {
	waits := map[int64]bool{}
	for _, r := range d.broken {
		waits[r.id.Stream()] = waits[r.id.Stream()] || !r.hasRow
	}
	for _, r := range synced {
		if !waits[r.id.Stream()] {
			ready = append(ready, r)
		}
	}
	return ready
}

// leaveToMend closes a recording whose file is not in a known state.
func (d *disk) leaveToMend(r *recording) {
	d.closeFile(r)
	d.broken = append(d.broken, r)
}

// mend reads back the files that are not in a known state, as start-up would, and commits what is whole in them.
func (d *disk) mend(ctx context.Context) {
	d.broken = slices.DeleteFunc(d.broken, func(r *recording) bool {
		log := d.log.With("stream", r.key.Stream, "recording", r.key.Number)
		rec := recovery{db: d.db, dir: d.dir, st: d.store, stream: r.id.Stream(), key: r.key, hasRow: r.hasRow, reason: r.run.endReason, log: log}
		if err := rec.run(ctx); err != nil {
			if !r.mending {
				log.Error("cannot read a recording back; its file is kept, and this is tried again", "err", err)
			}
			r.mending = true
			return false
		}
		if rec.kept {
			r.run.known = true
			d.ended = append(d.ended, r.run)
		}
		return true
	})
}

// putAll puts into the database what changed.
func (d *disk) putAll(tx *schema.Tx, ready []*recording) error {
	for _, r := range ready {
		if err := d.put(tx, r); err != nil {
			return err
		}
	}
	for _, u := range d.ended {
		if !u.known {
			continue // nothing of it was written
		}
		id, err := tx.Run(u.stream, u.uuid, u.start90k)
		if err == nil {
			err = tx.EndRun(id, u.endReason)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *disk) put(tx *schema.Tx, r *recording) error {
	runID, err := tx.Run(r.run.stream, r.run.uuid, r.run.start90k)
	if err != nil {
		return err
	}
	r.run.known = true
	for i, t := range r.tracks {
		id, err := d.entry(tx, t)
		if err != nil {
			return err
		}
		r.index.SetEntry(i, id)
	}
	r.row.Run, r.row.Tracks, r.row.Sealed = runID, r.index.Tracks(), r.sealed
	if r.sealed {
		r.row.Digest = r.digest.Sum(nil)
	}
	return tx.PutRecording(&r.row, r.index.Bytes())
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

// forget drops what was committed.
func (d *disk) forget(committed []*recording) {
	d.ended = d.ended[:0]
	for _, r := range committed {
		r.hasRow = true
	}
	d.dirty = slices.DeleteFunc(d.dirty, func(r *recording) bool {
		return slices.Contains(committed, r) && (r.sealed || r.seal == nil)
	})
}

// closeAll closes the files of recordings that could not be committed. Start-up will find them.
func (d *disk) closeAll() {
	for _, r := range d.dirty {
		d.closeFile(r)
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
