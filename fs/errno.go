package fs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"nvrfs/playback"
)

// errnos says with which errno a reader is told of an error. All other errors are EIO.
var errnos = []struct {
	err   error
	errno syscall.Errno
}{
	{playback.ErrNotFound, syscall.ENOENT},
	{playback.ErrNotDir, syscall.ENOTDIR},
	{errIsDir, syscall.EISDIR},
	{playback.ErrStale, syscall.ESTALE},  // the kernel looks the path up again, once
	{playback.ErrLost, syscall.ESTALE},   // playback logs who the reader is
	{context.Canceled, syscall.ENOTCONN}, // the mount was taken away; EINTR would have programs try for ever
}

// errno turns the error of a request about a file or directory into an errno. An errno says too little, so errors that are not in
// the table are logged. pid is the process that asked.
func (s *Server) errno(what, path string, pid uint32, err error) syscall.Errno {
	if err == nil {
		return 0
	}
	for _, x := range errnos {
		if errors.Is(err, x.err) {
			return x.errno
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s: %w", s.o.deadline, err)
	}
	s.failures.add(what, path, s.readers.of(pid), err)
	return syscall.EIO
}

// failureLog logs failures, of each path only now and then: a player tries again and again.
type failureLog struct {
	log *slog.Logger

	mu     sync.Mutex
	byPath map[string]*failure
}

type failure struct {
	logged time.Time
	more   int // failures since then, which were not logged
}

const (
	failurePause = time.Minute // between two lines about a path
	failurePaths = 1000        // beyond which everything is forgotten
)

func (l *failureLog) add(what, path, reader string, err error) {
	if more, ok := l.due(path, time.Now()); ok {
		l.log.Error("cannot "+what, "path", path, "reader", reader, "err", err, "suppressed", more)
	}
}

// due reports whether a failure is to be logged, and how many before it were not.
func (l *failureLog) due(path string, now time.Time) (more int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.byPath) >= failurePaths || l.byPath == nil {
		l.byPath = map[string]*failure{}
	}
	f := l.byPath[path]
	if f == nil {
		f = &failure{}
		l.byPath[path] = f
	}
	if now.Sub(f.logged) < failurePause {
		f.more++
		return 0, false
	}
	more, f.logged, f.more = f.more, now, 0
	return more, true
}
