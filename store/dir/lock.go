package dir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"nvrfs/store"
)

// A Lock keeps every other recorder away from a directory. The kernel drops it when the process ends, however it ends.
type Lock struct {
	f      *os.File
	shared *sharedLock // nil for the lock of a data directory
}

// LockDir takes the lock of a data directory, or returns ErrLocked.
func LockDir(dir string) (*Lock, error) {
	return take(lockPath(dir), "data directory "+dir, fmt.Sprint(os.Getpid()))
}

// take takes the lock of a file, and writes the holder into it.
func take(path, what, holder string) (*Lock, error) {
	if _, err := StatRegular(path); errors.Is(err, store.ErrNotRegular) {
		return nil, fmt.Errorf("lock %s: %w; move it away", what, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", what, err)
	}
	l := &Lock{f: f}
	// Like that of flock(2), it is the open file's; but it can be looked for without taking it.
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return nil, errors.Join(locked(path, what), l.Release())
	}
	if err == nil {
		err = errors.Join(f.Truncate(0), write(f, holder))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", what, err), l.Release())
	}
	return l, nil
}

// CheckUnlocked returns ErrLocked when another process records into a data directory, or mends it. It changes nothing, and
// is in nobody's way.
func CheckUnlocked(dir string) error {
	f, err := OpenRegular(lockPath(dir), os.O_RDONLY)
	if err != nil {
		return nil // nobody ever recorded there, or LockDir will say what is wrong
	}
	defer f.Close()
	held := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &held); err != nil {
		return fmt.Errorf("look for the lock of data directory %s: %w", dir, err)
	}
	if held.Type == unix.F_UNLCK {
		return nil
	}
	return locked(lockPath(dir), "data directory "+dir)
}

// Holder returns the process that holds the lock of a data directory: one that has the lock's file open, and that the file names. It
// is not ok where none records, or where it cannot be seen from here which one does.
func Holder(dir string) (pid int, ok bool) {
	if CheckUnlocked(dir) == nil {
		return 0, false
	}
	path, err := filepath.EvalSymlinks(lockPath(dir))
	if err != nil {
		return 0, false
	}
	text, err := readSmall(path)
	if err != nil {
		return 0, false
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil || pid <= 1 {
		return 0, false
	}
	fds := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	open, err := os.ReadDir(fds)
	if err != nil {
		return 0, false
	}
	return pid, slices.ContainsFunc(open, func(fd os.DirEntry) bool {
		to, err := os.Readlink(filepath.Join(fds, fd.Name()))
		return err == nil && to == path
	})
}

// locked returns an error that says that a directory is locked, and by which process.
func locked(path, what string) error {
	holder, _ := readSmall(path)
	return fmt.Errorf("%s: %w (process %s)", what, store.ErrLocked, strings.TrimSpace(string(holder)))
}

func lockPath(dir string) string { return filepath.Join(dir, "lock") }

func write(f *os.File, holder string) error {
	_, err := fmt.Fprintln(f, holder)
	return err
}

// Release gives the lock back.
func (l *Lock) Release() error {
	if l.shared != nil {
		return l.shared.release()
	}
	return l.f.Close()
}
