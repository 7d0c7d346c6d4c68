package fs

import (
	"context"
	_ "embed"
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
		{name: "info", dir: streamsDir{s, func(x playback.Stream) directory { return daysDir{s, x, s.info} }}},
		{name: "status.json", file: status.node},
	}}
}

// fixedDir has children that never change.
type fixedDir struct {
	s        *Server
	children []child
}

func (d fixedDir) list(context.Context) ([]child, error) { return d.children, nil }

func (d fixedDir) find(_ context.Context, name string) (child, error) {
	return findIn(d.children, name)
}

func (d fixedDir) modTime() time.Time { return d.s.started }

// clipsDir has a file for every range that there is a name for. It lists none of them.
type clipsDir struct {
	s      *Server
	stream playback.Stream
}

func (d clipsDir) list(context.Context) ([]child, error) { return nil, nil }

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

func (d dayFilesDir) list(ctx context.Context) (children []child, err error) {
	days, err := d.s.lib.Days(ctx, d.stream)
	for _, day := range days {
		children = append(children, child{name: dayFileName(day), file: func(ctx context.Context) (node, error) {
			e, err := d.s.lib.WholeDay(ctx, d.stream, day)
			if err != nil {
				return nil, err
			}
			return d.s.entryNode(e, keepLong), nil
		}})
	}
	return children, err
}

func (d dayFilesDir) find(ctx context.Context, name string) (child, error) {
	children, err := d.list(ctx)
	if err != nil {
		return child{}, err
	}
	return findIn(children, name)
}

func (d dayFilesDir) modTime() time.Time { return d.s.added() }

// info shows what an entry is made of.
func (s *Server) info(e *playback.Entry) child {
	name := e.Name + ".json"
	return child{name: name, file: func(ctx context.Context) (node, error) {
		info, err := s.lib.Info(ctx, e)
		if err != nil {
			return nil, err
		}
		text, err := encode(info)
		if err != nil {
			return nil, err
		}
		return s.textNode(name, text, e.End, keepLong), nil
	}}
}
