package playback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// ErrNotFound says that there is no such stream, day, entry, or footage.
var ErrNotFound = errors.New("there is no such footage")

// Options says what to open, and how.
type Options struct {
	Data     string         // data directory: the database, and the sample files
	Location *time.Location // of the days and hours
	Cache    int64          // bytes of memory that all caches together may take, about; 0 means DefaultCache
	Poll     time.Duration  // how often to look for new footage; 0 means 500 ms
	Log      *slog.Logger
}

// DefaultCache is what caches may take where nobody says otherwise.
const DefaultCache = 128_000_000

// What the caches share Options.Cache by: listings of a year of eight cameras take 20 MB, the tables of a day 30 MB, its layout
// 1 MB.
const (
	listShare  = 4 // the fourth part
	fileShare  = 8
	tableShare = 2 // and the rest is left for what cannot be counted
)

// openSamples is how many sample files stay open.
const openSamples = 256

// A Library is the footage of a data directory. It is safe for concurrent use.
type Library struct {
	o  Options
	db *schema.DB

	rev int64 // of the newest change when the Library was opened

	tables   *lru[tableKey, []byte]
	lists    *lru[dayKey, listing]
	files    *lru[string, *mp4.File] // by ETag
	samples  *sampleFiles
	calendar calendar
	ahead    ahead
	toPin    toPin // of the goroutine of Run

	mu      sync.Mutex
	entries map[int64]*media.SampleEntry
	listed  listings
	listing map[dayKey]chan struct{} // days that are being listed; closed when one was
	opened  map[*File]struct{}
	deleted deletions
	dirs    map[int64]store.Store // sample directories that were read from
	nextSub int
	subs    map[int]func([]Change)
}

// A Change says that the entries of an hour are not what they were.
type Change struct {
	Stream string // label
	Day    Span
	Hour   Span
	Listed bool // a recording was added or deleted; otherwise one that was there has grown, or what Marked says
	Marked bool // a hold that starts in the hour was added or removed

	stream  int64
	deleted bool // a recording was
}

// Open opens the footage in a data directory for reading, also while another process records into it.
func Open(ctx context.Context, o Options) (*Library, error) {
	if o.Cache == 0 {
		o.Cache = DefaultCache
	}
	if o.Poll == 0 {
		o.Poll = 500 * time.Millisecond
	}
	db, err := schema.OpenReadOnly(ctx, o.Data)
	if err != nil {
		return nil, err
	}
	rev, err := db.Rev(ctx) // before anything is listed, so that Run misses no change to it
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	l := &Library{
		o: o, db: db, rev: rev,
		tables:   newLRU[tableKey, []byte](o.Cache/tableShare, nil),
		lists:    newLRU[dayKey, listing](o.Cache/listShare, nil),
		files:    newLRU[string, *mp4.File](o.Cache/fileShare, nil),
		calendar: calendar{loc: o.Location},
		entries:  map[int64]*media.SampleEntry{},
		listed:   listings{days: map[int64]streamDays{}},
		listing:  map[dayKey]chan struct{}{},
		opened:   map[*File]struct{}{},
		deleted:  deletions{},
		toPin:    toPin{left: map[int64]*unpinned{}},
		dirs:     map[int64]store.Store{},
		subs:     map[int]func([]Change){},
	}
	l.samples = newSampleFiles(l.sampleDir, l.dirOf, openSamples)
	l.ahead.ctx, l.ahead.stop = context.WithCancel(context.Background())
	return l, nil
}

// Close closes the database and the sample files. Files that are open must not be read any more.
func (l *Library) Close() error {
	l.ahead.stop()
	l.ahead.Wait()
	l.samples.close()
	return l.db.Close()
}

// Data is the data directory.
func (l *Library) Data() string { return l.o.Data }

// Recorded reports whether a process records into the data directory now, or mends it. Where none does, what is not sealed
// was cut off.
func (l *Library) Recorded() bool { return store.CheckUnlocked(l.o.Data) != nil }

// sampleDir opens a sample directory. A disk that is not there costs only the footage on it.
func (l *Library) sampleDir(id int64) (store.Store, error) {
	l.mu.Lock()
	st, ok := l.dirs[id]
	l.mu.Unlock()
	if ok {
		return st, nil
	}
	st, err := l.openSampleDir(id) // without the lock: its disk may hang
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirs[id] = st
	return st, nil
}

// dirOf asks in which sample directory a recording lies. ok is false where there is no such recording.
func (l *Library) dirOf(id schema.RecordingID) (dir int64, ok bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), indexDeadline)
	defer cancel()
	r, ok, err := l.db.Recording(ctx, id)
	return r.Dir, ok, err
}

func (l *Library) openSampleDir(id int64) (store.Store, error) {
	ctx, cancel := context.WithTimeout(context.Background(), indexDeadline)
	defer cancel()
	paths, err := l.db.SampleDirs(ctx)
	if err != nil {
		return nil, err
	}
	path, ok := paths[id]
	if !ok {
		return nil, fmt.Errorf("sample directory %d is not in the database", id)
	}
	return store.Open(schema.SampleDirPath(l.o.Data, path), l.db.UUID())
}

// Location is that of the days and hours.
func (l *Library) Location() *time.Location { return l.o.Location }

// Subscribe has f called with what changed, one call at a time, until cancel is called; with nil when anything may have. f must
// not wait for anything that reads from the Library.
func (l *Library) Subscribe(f func([]Change)) (cancel func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.nextSub
	l.nextSub++
	l.subs[id] = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.subs, id)
	}
}

// Run looks for new footage until ctx ends. Without it, a Library shows what there was when it first looked.
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
			l.o.Log.Error("cannot look for new footage; trying again", "err", err)
		case err == nil && failing:
			l.o.Log.Info("looking for new footage again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// follow takes in the changes since rev, and returns the newest one.
func (l *Library) follow(ctx context.Context, rev int64) (int64, error) {
	l.loseOld()
	if len(l.toPin.left) > 0 {
		l.pin(ctx)
	}
	changes, complete, err := l.db.ChangesSince(ctx, rev)
	if err != nil || len(changes) == 0 {
		return rev, err
	}
	streams, err := l.db.Streams(ctx)
	if err != nil {
		return rev, err
	}
	label := map[int64]string{}
	for _, s := range streams {
		label[s.ID] = s.Label()
	}
	type hourKey struct{ stream, from90k int64 }
	seen := map[hourKey]int{}
	deleted, moved := map[schema.RecordingID]bool{}, map[schema.RecordingID]bool{}
	var news []Change
	for _, c := range changes {
		stream := c.Recording.Stream()
		day := l.calendar.at(c.Start90k)
		hour := day.hour(c.Start90k)
		k := hourKey{stream, hour.From90k}
		i, ok := seen[k]
		if !ok {
			i = len(news)
			seen[k] = i
			news = append(news, Change{Stream: label[stream], Day: day.Span, Hour: hour, stream: stream})
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
	if !complete {
		news = nil // anything may have changed
		if err := l.allDeleted(ctx, deleted); err != nil {
			return rev, err
		}
	}
	l.forget(news, streamsOf(streams))
	l.followMoved(moved)
	l.release(ctx, deleted, func() { l.tell(news) })
	return changes[len(changes)-1].Rev, nil
}

// tell calls the subscribers.
func (l *Library) tell(news []Change) {
	l.mu.Lock()
	subs := slices.Collect(maps.Values(l.subs))
	l.mu.Unlock()
	for _, f := range subs {
		f(news)
	}
}

// forget drops the listings that have changed, or, where changes is nil, every listing.
func (l *Library) forget(changes []Change, streams []Stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listed.drops++
	l.listed.streams = streams
	if changes == nil {
		l.lists.remove(func(dayKey, listing) bool { return true })
		clear(l.listed.days)
	}
	for i := range changes {
		c := &changes[i]
		l.forgetHourLocked(c.stream, c.Hour.From90k, c.Listed)
		if c.Listed {
			l.listed.add(c)
		}
	}
}

// forgetHourLocked drops what is known of an hour, and, if that may be others by now, which hours of its day there are.
func (l *Library) forgetHourLocked(stream, from90k int64, others bool) {
	day := l.calendar.at(from90k)
	k := dayKey{stream, day.From90k}
	if _, ok := l.lists.peek(k); !ok {
		return
	}
	l.replaceLocked(k, len(day.hours), func(x *listing) {
		x.hours[day.index(from90k)] = hourListing{}
		if others {
			x.spans = nil
		}
	})
}
