package fs

import (
	"context"
	"hash/fnv"
	"io"
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
	fusefs.Inode
	s   *Server
	ino uint64
}

// A node is a file or directory as the kernel knows it: fixed but for its modification time.
type node interface {
	fusefs.InodeEmbedder
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

func (b *base) fill(out *fuse.Attr, ino uint64, a attr) {
	out.Ino = ino
	out.Mode = a.mode &^ (b.s.o.Umask & 0o777)
	out.Nlink = 1 // for a directory: find must not conclude from it how many directories it has
	out.Uid, out.Gid = b.s.uid, b.s.gid
	out.Size, out.Blocks, out.Blksize = uint64(a.size), uint64(a.size+511)/512, blockSize
	out.SetTimes(&a.modTime, &a.modTime, &a.modTime)
}

// getattr answers Getattr of a node.
func (b *base) getattr(n node, out *fuse.AttrOut) syscall.Errno {
	a := n.attr()
	b.fill(&out.Attr, n.number(), a)
	out.SetTimeout(a.keepAttr)
	return 0
}

// adopt makes n the answer to a lookup in b.
func (b *base) adopt(ctx context.Context, n node, out *fuse.EntryOut) *fusefs.Inode {
	a := n.attr()
	b.fill(&out.Attr, n.number(), a)
	out.SetEntryTimeout(a.keepName)
	out.SetAttrTimeout(a.keepAttr)
	return b.NewInode(ctx, n, fusefs.StableAttr{Mode: a.mode & syscall.S_IFMT, Ino: n.number()})
}

// Statfs answers for the filesystem in which the footage lies.
func (b *base) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
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

// Listxattr has the kernel never ask again.
func (*base) Listxattr(context.Context, []byte) (uint32, syscall.Errno) { return 0, syscall.ENOSYS }

// digest is an inode number that Entry.Inode never has: its highest bit is 0.
func digest(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		io.WriteString(h, p) //nolint:errcheck // never fails
		h.Write([]byte{0})
	}
	return max(h.Sum64()>>1, rootInode+1)
}
