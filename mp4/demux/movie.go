package demux

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/abema/go-mp4"

	"nvrfs/codec"
	"nvrfs/media"
)

// Limits that no sensible file reaches; they keep a damaged one from taking all memory or overflowing times.
const (
	maxMovieBytes = 1 << 30 // of the moov box
	maxMoofBytes  = 64 << 20
	maxEntryBytes = 1 << 16 // of a sample entry
	maxEntries    = 1 << 10 // of a track
	maxTracks     = 64
	maxSamples    = 1 << 24 // of a file: a week at 25 frames/s
	maxSeconds    = 1 << 30 // on the file's timeline, either way
	maxNotes      = 20      // of what is left out
)

// Read reads the tables of an mp4 file of the given size, fragmented or not. It takes the first track of video and the first one of
// sound that have samples and whose codecs are known. The samples themselves are read from r when they are asked for. Where no table
// says at which samples decoding can start, Read also looks at the beginning of each.
//
// A file with neither is refused, and so is one whose video cannot be read, and one that is cut short, unless it is fragmented: then
// it ends with the last sample that is whole. Of an edit list only its offset counts: all samples are there, also those that it would hide. Empty
// samples are not, and the one before lasts as long as both.
func Read(r io.ReaderAt, size int64) (*File, error) {
	f, err := read(r, size)
	if err != nil {
		return nil, fmt.Errorf("read mp4: %w", err)
	}
	return f, nil
}

func read(r io.ReaderAt, size int64) (*File, error) {
	if err := foreign(r, size); err != nil {
		return nil, err
	}
	p := &parser{file: r, size: size}
	if err := p.boxes(); err != nil {
		return nil, err
	}
	return p.finish()
}

// parser is what all tracks of a file have in common.
type parser struct {
	file io.ReaderAt
	size int64 // of the file

	ftyp, moov []byte        // whole boxes
	movie      *bytes.Reader // both; nil until the moov is read
	timescale  uint32        // of the movie, in which edit lists count
	turn       matrix        // of the movie
	tracks     []*trackReader
	done       bool // nothing of use follows

	fragments int   // that were read
	samples   int   // of all tracks
	bytes     int64 // of all samples
	lost      int   // samples of the last fragment that are not in the file

	notes []string
	more  int // notes that are not kept
}

// note keeps what is left out of the file.
func (p *parser) note(format string, args ...any) {
	if len(p.notes) == maxNotes {
		p.more++
		return
	}
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// readMovie reads a moov, which says how samples are coded, and of a file without fragments where all of them are. ftyp says
// whether it is to be read as ISO or as QuickTime.
func (p *parser) readMovie() error {
	p.movie = bytes.NewReader(slices.Concat(p.ftyp, p.moov))
	headers, err := mp4.ExtractBoxWithPayload(p.movie, nil, mp4.BoxPath{mp4.BoxTypeMoov(), mp4.BoxTypeMvhd()})
	if err != nil {
		return err
	}
	traks, err := mp4.ExtractBox(p.movie, nil, mp4.BoxPath{mp4.BoxTypeMoov(), mp4.BoxTypeTrak()})
	if err != nil {
		return err
	}
	if len(headers) != 1 {
		return fmt.Errorf("%d mvhd boxes, want 1", len(headers))
	}
	if len(traks) > maxTracks {
		return fmt.Errorf("%d tracks, at most %d are taken", len(traks), maxTracks)
	}
	mvhd := headers[0].Payload.(*mp4.Mvhd)
	p.timescale, p.turn = mvhd.Timescale, matrixOf(mvhd.Matrix)
	p.tracks, p.samples, p.bytes, p.notes, p.more = nil, 0, 0, nil, 0
	for i, trak := range traks {
		if err := p.addTrack(trak); err != nil {
			return fmt.Errorf("track %d: %w", i+1, err)
		}
	}
	return p.readDefaults()
}

// readDefaults reads what the moov says of fragments (ISO/IEC 14496-12 8.8.3).
func (p *parser) readDefaults() error {
	extends, err := mp4.ExtractBox(p.movie, nil, mp4.BoxPath{mp4.BoxTypeMoov(), mp4.BoxTypeMvex()})
	if err != nil {
		return err
	}
	p.done = len(extends) == 0 && p.samples > 0
	for _, mvex := range extends {
		defaults, err := mp4.ExtractBoxWithPayload(p.movie, mvex, mp4.BoxPath{mp4.BoxTypeTrex()})
		if err != nil {
			return err
		}
		for _, box := range defaults {
			x := box.Payload.(*mp4.Trex)
			if t := p.track(x.TrackID); t != nil {
				t.defaults = fragmentDefaults{
					description: x.DefaultSampleDescriptionIndex, duration: x.DefaultSampleDuration,
					size: x.DefaultSampleSize, flags: x.DefaultSampleFlags,
				}
			}
		}
	}
	return nil
}

// track returns the reader of a track that is read, or nil.
func (p *parser) track(id uint32) *trackReader {
	for _, t := range p.tracks {
		if t.id == id {
			return t
		}
	}
	return nil
}

// addTrack adds the reader of a track, or notes why the track is left out.
func (p *parser) addTrack(trak *mp4.BoxInfo) error {
	entries, err := p.sampleEntries(trak)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		p.note("a track that does not say what is in it")
		return nil
	}
	kind, known := codec.ImportedKind(entries[0])
	transcoder, err := transcoderOf(entries[0])
	if err != nil {
		p.note("%s: %v", printable(entries[0][4:8]), err)
		return nil
	}
	if transcoder != nil {
		kind, known = media.Audio, true
	}
	if !known {
		p.note("%s: only %s are supported", printable(entries[0][4:8]), codec.Imported("and", media.Video, media.Audio, media.RawAudio))
		return nil
	}
	boxes, err := p.trackBoxes(trak)
	if err != nil {
		if kind.Sound() { // the picture is of use without it
			p.note("%s: %v", printable(entries[0][4:8]), err)
			return nil
		}
		return err
	}
	t := newTrackReader(p, kind, entries, boxes)
	if transcoder != nil {
		t.moment, t.most = transcoder.Moment, transcoder.Most
	} else if kind == media.RawAudio {
		t.moment, t.most = 1, math.MaxUint16
	}
	if t.err == nil && boxes.hasSamples() {
		t.err = boxes.fill(t)
	}
	if n := len(t.track.dts); n > 0 {
		t.fragment = t.track.dts[n-1] - t.zero
	}
	p.tracks = append(p.tracks, t)
	return nil
}

// transcoderOf returns the transcoder for the samples of a sample entry, or nil where they are stored as they are, or not at all.
func transcoderOf(entry []byte) (*codec.Transcoder, error) {
	if !codec.Transcodes(entry) {
		return nil, nil
	}
	if _, err := codec.Import(entry); err == nil {
		return nil, nil
	}
	return codec.Transcode(entry)
}

// Where the boxes of a track are, below trak.
var (
	sampleTable  = mp4.BoxPath{mp4.BoxTypeMdia(), mp4.BoxTypeMinf(), mp4.BoxTypeStbl()}
	descriptions = below(sampleTable, "stsd")
)

func below(parent mp4.BoxPath, names ...string) mp4.BoxPath {
	path := append(mp4.BoxPath{}, parent...)
	for _, name := range names {
		path = append(path, mp4.StrToBoxType(name))
	}
	return path
}

// sampleEntries returns the boxes of the track's sample entries.
func (p *parser) sampleEntries(trak *mp4.BoxInfo) (boxes [][]byte, err error) {
	entries, err := mp4.ExtractBox(p.movie, trak, append(below(descriptions), mp4.BoxTypeAny()))
	if err != nil {
		return nil, err
	}
	if len(entries) > maxEntries {
		return nil, fmt.Errorf("%d sample entries, at most %d are taken", len(entries), maxEntries)
	}
	for _, e := range entries {
		if e.Size > maxEntryBytes || e.Size < 8 {
			return nil, fmt.Errorf("sample entry %s of %d bytes, between 8 and %d are possible", e.Type, e.Size, maxEntryBytes)
		}
		box := make([]byte, e.Size)
		if _, err := p.movie.ReadAt(box, int64(e.Offset)); err != nil {
			return nil, fmt.Errorf("sample entry %s: %w", e.Type, err)
		}
		boxes = append(boxes, box)
	}
	return boxes, nil
}

// trackBoxes are the boxes of a track that matter here; nil where it has none.
type trackBoxes struct {
	tkhd *mp4.Tkhd
	mdhd *mp4.Mdhd
	elst *mp4.Elst
	stts *mp4.Stts
	ctts *mp4.Ctts
	stss *mp4.Stss
	stsz *mp4.Stsz
	stsc *mp4.Stsc
	stco *mp4.Stco
	co64 *mp4.Co64
}

func (p *parser) trackBoxes(trak *mp4.BoxInfo) (*trackBoxes, error) {
	paths := []mp4.BoxPath{below(nil, "tkhd"), below(nil, "mdia", "mdhd"), below(nil, "edts", "elst")}
	for _, name := range []string{"stts", "ctts", "stss", "stsz", "stsc", "stco", "co64"} {
		paths = append(paths, below(sampleTable, name))
	}
	found, err := mp4.ExtractBoxesWithPayload(p.movie, trak, paths)
	if err != nil {
		return nil, err
	}
	var b trackBoxes
	for _, box := range found {
		b.set(box.Payload)
	}
	if b.mdhd == nil {
		return nil, errors.New("its mdhd box is missing")
	}
	if b.hasSamples() && (b.stts == nil || b.stsc == nil || b.stco == nil && b.co64 == nil) {
		return nil, errors.New("one of its stts, stsc and stco boxes is missing")
	}
	return &b, nil
}

// hasSamples reports whether the track has samples of which the moov tells.
func (b *trackBoxes) hasSamples() bool { return b.stsz != nil && b.stsz.SampleCount > 0 }

func (b *trackBoxes) set(payload mp4.IBox) {
	switch box := payload.(type) {
	case *mp4.Tkhd:
		b.tkhd = box
	case *mp4.Mdhd:
		b.mdhd = box
	case *mp4.Elst:
		b.elst = box
	case *mp4.Stts:
		b.stts = box
	case *mp4.Ctts:
		b.ctts = box
	case *mp4.Stss:
		b.stss = box
	case *mp4.Stsz:
		b.stsz = box
	case *mp4.Stsc:
		b.stsc = box
	case *mp4.Stco:
		b.stco = box
	case *mp4.Co64:
		b.co64 = box
	}
}
