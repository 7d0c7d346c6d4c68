package playback

import (
	"context"
	"sync"

	"nvrfs/mp4"
	"nvrfs/schema"
)

// sizer is memory to lay out a file in of which only the size is asked for.
type sizer struct {
	parts  []mp4.Part
	tracks []mp4.TrackPart
}

var sizers = sync.Pool{New: func() any { return new(sizer) }}

// sizeOf returns the size of the file that layOut makes of an entry that takes its recordings whole.
func (l *Library) sizeOf(ctx context.Context, e *Entry, recs []schema.Recording) (int64, error) {
	z := sizers.Get().(*sizer)
	defer sizers.Put(z)
	z.parts, z.tracks = z.parts[:0], z.tracks[:0]
	tracks := 0
	for i := range recs {
		tracks += len(recs[i].Tracks)
	}
	if cap(z.tracks) < tracks {
		z.tracks = make([]mp4.TrackPart, 0, tracks)
	}
	for i := range recs {
		first := len(z.tracks)
		if err := l.appendTracks(ctx, &z.tracks, &recs[i]); err != nil {
			return 0, err
		}
		p := partOf(&recs[i])
		p.Tracks = z.tracks[first:]
		z.parts = append(z.parts, p)
	}
	size, err := mp4.Size(z.parts)
	if err != nil { // which says more of a file that is made in full
		_, err = l.layOut(ctx, e, recs)
	}
	return size, err
}

// partOf describes a recording to package mp4, without its tracks, and without what it takes to read it.
func partOf(r *schema.Recording) mp4.Part {
	return mp4.Part{Run: r.Run, Sequence: r.Sequence, Offset: r.HeaderBytes, Length: r.Bytes - r.HeaderBytes}
}

// appendTracks describes the tracks of a recording to package mp4.
func (l *Library) appendTracks(ctx context.Context, to *[]mp4.TrackPart, r *schema.Recording) error {
	for i := range r.Tracks {
		t := &r.Tracks[i]
		e, err := l.sampleEntry(ctx, t.Entry)
		if err != nil {
			return err
		}
		*to = append(*to, mp4.TrackPart{
			Entry: e, Start: t.Start, Duration: t.Duration, LastDuration: t.LastDuration, FirstCTS: t.FirstCTS,
			Samples: t.Samples, Syncs: t.Syncs, TimeRuns: t.TimeRuns, CTSRuns: t.CTSRuns, Chunks: t.Chunks, ChunkRuns: t.ChunkRuns,
		})
	}
	return nil
}
