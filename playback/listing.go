package playback

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"

	"nvrfs/media"
	"nvrfs/schema"
)

// A Stream is one stream of a camera.
type Stream struct {
	Label  string // "front-door", "front-door.sub"
	Camera string
	Name   string // "main", "sub" or any other
	id     int64
}

// ID is the number of the stream in the library. It is never given to another stream. It has 31 bits, because ids of recordings have
// no room for more.
func (s Stream) ID() int32 { return int32(s.id) }

// Streams lists the streams that have footage, or had, by label. The slice must not be changed.
func (l *Library) Streams(ctx context.Context) ([]Stream, error) {
	streams, drops := l.listings.knownStreams()
	if streams != nil {
		return streams, nil
	}
	rows, err := l.src.Streams(ctx)
	if err != nil {
		return nil, err
	}
	streams = streamsOf(rows)
	l.listings.keepStreams(streams, drops)
	return streams, nil
}

func streamsOf(rows []schema.Stream) []Stream {
	streams := []Stream{}
	for i := range rows {
		if s, ok := streamOf(&rows[i]); ok {
			streams = append(streams, s)
		}
	}
	return streams
}

// streamOf returns the stream of a row; ok is false where it never had footage.
func streamOf(row *schema.Stream) (s Stream, ok bool) {
	return Stream{row.Label(), row.Camera, row.Name, row.ID}, row.NextNumber > 1
}

// Stream returns the stream with a label, or ErrNotFound.
func (l *Library) Stream(ctx context.Context, label string) (Stream, error) {
	return l.stream(ctx, label, func(s *Stream) bool { return s.Label == label })
}

// StreamByID returns the stream with an id, or ErrNotFound.
func (l *Library) StreamByID(ctx context.Context, id int32) (Stream, error) {
	return l.stream(ctx, id, func(s *Stream) bool { return s.ID() == id })
}

func (l *Library) stream(ctx context.Context, name any, is func(*Stream) bool) (Stream, error) {
	streams, err := l.Streams(ctx)
	if err != nil {
		return Stream{}, err
	}
	for i := range streams {
		if is(&streams[i]) {
			return streams[i], nil
		}
	}
	return Stream{}, fmt.Errorf("stream %v: %w", name, ErrNotFound)
}

// Days lists the local days on which a recording of a stream starts. The slice must not be changed.
func (l *Library) Days(ctx context.Context, s Stream) ([]Span, error) {
	known, ok, drops := l.listings.knownDays(s.id)
	if ok && len(known.unsure) == 0 {
		return known.days, nil
	}
	days, err := l.readDays(ctx, s, known, ok)
	if err != nil {
		return nil, err
	}
	l.listings.keepDays(s.id, days, drops)
	return days, nil
}

// readDays finds the days of a stream by a query for each, or only for those that are unsure.
func (l *Library) readDays(ctx context.Context, s Stream, known streamDays, ok bool) (days []Span, err error) {
	if ok {
		days = slices.Clone(known.days)
		for _, day := range known.unsure {
			there, err := l.startsIn(ctx, s, day)
			if err != nil {
				return nil, err
			}
			if !there {
				days = slices.DeleteFunc(days, func(d Span) bool { return d == day })
			}
		}
		return days, nil
	}
	for from := int64(0); ; {
		start, ok, err := l.src.FirstStart(ctx, s.id, from)
		if err != nil || !ok {
			return days, err
		}
		day := l.calendar.at(start).Span
		days, from = append(days, day), day.To90k
	}
}

// Day returns the day with a name on which a recording starts, or ErrNotFound.
func (l *Library) Day(ctx context.Context, s Stream, name string) (Span, error) {
	day, ok := parseDay(name, l.o.Location)
	if ok {
		ok2, err := l.hasDay(ctx, s, day)
		if ok2 || err != nil {
			return day, err
		}
	}
	return Span{}, fmt.Errorf("%s/%s: %w", s.Label, name, ErrNotFound)
}

// hasDay reports whether a recording starts on a day. It asks the database only if no listing tells.
func (l *Library) hasDay(ctx context.Context, s Stream, day Span) (bool, error) {
	known, ok, _ := l.listings.knownDays(s.id)
	if ok && len(known.unsure) == 0 {
		return slices.Contains(known.days, day), nil
	}
	return l.startsIn(ctx, s, day)
}

func (l *Library) startsIn(ctx context.Context, s Stream, span Span) (bool, error) {
	start, ok, err := l.src.FirstStart(ctx, s.id, span.From90k)
	return ok && start < span.To90k, err
}

// DayAt returns the local day that holds t90k.
func (l *Library) DayAt(t90k int64) Span { return l.calendar.at(t90k).Span }

// HourAt returns the local hour that holds t90k.
func (l *Library) HourAt(t90k int64) Span { return l.calendar.at(t90k).hour(t90k) }

// Hours lists the hours of a day in which a recording of a stream starts. The slice must not be changed. Hours also begins to list
// their entries in the background, because whoever lists a day is likely to ask for them.
func (l *Library) Hours(ctx context.Context, s Stream, day Span) ([]Span, error) {
	d := l.calendar.at(day.From90k)
	defer l.listAhead(s, d)
	if x, ok := l.listings.cache.Get(dayKey{s.id, d.From90k}); ok && x.spans != nil {
		return x.spans, nil
	}
	drops := l.listings.dropped()
	spans, err := l.findHours(ctx, s, d)
	if err == nil {
		l.listings.keep(s.id, d, drops, func(x *listing) { x.spans = spans })
	}
	return spans, err
}

// findHours asks for each hour of a day.
func (l *Library) findHours(ctx context.Context, s Stream, day *calendarDay) ([]Span, error) {
	spans := []Span{}
	from := day.From90k
	for _, h := range day.hours {
		if h.To90k <= from {
			continue
		}
		start, ok, err := l.src.FirstStart(ctx, s.id, max(from, h.From90k))
		if err != nil {
			return nil, err
		}
		if !ok || start >= day.To90k {
			break
		}
		from = start
		if start < h.To90k {
			spans = append(spans, h)
		}
	}
	return spans, nil
}

// Hour returns the hour of a day with a name in which a recording starts, or ErrNotFound.
func (l *Library) Hour(ctx context.Context, s Stream, day Span, name string) (Span, error) {
	hours, err := l.Hours(ctx, s, day)
	if err != nil {
		return Span{}, err
	}
	for _, h := range hours {
		if h.Name == name {
			return h, nil
		}
	}
	return Span{}, fmt.Errorf("%s/%s/%s: %w", s.Label, day.Name, name, ErrNotFound)
}

// Entries lists the entries of an hour by start. The slice must not be changed.
func (l *Library) Entries(ctx context.Context, s Stream, hour Span) ([]*Entry, error) {
	day := l.calendar.at(hour.From90k)
	i := day.index(hour.From90k)
	x, ok := l.listings.cache.Get(dayKey{s.id, day.From90k})
	if !x.whole {
		var err error
		if x, ok, err = l.listDay(ctx, s, day); err != nil {
			return nil, err
		}
	}
	if ok && x.hours[i].known {
		return x.hours[i].entries, nil
	}
	drops := l.listings.dropped()
	newest90k, recs, err := l.newestAndIn(ctx, s, hour)
	if err != nil {
		return nil, err
	}
	entries, err := l.entriesOf(ctx, &s, hour, recs, newest90k)
	if err == nil {
		l.listings.keep(s.id, day, drops, func(x *listing) { x.hours[i] = hourListing{true, entries} })
	}
	return entries, err
}

// mostAtOnce is more recordings than a day has, also one on which a camera reconnects all the time.
const mostAtOnce = 20_000

var rooms = sync.Pool{New: func() any { return new(schema.Room) }}

// listDay lists all hours of a day by one query, since whoever asks for one is about to ask for the others; a goroutine that asks meanwhile waits for
// the result. ok is false if the day has too many recordings, or a row of it is damaged. An hour that cannot be listed is left out, so
// that the error concerns only those who ask for it.
func (l *Library) listDay(ctx context.Context, s Stream, day *calendarDay) (x listing, ok bool, err error) {
	k := dayKey{s.id, day.From90k}
	others, done := l.listings.begin(k)
	if others != nil {
		select {
		case <-others:
		case <-ctx.Done():
			return x, false, ctx.Err()
		}
		if x, ok := l.listings.cache.Get(k); ok && x.whole {
			return x, true, nil
		}
		return l.readDay(ctx, s, day) // that was not kept
	}
	defer done()
	return l.readDay(ctx, s, day)
}

// readDay is like listDay, but does not look whether another goroutine lists the day.
func (l *Library) readDay(ctx context.Context, s Stream, day *calendarDay) (x listing, ok bool, err error) {
	drops := l.listings.dropped()
	newest90k, err := l.newest90k(ctx, s)
	if err != nil {
		return x, false, err
	}
	room := rooms.Get().(*schema.Room)
	defer rooms.Put(room)
	recs, ok, err := l.src.SomeStartingIn(ctx, room, s.id, day.From90k, day.To90k, mostAtOnce)
	if err != nil || !ok {
		if ctx.Err() == nil {
			l.listings.keep(s.id, day, drops, func(x *listing) { x.whole = true }) // its hours are listed one by one
		}
		return x, false, ctx.Err()
	}
	x = listing{whole: true, hours: make([]hourListing, len(day.hours)), spans: []Span{}}
	for i, h := range day.hours {
		n := sort.Search(len(recs), func(i int) bool { return recs[i].Start90k >= h.To90k })
		if n > 0 {
			x.spans = append(x.spans, h)
		}
		entries, err := l.entriesOf(ctx, &s, h, recs[:n], newest90k)
		x.hours[i] = hourListing{err == nil, entries}
		recs = recs[n:]
	}
	if ctx.Err() == nil {
		l.listings.keep(s.id, day, drops, func(kept *listing) { *kept = x })
	}
	return x, true, ctx.Err()
}

// entriesOf makes the entries of an hour from its recordings, which were read after newest90k was.
func (l *Library) entriesOf(ctx context.Context, s *Stream, hour Span, recs []schema.Recording, newest90k int64) ([]*Entry, error) {
	var entries []*Entry
	var names nameCounter
	groups, err := l.groups(ctx, recs)
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		start90k := group[0].Start90k
		order := orderOf(start90k-hour.From90k, names.count(start90k))
		e, err := l.entry(ctx, &Entry{
			Name: l.NameAt(*s, hour, order), Order: order, stream: s, kind: hourEntry, from90k: hour.From90k, to90k: hour.To90k,
		}, group, newest90k)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// nthBits of an entry's Order tell entries that start in the same second apart, from 0. The higher bits say when it starts.
const nthBits = 16

func orderOf(offset90k int64, nth int) int64 {
	return offset90k<<nthBits | int64(min(nth-1, 1<<nthBits-1))
}

// NameAt returns the name of the entry with an Order in an hour of a stream.
func (l *Library) NameAt(s Stream, hour Span, order int64) string {
	return entryName(s.Label, hour.From90k+order>>nthBits, hour, l.o.Location, int(order&(1<<nthBits-1))+1)
}

// nameCounter counts the entries that start in the same second, because names say no more than the second. It must be called in the
// order of start.
type nameCounter struct {
	second int64
	n      int
}

func (c *nameCounter) count(start90k int64) int {
	if second := media.ToTime(start90k).Unix(); c.n == 0 || second != c.second {
		c.second, c.n = second, 0
	}
	c.n++
	return c.n
}
