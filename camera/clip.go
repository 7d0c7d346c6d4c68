package camera

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Codec names what the samples of a track hold.
type Codec string

// The codecs that a camera can play.
const (
	H264 Codec = "H264"
	H265 Codec = "H265"
	AAC  Codec = "AAC"
)

// Clip is the content of an .mp4 file: its tables in memory, its samples still in
// the file. It does not change and is safe for concurrent use.
type Clip struct {
	Video *Track
	Audio *Track // nil if the file has no AAC track

	// Ignored says which tracks of the file are not played, and why, in words.
	Ignored []string
}

// Track is the video or the audio of a clip.
type Track struct {
	Codec     Codec
	Timescale uint32 // units of a second in which the file counts
	ClockRate uint32 // Hz of the RTP clock: 90000 for video, the sampling rate for audio

	// Entry is the sample entry: a whole box of stsd, ISO/IEC 14496-12 8.5.2.
	Entry []byte
	// Parameter sets of the sample entry, without start code; VPS is for H.265 only.
	VPS, SPS, PPS []byte
	// AudioSpecificConfig, ISO/IEC 14496-3 1.6.2.1; for AAC only.
	AudioConfig []byte

	// Samples in decoding order; never empty.
	Samples []Sample
	// End is when the last sample ends: its DTS plus its duration.
	End int64

	r          io.ReaderAt
	lengthSize int // bytes of the length before each NAL unit; 0 for audio
}

// Sample is one video frame or one audio frame. Times are in the track's
// timescale and on the clip's common timeline: the edit list (ISO/IEC 14496-12
// 8.6.6) has been applied, so that the first times of a track may be negative.
type Sample struct {
	DTS    int64 // decoding time: the sum of the durations before
	PTS    int64 // composition time: DTS plus the composition offset
	Sync   bool  // decoding can start here
	Offset int64 // of the sample's bytes in the file
	Size   uint32
}

// Duration is how long one lap of the clip lasts: as long as its longer track.
func (c *Clip) Duration() time.Duration { return time.Duration(c.lapStart(1, uint32(time.Second))) }

// tracks lists the tracks that the clip has, video first.
func (c *Clip) tracks() []*Track {
	if c.Audio == nil {
		return []*Track{c.Video}
	}
	return []*Track{c.Video, c.Audio}
}

// lapStart is the time at which a lap starts, in ticks of the given rate. It is
// rounded once, however many laps there were before, so no error adds up.
func (c *Clip) lapStart(lap int64, rate uint32) int64 {
	longest := c.Video
	if a := c.Audio; a != nil && a.nanoseconds(a.duration()) > longest.nanoseconds(longest.duration()) {
		longest = a
	}
	return rescale(lap*longest.duration(), rate, longest.Timescale)
}

// RTPTime is the composition time of sample i (from 0) on the RTP clock. What is
// sent is this plus an offset, which is the same for all samples of a lap.
func (t *Track) RTPTime(i int) int64 {
	return rescale(t.Samples[i].PTS, t.ClockRate, t.Timescale)
}

// duration of the track, in its timescale.
func (t *Track) duration() int64 { return t.End - t.Samples[0].DTS }

// nanoseconds converts a time of the track.
func (t *Track) nanoseconds(v int64) int64 { return rescale(v, uint32(time.Second), t.Timescale) }

// AccessUnit reads sample i (from 0) and returns its NAL units, or the audio
// frame as the only element.
func (t *Track) AccessUnit(i int) ([][]byte, error) {
	s := t.Samples[i]
	data := make([]byte, s.Size)
	if _, err := t.r.ReadAt(data, s.Offset); err != nil {
		return nil, fmt.Errorf("read sample %d of the %s track, %d bytes at %d: %w", i, t.Codec, s.Size, s.Offset, err)
	}
	if t.lengthSize == 0 {
		return [][]byte{data}, nil
	}
	units, err := splitNALUnits(data, t.lengthSize)
	if err != nil {
		return nil, fmt.Errorf("sample %d of the %s track: %w", i, t.Codec, err)
	}
	return units, nil
}

// splitNALUnits cuts a video sample, in which each NAL unit stands behind its
// length (ISO/IEC 14496-15 5.3.4.2.1). Empty units hold nothing to send, and are left out.
func splitNALUnits(sample []byte, lengthSize int) ([][]byte, error) {
	var units [][]byte
	for len(sample) > 0 {
		if len(sample) < lengthSize {
			return nil, fmt.Errorf("%d bytes remain behind the last NAL unit", len(sample))
		}
		var length uint64
		for _, b := range sample[:lengthSize] {
			length = length<<8 | uint64(b)
		}
		sample = sample[lengthSize:]
		if length > uint64(len(sample)) {
			return nil, fmt.Errorf("NAL unit of %d bytes, but %d remain", length, len(sample))
		}
		if length > 0 {
			units = append(units, sample[:length:length])
		}
		sample = sample[length:]
	}
	if len(units) == 0 {
		return nil, errors.New("no NAL unit in it")
	}
	return units, nil
}

// rescale converts ticks of one rate into those of another, to the nearest. It
// takes whole seconds apart, so that it does not overflow for any real time.
func rescale(ticks int64, to, from uint32) int64 {
	seconds, rest := ticks/int64(from), ticks%int64(from)
	half := int64(from) / 2
	if rest < 0 {
		half = -half
	}
	return seconds*int64(to) + (rest*int64(to)+half)/int64(from)
}
