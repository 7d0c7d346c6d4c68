package playback

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"nvrfs/schema"
)

// A Change says that the entries of an hour have changed.
type Change struct {
	Stream Stream
	Day    Span
	Hour   Span
	Listed bool // a recording was added or deleted; if false, a recording has grown, or a hold has changed (Marked)
	Marked bool // a hold that starts in the hour was added or removed

	deleted bool // a recording was deleted
}

// subscribers are the functions that are called with changes.
type subscribers struct {
	mu   sync.Mutex // held while nothing is called
	next int
	subs map[int]func([]Change)
}

func (s *subscribers) add(f func([]Change)) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.next
	s.next++
	if s.subs == nil {
		s.subs = map[int]func([]Change){}
	}
	s.subs[id] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subs, id)
	}
}

func (s *subscribers) tell(news []Change) {
	s.mu.Lock()
	subs := slices.Collect(maps.Values(s.subs))
	s.mu.Unlock()
	for _, f := range subs {
		f(news)
	}
}

// Subscribe has f called with the changes, one call at a time, until cancel is called. f is called with nil when changes were missed,
// so that anything may have changed. f must not wait for anything that reads from the Library.
func (l *Library) Subscribe(f func([]Change)) (cancel func()) { return l.news.add(f) }

// Run looks for new footage until ctx ends. Without it, a Library shows the footage that there was when it was first asked.
func (l *Library) Run(ctx context.Context) {
	rev, failing := l.rev, false
	tick := time.NewTicker(l.o.Poll)
	defer tick.Stop()
	for {
		var err error
		rev, err = l.follow(ctx, rev)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			l.o.Log.Error("cannot ask the database for new footage, so listings may be old; trying again", "err", err)
		case err == nil && failing:
			l.o.Log.Info("the database answers again; listings show new footage")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// follow takes in the changes since rev, and returns the number of the newest one.
func (l *Library) follow(ctx context.Context, rev int64) (int64, error) {
	l.loseOld()
	if len(l.toKeep.left) > 0 {
		l.keep(ctx)
	}
	changes, complete, err := l.src.ChangesSince(ctx, rev)
	if err != nil || len(changes) == 0 {
		return rev, err
	}
	streams, err := l.src.Streams(ctx)
	if err != nil {
		return rev, err
	}
	news, deleted, moved := l.newsOf(changes, streams)
	if !complete {
		news = nil // anything may have changed
		if err := l.allDeleted(ctx, deleted); err != nil {
			return rev, err
		}
	}
	l.listings.forget(news, streamsOf(streams), &l.calendar)
	l.followMoved(moved)
	l.release(ctx, deleted, func() { l.news.tell(news) })
	return changes[len(changes)-1].Rev, nil
}

// newsOf sums changes up by hour, and says which recordings were deleted, and which were moved.
func (l *Library) newsOf(changes []schema.Change, streams []schema.Stream) (news []Change, deleted, moved map[schema.RecordingID]bool) {
	byID := map[int64]Stream{}
	for i := range streams {
		s, _ := streamOf(&streams[i])
		byID[s.id] = s
	}
	type hourKey struct{ stream, from90k int64 }
	seen := map[hourKey]int{}
	deleted, moved = map[schema.RecordingID]bool{}, map[schema.RecordingID]bool{}
	for _, c := range changes {
		stream := c.Recording.Stream()
		day := l.calendar.at(c.Start90k)
		hour := day.hour(c.Start90k)
		k := hourKey{stream, hour.From90k}
		i, ok := seen[k]
		if !ok {
			i = len(news)
			seen[k] = i
			news = append(news, Change{Stream: byID[stream], Day: day.Span, Hour: hour})
		}
		x := &news[i]
		x.Listed = x.Listed || c.Kind == schema.Added || c.Kind == schema.Deleted
		x.Marked = x.Marked || c.Kind == schema.Marked
		switch c.Kind {
		case schema.Moved:
			moved[c.Recording] = true
		case schema.Deleted:
			deleted[c.Recording], x.deleted = true, true
		case schema.Added:
			delete(deleted, c.Recording) // its row was made anew
		}
	}
	return news, deleted, moved
}
