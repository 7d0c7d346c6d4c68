package media

import "time"

// A Sample is the data of one timestamp of one track, with its times in ticks of the track's timescale. Not every field is
// known everywhere: a camera does not say how long its newest sample lasts, and an index does not hold the data.
type Sample struct {
	Track    int    // the index of its track among those of the stream
	DTS      int64  // when it is decoded
	CTS      int32  // from DTS to when it is shown
	Duration uint32 // until the next sample of its track is decoded; from a Source, as long as such a sample lasts as a rule
	Size     uint32 // bytes of its data
	Sync     bool   // decoding can start here

	// Data is as stored in mp4. Whoever has handed a sample on changes it no more, and lends its memory to no other sample, so
	// that others may keep it for as long as they like. It is nil where only the description is known.
	Data []byte
	// Received is when the first packet of the sample came, by the host's clock, with a monotonic reading. It is zero where no
	// camera sent it.
	Received time.Time
}

// PTS is when the sample is shown.
func (s *Sample) PTS() int64 { return s.DTS + int64(s.CTS) }

// End is when the next sample of the track is decoded.
func (s *Sample) End() int64 { return s.DTS + int64(s.Duration) }
