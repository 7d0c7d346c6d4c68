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

// readers are the files that are open, and what was deleted lately, for those who read a listing before and open what it says
// after. A file is added before it is looked whether some of it was deleted, and what is deleted is noted before it is looked which
// files are open: so no file that shows what was deleted escapes both.
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

// delete notes what was deleted, and returns the files that are open.
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

// remove takes in that a file is closed, and returns what was kept for it.
func (r *readers) remove(f *File) (pins []schema.RecordingID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pins, f.pins = f.pins, nil
	delete(r.files, f)
	return pins
}

// of returns the files for which one of some recordings is kept.
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

// on names some of those who have opened what lies on a device.
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
