package playback

import (
	"context"
	"io"
	"strconv"
	"sync"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/schema"
)

// A recordingPart is one recording as part of a file. The bytes and the index of the part are read through it.
type recordingPart struct {
	lib    *Library
	id     schema.RecordingID
	object io.ReaderAt // of the source
	tracks []mp4.TrackPart
}

// recordingOf returns the recording of a part.
func recordingOf(p *mp4.Part) *recordingPart { return p.Object.(*recordingPart) }

// parts describes recordings to package mp4. A day has thousands of recordings, so memory for all of them is allocated at once.
func (l *Library) parts(ctx context.Context, s *Stream, recs []schema.Recording) ([]mp4.Part, error) {
	n := 0
	for i := range recs {
		n += len(recs[i].Tracks)
	}
	parts, from, tracks := make([]mp4.Part, len(recs)), make([]recordingPart, len(recs)), make([]mp4.TrackPart, 0, n)
	extents, names := make([]mp4.Extent, len(recs)), partNames(s.Label, recs)
	if err := l.src.Extents(ctx, s.Label, recs, extents); err != nil {
		return nil, err
	}
	for i := range recs {
		r := &recs[i]
		first := len(tracks)
		var err error
		if tracks, err = l.appendTracks(ctx, tracks, r); err != nil {
			return nil, err
		}
		x := &from[i]
		*x = recordingPart{l, r.ID, extents[i].Object, tracks[first:len(tracks):len(tracks)]}
		parts[i] = partOf(r)
		parts[i].Name, parts[i].Tracks, parts[i].Load = names[i], x.tracks, x.lend
		parts[i].Object, parts[i].Offset = x, extents[i].Offset+r.HeaderBytes
	}
	return parts, nil
}

// partNames names recordings by label and number.
func partNames(label string, recs []schema.Recording) []string {
	var b []byte
	ends := make([]int, len(recs))
	for i := range recs {
		b = strconv.AppendInt(append(append(b, label...), '/'), recs[i].ID.Number(), 10)
		ends[i] = len(b)
	}
	all, names, start := string(b), make([]string, len(recs)), 0
	for i, end := range ends {
		names[i], start = all[start:end], end
	}
	return names
}

// partOf describes a recording to package mp4, without its tracks, and without the object that it is read from.
func partOf(r *schema.Recording) mp4.Part {
	return mp4.Part{Run: r.Run, Sequence: r.Sequence, Extent: mp4.Extent{Length: r.Bytes - r.HeaderBytes}}
}

// appendTracks describes the tracks of a recording to package mp4.
func (l *Library) appendTracks(ctx context.Context, to []mp4.TrackPart, r *schema.Recording) ([]mp4.TrackPart, error) {
	for i := range r.Tracks {
		t := &r.Tracks[i]
		e, err := l.sampleEntry(ctx, t.Entry)
		if err != nil {
			return to, err
		}
		to = append(to, mp4.TrackPart{Entry: e, Sums: t.Sums, Runs: t.Runs})
	}
	return to, nil
}

// index is memory to decode an index in.
type index struct {
	schema.Decoder
	sums   []schema.Track
	tracks []media.Samples
	decode func(packed []byte) error // decodes tracks; made once, so that lending an index allocates nothing
}

var indexes = sync.Pool{New: func() any {
	x := new(index)
	x.decode = func(packed []byte) error {
		decoded, err := x.Decode(packed, x.sums)
		x.tracks = append(x.tracks, decoded...)
		return err
	}
	return x
}}

// lend decodes the index of the recording, and lends it to use.
func (r *recordingPart) lend(use func([]media.Samples) error) error {
	x := indexes.Get().(*index)
	defer indexes.Put(x)
	x.sums, x.tracks = x.sums[:0], x.tracks[:0]
	for i := range r.tracks {
		t := &r.tracks[i]
		x.sums = append(x.sums, schema.Track{Sums: t.Sums})
	}
	if err := r.lib.withPackedIndex(r.id, x.decode); err != nil {
		return err
	}
	return use(x.tracks)
}

// withPackedIndex lends the packed index of a recording, which the source may no longer have when the recording was deleted.
func (l *Library) withPackedIndex(id schema.RecordingID, use func(packed []byte) error) error {
	if packed, ok, err := l.pins.index(id); err != nil {
		return err
	} else if ok {
		return use(packed)
	}
	ctx, cancel := context.WithTimeout(context.Background(), indexDeadline)
	defer cancel()
	return l.src.WithPackedIndex(ctx, id, use)
}

// ReadAt implements io.ReaderAt.
func (r *recordingPart) ReadAt(p []byte, off int64) (n int, err error) {
	l := r.lib
	defer func() { l.count.read(int64(n), int64(len(p))) }()
	pinned := l.pins.added.Load()
	kept, err := l.pins.object(r.id)
	switch {
	case err != nil:
		return 0, err
	case kept != nil:
		n, err = kept.ReadAt(p, off)
	default:
		n, err = r.object.ReadAt(p, off)
		r.closeIfPinned(pinned)
	}
	if err != nil && n < len(p) {
		err = l.pins.cannotRead(r.id, err)
	}
	return n, err
}

// closeIfPinned has the source close an object that was read while the recording was pinned: the pin has its own, and this one
// would keep the space of a deleted file from being free. pinned is pins.added of before the read.
func (r *recordingPart) closeIfPinned(pinned int64) {
	if r.lib.pins.added.Load() != pinned && r.lib.pins.has(r.id) {
		r.lib.letClose(func(id schema.RecordingID) bool { return id == r.id })
	}
}

// withFile is File.WithFile for n bytes of the recording's object, at off.
func (r *recordingPart) withFile(off, n int64, use func(fd uintptr, at, n int64) int64) (used int64) {
	l := r.lib
	pinned := l.pins.added.Load()
	kept, err := l.pins.object(r.id)
	if err != nil {
		return 0
	}
	if f, ok := kept.(fileObject); ok {
		used = f.WithFile(off, n, use)
	} else if f, ok := r.object.(fileObject); ok && kept == nil {
		used = f.WithFile(off, n, use)
		r.closeIfPinned(pinned)
	} else {
		return 0
	}
	l.count.read(used, n)
	return used
}

// sampleEntries keeps the sample entries that were asked for. There are few, and they never change.
type sampleEntries struct {
	mu    sync.Mutex // held while nothing is asked
	known map[int64]*media.SampleEntry
}

// sampleEntry returns a sample entry.
func (l *Library) sampleEntry(ctx context.Context, id int64) (*media.SampleEntry, error) {
	x := &l.entries
	x.mu.Lock()
	e, ok := x.known[id]
	x.mu.Unlock()
	if ok {
		return e, nil
	}
	row, err := l.src.SampleEntry(ctx, id)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.known == nil {
		x.known = map[int64]*media.SampleEntry{}
	}
	x.known[id] = &row
	return &row, nil
}
