package recorder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"nvrfs/recorder/fsck"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
)

// errStopping says that the recorder stops, so that its streams cannot be changed any more.
var errStopping = errors.New("the recorder is stopping")

// Set changes which streams are recorded from now on, and the limits of all streams together and of each disk. A stream whose Origin
// and sample directory stay the same goes on with its session and loses no frame, even if its limits change. Any other stream of
// the list ends its run, for a reason that says what has changed, and begins another one. A stream that is not in the list is
// stopped; its footage stays.
//
// When Set fails, what is recorded has not changed; a sample directory that is new may have been made all the same. Set returns when
// the streams that it stopped have handed over their footage. It may be called before Run and while Run runs.
func (r *Recorder) Set(ctx context.Context, streams []StreamOptions, total Limits, minFree MinFree) error {
	r.setting.Lock()
	defer r.setting.Unlock()
	if r.stopping() {
		return errStopping
	}
	rows, err := r.ready(ctx, streams)
	if err != nil {
		return fmt.Errorf("change what is recorded: %w", err)
	}
	next, fresh, gone := r.change(streams, rows)
	var wg sync.WaitGroup
	for s, why := range gone {
		wg.Go(func() { s.stop(why) })
	}
	wg.Wait()
	for s := range gone {
		if !slices.ContainsFunc(next, func(n *stream) bool { return n.row == s.row && n.writer == s.writer }) {
			s.writer.Volume().NotNeeded(s.row.Label())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.streams, r.total, r.minFree = next, total, minFree
	for i, s := range next {
		s.limits = streams[i].Retain
	}
	if r.ctx != nil {
		for _, s := range fresh {
			s.start(r.ctx)
		}
	}
	return nil
}

// stopping reports whether Run has ended, or is about to.
func (r *Recorder) stopping() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ctx != nil && r.ctx.Err() != nil
}

// ready opens the volumes that streams need, and returns the rows of the streams.
func (r *Recorder) ready(ctx context.Context, streams []StreamOptions) ([]schema.Stream, error) {
	need, seen := needed(r.o.Data, streams), map[string]bool{}
	for _, n := range need {
		label := schema.Label(n.Camera, n.Stream)
		if seen[label] {
			return nil, fmt.Errorf("stream %s is there twice", label)
		}
		seen[label] = true
	}
	for _, n := range need {
		isNew := r.set.At(n.Path) == nil
		v, err := r.set.Add(ctx, n)
		if err != nil {
			return nil, err
		}
		if isNew {
			v.SetReady() // there is nothing to mend
		}
	}
	return fsck.Rows(ctx, r.set.DB, need)
}

// change returns the streams that are to be recorded, which of them have to be started, and which of the current ones to be stopped,
// with the reason.
func (r *Recorder) change(streams []StreamOptions, rows []schema.Stream) (next, fresh []*stream, gone map[*stream]change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := map[int64]*stream{}
	gone = map[*stream]change{}
	for _, s := range r.streams {
		now[s.row.ID] = s
		gone[s] = changeRemoved
	}
	for i, o := range streams {
		id, w := rows[i].ID, r.writerOf(o)
		if s := now[id]; s != nil {
			switch {
			case s.writer != w:
				gone[s] = changeSamples
			case s.o.Origin != o.Origin:
				gone[s] = changeOrigin
			default:
				next = append(next, s)
				delete(gone, s)
				continue
			}
		}
		if r.rows[id] == nil {
			rows[i].NextNumber = fsck.NextOfMended(r.set, rows[i])
			r.rows[id] = volume.NewStream(rows[i])
		}
		s := newStream(o, r.rows[id], w, r.o.Length, r.o.Log)
		next, fresh = append(next, s), append(fresh, s)
	}
	return next, fresh, gone
}
