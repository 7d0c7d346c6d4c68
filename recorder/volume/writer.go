package volume

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

// CommitDeadline bounds how long a commit may take.
const CommitDeadline = time.Minute

// ErrBacklog says that MaxBacklog bytes wait to be written, because the disk is too slow.
var ErrBacklog = fmt.Errorf("the disk is too slow: %d MB wait to be written", MaxBacklog>>20)

// A Writer writes the recordings of one volume, from one goroutine, so that a slow disk never holds up a camera. What it has
// written becomes rows in one transaction every sync interval.
//
// A row is committed only after the bytes that it counts, and the name of its file, are synced. Until then the Writer keeps
// the bytes in memory too. A file whose sync failed is not read back: the kernel may have dropped what it could not write,
// or show it though it is not on the disk. It is cut off where it was durable, and the rest is written to a new file.
type Writer struct {
	volume   *Volume
	db       *schema.DB
	interval time.Duration
	log      *slog.Logger

	count counters

	wake chan struct{} // has room for one: there are jobs, or no more will come
	done chan struct{} // closed when Run has returned

	mu      sync.Mutex
	jobs    []job
	backlog int // bytes that were enqueued, and are not durable yet
	closed  bool

	// The goroutine's own.
	written int        // bytes since the last commit
	held    []job      // jobs that could not be written, in their order
	dirty   []*growing // files with bytes or an end that no row counts yet; the files of a run in their order
	ended   []*Run     // runs whose end is not in the database yet
	entries Known
	failing bool           // the last commit failed
	refused map[int64]bool // ids of streams of which the last commit left out a row
}

// NewWriter makes the Writer of a volume, which must be ready when Run is called.
func NewWriter(v *Volume, db *schema.DB, interval time.Duration, log *slog.Logger) *Writer {
	return &Writer{
		volume: v, db: db, interval: interval, log: log,
		wake: make(chan struct{}, 1), done: make(chan struct{}), entries: Known{}, refused: map[int64]bool{},
	}
}

// Volume returns the volume that the Writer writes.
func (w *Writer) Volume() *Volume { return w.volume }

func (w *Writer) store() store.Store { return w.volume.Store() }

// enqueue takes a job, or returns ErrBacklog. It never waits.
func (w *Writer) enqueue(j job) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.backlog+j.bytes() > MaxBacklog {
		return ErrBacklog
	}
	w.jobs, w.backlog = append(w.jobs, j), w.backlog+j.bytes()
	w.wakeUp()
	return nil
}

func (w *Writer) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Close has Run write the fragments that are enqueued and return, and waits for that until ctx ends. No fragment may be handed over
// any more.
func (w *Writer) Close(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	w.wakeUp()
	w.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the disk does not answer; what waits to be written is lost: %w", ctx.Err())
	}
}

// Run writes until Close is called.
func (w *Writer) Run() {
	defer close(w.done)
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	for {
		select {
		case <-w.wake:
			if w.Drain() {
				w.finish()
				return
			}
			if w.written >= commitBytes {
				w.Commit()
			}
		case <-tick.C:
			w.Commit()
		}
	}
}

// finish commits what was written last, and closes all files. The next start finds the files that could not be committed.
func (w *Writer) finish() {
	w.Commit()
	if w.safe(0) > 0 {
		w.Commit() // something failed, and was written again
	}
	lost := 0
	for _, j := range w.held {
		lost += j.bytes()
	}
	if lost > 0 {
		w.log.Error("footage in memory could not be written before nvrfs stopped, and is lost", "bytes", lost)
	}
	w.Abandon()
}

// Drain writes the fragments that are enqueued, and reports whether Close was called, so that no more will come. Run calls it; a
// caller that does not call Run may.
func (w *Writer) Drain() (last bool) {
	w.mu.Lock()
	jobs, last := w.jobs, w.closed
	w.jobs = nil
	w.mu.Unlock()
	for _, j := range jobs {
		w.writeJob(j)
	}
	return last
}

// safe takes bytes that are durable out of the backlog, and returns what is left of it.
func (w *Writer) safe(bytes int) (backlog int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.backlog -= bytes
	return w.backlog
}

// writeJob appends a fragment to its sample file, or ends a run. A fragment that cannot be written is held, and so are all that
// follow it in its run.
func (w *Writer) writeJob(j job) {
	u := j.rec.run
	if u.held {
		w.held = append(w.held, j)
		return
	}
	if err := w.append(j); err != nil {
		w.hold(u, []job{j}, err)
	}
}

func (w *Writer) append(j job) error {
	if j.fragment == nil {
		w.end(j)
		return nil
	}
	if j.rec.file == nil {
		f, err := w.createFile(j)
		if err != nil {
			return err
		}
		j.rec.file = f
	}
	f := j.rec.file
	w.touch(f)
	if err := f.append(j); err != nil {
		w.rotate(f)
		return err
	}
	w.written += j.bytes()
	w.count.fragments.Add(1)
	w.count.bytes.Add(int64(j.bytes()))
	if reason := j.ends(); reason != "" {
		w.endRun(f.run, reason)
	}
	return nil
}

// touch notes that a file has bytes or an end that no row counts yet.
func (w *Writer) touch(f *growing) {
	if !slices.Contains(w.dirty, f) {
		w.dirty = append(w.dirty, f)
	}
}

// end ends a run at what was written of it so far. The seal is written with the next commit.
func (w *Writer) end(j job) {
	if f := j.rec.file; f != nil {
		f.ended, f.endReason = true, j.endReason
		w.touch(f)
	}
	w.endRun(j.rec.run, j.endReason)
}

func (w *Writer) endRun(u *Run, reason string) {
	if u.endReason = reason; !slices.Contains(w.ended, u) {
		w.ended = append(w.ended, u)
	}
}

// rotate ends a file that could not take a fragment, at what it took before, so that its run goes on in a new one.
func (w *Writer) rotate(f *growing) {
	f.ended, f.rec.file = true, nil
	if f.row.Bytes == 0 && len(f.since) == 0 {
		w.setAside(f)
	}
}

// setAside ends the files of a run from one on where they are durable, and returns what is to be written again.
func (w *Writer) setAside(f *growing) (jobs []job) {
	of := w.dirty[slices.Index(w.dirty, f):]
	if f.onlyEnds() {
		of = of[:1]
	}
	for _, g := range slices.Backward(of) {
		if g.run != f.run || g.gone {
			continue
		}
		jobs = slices.Concat(g.leave(), jobs)
		_ = w.cutOff(g) // or else with the next commit
	}
	return jobs
}

// hold keeps jobs that could not be written, before those of their run that are held already. They are written with the
// next commit. When that fails too, the run is to end: its session notices with its next sample.
func (w *Writer) hold(u *Run, jobs []job, err error) {
	w.count.failures.Add(1)
	u.held = u.held || len(jobs) > 0
	w.held = slices.Concat(jobs, w.held)
	log := w.log.With("stream", u.stream.Label(), "err", err)
	if u.failures++; u.failures == 1 {
		log.Error("cannot write to a sample file; the footage is kept in memory, and written to a new file")
	} else if u.failed.CompareAndSwap(nil, &err) {
		log.Error("cannot write to the new sample file either; the run ends, and another one is tried")
	}
}

// rewrite writes what is held, unless a file of its run is still to be cut off.
func (w *Writer) rewrite() {
	jobs := w.held
	w.held = nil
	for _, j := range jobs {
		u := j.rec.run
		u.held = slices.ContainsFunc(w.dirty, func(f *growing) bool { return f.run == u && f.cut })
	}
	for _, j := range jobs {
		w.writeJob(j)
	}
}

// Commit syncs the fragments that were written since the last commit, and writes their rows. If that fails, the next Commit tries
// again. Run calls it; a caller that does not call Run may.
func (w *Writer) Commit() {
	ctx, cancel := context.WithTimeout(context.Background(), CommitDeadline)
	defer cancel()
	w.written = 0
	start := time.Now()
	ready := w.sync()
	w.rewrite()
	w.commitRows(ctx, ready)
	w.count.commitNanos.Add(int64(time.Since(start)))
}

// sync makes the fragments that were appended durable, and returns the files whose rows may count them. After a file that could not
// be synced or ended, the following files of its stream wait, because start-up looks for files only from the number after the last
// row on, and because a run has no gaps.
func (w *Writer) sync() (ready []*growing) {
	waits, failed := map[*Stream]bool{}, map[*Run]bool{}
	for _, f := range slices.Clone(w.dirty) {
		if f.gone || failed[f.run] {
			continue // none of a run is durable before those that it continues
		}
		s := f.run.stream
		if err := w.syncFile(f); err != nil {
			w.hold(f.run, w.setAside(f), err)
			failed[f.run], waits[s] = true, true
			continue
		}
		if !waits[s] && !f.gone {
			ready = append(ready, f)
		}
		waits[s] = waits[s] || f.ended && !f.sealed
	}
	w.dirty = slices.DeleteFunc(w.dirty, func(f *growing) bool { return f.gone })
	return ready
}

func (w *Writer) syncFile(f *growing) error {
	if err := w.cutOff(f); err != nil || f.gone {
		return err
	}
	f.seal()
	unsynced := f.unsynced
	bytes, err := f.sync(w.store())
	if err != nil {
		return err
	}
	if unsynced {
		w.count.syncs.Add(1)
	}
	w.safe(bytes)
	if u := f.run; bytes > 0 && u.failures > 0 && !u.held {
		u.failures = 0
		w.log.Info("the footage that was kept in memory is written", "stream", f.Key.Stream)
	}
	if f.sealed {
		w.closeFile(f)
	}
	return nil
}

// cutOff cuts a file that was set aside behind its durable bytes, or removes it if none are durable.
func (w *Writer) cutOff(f *growing) error {
	if !f.cut {
		return nil
	}
	if f.row.Bytes > 0 {
		if err := f.w.Truncate(f.row.Bytes); err != nil {
			return err
		}
		f.cut, f.unsynced = false, true
		return nil
	}
	w.closeFile(f)
	if err := w.store().Remove(f.Key); err != nil {
		return err
	}
	f.cut, f.gone = false, true
	f.run.stream.giveBack(f.Key.Number)
	return nil
}

// Abandon closes the files of recordings that are not committed. Start-up finds them.
func (w *Writer) Abandon() {
	for _, f := range w.dirty {
		w.closeFile(f)
	}
}

func (w *Writer) closeFile(f *growing) {
	if err := f.Close(); err != nil {
		w.log.Warn("cannot close a sample file", "stream", f.Key.Stream, "err", err)
	}
}
