package volume

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nvrfs/schema"
)

// commitRows puts what is durable into the database, in one transaction. A row that the database refuses for what it says is
// left out, and so are those of its stream that follow, so that no other stream waits for it.
func (w *Writer) commitRows(ctx context.Context, ready []*growing) {
	if len(ready) == 0 && len(w.ended) == 0 {
		return
	}
	var put []*growing
	var refused map[int64]error // by stream
	err := w.db.Write(ctx, func(tx *schema.Tx) (err error) {
		put, refused, err = w.putAll(tx, ready)
		return err
	})
	w.sayCommitted(err)
	if err != nil {
		w.count.failures.Add(1)
		clear(w.entries) // what the transaction added is not there
		return
	}
	w.count.commits.Add(1)
	w.sayRefused(refused, put)
	w.forget(put, refused)
}

func (w *Writer) sayCommitted(err error) {
	switch {
	case err != nil && !w.failing:
		w.log.Error("cannot write to the database; new footage is safe in its sample files, but not shown; trying again", "err", err)
	case err == nil && w.failing:
		w.log.Info("the database takes new footage again")
	}
	w.failing = err != nil
}

func (w *Writer) sayRefused(refused map[int64]error, put []*growing) {
	for id, err := range refused {
		if !w.refused[id] {
			w.log.Error("the database refuses a recording of a stream, whose new footage is safe in its sample files, but not shown; trying again", "err", err)
			w.refused[id] = true
		}
	}
	for _, f := range put {
		if id := f.run.stream.ID; refused[id] == nil && w.refused[id] {
			w.log.Info("the database takes new footage of the stream again", "stream", f.Key.Stream)
			delete(w.refused, id)
		}
	}
}

// putAll puts into the database what changed. It returns what it put, and of which streams a row is refused.
func (w *Writer) putAll(tx *schema.Tx, ready []*growing) (put []*growing, refused map[int64]error, err error) {
	refused = map[int64]error{}
	for _, f := range ready {
		id := f.run.stream.ID
		if refused[id] != nil {
			continue
		}
		switch err := tx.Try(func() error { return w.put(tx, f) }); {
		case errors.Is(err, schema.ErrRefused):
			refused[id] = fmt.Errorf("stream %s: %w", f.Key.Stream, err)
			clear(w.entries) // what came with it is not there
		case err != nil:
			return nil, nil, err
		default:
			put = append(put, f)
		}
	}
	for _, u := range w.ended {
		if !u.known || refused[u.stream.ID] != nil {
			continue // nothing of it was written
		}
		if err := EndRun(tx, u.stream.ID, u.uuid, u.start90k, u.endReason); err != nil {
			return nil, nil, err
		}
	}
	return put, refused, nil
}

func (w *Writer) put(tx *schema.Tx, f *growing) error {
	r := f.record()
	if err := r.Put(tx, w.entries); err != nil {
		return err
	}
	f.run.known = true
	return nil
}

// forget drops what was committed.
func (w *Writer) forget(put []*growing, refused map[int64]error) {
	w.dirty = slices.DeleteFunc(w.dirty, func(f *growing) bool {
		return slices.Contains(put, f) && len(f.since) == 0 && (f.sealed || !f.ended)
	})
	w.ended = slices.DeleteFunc(w.ended, func(u *Run) bool {
		return refused[u.stream.ID] == nil && !slices.ContainsFunc(w.dirty, func(f *growing) bool { return f.run == u })
	})
}
