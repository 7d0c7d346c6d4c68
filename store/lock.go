package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A Lock keeps every other recorder away from a data directory. The kernel drops it when the process ends, however it
// ends.
type Lock struct{ f *os.File }

// ErrLocked says that another process records into a data directory.
var ErrLocked = errors.New("another nvrfs records into it")

// LockDir takes the lock of a data directory, or returns ErrLocked.
func LockDir(dir string) (*Lock, error) {
	l, err := flock(dir)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(l.f.Truncate(0), writePID(l.f)); err != nil {
		return nil, errors.Join(fmt.Errorf("lock data directory %s: %w", dir, err), l.Release())
	}
	return l, nil
}

// flock takes the lock without saying who has it.
func flock(dir string) (*Lock, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s: %w (process %s)", dir, ErrLocked, strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	return &Lock{f}, nil
}

// CheckUnlocked returns ErrLocked when another process records into a data directory. It creates nothing.
func CheckUnlocked(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
		return nil // nobody ever recorded there, or LockDir will say what is wrong
	}
	l, err := flock(dir)
	if err != nil {
		return err
	}
	return l.Release()
}

func writePID(f *os.File) error {
	_, err := fmt.Fprintf(f, "%d\n", os.Getpid())
	return err
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.f.Close() }
