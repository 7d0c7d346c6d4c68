package rtpclock

import "math"

// How a rate is measured.
const (
	paceSlot   = 0.5  // seconds of arrival that make one point
	pacePoints = 81   // that are kept
	leastPace  = 11   // points that a rate takes
	minOff     = 0.01 // what the clock is off by at least; less is the drift of a crystal, or nearly, which sessions lead back
	minDrift   = 0.35 // seconds that it is off by then
	// Once the clock is known to be wrong, the rate is refined.
	refinedOff   = 0.002
	refinedDrift = 0.1
)

// pace measures how fast timestamps count: a point for each half second of arrival, which is of the access unit that came with
// the shortest delay in it. Where the first and the second half of the points tell the same, it is a clock, and no stall of the
// network, or what a camera had buffered.
type pace struct {
	points  []pacePoint // oldest first
	current pacePoint
	end     float64 // of the slot of current
}

// A pacePoint is when an access unit came, its timestamp, by how much it was late, and how long all until then last, in seconds.
type pacePoint struct{ at, stamp, late, lasts float64 }

// mostReplay is how many seconds of access units may come in one. What comes faster is no camera's clock that is fast, but
// footage that is sent faster than it was taken.
const mostReplay = 1.3

// leastPicture is how long a picture lasts at least, in seconds.
const leastPicture = 1.0 / 65

// mostLate is by how much an access unit may be late where a clock is taken for fast from there on: what catches up after a stall
// looks like one.
const mostLate = 0.5

func (p *pace) reset() { p.points, p.end = p.points[:0], 0 }

// add takes in an access unit, and reports whether there is another point.
func (p *pace) add(x pacePoint) (another bool) {
	if x.at < p.end {
		if x.stamp-x.at > p.current.stamp-p.current.at {
			p.current = x
		}
		return false
	}
	another = p.end > 0
	if another {
		if len(p.points) == pacePoints {
			copy(p.points, p.points[1:])
			p.points = p.points[:pacePoints-1]
		}
		p.points = append(p.points, p.current)
	}
	p.current, p.end = x, x.at+paceSlot
	return another
}

// rate returns how many seconds timestamps count in one, where that is not current any more. A clock is not taken for fast by
// what came before settled.
func (p *pace) rate(current float64, stands bool, settled float64) (rate float64, ok bool) {
	off, drift := minOff, minDrift
	if stands {
		current = 0
	} else if current != 1 {
		off, drift = refinedOff, refinedDrift
	}
	for n := leastPace; n <= len(p.points); n = 2*n - 1 {
		x := p.points[len(p.points)-n:]
		a, b, c := x[0], x[n/2], x[n-1]
		rate = slope(a, c)
		by := rate - current
		switch {
		case math.Abs(by)*(c.at-a.at) < drift || math.Abs(by) < off*max(current, minOff):
		case math.Abs(slope(a, b)-slope(b, c)) > 0.3*math.Abs(by):
		case by > 0 && (a.at < settled || a.late > mostLate || c.lasts-a.lasts > mostReplay*(c.at-a.at)):
		case rate < 0 || rate > 1000:
		default:
			return rate, true
		}
	}
	return 0, false
}

// steady reports whether access units have lately fallen behind as evenly as a clock that is slow has them do, and not as an encoder
// does that does not keep up because its host has other things to do, too.
func (p *pace) steady() bool {
	const jitter, part = 0.02, 0.03
	if len(p.points) < leastPace {
		return false
	}
	x := p.points[len(p.points)-leastPace:]
	a, c := x[0], x[leastPace-1]
	rate := slope(a, c)
	most := jitter + part*math.Abs(rate-1)*(c.at-a.at)
	for _, b := range x {
		if math.Abs(b.stamp-a.stamp-rate*(b.at-a.at)) > most {
			return false
		}
	}
	return true
}

// replays reports whether footage is sent faster than it was taken.
func (p *pace) replays() bool {
	if len(p.points) < 2 {
		return true // it is not known yet
	}
	a, c := p.points[max(0, len(p.points)-leastPace)], p.points[len(p.points)-1]
	return c.lasts-a.lasts > mostReplay*(c.at-a.at)
}

func slope(a, b pacePoint) float64 { return (b.stamp - a.stamp) / (b.at - a.at) }

// How a rate is told from the length of frames.
const (
	sureFrames = 25
	sureOff    = 0.05
	sureTime   = 0.5 // seconds
)

// frames compares timestamps with how long the frames between them last. Where they keep to another ratio than 1, and as much
// sound came as the frames have, the clock counts otherwise. (Where less came, the camera sends no frames of silence.)
type frames struct {
	known        bool
	stamp, lasts float64 // of the newest access unit, in seconds
	came         float64
	ratio        float64
	n            int     // access units that kept to it
	total        float64 // seconds that they last
	since        float64 // when they began to come
}

// add takes in an access unit.
func (f *frames) add(stamp, lasts, came float64) (ratio float64, ok bool) {
	before := *f
	f.stamp, f.lasts, f.came, f.known = stamp, lasts, came, true
	if !before.known || before.lasts <= 0 {
		f.n = 0
		return 0, false
	}
	ratio = (stamp - before.stamp) / before.lasts
	if f.n == 0 || math.Abs(ratio-f.ratio) > 0.02*f.ratio {
		f.ratio, f.n, f.total, f.since = ratio, 1, before.lasts, before.came
		return 0, false
	}
	f.n, f.total = f.n+1, f.total+before.lasts
	if f.n < sureFrames || f.total < sureTime || math.Abs((came-f.since)/f.total-1) > 0.3 {
		return 0, false
	}
	f.n = 0
	return f.ratio, true
}
