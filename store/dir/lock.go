package dir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"nvrfs/store"
)

// A Lock keeps every other recorder away from a data directory. The kernel drops it when the process ends, however it
// ends.
type Lock struct{ f *os.File }

// LockDir takes the lock of a data directory, or returns ErrLocked.
func LockDir(dir string) (*Lock, error) {
	if _, err := StatRegular(lockPath(dir)); errors.Is(err, store.ErrNotRegular) {
		return nil, fmt.Errorf("lock data directory: %w; move it away", err)
	}
	f, err := os.OpenFile(lockPath(dir), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	l := &Lock{f}
	// Like that of flock(2), it is the open file's; but it can be looked for without taking it.
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return nil, errors.Join(locked(dir), l.Release())
	}
	if err == nil {
		err = errors.Join(f.Truncate(0), writePID(f))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock data directory %s: %w", dir, err), l.Release())
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
	return locked(dir)
}

// locked says that a directory is, and who has the lock.
func locked(dir string) error {
	holder, _ := readSmall(lockPath(dir))
	return fmt.Errorf("data directory %s: %w (process %s)", dir, store.ErrLocked, strings.TrimSpace(string(holder)))
}

func lockPath(dir string) string { return filepath.Join(dir, "lock") }

func writePID(f *os.File) error {
	_, err := fmt.Fprintf(f, "%d\n", os.Getpid())
	return err
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.f.Close() }
