package fs

import (
	"context"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
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

// base is what all nodes share.
type base struct {
	s   *Server
	ino uint64
}

// A node is a file or directory as the kernel knows it, by its inode number: fixed but for its modification time. Files have
// Open, too.
type node interface {
	fusefs.NodeGetattrer
	number() uint64
	attr() attr
}

// attr is what differs between nodes.
type attr struct {
	mode     uint32 // type and permissions
	size     int64
	modTime  time.Time
	keepName time.Duration // how long the kernel keeps the name
	keepAttr time.Duration // how long the kernel keeps the attributes
}

func (b *base) number() uint64 { return b.ino }

func (s *Server) fill(out *fuse.Attr, ino uint64, a attr) {
	out.Ino = ino
	out.Mode = a.mode &^ (s.o.Umask & 0o777)
	out.Nlink = 1 // for a directory: find must not conclude from it how many directories it has
	out.Uid, out.Gid = s.uid, s.gid
	out.Size, out.Blocks, out.Blksize = uint64(a.size), uint64(a.size+511)/512, blockSize
	out.SetTimes(&a.modTime, &a.modTime, &a.modTime)
}

// getattr answers Getattr of a node.
func (b *base) getattr(n node, out *fuse.AttrOut) syscall.Errno {
	a := n.attr()
	b.s.fill(&out.Attr, n.number(), a)
	out.SetTimeout(a.keepAttr)
	return 0
}

// answer makes a node the answer to a lookup, which is remembered.
func (s *Server) answer(n node, out *fuse.EntryOut) {
	a := n.attr()
	s.fill(&out.Attr, n.number(), a)
	out.NodeId = n.number()
	out.SetEntryTimeout(a.keepName)
	out.SetAttrTimeout(a.keepAttr)
	s.nodes.remember(n)
}

// Statfs answers for the filesystem in which the footage lies.
func (b *base) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	if b.s.lib.Data() == "" { // whose free space that is nobody here knows
		*out = fuse.StatfsOut{}
		return 0
	}
	var st unix.Statfs_t
	if err := unix.Statfs(b.s.lib.Data(), &st); err != nil {
		return b.s.errno("tell the free space of", b.s.lib.Data(), err)
	}
	*out = fuse.StatfsOut{
		Blocks: st.Blocks, Bfree: st.Bfree, Bavail: st.Bavail, Files: st.Files, Ffree: st.Ffree,
		Bsize: uint32(st.Bsize), Frsize: uint32(st.Frsize), NameLen: uint32(st.Namelen),
	}
	return 0
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
