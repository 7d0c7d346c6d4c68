package rtpclock

import "math"

// delays keeps the shortest delay of a track: by how much its access units come later than their times. All are seconds.
type delays struct {
	floor  float64 // the shortest delay that is believed; times that are made by arrival are less by it
	known  bool
	fallen float64 // when floor last was lower

	settle            float64 // until when floor falls as the camera sends what it had buffered
	since             float64 // when the current window began
	previous, current float64 // the shortest of each window
}

const (
	delayWindow = 5.0
	// mostFall is how fast the floor falls later, in seconds a second: more than the clocks that are not scaled are off by. What
	// goes beyond is noticed as a jump.
	mostFall = 0.02
)

func (d *delays) add(at, delay float64) {
	if !d.known {
		*d = delays{floor: delay, known: true, fallen: at, settle: d.settle, since: at, previous: math.Inf(1), current: delay}
		return
	}
	switch {
	case delay >= d.floor:
	case at < d.settle:
		d.floor, d.fallen = delay, at
	default:
		d.floor, d.fallen = max(delay, d.floor-mostFall*(at-d.fallen)), at
	}
	d.current = min(d.current, delay)
	if at-d.since >= delayWindow {
		d.floor = max(d.floor, d.recent())
		d.since, d.previous, d.current = at, d.current, delay
	}
}

// restart forgets the delays of before, because times stand elsewhere now.
func (d *delays) restart() { d.previous, d.current = math.Inf(1), math.Inf(1) }

// recent is the shortest delay of late.
func (d *delays) recent() float64 { return min(d.previous, d.current) }

// lags notices a track that falls behind when it comes: for good, or further and further, and not because of a stall, whose end
// brings all that it held back.
type lags struct {
	slots [lagSlots]float64 // the least lag of each, oldest first
	n     int               // slots that are over
	least float64           // of the current one
	end   float64           // when that is over
}

const (
	lagSlot  = 0.25 // seconds
	lagSlots = 12
	mostLag  = 1.0 // seconds
)

func (l *lags) reset() { l.n, l.end = 0, 0 }

// add takes in by how much an access unit is behind.
func (l *lags) add(at, lag float64) {
	if at < l.end {
		l.least = min(l.least, lag)
		return
	}
	if l.end > 0 {
		copy(l.slots[:], l.slots[1:])
		l.slots[lagSlots-1] = l.least
		l.n = min(l.n+1, lagSlots)
	}
	l.least, l.end = lag, at+lagSlot
}

// last reports whether the track, which is behind by lag now, does not catch up.
func (l *lags) last(lag float64) bool {
	const (
		quick    = 3             // slots
		quickLag = 0.5           // seconds
		growing  = 0.3 * lagSlot // in each slot
	)
	s := l.slots[:]
	if lag < mostLag || l.n < quick || s[lagSlots-1] < mostLag {
		return false
	}
	if s[lagSlots-3] >= quickLag && s[lagSlots-2] >= s[lagSlots-3]+growing && s[lagSlots-1] >= s[lagSlots-2]+growing {
		return true
	}
	if l.n < lagSlots || s[lagSlots-1] < s[0]-0.1 {
		return false
	}
	for _, x := range s {
		if x < mostLag {
			return false
		}
	}
	return true
}
