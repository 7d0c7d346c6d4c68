package camera

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"nvrfs/codec"
	"nvrfs/media"
	"nvrfs/mp4/demux"
)

// A Clip is what a camera plays: the content of an .mp4 file, whose samples are still in the file.
type Clip struct{ *demux.File }

// OpenClip is ParseClip of a whole file.
func OpenClip(f *os.File) (*Clip, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return ParseClip(f, info.Size())
}

// ParseClip reads the tables of an .mp4 file of the given size. The samples themselves are read from r when they are sent, so
// r must stay readable for as long as the clip is played.
func ParseClip(r io.ReaderAt, size int64) (*Clip, error) {
	f, err := demux.Read(r, size)
	if err != nil {
		return nil, err
	}
	if f.Audio != nil {
		if _, err := codec.Send(f.Audio.Entry, 96); err != nil || f.Audio.Transcoder() != nil {
			f.Audio, f.LeftOut = nil, append(f.LeftOut, "its sound, which cannot be sent")
		}
	}
	if len(f.Tracks()) == 0 {
		return nil, errors.New("there is no video in it, and its sound cannot be sent")
	}
	if f.Video != nil {
		if err := canSend(f.Video); err != nil {
			return nil, fmt.Errorf("its video cannot be sent: %w", err)
		}
	}
	for _, t := range f.Tracks() {
		if len(t.Entries) > 1 {
			return nil, fmt.Errorf("its %s changes its parameters on the way, which is not sent", t.Entry.Kind)
		}
	}
	return &Clip{f}, nil
}

// canSend tries to make packets of the first sample.
func canSend(t *demux.Track) error {
	sender, err := codec.Send(t.Entry, 96)
	if err != nil {
		return err
	}
	sample, err := t.Read(0)
	if err != nil {
		return err
	}
	_, err = sender.Packets(sample)
	return err
}

// Duration is how long one lap of the clip lasts: as long as its longer track.
func (c *Clip) Duration() time.Duration { return time.Duration(c.lapStart(1, uint32(time.Second))) }

// lapStart is the time at which a lap starts, in ticks of the given rate. It is
// rounded once, however many laps there were before, so no error adds up.
func (c *Clip) lapStart(lap int64, rate uint32) int64 {
	tracks := c.Tracks()
	longest := tracks[0]
	for _, t := range tracks[1:] {
		if nanoseconds(t, t.Duration()) > nanoseconds(longest, longest.Duration()) {
			longest = t
		}
	}
	return media.Rescale(lap*longest.Duration(), longest.Timescale, rate)
}

// RTPTime is the composition time of sample i (from 0) on the RTP clock, whose rate is the timescale of the track's sample
// entry. What is sent is this plus an offset, which is the same for all samples of a lap.
func RTPTime(t *demux.Track, i int) int64 {
	s := t.Sample(i)
	return media.Rescale(s.PTS(), t.Timescale, t.Entry.Timescale)
}

// nanoseconds converts a time of a track.
func nanoseconds(t *demux.Track, v int64) int64 {
	return media.Rescale(v, t.Timescale, uint32(time.Second))
}
