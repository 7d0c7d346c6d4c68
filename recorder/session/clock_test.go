package session_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/session"
	"nvrfs/recorder/volume"
)

func TestCutAfter(t *testing.T) {
	const sec = 90000
	at := func(clock string) int64 {
		x, err := time.Parse("15:04:05", clock)
		if err != nil {
			t.Fatal(err)
		}
		return media.FromTime(time.Date(2026, 5, 1, x.Hour(), x.Minute(), x.Second(), 0, time.UTC))
	}
	for _, c := range []struct {
		name            string
		start           string
		length, stagger int64
		want            string
	}{
		{"on the quarter", "14:00:00", 60, 0, "14:01:00"},
		{"on the quarter, staggered", "14:00:00", 60, 20, "14:01:20"},
		{"soon after the quarter", "14:00:03", 60, 20, "14:01:23"},
		{"no stagger a second time", "14:01:20", 60, 20, "14:02:20"},
		{"in the middle", "14:07:11", 60, 20, "14:08:11"},
		{"the last one of a quarter", "14:14:00", 60, 20, "14:15:00"},
		{"a rest of half a length is left", "14:13:30", 60, 0, "14:14:30"},
		{"less than that is taken in", "14:13:31", 60, 0, "14:15:00"},
		{"just before the quarter", "14:14:55", 60, 20, "14:15:00"},
		{"before midnight", "23:59:10", 60, 20, "00:00:00"},
		{"as long as the quarter", "14:00:00", 900, 0, "14:15:00"},
		{"longer than the quarter", "14:00:00", 3600, 500, "14:15:00"},
		{"very short", "14:00:00", 1, 0, "14:00:01"},
	} {
		start, want := at(c.start), at(c.want)
		if want < start {
			want += 24 * 3600 * sec
		}
		if got := volume.EndAfter(start, c.length*sec, c.stagger*sec); got != want {
			t.Errorf("%s: from %s, %v; want %s", c.name, c.start, media.ToTime(got).Format("15:04:05"), c.want)
		}
	}
}

func TestCutAfterPlansNoShortRecordings(t *testing.T) {
	for _, stagger := range []int64{0, 1, 17, 29} {
		for start := int64(0); start < 900; start++ {
			cut := volume.EndAfter(start*90000, 60*90000, stagger*90000)
			got := float64(cut)/90000 - float64(start)
			if toQuarter := float64(900 - start); got < math.Min(30, toQuarter) || got > 90+30 || got > toQuarter {
				t.Fatalf("from %d s, staggered %d s: %v s", start, stagger, got)
			}
		}
	}
}

func TestRunStartsLessTheSmallestDelay(t *testing.T) {
	start := bench.At(time.Date(2026, 5, 1, 10, 0, 1, 0, time.UTC))
	for name, c := range map[string]bench.Camera{
		"steady":             {},
		"a burst":            {Burst: 75},
		"a burst of B":       {Burst: 75, BFrames: true},
		"jitter":             {Jitter: 300 * time.Millisecond},
		"a burst, jitter":    {Burst: 100, Jitter: 300 * time.Millisecond},
		"an origin":          {Origin90k: 1 << 40, Burst: 10},
		"one frame a sec":    {FPS: 1, GOP: 2, Burst: 3},
		"thirty a second":    {FPS: 30, GOP: 60},
		"with sound":         {AudioRate: 48000, Burst: 50},
		"a fast clock":       {PPM: 300},
		"a slow, bursty one": {PPM: -300, Burst: 50},
	} {
		t.Run(name, func(t *testing.T) {
			c.Start = start
			b := bench.New(t, time.Minute)
			b.Record(c, 100*time.Second)
			recs := b.Recordings()
			want := media.FromTime(start)
			if c.BFrames {
				want -= 2 * 3600 // a P-frame before its B-frames is shown three frames later, and the first one frame later
			}
			if d := math.Abs(float64(recs[0].Start90k-want)) / 90; d > 25 {
				t.Errorf("the run starts %.1f ms from when its first frame was taken", d)
			}
		})
	}
}

func TestStartMovesOnlyDuringTheFirstRecording(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	c := bench.Camera{}.WithDefaults()
	s := b.Session(c)
	start := func() int64 {
		b.Commit()
		return b.Recordings()[0].Start90k
	}
	var starts []int64
	for x := range c.Samples(40 * time.Second) {
		switch dts := x.DTS / 90000; {
		case dts < 4:
			x.Received = x.Received.Add(2 * time.Second) // buffered at first
		case dts >= 30:
			x.Received = x.Received.Add(-time.Second) // impossible, but far below the smallest delay
		}
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		if x.DTS%(2*90000) == 0 && x.DTS > 0 {
			starts = append(starts, start())
		}
	}
	taken := media.FromTime(c.Start)
	if d := starts[0] - taken - 2*90000; d < -1 || d > 0 {
		t.Errorf("at first the start is %d ticks from when the first frame came", d)
	}
	for i, x := range starts {
		if i >= 3 && (x < taken-1 || x > taken || i > 4 && x != starts[4]) {
			t.Errorf("after %d s the start is %d ticks from when the first frame was taken", 2*i+2, x-taken)
		}
	}
}

func TestDriftIsCorrected(t *testing.T) {
	for _, ppm := range []float64{-300, -20, 0, 20, 300} {
		c := bench.Camera{FPS: 1, GOP: 2, PPM: ppm, Jitter: 40 * time.Millisecond, Burst: 10}.WithDefaults()
		var clock *session.RunClock
		last := int64(0)
		for x := range c.Samples(24 * time.Hour) {
			if clock == nil {
				clock = session.NewRunClock(0, x.Received)
			}
			if err := clock.See(x.DTS, x.Received); err != nil {
				t.Fatal(err)
			}
			if x.Sync && x.DTS-last >= 60*90000 {
				media90k := x.DTS - last
				wall := clock.Next(x.DTS)
				last = x.DTS
				if by := math.Abs(float64(wall-media90k)) / float64(media90k) * 1e6; by > session.MaxCorrectionPPM {
					t.Fatalf("%v ppm: corrected by %.0f ppm", ppm, by)
				}
				off := media.ToTime(clock.Start90k()).Sub(c.Taken(float64(x.DTS) / 90000))
				if off.Abs() > 100*time.Millisecond {
					t.Fatalf("%v ppm: off by %v after %v", ppm, off, time.Duration(x.DTS/90000)*time.Second)
				}
			}
		}
	}
}

func TestCorrectionIsBounded(t *testing.T) {
	start := bench.At(time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC))
	clock := session.NewRunClock(0, start)
	clock.Next(60 * 90000)
	// The camera's clock has lost 10 s at once.
	if err := clock.See(60*90000, start.Add(70*time.Second)); err != nil {
		t.Fatal(err)
	}
	if got := clock.Next(120 * 90000); got != 60*90000+60*90000*session.MaxCorrectionPPM/1_000_000 {
		t.Errorf("a minute became %d ticks", got)
	}
	if got := clock.Next(120*90000 + 3600); got != 3600+3600*session.MaxCorrectionPPM/1_000_000 {
		t.Errorf("a frame became %d ticks", got)
	}
}

func TestRecentMin(t *testing.T) {
	m := session.NewRecentMin()
	for i, c := range []struct{ at, add, want int64 }{
		{0, 5, 5},
		{10, 7, 5},
		{29, 6, 5},
		{30, 9, 5}, // 5 is of the window before
		{59, 8, 5},
		{60, 10, 8}, // 5 is forgotten
		{200, 12, 12},
	} {
		m.Add(c.at*90000, c.add)
		if got := m.Value(); got != c.want {
			t.Errorf("step %d: %d, want %d", i, got, c.want)
		}
	}
}

func TestClockStep(t *testing.T) {
	start := bench.At(time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		step time.Duration
		ends bool
	}{{4 * time.Second, false}, {-4 * time.Second, false}, {6 * time.Second, true}, {-6 * time.Second, true}, {-24 * time.Hour, true}} {
		clock := session.NewRunClock(0, start)
		err := clock.See(90000, bench.Stepped(start.Add(time.Second), c.step))
		if (err != nil) != c.ends {
			t.Errorf("%v: %v", c.step, err)
		}
		if err != nil && !strings.Contains(err.Error(), "the host's clock was set by "+c.step.String()) {
			t.Errorf("%v: the reason is %q", c.step, err)
		}
		if clock.Start90k() != media.FromTime(start) {
			t.Errorf("%v: footage moved", c.step)
		}
	}
}
