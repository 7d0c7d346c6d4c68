package session_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
)

// month is for how long most simulated cameras are recorded.
const month = 30 * 24 * time.Hour

// mostOff is by how much a picture's wall time may be off.
const mostOff = 100 * time.Millisecond

// TestWallTimes records a month of cameras whose clocks are off as crystals are, over networks that delay, and holds the
// wall time of every picture against when it was taken.
func TestWallTimes(t *testing.T) {
	const ms = time.Millisecond
	// Every 500th timestamp is that of the picture before, or of one long before.
	glitch := func(back uint32) func(int64, uint32) uint32 {
		return func(i int64, ts uint32) uint32 {
			if i%500 == 499 {
				return ts - back*1_800_000
			}
			return ts
		}
	}
	for name, c := range map[string]struct {
		rtpSource
		length time.Duration
		sound  time.Duration // how far it is from its picture
	}{
		"300 ppm fast":               {rtpSource: rtpSource{ppm: 300}},
		"300 ppm slow":               {rtpSource: rtpSource{ppm: -300}},
		"490 ppm fast, burst":        {rtpSource: rtpSource{ppm: 490, burst: 5 * time.Second}},
		"490 ppm slow, burst":        {rtpSource: rtpSource{ppm: -490, burst: 5 * time.Second}},
		"jitter":                     {rtpSource: rtpSource{jitter: 50 * ms, fps: 0.2, gop: 4}},
		"a burst of 5 s, wraps soon": {rtpSource: rtpSource{burst: 5 * time.Second, timestamp: 1<<32 - 100}},
		"repeats timestamps":         {rtpSource: rtpSource{glitch: glitch(1)}},
		"reverses timestamps":        {rtpSource: rtpSource{glitch: glitch(60), ppm: -300}},
		"sends no sender reports":    {rtpSource: rtpSource{sound: true, ppm: 300}, sound: soundEarly},
		"drops its sender reports":   {rtpSource: rtpSource{sound: true, reports: time.Hour, ppm: -300}},
		"5 a second, jitter":         {rtpSource: rtpSource{jitter: 50 * ms, fps: 5, gop: 10, until: 24 * time.Hour}},
		"5 a second, slow, jitter":   {rtpSource: rtpSource{ppm: -300, jitter: 50 * ms, fps: 5, gop: 10, until: 12 * time.Hour}},
		"490 fast, burst, jitter":    {rtpSource: rtpSource{ppm: 490, jitter: 50 * ms, burst: 5 * time.Second, fps: 1, gop: 4, until: 2 * 24 * time.Hour}},
		"490 slow, burst, jitter":    {rtpSource: rtpSource{ppm: -490, jitter: 50 * ms, burst: 5 * time.Second, fps: 1, gop: 4, until: 2 * 24 * time.Hour}},
		"recordings of 10 min, fast": {rtpSource: rtpSource{ppm: 300, fps: 1, gop: 4, until: 2 * 24 * time.Hour}, length: 10 * time.Minute},
		"recordings of 10 min, slow": {rtpSource: rtpSource{ppm: -300, fps: 1, gop: 4, until: 2 * 24 * time.Hour}, length: 10 * time.Minute},
		"recordings of 1 s":          {rtpSource: rtpSource{ppm: 300, fps: 1, gop: 1, jitter: 50 * ms, until: 24 * time.Hour}, length: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &c.rtpSource
			s.start = bench.At(time.Date(2026, 2, 10, 23, 59, 58, 0, time.UTC))
			s.fps, s.gop, s.until = cmp.Or(s.fps, 0.05), cmp.Or(s.gop, 1), cmp.Or(s.until, month)
			line, st := newTimeline(t, s, cmp.Or(c.length, time.Minute))
			if reasons := line.record(st); len(reasons) != 1 || line.runs != 1 {
				t.Fatalf("%d runs ended for %q", line.runs, reasons)
			}
			if want := int64(s.until.Seconds() * s.fps); line.pictures != want {
				t.Errorf("%d pictures of %d", line.pictures, want)
			}
			if wraps := int(s.until.Seconds()*90000) >> 32; s.wraps < wraps || s.until == month && wraps < 50 {
				t.Errorf("timestamps wrap %d times, want %d", s.wraps, wraps)
			}
			t.Logf("%v, %d recordings: a picture is off by %.1f ms at most", s.until, len(line.errs), float64(line.worst)/1e6)
			if line.worst > mostOff {
				t.Errorf("a picture is off by %v", line.worst)
			}
			if (line.sound - c.sound).Abs() > ms {
				t.Errorf("sound is off by %v, want %v", line.sound, c.sound)
			}
		})
	}
}

// TestClipsShowWhatWasTaken asks for moments all over the footage, as a reader does who knows nothing but the rows: the
// picture that was taken then is shown.
func TestClipsShowWhatWasTaken(t *testing.T) {
	const glitch = 7777 // picture
	for name, s := range map[string]*rtpSource{
		"300 ppm fast":            {ppm: 300},
		"490 ppm slow, jitter":    {ppm: -490, jitter: 50 * time.Millisecond},
		"490 ppm fast":            {ppm: 490, until: 2 * time.Hour}, // in recordings of ten minutes
		"a burst":                 {burst: 5 * time.Second, timestamp: 1<<32 - 100_000_000},
		"sound, no reports":       {ppm: 300, sound: true},
		"16 % slow":               {ppm: -16e4, off: true},
		"20 % fast":               {ppm: 2e5, off: true},
		"2.5 x slow":              {ppm: -6e5, off: true},
		"the host's clock is set": {steps: []clockStep{{20 * time.Minute, time.Hour}, {40 * time.Minute, -3 * time.Hour}}},
		"a timestamp stands still": {ppm: -300, glitch: func(i int64, ts uint32) uint32 {
			if i == glitch {
				return ts - 18_000
			}
			return ts
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.start, s.fps, s.gop = stampStart(), 5, 10
			length := time.Minute
			if s.until > 0 {
				length = 10 * time.Minute
			}
			s.until = cmp.Or(s.until, time.Hour)
			b := bench.New(t, length)
			benchRecord(b, s)
			lib, stream := bench.OpenLibrary(t, b.Dir)
			for i := int64(7); i < int64(s.until.Seconds()*s.fps)-1; i += 97 {
				taken := s.taken(i).Add(s.step(s.taken(i)))
				most := mostOff
				if s.off {
					most = 2 * time.Second
				}
				e, err := lib.Clip(t.Context(), stream, taken.Add(-most), taken.Add(most))
				if err != nil {
					t.Fatalf("picture %d, of %v: %v", i, taken, err)
				}
				f, err := lib.Open(t.Context(), e, "test")
				if err != nil {
					t.Fatal(err)
				}
				if shown := bench.ShownPictures(t, f); !slices.Contains(shown, i) {
					t.Fatalf("picture %d was taken about %v, shown are %v", i, taken, shown)
				}
				f.Close()
			}
		})
	}
}

// TestBurstAtAQuarter begins a session just behind a quarter of an hour with what the camera took before it: the quarter
// must not cut the first recording before it is known when it started.
func TestBurstAtAQuarter(t *testing.T) {
	for sinceQuarter := -6 * time.Second; sinceQuarter < 6*time.Second; sinceQuarter += 500 * time.Millisecond {
		s := &rtpSource{
			start: bench.At(time.Date(2026, 2, 10, 14, 0, 0, 0, time.UTC).Add(sinceQuarter)), fps: 5, gop: 5,
			burst: 5 * time.Second, jitter: 50 * time.Millisecond, until: 10 * time.Minute,
		}
		line, st := newTimeline(t, s, time.Minute)
		line.record(st)
		if line.worst > mostOff {
			t.Errorf("begun %v from the quarter: off by %v", sinceQuarter, line.worst)
		}
	}
}

// TestClockBeyondCorrection records clocks that are off by more than is corrected: wall time follows the times of arrival all the
// same, in one run.
func TestClockBeyondCorrection(t *testing.T) {
	for name, c := range map[string]struct {
		rtpSource
		most   time.Duration // by which a picture is off
		perMin float64       // recordings a minute at most
	}{
		"0.2 % fast":              {rtpSource{ppm: 2000}, 1200 * time.Millisecond, 1.2},
		"0.2 % slow":              {rtpSource{ppm: -2000}, 1200 * time.Millisecond, 1.2},
		"1 % fast":                {rtpSource{ppm: 1e4}, 1500 * time.Millisecond, 1.5},
		"1 % slow":                {rtpSource{ppm: -1e4}, 1500 * time.Millisecond, 1.5},
		"16 % slow, jitter":       {rtpSource{ppm: -16e4, jitter: 50 * time.Millisecond, fps: 21, gop: 42}, 2 * time.Second, 2},
		"16 % fast":               {rtpSource{ppm: 19e4, fps: 21, gop: 42}, 2 * time.Second, 2},
		"2.5 x slow":              {rtpSource{ppm: -6e5, fps: 25, gop: 50}, 2 * time.Second, 2},
		"2.5 x slow, burst":       {rtpSource{ppm: -6e5, fps: 25, gop: 50, burst: 3 * time.Second}, 2 * time.Second, 2}, // which looks shorter by as much
		"2.5 x fast":              {rtpSource{ppm: 15e5, fps: 10, gop: 20}, 2 * time.Second, 4},
		"16 % slow, GOPs of 20 s": {rtpSource{ppm: -16e4, fps: 5, gop: 100}, 2 * time.Second, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &c.rtpSource
			s.start, s.off = bench.At(time.Date(2026, 2, 10, 8, 0, 0, 0, time.UTC)), true
			s.fps, s.gop, s.until = cmp.Or(s.fps, 2), cmp.Or(s.gop, 4), 2*time.Hour
			line, st := newTimeline(t, s, time.Minute)
			var log bench.LogBuffer
			st.Log = bench.NewLog(&log)
			if reasons := line.record(st); len(reasons) != 1 || line.runs != 1 {
				t.Fatalf("%d runs ended for %q", line.runs, reasons)
			}
			minutes := s.until.Minutes() / (1 + s.ppm/1e6)
			t.Logf("off by %v at most in %d recordings of %.0f minutes", line.worst, len(line.errs), minutes)
			if line.worst > c.most {
				t.Errorf("a picture is off by %v", line.worst)
			}
			if got := float64(len(line.errs)) / minutes; got > c.perMin {
				t.Errorf("%.1f recordings a minute", got)
			}
			if n := strings.Count(log.String(), "clock is off"); n != 1 {
				t.Errorf("the log says it %d times: %.2000s", n, log.String())
			}
		})
	}
}

// TestHostClockSteps sets the host's clock: by 2 s, which moves no footage and ends nothing, and by an hour, which starts a
// new run by the new clock.
func TestHostClockSteps(t *testing.T) {
	s := &rtpSource{
		start: bench.At(time.Date(2026, 2, 10, 8, 10, 0, 0, time.UTC)), fps: 2, gop: 4, ppm: 100, jitter: 20 * time.Millisecond, until: 5 * time.Hour,
		steps: []clockStep{
			{30 * time.Minute, 2 * time.Second},
			{50 * time.Minute, -2 * time.Second},
			{70 * time.Minute, -2 * time.Second},
			{2 * time.Hour, time.Hour},
			{3 * time.Hour, -time.Hour},
			{4 * time.Hour, 2 * time.Second},
		},
	}
	line, st := newTimeline(t, s, time.Minute)
	reasons := line.record(st)
	want := []string{"the host's clock was set by 59m58s", "the host's clock was set by -1h0m0s", errSourceGone.Error()}
	if !slices.Equal(reasons, want) {
		t.Errorf("runs ended for %q, want %q", reasons, want)
	}
	t.Logf("a picture is off by %.1f ms at most", float64(line.worst)/1e6)
	if line.worst > mostOff {
		t.Errorf("a picture is off by %v", line.worst)
	}
}

// TestOverlappingRuns sets the clock back by an hour twice, so that an hour was recorded three times: every picture is
// shown exactly once by the entries of the hours, and once by the whole day.
func TestOverlappingRuns(t *testing.T) {
	for name, steps := range map[string][]clockStep{
		"an hour":    {{time.Hour, -time.Hour}, {2 * time.Hour, -time.Hour}},
		"a minute":   {{time.Hour, -time.Minute}, {2 * time.Hour, time.Minute}},
		"6 s":        {{time.Hour, -6 * time.Second}, {90 * time.Minute, 6 * time.Second}},
		"to and fro": {{20 * time.Minute, -10 * time.Minute}, {40 * time.Minute, 10 * time.Minute}, {time.Hour, -30 * time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bench.New(t, 5*time.Minute)
			s := &rtpSource{start: bench.At(time.Date(2026, 2, 10, 8, 10, 0, 0, time.UTC)), fps: 1, gop: 4, until: 3 * time.Hour, steps: steps}
			reasons := benchRecord(b, s)
			if len(reasons) != len(steps)+1 {
				t.Fatalf("runs ended for %q", reasons)
			}
			// Each step costs the picture that shows it, and those of a second.
			want := int(s.until.Seconds()) - len(steps)*2
			perHour, whole := map[int64]int{}, map[int64]int{}
			for _, f := range bench.OpenHours(t, b.Dir) {
				for _, x := range bench.ShownPictures(t, f) {
					perHour[x]++
				}
			}
			for _, x := range bench.ShownPictures(t, bench.OpenDay(t, b.Dir)) {
				whole[x]++
			}
			for what, shown := range map[string]map[int64]int{"the hours": perHour, "the day": whole} {
				if len(shown) != want {
					t.Errorf("%s show %d pictures of %d", what, len(shown), want)
				}
				for _, n := range shown {
					if n != 1 {
						t.Fatalf("%s show a picture %d times", what, n)
					}
				}
			}
			bench.NoProblems(t, b.Dir)
		})
	}
}

// TestTimestampGlitches has a camera repeat a timestamp, go back, and leap, once or for good: no picture is lost, one run goes on,
// and every picture is shown when it was taken.
func TestTimestampGlitches(t *testing.T) {
	const at = 600 // picture
	for name, glitch := range map[string]func(i int64, ts uint32) uint32{
		"stands still":  func(_ int64, ts uint32) uint32 { return ts - 18000 },
		"goes back":     func(_ int64, ts uint32) uint32 { return ts - 18000*50 },
		"starts anew":   func(int64, uint32) uint32 { return 0 },
		"leaps 20 s":    func(_ int64, ts uint32) uint32 { return ts + 20*90000 },
		"leaps 6 hours": func(_ int64, ts uint32) uint32 { return ts + 6*3600*90000 },
	} {
		for _, forGood := range []bool{false, true} {
			t.Run(fmt.Sprint(name, "/", forGood), func(t *testing.T) {
				b := bench.New(t, time.Minute)
				s := &rtpSource{
					start: stampStart(), fps: 5, gop: 10, until: 5 * time.Minute, timestamp: 1<<32 - 500*18000,
					glitch: func(i int64, ts uint32) uint32 {
						if i == at || forGood && i > at {
							return glitch(i, ts)
						}
						return ts
					},
				}
				if reasons := benchRecord(b, s); len(reasons) != 1 {
					t.Fatalf("runs ended for %q", reasons)
				}
				b.WantRuns([]string{errSourceGone.Error()})
				var shown, want []int64
				pictures := bench.PlayBack(t, b.Dir)[0][volume.Video] // which runs mp4check over it
				for i, x := range pictures {
					shown, want = append(shown, bench.NumberOf(x.Data)), append(want, int64(i))
					if off := x.DTS - int64(i)*18000; max(off, -off) > 18000 {
						t.Fatalf("picture %d is at %d", i, x.DTS)
					}
				}
				if len(shown) != 5*60*5 || !slices.Equal(shown, want) {
					t.Errorf("%d pictures are shown", len(shown))
				}
				bench.NoProblems(t, b.Dir)
			})
		}
	}
}

// stampStart is when tests begin whose time of day plays no part.
func stampStart() time.Time { return bench.At(time.Date(2026, 2, 10, 8, 3, 0, 0, time.UTC)) }
