package recorder

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"nvrfs/schema"
	"nvrfs/store"
)

// MaxBacklog bounds the bytes that wait in memory until they are safe on a disk: ten seconds and more of hundreds of streams. A
// disk that is stalled for longer ends the runs of its streams.
const MaxBacklog = 384 << 20

// commitBytes is how much is written at most before it is committed, so that the backlog has room while a disk is busy.
const commitBytes = MaxBacklog / 3

// commitDeadline bounds how long a commit may take.
const commitDeadline = time.Minute

var errBacklog = fmt.Errorf("the disk is too slow: %d MB wait to be written", MaxBacklog>>20)

// A disk writes the recordings of one store, from one goroutine, so that a slow disk never holds up a camera. What it has
// written becomes rows in one transaction every sync interval.
//
// A row is committed only after the bytes that it counts, and the name of its file, are synced. Until then the disk keeps
// the bytes in memory too. A file whose sync failed is not read back: the kernel may have dropped what it could not write,
// or show it though it is not on the disk. It is cut off where it was durable, and the rest is written to a new file.
type disk struct {
	dir      int64 // the sample directory's id
	store    store.Store
	db       *schema.DB
	interval time.Duration
	log      *slog.Logger

	count diskCounters

	wake chan struct{} // has room for one: there are jobs, or no more will come
	done chan struct{} // closed when run has returned

	mu      sync.Mutex
	jobs    []job
	backlog int // bytes that were enqueued, and are not durable yet
	closed  bool

	// The goroutine's own.
	written int           // bytes since the last commit
	held    []job         // that could not be written
	dirty   []*sampleFile // with bytes or an end that no row counts yet; those of a run in their order
	ended   []*run        // whose end is not in the database yet
	entries map[entryKey]int64
	failing bool           // the last commit failed
	refused map[int64]bool // streams of which the last commit left out a row
}

func newDisk(dir int64, st store.Store, db *schema.DB, interval time.Duration, log *slog.Logger) *disk {
	return &disk{
		dir: dir, store: st, db: db, interval: interval, log: log,
		wake: make(chan struct{}, 1), done: make(chan struct{}), entries: map[entryKey]int64{}, refused: map[int64]bool{},
	}
}

// enqueue takes a job, or returns errBacklog. It never waits.
func (d *disk) enqueue(j job) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.backlog+len(j.data) > MaxBacklog {
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
				d.finish()
				return
			}
			if d.written >= commitBytes {
				d.commit()
			}
		case <-tick.C:
			d.commit()
		}
	}
}

// finish commits the last, and closes all files. Start-up finds those that could not be committed.
func (d *disk) finish() {
	d.commit()
	if d.safe(0) > 0 {
		d.commit() // something failed, and was written again
	}
	lost := 0
	for _, j := range d.held {
		lost += len(j.data)
	}
	if lost > 0 {
		d.log.Error("footage that could not be written is lost", "bytes", lost)
	}
	d.closeAll()
}

// writeAll writes what is enqueued, and reports whether that is all there will be.
func (d *disk) writeAll() (last bool) {
	d.mu.Lock()
	jobs, last := d.jobs, d.closed
	d.jobs = nil
	d.mu.Unlock()
	for _, j := range jobs {
		d.write(j)
	}
	return last
}

// safe takes bytes that are durable out of the backlog, and returns what is left of it.
func (d *disk) safe(bytes int) (backlog int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.backlog -= bytes
	return d.backlog
}

// write appends a fragment to its sample file, or ends a run. What cannot be written is held, and so is what follows it in
// its run.
func (d *disk) write(j job) {
	u := j.rec.run
	if u.held {
		d.held = append(d.held, j)
		return
	}
	if err := d.append(j); err != nil {
		d.hold(u, []job{j}, err)
	}
}

func (d *disk) append(j job) error {
	if j.data == nil {
		d.end(j)
		return nil
	}
	if j.rec.file == nil {
		f, err := d.createFile(j)
		if err != nil {
			return err
		}
		j.rec.file = f
	}
	f := j.rec.file
	d.touch(f)
	if err := f.append(j); err != nil {
		d.goElsewhere(f)
		return err
	}
	d.written += len(j.data)
	d.count.fragments.Add(1)
	d.count.bytes.Add(int64(len(j.data)))
	if j.endReason != "" {
		d.endRun(f.run, j.endReason)
	}
	return nil
}

// touch notes that a file has something that its row does not say.
func (d *disk) touch(f *sampleFile) {
	if !slices.Contains(d.dirty, f) {
		d.dirty = append(d.dirty, f)
	}
}

// end ends a run at what was written of it so far. The seal is written with the next commit.
func (d *disk) end(j job) {
	if f := j.rec.file; f != nil {
		f.ended, f.endReason = true, j.endReason
		d.touch(f)
	}
	d.endRun(j.rec.run, j.endReason)
}

func (d *disk) endRun(u *run, reason string) {
	if u.endReason = reason; !slices.Contains(d.ended, u) {
		d.ended = append(d.ended, u)
	}
}

// goElsewhere ends a file that could not take a fragment, at what it took before.
func (d *disk) goElsewhere(f *sampleFile) {
	f.ended, f.rec.file = true, nil
	if f.row.Bytes == 0 && len(f.since) == 0 {
		d.setAside(f)
	}
}

// setAside ends the files of a run from one on where they are durable, and returns what is to be written again.
func (d *disk) setAside(f *sampleFile) (jobs []job) {
	of := d.dirty[slices.Index(d.dirty, f):]
	if f.onlyEnds() {
		of = of[:1]
	}
	for _, g := range slices.Backward(of) {
		if g.run != f.run || g.gone {
			continue
		}
		jobs = slices.Concat(g.leave(), jobs)
		_ = d.cutOff(g) // or else with the next commit
	}
	return jobs
}

// hold keeps jobs that could not be written, before those of their run that are held already. They are written with the
// next commit. When that fails too, the run is to end: its session notices with its next sample.
func (d *disk) hold(u *run, jobs []job, err error) {
	d.count.failures.Add(1)
	u.held = u.held || len(jobs) > 0
	d.held = slices.Concat(jobs, d.held)
	log := d.log.With("stream", u.stream.Label(), "err", err)
	if u.failures++; u.failures == 1 {
		log.Error("cannot write; footage is kept in memory, and written to a new file")
	} else if u.failed.CompareAndSwap(nil, &err) {
		log.Error("recording ends: cannot write")
	}
}

// rewrite writes what is held, unless a file of its run is still to be cut off.
func (d *disk) rewrite() {
	jobs := d.held
	d.held = nil
	for _, j := range jobs {
		u := j.rec.run
		u.held = slices.ContainsFunc(d.dirty, func(f *sampleFile) bool { return f.run == u && f.cut })
	}
	for _, j := range jobs {
		d.write(j)
	}
}

// commit syncs what was written since the last commit, and makes rows of it. What fails is tried again with the next.
func (d *disk) commit() {
	ctx, cancel := context.WithTimeout(context.Background(), commitDeadline)
	defer cancel()
	d.written = 0
	start := time.Now()
	ready := d.sync()
	d.rewrite()
	d.commitRows(ctx, ready)
	d.count.commitNanos.Add(int64(time.Since(start)))
}

// sync makes what was appended durable, and returns the files whose rows may say so. Behind one that is not, or that should
// have ended and has not, those of its stream wait: start-up looks for files only from the number after the last row on, and
// a run has no gaps.
func (d *disk) sync() (ready []*sampleFile) {
	waits, failed := map[*schema.Stream]bool{}, map[*run]bool{}
	for _, f := range slices.Clone(d.dirty) {
		if f.gone || failed[f.run] {
			continue // none of a run is durable before those that it continues
		}
		s := f.run.stream
		if err := d.syncFile(f); err != nil {
			d.hold(f.run, d.setAside(f), err)
			failed[f.run], waits[s] = true, true
			continue
		}
		if !waits[s] && !f.gone {
			ready = append(ready, f)
		}
		waits[s] = waits[s] || f.ended && !f.sealed
	}
	d.dirty = slices.DeleteFunc(d.dirty, func(f *sampleFile) bool { return f.gone })
	return ready
}

func (d *disk) syncFile(f *sampleFile) error {
	if err := d.cutOff(f); err != nil || f.gone {
		return err
	}
	f.seal()
	unsynced := f.unsynced
	bytes, err := f.sync(d.store)
	if err != nil {
		return err
	}
	if unsynced {
		d.count.syncs.Add(1)
	}
	d.safe(bytes)
	if u := f.run; bytes > 0 && u.failures > 0 && !u.held {
		u.failures = 0
		d.log.Info("writing again", "stream", f.key.Stream)
	}
	if f.sealed {
		d.closeFile(f)
	}
	return nil
}

// cutOff takes away what is not known to be durable of a file that was set aside; all of it, where that is nothing.
func (d *disk) cutOff(f *sampleFile) error {
	if !f.cut {
		return nil
	}
	if f.row.Bytes > 0 {
		if err := f.file.Truncate(f.row.Bytes); err != nil {
			return err
		}
		f.cut, f.unsynced = false, true
		return nil
	}
	d.closeFile(f)
	if err := d.store.Remove(f.key); err != nil {
		return err
	}
	f.cut, f.gone = false, true
	if s := f.run.stream; s.NextNumber == f.key.Number+1 {
		s.NextNumber-- // nobody has heard of it
	}
	return nil
}

// closeAll closes the files of recordings that could not be committed.
func (d *disk) closeAll() {
	for _, f := range d.dirty {
		d.closeFile(f)
	}
}

func (d *disk) closeFile(f *sampleFile) {
	if f.file == nil {
		return
	}
	if err := f.file.Close(); err != nil {
		d.log.Warn("cannot close a sample file", "stream", f.key.Stream, "err", err)
	}
	f.file = nil
}
