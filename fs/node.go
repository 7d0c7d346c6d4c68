package fs

import (
	"context"
	"sort"
	"syscall"
	"time"

	"nvrfs/playback"
)

// How long the kernel keeps names and attributes.
const (
	keepLong  = 24 * time.Hour // what never changes, or what the notifier tells the kernel of
	keepBrief = time.Second    // what nobody tells the kernel of
)

const (
	rootInode = 1
	blockSize = 128 << 10 // good size of a read
)

// A node is a file or directory as the kernel knows it, by its inode number: fixed but for its modification time. It is a dirNode
// or a file.
type node interface {
	number() uint64
	ref() playback.Ref // where it is found again; zero where only the node itself says
	attr() attr
}

// A file is a node that can be opened.
type file interface {
	node
	// open returns a handle that shows the file to its end as it is now, whatever comes after it. reader names who reads it.
	open(ctx context.Context, reader string) (handle, error)
}

// A handle is an open file.
type handle interface {
	// read fills dest up to the end of the file, or fails: the kernel would take a short answer for zeros or the end of the file.
	read(dest []byte, off int64) (reply, error)
	close()
}

// attr is what differs between nodes.
type attr struct {
	mode     uint32 // type and permissions
	size     int64
	modTime  time.Time
	keepName time.Duration // how long the kernel keeps the name
	keepAttr time.Duration // how long the kernel keeps the attributes
	changes  bool          // the content is made anew at each open
}

// nodeOf returns what the kernel is to know of a node of playback. path returns the path of n, if it is needed.
func (s *Server) nodeOf(n *playback.Node, path func() string) node {
	switch {
	case n.IsDir():
		return s.dirNode(n.Dir)
	case n.Entry != nil:
		e := &entryNode{s: s, e: n.Entry, in: n.Ref()}
		if e.in == (playback.Ref{}) {
			e.path = path()
		}
		return e
	}
	return s.textNode(n, path)
}

// dirNode is a directory in the mount.
type dirNode struct {
	s    *Server
	d    playback.Dir
	path string // from the root, with a slash before each name
}

func (s *Server) dirNode(d playback.Dir) *dirNode { return &dirNode{s, d, d.Path()} }

func (n *dirNode) number() uint64    { return inoOf(n.path) }
func (n *dirNode) ref() playback.Ref { return n.d.Ref() }

func (n *dirNode) attr() attr {
	return attr{mode: syscall.S_IFDIR | 0o555, modTime: n.modTime(), keepName: keepLong, keepAttr: keepLong}
}

// modTime is when the content changed last, as far as that is known: of a day or hour its end, or now while it lasts. Finding out
// when its footage ends would cost a query for each directory of a listing.
func (n *dirNode) modTime() time.Time {
	if n.d.Fixed() {
		return n.s.started
	}
	span, ok := n.d.Span()
	if !ok {
		return n.s.added()
	}
	end, now := time.Unix(span.To90k/90000, 0), time.Now()
	if end.After(now) {
		return now
	}
	return end
}

// added is when footage was added last, as far as this mount has seen.
func (s *Server) added() time.Time { return time.Unix(0, s.newest.Load()) }

// lookup finds a child by its name. If there is none, the kernel asks again next time.
func (n *dirNode) lookup(ctx context.Context, name string) (node, error) {
	c, err := n.s.view.Find(ctx, n.d, name)
	if err != nil {
		return nil, err
	}
	return n.child(&c), nil
}

// child returns what the kernel is to know of a child.
func (n *dirNode) child(c *playback.Node) node {
	return n.s.nodeOf(c, func() string { return n.path + "/" + c.Name })
}

// dirEntry is a line of a listing.
type dirEntry struct {
	name   string
	mode   uint32
	ino    uint64
	cookie uint64 // where the next request goes on, behind this line
}

// Cookies of the names that every directory has; those of the others come after them.
const (
	dotCookie = 1 + iota
	dotDotCookie
)

// read lists the directory from behind a cookie, until add has no room. known returns the node of a line that need not be looked
// up; it is nil for the others. Directories are not opened: each call may meet another listing.
func (n *dirNode) read(ctx context.Context, after uint64, add func(e dirEntry, known func() node) bool) error {
	l, err := n.s.view.List(ctx, n.d)
	if err != nil {
		return err
	}
	n.readFrom(l, after, add)
	return nil
}

func (n *dirNode) readFrom(l playback.Listing, after uint64, add func(e dirEntry, known func() node) bool) {
	if after < dotCookie && !add(dirEntry{".", syscall.S_IFDIR, n.number(), dotCookie}, nil) {
		return
	}
	if after < dotDotCookie && !add(dirEntry{"..", syscall.S_IFDIR, inoOf(n.d.Parent().Path()), dotDotCookie}, nil) {
		return
	}
	var c playback.Node
	known := func() node { return n.child(&c) }
	for i := sort.Search(l.N, func(i int) bool { return l.At(i).Order+dotDotCookie > after }); i < l.N; i++ {
		c = l.At(i)
		e := dirEntry{name: c.Name, mode: syscall.S_IFREG, cookie: c.Order + dotDotCookie}
		of := known
		switch {
		case c.Entry != nil:
			e.ino = c.Entry.ID
		case c.IsDir():
			e.mode, e.ino = syscall.S_IFDIR, inoOf(n.path+"/"+c.Name)
		default:
			e.ino, of = inoOf(n.path+"/"+c.Name), nil
		}
		if !add(e, of) {
			return
		}
	}
}

// inoOf returns the inode number of a directory.
func inoOf(path string) uint64 {
	if path == "" {
		return rootInode
	}
	return digest(path)
}

// digest is an inode number that no Entry.ID is: its highest bit is 0. It is FNV-1a of the parts, with a zero behind each.
func digest(parts ...string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, p := range parts {
		for i := range len(p) {
			h = (h ^ uint64(p[i])) * prime
		}
		h *= prime
	}
	return max(h>>1, rootInode+1)
}
