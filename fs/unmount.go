package fs

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse says that nothing is mounted at the mount point any more, but files of the mount are still open.
var ErrInUse = errors.New("files are still open")

// fusermountDeadline bounds running fusermount3, which only asks the kernel.
const fusermountDeadline = 10 * time.Second

// Unmount takes the mount away. Where files or directories are in use, nothing new can be opened; what is open is served
// until it is closed, or the time is up: then it fails, and ErrInUse is returned. Calling it again waits again.
func (s *Server) Unmount(grace time.Duration) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	defer s.stop()
	s.news.cancel()
	select {
	case <-s.news.done:
	case <-ctx.Done(): // it waits for a request that does not end
	}
	s.detached.Do(func() { err = s.detach() })
	if err != nil {
		return fmt.Errorf("unmount %s: %w", s.path, err)
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("unmount %s: %w after %s", s.path, ErrInUse, grace)
	}
}

// detach unmounts, lazily where something is in use. Someone else may have unmounted it, and mounted something else.
func (s *Server) detach() error {
	if s.gone() || !mounted(s.path) || unmount(s.path, false) == nil {
		return nil
	}
	if err := unmount(s.path, true); err != nil && mounted(s.path) {
		return err
	}
	return nil
}

func (s *Server) gone() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// Detach unmounts what is mounted on a directory, even while it is in use, or when its server has died.
func Detach(mountpoint string) error {
	if err := unmount(mountpoint, true); err != nil {
		return fmt.Errorf("detach %s: %w", mountpoint, err)
	}
	return nil
}

// unmount unmounts; lazily, it also does when something is in use.
func unmount(path string, lazily bool) error {
	if asRoot() {
		flags := unix.UMOUNT_NOFOLLOW
		if lazily {
			flags |= unix.MNT_DETACH
		}
		return unix.Unmount(path, flags)
	}
	args := []string{"-u", "--", path}
	if lazily {
		args = []string{"-u", "-z", "--", path}
	}
	ctx, cancel := context.WithTimeout(context.Background(), fusermountDeadline)
	defer cancel()
	out, err := exec.CommandContext(ctx, "fusermount3", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("fusermount3: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
