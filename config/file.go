package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrChanged is returned by WriteFile for a file that is not as it was read.
var ErrChanged = errors.New("the file was changed by someone else meanwhile; nothing was written; try again")

// WriteFile replaces the content of the file at path, which was before, by after. Whoever reads the file sees all of the one
// or all of the other, also after a power cut. Mode and owner stay, and a symbolic link goes on to lead to the file.
func WriteFile(path string, before, after []byte) error {
	if err := writeFile(path, before, after); err != nil {
		return fmt.Errorf("write %s: %w", path, withoutPath(err))
	}
	return nil
}

func writeFile(path string, before, after []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	directory, name := filepath.Split(path)
	temp, err := os.CreateTemp(directory, "."+name+".*")
	if err != nil {
		return fmt.Errorf("make a file beside it: %w", withoutPath(err))
	}
	defer os.Remove(temp.Name()) // which is not there any more when all went well
	err = errors.Join(fill(temp, info, after), temp.Close())
	if err != nil {
		return err
	}
	// As late as can be: what is written between here and the rename is lost, as between any two editors.
	now, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, before) {
		return ErrChanged
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDirectory(directory)
}

// fill writes content to f, which gets the owner and mode of like, and syncs it.
func fill(f *os.File, like fs.FileInfo, content []byte) error {
	if err := Own(f, like); err != nil {
		return err
	}
	if err := f.Chmod(like.Mode().Perm()); err != nil { // after chown, which may take bits away
		return err
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}

// Own gives f the owner and the group of another file.
func Own(f *os.File, like fs.FileInfo) error {
	owner, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
		return fmt.Errorf("keep its owner: %w", withoutPath(err))
	}
	return nil
}

func syncDirectory(path string) error {
	if path == "" {
		path = "."
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
