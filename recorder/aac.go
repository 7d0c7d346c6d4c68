package recorder

import (
	"bytes"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"nvrfs/media"
	"nvrfs/mp4"
)

// aacTrack turns the frames of an AAC stream into samples.
type aacTrack struct {
	entry      media.SampleEntry
	frameTicks int64 // how long a frame lasts

	started bool
	last    int64 // the DTS of the last sample
}

// newAACTrack takes an AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1).
func newAACTrack(asc []byte) (*aacTrack, error) {
	entry, err := mp4.NewAAC(asc)
	if err != nil {
		return nil, err
	}
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(asc); err != nil {
		return nil, fmt.Errorf("AudioSpecificConfig: %w", err)
	}
	t := &aacTrack{entry: entry, frameTicks: 1024}
	if c.FrameLengthFlag {
		t.frameTicks = 960
	}
	return t, nil
}

// frames returns the samples of frames that follow each other, of which the first is to be heard at pts, in ticks of the
// sampling rate.
//
// Many cameras stamp their audio with a clock that jitters, so that a frame may seem to start before the one before it
// ended, or even started. It then follows one tick after it. To go back by more than a second is no jitter: it fails.
func (t *aacTrack) frames(frames [][]byte, pts int64) ([]media.Sample, error) {
	var out []media.Sample
	for i, frame := range frames {
		dts := pts + int64(i)*t.frameTicks
		if t.started && dts <= t.last {
			if t.last-dts > int64(t.entry.Timescale) {
				return nil, fmt.Errorf("the camera's audio timestamps went back: a frame is to be heard at %d, after one at %d (%d a second)", dts, t.last, t.entry.Timescale)
			}
			dts = t.last + 1
		}
		if len(frame) == 0 {
			continue
		}
		t.started, t.last = true, dts
		out = append(out, media.Sample{DTS: dts, Sync: true, Data: bytes.Clone(frame)})
	}
	return out, nil
}
