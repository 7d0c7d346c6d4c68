package codec

import (
	"bytes"
	"fmt"

	"nvrfs/media"
)

// soundTimes gives frames of sound their times.
type soundTimes struct {
	rate    uint32 // ticks a second
	started bool
	last    int64 // the DTS of the last frame
}

// samples returns the samples of frames that follow each other, of which the first is to be heard at pts. duration returns how
// long a frame lasts.
//
// Many cameras stamp their audio with a clock that jitters, so that a frame may seem to start before the one before it
// ended, or even started. It then follows one tick after it. To go back by more than a second is no jitter: it fails.
func (t *soundTimes) samples(frames [][]byte, pts int64, duration func(frame []byte) uint32) ([]media.Sample, error) {
	out := make([]media.Sample, 0, len(frames))
	for _, frame := range frames {
		dts, lasts := pts, duration(frame)
		pts += int64(lasts)
		if t.started && dts <= t.last {
			if t.last-dts > int64(t.rate) {
				return nil, fmt.Errorf("the camera's audio timestamps went back: a frame is to be heard at %d, after one at %d (%d a second)", dts, t.last, t.rate)
			}
			dts = t.last + 1
		}
		if len(frame) == 0 {
			continue
		}
		t.started, t.last = true, dts
		out = append(out, media.Sample{DTS: dts, Duration: lasts, Sync: true, Data: bytes.Clone(frame)})
	}
	return out, nil
}
