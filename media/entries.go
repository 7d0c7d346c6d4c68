package media

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
)

// MaxEntries is how many different sample entries a track of one recording has at most. A camera that changes its parameter sets
// back and forth takes a few; where one more is to come, another recording has to begin.
const MaxEntries = 16

// An EntryList is the different sample entries that a track of a recording uses, in order of first use. Each is known by its
// number, from 0.
type EntryList struct{ entries []SampleEntry }

// Number returns the number of a sample entry, which is added if it is new. ok is false if it is new and there are MaxEntries
// already.
func (l *EntryList) Number(e *SampleEntry) (n int, ok bool) {
	n = slices.IndexFunc(l.entries, func(x SampleEntry) bool { return bytes.Equal(x.Box, e.Box) })
	if n >= 0 {
		return n, true
	}
	if len(l.entries) == MaxEntries {
		return 0, false
	}
	l.entries = append(l.entries, *e)
	return len(l.entries) - 1, true
}

// Joined returns the sample entry that stands for all of the list in the row of a recording: its Box is all their boxes, one
// after the other, and its Codec lists theirs, as RFC 6381 does, each once.
func (l *EntryList) Joined() SampleEntry {
	e := l.entries[0]
	if len(l.entries) == 1 {
		return e
	}
	e.Box = nil
	var codecs []string
	for i := range l.entries {
		e.Box = append(e.Box, l.entries[i].Box...)
		if c := l.entries[i].Codec; !slices.Contains(codecs, c) {
			codecs = append(codecs, c)
		}
	}
	e.Codec = strings.Join(codecs, ",")
	return e
}

// Boxes yields the boxes of stsd that Box is made of: one, or all that a recording uses, see EntryList.
func (e *SampleEntry) Boxes(yield func([]byte) bool) {
	for rest := e.Box; len(rest) > 0; {
		n := firstBox(rest)
		if !yield(rest[:n:n]) {
			return
		}
		rest = rest[n:]
	}
}

// First returns the sample entry that a recording starts with, of one that may stand for several.
func (e *SampleEntry) First() SampleEntry {
	f := *e
	n := firstBox(f.Box)
	f.Box = f.Box[:n:n]
	f.Codec, _, _ = strings.Cut(f.Codec, ",")
	return f
}

// firstBox returns how many bytes the first of some boxes takes; all of them where they are damaged.
func firstBox(p []byte) int {
	if len(p) < 8 {
		return len(p)
	}
	if n := uint64(binary.BigEndian.Uint32(p)); n >= 8 && n <= uint64(len(p)) {
		return int(n)
	}
	return len(p)
}

// Alike reports whether samples of two sample entries can follow each other in one track without a reader noticing more than other
// parameter sets: they have the same form and timescale, the same size of picture, turned alike, or as many channels of sound.
func (e *SampleEntry) Alike(o *SampleEntry) bool {
	if e.Kind != o.Kind || e.Timescale != o.Timescale || e.Width != o.Width || e.Height != o.Height || e.Rotation != o.Rotation || e.form() != o.form() {
		return false
	}
	return e.Kind == Video || e.channels() == o.channels() && e.soundCodec() == o.soundCodec()
}

// form is the type of the first box, as "avc1".
func (e *SampleEntry) form() string {
	if len(e.Box) < 8 {
		return ""
	}
	return string(e.Box[4:8])
}

// channels is channelcount of an AudioSampleEntry (ISO/IEC 14496-12 12.2.3).
func (e *SampleEntry) channels() uint16 {
	const at = 8 + 8 + 8
	if len(e.Box) < at+2 {
		return 0
	}
	return binary.BigEndian.Uint16(e.Box[at:])
}

// soundCodec is Codec up to the second dot: mp4a is a box that AAC ("mp4a.40.2") shares with MP3 ("mp4a.6B").
func (e *SampleEntry) soundCodec() string {
	first, _, _ := strings.Cut(e.Codec, ",")
	family, rest, _ := strings.Cut(first, ".")
	object, _, _ := strings.Cut(rest, ".")
	return family + "." + object
}
