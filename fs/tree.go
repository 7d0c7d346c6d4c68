package fs

import (
	"context"
	"time"

	"nvrfs/playback"
)

// tree is the root directory: the streams, and the directory that is not listed.
func (s *Server) tree() directory {
	footage := streamsDir{s, func(x playback.Stream) directory { return daysDir{s, x, s.footage} }}
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

func (d streamsDir) list(ctx context.Context) (children []child, err error) {
	streams, err := d.s.lib.Streams(ctx)
	for _, x := range streams {
		children = append(children, child{name: x.Label, dir: d.of(x)})
	}
	return children, err
}

func (d streamsDir) find(ctx context.Context, name string) (child, error) {
	x, err := d.s.lib.Stream(ctx, name)
	return child{name: name, dir: d.of(x)}, err
}

func (d streamsDir) modTime() time.Time { return d.s.added() }

// A leaf makes of an entry what stands for it in the directory of its hour.
type leaf func(*playback.Entry) child

// footage shows an entry as the file that it is.
func (s *Server) footage(e *playback.Entry) child {
	return child{name: e.Name, ino: e.Inode, file: func(context.Context) (node, error) { return s.entryNode(e, keepLong), nil }}
}

// daysDir has a directory for each day of a stream.
type daysDir struct {
	s      *Server
	stream playback.Stream
	leaf   leaf
}

func (d daysDir) child(day playback.Span) child {
	return child{name: day.Name, dir: hoursDir{d.s, d.stream, day, d.leaf}}
}

func (d daysDir) list(ctx context.Context) (children []child, err error) {
	days, err := d.s.lib.Days(ctx, d.stream)
	for _, day := range days {
		children = append(children, d.child(day))
	}
	return children, err
}

func (d daysDir) find(ctx context.Context, name string) (child, error) {
	day, err := d.s.lib.Day(ctx, d.stream, name)
	return d.child(day), err
}

func (d daysDir) modTime() time.Time { return d.s.added() }

// hoursDir has a directory for each hour of a day.
type hoursDir struct {
	s      *Server
	stream playback.Stream
	day    playback.Span
	leaf   leaf
}

func (d hoursDir) child(hour playback.Span) child {
	return child{name: hour.Name, dir: hourDir{d.s, d.stream, hour, d.leaf}}
}

func (d hoursDir) list(ctx context.Context) (children []child, err error) {
	hours, err := d.s.lib.Hours(ctx, d.stream, d.day)
	for _, hour := range hours {
		children = append(children, d.child(hour))
	}
	return children, err
}

func (d hoursDir) find(ctx context.Context, name string) (child, error) {
	hour, err := d.s.lib.Hour(ctx, d.stream, d.day, name)
	return d.child(hour), err
}

func (d hoursDir) modTime() time.Time { return endOf(d.day) }

// hourDir has a file for each entry of an hour.
type hourDir struct {
	s      *Server
	stream playback.Stream
	hour   playback.Span
	leaf   leaf
}

func (d hourDir) list(ctx context.Context) (children []child, err error) {
	entries, err := d.s.lib.Entries(ctx, d.stream, d.hour)
	for _, e := range entries {
		children = append(children, d.leaf(e))
	}
	return children, err
}

func (d hourDir) find(ctx context.Context, name string) (child, error) {
	children, err := d.list(ctx)
	if err != nil {
		return child{}, err
	}
	return findIn(children, name)
}

func (d hourDir) modTime() time.Time { return endOf(d.hour) }

// findIn returns the child with a name.
func findIn(children []child, name string) (child, error) {
	for _, c := range children {
		if c.name == name {
			return c, nil
		}
	}
	return child{}, playback.ErrNotFound
}

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
