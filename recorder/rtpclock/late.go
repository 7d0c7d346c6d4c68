package rtpclock

const (
	// mostEncoderLate is by how many seconds pictures may come late of a camera whose clock is right by its sender reports. What comes
	// later still is stamped wrongly, whatever reports say.
	mostEncoderLate = 5.0
	// leastReported is how many seconds reports must cover to tell how a clock runs, and mostReported how many are looked back at.
	leastReported = 2.0
	mostReported  = 60.0
	// What a clock may be off by that reports show: what their delays vary by, and a part of the time.
	reportJitter = 0.3
	reportOff    = minOff
)

// reports are what sender reports say of a clock: which time it showed when they came. An encoder that does not keep up, as on a
// camera that is busy, sends its pictures later and later with the right timestamps, while a clock that is slow shows in reports,
// too.
type reports struct {
	oldest, middle, newest report
}

// A report is when one came, and by how much later than its time, in seconds. It is zero where there is none.
type report struct {
	known     bool
	at, delay float64
}

func (r *reports) reset() { *r = reports{} }

func (r *reports) add(x report) {
	switch {
	case !r.oldest.known:
		r.oldest, r.middle = x, x
	case x.at-r.oldest.at > mostReported:
		r.oldest, r.middle = r.middle, x
	case x.at-r.middle.at > mostReported/2 && r.middle == r.oldest:
		r.middle = x
	}
	r.newest = x
	if off := abs64(r.newest.delay - r.oldest.delay); off > reportJitter+reportOff*(x.at-r.oldest.at) {
		r.oldest, r.middle = x, x // whichever of them is wrong
	}
}

// right returns the delay of reports where they show that the clock is right.
func (r *reports) right(now float64) (delay float64, ok bool) {
	return r.newest.delay, r.newest.at-r.oldest.at >= leastReported && now-r.newest.at < reportsLast.Seconds()
}

func abs64(v float64) float64 { return max(v, -v) }

// Report takes in a sender report of the track: which timestamp it gives for the time at which it was sent, and when it came.
func (t *Timeline) Report(timestamp uint32, received float64) {
	if m, ok := t.Of(timestamp); ok {
		t.reports.add(report{true, received, received - float64(m)/t.rate})
	}
}

// onlyLate reports whether an access unit of a time that came at received is at most late, by a clock that is right.
func (t *Timeline) onlyLate(m int64, received float64) bool {
	delay, ok := t.reports.right(received)
	late := received - float64(m)/t.rate - delay
	return ok && late > -reportJitter && late < mostEncoderLate
}
