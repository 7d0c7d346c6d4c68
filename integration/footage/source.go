package footage

import (
	"encoding/binary"
	"errors"
	"fmt"

	"nvrfs/camera"
	"nvrfs/media"
	"nvrfs/mp4"
)

// A source is one track of a clip, repeated without end. Times are in the track's timescale; 0 is the decoding time of the
// clip's first video sample.
type source struct {
	entry   media.SampleEntry
	samples []media.Sample // of the first lap
	lap     lap
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

// sources returns the tracks of a clip, video first.
func sources(c *camera.Clip, audio, tiny bool) ([]*source, error) {
	if c.Video.Codec != camera.H264 {
		return nil, fmt.Errorf("the clip has %s, footage is made of H264", c.Video.Codec)
	}
	entry, err := mp4.NewAVC(c.Video.SPS, c.Video.PPS)
	if err != nil {
		return nil, err
	}
	zero := c.Video.Samples[0].DTS
	length := lap{media.Rescale(c.Video.End-zero, c.Video.Timescale, entry.Timescale), entry.Timescale}
	video, err := newSource(c.Video, entry, zero, length, tiny)
	if err != nil {
		return nil, err
	}
	if !video.samples[0].Sync {
		return nil, errors.New("the clip does not start with a sync sample")
	}
	all := []*source{video}
	if audio && c.Audio != nil {
		if entry, err = mp4.NewAAC(c.Audio.AudioConfig); err != nil {
			return nil, err
		}
		sound, err := newSource(c.Audio, entry, media.Rescale(zero, c.Video.Timescale, c.Audio.Timescale), length, tiny)
		if err != nil {
			return nil, err
		}
		all = append(all, sound)
	}
	return all, nil
}

// newSource reads the samples of a track. zero is the time, in the track's timescale, that becomes 0. What sounds before
// the picture or after it is left out.
func newSource(t *camera.Track, e media.SampleEntry, zero int64, length lap, tiny bool) (*source, error) {
	s := &source{entry: e, lap: length}
	for i, x := range t.Samples {
		ticks := func(v int64) int64 { return media.Rescale(v-zero, t.Timescale, e.Timescale) }
		dts := ticks(x.DTS)
		if dts < 0 || dts >= length.start(1, e.Timescale) {
			continue
		}
		units, err := t.AccessUnit(i)
		if err != nil {
			return nil, err
		}
		if tiny {
			units = [][]byte{tinyUnit(e.Kind, x.Sync, i)}
		}
		data := joinUnits(e.Kind, units)
		s.samples = append(s.samples, media.Sample{DTS: dts, CTS: int32(ticks(x.PTS) - dts), Sync: x.Sync, Size: uint32(len(data)), Data: data})
	}
	if len(s.samples) == 0 {
		return nil, fmt.Errorf("the %s of the clip lies outside its picture", e.Kind)
	}
	return s, nil
}

// tinyUnit is a NAL unit, or an audio frame, that no decoder understands, but that differs from the others of the clip.
func tinyUnit(k media.Kind, sync bool, i int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(i))
	switch {
	case k == media.Video && sync:
		return append(append([]byte{0x65}, b...), "a sync sample is larger than the others"...)
	case k == media.Video:
		return append([]byte{0x41}, b...)
	}
	return b
}

// joinUnits makes a sample of its NAL units (ISO/IEC 14496-15 5.3.4.2.1); audio frames stay as they are.
func joinUnits(k media.Kind, units [][]byte) (data []byte) {
	if k == media.Audio {
		return units[0]
	}
	for _, u := range units {
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(u))), u...)
	}
	return data
}
