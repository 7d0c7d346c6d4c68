package recorder

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// tieTest feeds a tie, and notes the calls that it makes.
type tieTest struct {
	tie
	start time.Time
	calls []string
}

func newTieTest(rate float64) *tieTest {
	return &tieTest{tie: tie{rate: rate}, start: time.Now()}
}

const tieDelayMs = int(mostTieDelay / time.Millisecond)

func (x *tieTest) feed(audio bool, name string, ms int, started bool) error {
	now := x.start.Add(time.Duration(ms) * time.Millisecond)
	return x.do(heldCall{audio: audio, received: now, call: func(shift int64) error {
		if audio {
			name = fmt.Sprint(name, "+", shift)
		}
		x.calls = append(x.calls, name)
		if name == "fails" {
			return errors.New(name)
		}
		return nil
	}}, started, now)
}

func (x *tieTest) want(t *testing.T, calls ...string) {
	t.Helper()
	if !slices.Equal(x.calls, calls) {
		t.Errorf("calls %q, want %q", x.calls, calls)
	}
}

func TestTieWithoutSound(t *testing.T) {
	x := newTieTest(0)
	x.feed(false, "v0", 0, true)
	x.feed(false, "v1", 40, true)
	x.want(t, "v0", "v1")
}

func TestTieByReports(t *testing.T) {
	x := newTieTest(48000)
	x.feed(true, "a0", 0, false)
	x.feed(false, "v0", 5, true)
	x.feed(true, "a1", 21, true)
	x.want(t)
	// Both are packets of PTS 100 ms, but the audio's was taken 20 ms, or 960 ticks, later.
	ntp := time.Unix(10, 0)
	x.video.mark(ntp, 9000)
	x.feed(false, "v1", 45, true)
	x.want(t)
	x.audio.mark(ntp.Add(20*time.Millisecond), 4800)
	x.audio.mark(ntp.Add(time.Hour), 4800) // the first report counts
	x.feed(false, "v2", 85, true)
	x.want(t, "v0", "a0+960", "a1+960", "v1", "v2")
	x.feed(true, "a2", 90, true)
	x.want(t, "v0", "a0+960", "a1+960", "v1", "v2", "a2+960")
}

func TestTieWithoutReports(t *testing.T) {
	x := newTieTest(48000)
	x.feed(false, "v0", 0, true)
	x.feed(true, "a0", 10, true)
	x.feed(false, "v1", tieDelayMs-10, true)
	x.want(t)
	x.feed(false, "v2", tieDelayMs+1, true)
	x.want(t, "v0", "a0+0", "v1", "v2")
	x.video.mark(time.Unix(1, 0), 0) // too late: what is written cannot be shifted
	x.audio.mark(time.Unix(2, 0), 0)
	x.feed(true, "a1", tieDelayMs+10, true)
	x.want(t, "v0", "a0+0", "v1", "v2", "a1+0")
}

// TestTieToNonsense has a camera whose reports give its tracks clocks that have nothing to do with each other.
func TestTieToNonsense(t *testing.T) {
	x := newTieTest(48000)
	x.video.mark(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), 0)
	x.audio.mark(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), 0)
	x.feed(false, "v0", 0, true)
	x.feed(true, "a0", 10, true)
	x.want(t, "v0", "a0+0")
}

func TestTieDropsOldSound(t *testing.T) {
	x := newTieTest(48000)
	for ms := 0; ms <= 10_000; ms += 1000 {
		x.feed(true, fmt.Sprint("a", ms), ms, false)
	}
	x.feed(false, "v0", 10_001, true)
	want := []string{"v0"}
	for ms := 10_000 - tieDelayMs; ms <= 10_000; ms += 1000 {
		want = append(want, fmt.Sprintf("a%d+0", ms))
	}
	x.want(t, want...)
}

func TestTieFails(t *testing.T) {
	x := newTieTest(0)
	if err := x.feed(false, "fails", 0, true); err == nil {
		t.Error("the error is lost")
	}
	x.calls = nil
	if err := x.flush(); err != nil || len(x.calls) != 0 {
		t.Errorf("called again: %q, %v", x.calls, err)
	}
}
