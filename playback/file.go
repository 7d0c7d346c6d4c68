package playback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// ErrStale says that an entry's footage has changed since it was listed. Who gets it should list again.
var ErrStale = errors.New("the entry has changed since it was listed")

// indexDeadline bounds the read of an index while a file is read.
const indexDeadline = 15 * time.Second

// A File is an open Entry. Any number of goroutines may read it. Sample files are opened for a read and kept open for the next ones.
// When footage of the File is deleted, it is kept until Close, or until the reader has had it for too long; then reads of it fail with
// ErrLost.
type File struct {
	*mp4.File
	e      *Entry
	lib    *Library
	reader string // who reads it, for the log

	// Guarded by lib.readers.mu.
	pins     []schema.RecordingID // deleted recordings that are kept for it
	saidLost bool                 // the log says that its reader has lost some
}

// ModTime is the wall time at which the footage ends.
func (f *File) ModTime() time.Time { return f.e.End }

// ETag is equal only for equal bytes. It has no quotes.
func (f *File) ETag() string { return f.e.ETag }

// WithFile calls use with the descriptor of the file in which the n bytes at off lie, from the offset at on, so that the kernel can
// move them on without a copy. use must not keep the descriptor. WithFile returns what use returns: how many bytes were used. If they
// are fewer than n, ReadAt tells why. If the bytes do not lie in one file of this machine, WithFile returns 0 without calling use.
func (f *File) WithFile(off, n int64, use func(fd uintptr, at, n int64) (used int64)) (used int64) {
	part, at, length, ok := f.Extent(off)
	if !ok || n > length {
		return 0
	}
	return recordingOf(part).withFile(at, n, use)
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if errors.Is(err, ErrLost) {
		f.sayLost()
	}
	return n, err
}

// sayLost logs once that the reader has lost footage.
func (f *File) sayLost() {
	if f.lib.readers.sayLost(f) {
		f.lib.o.Log.Warn("footage that a reader has open was deleted, and reading it fails from now on", "entry", f.e.Name, "reader", f.reader,
			"reason", "it was kept for "+store.ReadersKeep.String()+", or the disk has no more room for deleted footage")
	}
}

// Close closes the file, which must not be read any more, and gives up deleted footage that was kept for it.
func (f *File) Close() {
	for _, id := range f.lib.readers.remove(f) {
		f.lib.pins.letGo(id)
	}
}

// Open opens an entry for a reader, whose name is for the log. The caller must close the File. Open returns ErrStale if the footage of
// the entry has changed since it was listed. The newest entry of a stream, which only grows, opens as it was listed.
func (l *Library) Open(ctx context.Context, e *Entry, reader string) (*File, error) {
	if f, ok := l.files.Get(e.ETag); ok {
		return l.opening(f, e, reader)
	}
	recs, err := l.recordings(ctx, e)
	if err != nil {
		return nil, err
	}
	f, err := l.layOut(ctx, e, recs)
	if err != nil {
		return nil, err
	}
	return l.opening(l.keepFile(e, f), e, reader)
}

// opening hands out a file. From now on, release keeps footage of it that is deleted. If some of it was deleted just before, opening
// returns ErrStale.
func (l *Library) opening(f *mp4.File, e *Entry, reader string) (*File, error) {
	file := &File{File: f, e: e, lib: l, reader: reader}
	if l.readers.add(file) {
		file.Close()
		l.files.Remove(func(etag string, _ *mp4.File) bool { return etag == e.ETag })
		return nil, l.stale(e)
	}
	return file, nil
}

// stale drops the listing that an entry is in, and returns ErrStale. The listing may not have heard of the change yet, and whoever
// lists again must not get the same entry.
func (l *Library) stale(e *Entry) error {
	l.listings.forgetHour(e.stream.id, l.calendar.at(e.from90k), e.from90k)
	return fmt.Errorf("%s: %w", e.Name, ErrStale)
}

// recordings returns the recordings that an entry is made of, or ErrStale.
func (l *Library) recordings(ctx context.Context, e *Entry) ([]schema.Recording, error) {
	if e.recs != nil {
		return e.recs, nil
	}
	var groups [][]schema.Recording
	switch e.kind {
	case hourEntry:
		recs, err := l.startingIn(ctx, e.stream.id, e.from90k, e.to90k)
		if err != nil {
			return nil, err
		}
		if groups, err = l.groups(ctx, recs); err != nil {
			return nil, err
		}
	case dayEntry:
		recs, err := l.startingIn(ctx, e.stream.id, e.from90k, e.to90k)
		if err != nil {
			return nil, err
		}
		groups = append(groups, recs)
	case clipEntry:
		recs, err := l.overlapping(ctx, *e.stream, e.from90k, e.to90k)
		if err != nil {
			return nil, err
		}
		groups = append(groups, recs)
	}
	for _, recs := range groups {
		if len(recs) > 0 && etag(e.digest(recs)) == e.ETag {
			return recs, nil
		}
	}
	return nil, l.stale(e)
}

// layOut makes the virtual file of an entry.
func (l *Library) layOut(ctx context.Context, e *Entry, recs []schema.Recording) (*mp4.File, error) {
	parts, err := l.parts(ctx, e.stream, recs)
	if err == nil && e.kind == clipEntry {
		parts, err = trimAll(parts, recs, e.from90k, e.to90k)
	}
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("%s: %w", e.Name, ErrNotFound)
	}
	if all := len(parts); e.kind != hourEntry {
		if parts = ofOneMaster(parts); len(parts) < all {
			l.o.Log.Warn("some recordings in a range have no picture, or another kind of sound, and are left out of the file that joins the others",
				"entry", e.Name, "do", "open the entries of its hours, which show all")
		}
	}
	f, err := mp4.NewFile(parts, fileTables{l, e.ETag})
	if err != nil {
		return nil, fmt.Errorf("assemble %s: %w", e.Name, err)
	}
	return f, nil
}

// ofOneMaster leaves out the parts that no file can show together with the others: those without video where others have it, else
// those with another kind of sound than the first.
func ofOneMaster(parts []mp4.Part) (kept []mp4.Part) {
	kind := func(p *mp4.Part) media.Kind { return p.Tracks[0].Entry.Kind }
	leads := kind(&parts[0])
	for i := range parts {
		if kind(&parts[i]) == media.Video {
			leads = media.Video
		}
	}
	if !slices.ContainsFunc(parts, func(p mp4.Part) bool { return kind(&p) != leads }) {
		return parts
	}
	return slices.DeleteFunc(parts, func(p mp4.Part) bool { return kind(&p) != leads })
}

// trimAll cuts recordings to what is shown in a range of wall time.
func trimAll(parts []mp4.Part, recs []schema.Recording, from90k, to90k int64) (kept []mp4.Part, err error) {
	for i := range parts {
		p, err := trim(parts[i], &recs[i], from90k, to90k)
		if errors.Is(err, mp4.ErrNothingShown) {
			continue
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, p)
	}
	return kept, nil
}

// trim cuts a recording to what is shown in a range of wall time.
func trim(p mp4.Part, r *schema.Recording, from90k, to90k int64) (mp4.Part, error) {
	if from90k <= r.Start90k && to90k >= r.End90k() {
		return p, nil
	}
	return p.Trim(mediaTime(&p.Tracks[0], r, from90k), mediaTime(&p.Tracks[0], r, to90k))
}

// clockOff90k is more than the media of a run's first recording may differ from its wall time, unless the camera's clock is off.
const clockOff90k = 80000

// mediaTime converts wall time to the run's media time, in ticks of a track. The two differ in rate by the correction of
// the camera's clock. The first recording of a run is not corrected, unless that clock is off by much, and the sum of its durations
// tells nothing: where there are B-frames, its first frame may have a CTS of 0 and the one that follows it another, so that DTS passes
// less than PTS.
func mediaTime(t *mp4.TrackPart, r *schema.Recording, wall90k int64) int64 {
	ticks, wall := t.Duration, r.WallDuration90k
	off := wall - media.Rescale(ticks, t.Entry.Timescale, media.TicksPerSecond)
	if wall == 0 || r.Sequence == 0 && max(off, -off) < clockOff90k {
		ticks, wall = int64(t.Entry.Timescale), 90000
	}
	// Up to hours of ticks on both sides: the product stays below 2^63.
	return t.Start + int64(t.FirstCTS) + roundDiv(clamp(wall90k-r.Start90k)*ticks, wall)
}

// clamp bounds a distance from the start of a recording, beyond which it matters no more, to 100 hours.
func clamp(d90k int64) int64 {
	const limit = 100 * 3600 * 90000
	return max(-limit, min(limit, d90k))
}

// roundDiv divides, to the nearest; halves away from zero. b > 0.
func roundDiv(a, b int64) int64 {
	if a < 0 {
		return -roundDiv(-a, b)
	}
	return (a + b/2) / b
}

// keepFile keeps the file of an entry for when it is opened, and returns the one that is kept.
func (l *Library) keepFile(e *Entry, f *mp4.File) *mp4.File {
	return l.files.Keep(e.ETag, f, f.Memory())
}

// tableKey is one part of one file.
type tableKey struct {
	etag string
	part int
}

// tableBytes is how many bytes of memory an item in the cache of tables takes besides the tables.
const tableBytes = 250

// fileTables keeps the tables of a file, also for a File of the same bytes that is opened later.
type fileTables struct {
	l    *Library
	etag string
}

// Tables implements mp4.TableCache.
func (t fileTables) Tables(_ *mp4.File, part int, generate func() ([]byte, error)) ([]byte, error) {
	k := tableKey{t.etag, part}
	if b, ok := t.l.tables.Get(k); ok {
		return b, nil
	}
	b, err := generate()
	if err != nil {
		return nil, err
	}
	return t.l.tables.Keep(k, b, tableBytes+int64(len(b))), nil
}
