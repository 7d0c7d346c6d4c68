package fs

import (
	"bytes"
	"context"
	"io"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"nvrfs/playback"
)

// entryNode is one version of an entry.
type entryNode struct {
	base
	e        *playback.Entry
	keepName time.Duration
}

var (
	_ fusefs.NodeOpener    = (*entryNode)(nil)
	_ fusefs.NodeGetattrer = (*entryNode)(nil)
)

func (s *Server) entryNode(e *playback.Entry, keepName time.Duration) *entryNode {
	return &entryNode{base: base{s: s, ino: e.ID}, e: e, keepName: keepName}
}

func (n *entryNode) attr() attr {
	return attr{mode: syscall.S_IFREG | 0o444, size: n.e.Size, modTime: n.e.End, keepName: n.keepName, keepAttr: keepLong}
}

// Getattr implements stat(2).
func (n *entryNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return n.getattr(n, out)
}

// Open returns a handle that shows this version to its end, whatever comes after it.
func (n *entryNode) Open(caller context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if writes(flags) {
		return nil, 0, syscall.EROFS
	}
	ctx, cancel := n.s.request()
	defer cancel()
	f, err := n.s.lib.Open(ctx, n.e, reader(caller))
	if err != nil {
		return nil, 0, n.s.errno("open", n.e.Name, err)
	}
	n.s.count.opens.Add(1)
	n.s.count.openNow.Add(1)
	return &entryHandle{handle{n.s, n.e.Name, f, n.e.Size}, f}, fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH, 0
}

// entryHandle is an open entry.
type entryHandle struct {
	handle
	f *playback.File
}

var (
	_ fusefs.FileReleaser = (*entryHandle)(nil)
	_ fusefs.FileReader   = (*entryHandle)(nil)
)

// Read implements pread(2).
func (h *entryHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	start := time.Now()
	r, errno := h.read(ctx, dest, off)
	h.s.count.read(r, time.Since(start))
	return r, errno
}

func (h *entryHandle) read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if p := h.spliced(off, min(int64(len(dest)), h.size-off)); p != nil {
		return p, 0
	}
	return h.handle.Read(ctx, dest, off)
}

// Release comes when the last descriptor is closed.
func (h *entryHandle) Release(context.Context) syscall.Errno {
	h.s.count.openNow.Add(-1)
	h.f.Close()
	return 0
}

func writes(flags uint32) bool { return flags&syscall.O_ACCMODE != syscall.O_RDONLY }

// textNode is a small file whose content never changes: another content is another inode.
type textNode struct {
	base
	name     string
	text     []byte
	modified time.Time
	keepName time.Duration
}

var (
	_ fusefs.NodeOpener    = (*textNode)(nil)
	_ fusefs.NodeGetattrer = (*textNode)(nil)
)

func (s *Server) textNode(name string, text []byte, modified time.Time, keepName time.Duration) *textNode {
	return &textNode{base{s: s, ino: digest(name, string(text))}, name, text, modified, keepName}
}

func (n *textNode) attr() attr {
	return attr{mode: syscall.S_IFREG | 0o444, size: int64(len(n.text)), modTime: n.modified, keepName: n.keepName, keepAttr: keepLong}
}

// Getattr implements stat(2).
func (n *textNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return n.getattr(n, out)
}

// Open implements open(2).
func (n *textNode) Open(_ context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if writes(flags) {
		return nil, 0, syscall.EROFS
	}
	return textHandle(n.s, n.name, n.text), fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH, 0
}

// handle is an open file.
type handle struct {
	s    *Server
	name string
	r    io.ReaderAt
	size int64
}

func textHandle(s *Server, name string, text []byte) *handle {
	return &handle{s, name, bytes.NewReader(text), int64(len(text))}
}

// Read fills dest up to the end of the file, or fails: where a sample file is shorter than it must be, the kernel would take
// a short answer for zeros or the end of the file.
func (h *handle) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if err := h.s.ctx.Err(); err != nil {
		return nil, h.s.errno("read", h.name, err)
	}
	want := min(int64(len(dest)), h.size-off)
	if want <= 0 {
		return fuse.ReadResultData(nil), 0
	}
	n, err := h.r.ReadAt(dest[:want], off)
	if int64(n) == want {
		return replyWith(dest[:want]), 0
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, h.s.errno("read", h.name, err)
}
