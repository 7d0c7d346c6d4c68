package recorder

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"nvrfs/media"
	"nvrfs/schema"
	"nvrfs/store"
)

// ImportOptions says where imported footage belongs.
type ImportOptions struct {
	Data    string // data directory, which must exist
	Samples string // directory of the stream's sample files; empty means the one in the data directory
	Camera  string
	Stream  string        // "main", "sub" or any other
	Length  time.Duration // of a recording; 0 means a minute
	Log     *slog.Logger

	// Committed is told of each batch of recordings that are safe how many bytes of samples they have. It must be set, and is
	// called from another goroutine.
	Committed func(bytes int64)
}

// An ImportSummary says what was imported.
type ImportSummary struct {
	Recordings int64
	Bytes      int64 // of sample files
	To90k      int64 // when the last recording ends
}

// An Importer makes recordings of existing files, as if a camera had sent what is in them. Nothing else may record meanwhile.
//
//	ImportFile ─> importRun ─bytes─> sample files
//	                  └─rows─> queue ─> one goroutine: syncs the filesystem, then commits, for many recordings at once
//
// A row is committed only after its file and its name are synced. What waits for that is bounded, and start-up after a crash
// takes it in as it does what a recorder was writing.
type Importer struct {
	recorder  *Recorder // whose lock, database and directories these are
	row       schema.Stream
	dir       int64
	store     store.Store
	bulk      store.Bulk
	length90k int64
	queue     *importQueue
	committer *importCommitter
	done      chan struct{} // closed when the goroutine that commits has ended
}

// The reason for which the run of a file ends.
const importedReason = "the imported file ends"

// OpenImporter takes the lock of the data directory, makes what is missing in it, and mends what a crash left, as Open does.
// It returns store.ErrLocked when another process records there, and store.ErrAway or store.ErrNoAnswer, having imported
// nothing, when the stream's sample directory is not there or its disk hangs.
func OpenImporter(ctx context.Context, o ImportOptions) (*Importer, error) {
	r, err := Open(ctx, Options{
		Data: o.Data, Length: o.Length, Log: o.Log, needAll: true,
		Streams: []StreamOptions{{Camera: o.Camera, Name: o.Stream, Samples: o.Samples}},
	})
	if err != nil {
		return nil, err
	}
	s := r.streams[0]
	im := &Importer{
		recorder: r, row: s.row, dir: s.disk.dir, store: s.disk.store, length90k: s.length90k,
		queue: newImportQueue(), done: make(chan struct{}),
	}
	if im.bulk, err = im.store.Bulk(im.row.Label()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	im.committer = &importCommitter{db: r.db, bulk: im.bulk, queue: im.queue, committed: o.Committed}
	go func() { // until the queue is closed
		defer close(im.done)
		im.committer.run()
	}()
	return im, nil
}

func (im *Importer) key(number int64) store.Key {
	return store.Key{Stream: im.row.Label(), Number: number}
}

// Existing looks for footage of the stream that overlaps a stretch of time, and returns from when to when there is some in it.
func (im *Importer) Existing(ctx context.Context, s Span) (there Span, ok bool, err error) {
	const step90k = 6 * 3600 * 90000
	db, from := im.recorder.db, s.From90k-longest90k
	var gapless Span
	for !gapless.Overlaps(s) {
		first, found, err := db.FirstStart(ctx, im.row.ID, from)
		if err != nil || !found || first >= s.To90k {
			return there, false, err
		}
		from = min(first+step90k, s.To90k)
		recs, err := db.StartingIn(ctx, im.row.ID, first, from)
		if err != nil {
			return there, false, err
		}
		for i := 0; i < len(recs) && !gapless.Overlaps(s); i++ {
			r := Span{recs[i].Start90k, recs[i].End90k()}
			if r.From90k > gapless.To90k+joinGap90k {
				gapless = r
			}
			gapless.To90k = max(gapless.To90k, r.To90k)
		}
	}
	_, last90k, _, err := db.LastSpan(ctx, im.row.ID, s.To90k)
	return Span{max(gapless.From90k, s.From90k), min(max(last90k, gapless.To90k), s.To90k)}, true, err
}

// longest90k is more than a recording lasts, unless there is no sync sample for a quarter of an hour.
const longest90k = 2 * quarter90k

// joinGap90k is how far apart, or how much over each other, footage may be that is shown as one.
const joinGap90k = 2 * 90000

// Add imports a file whose first picture was taken at a time. It returns when the recordings are written; Close waits until
// they are safe. Where it fails, or ctx ends, what was made of the file before stays, whole recordings only.
func (im *Importer) Add(ctx context.Context, f *ImportFile, start time.Time) error {
	if _, _, err := f.Measure(start); err != nil {
		return err
	}
	b, err := newImportRun(im, f, media.FromTime(start))
	if err != nil {
		return err
	}
	if err := b.make(ctx); err != nil {
		return errors.Join(err, b.abandon(err))
	}
	return nil
}

// Close commits what was added, gives back what OpenImporter took, and says what is safe. Where Add failed because nothing
// can be committed, Close fails with the same error.
func (im *Importer) Close() (ImportSummary, error) {
	im.queue.close()
	<-im.done
	err := errors.Join(im.bulk.Close(), im.recorder.Close())
	if failed := im.queue.failure(); failed != nil {
		err = failed
	}
	return im.committer.sum, err
}

// imported is what waits to be committed: a recording whose file is written, or only the end of its run.
type imported struct {
	run       *importedRun
	row       schema.Recording // ID is 0 where there is none
	index     []byte
	samples   int64  // bytes of them
	endReason string // not empty where it ends the run
}

// importedRun is a run, and, for the committer alone, what the database calls it.
type importedRun struct {
	stream   int64
	uuid     string
	start90k int64
	tracks   []media.SampleEntry

	id      int64 // 0 before it is committed
	entries []int64
}

// What may wait to be committed, which is what start-up would have to read back after a crash. It is committed when half as
// much waits: each time costs syncing the filesystem, while which no file can be made.
const (
	maxImportQueue = 2000
	maxImportBytes = 256 << 20
)

// An importQueue holds up who writes until who commits has come near.
type importQueue struct {
	most int // how many may wait

	mu      sync.Mutex
	changed sync.Cond // anything below
	waiting []imported
	bytes   int64
	closed  bool
	err     error // why nothing more is committed
}

func newImportQueue() *importQueue {
	q := &importQueue{most: maxImportQueue}
	q.changed.L = &q.mu
	return q
}

// put adds something when there is room for it, or returns why it cannot be committed.
func (q *importQueue) put(x imported) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.err == nil && (len(q.waiting) >= q.most || q.bytes >= maxImportBytes) {
		q.changed.Wait()
	}
	if q.err != nil {
		return q.err
	}
	q.waiting = append(q.waiting, x)
	q.bytes += x.row.Bytes
	q.changed.Broadcast()
	return nil
}

// take returns all that waits, when it is worth to be committed. It is nothing when the queue is closed and empty.
func (q *importQueue) take() []imported {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) < q.most/2 && q.bytes < maxImportBytes/2 && !q.closed {
		q.changed.Wait()
	}
	batch := q.waiting
	q.waiting, q.bytes = nil, 0
	q.changed.Broadcast()
	return batch
}

func (q *importQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

func (q *importQueue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
	q.changed.Broadcast()
}

func (q *importQueue) failure() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// importCommitter commits what was written.
type importCommitter struct {
	db        *schema.DB
	bulk      store.Bulk
	queue     *importQueue
	committed func(bytes int64)
	sum       ImportSummary
}

// run commits until the queue is closed and empty, or something fails.
func (c *importCommitter) run() {
	for batch := c.queue.take(); len(batch) > 0; batch = c.queue.take() {
		if err := c.commit(batch); err != nil {
			c.queue.fail(err)
			return
		}
	}
}

// commit makes recordings durable, then their rows.
func (c *importCommitter) commit(batch []imported) error {
	if err := c.bulk.Sync(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitDeadline)
	defer cancel()
	err := c.db.Write(ctx, func(tx *schema.Tx) error {
		for i := range batch {
			if err := batch[i].put(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	samples := int64(0)
	for i := range batch {
		if r := &batch[i].row; r.ID != 0 {
			c.sum.Recordings++
			c.sum.Bytes += r.Bytes
			c.sum.To90k = r.End90k()
			samples += batch[i].samples
		}
	}
	c.committed(samples)
	return nil
}

func (x *imported) put(tx *schema.Tx) error {
	u := x.run
	if u.id == 0 {
		if err := u.put(tx); err != nil {
			return err
		}
	}
	if x.row.ID != 0 {
		x.row.Run = u.id
		for i := range x.row.Tracks {
			x.row.Tracks[i].Entry = u.entries[i]
		}
		if err := tx.PutRecording(&x.row, x.index); err != nil {
			return err
		}
	}
	if x.endReason == "" {
		return nil
	}
	return tx.EndRun(u.id, x.endReason)
}

func (u *importedRun) put(tx *schema.Tx) (err error) {
	if u.id, err = tx.Run(u.stream, u.uuid, u.start90k); err != nil {
		return err
	}
	u.entries = make([]int64, len(u.tracks))
	for i, t := range u.tracks {
		if u.entries[i], err = tx.SampleEntry(t); err != nil {
			return err
		}
	}
	return nil
}
