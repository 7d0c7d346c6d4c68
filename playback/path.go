package playback

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// ErrNotDir says that a path goes on behind a file.
var ErrNotDir = errors.New("it is a file, not a directory")

// The longest path, and the longest name in it, as in Linux.
const (
	longestPath = 4096
	longestName = 255
)

// A Node is what a name of the tree leads to: a directory, an entry or a text. In a Listing, a Node may be none of them: then it is a
// file, and View.Find, which has to look at the footage, returns which.
type Node struct {
	Name  string
	Order uint64 // in a listing, from 1: it rises along the listing, and stays the same when other nodes come and go
	Dir   Dir
	Entry *Entry
	Text  *Text
}

// IsDir reports whether the node is a directory.
func (n *Node) IsDir() bool { return n.Dir.kind != 0 }

// Ref returns the Ref of the node, which is zero for clips and whole days.
func (n *Node) Ref() Ref {
	switch {
	case n.IsDir():
		return n.Dir.Ref()
	case n.Entry != nil:
		return refOf(n.Entry, false)
	case n.Text != nil:
		return n.Text.ref
	}
	return Ref{}
}

// A Listing is what a directory shows: N nodes, each of which is made when it is asked for.
type Listing struct {
	N  int
	At func(i int) Node
}

// Resolve finds the node that a path from the root of the tree leads to. It walks the path name by name, as Linux does: a name before
// a slash is that of a directory, an empty name and "." are the directory itself, and ".." is its parent. canonical is the
// shortest path, that of a directory with a slash at its end. It returns ErrNotFound, or ErrNotDir for a path that goes on behind a
// file.
func (v *View) Resolve(ctx context.Context, path string) (n Node, canonical string, err error) {
	if len(path) > longestPath {
		return n, "", fmt.Errorf("a path of %d bytes: %w", len(path), ErrNotFound)
	}
	n = Node{Dir: Root()}
	for name := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		switch {
		case !n.IsDir():
			return n, "", fmt.Errorf("%q: %w", path, ErrNotDir)
		case name == "" || name == ".":
			continue
		case name == ".." && n.Dir == Root():
			return n, "", fmt.Errorf("%q: %w", path, ErrNotFound)
		case name == "..":
			n = Node{Dir: n.Dir.Parent()}
			continue
		}
		canonical = n.Dir.Path() + "/" + name
		if n, err = v.Find(ctx, n.Dir, name); err != nil {
			return n, "", err
		}
	}
	if n.IsDir() {
		canonical = n.Dir.Path() + "/"
	}
	return n, canonical, nil
}

// Find returns the node that a directory has under a name, or ErrNotFound. It also finds nodes that are not listed, such as clips.
func (v *View) Find(ctx context.Context, d Dir, name string) (n Node, err error) {
	if name == "" || len(name) > longestName || strings.ContainsAny(name, "/\x00") {
		return n, ErrNotFound
	}
	switch d.kind {
	case rootDir:
		if name == hiddenName {
			return Node{Name: name, Dir: Dir{kind: hiddenDir}}, nil
		}
		return v.findStream(ctx, streamDir, false, name)
	case hiddenDir:
		return v.findHidden(ctx, name)
	case clipsDir:
		return v.findStream(ctx, clipFiles, false, name)
	case daysDir:
		return v.findStream(ctx, dayFiles, false, name)
	case infoDir:
		return v.findStream(ctx, streamDir, true, name)
	case clipFiles:
		return v.findClip(ctx, d, name)
	case dayFiles:
		return v.findDayFile(ctx, d, name)
	case streamDir:
		day, err := v.Day(ctx, d.stream, name)
		return d.dayNode(day), err
	case dayDir:
		hour, err := v.Hour(ctx, d.stream, d.day, name)
		return d.hourNode(hour), err
	case hourDir:
		return v.findInHour(ctx, d, name)
	}
	return n, ErrNotFound
}

func (v *View) findStream(ctx context.Context, k kind, info bool, label string) (Node, error) {
	s, err := v.Stream(ctx, label)
	return Node{Name: s.Label, Dir: Dir{kind: k, info: info, stream: s}}, err
}

func (v *View) findHidden(ctx context.Context, name string) (n Node, err error) {
	for _, n := range hiddenNodes {
		if n.Name != name {
			continue
		}
		switch name {
		case readmeName:
			n.Text = v.readme()
		case statusName:
			n.Text, err = v.statusText(ctx)
		}
		return n, err
	}
	return n, ErrNotFound
}

func (v *View) findClip(ctx context.Context, d Dir, name string) (n Node, err error) {
	from, to, ok := ParseClipName(name, v.l.o.Location)
	if !ok {
		return n, ErrNotFound
	}
	n.Name = name
	n.Entry, err = v.Clip(ctx, d.stream, from, to)
	return n, err
}

func (v *View) findDayFile(ctx context.Context, d Dir, name string) (n Node, err error) {
	day, ok := strings.CutSuffix(name, ".mp4")
	if !ok {
		return n, ErrNotFound
	}
	span, err := v.Day(ctx, d.stream, day)
	if err != nil {
		return n, err
	}
	n.Name = name
	n.Entry, err = v.WholeDay(ctx, d.stream, span)
	return n, err
}

func (v *View) findInHour(ctx context.Context, d Dir, name string) (n Node, err error) {
	entry := name
	if d.info {
		var ok bool
		if entry, ok = strings.CutSuffix(name, infoSuffix); !ok {
			return n, ErrNotFound
		}
	}
	entries, err := v.Entries(ctx, d.stream, d.hour)
	if err != nil {
		return n, err
	}
	// Names rise with time, up to where they say the second; behind that they count.
	second := func(name string) string { return name[:min(len(name), len(d.stream.Label)+len("_"+nameFormat))] }
	for i := sort.Search(len(entries), func(i int) bool { return second(entries[i].Name) >= second(entry) }); i < len(entries); i++ {
		if entries[i].Name == entry {
			return v.fileInHour(ctx, entries[i], d.info)
		}
		if second(entries[i].Name) != second(entry) {
			break
		}
	}
	return n, ErrNotFound
}

// fileInHour returns the node of an entry, or of its info file.
func (v *View) fileInHour(ctx context.Context, e *Entry, info bool) (n Node, err error) {
	if !info {
		return Node{Name: e.Name, Entry: e}, nil
	}
	n.Name = e.Name + infoSuffix
	n.Text, err = v.infoText(ctx, e)
	return n, err
}

// At returns the node at a Ref. It returns ErrStale if the entry is no longer there.
func (v *View) At(ctx context.Context, r Ref) (n Node, err error) {
	d, err := v.dirAt(ctx, r)
	if err != nil {
		return n, err
	}
	switch r.kind {
	default:
		return Node{Name: d.Name(), Dir: d}, nil
	case readmeFile:
		return v.findHidden(ctx, readmeName)
	case statusFile:
		return v.findHidden(ctx, statusName)
	case entryFile:
	}
	entries, err := v.Entries(ctx, d.stream, d.hour)
	if err != nil {
		return n, err
	}
	i := sort.Search(len(entries), func(i int) bool { return entries[i].Order >= r.order })
	if i == len(entries) || entries[i].Order != r.order {
		return n, ErrStale
	}
	return v.fileInHour(ctx, entries[i], r.info)
}

// List returns the nodes that a directory shows, by Order.
func (v *View) List(ctx context.Context, d Dir) (Listing, error) {
	switch d.kind {
	case rootDir:
		return v.listStreams(ctx, streamDir, false)
	case hiddenDir:
		return Listing{len(hiddenNodes), func(i int) Node { return hiddenNodes[i] }}, nil
	case clipsDir:
		return v.listStreams(ctx, clipFiles, false)
	case daysDir:
		return v.listStreams(ctx, dayFiles, false)
	case infoDir:
		return v.listStreams(ctx, streamDir, true)
	case clipFiles:
		return Listing{}, v.check(d.stream)
	case dayFiles:
		days, err := v.Days(ctx, d.stream)
		return Listing{len(days), func(i int) Node { return Node{Name: dayFileName(days[i]), Order: dayOrder(days[i])} }}, err
	case streamDir:
		days, err := v.Days(ctx, d.stream)
		return Listing{len(days), func(i int) Node { return d.dayNode(days[i]) }}, err
	case dayDir:
		hours, err := v.Hours(ctx, d.stream, d.day)
		return Listing{len(hours), func(i int) Node { return d.hourNode(hours[i]) }}, err
	case hourDir:
		return v.listHour(ctx, d)
	}
	return Listing{}, ErrNotFound
}

func (v *View) listStreams(ctx context.Context, k kind, info bool) (Listing, error) {
	streams, err := v.Streams(ctx)
	return Listing{len(streams), func(i int) Node {
		return Node{Name: streams[i].Label, Order: uint64(i + 1), Dir: Dir{kind: k, info: info, stream: streams[i]}}
	}}, err
}

func (v *View) listHour(ctx context.Context, d Dir) (Listing, error) {
	entries, err := v.Entries(ctx, d.stream, d.hour)
	return Listing{len(entries), func(i int) Node {
		e := entries[i]
		if d.info {
			return Node{Name: e.Name + infoSuffix, Order: uint64(e.Order + 1)}
		}
		return Node{Name: e.Name, Order: uint64(e.Order + 1), Entry: e}
	}}, err
}

// hiddenNodes are the nodes in .nvrfs. The contents of its texts are made when they are looked up.
var hiddenNodes = []Node{
	{Name: readmeName, Order: 1},
	{Name: clipsName, Order: 2, Dir: Dir{kind: clipsDir}},
	{Name: daysName, Order: 3, Dir: Dir{kind: daysDir}},
	{Name: infoName, Order: 4, Dir: Dir{kind: infoDir}},
	{Name: statusName, Order: 5},
}

func (d Dir) dayNode(day Span) Node {
	return Node{Name: day.Name, Order: dayOrder(day), Dir: Dir{kind: dayDir, info: d.info, stream: d.stream, day: day}}
}

func (d Dir) hourNode(hour Span) Node {
	const minute90k = hour90k / 60 // no hour is shorter than that
	order := uint64((hour.From90k-d.day.From90k)/minute90k + 1)
	return Node{Name: hour.Name, Order: order, Dir: Dir{kind: hourDir, info: d.info, stream: d.stream, day: d.day, hour: hour}}
}

// dayOrder counts hours since long before any footage: no day is shorter.
func dayOrder(day Span) uint64 {
	const before = 2000 * 365 * 24
	return uint64(day.From90k/hour90k + before)
}
