package rtpclock

import (
	"fmt"
	"math"
)

// What a Timeline bears before it takes a clock for wrong. All are seconds.
const (
	// settleTime is how long after its first packet a camera may still be sending what it had buffered, faster than it made it.
	settleTime = 3.0
	// mostBuffered is how much that may be.
	mostBuffered = 10.0
	// mostAhead is by how much an access unit may come too early for its timestamp, once the camera has settled. Less is what the
	// shortest delay of a network varies by.
	mostAhead = 1.2
	// mostStanding is how long access units of one timestamp may come.
	mostStanding = 1.0
)

// How far back timestamps may go by design, in seconds.
const (
	// PictureReorder is for B-frames, which are sent after pictures that are shown later.
	PictureReorder = 2.0
	// SoundReorder is for sound, which is sent in order, by clocks that jitter.
	SoundReorder = 0.3
)

// mostBelow is how many access units may come whose times are not later than all before: as many as B-frames ever are (ITU-T H.264
// A.3.1).
const mostBelow = 16

// arrivalRate is the rate, as a part of the one that is described, below which timestamps say nothing of the time.
const arrivalRate = 0.005

// A Timeline gives the access units of a track their times: in ticks of the track, since a moment that all tracks of a session
// share. They follow the camera's clock, as RTP timestamps have it, tick for tick, as long as that clock is sane:
//
//   - What steps back by less than B-frames do is left to the receiver of the codec, which has it follow shortly after.
//   - A clock that jumps, stands, or falls behind, is set to when the access unit came, less the shortest delay so far.
//   - A clock that counts at another rate than is described is scaled by the rate that is measured.
//
// A stall of the network does none of this: what it held back comes with the timestamps that it was made at. Nor does an encoder that
// is late, where sender reports say that the clock is right.
//
// Whatever changes, pictures keep the order that their timestamps have: it takes effect for those that are shown after all that came,
// see scales.
type Timeline struct {
	rate    float64 // ticks a second
	hz      float64 // of timestamps, as described
	reorder float64 // seconds

	clock   Clock
	scales  scales
	arrival bool // timestamps say nothing of the time

	last    float64 // when the newest access unit came
	began   float64 // when the first did
	newest  int64   // the time of the newest
	highest bend    // the greatest time, and its timestamp
	below   int     // access units since
	deepest int64   // by how much times were less than the greatest, at most, since the clock last jumped
	since   float64 // when the first of the newest timestamp came
	delays  delays
	lags    lags
	pace    pace
	frames  frames
	reports reports
	lasts   float64 // how many seconds all access units last, at least
}

// NewTimeline makes the timeline of a track of so many ticks a second, whose timestamps count hz in one, and may go back by so many
// seconds.
func NewTimeline(rate, hz uint32, reorder float64) *Timeline {
	t := &Timeline{rate: float64(rate), hz: float64(hz), reorder: reorder}
	t.scales.now = scale{bends: []bend{{}}, ticks: t.rate / t.hz, passes: 1}
	return t
}

// A Fault is what a Timeline found wrong with a clock, and has mended.
type Fault struct {
	Kind FaultKind
	By   float64 // seconds by which it jumped, stood, or is behind
	Hz   float64 // the rate at which it counts
}

// FaultKind is the kind of a Fault.
type FaultKind uint8

// The kinds.
const (
	None   FaultKind = iota
	Jumped           // ahead, or back
	Ahead            // it passes faster than access units come
	Stood            // or went on below where it had been
	Behind           // it passes more slowly than access units come
	Rated            // it counts at another rate than is described; the scale has changed
)

// String completes "the clock of the camera's picture …".
func (f Fault) String() string {
	switch f.Kind {
	case Jumped:
		way := "ahead"
		if f.By < 0 {
			way = "back"
		}
		return fmt.Sprintf("jumped %.1f s %s", math.Abs(f.By), way)
	case Ahead:
		return fmt.Sprintf("ran %.1f s ahead", f.By)
	case Stood:
		return "stood still"
	case Behind:
		return fmt.Sprintf("fell %.1f s behind", f.By)
	case Rated:
		return fmt.Sprintf("counts %.0f ticks a second", f.Hz)
	}
	return "is right"
}

// At returns the time of the next access unit, in the order in which they are decoded, and what was wrong with its timestamp.
// received is when it came, in seconds since the shared moment; the first has that time.
func (t *Timeline) At(timestamp uint32, received float64) (time int64, f Fault) {
	ext, ok := t.clock.Extend(timestamp)
	if !ok {
		t.start(timestamp, received)
		return t.newest, f
	}
	received = max(received, t.last)
	m := t.scales.take(ext)
	if t.arrival {
		m = t.arrived(received)
	} else if f = t.judge(m, received); f.Kind != None {
		m = t.mend(f.Kind, ext, received)
	}
	t.note(ext, m, received)
	lag := received - float64(m)/t.rate - t.delays.floor
	if t.reorder == PictureReorder {
		t.lasts += leastPicture
	}
	if t.pace.add(pacePoint{received, float64(ext) / t.hz, lag, t.lasts}) {
		rate, ok := t.pace.rate(t.scales.now.passes, t.arrival, t.began+settleTime)
		if ok && (!t.onlyLate(m, received) || t.pace.steady()) {
			if rated := t.setRate(rate); rated.Kind != None {
				f = rated
			}
		}
	}
	return m, f
}

func (t *Timeline) start(timestamp uint32, received float64) {
	t.clock.Start(timestamp, 0)
	to := int64(received * t.rate)
	t.scales.restart(bend{0, to})
	t.began, t.since = received, received
	t.delays.settle = received + settleTime
	t.newest, t.highest = to, bend{0, to}
	t.note(0, to, received)
	t.pace.add(pacePoint{at: received})
}

// Of returns the time of a timestamp near the newest one, where it can be told.
func (t *Timeline) Of(timestamp uint32) (time int64, ok bool) {
	const near = 60 // seconds
	ext, ok := t.clock.Near(timestamp)
	m := t.scales.of(ext).time(ext)
	return m, ok && !t.arrival && math.Abs(float64(m-t.newest)) < near*t.rate
}

// Delay returns by how many seconds access units come later than their times, at least, of late. It is not known at first, when a
// camera may send what it had buffered.
func (t *Timeline) Delay() (seconds float64, ok bool) {
	return t.delays.recent(), t.delays.known && t.last-t.began > delayWindow
}

// Settle says that another run begins, whose times may stand elsewhere to when its access units come.
func (t *Timeline) Settle() {
	t.delays.floor = t.delays.recent()
	t.lags.reset()
}

// Rate returns how many ticks the track has a second.
func (t *Timeline) Rate() float64 { return t.rate }

// arrived returns the time of an access unit by when it came. It is later than that of all before.
func (t *Timeline) arrived(received float64) int64 {
	return max(t.highest.time+1, int64((received-t.delays.floor)*t.rate))
}

// mend has the times of the access units from one on follow from when it came. It returns the time of that.
func (t *Timeline) mend(kind FaultKind, ext int64, received float64) (m int64) {
	m = t.arrived(received)
	switch {
	case kind == Jumped && !t.scales.jumping():
		// Pictures may be to come that are shown before this one: of before the clock jumped, and of after.
		m = max(m, t.highest.time+t.deepest+1)
		t.deepest = 0
	case kind == Ahead && t.deepest > 0:
		m = max(m, t.highest.time+1+(t.scales.now.time(ext)-t.highest.time)/8) // so that there is room for them
	}
	switch kind {
	case Jumped:
		t.pace.reset()
		t.scales.jump(t.highest.ext, bend{ext, m})
	case Stood:
		t.scales.restart(bend{ext, m})
	default:
		t.scales.now.shift(t.highest, bend{ext, m})
	}
	t.lags.reset()
	t.delays.restart()
	t.reports.reset()
	return m
}

// judge tells what is wrong with the time of an access unit.
func (t *Timeline) judge(m int64, received float64) Fault {
	back := float64(t.highest.time-m) / t.rate
	ahead := t.delays.floor - (received - float64(m)/t.rate)
	step := float64(m-t.newest)/t.rate - (received - t.last) // longer than it took
	mostAhead := mostAhead
	if received < t.delays.settle {
		mostAhead = mostBuffered
	}
	t.lags.add(received, -ahead)
	leads := m > t.highest.time // and no picture that is shown before came after it
	switch {
	case back > t.reorder:
		return Fault{Kind: Jumped, By: float64(m-t.newest) / t.rate}
	case leads && t.onlyLate(m, received):
	case ahead > mostAhead && step > mostAhead:
		return Fault{Kind: Jumped, By: float64(m-t.newest) / t.rate}
	case leads && ahead > mostAhead && received > t.delays.settle && !t.pace.replays():
		return Fault{Kind: Ahead, By: ahead}
	case m == t.newest && received-t.since > mostStanding, back >= 0 && t.below >= mostBelow:
		return Fault{Kind: Stood, By: back}
	case leads && t.lags.last(-ahead):
		return Fault{Kind: Behind, By: -ahead}
	}
	return Fault{}
}

// note takes in the time of an access unit.
func (t *Timeline) note(ext, m int64, received float64) {
	if m != t.newest {
		t.since = received
	}
	t.newest, t.last = m, received
	if t.below++; m > t.highest.time {
		t.highest, t.below = bend{ext, m}, 0
	}
	t.deepest = max(t.deepest, t.highest.time-m)
	t.delays.add(received, received-float64(m)/t.rate)
}

// setRate has timestamps scaled that are greater than all so far. rate is how fast they count, as a part of what is described.
func (t *Timeline) setRate(rate float64) Fault {
	const right = 0.005 // off by less, it is taken for right
	before := t.scales.now.passes
	if math.Abs(rate-1) < right {
		rate = 1
	}
	t.arrival = rate < arrivalRate
	if t.arrival {
		t.scales.restart(t.highest)
	} else {
		t.scales.now.rate(rate, t.highest)
	}
	t.lags.reset()
	t.reports.reset()
	if math.Abs(rate/before-1) < minOff && !t.arrival {
		return Fault{}
	}
	t.delays.restart()
	t.delays.add(t.last, t.last-float64(t.newest)/t.rate)
	return Fault{Kind: Rated, Hz: rate * t.hz}
}

// Lasts says how many ticks the access unit that At was asked for last lasts, which is known of sound. Where the clock counts
// otherwise, that shows before arrival tells.
func (t *Timeline) Lasts(ticks int64) Fault {
	lasts := float64(ticks) / t.rate
	t.lasts += lasts
	rate, ok := t.frames.add(float64(t.clock.pts)/t.hz, lasts, t.last)
	if !ok || t.arrival || math.Abs(rate/t.scales.now.passes-1) < sureOff {
		return Fault{}
	}
	t.pace.reset()
	return t.setRate(rate)
}
