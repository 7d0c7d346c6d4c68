package fs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"nvrfs/playback"
)

// errnos says what a reader is told of an error. What is not here is EIO.
var errnos = []struct {
	err   error
	errno syscall.Errno
}{
	{playback.ErrNotFound, syscall.ENOENT},
	{playback.ErrStale, syscall.ESTALE},  // the kernel looks the path up again, once
	{playback.ErrLost, syscall.ESTALE},   // playback logs who the reader is
	{context.Canceled, syscall.ENOTCONN}, // the mount was taken away; EINTR would have programs try for ever
}

// errno turns an error about a file or directory into an errno. An errno tells no story, so those that nobody can expect
// are logged.
func (s *Server) errno(what, name string, err error) syscall.Errno {
	if err == nil {
		return 0
	}
	for _, x := range errnos {
		if errors.Is(err, x.err) {
			return x.errno
		}
	}
	s.failures.add(what, name, err)
	return syscall.EIO
}

// failureLog logs failures, of each name only now and then: a player tries again and again.
type failureLog struct {
	log *slog.Logger

	mu     sync.Mutex
	byName map[string]*failure
}

type failure struct {
	logged time.Time
	more   int // since then
}

const (
	failurePause = time.Minute // between two lines about a name
	failureNames = 1000        // beyond which everything is forgotten
)

func (l *failureLog) add(what, name string, err error) {
	if more, ok := l.due(name, time.Now()); ok {
		l.log.Error("cannot "+what, "name", name, "err", err, "not_logged", more)
	}
}

// due reports whether a failure is to be logged, and how many before it were not.
func (l *failureLog) due(name string, now time.Time) (more int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.byName) >= failureNames || l.byName == nil {
		l.byName = map[string]*failure{}
	}
	f := l.byName[name]
	if f == nil {
		f = &failure{}
		l.byName[name] = f
	}
	if now.Sub(f.logged) < failurePause {
		f.more++
		return 0, false
	}
	more, f.logged, f.more = f.more, now, 0
	return more, true
}
