package volume

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"nvrfs/store"
	"nvrfs/store/dir"
)

// opened is the result of opening a sample directory.
type opened struct {
	store store.Store
	lock  *dir.Lock // nil where none was asked for, or it cannot be locked
	err   error     // store.ErrNoAnswer where the disk hangs
}

func (x opened) release() error {
	if x.lock == nil {
		return nil
	}
	return x.lock.Release()
}

// openDir opens a sample directory. For a fresh database, it makes one.
func openDir(path, database string, fresh bool) (store.Store, error) {
	if fresh {
		return dir.Attach(path, database)
	}
	return dir.Open(path, database)
}

// An opener opens sample directories.
type opener struct {
	open func(path string) (store.Store, error)
	lock func(path string) (*dir.Lock, error) // nil for those that are only read
	log  *slog.Logger
}

// locking returns an opener that takes the locks of directories for the recorder of a data directory.
func locking(data string, open func(path string) (store.Store, error), log *slog.Logger) opener {
	return opener{open, func(path string) (*dir.Lock, error) { return dir.LockSamples(path, data) }, log}
}

// try opens a directory, and locks it if somebody still waits for the answer. A directory that cannot be locked is used all the same,
// because a disk without a free byte, which has no room for a lock, must not keep footage from being deleted.
func (o opener) try(path string, wanted func() bool) opened {
	st, err := o.open(path)
	if err != nil || o.lock == nil || !wanted() {
		return opened{store: st, err: err}
	}
	lock, err := o.lock(path)
	if errors.Is(err, store.ErrLocked) {
		return opened{err: err}
	}
	if err != nil {
		o.log.Warn("a sample directory cannot be locked, so nothing keeps another nvrfs from recording to it as well", "path", path, "err", err)
	}
	return opened{store: st, lock: lock}
}

// attempt is one question to a disk. When the answer comes, nobody may be waiting for it any more.
type attempt struct {
	mu   sync.Mutex
	over bool // nobody waits
	x    opened
}

// answer takes the answer. An answer that comes too late gives its lock back, because otherwise the next attempt would find it taken.
func (a *attempt) answer(x opened) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.x = x; a.over {
		_ = x.release() // the directory is opened again
	}
}

func (a *attempt) wanted() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.over
}

// giveUp says that nobody waits for the answer any more.
func (a *attempt) giveUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	_ = a.x.release() // of an answer that came just now
}

// openAll opens the directories of volumes, all at once, and returns the results. It does not change the volumes.
func openAll(a *store.Asking, volumes map[int64]*Volume) map[int64]opened {
	attempts := map[int64]*attempt{}
	for id := range volumes {
		attempts[id] = new(attempt)
	}
	all := store.Ask(a, slices.Collect(maps.Keys(volumes)), func(id int64) opened {
		v := volumes[id]
		x := v.open.try(v.Path, attempts[id].wanted)
		attempts[id].answer(x)
		return x
	})
	for id, v := range volumes {
		if _, ok := all[id]; !ok {
			attempts[id].giveUp()
			all[id] = opened{err: fmt.Errorf("open sample directory %s: %w", v.Path, store.ErrNoAnswer)}
		}
	}
	return all
}

// OpenOf opens a sample directory by the UUID of its database, which need not exist: rebuild makes it from the sample files.
func OpenOf(id int64, path, data, database string, log *slog.Logger) (*Volume, error) {
	return openOne(id, path, data, func(path string) (store.Store, error) { return dir.Open(path, database) }, log)
}

// AttachTo is like OpenOf, but makes the directory if there is none.
func AttachTo(id int64, path, data, database string, log *slog.Logger) (*Volume, error) {
	return openOne(id, path, data, func(path string) (store.Store, error) { return dir.Attach(path, database) }, log)
}

func openOne(id int64, path, data string, open func(path string) (store.Store, error), log *slog.Logger) (*Volume, error) {
	v := newVolume(id, path)
	v.open = locking(data, open, log)
	x := v.open.try(path, func() bool { return true })
	if x.err != nil {
		return nil, x.err
	}
	v.come(x)
	return v, nil
}
