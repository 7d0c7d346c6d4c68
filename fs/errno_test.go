package fs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"nvrfs/playback"
)

func TestErrno(t *testing.T) {
	for _, c := range []struct {
		err    error
		want   syscall.Errno
		logged bool
	}{
		{nil, 0, false},
		{fmt.Errorf("x: %w", playback.ErrNotFound), syscall.ENOENT, false},
		{fmt.Errorf("x: %w", playback.ErrStale), syscall.ESTALE, false},
		{fmt.Errorf("open sample file: %w", fs.ErrNotExist), syscall.EIO, true},
		{fmt.Errorf("x: %w", playback.ErrNotDir), syscall.ENOTDIR, false},
		{errIsDir, syscall.EISDIR, false},
		{errors.New("x"), syscall.EIO, true},
	} {
		var log bytes.Buffer
		s := &Server{failures: failureLog{log: slog.New(slog.NewTextHandler(&log, nil))}}
		if got := s.errno("read", "/a.mp4", 0, c.err); got != c.want || (log.Len() > 0) != c.logged {
			t.Errorf("%v: %v, logged %q", c.err, got, log.String())
		}
	}
}

func TestFailureLog(t *testing.T) {
	var l failureLog
	now := time.Now()
	for i, c := range []struct {
		name string
		at   time.Duration
		more int
		ok   bool
	}{
		{"a", 0, 0, true},
		{"a", time.Second, 0, false},
		{"b", time.Second, 0, true},
		{"a", 2 * time.Second, 0, false},
		{"a", failurePause, 2, true},
		{"a", 2 * failurePause, 0, true},
	} {
		if more, ok := l.due(c.name, now.Add(c.at)); more != c.more || ok != c.ok {
			t.Errorf("step %d: %d, %t, want %d, %t", i, more, ok, c.more, c.ok)
		}
	}
	for i := range 3 * failurePaths {
		l.due(fmt.Sprint(i), now)
	}
	if len(l.byPath) > failurePaths {
		t.Errorf("it remembers %d paths", len(l.byPath))
	}
}

func TestUnescape(t *testing.T) {
	if got := unescape(`/mnt/a\040b\134c`); got != `/mnt/a b\c` {
		t.Errorf("got %q", got)
	}
}
