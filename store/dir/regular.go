package dir

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"nvrfs/store"
)

// StatRegular is like os.Stat, but returns ErrNotRegular for anything that is no regular file.
func StatRegular(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, &fs.PathError{Op: "stat", Path: path, Err: store.ErrNotRegular}
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "stat", Path: path, Err: store.ErrNotRegular}
	}
	return info, nil
}

// OpenRegular opens a file that exists, or returns ErrNotRegular. Anything else is not opened, because whoever opens a FIFO
// waits until somebody opens its other end, and opening a device may do something.
func OpenRegular(path string, flag int) (*os.File, error) {
	if _, err := StatRegular(path); err != nil {
		return nil, err
	}
	return os.OpenFile(path, flag, 0)
}
