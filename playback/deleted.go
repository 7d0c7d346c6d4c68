package playback

import (
	"context"
	"maps"
	"slices"
	"time"

	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// deletions remembers what was deleted lately, for those who read a listing before and open what it says after.
type deletions map[schema.RecordingID]time.Time

// deletionsKept is longer than an entry takes to open.
const deletionsKept = time.Minute

func (d deletions) add(ids map[schema.RecordingID]bool, now time.Time) {
	for id, at := range d {
		if now.Sub(at) > deletionsKept {
			delete(d, id)
		}
	}
	for id := range ids {
		d[id] = now
	}
}

// allDeleted adds what is to be released where the journal does not say: every recording whose file is still to be deleted.
func (l *Library) allDeleted(ctx context.Context, deleted map[schema.RecordingID]bool) error {
	garbage, err := l.db.Garbage(ctx)
	for _, g := range garbage {
		deleted[g.Recording] = true
	}
	l.samples.close() // what is not to be found any more is not kept; what is, is opened again
	return err
}

// release lets go of recordings that were deleted, so that their space is freed: now, or when the files that are open and
// show them are closed. tell is called when nobody can open them any more, and waits for no disk.
func (l *Library) release(ctx context.Context, deleted map[schema.RecordingID]bool, tell func()) {
	if len(deleted) == 0 {
		tell()
		return
	}
	l.mu.Lock()
	l.deleted.add(deleted, time.Now())
	opened := slices.Collect(maps.Keys(l.opened))
	l.mu.Unlock()
	tell()
	l.toPin.add(opened, deleted)
	l.pin(ctx)
	l.files.remove(func(_ string, f *mp4.File) bool {
		return shows(f, func(id schema.RecordingID) bool { return deleted[id] })
	})
	l.samples.open.remove(func(k sampleKey, _ *sampleFile) bool { return deleted[k.id] })
}

// followMoved drops what is cached about where recordings lie that were moved. Files that are open read them where they lie now.
func (l *Library) followMoved(moved map[schema.RecordingID]bool) {
	if len(moved) == 0 {
		return
	}
	l.files.remove(func(_ string, f *mp4.File) bool {
		return shows(f, func(id schema.RecordingID) bool { return moved[id] })
	})
	l.samples.open.remove(func(k sampleKey, _ *sampleFile) bool { return moved[k.id] })
}

// keyOf is the sample file of a part.
func keyOf(p *mp4.Part) sampleKey { return p.Source.(*source).key }

// shows reports whether a file shows a recording for which is is true.
func shows(f *mp4.File, is func(schema.RecordingID) bool) bool {
	for i := range f.Parts() {
		if is(f.Parts()[i].Source.(*source).key.id) {
			return true
		}
	}
	return false
}

// toPin is what was deleted while files that are open show it, and is still to be kept for them: by sample directory.
type toPin struct {
	asking store.Asking
	left   map[int64]*unpinned
}

type unpinned struct {
	files   map[*File]bool
	deleted map[schema.RecordingID]bool
	said    bool // that the disk does not answer
}

func (p *toPin) add(opened []*File, deleted map[schema.RecordingID]bool) {
	changed := map[int64]*unpinned{} // a question that is not answered yet may still use what there was
	for _, f := range opened {
		for i := range f.Parts() {
			k := keyOf(&f.Parts()[i])
			if !deleted[k.id] {
				continue
			}
			u := changed[k.dir]
			if u == nil {
				u = p.left[k.dir].clone()
				changed[k.dir] = u
			}
			u.files[f], u.deleted[k.id] = true, true
		}
	}
	maps.Copy(p.left, changed)
}

// clone copies what there is, which may be nil.
func (u *unpinned) clone() *unpinned {
	if u == nil {
		return &unpinned{files: map[*File]bool{}, deleted: map[schema.RecordingID]bool{}}
	}
	return &unpinned{maps.Clone(u.files), maps.Clone(u.deleted), u.said}
}

// pin keeps deleted recordings for the files that show them, until these are closed. One disk that hangs holds up nobody for
// long: what is on it is tried again with each call.
func (l *Library) pin(ctx context.Context) {
	left := maps.Clone(l.toPin.left) // which a question that is left behind reads
	pinned := store.Ask(&l.toPin.asking, slices.Collect(maps.Keys(left)), func(dir int64) *unpinned {
		u := left[dir]
		for f := range u.files {
			l.pinIn(ctx, dir, f, u.deleted)
		}
		return u
	})
	for dir, u := range left {
		switch {
		case pinned[dir] == u:
			delete(l.toPin.left, dir)
		case !u.said:
			u.said = true
			l.o.Log.Error("footage was deleted while it is being read, and is not kept for its readers yet", "sample_dir", dir, "err", store.ErrNoAnswer)
		}
	}
}

// pinIn is pin for one file, and what of it lies in one sample directory.
func (l *Library) pinIn(ctx context.Context, dir int64, f *File, deleted map[schema.RecordingID]bool) {
	bytes := int64(0)
	for i := range f.Parts() {
		k := keyOf(&f.Parts()[i])
		if k.dir != dir || !deleted[k.id] {
			continue
		}
		packed, err := l.db.PackedIndex(ctx, k.id)
		if err == nil {
			err = l.samples.keep(k, packed)
		}
		if err != nil {
			l.o.Log.Error("footage was deleted while it is being read, and cannot be kept for the reader", "entry", f.e.Name, "reader", f.reader, "err", err)
			continue
		}
		if !f.pin(k) { // it was closed meanwhile
			l.samples.letGo(k)
			continue
		}
		bytes += f.Parts()[i].Length
	}
	if bytes > 0 {
		l.o.Log.Info("deleted footage is still being read; its space is freed when it is closed, or after ten minutes", "entry", f.e.Name, "reader", f.reader, "bytes", bytes)
	}
}

// pin notes that a recording is kept for f. It reports false when f is closed.
func (f *File) pin(k sampleKey) bool {
	f.lib.mu.Lock()
	defer f.lib.mu.Unlock()
	if _, ok := f.lib.opened[f]; ok {
		f.pins = append(f.pins, k)
		return true
	}
	return false
}

// Close ends the reading of a file. It must not be read any more.
func (f *File) Close() {
	f.lib.mu.Lock()
	pins := f.pins
	f.pins = nil
	delete(f.lib.opened, f)
	f.lib.mu.Unlock()
	for _, k := range pins {
		f.lib.samples.letGo(k)
	}
}
