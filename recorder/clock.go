package recorder

import (
	"fmt"
	"math"
	"time"

	"nvrfs/schema"
)

// maxStep is how far the host's clock may jump within a run.
const maxStep = 5 * time.Second

// maxCorrectionPPM bounds by how much wall time may run faster or slower than the camera's clock: more than any crystal is
// off by, and far too little to see or hear.
const maxCorrectionPPM = 500

// runClock gives the frames of one run their wall time, from the camera's clock and the times at which frames came.
//
// A frame comes later than it was taken, by a delay that varies, and that is longest for what a camera had buffered when
// the session began. So the smallest delay seen is the best guess: the run starts at the host's wall clock less that.
// Within a run, wall time follows the camera's clock; after each recording it is led back toward the host's monotonic
// clock, by at most maxCorrectionPPM of the recording's length. The host's wall clock is looked at once, when the run
// starts, so that setting it does not move footage.
type runClock struct {
	anchor       time.Time // when the first frame came
	anchor90k    int64     // the same, by the host's wall clock
	first        bool      // the first recording is not over
	start90k     int64     // wall time of the current recording's first frame
	startPTS     int64     // media time of the same
	minOffset90k int64     // smallest difference of host and media time in the current recording
}

// newRunClock starts a run with its first frame.
func newRunClock(pts int64, received time.Time) *runClock {
	now90k := schema.FromTime(received)
	return &runClock{anchor: received, anchor90k: now90k, first: true, start90k: now90k, startPTS: pts, minOffset90k: now90k - pts}
}

// see takes in when a frame came. It returns an error when the host's wall clock has jumped since the run started.
func (c *runClock) see(pts int64, received time.Time) error {
	elapsed := received.Sub(c.anchor) // by the monotonic clock
	if step := received.Round(0).Sub(c.anchor.Round(0)) - elapsed; step.Abs() > maxStep {
		return fmt.Errorf("the host's clock was set by %v", step.Round(time.Millisecond))
	}
	host90k := c.anchor90k + ticks(elapsed)
	c.minOffset90k = min(c.minOffset90k, host90k-pts)
	if c.first {
		c.start90k = c.startPTS + c.minOffset90k
	}
	return nil
}

// wallDuration90k returns how long the current recording lasts if it ends before a frame.
func (c *runClock) wallDuration90k(pts int64) int64 {
	d := pts - c.startPTS
	if c.first || c.minOffset90k == math.MaxInt64 {
		return d // nothing was seen yet to correct it by
	}
	drift := c.minOffset90k - (c.start90k - c.startPTS)
	most := d * maxCorrectionPPM / 1_000_000
	return d + max(-most, min(most, drift))
}

// wall90k returns when the next recording starts if it starts with a frame.
func (c *runClock) wall90k(pts int64) int64 { return c.start90k + c.wallDuration90k(pts) }

// next ends the current recording where the next one starts, and returns its wall duration.
func (c *runClock) next(pts int64) (wallDuration90k int64) {
	d := c.wallDuration90k(pts)
	c.start90k, c.startPTS = c.start90k+d, pts
	c.first, c.minOffset90k = false, math.MaxInt64
	return d
}

// ticks converts a duration to 90 kHz ticks.
func ticks(d time.Duration) int64 {
	return int64(d/time.Second)*90000 + int64(d%time.Second)*90000/int64(time.Second)
}

const quarter90k = 15 * 60 * 90000

// cutAfter returns the wall time at, or after, which the recording that starts at start90k is to end. Every quarter of an
// hour, on which the hours of all time zones begin, is such a time; those in between are length90k apart, shifted by
// stagger90k so that the files of many streams do not all change at once. No recording is planned shorter than half of
// length90k, unless a quarter ends sooner.
func cutAfter(start90k, length90k, stagger90k int64) int64 {
	quarter := start90k - mod(start90k, quarter90k)
	next := quarter + quarter90k
	cut := start90k + length90k
	if start90k-quarter < length90k/2 {
		cut += stagger90k
	}
	if cut > next-length90k/2 {
		cut = next
	}
	return cut
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }
