package fs

import (
	"bytes"
	"context"
	"io"
	"syscall"
	"time"

	"nvrfs/playback"
)

// entryNode is one version of an entry.
type entryNode struct {
	s    *Server
	e    *playback.Entry
	in   playback.Ref // zero for clips and whole days
	path string       // of clips and whole days, which the Ref does not tell
}

func (n *entryNode) number() uint64    { return n.e.ID }
func (n *entryNode) ref() playback.Ref { return n.in }

func (n *entryNode) attr() attr {
	a := attr{mode: syscall.S_IFREG | 0o444, size: n.e.Size, modTime: n.e.End, keepName: keepLong, keepAttr: keepLong}
	if n.e.IsClip() {
		a.keepName = keepBrief // nobody knows which names take in footage that is new
	}
	return a
}

// open implements file.
func (n *entryNode) open(ctx context.Context, reader string) (handle, error) {
	f, err := n.s.view.Open(ctx, n.e, reader)
	if err != nil {
		return nil, err
	}
	n.s.count.opens.Add(1)
	n.s.count.openNow.Add(1)
	return &entryHandle{n.s, f, n.e.Size}, nil
}

// entryHandle is an open entry.
type entryHandle struct {
	s    *Server
	f    *playback.File
	size int64
}

// read implements handle.
func (h *entryHandle) read(dest []byte, off int64) (reply, error) {
	start := time.Now()
	r, err := h.readAt(dest, off)
	h.s.count.read(r, time.Since(start))
	return r, err
}

func (h *entryHandle) readAt(dest []byte, off int64) (reply, error) {
	if p := h.spliced(off, min(int64(len(dest)), h.size-off)); p != nil {
		return p, nil
	}
	return readAll(h.s.ctx, h.f, h.size, dest, off)
}

// close implements handle.
func (h *entryHandle) close() {
	h.s.count.openNow.Add(-1)
	h.f.Close()
}

// textNode is a small file whose content never changes, since another content is another inode; but where playback says that it
// changes, each open shows what was then.
type textNode struct {
	s   *Server
	ino uint64
	t   *playback.Text
	in  playback.Ref
}

func (s *Server) textNode(n *playback.Node, path func() string) *textNode {
	ino := uint64(0)
	if n.Text.Changes {
		ino = digest(path())
	} else {
		ino = digest(n.Name, string(n.Text.Bytes))
	}
	return &textNode{s, ino, n.Text, n.Ref()}
}

func (n *textNode) number() uint64    { return n.ino }
func (n *textNode) ref() playback.Ref { return n.in }

func (n *textNode) attr() attr {
	a := attr{mode: syscall.S_IFREG | 0o444, size: int64(len(n.t.Bytes)), modTime: n.t.ModTime, keepName: keepLong, keepAttr: keepLong}
	if n.t.Changes {
		a.keepAttr, a.changes = 0, true
	}
	return a
}

// open implements file.
func (n *textNode) open(context.Context, string) (handle, error) { return (*textHandle)(n), nil }

// textHandle is an open text.
type textHandle textNode

// read implements handle.
func (h *textHandle) read(dest []byte, off int64) (reply, error) {
	return readAll(h.s.ctx, bytes.NewReader(h.t.Bytes), int64(len(h.t.Bytes)), dest, off)
}

// close implements handle.
func (h *textHandle) close() {}

// readAll fills dest from a file of some size. It fails when ctx has ended: nothing is served any more.
func readAll(ctx context.Context, r io.ReaderAt, size int64, dest []byte, off int64) (reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	want := min(int64(len(dest)), size-off)
	if want <= 0 {
		return replyWith(nil), nil
	}
	n, err := r.ReadAt(dest[:want], off)
	if int64(n) == want {
		return replyWith(dest[:want]), nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}
