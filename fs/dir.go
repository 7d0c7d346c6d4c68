package fs

import (
	"context"
	"sort"
	"strings"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"nvrfs/playback"
)

// A directory says what is in it.
type directory interface {
	// list returns the children that are shown, by cookie.
	list(ctx context.Context) (listing, error)
	// find returns the child with a name, or playback.ErrNotFound. It may find more than is listed.
	find(ctx context.Context, name string) (child, error)
	// modTime is when the content changed last, as far as that is known.
	modTime() time.Time
}

// listing is what a directory shows: n children, each of which is made when it is asked for.
type listing struct {
	n  int
	at func(i int) child
}

// child is what a directory has under a name: a directory, an entry, or a file that is made when it is looked up.
type child struct {
	name string
	// cookie is where the child stands in its directory, from 1. It stays the same when others come and go, so that a listing
	// that is read in parts misses nothing.
	cookie uint64

	dir   directory
	entry *playback.Entry
	file  func(context.Context) (node, error)
}

// listed is a listing of children whose cookies are not filled in, and which never change.
func listed(children []child) listing {
	return listing{len(children), func(i int) child {
		c := children[i]
		c.cookie = uint64(i + 1)
		return c
	}}
}

// findIn returns the child with a name.
func findIn(children []child, name string) (child, error) {
	for _, c := range children {
		if c.name == name {
			return c, nil
		}
	}
	return child{}, playback.ErrNotFound
}

// dirNode is a directory in the mount.
type dirNode struct {
	base
	d    directory
	path string // from the root, with a slash before each name
}

func (s *Server) dirNode(d directory, path string) *dirNode {
	return &dirNode{base{s, inoOf(path)}, d, path}
}

// inoOf returns the inode number of a directory.
func inoOf(path string) uint64 {
	if path == "" {
		return rootInode
	}
	return digest(path)
}

// parentOf returns the path of the directory that a path is in.
func parentOf(path string) string { return path[:strings.LastIndexByte(path, '/')] }

func (n *dirNode) attr() attr {
	return attr{mode: syscall.S_IFDIR | 0o555, modTime: n.d.modTime(), keepName: keepLong, keepAttr: keepLong}
}

// Getattr implements stat(2).
func (n *dirNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return n.getattr(n, out)
}

// lookup finds a child by its name. That there is none is not kept by the kernel.
func (n *dirNode) lookup(ctx context.Context, name string) (node, error) {
	c, err := n.d.find(ctx, name)
	if err != nil {
		return nil, err
	}
	return n.child(ctx, &c)
}

func (n *dirNode) child(ctx context.Context, c *child) (node, error) {
	if c.file != nil {
		return c.file(ctx)
	}
	return n.known(c), nil
}

// known returns a child that need not be made.
func (n *dirNode) known(c *child) node {
	if c.dir != nil {
		return n.s.dirNode(c.dir, n.path+"/"+c.name)
	}
	return n.s.entryNode(c.entry, keepLong)
}

// Cookies of the names that every directory has; the others come after them.
const (
	dotCookie = 1 + iota
	dotDotCookie
)

// read lists the directory from behind a cookie, until add has no room. Directories are not opened: each call may meet another
// listing.
func (n *dirNode) read(ctx context.Context, after uint64, add func(e fuse.DirEntry, c *child) bool) error {
	l, err := n.d.list(ctx)
	if err != nil {
		return err
	}
	if after < dotCookie && !add(fuse.DirEntry{Name: ".", Mode: syscall.S_IFDIR, Ino: n.ino, Off: dotCookie}, nil) {
		return nil
	}
	parent := inoOf("")
	if n.path != "" {
		parent = inoOf(parentOf(n.path))
	}
	if after < dotDotCookie && !add(fuse.DirEntry{Name: "..", Mode: syscall.S_IFDIR, Ino: parent, Off: dotDotCookie}, nil) {
		return nil
	}
	for i := sort.Search(l.n, func(i int) bool { return l.at(i).cookie+dotDotCookie > after }); i < l.n; i++ {
		c := l.at(i)
		e := fuse.DirEntry{Name: c.name, Mode: syscall.S_IFREG, Off: c.cookie + dotDotCookie}
		switch {
		case c.dir != nil:
			e.Mode, e.Ino = syscall.S_IFDIR, digest(n.path+"/"+c.name)
		case c.entry != nil:
			e.Ino = c.entry.ID
		default:
			e.Ino = digest(n.path + "/" + c.name)
		}
		if !add(e, &c) {
			return nil
		}
	}
	return nil
}
