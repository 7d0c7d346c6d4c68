package rtpclock

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// A simulated camera takes pictures at a steady rate, stamps them by its clock, and has a network bring them.
type simulated struct {
	fps     float64
	hz      float64                     // of its clock; 90,000 is right
	stamp   func(n int, ts int64) int64 // changes a timestamp; nil for none
	delay   func(at float64) float64    // of the network, in seconds; nil for none. What comes later never comes earlier
	b       int                         // B-frames between others
	skip    func(n int) bool            // pictures that are not taken
	reorder float64                     // PictureReorder where 0
	lasts   int64                       // ticks that the frames say they last; 0 for pictures
}

// taken is a picture as it came.
type taken struct {
	n     int
	at    float64 // when it was taken
	came  float64
	pts   int64
	fault Fault
	off   float64 // by how many seconds pts is off from when it came, as a session sees it
}

// run simulates some seconds. It fails where a time is not later than all before, beyond what B-frames need.
func (s simulated) run(t *testing.T, seconds float64) []taken {
	t.Helper()
	reorder := s.reorder
	if reorder == 0 {
		reorder = PictureReorder
	}
	line := NewTimeline(90000, 90000, reorder)
	var all []taken
	came, anchor, due := 0.0, 0.0, false
	for n := 0; ; n++ {
		at := float64(n) / s.fps
		if at >= seconds {
			return all
		}
		if s.skip != nil && s.skip(n) {
			continue
		}
		shown := n
		if s.b > 0 { // the first of a group is sent before the others, and shown after them
			if g := n % (s.b + 1); g == 0 {
				shown = n + s.b
			} else {
				shown = n - 1
			}
		}
		ts := int64(math.Round(float64(shown) / s.fps * s.hz))
		if s.stamp != nil {
			ts = s.stamp(n, ts)
		}
		late := 0.0
		if s.delay != nil {
			late = s.delay(at)
		}
		came = max(came, at+late)
		x := taken{n: n, at: at, came: came}
		x.pts, x.fault = line.At(uint32(ts+1<<32-90000*7), came+5)
		if s.lasts > 0 {
			if f := line.Lasts(s.lasts); f.Kind != None {
				x.fault = f
			}
		}
		if due = due || x.fault.Kind != None; due && n%25 == 0 { // the next sync sample
			line.Settle()
			due, anchor = false, line.delays.floor
		}
		if anchor = min(anchor, x.came+5-float64(x.pts)/90000); x.came > settleTime {
			anchor = max(anchor, line.delays.floor)
		}
		x.off = float64(x.pts)/90000 + anchor - x.came - 5
		all = append(all, x)
	}
}

// off returns by how many seconds the times of pictures are off from when they came, at most.
func off(all []taken) (most float64) {
	for _, x := range all {
		most = max(most, math.Abs(x.off))
	}
	return most
}

func faults(all []taken) map[FaultKind]int {
	kinds := map[FaultKind]int{}
	for _, x := range all {
		if x.fault.Kind != None {
			kinds[x.fault.Kind]++
		}
	}
	return kinds
}

// TestTimelineOfSaneClocks has cameras and networks that are as they should be, or bad, but no clocks that are wrong: times are the
// camera's, tick for tick.
func TestTimelineOfSaneClocks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	jitter := func(mean float64) func(float64) float64 {
		return func(float64) float64 { return rnd.ExpFloat64() * mean }
	}
	// A stall holds back all that is taken in it; then it comes at some times the rate.
	stall := func(every, length, catchUp float64) func(float64) float64 {
		return func(at float64) float64 {
			in := math.Mod(at, every)
			if at < every {
				return 0
			}
			if in < length {
				return length - in + in/catchUp
			}
			return max(0, length/catchUp-(in-length)*(1-1/catchUp))
		}
	}
	for name, s := range map[string]simulated{
		"steady":                   {fps: 25, hz: 90000},
		"1 a second":               {fps: 1, hz: 90000},
		"1 in 15 s":                {fps: 1.0 / 15, hz: 90000},
		"60 a second":              {fps: 60, hz: 90000},
		"0.9 % slow":               {fps: 25, hz: 90000 * 0.991},
		"0.9 % fast":               {fps: 25, hz: 90000 * 1.009},
		"2 B-frames":               {fps: 25, hz: 90000, b: 2},
		"7 B-frames, 5 a second":   {fps: 5, hz: 90000, b: 7},
		"jitter":                   {fps: 25, hz: 90000, delay: jitter(0.05)},
		"much jitter, 5 a second":  {fps: 5, hz: 90000, delay: jitter(0.2)},
		"stalls of 3 s":            {fps: 25, hz: 90000, delay: stall(20, 3, 1000)},
		"stalls of 3 s, 2 x":       {fps: 25, hz: 90000, delay: stall(20, 3, 2)},
		"stalls of 8 s, 2 x":       {fps: 25, hz: 90000, delay: stall(40, 8, 2)},
		"stalls of 30 s":           {fps: 25, hz: 90000, delay: stall(100, 30, 50)},
		"stalls of 3 s, B-frames":  {fps: 25, hz: 90000, b: 2, delay: stall(17, 3, 10)},
		"stalls of 3 s, 1 in 15 s": {fps: 1.0 / 15, hz: 90000, delay: stall(61, 30, 10)},
		"4 s were buffered":        {fps: 25, hz: 90000, delay: func(at float64) float64 { return max(0, 4-at) }},
		"4 s were buffered, 2 x":   {fps: 25, hz: 90000, delay: func(at float64) float64 { return max(0, 4-at/2) }},
		"9 s were buffered, 9 x":   {fps: 25, hz: 90000, delay: func(at float64) float64 { return max(0, 9-at*8/9) }},
		"none for 30 s":            {fps: 25, hz: 90000, skip: func(n int) bool { return n%2500 > 1700 && n%2500 < 2450 }},
		"none for 10 s of a stall": {fps: 25, hz: 90000, delay: stall(20, 13, 1000), skip: func(n int) bool {
			in := math.Mod(float64(n)/25, 20)
			return n > 500 && in > 2 && in < 12
		}},
		"footage sent at 10 x": {fps: 250, hz: 9e5},
		"footage sent at 32 x": {fps: 250, hz: 32 * 90000},
	} {
		t.Run(name, func(t *testing.T) {
			all := s.run(t, 300)
			if k := faults(all); len(k) > 0 {
				for _, x := range all {
					if x.fault.Kind != None {
						t.Fatalf("after %.1f s: %v (%v in all)", x.at, x.fault, k)
					}
				}
			}
			shift := all[0].pts - int64(math.Round(float64(first(s))/s.fps*s.hz))
			for _, x := range all {
				shown := x.n
				if s.b > 0 {
					if x.n%(s.b+1) == 0 {
						shown = x.n + s.b
					} else {
						shown = x.n - 1
					}
				}
				if want := int64(math.Round(float64(shown)/s.fps*s.hz)) + shift; x.pts != want {
					t.Fatalf("picture %d has the time %d, want %d", x.n, x.pts, want)
				}
			}
		})
	}
}

func first(s simulated) int {
	if s.b > 0 {
		return s.b
	}
	return 0
}

// TestTimelineOfWrongClocks has clocks that are wrong: the times of all pictures follow when they came, within 2 s.
func TestTimelineOfWrongClocks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	jitter := func(float64) float64 { return rnd.ExpFloat64() * 0.02 }
	from := func(n int, by int64) func(int, int64) int64 {
		return func(i int, ts int64) int64 {
			if i >= n {
				ts += by
			}
			return ts
		}
	}
	for name, c := range map[string]struct {
		simulated
		kinds []FaultKind // what is noticed, nothing else
		most  int         // faults at most
		hz    float64     // that is told; 0 for any
		bad   float64     // for how many seconds times may be off by more than 2 s
	}{
		"21 stamped as 25":           {simulated{fps: 21, hz: 90000 * 21 / 25.0, delay: jitter}, []FaultKind{Rated}, 1, 75600, 0},
		"21 stamped as 25, 1 in 5 s": {simulated{fps: 0.2, hz: 90000 * 21 / 25.0, delay: jitter}, []FaultKind{Rated, Behind}, 8, 0, 25},
		"milliseconds":               {simulated{fps: 25, hz: 1000, delay: jitter}, []FaultKind{Rated, Behind}, 5, 1000, 0},
		"10 stamped as 25":           {simulated{fps: 10, hz: 36000, delay: jitter}, []FaultKind{Rated, Behind}, 5, 36000, 0},
		"30 stamped as 25":           {simulated{fps: 30, hz: 108000, delay: jitter}, []FaultKind{Rated, Ahead}, 2, 108000, 0},
		"2.5 x fast":                 {simulated{fps: 25, hz: 225000, delay: jitter}, []FaultKind{Rated, Ahead}, 300, 225000, 0},
		"2 % slow":                   {simulated{fps: 25, hz: 88200, delay: jitter}, []FaultKind{Rated}, 2, 88200, 0},
		"10 at night":                {simulated{fps: 25, hz: 90000, skip: func(n int) bool { return n > 2500 && n < 5000 && n%5 > 1 }, stamp: nil}, nil, 0, 0, 0},
		"stands":                     {simulated{fps: 25, hz: 0, delay: jitter}, []FaultKind{Rated, Stood}, 10, 0, 0},
		"stands later":               {simulated{fps: 25, hz: 90000, stamp: func(n int, ts int64) int64 { return min(ts, 30*90000) }}, []FaultKind{Rated, Stood}, 10, 0, 0},
		"stands, 1 in 10 s":          {simulated{fps: 0.1, hz: 0}, []FaultKind{Rated, Stood}, 40, 0, 0},
		"repeats every 7 s":          {simulated{fps: 25, hz: 90000, stamp: func(n int, ts int64) int64 { return ts - int64(b2i(n%175 == 100))*3600 }}, nil, 0, 0, 0},
		"5 ms back every 7 s":        {simulated{fps: 25, hz: 90000, stamp: func(n int, ts int64) int64 { return ts - int64(b2i(n%175 == 100))*4050 }}, nil, 0, 0, 0},
		"1 s back":                   {simulated{fps: 25, hz: 90000, stamp: from(1000, -90000)}, []FaultKind{Stood}, 1, 0, 0},
		"3 s back":                   {simulated{fps: 25, hz: 90000, stamp: from(1000, -3*90000)}, []FaultKind{Jumped}, 1, 0, 0},
		"an hour back":               {simulated{fps: 25, hz: 90000, stamp: from(1000, -3600*90000)}, []FaultKind{Jumped}, 1, 0, 0},
		"an hour ahead":              {simulated{fps: 25, hz: 90000, stamp: from(1000, 3600*90000)}, []FaultKind{Jumped}, 1, 0, 0},
		"3 s ahead":                  {simulated{fps: 25, hz: 90000, stamp: from(1000, 3*90000)}, []FaultKind{Jumped}, 1, 0, 0},
		"2^31":                       {simulated{fps: 25, hz: 90000, stamp: from(1000, 1<<31)}, []FaultKind{Jumped}, 1, 0, 0},
		"starts anew at 0":           {simulated{fps: 25, hz: 90000, stamp: func(n int, ts int64) int64 { return ts - int64(n/1000)*40*90000 }}, []FaultKind{Jumped}, 7, 0, 0},
		"one picture an hour ahead":  {simulated{fps: 25, hz: 90000, stamp: func(n int, ts int64) int64 { return ts + int64(b2i(n == 1000))*3600*90000 }}, []FaultKind{Jumped}, 2, 0, 0},
		"one picture at 0":           {simulated{fps: 25, hz: 90000, stamp: func(n int, ts int64) int64 { return ts * int64(b2i(n != 2000)) }}, []FaultKind{Jumped}, 2, 0, 0},
		"random":                     {simulated{fps: 25, hz: 90000, stamp: func(int, int64) int64 { return rnd.Int64N(1 << 32) }}, []FaultKind{Jumped, Ahead, Stood}, 1 << 20, 0, 0},
		"stops while none come":      {simulated{fps: 25, hz: 90000, skip: func(n int) bool { return n > 1000 && n < 1500 }, stamp: from(1500, -19*90000)}, []FaultKind{Jumped, Behind, Stood}, 1, 0, 4.5},
		"jumps ahead in a stall of 10 s": {simulated{fps: 25, hz: 90000, delay: func(at float64) float64 {
			if at > 40 && at < 50 {
				return 50 - at
			}
			return 0
		}, stamp: from(1100, 600*90000)}, []FaultKind{Jumped, Ahead}, 100, 0, 12},
	} {
		t.Run(name, func(t *testing.T) {
			all := c.run(t, 300)
			kinds, n := faults(all), 0
			for _, k := range c.kinds {
				n += kinds[k]
				delete(kinds, k)
			}
			if len(kinds) > 0 || n > c.most || len(c.kinds) > 0 && n == 0 {
				t.Errorf("%d faults, besides %v", n, kinds)
			}
			for _, x := range all {
				if x.fault.Kind == Rated && c.hz > 0 && math.Abs(x.fault.Hz/c.hz-1) > 0.05 {
					t.Errorf("after %.1f s: %v", x.at, x.fault)
				}
			}
			// A clock that jumps or stops may be a stall of the network at first. What is seldom taken tells little.
			bad, most := 0.0, off(all)
			for i, x := range all[1:] {
				if math.Abs(x.off) > 2 {
					bad += min(x.came-all[i].came, 1/min(c.fps, 1))
				}
			}
			t.Logf("off by %.2f s at most, for %.1f s by more than 2 s", most, bad)
			if bad > c.bad {
				t.Errorf("off by %.2f s, for %.1f s by more than 2 s, want %.1f s", most, bad, c.bad)
			}
		})
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestTimelineOfSound has sound that counts at another rate than is described, which its frames tell soon.
func TestTimelineOfSound(t *testing.T) {
	for _, hz := range []float64{90000 * 90 / 16.0, 90000 / 2, 90000 * 48 / 44.1} {
		t.Run(fmt.Sprintf("%.0f", hz), func(t *testing.T) {
			s := simulated{fps: 15.625, hz: hz, reorder: SoundReorder, lasts: 5760}
			all := s.run(t, 60)
			at := 0.0
			for _, x := range all {
				if x.fault.Kind == Rated {
					at = x.at
					if math.Abs(x.fault.Hz/hz-1) > 0.001 {
						t.Errorf("it counts at %.0f", x.fault.Hz)
					}
				}
			}
			if at == 0 || at > 3 {
				t.Errorf("it is known after %.1f s", at)
			}
		})
	}
	// Frames of silence are not sent: time passes all the same.
	s := simulated{fps: 2, hz: 90000, reorder: SoundReorder, lasts: 5760}
	if k := faults(s.run(t, 60)); len(k) > 0 {
		t.Errorf("silence makes %v", k)
	}
}
