package fs

import (
	"context"
	_ "embed"
	"strings"
	"time"

	"nvrfs/playback"
)

// hiddenName is the directory of the root that is not listed.
const hiddenName = ".nvrfs"

//go:embed README.txt
var readme []byte

// hidden is the directory that is not listed.
func (s *Server) hidden() directory {
	status := &statusFile{s: s}
	return fixedDir{s, []child{
		{name: "README.txt", file: func(context.Context) (node, error) {
			return s.textNode("README.txt", readme, s.started, keepLong), nil
		}},
		{name: "clips", dir: streamsDir{s, func(x playback.Stream) directory { return clipsDir{s, x} }}},
		{name: "days", dir: streamsDir{s, func(x playback.Stream) directory { return dayFilesDir{s, x} }}},
		{name: "info", dir: streamsDir{s, func(x playback.Stream) directory { return daysDir{s, x, true} }}},
		{name: "status.json", file: status.node},
	}}
}

// fixedDir has children that never change.
type fixedDir struct {
	s        *Server
	children []child
}

func (d fixedDir) list(context.Context) (listing, error) { return listed(d.children), nil }

func (d fixedDir) find(_ context.Context, name string) (child, error) {
	return findIn(d.children, name)
}

func (d fixedDir) modTime() time.Time { return d.s.started }

// clipsDir has a file for every range that there is a name for. It lists none of them.
type clipsDir struct {
	s      *Server
	stream playback.Stream
}

func (d clipsDir) list(context.Context) (listing, error) { return listing{}, nil }

func (d clipsDir) find(_ context.Context, name string) (child, error) {
	from, to, ok := playback.ParseClipName(name, d.s.lib.Location())
	if !ok {
		return child{}, playback.ErrNotFound
	}
	return child{name: name, file: func(ctx context.Context) (node, error) {
		e, err := d.s.lib.Clip(ctx, d.stream, from, to)
		if err != nil {
			return nil, err
		}
		return d.s.entryNode(e, keepBrief), nil // nobody knows which names take in footage that is new
	}}, nil
}

func (d clipsDir) modTime() time.Time { return d.s.added() }

// dayFilesDir has a file for each day of a stream.
type dayFilesDir struct {
	s      *Server
	stream playback.Stream
}

// dayFileName is the name of the file of a whole day.
func dayFileName(day playback.Span) string { return day.Name + ".mp4" }

func (d dayFilesDir) child(day playback.Span) child {
	return child{name: dayFileName(day), cookie: dayCookie(day), file: func(ctx context.Context) (node, error) {
		e, err := d.s.lib.WholeDay(ctx, d.stream, day)
		if err != nil {
			return nil, err
		}
		return d.s.entryNode(e, keepLong), nil
	}}
}

func (d dayFilesDir) list(ctx context.Context) (listing, error) {
	days, err := d.s.lib.Days(ctx, d.stream)
	return listing{len(days), func(i int) child { return d.child(days[i]) }}, err
}

func (d dayFilesDir) find(ctx context.Context, name string) (child, error) {
	day, ok := strings.CutSuffix(name, ".mp4")
	if !ok {
		return child{}, playback.ErrNotFound
	}
	span, err := d.s.lib.Day(ctx, d.stream, day)
	return d.child(span), err
}

func (d dayFilesDir) modTime() time.Time { return d.s.added() }

// infoNode is a file that tells what an entry is made of.
type infoNode struct {
	*textNode
	place place
}

// info shows what an entry is made of.
func (s *Server) info(e *playback.Entry) child {
	return child{name: e.Name + infoSuffix, file: func(ctx context.Context) (node, error) { return s.infoNode(ctx, e) }}
}

func (s *Server) infoNode(ctx context.Context, e *playback.Entry) (node, error) {
	info, err := s.lib.Info(ctx, e)
	if err != nil {
		return nil, err
	}
	text, err := encode(info)
	if err != nil {
		return nil, err
	}
	return &infoNode{s.textNode(e.Name+infoSuffix, text, e.End, keepLong), placeOf(e, true)}, nil
}

const infoSuffix = ".json"
