package dir

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"nvrfs/store"
)

// openToRemove opens a file that is to be removed. It neither waits for a FIFO nor follows a symbolic link.
func openToRemove(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
}

// InUse implements Store. The kernel grants a write lease, fcntl(2), only on a file that nobody else has open or mapped. It is
// given back at once. A program that opens the file meanwhile waits until then; the signal SIGIO, which the kernel sends us for that,
// Go ignores.
func (d *Dir) InUse(k store.Key) bool {
	f, err := openToRemove(d.Path(k))
	if err != nil {
		// Nothing is there, or a link or a pipe, which are no footage. Otherwise somebody may read what we may not write.
		return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.ENXIO)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK)
	return err != nil
}

// Empty implements Store. It returns no error, because a file that cannot be emptied can still be removed.
func (d *Dir) Empty(k store.Key) {
	f, err := openToRemove(d.Path(k))
	if err != nil {
		return
	}
	defer f.Close() //nolint:errcheck // nothing was written
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink == 1 {
		_ = f.Truncate(0)
	}
}
