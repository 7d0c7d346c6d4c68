package fs

import (
	"sync"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// raw answers the kernel's requests. What is not here is refused for good, and writing by the kernel itself.
//
// In go-fuse's own tree of nodes, each inode that the kernel knows would take a kilobyte, and each directory would have to be
// opened and closed to be listed.
type raw struct {
	fuse.RawFileSystem
	s           *Server
	opensNoDirs bool // the kernel does without opening directories
}

// noOpenDirSupport is FUSE_NO_OPENDIR_SUPPORT of INIT, which Linux has since 5.1.
const noOpenDirSupport = 1 << 24

func newRaw(s *Server) *raw { return &raw{RawFileSystem: fuse.NewDefaultRawFileSystem(), s: s} }

// Init comes before any request.
func (r *raw) Init(server *fuse.Server) {
	r.opensNoDirs = server.KernelSettings().Flags&noOpenDirSupport != 0
}

func (r *raw) String() string { return "nvrfs" }

func (r *raw) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	defer r.s.underWay.begin().Done()
	ctx, cancel := r.s.request()
	defer cancel()
	path := name
	n, err := func() (node, error) {
		d, err := r.s.dir(ctx, in.NodeId)
		if err != nil {
			return nil, err
		}
		path = d.path + "/" + name
		return d.lookup(ctx, name)
	}()
	if err != nil {
		return r.status("look up", path, err)
	}
	r.s.answer(n, out)
	return fuse.OK
}

func (r *raw) status(what, name string, err error) fuse.Status {
	return fuse.Status(r.s.errno(what, name, err))
}

func (r *raw) Forget(ino, lookups uint64) { r.s.nodes.forget(ino, lookups) }

func (r *raw) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	ctx, cancel := r.s.request()
	defer cancel()
	n, err := r.s.node(ctx, in.NodeId)
	if err != nil {
		return r.status("look at", r.s.nameOf(ctx, in.NodeId), err)
	}
	return fuse.Status(n.Getattr(ctx, nil, out))
}

func (r *raw) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	return fuse.Status(r.s.root.Statfs(r.s.ctx, out))
}

// OpenDir tells the kernel, once, that directories need not be opened. It keeps their listings until the notifier says that they
// have changed.
func (r *raw) OpenDir(_ <-chan struct{}, _ *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if r.opensNoDirs {
		return fuse.ENOSYS
	}
	out.OpenFlags = fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

func (r *raw) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return r.readDir(in, func(_ *dirNode, e fuse.DirEntry, _ *child) bool { return out.AddDirEntry(e) })
}

// ReadDirPlus is a listing that is a lookup of each child, too. A file that would have to be made for it is left for the kernel
// to look up.
func (r *raw) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return r.readDir(in, func(d *dirNode, e fuse.DirEntry, c *child) bool {
		entry := out.AddDirLookupEntry(e)
		if entry != nil && c != nil && c.file == nil {
			r.s.answer(d.known(c), entry)
		}
		return entry != nil
	})
}

func (r *raw) readDir(in *fuse.ReadIn, add func(d *dirNode, e fuse.DirEntry, c *child) bool) fuse.Status {
	defer r.s.underWay.begin().Done()
	ctx, cancel := r.s.request()
	defer cancel()
	d, err := r.s.dir(ctx, in.NodeId)
	if err != nil {
		return r.status("list", r.s.nameOf(ctx, in.NodeId), err)
	}
	err = d.read(ctx, in.Offset, func(e fuse.DirEntry, c *child) bool { return add(d, e, c) })
	if err != nil {
		return r.status("list", d.path+"/", err)
	}
	return fuse.OK
}

func (r *raw) Open(cancelled <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	ctx, cancel := r.s.request()
	defer cancel()
	n, err := r.s.node(ctx, in.NodeId)
	if err != nil {
		return r.status("open", r.s.nameOf(ctx, in.NodeId), err)
	}
	file, ok := n.(fusefs.NodeOpener)
	if !ok {
		return fuse.Status(syscall.EISDIR)
	}
	h, flags, errno := file.Open(&fuse.Context{Caller: in.Caller, Cancel: cancelled}, in.Flags)
	if errno != 0 {
		return fuse.Status(errno)
	}
	out.Fh, out.OpenFlags = r.s.handles.add(n, h), flags
	return fuse.OK
}

func (r *raw) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	h, ok := r.s.handles.get(in.Fh).(fusefs.FileReader)
	if !ok {
		return nil, fuse.EBADF
	}
	result, errno := h.Read(r.s.ctx, buf, int64(in.Offset)) // which allocates no context
	return result, fuse.Status(errno)
}

func (r *raw) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	if h, ok := r.s.handles.remove(in.Fh).(fusefs.FileReleaser); ok {
		h.Release(r.s.ctx)
	}
}

// handles are the files that are open.
type handles struct {
	mu   sync.Mutex
	last uint64 // number that was given out
	open map[uint64]openFile
}

type openFile struct {
	node   node
	handle fusefs.FileHandle
}

// add returns the number of a new handle of a node.
func (t *handles) add(n node, h fusefs.FileHandle) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	t.open[t.last] = openFile{n, h}
	return t.last
}

// get returns a handle, or nil.
func (t *handles) get(fh uint64) fusefs.FileHandle {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[fh].handle
}

// remove forgets a handle, and returns it.
func (t *handles) remove(fh uint64) fusefs.FileHandle {
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
