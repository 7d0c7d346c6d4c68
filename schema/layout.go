package schema

import (
	"errors"
	"slices"
	"strings"

	"nvrfs/media"
)

// The column listing packs a Recording, but for its stream and its digest, as numbers that media.AppendNumber writes:
//
//	number | start | run | directory << 1 | sealed | sequence | header bytes | bytes | wall duration, see below | number of tracks
//	of each track: Entry | Start | FirstCTS | LastDuration | Samples | Syncs | CTSRuns | Chunks | ChunkRuns
//		| TimeRuns << 1 | 1, then the duration of the others - LastDuration, where all samples but the last are equally long
//		| TimeRuns << 1 | 0, then Duration, the length of Runs, and Runs, where they are not
//
// Whatever may be negative is zigzagged. Of the wall duration it is the difference to the first track's Duration, which is small.

// packListing returns the column listing of a recording.
func packListing(r *Recording) string {
	b := make([]byte, 0, 256)
	for _, v := range [...]uint64{
		uint64(r.ID.Number()), media.Zigzag(r.Start90k), uint64(r.Run), uint64(r.Dir)<<1 | bit(r.Sealed), uint64(r.Sequence),
		uint64(r.HeaderBytes), uint64(r.Bytes), media.Zigzag(r.WallDuration90k - usualDuration(r.Tracks)), uint64(len(r.Tracks)),
	} {
		b = media.AppendNumber(b, v)
	}
	for i := range r.Tracks {
		b = appendTrack(b, &r.Tracks[i])
	}
	return string(b)
}

// usualDuration is what the wall duration of a recording is close to where its first track is video, which counts in ticks of 90 kHz.
func usualDuration(tracks []Track) int64 {
	if len(tracks) == 0 {
		return 0
	}
	return tracks[0].Duration
}

func appendTrack(b []byte, t *Track) []byte {
	b = media.AppendNumber(b, media.Zigzag(t.Entry))
	b = media.AppendNumber(b, media.Zigzag(t.Start))
	b = media.AppendNumber(b, media.Zigzag(int64(t.FirstCTS)))
	for _, n := range t.counts() {
		b = media.AppendNumber(b, uint64(*n))
	}
	if each, ok := t.Steady(); ok && t.Runs == "" {
		b = media.AppendNumber(b, uint64(t.TimeRuns)<<1|1)
		return media.AppendNumber(b, media.Zigzag(each-int64(t.LastDuration)))
	}
	b = media.AppendNumber(b, uint64(t.TimeRuns)<<1)
	b = media.AppendNumber(b, media.Zigzag(t.Duration))
	b = media.AppendNumber(b, uint64(len(t.Runs)))
	return append(b, t.Runs...)
}

// counts lists the fields that are packed as they are, in order.
func (t *Track) counts() [6]*uint32 {
	return [...]*uint32{&t.LastDuration, &t.Samples, &t.Syncs, &t.CTSRuns, &t.Chunks, &t.ChunkRuns}
}

// maxTracks is more than any camera sends.
const maxTracks = 16

var errListing = errors.New("its row is damaged")

// unpackListing reads the listings of recordings of a stream, joined to one value, and appends the recordings to those of the
// room, with a space between them. What they have of the text keeps it in memory.
func (room *Room) unpackListing(stream int64, packed string) error {
	const usualLength = 70 // of the listing of a recording with two tracks
	room.recs = slices.Grow(room.recs, len(packed)/usualLength+1)
	l := listingReader{rest: packed}
	for len(l.rest) > 0 {
		room.recs = append(room.recs, Recording{})
		if !l.recording(room, stream, &room.recs[len(room.recs)-1]) || l.rest != "" && l.rest[0] != ' ' {
			return errListing
		}
		l.rest = l.rest[min(1, len(l.rest)):]
	}
	return nil
}

// listingReader reads what is left of joined listings.
type listingReader struct {
	rest string
	bad  bool
}

func (l *listingReader) number() uint64 {
	v, n := media.Number(l.rest)
	if n == 0 {
		l.bad, l.rest = true, ""
	}
	l.rest = l.rest[n:]
	return v
}

func (l *listingReader) signed() int64 { return media.Unzigzag(l.number()) }

// recording reads a recording, and reports whether it is whole.
func (l *listingReader) recording(room *Room, stream int64, r *Recording) bool {
	r.ID, r.Start90k, r.Run = MakeRecordingID(stream, int64(l.number())), l.signed(), int64(l.number())
	dir := l.number()
	r.Dir, r.Sealed = int64(dir>>1), dir&1 == 1
	r.Sequence, r.HeaderBytes, r.Bytes, r.WallDuration90k = int(l.number()), int64(l.number()), int64(l.number()), l.signed()
	n := l.number()
	if l.bad || n > maxTracks {
		return false
	}
	// Tracks get room by the block, of which many recordings share one.
	if cap(room.tracks)-len(room.tracks) < maxTracks {
		room.tracks = make([]Track, 0, max(2*maxTracks, 2*cap(room.tracks)))
	}
	first := len(room.tracks)
	room.tracks = room.tracks[:first+int(n)]
	r.Tracks = room.tracks[first:len(room.tracks):len(room.tracks)]
	for i := range r.Tracks {
		l.track(&r.Tracks[i])
	}
	r.WallDuration90k += usualDuration(r.Tracks)
	return !l.bad
}

func (l *listingReader) track(t *Track) {
	*t = Track{Entry: l.signed()}
	t.Start, t.FirstCTS = l.signed(), int32(l.signed())
	for _, p := range t.counts() {
		*p = uint32(l.number())
	}
	v := l.number()
	t.TimeRuns = uint32(v >> 1)
	if v&1 == 1 {
		t.Duration = (int64(t.Samples)-1)*(l.signed()+int64(t.LastDuration)) + int64(t.LastDuration)
		return
	}
	t.Duration = l.signed()
	n := l.number()
	if n > uint64(len(l.rest)) {
		l.bad = true
		return
	}
	t.Runs, l.rest = media.Runs(l.rest[:n]), l.rest[n:]
}

// unpackRecording reads the listing of one recording.
func unpackRecording(stream int64, packed string) (Recording, error) {
	var room Room
	l := listingReader{rest: packed}
	var r Recording
	if !l.recording(&room, stream, &r) || l.rest != "" {
		return r, errListing
	}
	return r, nil
}

// Own gives the recording memory of its own, apart from that of what it was listed with.
func (r *Recording) Own() {
	r.Tracks = slices.Clone(r.Tracks)
	for i := range r.Tracks {
		r.Tracks[i].Runs = media.Runs(strings.Clone(string(r.Tracks[i].Runs)))
	}
}
