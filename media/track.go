package media

import "fmt"

// Kind tells what a track carries.
type Kind uint8

// The kinds of track. The numbers stand in databases and in packed indexes.
const (
	Video Kind = 1 + iota
	Audio
	// RawAudio is sound without frames, of which every byte is a sample (G.711). A Sample of it is a packet of such bytes, which
	// lasts at least as many ticks as it has bytes. Virtual files show each byte as a sample, because players agree on nothing else.
	RawAudio
)

// Sound reports whether the track is heard.
func (k Kind) Sound() bool { return k == Audio || k == RawAudio }

func (k Kind) String() string {
	switch k {
	case Video:
		return "video"
	case Audio, RawAudio:
		return "audio"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// SampleEntry is one whole box of stsd (ISO/IEC 14496-12 8.5.2) and what other boxes must repeat of it.
type SampleEntry struct {
	Kind      Kind
	Codec     string // RFC 6381 codecs parameter: "avc1.640028", "mp4a.40.2"
	Timescale uint32 // ticks a second of the track: 90000 for video, the sampling rate for audio
	Width     uint16 // pixels, video only, without what the parameter sets crop away
	Height    uint16
	Rotation  uint16 // degrees clockwise, 0, 90, 180 or 270, by which a player turns the pictures; Width and Height are before that
	Box       []byte // the sample entry box, size and type included; of a row all boxes that the recording uses, see EntryList
}

// VideoTimescale is the timescale of every video track: the clock rate of video in RTP (RFC 3551 5).
const VideoTimescale = TicksPerSecond

// Sums counts what one track has in some footage: the figures from which sizes and times of virtual files follow. Times
// are in the track's timescale. Of RawAudio, every byte counts as a sample.
type Sums struct {
	Start        int64  // DTS of the first sample, since the start of the run
	Duration     int64  // of all samples, the last included
	LastDuration uint32 // of the last sample
	FirstCTS     int32  // of the first sample

	Samples   uint32
	Syncs     uint32 // sync samples; 0 for audio, where every sample is one
	TimeRuns  uint32 // runs of equal durations among all samples but the last
	CTSRuns   uint32 // runs of equal CTS; 0 when every CTS is 0
	Chunks    uint32 // fragments in which the track has samples
	ChunkRuns uint32 // runs of such fragments with equally many samples and the same sample entry
}

// Steady returns how long each sample but the last lasts, where all of those last equally long. A row that contradicts itself is
// not steady.
func (s *Sums) Steady() (each int64, ok bool) {
	others := int64(s.Samples) - 1
	if others < 0 || int64(s.TimeRuns) != min(others, 1) {
		return 0, false
	}
	rest := s.Duration - int64(s.LastDuration)
	if others == 0 {
		return 0, rest == 0
	}
	return rest / others, rest%others == 0
}
