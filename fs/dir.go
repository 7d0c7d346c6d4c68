package fs

import (
	"context"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// A directory says what is in it.
type directory interface {
	// list returns the children that are shown, in order.
	list(ctx context.Context) ([]child, error)
	// find returns the child with a name, or playback.ErrNotFound. It may find more than is listed.
	find(ctx context.Context, name string) (child, error)
	// modTime is when the content changed last, as far as that is known.
	modTime() time.Time
}

// child is what a directory has under a name: a directory, or a file that is made when it is looked up.
type child struct {
	name string
	dir  directory
	ino  uint64 // of a file, where it is known; for listings
	file func(context.Context) (node, error)
}

// dirNode is a directory in the mount.
type dirNode struct {
	base
	d    directory
	path string // from the root, with a slash before each name
}

var (
	_ fusefs.NodeLookuper       = (*dirNode)(nil)
	_ fusefs.NodeOpendirHandler = (*dirNode)(nil)
	_ fusefs.NodeGetattrer      = (*dirNode)(nil)
	_ fusefs.NodeStatfser       = (*dirNode)(nil)
	_ fusefs.NodeListxattrer    = (*dirNode)(nil)
)

func (n *dirNode) attr() attr {
	return attr{mode: syscall.S_IFDIR | 0o555, modTime: n.d.modTime(), keepName: keepLong, keepAttr: keepLong}
}

// Getattr implements stat(2).
func (n *dirNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return n.getattr(n, out)
}

// Lookup finds a child by its name. That there is none is not kept by the kernel.
func (n *dirNode) Lookup(_ context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	ctx, cancel := n.s.request()
	defer cancel()
	c, err := n.d.find(ctx, name)
	if err != nil {
		return nil, n.s.errno("look up", n.path+"/"+name, err)
	}
	found, err := n.child(ctx, c)
	if err != nil {
		return nil, n.s.errno("look up", n.path+"/"+name, err)
	}
	return n.adopt(ctx, found, out), 0
}

func (n *dirNode) child(ctx context.Context, c child) (node, error) {
	if c.dir == nil {
		return c.file(ctx)
	}
	path := n.path + "/" + c.name
	return &dirNode{base: base{s: n.s, ino: digest(path)}, d: c.dir, path: path}, nil
}

// OpendirHandle implements opendir(3). The kernel keeps the listing until the notifier says that it has changed.
func (n *dirNode) OpendirHandle(context.Context, uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return &dirHandle{n: n}, fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE, 0
}

// dirHandle is an open directory. It is read only where the kernel has not kept the listing.
type dirHandle struct {
	n       *dirNode
	read    bool
	entries []fuse.DirEntry
	at      int // index of the next entry
}

var (
	_ fusefs.FileReaddirenter = (*dirHandle)(nil)
	_ fusefs.FileSeekdirer    = (*dirHandle)(nil)
)

// Readdirent returns the next entry; go-fuse makes one call at a time.
func (h *dirHandle) Readdirent(context.Context) (*fuse.DirEntry, syscall.Errno) {
	if errno := h.load(); errno != 0 || h.at >= len(h.entries) {
		return nil, errno
	}
	h.at++
	return &h.entries[h.at-1], 0
}

// Seekdir goes on behind the entry with offset off; 0 is the start.
func (h *dirHandle) Seekdir(_ context.Context, off uint64) syscall.Errno {
	if off == 0 {
		h.read = false
	}
	if errno := h.load(); errno != 0 {
		return errno
	}
	if off > uint64(len(h.entries)) {
		return syscall.EINVAL
	}
	h.at = int(off)
	return 0
}

// load reads the directory, once, so that offsets keep their meaning.
func (h *dirHandle) load() syscall.Errno {
	if h.read {
		return 0
	}
	ctx, cancel := h.n.s.request()
	defer cancel()
	children, err := h.n.d.list(ctx)
	if err != nil {
		return h.n.s.errno("list", h.n.path+"/", err)
	}
	parent := uint64(rootInode)
	if _, p := h.n.Parent(); p != nil {
		parent = p.StableAttr().Ino
	}
	h.entries = []fuse.DirEntry{
		{Name: ".", Mode: syscall.S_IFDIR, Ino: h.n.ino},
		{Name: "..", Mode: syscall.S_IFDIR, Ino: parent},
	}
	for _, c := range children {
		h.entries = append(h.entries, h.n.entry(c))
	}
	for i := range h.entries {
		h.entries[i].Off = uint64(i + 1)
	}
	h.read, h.at = true, 0
	return 0
}

func (n *dirNode) entry(c child) fuse.DirEntry {
	e := fuse.DirEntry{Name: c.name, Mode: syscall.S_IFREG, Ino: c.ino}
	if c.dir != nil {
		e.Mode = syscall.S_IFDIR
	}
	if e.Ino == 0 {
		e.Ino = digest(n.path + "/" + c.name)
	}
	return e
}
