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

// A clock that is off by more than is corrected is anchored anew, when wall time has left the times of arrival by mostError90k for
// offFor90k. What a stalled network holds up comes at once afterwards, and so is not taken for a clock that is slow.
const (
	mostError90k = 90000
	offFor90k    = 90000
)

// worstError90k is the error at which a recording does not wait for a sync sample in order to end.
const worstError90k = 3 * 90000 / 2

// leastRateTime90k is how long a clock must have been watched so that its rate is believed.
const leastRateTime90k = 5 * 90000

// burstFactor is how many times faster than they were taken frames come at least that a camera had buffered.
const burstFactor = 4

// runClock gives the frames of one run their wall time, from the camera's clock and the times at which frames came.
//
// A frame comes later than it was taken, by a delay that varies, and that is longest for what a camera had buffered when
// the session began. So the smallest delay seen is the best guess: the run starts at the host's wall clock less that.
// Within a run, wall time follows the camera's clock; after each recording it is led back toward the host's monotonic
// clock, by at most maxCorrectionPPM of the recording's length. The host's wall clock is looked at once, when the run
// starts, so that setting it does not move footage.
//
// A clock that is off by more is anchored: the recording that ends takes the whole error, and from then on the camera's clock is
// taken to run at the rate that was measured since it was anchored last. What follows knows only times of the camera that have been
// re-rated, see time90k, which for nearly all cameras are those that the camera sends.
type runClock struct {
	anchor    time.Time     // when the first frame came
	anchor90k int64         // the same, by the host's wall clock
	elapsed   time.Duration // from then until the last frame came, by the monotonic clock
	first     bool          // the first recording is not over
	start90k  int64         // wall time of the current recording's first frame
	startPTS  int64         // media time of the same, as the camera sends it, in ticks of 1/90000 s
	startTime int64         // the same, re-rated
	offset90k recentMin     // difference of host and re-rated time, the smallest of a minute
	newest90k recentMin     // the same, the smallest of a second

	frames      int64 // so far
	lastTime90k int64 // of the last of them
	late90k     int64 // by how much the start may still move for frames that do not come in a burst
	offSince90k int64 // since when wall time is off by more than mostError90k; 0 while it is not

	// The camera's clock since it was anchored.
	rate        float64 // ticks of 1/90000 s that pass while its PTS passes one
	ratePTS     int64   // PTS when it was anchored
	rateTime90k int64   // the same, re-rated
	rateWall90k int64   // the host's time then
}

// newRunClock starts a run with its first frame.
func newRunClock(pts90k int64, received time.Time) *runClock {
	now90k := media.FromTime(received)
	c := &runClock{
		anchor: received, anchor90k: now90k, first: true, start90k: now90k, startPTS: pts90k, startTime: pts90k,
		offset90k: newRecentMin(window90k), newest90k: newRecentMin(shortWindow90k),
		lastTime90k: pts90k, late90k: mostError90k,
		rate: 1, ratePTS: pts90k, rateTime90k: pts90k, rateWall90k: now90k,
	}
	c.offset90k.add(now90k, now90k-pts90k)
	c.newest90k.add(now90k, now90k-pts90k)
	return c
}

// time90k re-rates a time of the camera.
func (c *runClock) time90k(pts90k int64) int64 {
	if c.rate == 1 {
		return pts90k - c.ratePTS + c.rateTime90k
	}
	return c.rateTime90k + int64(math.Round(float64(pts90k-c.ratePTS)*c.rate))
}

// see takes in when a frame came. It returns an error when the host's wall clock has jumped since the run started.
func (c *runClock) see(pts90k int64, received time.Time) error {
	elapsed := received.Sub(c.anchor)
	if step := received.Round(0).Sub(c.anchor.Round(0)) - elapsed; step.Abs() > maxStep {
		return fmt.Errorf("the host's clock was set by %v", step.Round(time.Millisecond))
	}
	passed90k := media.Ticks(elapsed - c.elapsed)
	c.elapsed = elapsed
	host90k, time90k := c.anchor90k+media.Ticks(elapsed), c.time90k(pts90k)
	c.offset90k.add(host90k, host90k-time90k)
	c.newest90k.add(host90k, host90k-time90k)
	if c.first {
		c.moveStart(c.startTime+host90k-time90k, c.frames < 2 || burstFactor*passed90k <= time90k-c.lastTime90k)
	}
	c.frames, c.lastTime90k = c.frames+1, time90k
	switch off := c.error90k() > mostError90k || c.error90k() < -mostError90k; {
	case !off:
		c.offSince90k = 0
	case c.offSince90k == 0:
		c.offSince90k = host90k
	}
	return nil
}

// moveStart moves the start of the run to an earlier time, of which a frame tells. It does so without bound for what comes in a
// burst or second, and by mostError90k in all for what does not, because that is what a clock that is fast looks like.
func (c *runClock) moveStart(to90k int64, burst bool) {
	by := c.start90k - to90k
	if by <= 0 {
		return
	}
	if !burst {
		by = min(by, c.late90k)
		c.late90k -= by
	}
	c.start90k -= by
	c.rateWall90k = c.start90k
}

// settled reports whether the start of the run is known well enough for its first recording to end.
func (c *runClock) settled() bool { return !c.first || c.elapsed >= settleTime }

// error90k is by how much wall time is behind the times of arrival, if it is not corrected.
func (c *runClock) error90k() int64 { return c.newest90k.value() - (c.start90k - c.startTime) }

// off reports whether the camera's clock is to be anchored anew.
func (c *runClock) off() bool {
	return c.offSince90k > 0 && c.anchor90k+media.Ticks(c.elapsed)-c.offSince90k >= offFor90k
}

// wallDuration90k returns how long the current recording lasts if it ends before a frame.
func (c *runClock) wallDuration90k(pts90k int64) int64 {
	duration90k := c.time90k(pts90k) - c.startTime
	if c.off() {
		return max(1, duration90k+c.error90k())
	}
	if c.first {
		return duration90k
	}
	drift := c.offset90k.value() - (c.start90k - c.startTime)
	most := duration90k * maxCorrectionPPM / 1_000_000
	return duration90k + max(-most, min(most, drift))
}

// correction90k is by how much longer the current recording lasts than its media if it ends before a frame.
func (c *runClock) correction90k(pts90k int64) int64 {
	return c.wallDuration90k(pts90k) - (pts90k - c.startPTS)
}

// wall90k returns when the next recording starts if it starts with a frame.
func (c *runClock) wall90k(pts90k int64) int64 { return c.start90k + c.wallDuration90k(pts90k) }

// next ends the current recording where the next one starts, and returns its wall duration.
func (c *runClock) next(pts90k int64) (wallDuration90k int64) {
	d, off := c.wallDuration90k(pts90k), c.off()
	c.start90k, c.startPTS, c.startTime, c.first = c.start90k+d, pts90k, c.time90k(pts90k), false
	if off {
		c.reanchor(pts90k)
	}
	return d
}

// reanchor measures the camera's clock at the first frame of a recording, and takes wall time to be right there.
func (c *runClock) reanchor(pts90k int64) {
	if wall90k, passed90k := c.start90k-c.rateWall90k, pts90k-c.ratePTS; passed90k > 0 && wall90k >= leastRateTime90k {
		c.rate = float64(wall90k) / float64(passed90k)
		if math.Abs(c.rate-1) < maxCorrectionPPM/1e6 {
			c.rate = 1
		}
		c.ratePTS, c.rateTime90k, c.rateWall90k = pts90k, c.startTime, c.start90k
	}
	c.offSince90k = 0
	host90k := c.anchor90k + media.Ticks(c.elapsed)
	for _, m := range []*recentMin{&c.offset90k, &c.newest90k} {
		*m = newRecentMin(m.window90k)
		m.add(host90k, c.start90k-c.startTime)
	}
}

// recentMin is the smallest of the values of the last window or two.
type recentMin struct {
	window90k         int64
	since90k          int64 // when current began
	previous, current int64 // of the last whole window, and of the one that is not over
}

// window90k is half a minute: long enough that one of the frames came without delay, and short enough that a clock that is off by
// 500 ppm has moved by 30 ms at most, however long recordings are.
const window90k = 30 * 90000

// shortWindow90k is half a second: so short that a clock that is off by much has not moved far.
const shortWindow90k = 90000 / 2

func newRecentMin(window90k int64) recentMin {
	return recentMin{window90k, math.MinInt64 / 2, math.MaxInt64, math.MaxInt64}
}

func (m *recentMin) add(at90k, v int64) {
	switch age := at90k - m.since90k; {
	case age >= 2*m.window90k:
		m.since90k, m.previous, m.current = at90k, math.MaxInt64, v
	case age >= m.window90k:
		m.since90k, m.previous, m.current = at90k, m.current, v
	default:
		m.current = min(m.current, v)
	}
}

func (m *recentMin) value() int64 { return min(m.previous, m.current) }

// rateText says how the camera's clock runs.
func (c *runClock) rateText() string {
	if c.rate == 1 {
		return "it has stepped"
	}
	return fmt.Sprintf("it runs at %.1f %% of its speed", 100/c.rate)
}
