package fs

import (
	"context"
	"sort"
	"time"

	"nvrfs/playback"
)

// tree is the root directory: the streams, and the directory that is not listed.
func (s *Server) tree() directory {
	footage := streamsDir{s, func(x playback.Stream) directory { return daysDir{s, x, false} }}
	return rootDir{footage, child{name: hiddenName, dir: s.hidden()}}
}

type rootDir struct {
	directory
	hidden child
}

func (d rootDir) find(ctx context.Context, name string) (child, error) {
	if name == d.hidden.name {
		return d.hidden, nil
	}
	return d.directory.find(ctx, name)
}

// streamsDir has a directory for each stream.
type streamsDir struct {
	s  *Server
	of func(playback.Stream) directory
}

func (d streamsDir) list(ctx context.Context) (listing, error) {
	streams, err := d.s.lib.Streams(ctx)
	return listing{len(streams), func(i int) child {
		return child{name: streams[i].Label, cookie: uint64(i + 1), dir: d.of(streams[i])}
	}}, err
}

func (d streamsDir) find(ctx context.Context, name string) (child, error) {
	x, err := d.s.lib.Stream(ctx, name)
	return child{name: name, dir: d.of(x)}, err
}

func (d streamsDir) modTime() time.Time { return d.s.added() }

// The directories of footage are found again by what they are of: nothing is kept of them. Beside them, there is a tree of the
// same days and hours, where a file tells what an entry is made of.

// daysDir has a directory for each day of a stream.
type daysDir struct {
	s      *Server
	stream playback.Stream
	info   bool // what entries are made of, instead of the entries
}

func (d daysDir) child(day playback.Span) child {
	return child{name: day.Name, cookie: dayCookie(day), dir: hoursDir{d.s, d.stream, day, d.info}}
}

func (d daysDir) list(ctx context.Context) (listing, error) {
	days, err := d.s.lib.Days(ctx, d.stream)
	return listing{len(days), func(i int) child { return d.child(days[i]) }}, err
}

func (d daysDir) find(ctx context.Context, name string) (child, error) {
	day, err := d.s.lib.Day(ctx, d.stream, name)
	return d.child(day), err
}

func (d daysDir) modTime() time.Time { return d.s.added() }

func (d daysDir) place() place { return place{0, streamPlace, d.stream.ID(), d.info} }

const hour90k = 3600 * 90000

// dayCookie counts hours since long before any footage: no day is shorter.
func dayCookie(day playback.Span) uint64 {
	const before = 2000 * 365 * 24
	return uint64(day.From90k/hour90k + before)
}

// hoursDir has a directory for each hour of a day.
type hoursDir struct {
	s      *Server
	stream playback.Stream
	day    playback.Span
	info   bool
}

func (d hoursDir) child(hour playback.Span) child {
	// No hour is shorter than a minute.
	cookie := uint64((hour.From90k-d.day.From90k)/(60*90000) + 1)
	return child{name: hour.Name, cookie: cookie, dir: hourDir{d.s, d.stream, hour, d.info}}
}

func (d hoursDir) list(ctx context.Context) (listing, error) {
	hours, err := d.s.lib.Hours(ctx, d.stream, d.day)
	return listing{len(hours), func(i int) child { return d.child(hours[i]) }}, err
}

func (d hoursDir) find(ctx context.Context, name string) (child, error) {
	hour, err := d.s.lib.Hour(ctx, d.stream, d.day, name)
	return d.child(hour), err
}

func (d hoursDir) modTime() time.Time { return endOf(d.day) }

func (d hoursDir) place() place { return place{d.day.From90k, dayPlace, d.stream.ID(), d.info} }

// hourDir has a file for each entry of an hour.
type hourDir struct {
	s      *Server
	stream playback.Stream
	hour   playback.Span
	info   bool
}

func (d hourDir) child(e *playback.Entry) child {
	c := child{name: e.Name, cookie: uint64(e.Place + 1), entry: e}
	if d.info {
		c = d.s.info(e)
		c.cookie = uint64(e.Place + 1)
	}
	return c
}

func (d hourDir) list(ctx context.Context) (listing, error) {
	entries, err := d.s.lib.Entries(ctx, d.stream, d.hour)
	return listing{len(entries), func(i int) child { return d.child(entries[i]) }}, err
}

func (d hourDir) find(ctx context.Context, name string) (child, error) {
	l, err := d.list(ctx)
	if err != nil {
		return child{}, err
	}
	// Names rise with time, up to where they say the second.
	second := func(name string) string {
		return name[:min(len(name), len(d.stream.Label)+len("_2006-01-02_15-04-05"))]
	}
	for i := sort.Search(l.n, func(i int) bool { return second(l.at(i).name) >= second(name) }); i < l.n; i++ {
		c := l.at(i)
		if c.name == name {
			return c, nil
		}
		if second(c.name) != second(name) {
			break
		}
	}
	return child{}, playback.ErrNotFound
}

func (d hourDir) modTime() time.Time { return endOf(d.hour) }

func (d hourDir) place() place { return place{d.hour.From90k, hourPlace, d.stream.ID(), d.info} }

// added is when footage was added last, as far as this mount has seen.
func (s *Server) added() time.Time { return time.Unix(0, s.newest.Load()) }

// endOf is the modification time of a day or hour: its end, or now while it lasts. Finding out when its footage ends would
// cost a query for each directory of a listing.
func endOf(span playback.Span) time.Time {
	end, now := time.Unix(span.To90k/90000, 0), time.Now()
	if end.After(now) {
		return now
	}
	return end
}
