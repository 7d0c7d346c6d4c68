package rtpclock

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// mostHeld is how many bytes of samples wait for sender reports: mostTieDelay of more than any camera sends.
const mostHeld = 32 << 20

// mostTieDelay is how long samples are held back for the sender reports that tie sound to picture. RFC 3550 6.2 has the
// first ones come within a few seconds; some cameras never send any.
const mostTieDelay = 4 * time.Second

// How far reports may put the sound from where it is. The first ones, which may have come before the camera's encoders had
// settled, are believed as far as sound and picture of a camera arrive apart; those that confirm each other, farther. What is
// beyond is of tracks whose clocks have nothing to do with each other.
const (
	mostFirstShift = time.Second
	mostLaterShift = 10 * time.Second
)

// Sound within a run is never shifted. Where later reports want it elsewhere, another run begins.
const (
	// mostTieError is by how much they may want that: what viewers hardly mind (ITU-R BT.1359), and more than the reports
	// of most cameras differ by.
	mostTieError = 100 * time.Millisecond
	// firstTieReports is how many pairs of reports, one after the other, have to agree on it within mostTieError.
	firstTieReports = 3
	// nextTieReports is how many when it is not the first time in a session: an encoder that had not settled does so once.
	nextTieReports = 12
	// leastTieTime is the least time between two such runs, so that erratic sender reports do not cut the footage to pieces.
	leastTieTime = 10 * time.Minute
	// reportsLast is how long a report says where the sound belongs.
	reportsLast = 30 * time.Second
)

// A Tie brings the sound of a session in step with the picture. Packets only say how time passes within a track; how the
// clocks of the tracks stand to each other is known from sender reports (RFC 3550 6.4.1), and until they have come only
// from when packets arrive, which is off by what the camera buffers. So the samples of a session wait until both tracks
// have had a report, or mostTieDelay at the longest. The first reports may be wrong, so later ones are held against them; and
// where there are none, the sound is held against the picture by when the two come.
type Tie struct {
	Rate  float64 // ticks a second of the audio; 0 where there is none, and nothing waits
	Video Mark
	Audio Mark
	// Apart returns by how many seconds the sound comes later than the picture, for their times, where it is known. It may be nil.
	Apart func() (seconds float64, ok bool)

	shift  int64     // to be added to audio times
	tied   bool      // shift is final for this run
	later  []int64   // what the newest pairs of reports since want shift to be, at most nextTieReports
	moved  time.Time // when it last was another
	began  bool      // the first picture was held
	held   []Call
	bytes  int       // of held
	opened time.Time // when the first sample was held

	agreed time.Time // when reports last said that the sound is in its place; zero where they do not say so any more
	apart  float64   // by how many seconds later than the picture it came then, for their times
}

// A Mark is a time of a track by the camera's wall clock, as its newest sender report has it.
type Mark struct {
	seen  bool
	fresh bool // not yet looked at
	ntp   time.Time
	pts   int64
}

// A Call is one of the media.Handler, which may have to wait.
type Call struct {
	Audio    bool
	Received time.Time
	Bytes    int                          // that it keeps in memory
	Do       func(audioShift int64) error // by which the times of audio are to be shifted
}

// Note takes in what a sender report of a track says.
func (t *Tie) Note(m *Mark, ntp time.Time, pts int64, now time.Time) {
	*m = Mark{seen: true, fresh: true, ntp: ntp, pts: pts}
	if !t.tied || !t.Video.fresh || !t.Audio.fresh {
		return
	}
	t.Video.fresh, t.Audio.fresh = false, false
	shift, ok := t.wanted(mostLaterShift)
	if !ok {
		t.later = nil
		return
	}
	if math.Abs(float64(shift-t.shift)) <= mostTieError.Seconds()*t.Rate {
		t.agree(now)
	} else {
		t.agreed = time.Time{}
	}
	t.later = append(t.later[max(0, len(t.later)-nextTieReports+1):], shift)
}

// Forget drops what the reports said, because the times of a track stand elsewhere to its clock now.
func (t *Tie) Forget() { t.Video, t.Audio, t.later, t.agreed = Mark{}, Mark{}, nil, time.Time{} }

// agree notes that the sound is in its place by the reports.
func (t *Tie) agree(now time.Time) {
	t.agreed = now
	if t.Apart == nil {
		return
	}
	if apart, ok := t.Apart(); ok {
		t.apart = apart - float64(t.shift)/t.Rate
	}
}

// Tied reports whether it is known how the tracks stand to each other, so that nothing waits any more.
func (t *Tie) Tied() bool { return t.tied }

// wanted returns the shift that the newest reports of both tracks want, and whether it is within most of what it is.
func (t *Tie) wanted(most time.Duration) (shift int64, ok bool) {
	const videoRate = 90000
	apart := t.Audio.ntp.Sub(t.Video.ntp).Seconds()*t.Rate + float64(t.Video.pts)*t.Rate/videoRate - float64(t.Audio.pts)
	return int64(math.Round(apart)), math.Abs(apart-float64(t.shift)) <= most.Seconds()*t.Rate
}

// Again ties the tracks anew where the newest reports agree that the run has the sound in the wrong place. It returns why
// another run has to begin, and "" where none has to.
func (t *Tie) Again(now time.Time) (reason string) {
	need := firstTieReports
	if !t.moved.IsZero() {
		need = nextTieReports
	}
	if len(t.later) < need || now.Sub(t.moved) < leastTieTime {
		return ""
	}
	v := slices.Sorted(slices.Values(t.later[len(t.later)-need:]))
	most := int64(mostTieError.Seconds() * t.Rate)
	least, greatest := v[0], v[need-1]
	if greatest-least > most || least-t.shift <= most && t.shift-greatest <= most {
		return ""
	}
	by := v[need/2] - t.shift
	t.shift, t.later, t.moved = t.shift+by, nil, now
	return fmt.Sprintf("the camera's sender reports moved the sound by %+.0f ms", float64(by)/t.Rate*1000)
}

// Drift returns by how many seconds the sound has drifted away from the picture by when the two come, where it is more than most,
// and no reports say that it is in its place.
func (t *Tie) Drift(most float64, now time.Time) (by float64) {
	if !t.tied || t.Rate == 0 || t.Apart == nil || now.Sub(t.agreed) < reportsLast {
		return 0
	}
	apart, ok := t.Apart()
	if by = apart - float64(t.shift)/t.Rate - t.apart; !ok || math.Abs(by) <= most {
		return 0
	}
	return by
}

// Move has the sound of another run later by some seconds.
func (t *Tie) Move(by float64) {
	t.shift += int64(math.Round(by * t.Rate))
	t.later = nil
}

// Do makes a call when its turn has come: with those before it, once the tracks are tied.
func (t *Tie) Do(c Call, started bool, now time.Time) error {
	if t.tied && started && len(t.held) == 0 {
		return c.Do(t.shift)
	}
	if t.opened.IsZero() {
		t.opened = now
	}
	if !c.Audio && !t.began {
		t.began = true
		t.held = slices.Insert(t.held, 0, c) // the first picture leads, see Handler.Start
	} else {
		t.held = append(t.held, c)
	}
	t.bytes += c.Bytes
	if !started {
		// Sound from long before the first picture is of no use.
		for len(t.held) > 0 && t.held[0].Audio && (now.Sub(t.held[0].Received) > mostTieDelay || t.bytes > mostHeld) {
			t.bytes -= t.held[0].Bytes
			t.held = t.held[1:]
		}
		return nil
	}
	if !t.tied {
		t.tryTie(now)
	}
	if !t.tied {
		return nil
	}
	return t.Flush()
}

func (t *Tie) tryTie(now time.Time) {
	switch {
	case t.Rate == 0:
		t.tied = true
	case t.Video.seen && t.Audio.seen:
		if shift, ok := t.wanted(mostFirstShift); ok {
			t.shift = shift
		}
		t.tied, t.Video.fresh, t.Audio.fresh = true, false, false
		t.agree(now)
	case now.Sub(t.opened) > mostTieDelay || t.bytes > mostHeld:
		t.tied = true
	}
}

// Flush makes the calls that wait.
func (t *Tie) Flush() error {
	held := t.held
	t.held, t.bytes = nil, 0
	for _, c := range held {
		if err := c.Do(t.shift); err != nil {
			return err
		}
	}
	return nil
}
