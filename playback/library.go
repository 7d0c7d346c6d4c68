package playback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

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
	Cache    int64          // bytes that generated tables may take; 0 means 128 MiB
	Poll     time.Duration  // how often to look for new footage; 0 means 500 ms
	Log      *slog.Logger
}

// The caches' other bounds. A listing of an hour and an open sample file each take well under a kilobyte or two.
const (
	cachedHours = 2_000
	cachedFiles = 64
	openSamples = 256
)

// A Library is the footage of a data directory. It is safe for concurrent use.
type Library struct {
	o  Options
	db *schema.DB

	rev int64 // of the newest change when the Library was opened

	tables  *lru[tableKey, []byte]
	hours   *lru[hourKey, []*Entry]
	files   *lru[string, *mp4.File] // by ETag
	samples *sampleFiles

	mu      sync.Mutex
	entries map[int64]*mp4.SampleEntry
	days    map[int64][]Span // by stream
	opened  map[*File]struct{}
	deleted deletions
	dirs    map[int64]store.Store // sample directories that were read from
	drops   int                   // how often listings were dropped: one that was read before must not be kept after
	nextSub int
	subs    map[int]func([]Change)
}

// A Change says that the entries of an hour are not what they were.
type Change struct {
	Stream string // label
	Day    Span
	Hour   Span
	Listed bool // a recording was added or deleted; otherwise one that was there has grown
}

// Open opens the footage in a data directory for reading, also while another process records into it.
func Open(ctx context.Context, o Options) (*Library, error) {
	if o.Cache == 0 {
		o.Cache = 128 << 20
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
		tables:  newLRU[tableKey, []byte](o.Cache, nil),
		hours:   newLRU[hourKey, []*Entry](cachedHours, nil),
		files:   newLRU[string, *mp4.File](cachedFiles, nil),
		entries: map[int64]*mp4.SampleEntry{},
		days:    map[int64][]Span{},
		opened:  map[*File]struct{}{},
		deleted: deletions{},
		dirs:    map[int64]store.Store{},
		subs:    map[int]func([]Change){},
	}
	l.samples = newSampleFiles(l.sampleDir, openSamples)
	return l, nil
}

// Close closes the database and the sample files. Files that are open must not be read any more.
func (l *Library) Close() error {
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
	defer l.mu.Unlock()
	if st, ok := l.dirs[id]; ok {
		return st, nil
	}
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
	st, err := store.Open(schema.SampleDirPath(l.o.Data, path), l.db.UUID())
	if err != nil {
		return nil, err
	}
	l.dirs[id] = st
	return st, nil
}

// Location is that of the days and hours.
func (l *Library) Location() *time.Location { return l.o.Location }

// Subscribe has f called with what changed, one call at a time, until cancel is called; with nil when anything may have. f must not wait for anything that
// reads from the Library.
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
	seen := map[hourKey]int{}
	deleted := map[schema.RecordingID]bool{}
	var news []Change
	for _, c := range changes {
		stream := c.Recording.Stream()
		day := dayOf(schema.ToTime(c.Start90k), l.o.Location)
		hour := hourOf(day, c.Start90k, l.o.Location)
		k := hourKey{stream, hour.From90k}
		i, ok := seen[k]
		if !ok {
			i = len(news)
			seen[k] = i
			news = append(news, Change{Stream: label[stream], Day: day, Hour: hour})
		}
		news[i].Listed = news[i].Listed || c.Kind != schema.Grown
		switch c.Kind {
		case schema.Deleted:
			deleted[c.Recording] = true
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
	l.forget(seen, !complete)
	l.release(ctx, deleted)
	l.mu.Lock()
	subs := make([]func([]Change), 0, len(l.subs))
	for _, f := range l.subs {
		subs = append(subs, f)
	}
	l.mu.Unlock()
	for _, f := range subs {
		f(news)
	}
	return changes[len(changes)-1].Rev, nil
}

// forget drops the listings of hours, or every listing.
func (l *Library) forget(changed map[hourKey]int, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drops++
	l.hours.remove(func(k hourKey, _ []*Entry) bool {
		_, ok := changed[k]
		return ok || all
	})
	for k := range changed {
		delete(l.days, k.stream)
	}
	if all {
		clear(l.days)
	}
}

// A Stream is one stream of a camera.
type Stream struct {
	Label  string // "front-door", "front-door.sub"
	Camera string
	Name   string // "main", "sub"
	id     int64
}

// Streams lists the streams that have footage, by label.
func (l *Library) Streams(ctx context.Context) ([]Stream, error) {
	rows, err := l.db.Streams(ctx)
	if err != nil {
		return nil, err
	}
	var streams []Stream
	for _, s := range rows {
		if s.NextNumber > 1 {
			streams = append(streams, Stream{s.Label(), s.Camera, s.Name, s.ID})
		}
	}
	return streams, nil
}

// Stream returns the stream with a label, or ErrNotFound.
func (l *Library) Stream(ctx context.Context, label string) (Stream, error) {
	streams, err := l.Streams(ctx)
	if err != nil {
		return Stream{}, err
	}
	for _, s := range streams {
		if s.Label == label {
			return s, nil
		}
	}
	return Stream{}, fmt.Errorf("stream %s: %w", label, ErrNotFound)
}

// Days lists the local days on which a recording of a stream starts.
func (l *Library) Days(ctx context.Context, s Stream) ([]Span, error) {
	l.mu.Lock()
	days, ok := l.days[s.id]
	drops := l.drops
	l.mu.Unlock()
	if ok {
		return days, nil
	}
	for from := int64(0); ; {
		start, ok, err := l.db.FirstStart(ctx, s.id, from)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		day := dayOf(schema.ToTime(start), l.o.Location)
		days, from = append(days, day), day.To90k
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drops == drops {
		l.days[s.id] = days
	}
	return days, nil
}

// Day returns the day with a name on which a recording starts, or ErrNotFound.
func (l *Library) Day(ctx context.Context, s Stream, name string) (Span, error) {
	day, ok := parseDay(name, l.o.Location)
	if ok {
		ok2, err := l.startsIn(ctx, s, day)
		if ok2 || err != nil {
			return day, err
		}
	}
	return Span{}, fmt.Errorf("%s/%s: %w", s.Label, name, ErrNotFound)
}

func (l *Library) startsIn(ctx context.Context, s Stream, span Span) (bool, error) {
	start, ok, err := l.db.FirstStart(ctx, s.id, span.From90k)
	return ok && start < span.To90k, err
}

// Hours lists the hours of a day in which a recording of a stream starts.
func (l *Library) Hours(ctx context.Context, s Stream, day Span) (hours []Span, err error) {
	from := day.From90k
	for _, h := range hoursOf(day, l.o.Location) {
		if h.To90k <= from {
			continue
		}
		start, ok, err := l.db.FirstStart(ctx, s.id, max(from, h.From90k))
		if err != nil {
			return nil, err
		}
		if !ok || start >= day.To90k {
			break
		}
		from = start
		if start < h.To90k {
			hours = append(hours, h)
		}
	}
	return hours, nil
}

// Hour returns the hour of a day with a name in which a recording starts, or ErrNotFound.
func (l *Library) Hour(ctx context.Context, s Stream, day Span, name string) (Span, error) {
	for _, h := range hoursOf(day, l.o.Location) {
		if h.Name == name {
			ok, err := l.startsIn(ctx, s, h)
			if ok || err != nil {
				return h, err
			}
		}
	}
	return Span{}, fmt.Errorf("%s/%s/%s: %w", s.Label, day.Name, name, ErrNotFound)
}
