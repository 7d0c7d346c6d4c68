package playback

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"nvrfs/mp4"
	"nvrfs/schema"
)

// readers are the files that are open, and the recordings that were deleted lately. Both are needed because a deletion may come between
// listing an entry and opening it. Opening adds the file before it looks for deleted recordings, and a deletion notes the recordings
// before it looks for open files: so one of the two always notices a file that shows deleted footage.
type readers struct {
	mu      sync.Mutex // it also guards pins and saidLost of each File; no other lock is taken inside it
	files   map[*File]struct{}
	deleted map[schema.RecordingID]time.Time
}

// deletedKept is longer than an entry takes to open.
const deletedKept = time.Minute

// add takes in a file that is opened, and reports whether some of it was deleted just before.
func (r *readers) add(f *File) (gone bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		r.files = map[*File]struct{}{}
	}
	r.files[f] = struct{}{}
	return len(r.deleted) > 0 && shows(f.File, func(id schema.RecordingID) bool { _, ok := r.deleted[id]; return ok })
}

// delete notes recordings that were deleted, and returns the files that are open.
func (r *readers) delete(deleted map[schema.RecordingID]bool, now time.Time) []*File {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deleted == nil {
		r.deleted = map[schema.RecordingID]time.Time{}
	}
	maps.DeleteFunc(r.deleted, func(_ schema.RecordingID, at time.Time) bool { return now.Sub(at) > deletedKept })
	for id := range deleted {
		r.deleted[id] = now
	}
	return slices.Collect(maps.Keys(r.files))
}

// pin notes that a recording is kept for a file. It reports false when the file is closed.
func (r *readers) pin(f *File, id schema.RecordingID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.files[f]
	if ok {
		f.pins = append(f.pins, id)
	}
	return ok
}

// remove forgets a file that is closed, and returns the deleted recordings that were kept for it.
func (r *readers) remove(f *File) (pins []schema.RecordingID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pins, f.pins = f.pins, nil
	delete(r.files, f)
	return pins
}

// of returns the files for which at least one of the recordings is kept.
func (r *readers) of(ids map[schema.RecordingID]bool) (files []*File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for f := range r.files {
		if slices.ContainsFunc(f.pins, func(id schema.RecordingID) bool { return ids[id] }) {
			files = append(files, f)
		}
	}
	return files
}

// mostReaders bounds a line of the log.
const mostReaders = 5

// on names some of the readers who have footage on a device open.
func (r *readers) on(device int64) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for f := range r.files {
		lies := slices.ContainsFunc(f.Parts(), func(p mp4.Part) bool {
			o, ok := recordingOf(&p).object.(keptObject)
			return ok && o.Device() == device
		})
		if lies && !slices.Contains(names, f.reader) {
			names = append(names, f.reader)
		}
	}
	return someOf(names)
}

// someOf names some readers.
func someOf(names []string) string {
	slices.Sort(names)
	if more := len(names) - mostReaders; more > 0 {
		names = append(names[:mostReaders], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// sayLost reports whether the log is to say that the reader of a file has lost footage: once for all files that he has open.
func (r *readers) sayLost(f *File) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.saidLost {
		return false
	}
	f.saidLost = true
	for other := range r.files {
		if other.reader == f.reader && len(other.pins) > 0 {
			other.saidLost = true
		}
	}
	return true
}

// shows reports whether a file shows a recording for which is is true.
func shows(f *mp4.File, is func(schema.RecordingID) bool) bool {
	for i := range f.Parts() {
		if is(recordingOf(&f.Parts()[i]).id) {
			return true
		}
	}
	return false
}
