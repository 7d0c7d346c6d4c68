package recorder

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nvrfs/media"
	"nvrfs/schema"
)

type entryKey struct {
	box       string
	timescale uint32
}

// commitRows puts what is durable into the database, in one transaction. A row that the database refuses for what it says is
// left out, and so are those of its stream that follow, so that no other stream waits for it.
func (d *disk) commitRows(ctx context.Context, ready []*sampleFile) {
	if len(ready) == 0 && len(d.ended) == 0 {
		return
	}
	var put []*sampleFile
	var refused map[int64]error // by stream
	err := d.db.Write(ctx, func(tx *schema.Tx) (err error) {
		put, refused, err = d.putAll(tx, ready)
		return err
	})
	d.sayCommitted(err)
	if err != nil {
		d.count.failures.Add(1)
		clear(d.entries) // what the transaction added is not there
		return
	}
	d.count.commits.Add(1)
	d.sayRefused(refused, put)
	d.forget(put, refused)
}

func (d *disk) sayCommitted(err error) {
	switch {
	case err != nil && !d.failing:
		d.log.Error("cannot commit; footage is kept in its files, and the commit tried again", "err", err)
	case err == nil && d.failing:
		d.log.Info("committing again")
	}
	d.failing = err != nil
}

func (d *disk) sayRefused(refused map[int64]error, put []*sampleFile) {
	for id, err := range refused {
		if !d.refused[id] {
			d.log.Error("the database refuses a recording; its stream's footage is kept in its files, but not seen until that is mended", "err", err)
			d.refused[id] = true
		}
	}
	for _, f := range put {
		if id := f.run.stream.ID; refused[id] == nil && d.refused[id] {
			d.log.Info("committing again", "stream", f.key.Stream)
			delete(d.refused, id)
		}
	}
}

// putAll puts into the database what changed. It returns what it put, and of which streams a row is refused.
func (d *disk) putAll(tx *schema.Tx, ready []*sampleFile) (put []*sampleFile, refused map[int64]error, err error) {
	refused = map[int64]error{}
	for _, f := range ready {
		id := f.run.stream.ID
		if refused[id] != nil {
			continue
		}
		switch err := tx.Try(func() error { return d.put(tx, f) }); {
		case errors.Is(err, schema.ErrRefused):
			refused[id] = fmt.Errorf("stream %s: %w", f.key.Stream, err)
			clear(d.entries) // what came with it is not there
		case err != nil:
			return nil, nil, err
		default:
			put = append(put, f)
		}
	}
	for _, u := range d.ended {
		if !u.known || refused[u.stream.ID] != nil {
			continue // nothing of it was written
		}
		id, err := tx.Run(u.stream.ID, u.uuid, u.start90k)
		if err == nil {
			err = tx.EndRun(id, u.endReason)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return put, refused, nil
}

func (d *disk) put(tx *schema.Tx, f *sampleFile) error {
	u := f.run
	runID, err := tx.Run(u.stream.ID, u.uuid, u.start90k)
	if err != nil {
		return err
	}
	for i, t := range f.rec.tracks {
		id, err := d.entry(tx, t)
		if err != nil {
			return err
		}
		f.index.SetEntry(i, id)
	}
	f.row.Run, f.row.Tracks, f.row.Sealed = runID, f.index.Tracks(), f.sealed
	if f.sealed {
		f.row.Digest = f.digest.Sum(nil)
	}
	if err := tx.PutRecording(&f.row, f.index.Bytes()); err != nil {
		return err
	}
	u.known = true
	return nil
}

func (d *disk) entry(tx *schema.Tx, e media.SampleEntry) (int64, error) {
	k := entryKey{string(e.Box), e.Timescale}
	if id, ok := d.entries[k]; ok {
		return id, nil
	}
	id, err := tx.SampleEntry(e)
	if err == nil {
		d.entries[k] = id
	}
	return id, err
}

// forget drops what was committed.
func (d *disk) forget(put []*sampleFile, refused map[int64]error) {
	d.dirty = slices.DeleteFunc(d.dirty, func(f *sampleFile) bool {
		return slices.Contains(put, f) && len(f.since) == 0 && (f.sealed || !f.ended)
	})
	d.ended = slices.DeleteFunc(d.ended, func(u *run) bool {
		return refused[u.stream.ID] == nil && !slices.ContainsFunc(d.dirty, func(f *sampleFile) bool { return f.run == u })
	})
}
