package importer

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// Options says where imported footage belongs.
type Options struct {
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

// A Summary says what was imported.
type Summary struct {
	Recordings int64
	Bytes      int64 // of sample files
	To90k      int64 // when the last recording ends
}

// An Importer makes recordings of existing files, as if a camera had sent their samples. Nothing else may record meanwhile.
//
//	File ─> run ─bytes─> sample files
//	                  └─rows─> queue ─> one goroutine: syncs the filesystem, then commits, for many recordings at once
//
// A row is committed only after its file and the name of the file are synced. The number of files that wait for that is bounded. After
// a crash, the next start takes them in like files that a recorder was writing.
type Importer struct {
	set       *volume.Set
	row       schema.Stream
	volume    *volume.Volume
	bulk      store.Bulk
	length90k int64
	queue     *queue
	committer *committer
	memory    memory
	done      chan struct{} // closed when the goroutine that commits has ended
}

// importedReason is the reason for which the run of an imported file ends.
const importedReason = "the imported file ends"

// Open takes the lock of the data directory, makes what is missing in it, and mends what a crash left, as a recorder does. It
// returns store.ErrLocked when another process records there, and store.ErrAway or store.ErrNoAnswer, having imported nothing,
// when the stream's sample directory is not there or its disk hangs.
func Open(ctx context.Context, o Options) (*Importer, error) {
	path := volume.SamplesPath(o.Data, o.Samples)
	set, rows, err := fsck.Open(ctx, volume.Options{
		Data: o.Data, Needed: []volume.Needed{{Camera: o.Camera, Stream: o.Stream, Path: path}}, NeedAll: true, Log: o.Log,
	})
	if err != nil {
		return nil, err
	}
	im := &Importer{
		set: set, row: rows[0], volume: set.At(path), length90k: media.Ticks(cmp.Or(o.Length, time.Minute)),
		queue: newQueue(), done: make(chan struct{}),
	}
	if im.bulk, err = im.volume.Store().Bulk(im.row.Label()); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	im.committer = &committer{db: set.DB, bulk: im.bulk, queue: im.queue, known: volume.Known{}, committed: o.Committed}
	go func() { // until the queue is closed
		defer close(im.done)
		im.committer.run()
	}()
	return im, nil
}

// Existing looks for footage of the stream that overlaps a span of time, and returns the span from the first to the last of it.
func (im *Importer) Existing(ctx context.Context, s Span) (there Span, ok bool, err error) {
	const step90k = 6 * 3600 * 90000
	db, from := im.set.DB, s.From90k-longest90k
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

// Covered lists the footage of a stream in a span of time, each piece without a gap, clipped to the span and by time.
func Covered(ctx context.Context, db *schema.DB, stream int64, s Span) (pieces []Span, err error) {
	recs, err := db.StartingIn(ctx, stream, s.From90k-longest90k, s.To90k)
	if err != nil {
		return nil, err
	}
	for i := range recs {
		r := Span{max(recs[i].Start90k, s.From90k), min(recs[i].End90k(), s.To90k)}
		switch n := len(pieces); {
		case r.To90k <= r.From90k:
		case n > 0 && r.From90k <= pieces[n-1].To90k+joinGap90k:
			pieces[n-1].To90k = max(pieces[n-1].To90k, r.To90k)
		default:
			pieces = append(pieces, r)
		}
	}
	return pieces, nil
}

// Covered is like the function Covered, for the stream of the importer.
func (im *Importer) Covered(ctx context.Context, s Span) ([]Span, error) {
	return Covered(ctx, im.set.DB, im.row.ID, s)
}

// What MissingIn finds out about a span of time.
type Missing int

const (
	// All of it: no footage is there.
	All Missing = iota
	// Rest of it: footage is there from its beginning on, as of an import that was cut off.
	Rest
	// Nothing is missing.
	Nothing
	// Pieces of it, between other footage.
	Pieces
)

// MissingIn says what is missing of a span in which there are pieces of footage, clipped to it, and, of a Rest, where it begins. Two seconds count
// for nothing, because that is how exact the names of files are.
func MissingIn(s Span, pieces []Span) (m Missing, from90k int64) {
	var there []Span
	for _, p := range pieces {
		if p.To90k-p.From90k >= min(joinGap90k, (s.To90k-s.From90k)/2) {
			there = append(there, p)
		}
	}
	switch {
	case len(there) == 0:
		return All, s.From90k
	case len(there) > 1 || there[0].From90k > s.From90k+joinGap90k:
		return Pieces, 0
	case there[0].To90k >= s.To90k-joinGap90k:
		return Nothing, 0
	}
	return Rest, there[0].To90k
}

// longest90k is more than a recording lasts, unless there is no sync sample for a quarter of an hour.
const longest90k = 2 * volume.Quarter90k

// joinGap90k is how far apart, or how much over each other, footage may be that is shown as one.
const joinGap90k = 2 * 90000

// Add imports a file whose first picture was taken at start. It returns when the recordings are written; Close waits until they are
// safe. If it fails, or ctx ends, the recordings of the file that are whole by then stay.
func (im *Importer) Add(ctx context.Context, f *File, start time.Time) error {
	if _, _, err := f.Measure(start); err != nil {
		return err
	}
	b, err := newRun(im, f, media.FromTime(start))
	if err != nil {
		return err
	}
	defer b.leave()
	if err := b.make(ctx); err != nil {
		return errors.Join(err, b.abandon(err))
	}
	return nil
}

// ErrSource says that the file that is imported cannot be read.
var ErrSource = errors.New("read the file that is imported")

// Close commits the recordings that were added, releases the locks, and returns what is safe. If Add failed because nothing can be
// committed, Close returns the same error.
func (im *Importer) Close() (Summary, error) {
	im.queue.close()
	<-im.done
	err := errors.Join(im.bulk.Close(), im.set.Close())
	if failed := im.queue.failure(); failed != nil {
		err = failed
	}
	return im.committer.sum, err
}

// imported is what waits to be committed: a recording whose file is written, or only the end of its run.
type imported struct {
	volume.Record       // its Row.ID is 0 where there is none
	stream        int64 // of the run
	samples       int64 // bytes of them
}

// committer commits what was written.
type committer struct {
	db        *schema.DB
	bulk      store.Bulk
	queue     *queue
	known     volume.Known
	lastRun   string // UUID of a run that has an id
	lastRunID int64
	committed func(bytes int64)
	sum       Summary
}

// run commits until the queue is closed and empty, or something fails.
func (c *committer) run() {
	for batch := c.queue.take(); len(batch) > 0; batch = c.queue.take() {
		if err := c.commit(batch); err != nil {
			c.queue.fail(err)
			return
		}
	}
}

// commit makes recordings durable, then their rows.
func (c *committer) commit(batch []imported) error {
	if err := c.bulk.Sync(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), volume.CommitDeadline)
	defer cancel()
	err := c.db.Write(ctx, func(tx *schema.Tx) error {
		for i := range batch {
			if err := c.put(tx, &batch[i]); err != nil {
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
		if r := &batch[i].Row; r.ID != 0 {
			c.sum.Recordings++
			c.sum.Bytes += r.Bytes
			c.sum.To90k = r.End90k()
			samples += batch[i].samples
		}
	}
	c.committed(samples)
	return nil
}

// put puts what was imported into the database.
func (c *committer) put(tx *schema.Tx, x *imported) error {
	if x.Row.ID == 0 {
		return volume.EndRun(tx, x.stream, x.Run, x.RunStart90k, x.EndReason)
	}
	if x.Run == c.lastRun {
		x.Row.Run = c.lastRunID
	}
	err := x.Put(tx, c.known)
	c.lastRun, c.lastRunID = x.Run, x.Row.Run // if the transaction fails, there is no other one
	return err
}
