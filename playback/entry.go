package playback

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"time"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/schema"
)

// An Entry is a file that can be opened. It never changes; when its footage does, there is another Entry.
type Entry struct {
	Name  string // of the file, within its directory
	Size  int64  // bytes
	Start time.Time
	End   time.Time // wall time of the end; the file's modification time
	ETag  string    // without quotes; equal ETags mean equal bytes
	ID    uint64    // as ETag, equal only for equal bytes; its highest bit is 1
	Order int64     // among the entries of its hour: it rises along the listing, and stays when other entries come and go

	stream         *Stream
	kind           entryKind
	from90k, to90k int64 // the hour, the day, or the range of the clip

	// recs is what the entry of an hour is made of, where the stream's newest recording is part of it: such an entry changes
	// every few seconds, and can still be opened as it was listed, since recordings only grow. It is nil for all others.
	recs []schema.Recording
}

// entryKind says which recordings an entry takes.
type entryKind uint8

const (
	hourEntry entryKind = iota // some of those that start in the hour
	dayEntry                   // all that start on the day
	clipEntry                  // the frames of all that overlap the range
)

// Stream is the stream that the entry shows.
func (e *Entry) Stream() Stream { return *e.stream }

// IsClip reports whether the entry is a clip, whose range someone named.
func (e *Entry) IsClip() bool { return e.kind == clipEntry }

// Hour returns when the hour starts in which the entry is listed; ok is false for clips and whole days.
func (e *Entry) Hour() (from90k int64, ok bool) { return e.from90k, e.kind == hourEntry }

// Newest reports whether the entry, of an hour, has the newest recording of its stream, so that a longer entry may soon replace it.
func (e *Entry) Newest() bool { return e.recs != nil }

// joinGap90k is the longest gap that an entry goes over: enough for a reconnect that loses nothing worth a new file.
const joinGap90k = 2 * 90000

// WholeDay returns the entry that joins all recordings that start on a day.
func (l *Library) WholeDay(ctx context.Context, s Stream, day Span) (*Entry, error) {
	newest90k, recs, err := l.newestAndIn(ctx, s, day)
	if err != nil {
		return nil, err
	}
	if len(recs) == 0 {
		return nil, fmt.Errorf("%s/%s: %w", s.Label, day.Name, ErrNotFound)
	}
	return l.entry(ctx, &Entry{Name: day.Name + ".mp4", stream: &s, kind: dayEntry, from90k: day.From90k, to90k: day.To90k}, recs, newest90k)
}

// newestAndIn returns when the newest recording of a stream starts, and then lists the recordings that start in a span, in this order,
// so that the list is not older than the newest recording.
func (l *Library) newestAndIn(ctx context.Context, s Stream, span Span) (newest90k int64, recs []schema.Recording, err error) {
	if newest90k, err = l.newest90k(ctx, s); err != nil {
		return 0, nil, err
	}
	recs, err = l.startingIn(ctx, s.id, span.From90k, span.To90k)
	return newest90k, recs, err
}

// startingIn lists all recordings of a stream that start in [from90k, to90k), by start.
func (l *Library) startingIn(ctx context.Context, stream, from90k, to90k int64) ([]schema.Recording, error) {
	recs, _, err := l.src.SomeStartingIn(ctx, new(schema.Room), stream, from90k, to90k, math.MaxInt)
	return recs, err
}

// newest90k returns when the newest recording of a stream starts.
func (l *Library) newest90k(ctx context.Context, s Stream) (start90k int64, err error) {
	start90k, _, _, err = l.src.LastSpan(ctx, s.id, math.MaxInt64)
	return start90k, err
}

// entryGroups groups recordings, which are in order of start, into what one entry can show. Runs may overlap in time, where
// the host's clock was set back: each keeps its own entries then, so that no frame hides another. alike reports whether two sample
// entries, by their ids, can stand in one track.
func entryGroups(recs []schema.Recording, alike func(a, b int64) bool) (groups [][]schema.Recording) {
	const open = 8     // only the last few groups can go on
	var ends [open]int // of those groups that lie in recs as they are: behind their last recording; 0 for the others
	for i := range recs {
		r := &recs[i]
		best := -1
		for g := len(groups) - 1; g >= max(0, len(groups)-open); g-- {
			last := &groups[g][len(groups[g])-1]
			if !sameTracks(last, r, alike) {
				continue
			}
			if r.Run == last.Run && r.Sequence == last.Sequence+1 {
				best = g
				break
			}
			if gap := r.Start90k - last.End90k(); best < 0 && r.Run != last.Run && gap >= -joinGap90k && gap <= joinGap90k {
				best = g
			}
		}
		switch {
		case best < 0:
			best = len(groups)
			groups = append(groups, recs[i:i+1:i+1])
			ends[best%open] = i + 1
		case ends[best%open] == i:
			groups[best] = recs[i-len(groups[best]) : i+1 : i+1]
			ends[best%open] = i + 1
		default:
			groups[best] = append(groups[best], *r)
			ends[best%open] = 0
		}
	}
	return groups
}

// sameTracks reports whether two recordings can be shown one after the other by the same tracks. Parameter sets may differ, because a
// file has all that its recordings use. Nearly always the ids are equal, so that nothing has to be looked up.
func sameTracks(a, b *schema.Recording, alike func(a, b int64) bool) bool {
	if len(a.Tracks) != len(b.Tracks) {
		return false
	}
	for i := range a.Tracks {
		if x, y := a.Tracks[i].Entry, b.Tracks[i].Entry; x != y && !alike(x, y) {
			return false
		}
	}
	return true
}

// groups is entryGroups of recordings of the library.
func (l *Library) groups(ctx context.Context, recs []schema.Recording) ([][]schema.Recording, error) {
	var failed error
	groups := entryGroups(recs, func(a, b int64) bool {
		x, err := l.sampleEntry(ctx, a)
		if err != nil {
			failed = err
			return false
		}
		y, err := l.sampleEntry(ctx, b)
		if err != nil {
			failed = err
			return false
		}
		return x.Alike(y)
	})
	return groups, failed
}

// entry completes an Entry from its recordings, which were read after newest90k was.
func (l *Library) entry(ctx context.Context, e *Entry, recs []schema.Recording, newest90k int64) (*Entry, error) {
	first, last := &recs[0], &recs[0]
	for i := range recs {
		if recs[i].End90k() > last.End90k() {
			last = &recs[i]
		}
	}
	start, end := first.Start90k, last.End90k()
	if e.kind == clipEntry {
		start, end = max(start, e.from90k), min(end, e.to90k)
	}
	e.Start, e.End = media.ToTime(start), media.ToTime(end)
	digest := e.digest(recs)
	e.ETag = etag(digest)
	e.ID = binary.BigEndian.Uint64(digest[16:]) | 1<<63
	if e.kind == hourEntry && recs[len(recs)-1].Start90k >= newest90k {
		e.recs = slices.Clone(recs)
		for i := range e.recs {
			e.recs[i].Own()
		}
	}
	if e.kind == hourEntry {
		size, err := l.sizeOf(ctx, e, recs)
		e.Size = size
		return e, err
	}
	// It is about to be opened, and took a day's rows, or, to cut it, two indexes.
	f, err := l.layOut(ctx, e, recs)
	if err != nil {
		return nil, err
	}
	e.Size = l.keepFile(e, f).Size()
	return e, nil
}

// dayMark makes the ETag of a whole day differ from the ETag of an entry that has the same recordings, because both are shown, and
// each needs an ID of its own.
const dayMark = "/day"

func etag(digest [sha256.Size]byte) string { return hex.EncodeToString(digest[:16]) }

// digest is a function of the format's version, and of each recording's identity, times and what is taken of it. The
// times belong to it because they are corrected until a recording is sealed: they cut clips, and are the entry's own.
func (e *Entry) digest(recs []schema.Recording) [sha256.Size]byte {
	b := make([]byte, 0, len(e.stream.Label)+20*(len(recs)+1))
	b = binary.AppendUvarint(b, mp4.FormatVersion)
	b = append(b, e.stream.Label...)
	switch e.kind {
	case clipEntry:
		b = binary.AppendVarint(b, e.from90k)
		b = binary.AppendVarint(b, e.to90k)
	case dayEntry:
		b = append(b, dayMark...)
	}
	for i := range recs {
		b = binary.AppendVarint(b, recs[i].ID.Number())
		b = binary.AppendVarint(b, recs[i].Bytes)
		b = binary.AppendVarint(b, recs[i].Start90k)
		b = binary.AppendVarint(b, recs[i].WallDuration90k)
	}
	return sha256.Sum256(b)
}
