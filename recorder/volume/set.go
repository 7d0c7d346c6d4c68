package volume

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// Options says which volumes a Set is opened with.
type Options struct {
	Data    string   // data directory, which must exist
	Needed  []Needed // streams that are to be recorded
	NeedAll bool     // Open fails if a volume that a stream needs is absent, rather than wait for it
	Log     *slog.Logger

	// OpenStore opens a sample directory, and if fresh is true makes it. nil means store/dir: a directory of this machine.
	OpenStore func(path, database string, fresh bool) (store.Store, error)
}

// Needed is a stream that is to be recorded, and the directory of its sample files.
type Needed struct {
	Camera, Stream string
	Path           string // absolute or below the data directory, as SamplesPath returns it
}

// SamplesPath says where the sample files of a stream are to lie; samples is empty for the directory in the data directory.
func SamplesPath(data, samples string) string {
	if samples != "" {
		return filepath.Clean(samples)
	}
	return schema.SampleDirPath(data, schema.DefaultSampleDir)
}

// A Set is the sample directories of a data directory, with its database. Volumes may be added while others are written.
type Set struct {
	DB *schema.DB

	o    Options
	lock *dir.Lock // of the data directory; nil where it is only read

	mu      sync.RWMutex
	volumes map[int64]*Volume // by id
}

// Open takes the lock of a data directory, makes or opens its database, and opens the sample directories that the database
// knows or that streams need. It takes the lock of each, and returns store.ErrLocked when another process has one of them. A
// directory that was recorded to, but is not there now or does not answer, becomes a volume that is absent.
func Open(ctx context.Context, o Options) (*Set, error) {
	if o.OpenStore == nil {
		o.OpenStore = openDir
	}
	s, err := lockData(o)
	if err != nil {
		return nil, err
	}
	if err := s.make(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenExisting opens a data directory to repair it, with all locks. Sample directories that are not there are left out, and logged.
func OpenExisting(ctx context.Context, data string, log *slog.Logger) (*Set, error) {
	s, err := lockData(Options{Data: data, Log: log})
	if err != nil {
		return nil, err
	}
	if s.DB, err = schema.OpenExisting(ctx, data); err == nil {
		err = s.openKnown(ctx, true)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenReadOnly opens a data directory for reading, without a lock, while another process may record into it. Sample directories that
// are not there are left out, and logged.
func OpenReadOnly(ctx context.Context, data string, log *slog.Logger) (*Set, error) {
	db, err := schema.OpenReadOnly(ctx, data)
	if err != nil {
		return nil, err
	}
	s := &Set{DB: db, o: Options{Data: data, Log: log}, volumes: map[int64]*Volume{}}
	if err := s.openKnown(ctx, false); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func lockData(o Options) (*Set, error) {
	lock, err := dir.LockDir(o.Data)
	if err != nil {
		return nil, err
	}
	return &Set{o: o, lock: lock, volumes: map[int64]*Volume{}}, nil
}

// Close releases the locks and closes the database. If readers have closed the database before, SQLite leaves one file of it.
func (s *Set) Close() error {
	var err error
	for _, v := range s.All() {
		err = errors.Join(err, v.Close())
	}
	if s.DB != nil {
		err = errors.Join(err, s.DB.Close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Release())
	}
	return err
}

func (s *Set) make(ctx context.Context) (err error) {
	if err := s.refuseOrphans(); err != nil {
		return err
	}
	if s.DB, err = schema.Create(ctx, s.o.Data); err != nil {
		return err
	}
	fresh, err := nothingRecorded(ctx, s.DB)
	if err != nil {
		return err
	}
	needed := map[string][]string{} // labels by path
	for _, n := range s.o.Needed {
		needed[n.Path] = append(needed[n.Path], schema.Label(n.Camera, n.Stream))
	}
	if err := s.openNeeded(ctx, needed, fresh); err != nil {
		return err
	}
	for _, n := range s.o.Needed {
		if _, err := s.Add(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// openNeeded opens the sample directories that the database knows. One that is not there is absent if streams are recorded to
// it: an empty directory in its place is a disk that is not mounted. If not, it costs only that it is not mended, and nothing is
// deleted from it.
func (s *Set) openNeeded(ctx context.Context, needed map[string][]string, fresh bool) error {
	known, err := s.known(ctx)
	if err != nil {
		return err
	}
	for _, v := range known {
		v.labels = needed[v.Path]
		s.recorded(v, fresh)
	}
	var refused error
	for id, x := range openAll(new(store.Asking), known) {
		v := known[id]
		_, isNeeded := needed[v.Path]
		switch {
		case x.err == nil:
			v.come(x)
		case errors.Is(x.err, store.ErrLocked):
			refused = errors.Join(refused, x.err)
			continue
		case !isNeeded:
			s.o.Log.Warn("a sample directory that no camera records to is not there; its footage cannot be shown, and recordings that a crash left there are mended by a start with it", "path", v.Path, "err", x.err)
		case fresh, s.o.NeedAll, errors.Is(x.err, store.ErrForeign): // waiting would not help
			refused = errors.Join(refused, x.err)
			continue
		default:
			v.say(x.err)
		}
		s.put(v)
	}
	return refused
}

// recorded prepares a volume for recording: with a logger that names it, a watch, and a lock.
func (s *Set) recorded(v *Volume, fresh bool) {
	v.log = s.o.Log.With("path", v.Path)
	open := func(path string) (store.Store, error) { return s.o.OpenStore(path, s.DB.UUID(), fresh) }
	v.open = locking(s.o.Data, v.watched(open), s.o.Log)
}

// openKnown opens the sample directories that the database knows, without those that are not there, and may take their locks.
func (s *Set) openKnown(ctx context.Context, lock bool) error {
	known, err := s.known(ctx)
	if err != nil {
		return err
	}
	for _, v := range known {
		v.open = locking(s.o.Data, func(path string) (store.Store, error) { return dir.Open(path, s.DB.UUID()) }, s.o.Log)
		if !lock {
			v.open.lock = nil
		}
	}
	for id, x := range openAll(new(store.Asking), known) {
		switch v := known[id]; {
		case errors.Is(x.err, store.ErrLocked):
			err = errors.Join(err, x.err)
		case x.err != nil:
			s.o.Log.Warn("a sample directory cannot be opened, so its footage is left out", "path", v.Path, "err", x.err)
		default:
			v.come(x)
			s.put(v)
		}
	}
	return err
}

// known returns the volumes that the database knows.
func (s *Set) known(ctx context.Context) (map[int64]*Volume, error) {
	paths, err := s.DB.SampleDirs(ctx)
	known := map[int64]*Volume{}
	for id, path := range paths {
		known[id] = newVolume(id, schema.SampleDirPath(s.o.Data, path))
	}
	return known, err
}

// Add returns the volume that a stream needs. A directory that is new to the database is made, and is ready at once, because nothing
// in it has to be mended.
func (s *Set) Add(ctx context.Context, n Needed) (*Volume, error) {
	path := n.Path
	if v := s.At(path); v != nil {
		v.need(schema.Label(n.Camera, n.Stream))
		return v, nil
	}
	// First the directory: what it is refused for may be mended, and then it must still be new to the database.
	v := newVolume(0, path)
	v.need(schema.Label(n.Camera, n.Stream))
	s.recorded(v, true)
	x := openAll(new(store.Asking), map[int64]*Volume{0: v})[0]
	if x.err != nil {
		return nil, x.err
	}
	var err error
	if v.ID, err = AddDir(ctx, s.DB, path); err != nil {
		return nil, errors.Join(err, x.release())
	}
	v.come(x)
	s.put(v)
	return v, nil
}

// AddDir gives a sample directory its id in a database.
func AddDir(ctx context.Context, db *schema.DB, path string) (id int64, err error) {
	err = db.Write(ctx, func(tx *schema.Tx) error {
		id, err = tx.SampleDir(path)
		return err
	})
	return id, err
}

func (s *Set) put(v *Volume) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.volumes[v.ID] = v
}

// All returns all volumes, including absent ones, by id.
func (s *Set) All() map[int64]*Volume {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.volumes)
}

// Present returns the volumes that are not absent, by id.
func (s *Set) Present() map[int64]*Volume { return s.from(Recovering) }

// Ready returns the volumes that are ready, by id.
func (s *Set) Ready() map[int64]*Volume { return s.from(Ready) }

func (s *Set) from(least State) map[int64]*Volume {
	all := s.All()
	maps.DeleteFunc(all, func(_ int64, v *Volume) bool { return v.State() < least })
	return all
}

// At returns the volume of a path, or nil.
func (s *Set) At(path string) *Volume {
	for _, v := range s.All() {
		if v.Path == path {
			return v
		}
	}
	return nil
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
func (s *Set) refuseOrphans() error {
	there, err := schema.Exists(s.o.Data)
	if err != nil || there {
		return err
	}
	paths := []string{schema.SampleDirPath(s.o.Data, schema.DefaultSampleDir)}
	for _, n := range s.o.Needed {
		paths = append(paths, n.Path)
	}
	for _, path := range paths {
		if owner, err := dir.Database(path); err == nil {
			return fmt.Errorf("%w: there is no %s in %s, but sample directory %s belongs to one (%s); nothing was touched: restore it, or make a new one from the sample files with: nvrfs rebuild --data %s",
				ErrLost, schema.FileName, s.o.Data, path, owner, s.o.Data)
		}
	}
	return nil
}
