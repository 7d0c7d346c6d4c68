package fs

import (
	"context"
	"log/slog"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// raw answers the kernel's requests: it puts what nodes and handles say into the words of go-fuse, errors among them, and gives
// each request its deadline. What is not here is refused for good, and writing by the kernel itself.
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

// status turns an error into the answer to a request.
func (r *raw) status(what, path string, in *fuse.InHeader, err error) fuse.Status {
	return fuse.Status(r.s.errno(what, path, in.Pid, err))
}

func (r *raw) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	defer r.s.underWay.begin().Done()
	ctx, cancel := r.s.request()
	defer cancel()
	d, err := r.s.dir(ctx, in.NodeId)
	if err != nil {
		return r.status("look up "+name+" in", r.s.pathOf(ctx, in.NodeId), in, err)
	}
	n, err := d.lookup(ctx, name)
	if err != nil {
		return r.status("look up", d.path+"/"+name, in, err)
	}
	r.answer(n, out)
	return fuse.OK
}

// answer makes a node the answer to a lookup, which is remembered.
func (r *raw) answer(n node, out *fuse.EntryOut) {
	a := n.attr()
	r.fill(&out.Attr, n.number(), a)
	out.NodeId = n.number()
	out.SetEntryTimeout(a.keepName)
	out.SetAttrTimeout(a.keepAttr)
	r.s.nodes.remember(n)
}

func (r *raw) fill(out *fuse.Attr, ino uint64, a attr) {
	out.Ino = ino
	out.Mode = a.mode &^ (r.s.o.Umask & 0o777)
	out.Nlink = 1 // for a directory: find must not conclude from it how many directories it has
	out.Uid, out.Gid = r.s.uid, r.s.gid
	out.Size, out.Blocks, out.Blksize = uint64(a.size), uint64(a.size+511)/512, blockSize
	out.SetTimes(&a.modTime, &a.modTime, &a.modTime)
}

func (r *raw) Forget(ino, lookups uint64) { r.s.nodes.forget(ino, lookups) }

func (r *raw) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	ctx, cancel := r.s.request()
	defer cancel()
	n, err := r.s.node(ctx, in.NodeId)
	if err != nil {
		return r.status("look at", r.s.pathOf(ctx, in.NodeId), &in.InHeader, err)
	}
	a := n.attr()
	r.fill(&out.Attr, n.number(), a)
	out.SetTimeout(a.keepAttr)
	return fuse.OK
}

// StatFs answers for the filesystem in which the footage lies.
func (r *raw) StatFs(_ <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	if r.s.view.Data() == "" { // whose free space that is nobody here knows
		*out = fuse.StatfsOut{}
		return fuse.OK
	}
	var st unix.Statfs_t
	if err := unix.Statfs(r.s.view.Data(), &st); err != nil {
		return r.status("tell the free space of", r.s.view.Data(), in, err)
	}
	*out = fuse.StatfsOut{
		Blocks: st.Blocks, Bfree: st.Bfree, Bavail: st.Bavail, Files: st.Files, Ffree: st.Ffree,
		Bsize: uint32(st.Bsize), Frsize: uint32(st.Frsize), NameLen: uint32(st.Namelen),
	}
	return fuse.OK
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
	return r.readDir(in, func(e dirEntry, _ func() node) bool { return out.AddDirEntry(line(e)) })
}

// ReadDirPlus is a listing that is a lookup of each child, too. A file that would have to be made for it is left for the kernel
// to look up.
func (r *raw) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return r.readDir(in, func(e dirEntry, known func() node) bool {
		entry := out.AddDirLookupEntry(line(e))
		if entry != nil && known != nil {
			r.answer(known(), entry)
		}
		return entry != nil
	})
}

func line(e dirEntry) fuse.DirEntry {
	return fuse.DirEntry{Name: e.name, Mode: e.mode, Ino: e.ino, Off: e.cookie}
}

func (r *raw) readDir(in *fuse.ReadIn, add func(e dirEntry, known func() node) bool) fuse.Status {
	defer r.s.underWay.begin().Done()
	ctx, cancel := r.s.request()
	defer cancel()
	d, err := r.s.dir(ctx, in.NodeId)
	if err == nil {
		err = d.read(ctx, in.Offset, add)
	}
	if err != nil {
		return r.status("list", r.s.pathOf(ctx, in.NodeId), &in.InHeader, err)
	}
	return fuse.OK
}

func (r *raw) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if in.Flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return fuse.EROFS
	}
	ctx, cancel := r.s.request()
	defer cancel()
	n, err := r.s.file(ctx, in.NodeId)
	var h handle
	if err == nil {
		h, err = n.open(ctx, r.s.readers.of(in.Pid))
	}
	if err != nil {
		return r.status("open", r.s.pathOf(ctx, in.NodeId), &in.InHeader, err)
	}
	out.Fh, out.OpenFlags = r.s.handles.add(n, h), fuse.FOPEN_NOFLUSH|fuse.FOPEN_KEEP_CACHE
	if n.attr().changes {
		out.OpenFlags = fuse.FOPEN_NOFLUSH | fuse.FOPEN_DIRECT_IO
	}
	return fuse.OK
}

// Read has no deadline of its own, since a context would have to be allocated for each: what it asks of the database has one, and
// a disk that hangs cannot be asked to stop.
func (r *raw) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	h := r.s.handles.get(in.Fh)
	if h == nil {
		return nil, fuse.EBADF
	}
	result, err := h.read(buf, int64(in.Offset))
	if err != nil {
		return nil, r.failed(in, err)
	}
	return result, fuse.OK
}

// failed is the answer to a read that failed.
func (r *raw) failed(in *fuse.ReadIn, err error) fuse.Status {
	ctx, cancel := r.s.request()
	defer cancel()
	return r.status("read", r.s.pathOf(ctx, in.NodeId), &in.InHeader, err)
}

func (r *raw) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	if h := r.s.handles.remove(in.Fh); h != nil {
		h.close()
	}
}

// forgetName has the kernel look a name in the directory at a path up again. That it does not know it is no error.
func (s *Server) forgetName(dir, name string) {
	if ino := inoOf(dir); s.knows(ino) {
		s.server.EntryNotify(ino, name)
	}
}

// forgetListing has the kernel list the directory at a path again, and ask for its attributes.
func (s *Server) forgetListing(dir string) {
	if ino := inoOf(dir); s.knows(ino) {
		s.server.InodeNotify(ino, 0, 0)
	}
}

// knows reports whether the kernel knows an inode.
func (s *Server) knows(ino uint64) bool {
	_, _, ok := s.nodes.get(ino)
	return ok
}

// request is the context of one request.
func (s *Server) request() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.ctx, s.o.deadline)
}

func (s *Server) mountOptions() fuse.MountOptions {
	o := fuse.MountOptions{
		AllowOther:        s.o.AllowOther,
		Options:           []string{"ro"},
		FsName:            "nvrfs",
		Name:              "nvrfs",
		MaxWrite:          maxRequest,
		MaxBackground:     maxBackground,
		DisableXAttrs:     true,
		Logger:            slog.NewLogLogger(s.o.Log.Handler(), slog.LevelWarn),
		DirectMountStrict: asRoot(),
		DirectMountFlags:  unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV,
		PanicHandler:      s.panicked,
	}
	if s.o.AllowOther {
		o.Options = append(o.Options, "default_permissions")
	}
	return o
}
