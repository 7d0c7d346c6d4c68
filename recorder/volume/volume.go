package volume

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"nvrfs/store"
	"nvrfs/store/dir"
)

// A State says what can be done with a volume.
type State uint8

// The states. A volume never goes back to an earlier one: when its disk fails or hangs later, it is still ready, but its operations
// return errors, or take long.
const (
	Absent     State = iota // it is not there, or its disk does not answer
	Recovering              // it is there, and what a crash left in it is being mended
	Ready                   // it can be recorded to
)

// A Volume is one directory of sample files.
type Volume struct {
	ID   int64 // of the sample directory in the database
	Path string

	open  opener
	since time.Time // when Open looked for it first
	log   *slog.Logger
	ready chan struct{} // closed when it is Ready

	asking store.Asking // for the goroutine that awaits it

	// NextNumbers has, by stream, the first of the numbers that were skipped for the sake of files that the volume may have; they
	// move on when it is mended. It is for who mends, and nil unless the volume was absent when others were mended.
	NextNumbers map[int64]int64

	mu     sync.Mutex
	labels []string // of the streams that need it
	said   string   // the last error that was logged
	state  State
	store  store.Store // nil while it is absent
	lock   *dir.Lock   // nil where it cannot be locked
}

func newVolume(id int64, path string) *Volume {
	return &Volume{ID: id, Path: path, since: time.Now(), ready: make(chan struct{})}
}

// New returns a volume that is there and ready, without a lock.
func New(id int64, path string, st store.Store) *Volume {
	v := newVolume(id, path)
	v.come(opened{store: st})
	v.SetReady()
	return v
}

// Store returns the store with the sample files, or nil while the volume is absent.
func (v *Volume) Store() store.Store {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.store
}

// State returns the state of the volume.
func (v *Volume) State() State {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state
}

// SetReady says that what a crash left in the volume was mended.
func (v *Volume) SetReady() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.state == Recovering {
		v.state = Ready
		close(v.ready)
	}
}

// WaitReady waits until the volume is ready or ctx ends, and reports whether the volume is ready.
func (v *Volume) WaitReady(ctx context.Context) bool {
	select {
	case <-v.ready:
		return true
	case <-ctx.Done():
		return false
	}
}

// Streams lists the labels of the streams that need the volume.
func (v *Volume) Streams() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(v.labels, " ")
}

// watched returns an open function for stores that are watched: when one does not answer, the log says so, and which streams wait.
func (v *Volume) watched(open func(path string) (store.Store, error)) func(path string) (store.Store, error) {
	w := store.NewWatch(v.log, "recording", func() []any { return []any{"streams", v.Streams()} })
	return func(path string) (store.Store, error) {
		st, err := open(path)
		if err != nil {
			return nil, err
		}
		return store.Watched(st, w), nil
	}
}

// need says that a stream is recorded to the volume.
func (v *Volume) need(label string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !slices.Contains(v.labels, label) {
		v.labels = append(v.labels, label)
		v.said = "" // to the new one it is news
	}
}

// NotNeeded says that a stream is not recorded to the volume any more.
func (v *Volume) NotNeeded(label string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.labels = slices.DeleteFunc(v.labels, func(l string) bool { return l == label })
}

// come makes an absent volume recovering, with the store and the lock that were opened.
func (v *Volume) come(x opened) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state, v.store, v.lock = Recovering, x.store, x.lock
}

// leave makes a volume absent again that could not be mended.
func (v *Volume) leave() {
	v.mu.Lock()
	lock := v.lock
	v.state, v.store, v.lock = Absent, nil, nil
	v.mu.Unlock()
	_ = opened{lock: lock}.release() // of a lock that is looked for again
}

// Close gives back the lock of the volume.
func (v *Volume) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	x := opened{lock: v.lock}
	v.lock = nil
	return x.release()
}
