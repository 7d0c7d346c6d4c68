package playback

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"

	"nvrfs/schema"
)

// listings keeps what was listed. Whoever reads rows and then keeps a listing of them must not keep it when something was
// dropped in between: the rows may be from before.
type listings struct {
	streams []Stream             // nil when they are not known
	days    map[int64]streamDays // by stream
	drops   int                  // how often something was dropped
}

// streamDays are the days of a stream.
type streamDays struct {
	days   []Span
	unsure []Span // of which a recording was deleted: nothing may be left of them
}

// add takes in that recordings were added to a day, or deleted from it.
func (x *listings) add(c *Change) {
	known, ok := x.days[c.stream]
	if !ok {
		return
	}
	i, there := slices.BinarySearchFunc(known.days, c.Day.From90k, func(d Span, from90k int64) int { return cmp.Compare(d.From90k, from90k) })
	if !there { // others read the slice
		known.days = slices.Insert(slices.Clone(known.days), i, c.Day)
	}
	if c.deleted {
		known.unsure = append(slices.Clone(known.unsure), c.Day)
	}
	x.days[c.stream] = known
}

// listKey is an hour of a stream, or a day.
type listKey struct {
	stream, from90k int64
	day             bool
}

// listing is what an hour or day has, by start. It must not be changed.
type listing struct {
	entries []*Entry // of an hour
	hours   []Span   // of a day: those in which a recording starts
}

// What a listing takes of the memory, about.
const (
	listingBytes = 200
	entryBytes   = 300
	spanBytes    = 32
	recBytes     = 300
)

func (x listing) bytes() int64 {
	n := int64(listingBytes + entryBytes*len(x.entries) + spanBytes*len(x.hours))
	for _, e := range x.entries {
		n += int64(recBytes * len(e.recs))
	}
	return n
}

// keepListing keeps a listing of rows that were read when drops was the number of drops.
func (l *Library) keepListing(k listKey, x listing, drops int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listed.drops == drops {
		l.lists.keep(k, x, x.bytes())
	}
}

func (l *Library) drops() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.listed.drops
}

// A Stream is one stream of a camera.
type Stream struct {
	Label  string // "front-door", "front-door.sub"
	Camera string
	Name   string // "main", "sub"
	id     int64
}

// ID tells the stream from all others of the library, also of those to come.
func (s Stream) ID() int64 { return s.id }

// Streams lists the streams that have footage, or had, by label. The slice must not be changed.
func (l *Library) Streams(ctx context.Context) ([]Stream, error) {
	l.mu.Lock()
	streams, drops := l.listed.streams, l.listed.drops
	l.mu.Unlock()
	if streams != nil {
		return streams, nil
	}
	rows, err := l.db.Streams(ctx)
	if err != nil {
		return nil, err
	}
	streams = streamsOf(rows)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listed.drops == drops {
		l.listed.streams = streams
	}
	return streams, nil
}

func streamsOf(rows []schema.Stream) []Stream {
	streams := []Stream{}
	for _, s := range rows {
		if s.NextNumber > 1 {
			streams = append(streams, Stream{s.Label(), s.Camera, s.Name, s.ID})
		}
	}
	return streams
}

// Stream returns the stream with a label, or ErrNotFound.
func (l *Library) Stream(ctx context.Context, label string) (Stream, error) {
	return l.stream(ctx, label, func(s *Stream) bool { return s.Label == label })
}

// StreamByID returns the stream with an id, or ErrNotFound.
func (l *Library) StreamByID(ctx context.Context, id int64) (Stream, error) {
	return l.stream(ctx, id, func(s *Stream) bool { return s.id == id })
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
	l.mu.Lock()
	known, ok := l.listed.days[s.id]
	drops := l.listed.drops
	l.mu.Unlock()
	if ok && len(known.unsure) == 0 {
		return known.days, nil
	}
	days, err := l.readDays(ctx, s, known, ok)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listed.drops == drops {
		l.listed.days[s.id] = streamDays{days: days}
	}
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
		start, ok, err := l.db.FirstStart(ctx, s.id, from)
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

// hasDay asks what is known before it asks the database.
func (l *Library) hasDay(ctx context.Context, s Stream, day Span) (bool, error) {
	l.mu.Lock()
	known, ok := l.listed.days[s.id]
	l.mu.Unlock()
	if ok && len(known.unsure) == 0 {
		return slices.Contains(known.days, day), nil
	}
	return l.startsIn(ctx, s, day)
}

func (l *Library) startsIn(ctx context.Context, s Stream, span Span) (bool, error) {
	start, ok, err := l.db.FirstStart(ctx, s.id, span.From90k)
	return ok && start < span.To90k, err
}

// DayAt returns the local day that holds t90k.
func (l *Library) DayAt(t90k int64) Span { return l.calendar.at(t90k).Span }

// HourAt returns the local hour that holds t90k.
func (l *Library) HourAt(t90k int64) Span { return l.calendar.at(t90k).hour(t90k) }

// Hours lists the hours of a day in which a recording of a stream starts. The slice must not be changed.
func (l *Library) Hours(ctx context.Context, s Stream, day Span) ([]Span, error) {
	k := listKey{s.id, day.From90k, true}
	if x, ok := l.lists.get(k); ok {
		return x.hours, nil
	}
	drops := l.drops()
	if !l.knowsHourOf(s, day) {
		if x, err := l.listDay(ctx, s, day); x != nil || err != nil {
			return x, err
		}
	}
	hours, err := l.findHours(ctx, s, day)
	if err == nil {
		l.keepListing(k, listing{hours: hours}, drops)
	}
	return hours, err
}

// knowsHourOf reports whether an hour of a day is listed already: then the others were, too, and only this one has changed, or
// there are too many.
func (l *Library) knowsHourOf(s Stream, day Span) bool {
	return slices.ContainsFunc(l.calendar.at(day.From90k).hours, func(h Span) bool {
		return l.lists.has(listKey{s.id, h.From90k, false})
	})
}

// findHours asks for each hour.
func (l *Library) findHours(ctx context.Context, s Stream, day Span) (hours []Span, err error) {
	from := day.From90k
	for _, h := range l.calendar.at(day.From90k).hours {
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
	k := listKey{s.id, hour.From90k, false}
	if x, ok := l.lists.get(k); ok {
		return x.entries, nil
	}
	if day := l.DayAt(hour.From90k); !l.knowsHourOf(s, day) {
		if _, err := l.listDay(ctx, s, day); err != nil {
			return nil, err
		}
		if x, ok := l.lists.get(k); ok {
			return x.entries, nil
		}
	}
	drops := l.drops()
	newest90k, recs, err := l.startingIn(ctx, s, hour)
	if err != nil {
		return nil, err
	}
	entries, err := l.entriesOf(ctx, &s, hour, recs, newest90k)
	if err != nil {
		return nil, err
	}
	l.keepListing(k, listing{entries: entries}, drops)
	return entries, nil
}

// mostAtOnce is more recordings than a day has in which a camera behaves.
const mostAtOnce = 2000

// listDay lists a day and all its hours by one query, since whoever asks for one is about to ask for the others. It returns
// nil where there is too much.
func (l *Library) listDay(ctx context.Context, s Stream, day Span) ([]Span, error) {
	drops := l.drops()
	newest90k, err := l.newest90k(ctx, s)
	if err != nil {
		return nil, err
	}
	recs, ok, err := l.db.SomeStartingIn(ctx, s.id, day.From90k, day.To90k, mostAtOnce)
	if err != nil || !ok {
		return nil, err
	}
	hours := []Span{}
	for _, h := range l.calendar.at(day.From90k).hours {
		n := sort.Search(len(recs), func(i int) bool { return recs[i].Start90k >= h.To90k })
		var entries []*Entry
		if n > 0 {
			hours = append(hours, h)
			if entries, err = l.entriesOf(ctx, &s, h, recs[:n], newest90k); err != nil {
				return nil, err
			}
		}
		l.keepListing(listKey{s.id, h.From90k, false}, listing{entries: entries}, drops)
		recs = recs[n:]
	}
	l.keepListing(listKey{s.id, day.From90k, true}, listing{hours: hours}, drops)
	return hours, nil
}

// entriesOf makes the entries of an hour from its recordings, which were read after newest90k was.
func (l *Library) entriesOf(ctx context.Context, s *Stream, hour Span, recs []schema.Recording, newest90k int64) ([]*Entry, error) {
	var entries []*Entry
	var names nameCounter
	place := int64(0)
	for _, group := range stretches(recs) {
		start90k := group[0].Start90k
		place = max(place+1, (start90k-hour.From90k)<<placeBits)
		e, err := l.entry(ctx, &Entry{
			Name: entryName(s.Label, start90k, hour, l.o.Location, names.count(start90k)), Place: place,
			stream: s, kind: hourEntry, from90k: hour.From90k, to90k: hour.To90k,
		}, group, newest90k)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// placeBits leaves room between the places of two entries for those that start at the same time.
const placeBits = 10

// nameCounter counts the entries that start in the same second, since names say no more. They come by start.
type nameCounter struct {
	second int64
	n      int
}

func (c *nameCounter) count(start90k int64) int {
	if second := schema.ToTime(start90k).Unix(); c.n == 0 || second != c.second {
		c.second, c.n = second, 0
	}
	c.n++
	return c.n
}
