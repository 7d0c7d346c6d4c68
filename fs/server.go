package fs

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"nvrfs/playback"
)

// Options says how to mount. Log must be set; the zero value of every other field is usable.
type Options struct {
	AllowOther bool    // let other users in; permissions are checked then
	UID, GID   *uint32 // owner of everything; nil means the process's
	Umask      uint32  // permissions taken away from 0555 for directories and 0444 for files; writing is never allowed
	Log        *slog.Logger

	deadline time.Duration // of a request; requestDeadline, except in tests
}

// A Server is a mounted view of footage. It is safe for concurrent use.
type Server struct {
	view     *playback.View
	o        Options
	uid, gid uint32
	path     string // of the mount point, absolute

	failures failureLog
	readers  readerNames
	count    counters
	pipes    chan *spliced
	news     *notifier
	started  time.Time
	newest   atomic.Int64 // unix nanoseconds at which footage was added last, or of the mount
	nodes    nodes
	underWay underWay
	handles  handles
	server   *fuse.Server // set before anything is served

	ctx      context.Context // of requests; ends when nothing is served any more
	stop     context.CancelFunc
	done     chan struct{} // closed when the mount is gone
	detached sync.Once
}

// maxRequest is the most bytes that the kernel asks for at once: what fits into a pipe behind a header, wherever in a page it
// starts, since a pipe has room for as many pages, or parts of them, as would fill it. It pays only together with the
// read-ahead, which is two of them.
var (
	maxRequest  = pipeBytes - 2*os.Getpagesize()
	readAheadKB = 2 * maxRequest / 1024
)

// maxBackground is how many requests of its own accord, which is all read-ahead, the kernel has going on at a time. With its
// default of 12, three readers of a disk that hangs would keep everyone waiting.
const maxBackground = 256

// requestDeadline bounds the time of every request that is not a read. A signal to the reader does not end its request earlier,
// because programs do not expect stat or open to fail with EINTR.
const requestDeadline = 20 * time.Second

// Mount mounts what view shows on the directory mountpoint, with mount(2) as root and through fusermount3 otherwise. The mount is ready
// when it returns; ctx bounds only the mounting. What stands in the directory is hidden meanwhile.
func Mount(ctx context.Context, view *playback.View, mountpoint string, o Options) (*Server, error) {
	path, err := prepare(ctx, mountpoint)
	if err != nil {
		return nil, fmt.Errorf("mount footage on %s: %w", mountpoint, err)
	}
	s := newServer(view, path, o)
	// From here on no change is missed, though none can matter before the kernel has asked for something.
	unsubscribe := view.Subscribe(s.news.add)
	if err := s.mount(ctx); err != nil {
		unsubscribe()
		s.stop()
		return nil, fmt.Errorf("mount footage on %s: %w", mountpoint, err)
	}
	s.setReadAhead()
	s.news.start(unsubscribe)
	return s, nil
}

func newServer(view *playback.View, path string, o Options) *Server {
	s := &Server{
		view: view, o: o, path: path, uid: uint32(os.Getuid()), gid: uint32(os.Getgid()),
		failures: failureLog{log: o.Log}, pipes: newPipes(), started: time.Now(), done: make(chan struct{}),
		nodes: newNodes(), handles: handles{open: map[uint64]openFile{}},
	}
	s.o.deadline = cmp.Or(o.deadline, requestDeadline)
	if o.UID != nil {
		s.uid = *o.UID
	}
	if o.GID != nil {
		s.gid = *o.GID
	}
	s.newest.Store(s.started.UnixNano())
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.news = newNotifier(s)
	s.nodes.remember(s.dirNode(playback.Root())) // the kernel never looks it up
	return s
}

// mount mounts and serves.
func (s *Server) mount(ctx context.Context) error {
	opts := s.mountOptions()
	server, err := fuse.NewServer(newRaw(s), s.path, &opts)
	if err != nil {
		if mounted(s.path) {
			Detach(s.path) //nolint:errcheck // the first error says what is wrong
		}
		return explain(err)
	}
	s.server = server
	go func() {
		defer close(s.done)
		server.Serve()
		s.stop()
		for range len(s.pipes) { // no read is going on
			(<-s.pipes).close()
		}
	}()
	ready := make(chan error, 1)
	go func() { ready <- server.WaitMount() }()
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		Detach(s.path) //nolint:errcheck // the first error says what is wrong
	}
	return err
}

// panicked answers a request that panicked, so that a bug in one request does not end the mount.
func (s *Server) panicked(v any) fuse.Status {
	s.o.Log.Error("a request to the mount failed because of a bug in nvrfs; other requests go on", "err", fmt.Sprint(v), "stack", string(debug.Stack()),
		"do", "report this line to the makers of nvrfs")
	return fuse.EIO
}

// Done is closed when the mount is gone, also when someone else unmounted it.
func (s *Server) Done() <-chan struct{} { return s.done }
