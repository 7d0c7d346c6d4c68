package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"nvrfs/schema"
	"nvrfs/store"
)

// sampleDir is a directory of sample files.
type sampleDir struct {
	path  string
	store store.Store
}

// samplesOf says where the sample files of a stream are to lie.
func samplesOf(data string, s StreamOptions) string {
	if s.Samples != "" {
		return filepath.Clean(s.Samples)
	}
	return schema.SampleDirPath(data, schema.DefaultSampleDir)
}

// openDirs opens the sample directories that the database knows, and makes those that are new to it. One that it knows must
// be there if streams are recorded to it: an empty directory in its place is a disk that is not mounted. Of the others, one
// that is not there costs only that it is not mended, and nothing is deleted from it.
func openDirs(ctx context.Context, db *schema.DB, o Options) (map[int64]sampleDir, error) {
	known, err := db.SampleDirs(ctx)
	if err != nil {
		return nil, err
	}
	needed := map[string]bool{}
	for _, s := range o.Streams {
		needed[samplesOf(o.Data, s)] = true
	}
	fresh, err := nothingRecorded(ctx, db)
	if err != nil {
		return nil, err
	}
	dirs := map[int64]sampleDir{}
	for id, path := range known {
		path = schema.SampleDirPath(o.Data, path)
		st, err := inTime(path, func() (store.Store, error) { return openDir(path, db.UUID(), fresh) })
		switch {
		case err == nil:
			dirs[id] = sampleDir{path, st}
		case needed[path]:
			return nil, fmt.Errorf("%w; is its disk mounted?", err)
		default:
			o.Log.Warn("a sample directory is not there; its footage cannot be shown, and what was being recorded there waits for a start with it", "path", path, "err", err)
		}
		delete(needed, path)
	}
	for path := range needed {
		// First the directory: what it is refused for may be mended, and then it must still be new to the database.
		st, err := inTime(path, func() (store.Store, error) { return store.Attach(path, db.UUID()) })
		if err != nil {
			return nil, err
		}
		id, err := addDir(ctx, db, path)
		if err != nil {
			return nil, err
		}
		dirs[id] = sampleDir{path, st}
	}
	return dirs, nil
}

// nothingRecorded reports whether nothing was ever recorded.
func nothingRecorded(ctx context.Context, db *schema.DB) (bool, error) {
	streams, err := db.Streams(ctx)
	return !slices.ContainsFunc(streams, func(s schema.Stream) bool { return s.NextNumber > 1 }), err
}

// ErrLost says that there are sample files, but not the database that they belong to.
var ErrLost = errors.New("the database is lost")

// refuseOrphans refuses to make a new database where sample files of another one lie: that one was lost, or is not where it
// should be. Making one would not harm them, but be in the way of what helps.
func refuseOrphans(o Options) error {
	there, err := schema.Exists(o.Data)
	if err != nil || there {
		return err
	}
	paths := []string{schema.SampleDirPath(o.Data, schema.DefaultSampleDir)}
	for _, s := range o.Streams {
		paths = append(paths, samplesOf(o.Data, s))
	}
	for _, path := range paths {
		if owner, err := store.Database(path); err == nil {
			return fmt.Errorf("%w: there is no %s in %s, but sample directory %s belongs to one (%s); nothing was touched: restore it, or make a new one from the sample files with: nvrfs rebuild --data %s",
				ErrLost, schema.FileName, o.Data, path, owner, o.Data)
		}
	}
	return nil
}

// openDir opens a directory; those of a fresh database are made.
func openDir(path, database string, fresh bool) (store.Store, error) {
	if fresh {
		return store.Attach(path, database)
	}
	return store.Open(path, database)
}

// inTime opens a directory, or returns errNoAnswer where its disk hangs.
func inTime(path string, open func() (store.Store, error)) (store.Store, error) {
	type opened struct {
		store.Store
		err error
	}
	x, ok := ask(new(asking), []int64{0}, func(int64) opened {
		st, err := open()
		return opened{st, err}
	})[0]
	if !ok {
		return nil, fmt.Errorf("open sample directory %s: %w", path, errNoAnswer)
	}
	return x.Store, x.err
}

func addDir(ctx context.Context, db *schema.DB, path string) (id int64, err error) {
	err = db.Write(ctx, func(tx *schema.Tx) error {
		id, err = tx.SampleDir(path)
		return err
	})
	return id, err
}

// dirID returns the id of the directory with a path.
func dirID(dirs map[int64]sampleDir, path string) int64 {
	for id, d := range dirs {
		if d.path == path {
			return id
		}
	}
	panic("openDirs opened every directory that a stream needs")
}

// readDirs opens the sample directories for reading. Those that are not there are left out, and logged.
func readDirs(ctx context.Context, db *schema.DB, data string, log *slog.Logger) (map[int64]sampleDir, error) {
	paths, err := db.SampleDirs(ctx)
	if err != nil {
		return nil, err
	}
	dirs := map[int64]sampleDir{}
	for id, path := range paths {
		path = schema.SampleDirPath(data, path)
		st, err := store.Open(path, db.UUID())
		if err != nil {
			log.Warn("a sample directory cannot be read", "path", path, "err", err)
			continue
		}
		dirs[id] = sampleDir{path, st}
	}
	return dirs, nil
}
