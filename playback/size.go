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
		var err error
		if z.tracks, err = l.appendTracks(ctx, z.tracks, &recs[i]); err != nil {
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
