package footage

import (
	"encoding/binary"
	"errors"
	"fmt"

	"nvrfs/camera"
	"nvrfs/media"
	"nvrfs/mp4/demux"
)

// A source is one track of a clip, repeated without end. Times are in the track's timescale; 0 is the decoding time of the
// clip's first video sample.
type source struct {
	entry   media.SampleEntry
	samples []media.Sample // of the first lap
	lap     lap

	turns []*source // with their own entries, see Camera.Turns; this source is the first of them
	turn  []int     // of each sample: which of turns it is from
}

// entryOf returns the sample entry of sample i, counted over all laps.
func (s *source) entryOf(i int64) *media.SampleEntry {
	if s.turns == nil {
		return &s.entry
	}
	return &s.turns[s.turn[i%int64(len(s.turn))]].entry
}

// takeTurns takes GOPs from the source and from others in turn.
func (s *source) takeTurns(others []*source) error {
	s.turns = append([]*source{s}, others...)
	var merged []media.Sample
	gop := -1
	for i, x := range s.samples {
		if x.Sync {
			gop++
		}
		n := gop % len(s.turns)
		y := s.turns[n].samples
		if len(y) != len(s.samples) || y[i].DTS != x.DTS || y[i].Sync != x.Sync || !y[0].Sync {
			return errors.New("the clips that take turns have other times, or other sync samples")
		}
		merged, s.turn = append(merged, y[i]), append(s.turn, n)
	}
	s.samples = merged
	return nil
}

// lap is how long the video of the clip lasts.
type lap struct {
	ticks     int64
	timescale uint32
}

// start is when lap n starts, rounded once however many laps there were.
func (l lap) start(n int64, timescale uint32) int64 {
	return media.Rescale(n*l.ticks, l.timescale, timescale)
}

// at returns sample i, counted over all laps. It lasts until the next one.
func (s *source) at(i int64) media.Sample {
	x := s.samples[i%int64(len(s.samples))]
	x.DTS = s.dts(i)
	x.Duration = uint32(s.dts(i+1) - x.DTS)
	return x
}

func (s *source) dts(i int64) int64 {
	n := int64(len(s.samples))
	return s.lap.start(i/n, s.entry.Timescale) + s.samples[i%n].DTS
}

// sources returns the tracks of the camera, video first.
func (c *Camera) sources() ([]*source, error) {
	video, err := pictures(c.Clip, c.Tiny)
	if err != nil {
		return nil, err
	}
	all := []*source{video}
	sound, zero := c.Clip.Audio, c.Clip.Video.Sample(0).DTS
	switch {
	case c.NoAudio:
	case c.MuLaw:
		all = append(all, muLawSource(video.lap))
	case sound != nil:
		entry, err := camera.SentEntry(sound)
		if err != nil {
			return nil, err
		}
		s, err := newSource(sound, entry, media.Rescale(zero, c.Clip.Video.Timescale, sound.Timescale), video.lap, c.Tiny)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	var turns []*source
	for _, clip := range c.Turns {
		s, err := pictures(clip, c.Tiny)
		if err != nil {
			return nil, err
		}
		turns = append(turns, s)
	}
	if turns != nil {
		err = video.takeTurns(turns)
	}
	return all, err
}

// pictures returns the video of a clip.
func pictures(c *camera.Clip, tiny bool) (*source, error) {
	entry, err := camera.SentEntry(c.Video)
	if err != nil {
		return nil, err
	}
	zero := c.Video.Sample(0).DTS
	length := lap{media.Rescale(c.Video.End-zero, c.Video.Timescale, entry.Timescale), entry.Timescale}
	video, err := newSource(c.Video, entry, zero, length, tiny)
	if err != nil {
		return nil, err
	}
	if !video.samples[0].Sync {
		return nil, errors.New("the clip does not start with a sync sample")
	}
	return video, nil
}

// newSource reads the samples of a track. zero is the time, in the track's timescale, that becomes 0. What sounds before
// the picture or after it is left out.
func newSource(t *demux.Track, e media.SampleEntry, zero int64, length lap, tiny bool) (*source, error) {
	s := &source{entry: e, lap: length}
	for i := range t.Len() {
		x := t.Sample(i)
		ticks := func(v int64) int64 { return media.Rescale(v-zero, t.Timescale, e.Timescale) }
		dts := ticks(x.DTS)
		if dts < 0 || dts >= length.start(1, e.Timescale) {
			continue
		}
		data, err := t.Read(i)
		if err != nil {
			return nil, err
		}
		if tiny {
			data = tinySample(e.Kind, x.Sync, i)
		}
		s.samples = append(s.samples, media.Sample{DTS: dts, CTS: int32(ticks(x.PTS()) - dts), Sync: x.Sync, Size: uint32(len(data)), Data: data})
	}
	if len(s.samples) == 0 {
		return nil, fmt.Errorf("the %s of the clip lies outside its picture", e.Kind)
	}
	return s, nil
}

// tinySample is a NAL unit behind its length, or an audio frame, that no decoder understands, but that differs from the others
// of the clip.
func tinySample(k media.Kind, sync bool, i int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(i))
	switch {
	case k.Sound():
		return b
	case sync:
		b = append(append([]byte{0x65}, b...), "a sync sample is larger than the others"...)
	default:
		b = append([]byte{0x41}, b...)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}
