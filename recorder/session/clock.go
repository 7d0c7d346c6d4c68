package session

import (
	"fmt"
	"math"
	"time"

	"nvrfs/media"
)

// maxStep is how far the host's clock may jump within a run.
const maxStep = 5 * time.Second

// maxCorrectionPPM bounds by how much wall time may run faster or slower than the camera's clock: more than any crystal is
// off by, and far too little to see or hear.
const maxCorrectionPPM = 500

// settleTime is how long after its first frame a run may have its first recording ended: a camera sends what it had buffered
// at once, and only what comes after that tells how much it was.
const settleTime = 5 * time.Second

// firstLength90k is the longest that the first recording of a run is planned: since its start is not known before it ends,
// it is not corrected, and what the camera's clock is off by adds up. A minute at 500 ppm is 30 ms.
const firstLength90k = 60 * 90000

// runClock gives the frames of one run their wall time, from the camera's clock and the times at which frames came.
//
// A frame comes later than it was taken, by a delay that varies, and that is longest for what a camera had buffered when
// the session began. So the smallest delay seen is the best guess: the run starts at the host's wall clock less that.
// Within a run, wall time follows the camera's clock; after each recording it is led back toward the host's monotonic
// clock, by at most maxCorrectionPPM of the recording's length. The host's wall clock is looked at once, when the run
// starts, so that setting it does not move footage.
type runClock struct {
	anchor    time.Time     // when the first frame came
	anchor90k int64         // the same, by the host's wall clock
	elapsed   time.Duration // from then until the last frame came, by the monotonic clock
	first     bool          // the first recording is not over
	start90k  int64         // wall time of the current recording's first frame
	startPTS  int64         // media time of the same
	offset90k recentMin     // difference of host and media time
}

// newRunClock starts a run with its first frame.
func newRunClock(pts int64, received time.Time) *runClock {
	now90k := media.FromTime(received)
	c := &runClock{anchor: received, anchor90k: now90k, first: true, start90k: now90k, startPTS: pts, offset90k: newRecentMin()}
	c.offset90k.add(now90k, now90k-pts)
	return c
}

// see takes in when a frame came. It returns an error when the host's wall clock has jumped since the run started.
func (c *runClock) see(pts int64, received time.Time) error {
	elapsed := received.Sub(c.anchor)
	if step := received.Round(0).Sub(c.anchor.Round(0)) - elapsed; step.Abs() > maxStep {
		return fmt.Errorf("the host's clock was set by %v", step.Round(time.Millisecond))
	}
	c.elapsed = elapsed
	host90k := c.anchor90k + media.Ticks(elapsed)
	c.offset90k.add(host90k, host90k-pts)
	if c.first {
		c.start90k = min(c.start90k, c.startPTS+host90k-pts)
	}
	return nil
}

// settled reports whether the start of the run is known well enough for its first recording to end.
func (c *runClock) settled() bool { return !c.first || c.elapsed >= settleTime }

// correction90k is by how much longer the current recording lasts than its media if it ends before a frame.
func (c *runClock) correction90k(pts int64) int64 {
	if c.first {
		return 0
	}
	drift := c.offset90k.value() - (c.start90k - c.startPTS)
	most := (pts - c.startPTS) * maxCorrectionPPM / 1_000_000
	return max(-most, min(most, drift))
}

// wallDuration90k returns how long the current recording lasts if it ends before a frame.
func (c *runClock) wallDuration90k(pts int64) int64 { return pts - c.startPTS + c.correction90k(pts) }

// wall90k returns when the next recording starts if it starts with a frame.
func (c *runClock) wall90k(pts int64) int64 { return c.start90k + c.wallDuration90k(pts) }

// next ends the current recording where the next one starts, and returns its wall duration.
func (c *runClock) next(pts int64) (wallDuration90k int64) {
	d := c.wallDuration90k(pts)
	c.start90k, c.startPTS, c.first = c.start90k+d, pts, false
	return d
}

// recentMin is the smallest of the values of the last half minute to minute: long enough that one of the frames came
// without delay, and short enough that a clock that is off by 500 ppm has moved by 30 ms at most, however long recordings
// are.
type recentMin struct {
	since90k          int64 // when current began
	previous, current int64 // of the last whole window, and of the one that is not over
}

const window90k = 30 * 90000

func newRecentMin() recentMin { return recentMin{math.MinInt64 / 2, math.MaxInt64, math.MaxInt64} }

func (m *recentMin) add(at90k, v int64) {
	switch age := at90k - m.since90k; {
	case age >= 2*window90k:
		m.since90k, m.previous, m.current = at90k, math.MaxInt64, v
	case age >= window90k:
		m.since90k, m.previous, m.current = at90k, m.current, v
	default:
		m.current = min(m.current, v)
	}
}

func (m *recentMin) value() int64 { return min(m.previous, m.current) }
