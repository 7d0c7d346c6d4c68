package mp4

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"nvrfs/media"
	"nvrfs/media/box"
)

// ErrHeader says that a file does not start as a sample file does, so that nothing can be kept of it.
var ErrHeader = errors.New("not a sample file: its header is not whole")

// A SampleFile is what Scan found.
type SampleFile struct {
	Identity    Identity
	Tracks      []media.SampleEntry // as the header says, or, of ScanBehind, as they are in the fragment at First
	HeaderBytes int64               // ftyp and moov
	First       int64               // where the first fragment starts: behind the header, or, of ScanBehind, behind damage
	Bytes       int64               // where the last whole fragment ends; what lies behind is the seal, or a torn tail
	Seal        *Seal               // nil when the file was cut off
	Torn        error               // why the first fragment that is not whole is not; nil when every byte is accounted for

	entries []media.EntryList   // by track
	holds   []media.SampleEntry // by track, that of the last whole fragment
}

// ScannedFragment is a whole fragment of a sample file.
type ScannedFragment struct {
	HeaderLen int   // bytes before the first sample
	Bytes     int64 // of the fragment
	Wall90k   int64
	Tracks    [][]media.Sample // as in the header, without their data

	// Entries is as in Fragment.
	Entries []*media.SampleEntry
}

// Start is the DTS of the first sample of a track, or 0 where the fragment has none of it.
func (x *ScannedFragment) Start(track int) int64 {
	if len(x.Tracks[track]) == 0 {
		return 0
	}
	return x.Tracks[track][0].DTS
}

// Clone returns a copy of the fragment with memory of its own.
func (x *ScannedFragment) Clone() *ScannedFragment {
	c := *x
	c.Tracks = make([][]media.Sample, len(x.Tracks))
	for i := range c.Tracks {
		c.Tracks[i] = append([]media.Sample(nil), x.Tracks[i]...)
	}
	return &c
}

// The most that a header and a moof may take, far more than any recorder writes: bounds the memory that a damaged size can
// ask for.
const (
	maxHeaderBytes = 1 << 20
	maxMoofBytes   = 16 << 20
)

// Scan reads a sample file of the given size back, fragment by fragment, and hands every whole one to visit, beside what
// the header says. It verifies each checksum, so it reads every byte. A file that ends in the middle of a fragment, or whose
// fragments are damaged, is no error: Bytes says how far it is whole, and Torn why it goes no further. Errors are ErrHeader,
// those of r, and those of visit. A fragment's Tracks are visit's only until it returns: Clone keeps them.
func Scan(r io.ReaderAt, size int64, visit func(*SampleFile, *ScannedFragment) error) (*SampleFile, error) {
	return (&scanner{r: r, size: size, buf: make([]byte, 256<<10)}).scan(visit)
}

// ScanIndex is Scan without reading the samples: the checksums of the fragments are not verified, those of the header and
// of the seal are.
func ScanIndex(r io.ReaderAt, size int64, visit func(*SampleFile, *ScannedFragment) error) (*SampleFile, error) {
	return (&scanner{r: r, size: size, buf: make([]byte, 4<<10), noData: true}).scan(visit)
}

func (s *scanner) scan(visit func(*SampleFile, *ScannedFragment) error) (*SampleFile, error) {
	f, err := s.header()
	if err != nil {
		return nil, err
	}
	return s.follow(f, visit)
}

// follow reads the fragments from f.Bytes on.
func (s *scanner) follow(f *SampleFile, visit func(*SampleFile, *ScannedFragment) error) (*SampleFile, error) {
	for f.Bytes < s.size {
		frag, seal, err := s.fragment(f)
		var torn tornError
		switch {
		case errors.As(err, &torn):
			f.Torn = fmt.Errorf("at byte %d: %w", f.Bytes, torn)
			return f, nil
		case err != nil:
			return nil, err
		case seal != nil:
			f.Seal = seal
			return f, nil
		}
		f.hold(frag.Entries)
		if err := visit(f, frag); err != nil {
			return nil, err
		}
		f.Bytes += frag.Bytes
	}
	return f, nil
}

// tornError says what of a fragment is not there or not right.
type tornError string

func (e tornError) Error() string { return string(e) }

// ErrTorn says that a file ends in the middle of its header or of a fragment, as one does whose writer was cut off. Of a
// header it is said only where no fragment follows.
var ErrTorn error = errTornEnd

const errTornEnd = tornError("the file ends too early")

type scanner struct {
	r      io.ReaderAt
	size   int64
	buf    []byte
	noData bool             // the samples are not read, so the fragments' checksums are not verified
	tracks [][]media.Sample // memory for those of a fragment, which is used again for the next one
}

// room returns empty tracks, in the memory of those of the fragment before.
func (s *scanner) room(tracks int) [][]media.Sample {
	if len(s.tracks) != tracks {
		s.tracks = make([][]media.Sample, tracks)
	}
	for i := range s.tracks {
		s.tracks[i] = s.tracks[i][:0]
	}
	return s.tracks
}

// read returns n bytes at off, or errTornEnd where the file is shorter.
func (s *scanner) read(off, n int64) ([]byte, error) {
	if off+n > s.size {
		return nil, errTornEnd
	}
	p := make([]byte, n)
	return p, s.readFull(p, off)
}

func (s *scanner) readFull(p []byte, off int64) error {
	if n, err := s.r.ReadAt(p, off); n < len(p) {
		return fmt.Errorf("read %d bytes at %d of sample file: %w", len(p), off, err)
	}
	return nil
}

// peek returns the header of the box at off, of which the file may hold no more.
func (s *scanner) peek(off int64) (box.Header, error) {
	p, err := s.read(off, min(16, s.size-off))
	if err != nil {
		return box.Header{}, err
	}
	if len(p) < 8 {
		return box.Header{}, errTornEnd
	}
	h, ok := box.ParseHeader(p)
	if !ok {
		return h, tornError("no box starts here")
	}
	return h, nil
}

// box returns the header of the box at off, which must have the type, be no larger than limit, and lie in the file. Only
// of a box that could be ours does it say that the file ends too early: a damaged size is no torn end.
func (s *scanner) box(off int64, typ string, limit int64) (box.Header, error) {
	h, err := s.peek(off)
	switch {
	case err != nil:
		return h, err
	case h.Type != typ || h.Size > limit:
		return h, tornError(fmt.Sprintf("expected a box %s of at most %d bytes, found %q of %d", typ, limit, h.Type, h.Size))
	case h.Size > s.size-off:
		return h, errTornEnd
	}
	return h, nil
}

// content returns the content of the box that box describes.
func (s *scanner) content(off int64, typ string, limit int64) (body []byte, end int64, err error) {
	h, err := s.box(off, typ, limit)
	if err != nil {
		return nil, 0, err
	}
	body, err = s.read(off+h.Head, h.Size-h.Head)
	return body, off + h.Size, err
}

func (s *scanner) header() (*SampleFile, error) {
	f, err := s.parseHeader()
	if err == errTornEnd {
		// Or a damaged size points past the end of a short file: no fragment follows a header that was cut off.
		at, err2 := s.find(fragmentStart, 0)
		if err2 != nil {
			return nil, err2
		}
		if at >= 0 {
			err = tornError("one of its sizes is damaged")
		}
	}
	var torn tornError
	if errors.As(err, &torn) {
		return nil, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	return f, err
}

func (s *scanner) parseHeader() (*SampleFile, error) {
	_, moovAt, err := s.content(0, "ftyp", maxHeaderBytes)
	if err != nil {
		return nil, err
	}
	moov, end, err := s.content(moovAt, "moov", maxHeaderBytes)
	if err != nil {
		return nil, err
	}
	if len(moov) < 4 {
		return nil, tornError("the moov is empty")
	}
	if err := s.checkCRC(moov[len(moov)-4:], 0, end, end); err != nil {
		return nil, err
	}
	f := &SampleFile{HeaderBytes: end, First: end, Bytes: end}
	return f, f.parseMoov(moov)
}

func (f *SampleFile) parseMoov(moov []byte) error {
	boxes, ok := box.Children(moov)
	if !ok {
		return tornError("boxes do not fill the moov")
	}
	udta, _ := box.Children(box.Find(boxes, "udta"))
	var info headerInfo
	if err := json.Unmarshal(findUUID(udta, identityUUID), &info); err != nil {
		return tornError("no identity in udta: " + err.Error())
	}
	f.Identity = info.Identity
	for _, b := range boxes {
		if b.Type != "trak" {
			continue
		}
		e, ok := parseTrak(b.Body)
		if !ok || len(f.Tracks) >= len(info.Codecs) {
			return tornError(fmt.Sprintf("track %d is not described", len(f.Tracks)+1))
		}
		e.Codec = info.Codecs[len(f.Tracks)]
		f.Tracks = append(f.Tracks, e)
	}
	if len(f.Tracks) == 0 {
		return tornError("no tracks")
	}
	for _, id := range info.RawAudio {
		if id < 1 || int64(id) > int64(len(f.Tracks)) || f.Tracks[id-1].Kind != media.Audio {
			return tornError(fmt.Sprintf("track %d is no sound", id))
		}
		f.Tracks[id-1].Kind = media.RawAudio
	}
	f.begin(f.Tracks)
	return nil
}

// parseTrak reads back what emptyTrak wrote.
func parseTrak(trak []byte) (e media.SampleEntry, ok bool) {
	boxes, ok1 := box.Children(trak)
	mdia, ok2 := box.Children(box.Find(boxes, "mdia"))
	minf, ok3 := box.Children(box.Find(mdia, "minf"))
	stbl, ok4 := box.Children(box.Find(minf, "stbl"))
	tkhd, mdhd, hdlr, stsd := box.Find(boxes, "tkhd"), box.Find(mdia, "mdhd"), box.Find(mdia, "hdlr"), box.Find(stbl, "stsd")
	if !ok1 || !ok2 || !ok3 || !ok4 || len(tkhd) < 96 || len(mdhd) < 24 || len(hdlr) < 12 || len(stsd) < 16 {
		return e, false
	}
	switch string(hdlr[8:12]) {
	case "vide":
		e.Kind = media.Video
	case "soun":
		e.Kind = media.Audio
	default:
		return e, false
	}
	e.Timescale = binary.BigEndian.Uint32(mdhd[20:])
	e.Width, e.Height, e.Rotation = binary.BigEndian.Uint16(tkhd[88:]), binary.BigEndian.Uint16(tkhd[92:]), rotationOf(tkhd[52:88])
	e.Box = stsd[8:]
	h, ok := box.ParseHeader(e.Box)
	return e, ok && h.Size == int64(len(e.Box)) && e.Timescale > 0
}

// fragment reads the fragment or the seal behind f.Bytes.
func (s *scanner) fragment(f *SampleFile) (*ScannedFragment, *Seal, error) {
	h, err := s.peek(f.Bytes)
	if err != nil {
		return nil, nil, err
	}
	if h.Type == "uuid" {
		seal, err := s.seal(f.Bytes)
		return nil, seal, err
	}
	prft, moofAt, err := s.content(f.Bytes, "prft", 64)
	if err != nil {
		return nil, nil, err
	}
	if len(prft) != 24 {
		return nil, nil, tornError("prft has another size")
	}
	moof, mdatAt, err := s.content(moofAt, "moof", maxMoofBytes)
	if err != nil {
		return nil, nil, err
	}
	mdat, err := s.box(mdatAt, "mdat", math.MaxInt64)
	if err != nil {
		return nil, nil, err
	}
	frag := &ScannedFragment{
		HeaderLen: int(mdatAt + mdat.Head - f.Bytes),
		Bytes:     mdatAt + mdat.Size - f.Bytes,
		Wall90k:   fromNTPTime(binary.BigEndian.Uint64(prft[8:])),
		Tracks:    s.room(len(f.Tracks)),
	}
	dataBytes, err := frag.parseMoof(moof, f)
	if err != nil {
		return nil, nil, err
	}
	if dataBytes != mdat.Size-mdat.Head {
		return nil, nil, tornError("the samples do not fill the mdat")
	}
	if s.noData {
		return frag, nil, nil
	}
	return frag, nil, s.checkCRC(moof[len(moof)-4:], f.Bytes, mdatAt, f.Bytes+frag.Bytes)
}

func (s *scanner) seal(off int64) (*Seal, error) {
	body, end, err := s.content(off, "uuid", maxHeaderBytes)
	if err != nil {
		return nil, err
	}
	if len(body) < 20 || [16]byte(body[:16]) != sealUUID || end != s.size {
		return nil, tornError("the box is no seal at the end of the file")
	}
	text, crc := body[16:len(body)-4], body[len(body)-4:]
	if crc32.Checksum(text, crcTable) != binary.BigEndian.Uint32(crc) {
		return nil, tornError("the checksum of the seal differs from its bytes")
	}
	seal := new(Seal)
	if err := json.Unmarshal(text, seal); err != nil {
		return nil, tornError("seal: " + err.Error())
	}
	return seal, nil
}

// CheckSeal checks that a sample file of the given size, whose header and fragments take bytes, ends in a seal and nothing
// else. It does not look at the fragments.
func CheckSeal(r io.ReaderAt, bytes, size int64) error {
	if bytes == size {
		return errors.New("the sample file has no seal")
	}
	if _, err := (&scanner{r: r, size: size}).seal(bytes); err != nil {
		return fmt.Errorf("the sample file does not end as recorded: %w", err)
	}
	return nil
}

// checkCRC compares the checksum, the last four bytes before behind, with the rest of [start, end).
func (s *scanner) checkCRC(want []byte, start, behind, end int64) error {
	crc := uint32(0)
	for _, span := range [][2]int64{{start, behind - 4}, {behind, end}} {
		for off := span[0]; off < span[1]; {
			p := s.buf[:min(int64(len(s.buf)), span[1]-off)]
			if err := s.readFull(p, off); err != nil {
				return err
			}
			crc = crc32.Update(crc, crcTable, p)
			off += int64(len(p))
		}
	}
	if crc != binary.BigEndian.Uint32(want) {
		return tornError("the checksum differs from the bytes")
	}
	return nil
}

// parseMoof fills frag.Tracks and returns how many bytes its samples take.
func (frag *ScannedFragment) parseMoof(moof []byte, f *SampleFile) (dataBytes int64, err error) {
	boxes, ok := box.Children(moof)
	if !ok || len(boxes) < 2 || len(findUUID(boxes[len(boxes)-1:], checksumUUID)) != 4 {
		return 0, tornError("the moof does not end in a checksum")
	}
	for _, b := range boxes {
		if b.Type != "traf" {
			continue
		}
		n, ok := frag.parseTraf(b.Body, f)
		if !ok {
			return 0, tornError("a traf is not as written")
		}
		dataBytes += n
	}
	return dataBytes, nil
}

// parseTraf reads back what traf wrote.
func (frag *ScannedFragment) parseTraf(traf []byte, f *SampleFile) (dataBytes int64, ok bool) {
	tracks := f.Tracks
	boxes, ok := box.Children(traf)
	tfhd, tfdt, trun := box.Find(boxes, "tfhd"), box.Find(boxes, "tfdt"), box.Find(boxes, "trun")
	if !ok || len(tfhd) != 8 || len(tfdt) != 12 || len(trun) < 12 {
		return 0, false
	}
	id := int64(binary.BigEndian.Uint32(tfhd[4:]))
	if id < 1 || id > int64(len(tracks)) || len(frag.Tracks[id-1]) > 0 {
		return 0, false
	}
	if entry := findUUID(boxes, entryUUID); entry != nil && !frag.parseEntry(int(id-1), entry, f) {
		return 0, false
	}
	dts := int64(binary.BigEndian.Uint64(tfdt[4:]))
	flags, count := binary.BigEndian.Uint32(trun)&0xffffff, int64(binary.BigEndian.Uint32(trun[4:]))
	row, rest := int64(8), trun[12:]
	ctsAt := row
	if flags&trunFlags != 0 {
		row, ctsAt = row+4, ctsAt+4
	}
	if flags&trunCTS != 0 {
		row += 4
	}
	if flags&trunFirstFlags != 0 {
		if len(rest) < 4 {
			return 0, false
		}
		rest = rest[4:]
	}
	if count == 0 || int64(len(rest)) != count*row {
		return 0, false
	}
	samples := slices.Grow(frag.Tracks[id-1], int(count))[:count]
	frag.Tracks[id-1] = samples
	for i := range samples {
		x := &samples[i]
		*x = media.Sample{DTS: dts}
		p := rest[int64(i)*row:]
		x.Duration, x.Size = binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
		if flags&trunCTS != 0 {
			x.CTS = int32(binary.BigEndian.Uint32(p[ctsAt:]))
		}
		switch {
		case tracks[id-1].Kind != media.Video:
			x.Sync = true
		case flags&trunFlags != 0:
			x.Sync = binary.BigEndian.Uint32(p[8:]) == syncFlags
		default:
			x.Sync = i == 0 && flags&trunFirstFlags != 0
		}
		dataBytes += int64(x.Size)
		dts = x.End()
	}
	return dataBytes, true
}
