package mp4check

import "fmt"

// Report is what Check read. Where the file breaks rules it holds what could
// still be understood. Slices start at 0; only Sample.Entry counts from 1.
type Report struct {
	Size        int64 // bytes
	Boxes       []Box // top level, in file order
	Timescale   uint32
	Duration    uint64 // mvhd, in ticks of Timescale
	NextTrackID uint32
	Tracks      []*Track // in the order of moov
}

// Box is a top-level box.
type Box struct {
	Type   string // four characters
	Offset int64  // of the header, in the file
	Header int64  // bytes before the payload: 8 or 16
	Size   int64  // header and payload
}

// Track is one trak box.
type Track struct {
	ID            uint32
	Handler       string // "vide", "soun", "text", ...
	Timescale     uint32 // ticks per second of all media times
	MediaDuration uint64 // mdhd, in ticks of Timescale
	Duration      uint64 // tkhd, in ticks of the movie's Timescale
	Width, Height uint32 // tkhd, 16.16 fixed point
	Entries       []*Entry
	Edits         []Edit // empty without an edit list
	Chunks        []Chunk
	Samples       []Sample // in decoding order
	SampleSize    uint32   // of every sample, where stsz says one size for all; 0 where sizes differ

	dataRefs []bool // of dref; whether each is this very file
}

// Edit is an entry of the edit list (ISO/IEC 14496-12 8.6.6).
type Edit struct {
	Duration  uint64 // in ticks of the movie's Timescale
	MediaTime int64  // in ticks of the track's Timescale; -1 shows nothing
	Rate      int32  // 16.16 fixed point
}

// Chunk is some neighbouring samples of one track.
type Chunk struct {
	Offset int64 // in the file
	Size   int64 // bytes
}

// Sample is the data of one timestamp.
type Sample struct {
	DTS      int64  // decoding time, in ticks of the track's Timescale; the first is 0
	CTS      int64  // composition time on the same line, before edits
	Offset   int64  // in the file
	Size     uint32 // bytes
	Duration uint32 // ticks
	Entry    uint32 // 1-based index of the sample entry; 0 if no chunk holds the sample
	Sync     bool   // listed in stss, or there is no stss
	IRAP     uint8  // NAL type of its first random access picture, 0 without one
	Recovers bool   // a message says that decoding can start at it
}

// End returns the time when the sample's presentation ends, in ticks.
func (s *Sample) End() int64 { return s.CTS + int64(s.Duration) }

// Entry is a sample entry of stsd (ISO/IEC 14496-12 8.5.2).
type Entry struct {
	Type          string // "avc1", "hvc1", "mp4a", ...
	Width, Height int    // pixels; video only
	Channels      int    // audio only
	SampleRate    int    // Hz; audio only; 0 where 16 bits cannot hold it
	Config        []byte // payload of avcC, hvcC, dOps, or the AudioSpecificConfig

	dataRef int
	nal     *nalConfig // nil if samples are not made of NAL units
}

// name says which track it is, in messages.
func (t *Track) name() string { return fmt.Sprintf("track %d (%s)", t.ID, t.Handler) }

// entryOf returns the sample entry of s, nil if there is none.
func (t *Track) entryOf(s *Sample) *Entry {
	if s.Entry < 1 || int(s.Entry) > len(t.Entries) {
		return nil
	}
	return t.Entries[s.Entry-1]
}

// span returns the first composition time and the last presentation end, in
// ticks; 0, 0 without samples.
func (t *Track) span() (start, end int64) {
	for i := range t.Samples {
		s := &t.Samples[i]
		if i == 0 || s.CTS < start {
			start = s.CTS
		}
		if i == 0 || s.End() > end {
			end = s.End()
		}
	}
	return start, end
}
