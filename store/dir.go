package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// identityFile says, inside a directory of sample files, which database they belong to.
const identityFile = "nvrfs-store.json"

// filesPerDir keeps listings short, so that starting up does not depend on how much footage there is.
const filesPerDir = 1000

// A Dir is a Store in a local directory.
type Dir struct{ path string }

var _ Store = (*Dir)(nil)

type identity struct {
	Database string `json:"database"` // UUID
}

// Attach opens the directory of sample files at path for recording, and makes it when it is not there. It refuses a
// directory of another database, and one that holds something else.
func Attach(path, database string) (*Dir, error) {
	d, err := Open(path, database)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make sample directory: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("read sample directory: %w", err)
	}
	half := func(e fs.DirEntry) bool { return e.Name() == identityFile+newSuffix } // an Attach that was cut off
	if len(slices.DeleteFunc(entries, half)) > 0 {
		return nil, fmt.Errorf("sample directory %s is not empty and has no %s, so it may hold footage of another database; nothing was touched: restore the database that belongs to it, or choose another data directory", path, identityFile)
	}
	text, err := json.Marshal(identity{Database: database})
	if err != nil {
		return nil, fmt.Errorf("write identity of sample directory: %w", err)
	}
	if err := writeDurably(filepath.Join(path, identityFile), append(text, '\n')); err != nil {
		return nil, fmt.Errorf("write identity of sample directory: %w", err)
	}
	return &Dir{path}, syncDir(filepath.Dir(path))
}

// Open opens the directory of sample files at path for reading.
func Open(path, database string) (*Dir, error) {
	text, err := os.ReadFile(filepath.Join(path, identityFile))
	if err != nil {
		return nil, fmt.Errorf("read identity of sample directory: %w", err)
	}
	var id identity
	if err := json.Unmarshal(text, &id); err != nil {
		return nil, fmt.Errorf("read identity of sample directory %s: %w", path, err)
	}
	if id.Database != database {
		return nil, fmt.Errorf("sample directory %s belongs to another database (%s, not %s); nothing was touched: restore the database that belongs to it, or choose another data directory", path, id.Database, database)
	}
	return &Dir{path}, nil
}

// Path returns where a file lies.
func (d *Dir) Path(k Key) string {
	return filepath.Join(d.path, k.Stream, fmt.Sprintf("%03d", k.Number/filesPerDir), fmt.Sprintf("%06d.mp4", k.Number))
}

// Create implements Store.
func (d *Dir) Create(k Key) (Writer, error) {
	path := d.Path(k)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.makeDirs(k); err != nil {
			return nil, fmt.Errorf("make directory of sample file %s: %w", path, err)
		}
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("create sample file: %w", err)
	}
	return &file{f: f}, nil
}

// makeDirs makes the directories of a file, and their names durable.
func (d *Dir) makeDirs(k Key) error {
	dir := filepath.Dir(d.Path(k))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(dir)), syncDir(d.path))
}

// Reopen implements Store.
func (d *Dir) Reopen(k Key) (Writer, error) {
	f, err := os.OpenFile(d.Path(k), os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open sample file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open sample file: %w", err), f.Close())
	}
	return &file{f: f, size: info.Size()}, nil
}

// Open implements Store.
func (d *Dir) Open(k Key) (Reader, error) {
	f, err := os.Open(d.Path(k))
	if err != nil {
		return nil, fmt.Errorf("open sample file: %w", err)
	}
	return f, nil
}

// Size implements Store.
func (d *Dir) Size(k Key) (int64, error) {
	info, err := os.Stat(d.Path(k))
	if err != nil {
		return 0, fmt.Errorf("look for sample file: %w", err)
	}
	return info.Size(), nil
}

// Remove implements Store.
func (d *Dir) Remove(k Key) error {
	if err := os.Remove(d.Path(k)); err != nil {
		return fmt.Errorf("remove sample file: %w", err)
	}
	return nil
}

// SetAside implements Store.
func (d *Dir) SetAside(k Key) (string, error) {
	aside := d.Path(k) + ".damaged"
	if err := os.Rename(d.Path(k), aside); err != nil {
		return "", fmt.Errorf("set sample file aside: %w", err)
	}
	return aside, d.SyncDir(k)
}

// SyncDir implements Store.
func (d *Dir) SyncDir(k Key) error { return syncDir(filepath.Dir(d.Path(k))) }

// Scan implements Store.
func (d *Dir) Scan(stream string, from int64) ([]int64, error) {
	dirs, err := os.ReadDir(filepath.Join(d.path, stream))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list sample files of %s: %w", stream, err)
	}
	var numbers []int64
	for _, dir := range dirs {
		if shard, err := strconv.ParseInt(dir.Name(), 10, 64); err != nil || shard < from/filesPerDir || !dir.IsDir() {
			continue
		}
		files, err := os.ReadDir(filepath.Join(d.path, stream, dir.Name()))
		if err != nil {
			return nil, fmt.Errorf("list sample files of %s: %w", stream, err)
		}
		for _, f := range files {
			n, ok := number(f.Name())
			if ok && n >= from && d.Path(Key{stream, n}) == filepath.Join(d.path, stream, dir.Name(), f.Name()) {
				numbers = append(numbers, n)
			}
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func number(name string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, ".mp4")
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, ok && err == nil && n > 0
}

// Streams implements Store.
func (d *Dir) Streams() (streams []string, err error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, fmt.Errorf("list sample directory: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			streams = append(streams, e.Name())
		}
	}
	return streams, nil
}

// file is a Writer on an ordinary file.
type file struct {
	f    *os.File
	size int64
}

func (w *file) Append(p []byte) error {
	if _, err := w.f.WriteAt(p, w.size); err != nil {
		return errors.Join(fmt.Errorf("append %d bytes to sample file: %w", len(p), err), w.f.Truncate(w.size))
	}
	w.size += int64(len(p))
	return nil
}

func (w *file) Truncate(size int64) error {
	if err := w.f.Truncate(size); err != nil {
		return fmt.Errorf("cut sample file: %w", err)
	}
	w.size = size
	return nil
}

func (w *file) Sync() error {
	if err := w.f.Sync(); err != nil {
		return fmt.Errorf("sync sample file: %w", err)
	}
	return nil
}

func (w *file) Close() error {
	if err := w.f.Close(); err != nil {
		return fmt.Errorf("close sample file: %w", err)
	}
	return nil
}

// newSuffix ends the name of a file that is not whole yet.
const newSuffix = ".new"

// writeDurably writes a small file so that after a power cut it is there whole or not at all.
func writeDurably(path string, text []byte) error {
	tmp := path + newSuffix
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}
