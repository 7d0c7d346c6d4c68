package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
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

// openDirs opens the sample directories that the database knows, and makes those that are new to it. One that it knows but
// that is not there is left out: an empty directory in its place is a disk that is not mounted. It is late if streams are
// recorded to it. If not, it costs only that it is not mended, and nothing is deleted from it.
func openDirs(ctx context.Context, db *schema.DB, o Options) (dirs map[int64]sampleDir, late map[int64]*lateDir, err error) {
	known, err := db.SampleDirs(ctx)
	if err != nil {
		return nil, nil, err
	}
	needed := map[string][]string{} // by path, the streams
	for _, s := range o.Streams {
		path := samplesOf(o.Data, s)
		needed[path] = append(needed[path], schema.Label(s.Camera, s.Name))
	}
	fresh, err := nothingRecorded(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	watched := watchedBy(o)
	open := func(path string) (store.Store, error) { return watched(path)(o.open(path, db.UUID(), fresh)) }
	for id, path := range known {
		known[id] = schema.SampleDirPath(o.Data, path)
	}
	dirs, late = map[int64]sampleDir{}, map[int64]*lateDir{}
	for id, x := range openAll(new(store.Asking), known, open) {
		path := known[id]
		labels, isNeeded := needed[path]
		delete(needed, path)
		switch {
		case x.err == nil:
			dirs[id] = sampleDir{path, x.store}
		case !isNeeded:
			o.Log.Warn("a sample directory is not there; its footage cannot be shown, and what was being recorded there waits for a start with it", "path", path, "err", x.err)
		case fresh, o.needAll, errors.Is(x.err, store.ErrForeign): // waiting would not help
			return nil, nil, x.err
		default:
			late[id] = newLateDir(id, path, labels, open, o.Log)
			late[id].say(x.err)
		}
	}
	for _, s := range o.Streams {
		path := samplesOf(o.Data, s)
		if _, missing := needed[path]; !missing {
			continue
		}
		delete(needed, path)
		// First the directory: what it is refused for may be mended, and then it must still be new to the database.
		attach := func(path string) (store.Store, error) { return watched(path)(dir.Attach(path, db.UUID())) }
		x := openAll(new(store.Asking), map[int64]string{0: path}, attach)[0]
		if x.err != nil {
			return nil, nil, x.err
		}
		id, err := addDir(ctx, db, path)
		if err != nil {
			return nil, nil, err
		}
		dirs[id] = sampleDir{path, x.store}
	}
	return dirs, late, nil
}

// watchedBy returns what has the log say when a directory that was opened does not answer, and which streams that holds up.
func watchedBy(o Options) func(path string) func(store.Store, error) (store.Store, error) {
	return func(path string) func(store.Store, error) (store.Store, error) {
		var labels []string
		for _, s := range o.Streams {
			if samplesOf(o.Data, s) == path {
				labels = append(labels, schema.Label(s.Camera, s.Name))
			}
		}
		w := store.NewWatch(o.Log.With("path", path), "recording", func() []any { return []any{"streams", strings.Join(labels, " ")} })
		return func(st store.Store, err error) (store.Store, error) {
			if err != nil {
				return nil, err
			}
			return store.Watched(st, w), nil
		}
	}
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
		if owner, err := dir.Database(path); err == nil {
			return fmt.Errorf("%w: there is no %s in %s, but sample directory %s belongs to one (%s); nothing was touched: restore it, or make a new one from the sample files with: nvrfs rebuild --data %s",
				ErrLost, schema.FileName, o.Data, path, owner, o.Data)
		}
	}
	return nil
}

// openDir opens a directory; those of a fresh database are made.
func openDir(path, database string, fresh bool) (store.Store, error) {
	if fresh {
		return dir.Attach(path, database)
	}
	return dir.Open(path, database)
}

// opened is what came of opening a directory.
type opened struct {
	store store.Store
	err   error // store.ErrNoAnswer where the disk hangs
}

// openAll opens directories, all at once.
func openAll(a *store.Asking, paths map[int64]string, open func(path string) (store.Store, error)) map[int64]opened {
	all := store.Ask(a, slices.Collect(maps.Keys(paths)), func(id int64) opened {
		st, err := open(paths[id])
		return opened{st, err}
	})
	for id, path := range paths {
		if _, ok := all[id]; !ok {
			all[id] = opened{err: fmt.Errorf("open sample directory %s: %w", path, store.ErrNoAnswer)}
		}
	}
	return all
}

func addDir(ctx context.Context, db *schema.DB, path string) (id int64, err error) {
	err = db.Write(ctx, func(tx *schema.Tx) error {
		id, err = tx.SampleDir(path)
		return err
	})
	return id, err
}

// dirID returns the id of the directory with a path.
func dirID(dirs map[int64]sampleDir, late map[int64]*lateDir, path string) int64 {
	for id, d := range dirs {
		if d.path == path {
			return id
		}
	}
	for id, l := range late {
		if l.path == path {
			return id
		}
	}
	panic("openDirs opened every directory that a stream needs, or it is late")
}

// readDirs opens the sample directories for reading. Those that are not there are left out, and logged.
func readDirs(ctx context.Context, db *schema.DB, data string, log *slog.Logger) (map[int64]sampleDir, error) {
	paths, err := db.SampleDirs(ctx)
	if err != nil {
		return nil, err
	}
	for id, path := range paths {
		paths[id] = schema.SampleDirPath(data, path)
	}
	open := func(path string) (store.Store, error) { return dir.Open(path, db.UUID()) }
	dirs := map[int64]sampleDir{}
	for id, x := range openAll(new(store.Asking), paths, open) {
		if x.err != nil {
			log.Warn("a sample directory cannot be read", "path", paths[id], "err", x.err)
			continue
		}
		dirs[id] = sampleDir{paths[id], x.store}
	}
	return dirs, nil
}
