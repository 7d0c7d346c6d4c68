package fs

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"syscall"

	"nvrfs/playback"
)

// nodes are the inodes that the kernel knows. Of the directories and entries of footage, and of what tells of entries, of which
// there may be a hundred thousand, only the place is kept, where they are found again when the kernel asks for them.
type nodes struct {
	mu    sync.Mutex
	known map[uint64]known     // by inode number; it has no pointers, which the garbage collector would follow
	files map[hourKey][]uint64 // the numbers of those that lie in an hour
	kept  map[uint64]node      // those that place does not find
}

type known struct {
	place   place // zero for what is not footage
	lookups uint64
}

// place says where in the tree of footage something is, or in that which tells what entries are made of.
type place struct {
	from90k int64 // of the day or hour
	at      int64 // of an entry, Entry.Place; otherwise what directory it is
	stream  int32
	info    bool
}

const (
	streamPlace = -1 - iota
	dayPlace
	hourPlace
)

// hour is the place of the hour that an entry is in.
func (p place) hour() place { return place{p.from90k, hourPlace, p.stream, p.info} }

// inHour reports whether it is the place of a file in an hour.
func (p place) inHour() bool { return p != place{} && p.at >= 0 }

// hourKey is a small digest of the place of an hour, of which there are as many as files.
type hourKey uint64

func (p place) key() hourKey {
	k := uint64(p.from90k)<<20 ^ uint64(p.stream)<<1
	if p.info {
		k++
	}
	return hourKey(k)
}

// placeOf returns the place of an entry that an hour lists.
func placeOf(e *playback.Entry, info bool) place {
	from90k, ok := e.Hour()
	if !ok {
		return place{}
	}
	return place{from90k, e.Place, e.Stream().ID(), info}
}

// remember counts a lookup of a node.
func (t *nodes) remember(n node) {
	p, keep := place{}, true
	switch x := n.(type) {
	case *dirNode:
		if d, ok := x.d.(interface{ place() place }); ok {
			p, keep = d.place(), false
		}
	case *entryNode:
		p = placeOf(x.e, false)
		keep = p == place{} || x.e.Newest() // one that grows may be opened as it was looked up
	case *infoNode:
		p, keep = x.place, false
	}
	ino := n.number()
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.known[ino]
	t.known[ino] = known{p, was.lookups + 1}
	if p != was.place {
		t.forgetFileLocked(ino, was.place)
		if p.inHour() {
			t.files[p.key()] = append(t.files[p.key()], ino)
		}
	}
	if keep {
		t.kept[ino] = n
	} else {
		delete(t.kept, ino)
	}
}

// forget takes back lookups.
func (t *nodes) forget(ino, lookups uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.known[ino]
	if k.lookups <= lookups {
		delete(t.known, ino)
		delete(t.kept, ino)
		t.forgetFileLocked(ino, k.place)
		return
	}
	k.lookups -= lookups
	t.known[ino] = k
}

// get returns what the kernel knows by an inode number: a node, or the place of one.
func (t *nodes) get(ino uint64) (n node, p place, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.known[ino]
	return t.kept[ino], k.place, ok
}

// forgetFileLocked takes a file out of its hour.
func (t *nodes) forgetFileLocked(ino uint64, p place) {
	if !p.inHour() {
		return
	}
	left := slices.DeleteFunc(t.files[p.key()], func(x uint64) bool { return x == ino })
	if len(left) == 0 {
		delete(t.files, p.key())
	} else {
		t.files[p.key()] = left
	}
}

// in returns the places of the files that are known in an hour, by inode number.
func (t *nodes) in(hour place) map[uint64]place {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := map[uint64]place{}
	for _, ino := range t.files[hour.key()] {
		if p := t.known[ino].place; p.hour() == hour {
			found[ino] = p
		}
	}
	return found
}

// all returns the places of everything that is known, by inode number.
func (t *nodes) all() map[uint64]place {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := make(map[uint64]place, len(t.known))
	for ino, k := range t.known {
		found[ino] = k.place
	}
	return found
}

// node returns what the kernel knows by an inode number, or playback.ErrStale.
func (s *Server) node(ctx context.Context, ino uint64) (node, error) {
	n, p, ok := s.nodes.get(ino)
	if !ok {
		return nil, playback.ErrStale
	}
	if n != nil {
		return n, nil
	}
	stream, err := s.lib.StreamByID(ctx, p.stream)
	if err != nil {
		return nil, err
	}
	if p.at >= 0 {
		return s.entryAt(ctx, stream, p, ino)
	}
	return s.dirNode(s.dirAt(stream, p), s.pathOf(stream, p)), nil
}

// dirAt returns the directory at a place.
func (s *Server) dirAt(stream playback.Stream, p place) directory {
	switch p.at {
	case streamPlace:
		return daysDir{s, stream, p.info}
	case dayPlace:
		return hoursDir{s, stream, s.lib.DayAt(p.from90k), p.info}
	}
	return hourDir{s, stream, s.lib.HourAt(p.from90k), p.info}
}

// pathOf returns the path of a directory or entry.
func (s *Server) pathOf(stream playback.Stream, p place) string {
	path := "/" + stream.Label
	if p.info {
		path = infoPath + path
	}
	if p.at == streamPlace {
		return path
	}
	path += "/" + s.lib.DayAt(p.from90k).Name
	if p.at == dayPlace {
		return path
	}
	hour := s.lib.HourAt(p.from90k)
	path += "/" + hour.Name
	if p.at == hourPlace {
		return path
	}
	path += "/" + s.lib.NameAt(stream, hour, p.at)
	if p.info {
		path += infoSuffix
	}
	return path
}

// nameOf names what the kernel knows by an inode number, for the log: by its path, where that can be told.
func (s *Server) nameOf(ctx context.Context, ino uint64) string {
	if _, p, _ := s.nodes.get(ino); p != (place{}) {
		if stream, err := s.lib.StreamByID(ctx, p.stream); err == nil {
			return s.pathOf(stream, p)
		}
	}
	return fmt.Sprintf("inode %d", ino)
}

const infoPath = "/" + hiddenName + "/info"

// entryAt returns an entry, or what tells of it, as it was looked up: one that is open, or is still listed.
func (s *Server) entryAt(ctx context.Context, stream playback.Stream, p place, ino uint64) (node, error) {
	if n := s.handles.node(ino); n != nil {
		return n, nil
	}
	entries, err := s.lib.Entries(ctx, stream, s.lib.HourAt(p.from90k))
	if err != nil {
		return nil, err
	}
	i := sort.Search(len(entries), func(i int) bool { return entries[i].Place >= p.at })
	if i == len(entries) || entries[i].Place != p.at {
		return nil, playback.ErrStale
	}
	var n node = s.entryNode(entries[i], keepLong)
	if p.info {
		if n, err = s.infoNode(ctx, entries[i]); err != nil {
			return nil, err
		}
	}
	if n.number() != ino {
		return nil, playback.ErrStale
	}
	return n, nil
}

// dir returns a directory that the kernel knows.
func (s *Server) dir(ctx context.Context, ino uint64) (*dirNode, error) {
	n, err := s.node(ctx, ino)
	if err != nil {
		return nil, err
	}
	d, ok := n.(*dirNode)
	if !ok {
		return nil, syscall.ENOTDIR
	}
	return d, nil
}
