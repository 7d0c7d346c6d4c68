package fs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"nvrfs/playback"
)

// nodes are the inodes that the kernel knows. There may be a hundred thousand, so only the Ref of nearly every one is kept, by which
// the node is found again when the kernel asks for it.
type nodes struct {
	mu    sync.Mutex
	known map[uint64]known    // by inode number; it has no pointers, which the garbage collector would follow
	files map[uint64][]uint64 // the numbers of those that lie in an hour, by the hash of that, since there may be as many as files
	kept  map[uint64]node     // those that no Ref finds, or not as they were looked up
}

type known struct {
	ref     playback.Ref // zero where only kept has it
	lookups uint64
}

func newNodes() nodes {
	return nodes{known: map[uint64]known{}, files: map[uint64][]uint64{}, kept: map[uint64]node{}}
}

// remember counts a lookup of a node.
func (t *nodes) remember(n node) {
	ref := n.ref()
	keep := ref == playback.Ref{}
	if e, ok := n.(*entryNode); ok && e.e.Newest() {
		keep = true // one that grows may be opened as it was looked up
	}
	ino := n.number()
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.known[ino]
	t.known[ino] = known{ref, was.lookups + 1}
	if ref != was.ref {
		t.forgetFileLocked(ino, was.ref)
		if hour, ok := ref.Hour(); ok {
			t.files[hour.Hash()] = append(t.files[hour.Hash()], ino)
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
		t.forgetFileLocked(ino, k.ref)
		return
	}
	k.lookups -= lookups
	t.known[ino] = k
}

// get returns what the kernel knows by an inode number: a node, or where one is.
func (t *nodes) get(ino uint64) (n node, ref playback.Ref, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.known[ino]
	return t.kept[ino], k.ref, ok
}

// forgetFileLocked takes a file out of its hour.
func (t *nodes) forgetFileLocked(ino uint64, ref playback.Ref) {
	hour, ok := ref.Hour()
	if !ok {
		return
	}
	left := slices.DeleteFunc(t.files[hour.Hash()], func(x uint64) bool { return x == ino })
	if len(left) == 0 {
		delete(t.files, hour.Hash())
	} else {
		t.files[hour.Hash()] = left
	}
}

// in returns where the files are that are known in an hour, by inode number.
func (t *nodes) in(hour playback.Ref) map[uint64]playback.Ref {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := map[uint64]playback.Ref{}
	for _, ino := range t.files[hour.Hash()] {
		ref := t.known[ino].ref
		if of, _ := ref.Hour(); of == hour {
			found[ino] = ref
		}
	}
	return found
}

// all returns where everything is that is known, by inode number.
func (t *nodes) all() map[uint64]playback.Ref {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := make(map[uint64]playback.Ref, len(t.known))
	for ino, k := range t.known {
		found[ino] = k.ref
	}
	return found
}

// node returns what the kernel knows by an inode number, as it was looked up: what is kept, is open, or is found again. Otherwise
// it returns playback.ErrStale.
func (s *Server) node(ctx context.Context, ino uint64) (node, error) {
	n, ref, ok := s.nodes.get(ino)
	if !ok {
		return nil, playback.ErrStale
	}
	if n != nil {
		return n, nil
	}
	if _, ok := ref.Hour(); ok {
		if n := s.handles.node(ino); n != nil && !n.attr().changes {
			return n, nil
		}
	}
	found, err := s.view.At(ctx, ref)
	if err != nil {
		return nil, err
	}
	n = s.nodeOf(&found, func() string { return s.pathOf(ctx, ino) })
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
		return nil, playback.ErrNotDir
	}
	return d, nil
}

// errIsDir says that a directory cannot be opened as a file.
var errIsDir = errors.New("it is a directory")

// file returns a file that the kernel knows.
func (s *Server) file(ctx context.Context, ino uint64) (file, error) {
	n, err := s.node(ctx, ino)
	if err != nil {
		return nil, err
	}
	f, ok := n.(file)
	if !ok {
		return nil, errIsDir
	}
	return f, nil
}

// pathOf returns the path of what the kernel knows by an inode number, as far as that can be told.
func (s *Server) pathOf(ctx context.Context, ino uint64) string {
	n, ref, _ := s.nodes.get(ino)
	if e, ok := n.(*entryNode); ok && e.path != "" {
		return e.path
	}
	parent, name, err := s.view.Where(ctx, ref)
	switch {
	case err != nil:
		return fmt.Sprintf("inode %d", ino)
	case name == "": // the root
		return ""
	}
	return parent.Path() + "/" + name
}

// handles are the files that are open.
type handles struct {
	mu   sync.Mutex
	last uint64 // number that was given out
	open map[uint64]openFile
}

type openFile struct {
	node   node
	handle handle
}

// add returns the number of a new handle of a node.
func (t *handles) add(n node, h handle) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	t.open[t.last] = openFile{n, h}
	return t.last
}

// get returns a handle, or nil.
func (t *handles) get(fh uint64) handle {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[fh].handle
}

// remove forgets a handle, and returns it, or nil.
func (t *handles) remove(fh uint64) handle {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.open[fh].handle
	delete(t.open, fh)
	return h
}

// node returns what is open with an inode number, or nil.
func (t *handles) node(ino uint64) node {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.open {
		if f.node.number() == ino {
			return f.node
		}
	}
	return nil
}
