package dir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteBeside writes a small file into the directory of sample files at path, so that after a power cut it has either the new or
// the old content. If the directory is not there, it returns store.ErrAway and writes nothing, because the disk may not be mounted.
func WriteBeside(path, name string, text []byte) (err error) {
	if err := (&Dir{path}).Present(); err != nil {
		return err
	}
	f, err := os.CreateTemp(path, "."+name+"-*") // several processes may write it at once
	if err != nil {
		return fmt.Errorf("write %s beside the sample files: %w", name, err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(path, name))
	}
	if err != nil {
		return fmt.Errorf("write %s beside the sample files: %w", name, errors.Join(err, os.Remove(f.Name())))
	}
	return syncDir(path)
}

// ReadBeside reads a file that WriteBeside has written, unless it is larger than most bytes. The error is fs.ErrNotExist if there
// is no such file.
func ReadBeside(path, name string, most int64) ([]byte, error) {
	f, err := OpenRegular(filepath.Join(path, name), os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("read %s beside the sample files: %w", name, err)
	}
	defer f.Close() //nolint:errcheck // read only: nothing can be lost
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", f.Name(), most)
	}
	return text, err
}
