package fs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mountpointDeadline bounds looking at a mount point: another filesystem there may not answer.
const mountpointDeadline = 10 * time.Second

// asRoot reports whether to call mount(2) directly.
func asRoot() bool { return os.Geteuid() == 0 }

// prepare returns the absolute path of a directory on which we can mount.
func prepare(ctx context.Context, mountpoint string) (path string, err error) {
	if path, err = filepath.Abs(mountpoint); err != nil {
		return "", err
	}
	if err := within(ctx, mountpointDeadline, func() error { return isDirectory(path) }); err != nil {
		return "", err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", err
	}
	if mounted(path) {
		return "", errors.New("an nvrfs is mounted there already")
	}
	return path, nil
}

func isDirectory(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = unix.ENOTDIR
	}
	return err
}

// within runs f, and gives up on it when it takes too long.
func within(ctx context.Context, d time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer from the filesystem: %w", ctx.Err())
	}
}

// mounted reports whether an nvrfs is mounted on a directory. It asks no filesystem.
func mounted(path string) bool {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	found := false
	for line := range strings.Lines(string(text)) {
		// 36 35 98:0 / /mnt/nvr ro,noatime - fuse.nvrfs nvrfs ro: see proc_pid_mountinfo(5). The last one is on top.
		mount, fs, _ := strings.Cut(line, " - ")
		if f := strings.Fields(mount); len(f) > 4 && unescape(f[4]) == path {
			found = strings.HasPrefix(fs, "fuse.nvrfs ")
		}
	}
	return found
}

// unescape undoes how the kernel writes blanks in paths.
func unescape(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}

// explain adds what usually helps to an error of mounting.
func explain(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w; the process needs CAP_SYS_ADMIN, or run it as an ordinary user with fusermount3", err)
	}
	if !asRoot() {
		return fmt.Errorf("%w; is the package fuse3 installed?", err)
	}
	return err
}

// setReadAhead has the kernel read ahead by more than the 128 KiB that FUSE starts with. Only root may; it is faster, no
// more.
func (s *Server) setReadAhead() {
	var st unix.Stat_t
	if err := unix.Stat(s.path, &st); err != nil {
		s.o.Log.Debug("cannot set the read-ahead of the mount", "err", err)
		return
	}
	file := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev))
	if err := os.WriteFile(file, []byte(fmt.Sprint(readAheadKB)), 0); err != nil {
		s.o.Log.Debug("cannot set the read-ahead of the mount", "err", err)
	}
}
