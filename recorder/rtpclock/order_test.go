package rtpclock

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// An encoder sends pictures, each of which is taken at n/25 s, in the order in which they are decoded.
type encoder struct {
	b       int                      // B-frames between others, at most
	pyramid bool                     // they refer to each other
	closed  bool                     // each 25 pictures are decoded without others
	stamp   func(at float64) float64 // what the clock shows, in seconds; nil for the truth
	comes   func(at float64) float64 // when a picture comes that was taken then, if no other holds it up
	report  func(at float64) float64 // which timestamp a sender report has; nil where there are none
}

// order returns the pictures in decoding order.
func (e encoder) order(rnd *rand.Rand, pictures int) (all []int) {
	for n := 0; n < pictures; {
		group := 1 + rnd.IntN(e.b+1)
		if rnd.IntN(4) > 0 {
			group = e.b + 1
		}
		if gop := 25 - n%25; e.closed {
			group = min(group, gop)
			if gop == 25 {
				group = 1
			}
		}
		between := make([]int, group-1)
		for i := range between {
			between[i] = n + i
		}
		all = append(all, n+group-1)
		if n += group; e.pyramid && len(between) > 2 {
			mid := len(between) / 2
			between = slices.Insert(slices.Delete(slices.Clone(between), mid, mid+1), 0, between[mid])
		}
		all = append(all, between...)
	}
	return all
}

// shown is a picture and the time that it got.
type shown struct {
	n    int
	pts  int64
	came float64
}

// run has a Timeline give pictures their times. It fails where those have another order than the pictures, or two have one time.
func (e encoder) run(t *testing.T, seed uint64, seconds int) (all []shown, kinds map[FaultKind]int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	line := NewTimeline(90000, 90000, PictureReorder)
	came, reported := 5.0, 5.0
	kinds = map[FaultKind]int{}
	for _, n := range e.order(rnd, 25*seconds) {
		at, stamp := float64(n)/25, float64(n)/25
		if e.stamp != nil {
			stamp = e.stamp(at)
		}
		came = max(came, 5+e.comes(at))
		for ; e.report != nil && reported < came; reported += 2 {
			if len(all) > 0 {
				line.Report(uint32(int64(e.report(reported-5)*90000)), reported)
			}
		}
		pts, f := line.At(uint32(int64(math.Round(stamp*90000))), came)
		if f.Kind != None {
			kinds[f.Kind]++
		}
		all = append(all, shown{n, pts, came})
	}
	slices.SortFunc(all, func(a, b shown) int { return cmp.Compare(a.n, b.n) })
	for i := 1; i < len(all); i++ {
		if a, b := all[i-1], all[i]; b.pts <= a.pts {
			t.Fatalf("seed %d: picture %d has the time %d, and %d, which is shown later, has %d (%v)", seed, a.n, a.pts, b.n, b.pts, kinds)
		}
	}
	return all, kinds
}

// TestTimelineKeepsOrder has clocks jump, run at other rates, and be late, while pictures are sent in another order than they are
// shown in: each is still shown after those that were taken before it.
func TestTimelineKeepsOrder(t *testing.T) {
	soon := func(at float64) float64 { return at }
	for name, e := range map[string]encoder{
		"later and later":      {comes: func(at float64) float64 { return at + max(0, at-4)*0.4 }},
		"later by steps":       {comes: func(at float64) float64 { return at + math.Floor(at/7)*1.8 }},
		"late, and catches up": {comes: func(at float64) float64 { return at + max(0, min(at-4, 20-at))*0.5 }},
		"2 s ahead":            {comes: soon, stamp: func(at float64) float64 { return at + 2*math.Floor(at/9.37) }},
		"an hour ahead":        {comes: soon, stamp: func(at float64) float64 { return at + 3600*math.Floor(at/9.37) }},
		"3 s back":             {comes: soon, stamp: func(at float64) float64 { return at - 3*math.Floor(at/9.37) }},
		"an hour back":         {comes: soon, stamp: func(at float64) float64 { return at - 3600*math.Floor(at/9.37) }},
		"half as fast":         {comes: soon, stamp: func(at float64) float64 { return at / 2 }},
		"21 for 25":            {comes: soon, stamp: func(at float64) float64 { return at * 21 / 25 }},
		"twice as fast":        {comes: soon, stamp: func(at float64) float64 { return at * 2 }},
		"30 for 25":            {comes: soon, stamp: func(at float64) float64 { return at * 1.2 }},
		"milliseconds":         {comes: soon, stamp: func(at float64) float64 { return at / 90 }},
		"slower, then faster":  {comes: soon, stamp: func(at float64) float64 { return at/2 + max(0, at-20) }},
	} {
		for _, b := range []int{0, 1, 2, 3, 7} {
			t.Run(fmt.Sprintf("%s/%d B-frames", name, b), func(t *testing.T) {
				found := 0
				for range 8 {
					e.b, e.pyramid, e.closed = b, rand.IntN(2) > 0, rand.IntN(2) > 0
					_, kinds := e.run(t, rand.Uint64(), 60)
					found += len(kinds)
				}
				if found == 0 {
					t.Error("nothing was wrong with the clock")
				}
			})
		}
	}
}

// TestTimelineOfLateEncoders has encoders that do not keep up, and sender reports which say that the clock is right: pictures keep the
// times at which they were taken, as long as they come some seconds late at most.
func TestTimelineOfLateEncoders(t *testing.T) {
	truth := func(at float64) float64 { return at }
	// What else a host has to do makes an encoder late, so that it falls behind now more and now less.
	uneven := func(after float64) float64 { return max(0, after+math.Sin(after*1.5)/1.5) }
	for name, e := range map[string]encoder{
		"a little":             {comes: func(at float64) float64 { return at + 0.5 }},
		"later and later":      {comes: func(at float64) float64 { return at + uneven(at-4)*0.07 }},
		"30 % too slow":        {comes: func(at float64) float64 { return at + uneven(min(at-3, 10))*0.43 }},
		"late, and catches up": {comes: func(at float64) float64 { return at + uneven(min(at-4, 12-at))*0.9 }},
		"late again and again": {comes: func(at float64) float64 { return at + 2*math.Pow(math.Sin(max(0, at-5)/2.5), 2) }},
	} {
		for _, b := range []int{0, 2, 7} {
			t.Run(fmt.Sprintf("%s/%d B-frames", name, b), func(t *testing.T) {
				e.b, e.report = b, truth
				all, kinds := e.run(t, rand.Uint64(), 60)
				if len(kinds) > 0 {
					t.Errorf("the clock is taken for wrong: %v", kinds)
				}
				for _, x := range all {
					if want := all[0].pts + int64(x.n)*3600; x.pts != want {
						t.Fatalf("picture %d has the time %d, want %d", x.n, x.pts, want)
					}
				}
			})
		}
	}
}

// TestTimelineOfWrongReports has clocks that are wrong, as sender reports that show them say, too: times follow arrival all the same.
func TestTimelineOfWrongReports(t *testing.T) {
	for name, rate := range map[string]float64{"10 stamped as 25": 0.4, "21 stamped as 25": 0.84, "4 % slow": 0.96} {
		t.Run(name, func(t *testing.T) {
			slow := func(at float64) float64 { return at * rate }
			all, _ := encoder{b: 2, comes: func(at float64) float64 { return at }, stamp: slow, report: slow}.run(t, rand.Uint64(), 60)
			for _, x := range all {
				if off := x.came - all[0].came - float64(x.pts-all[0].pts)/90000; math.Abs(off) > 2 {
					t.Fatalf("the time of picture %d is off by %.1f s", x.n, off)
				}
			}
		})
	}
	// Nor do reports that say that the clock is right make pictures ever later.
	t.Run("ever later", func(t *testing.T) {
		truth := func(at float64) float64 { return at }
		all, _ := encoder{comes: func(at float64) float64 { return at * 1.3 }, report: truth}.run(t, 1, 120)
		for _, x := range all {
			if off := x.came - all[0].came - float64(x.pts-all[0].pts)/90000; math.Abs(off) > mostEncoderLate+2 {
				t.Fatalf("picture %d is late by %.1f s", x.n, off)
			}
		}
	})
}
