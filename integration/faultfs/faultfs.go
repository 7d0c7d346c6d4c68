// Package faultfs is a filesystem that fails when a test tells it to. It shows a directory, and knows of it what a power cut
// would leave:
//
//   - of a file, what it held when it was synced last, by fsync(2);
//   - of a directory, the names that it had when it was synced last.
//
// A file whose sync fails keeps its size, with zeros in place of what was written since it was synced last, as Linux may
// leave it: pages that could not be written count as clean, and can be dropped.
//
// Only tests use it. It syncs nothing to a real disk: nobody cuts the power of a test.
package faultfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// An Op is what a filesystem is asked for.
type Op string

// The operations that can fail.
const (
	Create  Op = "create"
	Write   Op = "write"
	Sync    Op = "fsync" // of a file
	SyncDir Op = "fsyncdir"
	Read    Op = "read"
)

// An FS is a mounted filesystem.
type FS struct {
	backing string
	server  *fuse.Server

	mu      sync.Mutex
	hook    func(Op) syscall.Errno
	space   int64             // bytes that can still be written; negative means any number
	synced  map[uint64][]byte // by inode: content of a file when it was synced
	entries map[uint64]names  // by inode: those of a directory when it was synced
}

// names are the entries of a directory.
type names map[string]entry

type entry struct {
	ino uint64
	dir bool
}

// Mount shows the directory backing at point.
func Mount(backing, point string) (*FS, error) {
	f := &FS{backing: backing, space: -1, synced: map[uint64][]byte{}, entries: map[uint64]names{}}
	root := &fusefs.LoopbackRoot{Path: backing}
	top := &node{&fusefs.LoopbackNode{RootData: root}, f}
	root.RootNode = top
	o := &fusefs.Options{MountOptions: fuse.MountOptions{Name: "faultfs", DirectMount: os.Geteuid() == 0}}
	var err error
	if f.server, err = fusefs.Mount(point, top, o); err != nil {
		return nil, fmt.Errorf("mount faultfs at %s: %w", point, err)
	}
	return f, nil
}

// Unmount takes the filesystem away. Nothing in it may be open.
func (f *FS) Unmount() error {
	f.Hook(nil)
	return f.server.Unmount()
}

// Wait waits until a filesystem that was detached is gone, with the last of its files.
func (f *FS) Wait() { f.server.Wait() }

// Hook has hook called before each operation: it may wait, and what it returns, unless 0, the operation fails with.
func (f *FS) Hook(hook func(Op) syscall.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// SetSpace sets how many more bytes can be written before the disk is full. Negative means any number.
func (f *FS) SetSpace(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.space = bytes
}

func (f *FS) try(op Op) syscall.Errno {
	f.mu.Lock()
	hook := f.hook
	f.mu.Unlock()
	if hook == nil {
		return 0
	}
	return hook(op)
}

// take takes n bytes of the space that is left.
func (f *FS) take(n int64) syscall.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.space < 0 {
		return 0
	}
	if f.space < n {
		return syscall.ENOSPC
	}
	f.space -= n
	return 0
}

// syncFile notes the content of a file, by its path in the backing directory.
func (f *FS) syncFile(path string) syscall.Errno {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return fusefs.ToErrno(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return fusefs.ToErrno(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.synced[st.Ino] = content
	return 0
}

// drop overwrites what was written to a file since it was synced, by its path in the backing directory.
func (f *FS) drop(path string) syscall.Errno {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fusefs.ToErrno(err)
	}
	defer file.Close() //nolint:errcheck // nothing reads it back but through this filesystem
	info, err := file.Stat()
	if err != nil {
		return fusefs.ToErrno(err)
	}
	f.mu.Lock()
	synced := int64(len(f.synced[info.Sys().(*syscall.Stat_t).Ino]))
	f.mu.Unlock()
	if synced < info.Size() {
		_, err = file.WriteAt(make([]byte, info.Size()-synced), synced)
	}
	return fusefs.ToErrno(err)
}

// syncDir notes the names in a directory, by its path in the backing directory.
func (f *FS) syncDir(path string) syscall.Errno {
	ino, now, err := list(path)
	if err != nil {
		return fusefs.ToErrno(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries[ino] = now
	return 0
}

func list(path string) (ino uint64, entries names, err error) {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return 0, nil, err
	}
	all, err := os.ReadDir(path)
	entries = names{}
	for _, e := range all {
		var of syscall.Stat_t
		if err := syscall.Lstat(filepath.Join(path, e.Name()), &of); err != nil {
			return 0, nil, err
		}
		entries[e.Name()] = entry{of.Ino, e.IsDir()}
	}
	return st.Ino, entries, err
}

// PowerCut writes into an empty directory what a power cut would leave at this moment.
func (f *FS) PowerCut(to string) error {
	var st syscall.Stat_t
	if err := syscall.Stat(f.backing, &st); err != nil {
		return fmt.Errorf("look at %s: %w", f.backing, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leaveLocked(st.Ino, to)
}

func (f *FS) leaveLocked(dir uint64, to string) error {
	for name, e := range f.entries[dir] {
		path := filepath.Join(to, name)
		var err error
		if e.dir {
			err = errors.Join(os.Mkdir(path, 0o700), f.leaveLocked(e.ino, path))
		} else {
			err = os.WriteFile(path, f.synced[e.ino], 0o600)
		}
		if err != nil {
			return fmt.Errorf("leave %s: %w", path, err)
		}
	}
	return nil
}

// node is a file or a directory.
type node struct {
	*fusefs.LoopbackNode
	f *FS
}

// WrapChild makes every file below one whose operations can fail.
func (n *node) WrapChild(_ context.Context, ops fusefs.InodeEmbedder) fusefs.InodeEmbedder {
	return &node{ops.(*fusefs.LoopbackNode), n.f}
}

func (n *node) path() string {
	return filepath.Join(n.f.backing, n.Path(n.Root()))
}

// Create implements open(2) of a new file.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fusefs.Inode, fusefs.FileHandle, uint32, syscall.Errno) {
	if errno := n.f.try(Create); errno != 0 {
		return nil, nil, 0, errno
	}
	i, h, _, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	n.f.mu.Lock()
	delete(n.f.synced, out.Ino) // it may be that of a file that was removed
	n.f.mu.Unlock()
	return i, &handle{h.(*fusefs.LoopbackFile), i.Operations().(*node)}, fuse.FOPEN_DIRECT_IO, 0
}

// Open implements open(2). The kernel caches nothing: every operation comes here.
func (n *node) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	h, _, errno := n.LoopbackNode.Open(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &handle{h.(*fusefs.LoopbackFile), n}, fuse.FOPEN_DIRECT_IO, 0
}

// OpendirHandle implements opendir(3).
func (n *node) OpendirHandle(context.Context, uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	_, entries, err := list(n.path())
	if err != nil {
		return nil, 0, fusefs.ToErrno(err)
	}
	d := &dir{n: n}
	for name, e := range entries {
		mode := uint32(syscall.S_IFREG)
		if e.dir {
			mode = syscall.S_IFDIR
		}
		d.left = append(d.left, fuse.DirEntry{Name: name, Ino: e.ino, Mode: mode})
	}
	return d, 0, 0
}

// dir is an open directory.
type dir struct {
	n *node

	mu   sync.Mutex
	left []fuse.DirEntry
	off  uint64
}

// Readdirent implements readdir(3).
func (d *dir) Readdirent(context.Context) (*fuse.DirEntry, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.left) == 0 {
		return nil, 0
	}
	e := d.left[0]
	d.left = d.left[1:]
	d.off++
	e.Off = d.off
	return &e, 0
}

// Fsyncdir implements fsync(2) of a directory.
func (d *dir) Fsyncdir(context.Context, uint32) syscall.Errno {
	if errno := d.n.f.try(SyncDir); errno != 0 {
		return errno
	}
	return d.n.f.syncDir(d.n.path())
}

// handle is an open file.
type handle struct {
	*fusefs.LoopbackFile
	n *node
}

// PassthroughFd keeps the kernel from reading and writing past this filesystem.
func (h *handle) PassthroughFd() (int, bool) { return 0, false }

// Read implements pread(2).
func (h *handle) Read(ctx context.Context, p []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if errno := h.n.f.try(Read); errno != 0 {
		return nil, errno
	}
	return h.LoopbackFile.Read(ctx, p, off)
}

// Write implements pwrite(2).
func (h *handle) Write(ctx context.Context, p []byte, off int64) (uint32, syscall.Errno) {
	if errno := h.n.f.try(Write); errno != 0 {
		return 0, errno
	}
	if errno := h.n.f.take(int64(len(p))); errno != 0 {
		return 0, errno
	}
	return h.LoopbackFile.Write(ctx, p, off)
}

// Fsync implements fsync(2).
func (h *handle) Fsync(context.Context, uint32) syscall.Errno {
	path := h.n.path()
	if errno := h.n.f.try(Sync); errno != 0 {
		h.n.f.drop(path)
		return errno
	}
	return h.n.f.syncFile(path)
}
