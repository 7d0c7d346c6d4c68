package rtpclock

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// tieTest feeds a tie, and notes the calls that it makes.
type tieTest struct {
	Tie
	start time.Time
	calls []string
}

func newTieTest(rate float64) *tieTest {
	return &tieTest{Tie: Tie{Rate: rate}, start: time.Now()}
}

const tieDelayMs = int(mostTieDelay / time.Millisecond)

func (x *tieTest) feed(audio bool, name string, ms int, started bool) error {
	now := x.start.Add(time.Duration(ms) * time.Millisecond)
	return x.Do(Call{Audio: audio, Received: now, Do: func(shift int64) error {
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

// report has a sender report of a track come.
func (x *tieTest) report(m *Mark, ntp time.Time, pts int64) {
	x.Note(m, ntp, pts, x.start)
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
	x.report(&x.Video, ntp, 9000)
	x.feed(false, "v1", 45, true)
	x.want(t)
	x.report(&x.Audio, ntp.Add(20*time.Millisecond), 4800)
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
	x.report(&x.Video, time.Unix(1, 0), 0) // too late: what is written cannot be shifted
	x.report(&x.Audio, time.Unix(2, 0), 0)
	x.feed(true, "a1", tieDelayMs+10, true)
	x.want(t, "v0", "a0+0", "v1", "v2", "a1+0")
}

// TestTieToNonsense has a camera whose reports give its tracks clocks that have nothing to do with each other.
func TestTieToNonsense(t *testing.T) {
	x := newTieTest(48000)
	x.report(&x.Video, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), 0)
	x.report(&x.Audio, time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), 0)
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
	if err := x.Flush(); err != nil || len(x.calls) != 0 {
		t.Errorf("called again: %q, %v", x.calls, err)
	}
}

// reportSource sends sender reports of both tracks every 5 s. Its sound is made with its picture, and PTS count from when
// they were made, so that a right shift is 0.
type reportSource struct {
	wrong func(n int) (early time.Duration) // by how much pair n has the picture too early; nil for never
	ppm   float64                           // by how much the sound's clock is fast
	from  time.Duration                     // when the first pair comes
	until time.Duration                     // after which none does; 0 for never
}

// tied is what came of reports.
type tied struct {
	moved   []time.Duration // when the sound was
	reasons []string
	off     time.Duration // by how much the sound is off at most since it was moved last
	worst   time.Duration // the same, at any time
}

// follow ties by the reports of a while.
func (c reportSource) follow(t *testing.T, while time.Duration) (x tied) {
	t.Helper()
	const rate, every = 48000, 5 * time.Second
	tie, start := newTieTest(rate), time.Unix(1_000_000, 0)
	n := 0
	for at := time.Duration(0); at < while; at += every {
		now, made := tie.start.Add(at), int64(at/time.Second)
		pts := int64(float64(made*rate) * (1 + c.ppm/1e6))
		if at >= c.from && (c.until == 0 || at <= c.until) {
			early := time.Duration(0)
			if c.wrong != nil {
				early = c.wrong(n)
			}
			n++
			tie.report(&tie.Video, start.Add(at-early), made*90000)
			tie.report(&tie.Audio, start.Add(at), pts)
		}
		if why := tie.Again(now); why != "" {
			x.moved, x.reasons, x.off = append(x.moved, at), append(x.reasons, why), 0
		}
		if err := tie.Do(Call{Received: now, Do: func(int64) error { return nil }}, true, now); err != nil {
			t.Fatal(err)
		}
		x.off = max(x.off, (time.Duration(pts+tie.shift-made*rate) * time.Second / rate).Abs())
		x.worst = max(x.worst, x.off)
	}
	return x
}

func TestTieToLaterReports(t *testing.T) {
	const ms = time.Millisecond
	first := func(n int, by time.Duration) func(int) time.Duration {
		return func(i int) time.Duration {
			if i < n {
				return by
			}
			return 0
		}
	}
	rnd := rand.New(rand.NewPCG(5, 5))
	jitter := func(most time.Duration) func(int) time.Duration {
		return func(int) time.Duration { return time.Duration(rnd.Int64N(int64(2*most))) - most }
	}
	for name, c := range map[string]struct {
		reportSource
		moved  []time.Duration
		reason string
		off    time.Duration // the most that is allowed, since the sound was moved last
	}{
		"all are right":           {reportSource{}, nil, "", 0},
		"the first is wrong":      {reportSource{wrong: first(1, 660*ms)}, []time.Duration{15 * time.Second}, "moved the sound by -660 ms", 0},
		"the first two are wrong": {reportSource{wrong: first(2, -660*ms)}, []time.Duration{20 * time.Second}, "moved the sound by +660 ms", 0},
		"others differ a bit": {reportSource{wrong: func(n int) time.Duration {
			return []time.Duration{660, -40, 0, 50}[min(n, 3)] * ms
		}}, []time.Duration{15 * time.Second}, "moved the sound by -660 ms", 0},
		"the first is far off":     {reportSource{wrong: first(1, 5400*ms)}, nil, "", 0},
		"all put it far off":       {reportSource{wrong: first(math.MaxInt, 1600*ms)}, []time.Duration{15 * time.Second}, "moved the sound by +1600 ms", 1600 * ms},
		"the first is a bit off":   {reportSource{wrong: first(1, 90*ms)}, nil, "", 90 * ms},
		"they come late":           {reportSource{from: 10 * time.Second, wrong: func(int) time.Duration { return -300 * ms }}, []time.Duration{20 * time.Second}, "moved the sound by -300 ms", 300 * ms},
		"they come late and agree": {reportSource{from: 10 * time.Second}, nil, "", 0},
		"none":                     {reportSource{until: -1}, nil, "", 0},
		"they stop":                {reportSource{until: time.Hour}, nil, "", 0},
		"they stop being wrong":    {reportSource{wrong: first(1, 660*ms), until: 11 * time.Second}, nil, "", 660 * ms},
		"two of three are wrong": {reportSource{wrong: func(n int) time.Duration {
			return time.Duration(min(n%3, 1)) * 660 * ms
		}}, nil, "", 0},
		"nonsense between": {reportSource{wrong: func(n int) time.Duration {
			return time.Duration(n%2) * time.Hour
		}}, nil, "", 0},
		"jitter of 50 ms": {reportSource{wrong: jitter(50 * ms)}, nil, "", 50 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			x := c.follow(t, month)
			if !slices.Equal(x.moved, c.moved) || len(x.reasons) > 0 && !strings.Contains(x.reasons[0], "the camera's sender reports "+c.reason) {
				t.Errorf("moved at %v for %q, want at %v for %q", x.moved, x.reasons, c.moved, c.reason)
			}
			if x.off > c.off+ms {
				t.Errorf("the sound is off by %v", x.off)
			}
		})
	}
}

// TestTieToReportsThatJitter has a camera whose reports differ by more than any other's: the runs that this makes are few.
func TestTieToReportsThatJitter(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	for _, most := range []time.Duration{100, 200, 400, 2000} {
		most *= time.Millisecond
		x := reportSource{wrong: func(int) time.Duration { return time.Duration(rnd.Int64N(int64(2*most))) - most }}.follow(t, month)
		t.Logf("±%v: %d runs in 30 days, the sound is off by %v", most, len(x.moved)+1, x.worst)
		if x.worst > most+time.Millisecond || len(x.moved) > 10 {
			t.Errorf("±%v: %d runs, the sound is off by %v", most, len(x.moved)+1, x.worst)
		}
	}
}

// TestTieToReportsThatStep has a camera whose reports keep to one place for a minute, and then to another.
func TestTieToReportsThatStep(t *testing.T) {
	x := reportSource{wrong: func(n int) time.Duration { return time.Duration(n/13) % 2 * time.Second }}.follow(t, month)
	for i := range x.moved {
		if i > 0 && x.moved[i]-x.moved[i-1] < leastTieTime {
			t.Fatalf("moved after %v and after %v", x.moved[i-1], x.moved[i])
		}
	}
	if len(x.moved) < 100 {
		t.Errorf("moved %d times", len(x.moved))
	}
}

// TestTieToADriftingClock has the sound's clock run apart from the picture's, as where a camera has a crystal for each.
func TestTieToADriftingClock(t *testing.T) {
	for _, ppm := range []float64{20, -20, 100} {
		x := reportSource{ppm: ppm}.follow(t, month)
		t.Logf("%v ppm: %d runs in 30 days, the sound is off by %v", ppm, len(x.moved)+1, x.worst)
		if x.worst > mostTieError+10*time.Millisecond {
			t.Errorf("%v ppm: the sound is off by %v", ppm, x.worst)
		}
		if want := int(month.Seconds() * math.Abs(ppm) / 1e6 / mostTieError.Seconds()); len(x.moved) > want {
			t.Errorf("%v ppm: %d runs, want %d", ppm, len(x.moved)+1, want)
		}
	}
}

// month is for how long cameras are simulated.
const month = 30 * 24 * time.Hour
