package demux

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/abema/go-mp4"

	"nvrfs/codec"
	"nvrfs/media"
)

// Limits that no sensible file reaches; they keep a damaged one from taking all memory or overflowing times.
const (
	maxMovieBytes = 1 << 30 // of the moov box
	maxEntryBytes = 1 << 16 // of a sample entry
	maxSamples    = 1 << 24 // of a track: a week at 25 frames/s
	maxSeconds    = 1 << 30 // on the file's timeline, either way
)

// Read reads the tables of an mp4 file of the given size: its first track of video, and its first of sound, whose codecs are
// known. The samples themselves are read from r when they are asked for.
//
// A fragmented file, a file that is cut short, and one without such a video track are refused. Of an edit list only its offset
// counts: all samples are there, also those that it would hide.
func Read(r io.ReaderAt, size int64) (*File, error) {
	movie, err := readMovie(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, fmt.Errorf("read mp4: %w", err)
	}
	f, err := parseMovie(movie, r, size)
	if err != nil {
		return nil, fmt.Errorf("read mp4: %w", err)
	}
	return f, nil
}

// readMovie returns the file's ftyp and moov boxes, one behind the other; the
// first says how the second is to be read (ISO or QuickTime).
func readMovie(file *io.SectionReader) ([]byte, error) {
	var ftyp, moov []byte
	for moov == nil {
		box, err := mp4.ReadBoxInfo(file)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.New("no moov box: not an .mp4 file, or one that was never finished")
		}
		if err != nil {
			return nil, err
		}
		end := box.Offset + box.Size
		if box.Size < box.HeaderSize || end < box.Offset || end > uint64(file.Size()) {
			return nil, fmt.Errorf("box %q at %d of %d bytes does not fit in the file of %d bytes: it is damaged, or cut short",
				box.Type, box.Offset, box.Size, file.Size())
		}
		switch box.Type {
		case mp4.BoxTypeFtyp():
			ftyp, err = readBox(file, box)
		case mp4.BoxTypeMoov():
			moov, err = readBox(file, box)
		}
		if err != nil {
			return nil, err
		}
		if _, err := box.SeekToEnd(file); err != nil {
			return nil, err
		}
	}
	return append(ftyp, moov...), nil
}

func readBox(file *io.SectionReader, box *mp4.BoxInfo) ([]byte, error) {
	if box.Size > maxMovieBytes {
		return nil, fmt.Errorf("box %q of %d bytes is larger than a file needs", box.Type, box.Size)
	}
	data := make([]byte, box.Size)
	if _, err := file.ReadAt(data, int64(box.Offset)); err != nil {
		return nil, fmt.Errorf("box %q: %w", box.Type, err)
	}
	return data, nil
}

func parseMovie(movie []byte, file io.ReaderAt, size int64) (*File, error) {
	r := bytes.NewReader(movie)
	headers, err := mp4.ExtractBoxWithPayload(r, nil, mp4.BoxPath{mp4.BoxTypeMoov(), mp4.BoxTypeMvhd()})
	if err != nil {
		return nil, err
	}
	traks, err := mp4.ExtractBox(r, nil, mp4.BoxPath{mp4.BoxTypeMoov(), mp4.BoxTypeTrak()})
	if err != nil {
		return nil, err
	}
	if len(headers) != 1 {
		return nil, fmt.Errorf("%d mvhd boxes, want 1", len(headers))
	}
	p := parser{movie: r, file: file, size: size, timescale: headers[0].Payload.(*mp4.Mvhd).Timescale}

	f := &File{}
	for i, trak := range traks {
		if err := p.addTrack(f, trak); err != nil {
			return nil, fmt.Errorf("track %d: %w", i+1, err)
		}
	}
	if f.Video == nil {
		return nil, fmt.Errorf("no video in it of %s %q", codec.Imported("or", media.Video), f.LeftOut)
	}
	return f, nil
}

// parser is what all tracks of a file have in common.
type parser struct {
	movie     *bytes.Reader // ftyp and moov
	file      io.ReaderAt
	size      int64  // of the file
	timescale uint32 // of the movie, in which edit lists count
}

// addTrack reads a track into the file, or notes why it is left out.
func (p *parser) addTrack(f *File, trak *mp4.BoxInfo) error {
	box, err := p.sampleEntry(trak)
	if err != nil {
		return err
	}
	leaveOut := func(why string) { f.LeftOut = append(f.LeftOut, string(box[4:8])+": "+why) }
	kind, known := codec.ImportedKind(box)
	if !known {
		leaveOut("only " + codec.Imported("and", media.Video, media.Audio) + " are supported")
		return nil
	}
	slot := &f.Video
	if kind == media.Audio {
		slot = &f.Audio
	}
	if *slot != nil {
		leaveOut("only the first track of its kind is taken")
		return nil
	}
	entry, err := codec.Import(box)
	if err != nil && kind == media.Audio {
		leaveOut(err.Error()) // the picture is of use without it
		return nil
	}
	if err != nil {
		return err
	}
	boxes, err := p.trackBoxes(trak)
	if err != nil {
		return err
	}
	track := &Track{Entry: entry, source: p.file}
	if err := boxes.fill(track, p); err != nil {
		return err
	}
	*slot = track
	return nil
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

// sampleEntry returns the box of the track's sample entry.
func (p *parser) sampleEntry(trak *mp4.BoxInfo) ([]byte, error) {
	entries, err := mp4.ExtractBox(p.movie, trak, append(below(descriptions), mp4.BoxTypeAny()))
	if err != nil {
		return nil, err
	}
	if len(entries) != 1 {
		return nil, fmt.Errorf("%d sample entries, want 1: a track that changes its parameters is not supported", len(entries))
	}
	e := entries[0]
	if e.Size > maxEntryBytes || e.Size < 8 {
		return nil, fmt.Errorf("sample entry %s of %d bytes, between 8 and %d are possible", e.Type, e.Size, maxEntryBytes)
	}
	box := make([]byte, e.Size)
	if _, err := p.movie.ReadAt(box, int64(e.Offset)); err != nil {
		return nil, fmt.Errorf("sample entry %s: %w", e.Type, err)
	}
	return box, nil
}

// trackBoxes are the boxes of a track that matter here; nil where it has none.
type trackBoxes struct {
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
	paths := []mp4.BoxPath{below(nil, "mdia", "mdhd"), below(nil, "edts", "elst")}
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
	if b.mdhd == nil || b.stts == nil || b.stsz == nil || b.stsc == nil || b.stco == nil && b.co64 == nil {
		return nil, errors.New("one of its mdhd, stts, stsz, stsc and stco boxes is missing")
	}
	return &b, nil
}

func (b *trackBoxes) set(payload mp4.IBox) {
	switch box := payload.(type) {
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
