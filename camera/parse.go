package camera

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/abema/go-mp4"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// Limits that no sensible file reaches; they keep a damaged one from taking all memory or overflowing times.
const (
	maxMovieBytes = 1 << 30 // of the moov box
	maxEntryBytes = 1 << 16 // of a sample entry
	maxSamples    = 1 << 24 // of a track: a week at 25 frames/s
	maxSeconds    = 1 << 30 // on the clip's timeline, either way
)

// ParseClip reads the tables of an .mp4 file of the given size: its first H.264
// or H.265 track and its first AAC track. The samples themselves are read from r
// when they are sent, so r must stay readable for as long as the clip is played.
//
// A fragmented file, a file that is cut short, and one without such a video track
// are refused. Of an edit list only its offset counts: all samples are played,
// also those that it would hide.
func ParseClip(r io.ReaderAt, size int64) (*Clip, error) {
	movie, err := readMovie(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, fmt.Errorf("read mp4: %w", err)
	}
	clip, err := parseMovie(movie, r, size)
	if err != nil {
		return nil, fmt.Errorf("read mp4: %w", err)
	}
	return clip, nil
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

func parseMovie(movie []byte, file io.ReaderAt, size int64) (*Clip, error) {
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

	clip := &Clip{}
	for i, trak := range traks {
		if err := p.addTrack(clip, trak); err != nil {
			return nil, fmt.Errorf("track %d: %w", i+1, err)
		}
	}
	if clip.Video == nil {
		return nil, fmt.Errorf("no H.264 or H.265 video in it %q", clip.Ignored)
	}
	return clip, nil
}

// parser is what all tracks of a file have in common.
type parser struct {
	movie     *bytes.Reader // ftyp and moov
	file      io.ReaderAt
	size      int64  // of the file
	timescale uint32 // of the movie, in which edit lists count
}

// addTrack reads a track into the clip, or notes why it is not played.
func (p *parser) addTrack(clip *Clip, trak *mp4.BoxInfo) error {
	entry, err := p.sampleEntry(trak)
	if err != nil {
		return err
	}
	kind := entry.Type.String()
	codec := map[string]Codec{"avc1": H264, "hvc1": H265, "hev1": H265, "mp4a": AAC}[kind]
	slot := &clip.Video
	if codec == AAC {
		slot = &clip.Audio
	}
	ignore := func(why string) { clip.Ignored = append(clip.Ignored, kind+": "+why) }
	if codec == "" {
		ignore("only H.264, H.265 and AAC are played")
		return nil
	}
	if *slot != nil {
		ignore("only the first track of its kind is played")
		return nil
	}

	boxes, err := p.trackBoxes(trak, kind)
	if err != nil {
		return err
	}
	if entry.Size > maxEntryBytes {
		return fmt.Errorf("sample entry %s of %d bytes is larger than any", kind, entry.Size)
	}
	track := &Track{Codec: codec, Entry: make([]byte, entry.Size), r: p.file}
	if _, err := p.movie.ReadAt(track.Entry, int64(entry.Offset)); err != nil {
		return fmt.Errorf("sample entry %s: %w", kind, err)
	}
	var unsupported unsupportedError
	if err := boxes.describe(track); errors.As(err, &unsupported) {
		ignore(unsupported.Error())
		return nil
	} else if err != nil {
		return err
	}
	if err := boxes.fill(track, p); err != nil {
		return err
	}
	*slot = track
	return nil
}

// unsupportedError says why a sound track that is in order is not played.
type unsupportedError string

func (e unsupportedError) Error() string { return string(e) }

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

// sampleEntry returns the track's sample entry, whose type is such as avc1.
func (p *parser) sampleEntry(trak *mp4.BoxInfo) (*mp4.BoxInfo, error) {
	entries, err := mp4.ExtractBox(p.movie, trak, append(below(descriptions), mp4.BoxTypeAny()))
	if err != nil {
		return nil, err
	}
	if len(entries) != 1 {
		return nil, fmt.Errorf("%d sample entries, want 1: a track that changes its parameters is not played", len(entries))
	}
	return entries[0], nil
}

// trackBoxes are the boxes of a track that matter here; nil where it has none.
type trackBoxes struct {
	mdhd *mp4.Mdhd
	elst *mp4.Elst
	avcC *mp4.AVCDecoderConfiguration
	hvcC *mp4.HvcC
	esds *mp4.Esds
	stts *mp4.Stts
	ctts *mp4.Ctts
	stss *mp4.Stss
	stsz *mp4.Stsz
	stsc *mp4.Stsc
	stco *mp4.Stco
	co64 *mp4.Co64
}

func (p *parser) trackBoxes(trak *mp4.BoxInfo, entry string) (*trackBoxes, error) {
	paths := []mp4.BoxPath{
		below(nil, "mdia", "mdhd"), below(nil, "edts", "elst"),
		below(descriptions, entry, "avcC"), below(descriptions, entry, "hvcC"),
		below(descriptions, entry, "esds"), below(descriptions, entry, "wave", "esds"),
	}
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
	case *mp4.AVCDecoderConfiguration:
		b.avcC = box
	case *mp4.HvcC:
		b.hvcC = box
	case *mp4.Esds:
		b.esds = box
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

// describe sets what the sample entry says.
func (b *trackBoxes) describe(t *Track) error {
	switch t.Codec {
	case H264:
		return b.describeH264(t)
	case H265:
		return b.describeH265(t)
	default:
		return b.describeAAC(t)
	}
}

// describeH264 reads the avcC box, ISO/IEC 14496-15 5.3.3.1. The SDP has room for
// one parameter set of each kind.
func (b *trackBoxes) describeH264(t *Track) error {
	if b.avcC == nil || len(b.avcC.SequenceParameterSets) == 0 || len(b.avcC.PictureParameterSets) == 0 {
		return errors.New("no SPS and PPS in the avcC box")
	}
	t.ClockRate = 90000
	t.SPS = b.avcC.SequenceParameterSets[0].NALUnit
	t.PPS = b.avcC.PictureParameterSets[0].NALUnit
	t.lengthSize = int(b.avcC.LengthSizeMinusOne) + 1
	return nil
}

// describeH265 reads the hvcC box, ISO/IEC 14496-15 8.3.3.1.
func (b *trackBoxes) describeH265(t *Track) error {
	const vps, sps, pps = 32, 33, 34 // ITU-T H.265 table 7-1
	if b.hvcC == nil {
		return errors.New("no hvcC box")
	}
	sets := map[uint8]*[]byte{vps: &t.VPS, sps: &t.SPS, pps: &t.PPS}
	for _, array := range b.hvcC.NaluArrays {
		if set := sets[array.NaluType]; set != nil && *set == nil && len(array.Nalus) > 0 {
			*set = array.Nalus[0].NALUnit
		}
	}
	if t.VPS == nil || t.SPS == nil || t.PPS == nil {
		return errors.New("no VPS, SPS and PPS in the hvcC box")
	}
	t.ClockRate = 90000
	t.lengthSize = int(b.hvcC.LengthSizeMinusOne) + 1
	return nil
}

// describeAAC reads the esds box, ISO/IEC 14496-14 5.6.
func (b *trackBoxes) describeAAC(t *Track) error {
	const mpeg4Audio = 0x40 // ISO/IEC 14496-1 table 5
	if b.esds == nil {
		return errors.New("no esds box")
	}
	for _, d := range b.esds.Descriptors {
		if c := d.DecoderConfigDescriptor; c != nil && c.ObjectTypeIndication != mpeg4Audio {
			return unsupportedError(fmt.Sprintf("object type %#x is not AAC", c.ObjectTypeIndication))
		}
		if d.Tag == mp4.DecSpecificInfoTag {
			t.AudioConfig = d.Data
		}
	}
	var config mpeg4audio.AudioSpecificConfig
	if err := config.Unmarshal(t.AudioConfig); err != nil {
		return fmt.Errorf("audio configuration %x: %w", t.AudioConfig, err)
	}
	if config.ExtensionSampleRate != 0 {
		return unsupportedError("HE-AAC has two sampling rates, and readers disagree about which is the RTP clock")
	}
	if config.SampleRate <= 0 {
		return fmt.Errorf("sampling rate %d Hz", config.SampleRate)
	}
	t.ClockRate = uint32(config.SampleRate)
	return nil
}
