package recorder

import (
	"math"
	"slices"
	"time"
)

// mostTieDelay is how long samples are held back for the sender reports that tie sound to picture. RFC 3550 6.2 has the
// first ones come within a few seconds; some cameras never send any.
const mostTieDelay = 4 * time.Second

// mostTieShift is more than sound and picture are apart by when they arrive. Where sender reports say more, the camera's
// tracks have clocks that have nothing to do with each other, and arrival is the better guess.
const mostTieShift = 10 * time.Second

// A tie brings the sound of a session in step with the picture. Packets only say how time passes within a track; how the
// clocks of the tracks stand to each other is known from sender reports (RFC 3550 6.4.1), and until they have come only
// from when packets arrive, which is off by what the camera buffers. So the samples of a session wait until both tracks
// have had a report, or mostTieDelay at the longest.
type tie struct {
	rate   float64 // ticks a second of the audio; 0 where there is none, and nothing waits
	video  tieMark
	audio  tieMark
	shift  int64 // to be added to audio times
	tied   bool  // shift is final
	began  bool  // the first picture was held
	held   []heldCall
	opened time.Time // when the first sample was held
}

// tieMark is a time of a track by the camera's wall clock.
type tieMark struct {
	seen bool
	ntp  time.Time
	pts  int64
}

// heldCall is a call of the Handler that waits.
type heldCall struct {
	audio    bool
	received time.Time
	call     func(audioShift int64) error
}

// mark takes in what a sender report says of a packet.
func (m *tieMark) mark(ntp time.Time, pts int64) {
	if !m.seen {
		*m = tieMark{true, ntp, pts}
	}
}

// do makes a call when its turn has come: with those before it, once the tracks are tied.
func (t *tie) do(c heldCall, started bool, now time.Time) error {
	if t.opened.IsZero() {
		t.opened = now
	}
	if !c.audio && !t.began {
		t.began = true
		t.held = slices.Insert(t.held, 0, c) // the first picture leads, see Handler.Start
	} else {
		t.held = append(t.held, c)
	}
	if !started {
		// Sound from long before the first picture is of no use.
		for len(t.held) > 0 && t.held[0].audio && now.Sub(t.held[0].received) > mostTieDelay {
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
	return t.flush()
}

func (t *tie) tryTie(now time.Time) {
	switch {
	case t.rate == 0:
		t.tied = true
	case t.video.seen && t.audio.seen:
		const videoRate = 90000
		apart := t.audio.ntp.Sub(t.video.ntp).Seconds()*t.rate + float64(t.video.pts)*t.rate/videoRate
		if shift := apart - float64(t.audio.pts); math.Abs(shift) <= mostTieShift.Seconds()*t.rate {
			t.shift = int64(math.Round(shift))
		}
		t.tied = true
	case now.Sub(t.opened) > mostTieDelay:
		t.tied = true
	}
}

// flush makes the calls that wait.
func (t *tie) flush() error {
	held := t.held
	t.held = nil
	for _, c := range held {
		if err := c.call(t.shift); err != nil {
			return err
		}
	}
	return nil
}
