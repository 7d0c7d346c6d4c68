package playback

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// allDeleted adds every recording that is garbage to deleted. It is for when changes were missed, so that nobody knows which are new.
func (l *Library) allDeleted(ctx context.Context, deleted map[schema.RecordingID]bool) error {
	ids, err := l.src.Deleted(ctx)
	for _, id := range ids {
		deleted[id] = true
	}
	l.letClose(func(schema.RecordingID) bool { return true }) // what is not to be found any more is not kept open
	return err
}

// letClose has the source close the objects of recordings, if it keeps any open.
func (l *Library) letClose(which func(schema.RecordingID) bool) {
	if s, ok := l.src.(forgettingSource); ok {
		s.Forget(which)
	}
}

// release lets go of recordings that were deleted, so that their space is freed: now, or when the files that are open and
// show them are closed. tell is called when nobody can open them any more, and waits for no disk.
func (l *Library) release(ctx context.Context, deleted map[schema.RecordingID]bool, tell func()) {
	if len(deleted) == 0 {
		tell()
		return
	}
	opened := l.readers.delete(deleted, time.Now())
	tell()
	l.toKeep.add(opened, deleted)
	l.keep(ctx)
	is := func(id schema.RecordingID) bool { return deleted[id] }
	l.files.Remove(func(_ string, f *mp4.File) bool { return shows(f, is) })
	l.letClose(is)
}

// followMoved drops what is cached about where recordings lie that were moved. Files that are open read on where they lie now, which
// is the source's business.
func (l *Library) followMoved(moved map[schema.RecordingID]bool) {
	if len(moved) == 0 {
		return
	}
	is := func(id schema.RecordingID) bool { return moved[id] }
	l.files.Remove(func(_ string, f *mp4.File) bool { return shows(f, is) })
	l.letClose(is)
}

// toKeep has the recordings that were deleted while open files show them, and that are still to be pinned for those files, by device.
// Recordings that the source cannot keep are not in it.
type toKeep struct {
	asking store.Asking
	left   map[int64]*unkept
}

type unkept struct {
	files   map[*File]bool
	deleted map[schema.RecordingID]bool
	said    bool // the log has said that the disk does not answer
}

func (t *toKeep) add(opened []*File, deleted map[schema.RecordingID]bool) {
	changed := map[int64]*unkept{} // a question that is not answered yet may still use what there was
	for _, f := range opened {
		for i := range f.Parts() {
			r := recordingOf(&f.Parts()[i])
			o, ok := r.object.(keptObject)
			if !deleted[r.id] || !ok {
				continue
			}
			u := changed[o.Device()]
			if u == nil {
				u = t.left[o.Device()].clone()
				changed[o.Device()] = u
			}
			u.files[f], u.deleted[r.id] = true, true
		}
	}
	maps.Copy(t.left, changed)
}

// clone copies u, which may be nil.
func (u *unkept) clone() *unkept {
	if u == nil {
		return &unkept{files: map[*File]bool{}, deleted: map[schema.RecordingID]bool{}}
	}
	return &unkept{maps.Clone(u.files), maps.Clone(u.deleted), u.said}
}

// stream returns the label of a stream whose footage is to be kept, for the log.
func (u *unkept) stream() string {
	for f := range u.files {
		return f.e.stream.Label
	}
	return ""
}

// keep pins deleted recordings for the open files that show them, until these are closed. A disk that hangs holds up the others only
// for a few seconds; its recordings are tried again with each call.
func (l *Library) keep(ctx context.Context) {
	left := maps.Clone(l.toKeep.left) // which a question that is left behind reads
	answered := store.Ask(&l.toKeep.asking, slices.Collect(maps.Keys(left)), func(device int64) *unkept {
		var kept keptFor
		u := left[device]
		for f := range u.files {
			kept.add(f, l.keepFor(ctx, device, f, u.deleted))
		}
		kept.say(l.o.Log)
		return u
	})
	for device, u := range left {
		switch {
		case answered[device] == u:
			delete(l.toKeep.left, device)
		case !u.said:
			u.said = true
			l.o.Log.Error("deleted footage that is still being read cannot be kept for its readers yet; trying again", "stream", u.stream(), "err", store.ErrNoAnswer)
		}
	}
}

// keptFor sums up for whom deleted footage is kept, so that it is one line of the log, however many files they have open.
type keptFor struct {
	entry   string // of one of the files
	readers []string
	bytes   int64
}

func (k *keptFor) add(f *File, bytes int64) {
	if bytes == 0 {
		return
	}
	k.entry, k.bytes = f.e.Name, k.bytes+bytes
	if !slices.Contains(k.readers, f.reader) {
		k.readers = append(k.readers, f.reader)
	}
}

func (k *keptFor) say(log *slog.Logger) {
	if k.bytes > 0 {
		log.Info("deleted footage is still being read; its space is freed when it is closed, or after ten minutes",
			"entry", k.entry, "reader", someOf(k.readers), "bytes", k.bytes)
	}
}

// keepFor pins what one file shows of deleted recordings on one device, and returns how many bytes those are.
func (l *Library) keepFor(ctx context.Context, device int64, f *File, deleted map[schema.RecordingID]bool) (length int64) {
	for i := range f.Parts() {
		r := recordingOf(&f.Parts()[i])
		o, ok := r.object.(keptObject)
		if !ok || o.Device() != device || !deleted[r.id] {
			continue
		}
		var packed []byte
		err := l.src.WithPackedIndex(ctx, r.id, func(lent []byte) error {
			packed = bytes.Clone(lent)
			return nil
		})
		if err == nil {
			err = l.pins.add(r.id, packed, o.Keep)
		}
		if err != nil {
			l.o.Log.Error("deleted footage that is still being read cannot be kept for its reader, whose next read fails", "entry", f.e.Name, "reader", f.reader, "err", err)
			continue
		}
		if !l.readers.pin(f, r.id) { // it was closed meanwhile
			l.pins.letGo(r.id)
			continue
		}
		length += f.Parts()[i].Length
	}
	return length
}

// loseOld takes deleted footage from readers who have had it for too long.
func (l *Library) loseOld() {
	if lost := l.pins.loseOld(time.Now()); len(lost) > 0 {
		for _, f := range l.readers.of(lost) {
			f.sayLost()
		}
	}
}
