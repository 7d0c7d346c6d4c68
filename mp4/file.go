package mp4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"sync"

	"nvrfs/media"
)

// FormatVersion rises whenever the bytes of a File change for the same parts; it belongs into every ETag.
const FormatVersion = 1

// A File is a virtual mp4. It is immutable, and safe for concurrent use.
//
// Its bytes are ftyp, moov and mdat. Of the moov, only what does not depend on samples is kept; each table (8.6.1.2 stts
// and its like) is the concatenation of one piece a part, generated when its bytes are read.
type File struct {
	parts    []Part
	tracks   []track
	static   []byte
	sections []section // in order; they cover [0, Size)
	data     []int64   // data[i] is where the extent of part i starts, from the start of the first
	mdatAt   int64     // offset of the first extent
	cache    TableCache

	// What is shown, in ticks of the master track, tracks[0], on the File's timeline.
	shownStart, shownEnd int64
}

// A TableCache keeps the generated tables of parts; File works without one.
type TableCache interface {
	// Tables returns what make returned for this part of this file, now or earlier.
	Tables(f *File, part int, make func() ([]byte, error)) ([]byte, error)
}

// track is a track of the File, in the order of the first part's tracks.
type track struct {
	kind      media.Kind
	timescale uint32       // a multiple of that of every entry
	entries   []trackEntry // sample entries of parts, each once
	boxes     [][]byte     // of stsd, each once
	numbers   []uint32     // of boxes: see trackEntry
	pieces    []piece      // one a part
	total     [numTables]uint32
	hasCTS    bool

	// On the File's timeline, in timescale.
	start    int64 // DTS of the first sample; of the master track 0
	duration int64 // from there to the end of the last sample
}

// trackEntry is a sample entry of a part, which may be made of several boxes.
type trackEntry struct {
	*media.SampleEntry
	first, boxes int // numbers[first:first+boxes] are the sample description indexes of its boxes, from 1
}

// piece is the share of one part in one track.
type piece struct {
	src       int               // index in Part.Tracks, or -1
	scale     int64             // from the entry's timescale to the track's
	entry     int               // index in track.entries
	lastDelta uint32            // duration of the last sample: up to the track's next sample
	first     [numTables]uint32 // entries of the parts before
	count     [numTables]uint32
}

// A table is a box of stbl with one entry a sample, run or chunk.
type table uint8

const (
	stts table = iota
	ctts
	stss
	stsc
	stsz
	co64
	numTables
)

var (
	tableName  = [numTables]string{"stts", "ctts", "stss", "stsc", "stsz", "co64"}
	entryBytes = [numTables]int64{8, 8, 4, 12, 4, 8}
)

// section is a range of the File whose bytes are all made in one way.
type section struct {
	end   int64 // offset just past it
	what  sectionKind
	table table
	track int
	at    int // static: offset in File.static
}

type sectionKind uint8

const (
	staticSection sectionKind = iota
	tableSection
	dataSection
)

// NewFile lays out the File of parts, in their order: their tracks are joined by kind, gaps between runs are left out, and
// the tracks stay in step. It reads no sample and decodes no index. cache may be nil.
func NewFile(parts []Part, cache TableCache) (*File, error) {
	f := &File{cache: cache}
	if err := f.assemble(parts); err != nil {
		return nil, err
	}
	return f, nil
}

var sized = sync.Pool{New: func() any { return new(File) }}

// Size returns the size of the File of parts, of which it needs neither Name, Object nor Load.
func Size(parts []Part) (int64, error) {
	f := sized.Get().(*File)
	defer sized.Put(f)
	err := f.assemble(parts)
	f.parts = nil
	if err != nil {
		return 0, err
	}
	return f.Size(), nil
}

// assemble makes f the File of parts, in the memory that it has.
func (f *File) assemble(parts []Part) error {
	if len(parts) == 0 {
		return errors.New("a file of no recordings")
	}
	f.parts, f.tracks, f.sections, f.data, f.static = parts, f.tracks[:0], f.sections[:0], f.data[:0], f.static[:0]
	if err := f.joinTracks(); err != nil {
		return err
	}
	if err := f.placeParts(); err != nil {
		return err
	}
	return f.layOut()
}

// Size is the exact length in bytes.
func (f *File) Size() int64 { return f.sections[len(f.sections)-1].end }

// Duration90k is how long the file plays.
func (f *File) Duration90k() int64 {
	return media.Rescale(f.shownEnd-f.shownStart, f.tracks[0].timescale, movieTimescale)
}

// Parts returns what the file is made of. It must not be changed.
func (f *File) Parts() []Part { return f.parts }

// joinTracks finds the tracks of the File and each part's share in them.
func (f *File) joinTracks() error {
	for i := range f.parts {
		for j := range f.parts[i].Tracks {
			if t := &f.parts[i].Tracks[j]; t.Samples > 0 {
				if err := f.track(t.Entry.Kind).addEntry(t.Entry); err != nil {
					return err
				}
			}
		}
	}
	for k := range f.tracks {
		if err := f.tracks[k].count(f.parts); err != nil {
			return err
		}
	}
	return nil
}

// track returns the track of a kind, which it adds when there is none.
func (f *File) track(k media.Kind) *track {
	for i := range f.tracks {
		if f.tracks[i].kind == k {
			return &f.tracks[i]
		}
	}
	n := len(f.tracks)
	f.tracks = slices.Grow(f.tracks, 1)[:n+1]
	t := &f.tracks[n]
	*t = track{kind: k, timescale: 1, entries: t.entries[:0], boxes: t.boxes[:0], numbers: t.numbers[:0], pieces: t.pieces[:0]}
	return t
}

// addEntry adds a sample entry that the track does not have yet. The timescale becomes one in which every entry's ticks
// are whole, so that joining a 44.1 kHz and a 48 kHz recording rounds nothing.
func (t *track) addEntry(e *media.SampleEntry) error {
	if t.entryIndex(e) >= 0 {
		return nil
	}
	ts := uint64(t.timescale) / uint64(gcd(t.timescale, e.Timescale)) * uint64(e.Timescale)
	if ts > math.MaxInt32 {
		return fmt.Errorf("%s recordings with %d and %d ticks a second have no common timescale; choose a range with one of them", t.kind, t.timescale, e.Timescale)
	}
	t.timescale = uint32(ts)
	first := len(t.numbers)
	for b := range e.Boxes {
		i := slices.IndexFunc(t.boxes, func(x []byte) bool { return bytes.Equal(x, b) })
		if i < 0 {
			i, t.boxes = len(t.boxes), append(t.boxes, b)
		}
		t.numbers = append(t.numbers, uint32(i+1))
	}
	t.entries = append(t.entries, trackEntry{e, first, len(t.numbers) - first})
	return nil
}

// entryIndex returns where e is in entries, or -1.
func (t *track) entryIndex(e *media.SampleEntry) int {
	for i := range t.entries {
		if x := t.entries[i].SampleEntry; x == e || x.Timescale == e.Timescale && bytes.Equal(x.Box, e.Box) {
			return i
		}
	}
	return -1
}

// entryBytes is how many bytes of a table an entry takes. All samples of raw audio have one size, which stsz says once (8.7.3.2).
func (t *track) entryBytes(tab table) int64 {
	if tab == stsz && t.kind == media.RawAudio {
		return 0
	}
	return entryBytes[tab]
}

func gcd(a, b uint32) uint32 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// count finds how many entries each part has in each table.
func (t *track) count(parts []Part) error {
	t.pieces = slices.Grow(t.pieces, len(parts))[:len(parts)]
	for i := range parts {
		t.pieces[i] = t.piece(&parts[i])
		t.hasCTS = t.hasCTS || t.pieces[i].count[ctts] > 0
	}
	for i := range t.pieces {
		q := &t.pieces[i]
		if t.hasCTS && q.src >= 0 {
			q.count[ctts] = max(q.count[ctts], 1) // ctts describes every sample: a part without offsets is one run of 0
		}
		q.first = t.total
		for tab := range numTables {
			if uint64(t.total[tab])+uint64(q.count[tab]) > math.MaxUint32 {
				return fmt.Errorf("the %s track has more samples than an mp4 can number; choose a shorter range", t.kind)
			}
			t.total[tab] += q.count[tab]
		}
	}
	return nil
}

func (t *track) piece(p *Part) piece {
	for src := range p.Tracks {
		if x := &p.Tracks[src]; x.Samples > 0 && x.Entry.Kind == t.kind {
			return piece{
				src:   src,
				scale: int64(t.timescale / x.Entry.Timescale),
				entry: t.entryIndex(x.Entry),
				count: [numTables]uint32{stts: x.TimeRuns + 1, ctts: x.CTSRuns, stss: x.Syncs, stsc: x.ChunkRuns, stsz: x.Samples, co64: x.Chunks},
			}
		}
	}
	return piece{src: -1}
}

// ReadAt implements io.ReaderAt. An error names the recording whose bytes could not be read.
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("read at a negative offset")
	}
	for n < len(p) {
		if off+int64(n) >= f.Size() {
			return n, io.EOF
		}
		m, err := f.readSome(p[n:], off+int64(n))
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// readSome reads up to the end of a section or part.
func (f *File) readSome(p []byte, off int64) (int, error) {
	i := sort.Search(len(f.sections), func(i int) bool { return f.sections[i].end > off })
	s := &f.sections[i]
	start := int64(0)
	if i > 0 {
		start = f.sections[i-1].end
	}
	p = p[:min(int64(len(p)), s.end-off)]
	switch s.what {
	case staticSection:
		return copy(p, f.static[int64(s.at)+off-start:]), nil
	case tableSection:
		return f.readTable(p, s, off-start)
	default:
		return f.readData(p, off)
	}
}

// readData reads from the extent that holds off.
func (f *File) readData(p []byte, off int64) (int, error) {
	part, at, length := f.locate(off)
	p = p[:min(int64(len(p)), length)]
	n, err := part.Object.ReadAt(p, at)
	if n == len(p) {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, fmt.Errorf("recording %s: read %d bytes at %d of its sample file: %w", part.Name, len(p), at, err)
}

// locate finds the extent that holds off, an offset in the mdat's content.
func (f *File) locate(off int64) (part *Part, at, length int64) {
	rel := off - f.mdatAt
	i := sort.Search(len(f.data), func(i int) bool { return f.data[i] > rel }) - 1
	part = &f.parts[i]
	return part, part.Offset + rel - f.data[i], part.Length - (rel - f.data[i])
}

// Extent tells where the bytes at off really lie: n bytes at offset at of a part's Object. ok is false when they are
// generated, or off is outside the file.
func (f *File) Extent(off int64) (part *Part, at, n int64, ok bool) {
	if off < f.mdatAt || off >= f.Size() {
		return nil, 0, 0, false
	}
	part, at, n = f.locate(off)
	return part, at, n, true
}
