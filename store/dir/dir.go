package dir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"nvrfs/store"
)

// identityFile says, inside a directory of sample files, which database they belong to.
const identityFile = "nvrfs-store.json"

// filesPerDir keeps listings short, so that starting up does not depend on how much footage there is.
const filesPerDir = 1000

// A Dir is a Store in a local directory.
type Dir struct{ path string }

var _ store.Store = (*Dir)(nil)

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
		return nil, fmt.Errorf("sample directory %s is not empty and has no %s, so it may hold footage of another database; nothing was touched: restore that file, or choose another directory", path, identityFile)
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
	owner, err := Database(path)
	if err != nil {
		return nil, err
	}
	if owner != database {
		return nil, fmt.Errorf("sample directory %s %w (%s, not %s); nothing was touched: restore the database that belongs to it, or move this one away and make a new one from the sample files with: nvrfs rebuild; or choose another directory", path, store.ErrForeign, owner, database)
	}
	return &Dir{path}, nil
}

// Database returns the UUID of the database that the directory of sample files at path belongs to. The error is
// fs.ErrNotExist, and store.ErrAway, if the directory has no identity.
func Database(path string) (string, error) {
	text, err := readSmall(filepath.Join(path, identityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w (%w)", path, store.ErrAway, err)
	}
	if err != nil {
		return "", fmt.Errorf("read identity of sample directory: %w", err)
	}
	var id identity
	if err := json.Unmarshal(text, &id); err != nil {
		return "", fmt.Errorf("read identity of sample directory %s: %w", path, err)
	}
	return id.Database, nil
}

// readSmall reads the beginning of a file, which is all of one that is ours.
func readSmall(path string) ([]byte, error) {
	f, err := OpenRegular(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only: nothing can be lost
	return io.ReadAll(io.LimitReader(f, 4096))
}

// Path returns where a file lies.
func (d *Dir) Path(k store.Key) string {
	return filepath.Join(d.path, k.Stream, fmt.Sprintf("%03d", k.Number/filesPerDir), fmt.Sprintf("%06d.mp4", k.Number))
}

// Create implements Store.
func (d *Dir) Create(k store.Key) (store.Writer, error) { return d.create(k, d.makeDirs) }

// create makes a file, by makeDirs its directories where they are missing.
func (d *Dir) create(k store.Key, makeDirs func(store.Key) error) (store.Writer, error) {
	path := d.Path(k)
	for attempt := 0; ; attempt++ {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case err == nil:
			return &file{f: f}, nil
		case !errors.Is(err, fs.ErrNotExist) || attempt == 2: // Remove may take a new, empty directory away once
			return nil, fmt.Errorf("create sample file: %w", d.away(err))
		}
		if err := makeDirs(k); err != nil {
			return nil, fmt.Errorf("make directory of sample file %s: %w", path, err)
		}
	}
}

// away returns store.ErrAway in place of an error that says that a file does not exist, if the sample directory does not exist.
func (d *Dir) away(err error) error {
	if errors.Is(err, fs.ErrNotExist) && !exists(filepath.Join(d.path, identityFile)) {
		return fmt.Errorf("%s: %w", d.path, store.ErrAway)
	}
	return err
}

// Present implements Store.
func (d *Dir) Present() error {
	if _, err := os.Stat(filepath.Join(d.path, identityFile)); err != nil {
		return fmt.Errorf("look for sample directory: %w", d.away(err))
	}
	return nil
}

// makeDirs makes the directories of a file, and their names durable. It makes no sample directory, because the disk may not be mounted.
func (d *Dir) makeDirs(k store.Key) error {
	if err := d.Present(); err != nil {
		return err
	}
	dir := filepath.Dir(d.Path(k))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(dir)), syncDir(d.path))
}

// Reopen implements Store.
func (d *Dir) Reopen(k store.Key) (store.Writer, error) {
	f, err := OpenRegular(d.Path(k), os.O_WRONLY)
	if err != nil {
		return nil, fmt.Errorf("open sample file: %w", d.away(err))
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open sample file: %w", err), f.Close())
	}
	return &file{f: f, size: info.Size()}, nil
}

// Open implements Store.
func (d *Dir) Open(k store.Key) (store.Reader, error) {
	f, err := OpenRegular(d.Path(k), os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("open sample file: %w", d.away(err))
	}
	return f, nil
}

// Size implements Store.
func (d *Dir) Size(k store.Key) (int64, error) {
	info, err := StatRegular(d.Path(k))
	if err != nil {
		return 0, fmt.Errorf("look for sample file: %w", d.away(err))
	}
	return info.Size(), nil
}

// Remove implements Store.
func (d *Dir) Remove(k store.Key) error {
	dir := filepath.Dir(d.Path(k))
	if err := d.away(os.Remove(d.Path(k))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove sample file: %w", err)
	}
	switch err := os.Remove(dir); {
	case err == nil:
		dir = filepath.Dir(dir)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return syncDir(dir)
}

// SetAside implements Store.
func (d *Dir) SetAside(k store.Key) (string, error) {
	aside := d.Path(k) + ".damaged"
	for n := 2; exists(aside); n++ {
		aside = fmt.Sprintf("%s.damaged.%d", d.Path(k), n)
	}
	if err := os.Rename(d.Path(k), aside); err != nil {
		return "", fmt.Errorf("set sample file aside: %w", err)
	}
	return aside, d.SyncDir(k)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// SyncDir implements Store.
func (d *Dir) SyncDir(k store.Key) error { return syncDir(filepath.Dir(d.Path(k))) }

// Scan implements Store.
func (d *Dir) Scan(stream string, from int64) ([]int64, error) {
	dirs, err := os.ReadDir(filepath.Join(d.path, stream))
	if err = d.away(err); errors.Is(err, fs.ErrNotExist) {
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
		if errors.Is(err, fs.ErrNotExist) {
			continue // its last file was removed just now
		}
		if err != nil {
			return nil, fmt.Errorf("list sample files of %s: %w", stream, err)
		}
		for _, f := range files {
			n, ok := number(f.Name())
			if ok && n >= from && d.Path(store.Key{Stream: stream, Number: n}) == filepath.Join(d.path, stream, dir.Name(), f.Name()) {
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

// Bulk implements Store.
func (d *Dir) Bulk(stream string) (store.Bulk, error) {
	if err := d.Present(); err != nil {
		return nil, err
	}
	path := filepath.Join(d.path, stream)
	if err := errors.Join(os.MkdirAll(path, 0o700), syncDir(d.path)); err != nil {
		return nil, fmt.Errorf("make directory of stream %s: %w", stream, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open directory of stream %s: %w", stream, err)
	}
	return &bulk{dir: d, stream: stream, f: f}, nil
}

// bulk is a Bulk on the filesystem that holds a stream's directory.
type bulk struct {
	dir    *Dir
	stream string
	f      *os.File // the directory; the kernel tells it of write errors since it was opened
}

func (b *bulk) Create(number int64) (store.Writer, error) {
	return b.dir.create(store.Key{Stream: b.stream, Number: number}, b.makeDir)
}

// makeDir makes the numbered directory of a file.
func (b *bulk) makeDir(k store.Key) error {
	if err := b.dir.Present(); err != nil {
		return err
	}
	return os.Mkdir(filepath.Dir(b.dir.Path(k)), 0o700)
}

func (b *bulk) Sync() error {
	if err := unix.Syncfs(int(b.f.Fd())); err != nil {
		return fmt.Errorf("sync the filesystem of %s: %w", b.f.Name(), err)
	}
	return nil
}

func (b *bulk) Close() error {
	if err := b.f.Close(); err != nil {
		return fmt.Errorf("close directory of stream %s: %w", b.stream, err)
	}
	return nil
}

// file is a Writer on an ordinary file.
type file struct {
	f    *os.File
	size int64
	torn bool // an append failed, and some of its bytes may lie behind size
}

func (w *file) Append(p []byte) error {
	if w.torn {
		if err := w.Truncate(w.size); err != nil {
			return err
		}
	}
	if _, err := w.f.WriteAt(p, w.size); err != nil {
		w.torn = true
		return errors.Join(fmt.Errorf("append %d bytes to sample file: %w", len(p), err), w.Truncate(w.size))
	}
	w.size += int64(len(p))
	return nil
}

func (w *file) Truncate(size int64) error {
	if err := w.f.Truncate(size); err != nil {
		return fmt.Errorf("cut sample file: %w", err)
	}
	w.size, w.torn = size, false
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
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) { // it was cut off, or is not ours
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
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
