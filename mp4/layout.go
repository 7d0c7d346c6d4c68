package mp4

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"nvrfs/media"
	"nvrfs/media/box"
)

// layout collects the bytes of a File that no sample changes, and the sections around them.
type layout struct {
	writer
	f       *File
	flushed int   // bytes of b that are in a section
	end     int64 // of the last section
}

// Memory is how many bytes of memory the File takes, about. What it shares with others is left out.
func (f *File) Memory() int64 {
	const perFile, perPart, perTrack = 2000, 350, int(unsafe.Sizeof(TrackPart{}) + unsafe.Sizeof(piece{}))
	n := int64(perFile + len(f.parts)*(perPart+len(f.tracks)*perTrack))
	for i := range f.parts {
		n += f.parts[i].memory // of the two at the ends, where those are cut
		for k := range f.parts[i].Tracks {
			n += int64(len(f.parts[i].Tracks[k].Runs))
		}
	}
	return n
}

// layOut finds every section of the file, by arithmetic alone.
func (f *File) layOut() error {
	l := &layout{f: f, writer: writer{box.Writer{B: f.static}}}
	l.Box("ftyp", func() {
		l.Str("isom")
		l.U32(0x200)
		l.Str("isomiso2avc1mp41") // the brands that ffmpeg writes, whatever the codec is (ISO/IEC 14496-12 Annex E)
	})
	moov := len(l.B)
	var movie90k int64
	for k := range f.tracks {
		e := f.edit(k)
		movie90k = max(movie90k, e.empty90k+e.duration90k)
	}
	l.U32(0)
	l.Str("moov")
	l.mvhd(uint64(movie90k), uint32(len(f.tracks)+1))
	for k := range f.tracks {
		l.trak(k)
	}
	l.flush()
	if l.end-int64(moov) > math.MaxUint32 {
		return fmt.Errorf("the tables of the file take %d bytes, more than an mp4 can hold; choose a shorter range", l.end)
	}
	binary.BigEndian.PutUint32(l.B[moov:], uint32(l.end-int64(moov)))

	f.data = slices.Grow(f.data, len(f.parts))[:len(f.parts)]
	dataBytes := int64(0)
	for i := range f.parts {
		f.data[i] = dataBytes
		dataBytes += f.parts[i].Length
	}
	l.U32(1)
	l.Str("mdat")
	l.U64(uint64(16 + dataBytes))
	l.flush()
	f.mdatAt = l.end
	l.add(section{what: dataSection}, dataBytes)
	f.static = l.B
	return nil
}

func (l *layout) add(s section, n int64) {
	if n > 0 {
		l.end += n
		s.end = l.end
		l.f.sections = append(l.f.sections, s)
	}
}

// flush makes a section of what was written since the last one.
func (l *layout) flush() {
	l.add(section{what: staticSection, at: l.flushed}, int64(len(l.B)-l.flushed))
	l.flushed = len(l.B)
}

// trak writes one track. Its tables come last in each of the containers they are in, so the sizes of those are known when
// the tables' are.
func (l *layout) trak(k int) {
	t := &l.f.tracks[k]
	e := l.f.edit(k)
	var open []int // where the containers start
	container := func(typ string) {
		open = append(open, len(l.B))
		l.U32(0)
		l.Str(typ)
	}
	container("trak")
	l.tkhd(uint32(k+1), t.entries[0].SampleEntry, uint64(e.empty90k+e.duration90k))
	l.edts(e)
	container("mdia")
	l.mdhd(t.timescale, uint64(t.duration))
	l.hdlr(t.kind)
	container("minf")
	l.mediaHeader(t.kind)
	l.dinf()
	container("stbl")
	l.stsd(t.boxes...)
	tableBytes := int64(0)
	for tab := range numTables {
		tableBytes += l.table(k, tab)
	}
	for _, at := range open {
		binary.BigEndian.PutUint32(l.B[at:], uint32(int64(len(l.B)-at)+tableBytes))
	}
}

func (l *layout) edts(e edit) {
	l.Box("edts", func() {
		l.FullBox("elst", 1, 0, func() {
			if e.empty90k > 0 {
				l.U32(2)
				l.U64(uint64(e.empty90k))
				l.U64(math.MaxUint64) // media time -1: an empty edit
				l.U32(0x10000)
			} else {
				l.U32(1)
			}
			l.U64(uint64(e.duration90k))
			l.U64(uint64(e.mediaTime))
			l.U32(0x10000) // rate 1
		})
	})
}

// table writes the header of a table and adds the section of its entries, whose size it returns.
func (l *layout) table(k int, tab table) int64 {
	t := &l.f.tracks[k]
	n := t.total[tab]
	if tab == ctts && !t.hasCTS || tab == stss && t.kind.Sound() {
		return 0
	}
	size := int64(n) * t.entryBytes(tab)
	version := uint8(0)
	if tab == ctts {
		version = 1 // offsets are signed
	}
	start := len(l.B)
	l.FullBox(tableName[tab], version, 0, func() {
		if tab == stsz {
			if t.kind == media.RawAudio {
				l.U32(1) // of each
			} else {
				l.U32(0) // sizes differ
			}
		}
		l.U32(n)
	})
	binary.BigEndian.PutUint32(l.B[start:], uint32(int64(len(l.B)-start)+size))
	l.flush()
	l.add(section{what: tableSection, table: tab, track: k}, size)
	return size
}
