package playback

import (
	"context"
	"strconv"
	"sync"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// A recordingPart is what a part of a file is read from.
type recordingPart struct {
	source
	lib    *Library
	tracks []mp4.TrackPart
}

// parts describes recordings to package mp4. Those of a day are thousands: what they take is made for all at once.
func (l *Library) parts(ctx context.Context, s *Stream, recs []schema.Recording) ([]mp4.Part, error) {
	n := 0
	for i := range recs {
		n += len(recs[i].Tracks)
	}
	parts, from, tracks := make([]mp4.Part, len(recs)), make([]recordingPart, len(recs)), make([]mp4.TrackPart, 0, n)
	names := partNames(s.Label, recs)
	for i := range recs {
		r := &recs[i]
		first := len(tracks)
		var err error
		if tracks, err = l.appendTracks(ctx, tracks, r); err != nil {
			return nil, err
		}
		x := &from[i]
		*x = recordingPart{
			source: *l.samples.source(sampleKey{r.ID, r.Dir, store.Key{Stream: s.Label, Number: r.ID.Number()}}),
			lib:    l, tracks: tracks[first:len(tracks):len(tracks)],
		}
		parts[i] = partOf(r)
		parts[i].Name, parts[i].Tracks, parts[i].Source, parts[i].Load = names[i], x.tracks, &x.source, x.lend
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

// partOf describes a recording to package mp4, without its tracks, and without what it takes to read it.
func partOf(r *schema.Recording) mp4.Part {
	return mp4.Part{Run: r.Run, Sequence: r.Sequence, Offset: r.HeaderBytes, Length: r.Bytes - r.HeaderBytes}
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
}

var indexes = sync.Pool{New: func() any { return new(index) }}

// lend decodes the index of the recording, and lends it to use.
func (r *recordingPart) lend(use func([]media.Samples) error) error {
	x := indexes.Get().(*index)
	defer indexes.Put(x)
	x.sums, x.tracks = x.sums[:0], x.tracks[:0]
	for i := range r.tracks {
		t := &r.tracks[i]
		x.sums = append(x.sums, schema.Track{Sums: t.Sums})
	}
	decode := func(packed []byte) error {
		decoded, err := x.Decode(packed, x.sums)
		x.tracks = append(x.tracks, decoded...)
		return err
	}
	if err := r.lib.withPackedIndex(r.key, decode); err != nil {
		return err
	}
	return use(x.tracks)
}

// withPackedIndex lends the packed index of a recording, which is no longer in the database when the recording was deleted.
func (l *Library) withPackedIndex(key sampleKey, use func(packed []byte) error) error {
	if packed, ok, err := l.samples.pinnedIndex(key); err != nil {
		return err
	} else if ok {
		return use(packed)
	}
	ctx, cancel := context.WithTimeout(context.Background(), indexDeadline)
	defer cancel()
	return l.db.WithPackedIndex(ctx, key.id, use)
}
