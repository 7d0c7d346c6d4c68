package demux

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"nvrfs/codec"
	"nvrfs/media"
)

// packetMoments is how many moments of uncompressed sound are handed out as one sample: as many as other sound has.
const packetMoments = 1024

// trackReader makes a Track. Its samples are added in decoding order, first those of the moov, then those of fragments.
type trackReader struct {
	p        *parser
	id       uint32
	kind     media.Kind
	boxes    [][]byte    // of the sample entries
	entries  map[int]int // from the index of a box to that of the entry in track.Entries, for those that are used
	turn     matrix
	moment   int // of sound whose samples are values of each channel at a moment: their bytes; else 0
	most     int // moments that a sample may have
	defaults fragmentDefaults
	track    Track
	err      error // why the track cannot be used

	// Of the samples that are added.
	entry    int   // of the next one, in track.Entries
	next     int64 // DTS of the next one, on the file's timeline
	lasted   int64 // the last sample that lasted any time
	zero     int64 // where media time 0 is
	fragment int64 // decoding time of the newest fragment, in media time
	shift    int64 // from the times of fragments to those on the timeline, besides zero
	over     bool  // no more are added
}

func newTrackReader(p *parser, kind media.Kind, entries [][]byte, b *trackBoxes) *trackReader {
	t := &trackReader{
		p: p, kind: kind, boxes: entries, entries: map[int]int{}, turn: matrix{{1, 0}, {0, 1}},
		track: Track{Timescale: b.mdhd.Timescale, source: p.file}, entry: -1,
	}
	if b.tkhd != nil {
		t.id, t.turn = b.tkhd.TrackID, matrixOf(b.tkhd.Matrix)
	}
	t.zero, t.err = b.start(p)
	t.next = t.zero
	return t
}

// momentary reports whether samples that the tables say to be of a size are moments of uncompressed sound. Some of QuickTime's
// tables say 1 for whatever a moment takes.
func (t *trackReader) momentary(size uint32) bool {
	return t.moment > 0 && (size == 1 || size == uint32(t.moment))
}

// describe says with which sample entry, counted from 1, the next samples are coded.
func (t *trackReader) describe(number uint32) error {
	i := int(max(number, 1)) - 1
	if known, ok := t.entries[i]; ok {
		t.entry = known
		return nil
	}
	if i >= len(t.boxes) {
		return fmt.Errorf("samples of sample entry %d of %d", number, len(t.boxes))
	}
	e, err := t.importEntry(t.boxes[i])
	if err != nil {
		return err
	}
	var mirrored bool
	if t.kind == media.Video {
		if e.Rotation, mirrored = t.turn.then(t.p.turn).rotation(); mirrored && len(t.track.Entries) == 0 {
			t.p.note("the mirroring of its picture, which few players show")
		}
	}
	t.entry = slices.IndexFunc(t.track.Entries, func(x media.SampleEntry) bool {
		return x.Timescale == e.Timescale && string(x.Box) == string(e.Box)
	})
	if t.entry < 0 {
		t.entry = len(t.track.Entries)
		t.track.Entries = append(t.track.Entries, e)
	}
	t.entries[i] = t.entry
	return nil
}

func (t *trackReader) importEntry(box []byte) (media.SampleEntry, error) {
	x, err := transcoderOf(box)
	if err == nil && x != nil && x.Moment == t.moment {
		t.track.transcoded = box
		return x.Entry, nil
	}
	if kind, _ := codec.ImportedKind(box); kind != t.kind || x != nil {
		return media.SampleEntry{}, fmt.Errorf("it goes on as %s", printable(box[4:8]))
	}
	return codec.Import(box)
}

// add adds the next sample, which lasts for delta; its DTS and Duration are not looked at. An empty one only takes time.
func (t *trackReader) add(s media.Sample, offset int64, delta uint64) error {
	if t.err != nil {
		return t.err
	}
	p, x := t.p, &t.track
	dts := t.next
	t.next += int64(delta)
	if delta > 0 {
		t.lasted = int64(delta)
	}
	if p.bytes += int64(s.Size); p.bytes > p.size {
		return errors.New("its tables name more bytes than there are in the file")
	}
	if t.joins(dts, s.Size, offset) {
		x.sizes[len(x.sizes)-1] += s.Size
		return nil
	}
	if p.samples++; p.samples > maxSamples {
		return fmt.Errorf("it has more than %d samples", maxSamples)
	}
	if s.Size == 0 {
		return nil
	}
	n := len(x.dts)
	if n > 0 && (dts < x.dts[n-1] || dts-x.dts[n-1] > math.MaxUint32) {
		return fmt.Errorf("sample %d lasts %d, in 1/%d s, which is out of range", n, dts-x.dts[n-1], x.Timescale)
	}
	if s.CTS != 0 && x.cts == nil {
		x.cts = make([]int32, n, n+1)
	}
	if x.cts != nil {
		x.cts = append(x.cts, s.CTS)
	}
	if n == 0 || x.changes[len(x.changes)-1].entry != t.entry {
		x.changes = append(x.changes, change{n, t.entry})
	}
	x.dts, x.sizes, x.offsets, x.syncs = append(x.dts, dts), append(x.sizes, s.Size), append(x.offsets, offset), append(x.syncs, s.Sync)
	return nil
}

// joins reports whether a sample of uncompressed sound follows the one before so closely, in time and in the file, that they are one.
func (t *trackReader) joins(dts int64, size uint32, offset int64) bool {
	x := &t.track
	n := len(x.dts) - 1
	if t.moment == 0 || n < 0 || size == 0 {
		return false
	}
	before := int64(x.sizes[n])
	return before+int64(size) <= packetMoments*int64(t.moment) && x.offsets[n]+before == offset &&
		x.dts[n]+before/int64(t.moment) == dts && x.changes[len(x.changes)-1].entry == t.entry
}

// finish makes the track of what was added, or says why it cannot be used.
func (t *trackReader) finish() (*Track, error) {
	x := &t.track
	if t.err != nil {
		return nil, t.err
	}
	n := len(x.dts)
	if n == 0 {
		return nil, errors.New("no samples in it")
	}
	// Many files give their last sample no duration; then it has that of its neighbour.
	x.End = max(t.next, x.dts[n-1]+t.lasted)
	limit := maxSeconds * int64(x.Timescale)
	switch {
	case x.Duration() == 0:
		return nil, errors.New("it lasts no time")
	case x.End-x.dts[n-1] > math.MaxUint32:
		return nil, fmt.Errorf("its last sample lasts %d, in 1/%d s, which is out of range", x.End-x.dts[n-1], x.Timescale)
	case x.Duration() > limit:
		return nil, fmt.Errorf("it ends at %d, in 1/%d s, which is out of range", x.End, x.Timescale)
	case t.kind.Sound() && len(x.Entries) > 1:
		return nil, errors.New("it changes its parameters on the way")
	}
	x.Entry = x.Entries[x.changes[0].entry]
	if t.kind.Sound() {
		x.syncs = nil
		return x, t.checkPackets()
	}
	x.decodeEarlier()
	return x, nil
}

// decodeEarlier moves the decoding times of samples, of which some are shown before they are decoded, to where none is. Files with
// signed offsets (ISO/IEC 14496-12 8.6.1.4) are so; when pictures are shown stays.
func (t *Track) decodeEarlier() {
	if t.cts == nil {
		return
	}
	early := slices.Min(t.cts)
	if early >= 0 || early == math.MinInt32 || int64(slices.Max(t.cts))-int64(early) > math.MaxInt32 {
		return
	}
	for i := range t.dts {
		t.dts[i] += int64(early)
		t.cts[i] -= early
	}
	t.End += int64(early)
}

// checkPackets checks that uncompressed sound lasts as many ticks as it has moments.
func (t *trackReader) checkPackets() error {
	if t.moment == 0 {
		return nil
	}
	if t.track.Timescale != t.track.Entry.Timescale {
		return fmt.Errorf("its times count in 1/%d s, but its sound in 1/%d", t.track.Timescale, t.track.Entry.Timescale)
	}
	for i := range t.track.dts {
		s := t.track.Sample(i)
		moments := int(s.Size) / t.moment
		if moments*t.moment != int(s.Size) || moments > t.most || int(s.Duration) < moments {
			return fmt.Errorf("sample %d has %d bytes, of %d for each moment, and lasts %d ticks", i+1, s.Size, t.moment, s.Duration)
		}
	}
	return nil
}

// finish chooses the tracks.
func (p *parser) finish() (*File, error) {
	f := &File{}
	var noVideo error // why there is none
	for _, t := range p.tracks {
		slot := &f.Video
		if t.kind.Sound() {
			slot = &f.Audio
		}
		track, err := t.finish()
		switch {
		case err != nil:
			if !t.kind.Sound() && noVideo == nil {
				noVideo = err
			}
			p.note("%s: %v", printable(t.boxes[0][4:8]), err)
		case *slot != nil:
			p.note("%s: only the first track of its kind is taken", printable(t.boxes[0][4:8]))
		default:
			*slot = track
		}
	}
	if f.Video == nil && noVideo != nil {
		return nil, fmt.Errorf("its video: %w", noVideo)
	}
	if len(f.Tracks()) == 0 {
		err := fmt.Errorf("no video in it of %s, and no sound of %s", codec.Imported("or", media.Video), codec.Imported("or", media.Audio, media.RawAudio))
		if len(p.notes) > 0 {
			err = fmt.Errorf("%w (%s)", err, strings.Join(p.notes, "; "))
		}
		return nil, err
	}
	if p.lost > 0 {
		p.note("%d samples at its end, which is cut off", p.lost)
	}
	if p.more > 0 {
		p.notes = append(p.notes, fmt.Sprintf("%d more", p.more))
	}
	f.LeftOut = p.notes
	if f.Video != nil {
		if err := f.Video.findSyncs(); err != nil {
			return nil, err
		}
	}
	return f, f.moveToStart(p.fragments > 0)
}

// moveToStart moves the times of a fragmented file, which may count them from long ago, by whole seconds, so that they begin in the
// first one. It refuses times that are out of range.
func (f *File) moveToStart(fragmented bool) error {
	first := int64(math.MaxInt64)
	for _, t := range f.Tracks() {
		first = min(first, t.dts[0]/int64(t.Timescale))
	}
	for _, t := range f.Tracks() {
		if fragmented && first > 0 {
			shift := first * int64(t.Timescale)
			for i := range t.dts {
				t.dts[i] -= shift
			}
			t.End -= shift
		}
		if limit := maxSeconds * int64(t.Timescale); t.End > limit || t.dts[0] < -limit {
			return fmt.Errorf("its %s lasts from %d to %d, in 1/%d s, which is out of range", t.Entry.Kind, t.dts[0], t.End, t.Timescale)
		}
	}
	return nil
}
