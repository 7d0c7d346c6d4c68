package mp4

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"nvrfs/media"
)

// framesShown computes, from the camera's frames alone, which of them a range shows, in order.
func framesShown(r *recorded, from, to int64) (shown []*recordedSample) {
	for _, x := range r.tracks[0].samples {
		if x.PTS() >= from && x.PTS() < to {
			shown = append(shown, x)
		}
	}
	slices.SortFunc(shown, func(a, b *recordedSample) int { return int(a.PTS() - b.PTS()) })
	return shown
}

// framesEnd is when the last frame that a range shows is over: when the next is shown, but within the range.
func framesEnd(r *recorded, shown []*recordedSample, to int64) int64 {
	last := shown[len(shown)-1]
	for _, x := range r.tracks[0].samples {
		if x.PTS() > last.PTS() {
			return to
		}
	}
	return min(to, last.end())
}

// A clip is recordings in order, of which the first is cut at its start and the last at its end.
type clip struct {
	recs     []*recorded
	from, to int64 // since the start of the first's, and of the last's run
}

func (c clip) parts() (out []Part, err error) {
	for i, r := range c.recs {
		from, to := int64(math.MinInt32), int64(math.MaxInt32)
		if i == 0 {
			from = c.from
		}
		if i == len(c.recs)-1 {
			to = c.to
		}
		p := r.part
		if i == 0 || i == len(c.recs)-1 {
			if p, err = p.Trim(from, to); err != nil {
				return nil, err
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// cutPoint picks a time about a frame: often a sync sample, often just beside it.
func cutPoint(rnd *rand.Rand, r *recorded) int64 {
	frames := r.tracks[0].samples
	if rnd.IntN(3) == 0 {
		frames = slices.DeleteFunc(slices.Clone(frames), func(x *recordedSample) bool { return !x.Sync })
	}
	x := frames[rnd.IntN(len(frames))]
	return x.PTS() + []int64{-1, 0, 1, rnd.Int64N(int64(x.Duration))}[rnd.IntN(4)]
}

func TestTrimShowsTheRangeAndNothingElse(t *testing.T) {
	shownClips := 0
	for seed := range uint64(600) {
		camera := newTestCamera(t, seed)
		camera.randomize()
		var c clip
		c.recs = camera.run(1 + camera.rnd.IntN(2))
		if camera.rnd.IntN(3) == 0 {
			camera.randomize()
			c.recs = append(c.recs, camera.run(1)...)
		}
		c.from, c.to = cutPoint(camera.rnd, c.recs[0]), cutPoint(camera.rnd, c.recs[len(c.recs)-1])
		if checkClip(t, fmt.Sprintf("seed %d", seed), c) {
			shownClips++
		}
	}
	if shownClips < 350 {
		t.Errorf("only %d clips showed something", shownClips)
	}
}

// Every pair of interesting times of one small recording.
func TestTrimAtEveryFrame(t *testing.T) {
	for _, bFrames := range []bool{false, true} {
		camera := newTestCamera(t, 11)
		camera.bFrames, camera.audio = bFrames, testAAC(t, "1210")
		r := camera.run(1)[0]
		var times []int64
		for _, x := range r.tracks[0].samples {
			times = append(times, x.PTS()-1, x.PTS(), x.PTS()+1)
		}
		for _, from := range times {
			for _, to := range times {
				checkClip(t, fmt.Sprintf("B-frames %v [%d, %d)", bFrames, from, to), clip{[]*recorded{r}, from, to})
			}
		}
	}
}

// Sound that touches a clip by less than a tick is left out, or is shown for a tick; either way the file is valid.
func TestTrimWhereSoundJustTouches(t *testing.T) {
	for late := range int64(64) {
		camera := newTestCamera(t, 12)
		camera.audio, camera.audioLate = testAAC(t, "1010"), 100+late // 96 kHz
		r := camera.run(1)[0]
		starts := media.Rescale(r.tracks[1].samples[0].DTS, 96000, 90000)
		for d := int64(-2); d <= 2; d++ {
			checkClip(t, fmt.Sprintf("late by %d, to %d", late, starts+d), clip{[]*recorded{r}, 0, starts + d})
		}
	}
}

// What a cut part holds on to is counted.
func TestMemoryOfTrimmedParts(t *testing.T) {
	camera := newTestCamera(t, 1)
	part := camera.run(1)[0].part
	memory := func(p Part) int64 {
		f, err := NewFile([]Part{p}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return f.Memory()
	}
	cut, err := part.Trim(0, part.Tracks[0].Duration-1)
	if err != nil {
		t.Fatal(err)
	}
	samples := 0
	for _, x := range cut.Tracks {
		samples += int(x.Samples)
	}
	if more := memory(cut) - memory(part); more < int64(8*samples) {
		t.Errorf("%d bytes for the durations and sizes of %d samples", more, samples)
	}
}

// TestTrimBeforeAnotherRun has a part that is cut at its end, as the last one is, followed by another: that is how a clip of
// runs that overlap in time begins. Frames that B-frames lead up to are shown besides, before those of the other run.
func TestTrimBeforeAnotherRun(t *testing.T) {
	most := 0
	for seed := range uint64(300) {
		camera := newTestCamera(t, seed)
		camera.randomize()
		a := camera.run(1)[0]
		camera.randomize()
		b := camera.run(1)[0]
		to := cutPoint(camera.rnd, a)
		p, err := a.part.Trim(math.MinInt32, to)
		if errors.Is(err, ErrNothingShown) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s := show(t, mustFile(t, []Part{p, b.part}), []*recorded{a, b})
		s.checkSamples(t)
		s.checkInStep(t)
		beyond := 0
		for _, x := range s.tracks[media.Video].source {
			if x.rec == a && x.PTS() >= to {
				beyond++
			}
		}
		most = max(most, beyond)
	}
	if most > 1 { // the test camera's B-frames lead up to one
		t.Errorf("%d frames are shown beyond the cut", most)
	}
}

// checkClip reports whether the clip shows something.
func checkClip(t *testing.T, name string, c clip) bool {
	t.Helper()
	var want []*recordedSample
	empty := false
	for i, r := range c.recs {
		from, to := int64(math.MinInt64), int64(math.MaxInt64)
		if i == 0 {
			from = c.from
		}
		if i == len(c.recs)-1 {
			to = c.to
		}
		shown := framesShown(r, from, to)
		empty = empty || len(shown) == 0
		want = append(want, shown...)
	}
	ps, err := c.parts()
	if empty || err != nil {
		if empty != errors.Is(err, ErrNothingShown) {
			t.Fatalf("%s: error is %v, of %d frames shown", name, err, len(want))
		}
		return false
	}
	f := mustFile(t, ps)
	s := show(t, f, c.recs)
	s.checkSamples(t)
	s.checkInStep(t)

	last := c.recs[len(c.recs)-1]
	overhang := framesEnd(last, framesShown(last, math.MinInt64, c.to), c.to) - want[len(want)-1].PTS()
	s.checkFramesShown(t, name, want, overhang)
	s.checkNoWaste(t, name, c)
	s.checkSoundShown(t, name, c, want)
	return true
}

// checkFramesShown compares the frames that the edit list lets be seen, in order, with those wanted; the last one is seen
// for as long as overhang says.
func (s *shownFile) checkFramesShown(t *testing.T, name string, want []*recordedSample, overhang int64) {
	t.Helper()
	video := s.tracks[media.Video]
	if len(video.Edits) != 1 {
		t.Fatalf("%s: edits are %+v", name, video.Edits)
	}
	_, first, end := video.edit()
	var got []int
	for i, x := range video.Samples {
		if x.CTS >= first && x.CTS < end {
			got = append(got, i)
		}
	}
	slices.SortFunc(got, func(a, b int) int { return int(video.Samples[a].CTS - video.Samples[b].CTS) })
	if len(got) != len(want) {
		t.Fatalf("%s: %d frames are shown, want %d", name, len(got), len(want))
	}
	for i, k := range got {
		if video.source[k] != want[i] {
			t.Fatalf("%s: frame %d shown is that of %d, want that of %d", name, i+1, video.source[k].PTS(), want[i].PTS())
		}
	}
	if x := video.Samples[got[0]].CTS; first != x {
		t.Fatalf("%s: the edit starts at %d, the first frame at %d", name, first, x)
	}
	if got := end - video.Samples[got[len(got)-1]].CTS; got != overhang {
		t.Fatalf("%s: the last frame is shown for %d ticks, want %d", name, got, overhang)
	}
}

// checkNoWaste checks that the clip takes in no more than the lead from the sync sample on.
func (s *shownFile) checkNoWaste(t *testing.T, name string, c clip) {
	t.Helper()
	video := s.tracks[media.Video]
	_, first, _ := video.edit()
	for i, x := range video.Samples[1:] {
		if x.Sync && x.CTS <= first {
			t.Fatalf("%s: the clip starts at %d, though sync sample %d is at %d", name, first, i+2, x.CTS)
		}
	}
	if len(s.sounds()) > 0 || len(c.recs[0].tracks) == 1 {
		begin, end := int64(math.MaxInt64), int64(0)
		for _, st := range s.tracks {
			for _, ch := range st.Chunks {
				begin, end = min(begin, ch.Offset), max(end, ch.Offset+ch.Size)
			}
		}
		if mdat := s.report.Boxes[len(s.report.Boxes)-1]; begin != mdat.Offset+mdat.Header || end != int64(len(s.whole)) {
			t.Fatalf("%s: the samples lie in [%d, %d) of an mdat of [%d, %d)", name, begin, end, mdat.Offset+mdat.Header, len(s.whole))
		}
	}
	if tail := video.source[len(video.source)-1]; tail.PTS() >= c.to {
		t.Fatalf("%s: the clip ends at %d, and its last sample is of %d", name, c.to, tail.PTS())
	}
}

// checkSoundShown checks that the clip has the sound of what is seen, whole frames of it and no others, and that what is
// not cut keeps all of its sound, so that recordings join. At a cut, a frame that is in or out by less than a tick may be
// either.
func (s *shownFile) checkSoundShown(t *testing.T, name string, c clip, frames []*recordedSample) {
	t.Helper()
	var kept []*recordedSample
	for _, st := range s.sounds() {
		kept = append(kept, st.source...)
		if movie := s.tracks[media.Video].Track.Duration; st.Track.Duration > movie {
			t.Fatalf("%s: sound is heard for %d ticks, the picture seen for %d", name, st.Track.Duration, movie)
		}
	}
	last := c.recs[len(c.recs)-1]
	lastEnd := framesEnd(last, framesShown(last, math.MinInt64, c.to), c.to)
	for i, r := range c.recs {
		if len(r.tracks) == 1 {
			continue
		}
		from, to := math.Inf(-1), math.Inf(1) // seconds
		if i == 0 && slices.ContainsFunc(r.tracks[0].samples, func(x *recordedSample) bool { return x.PTS() < c.from }) {
			from = float64(frames[0].PTS()) / movieTimescale
		}
		if r == last && slices.ContainsFunc(r.tracks[0].samples, func(x *recordedSample) bool { return x.end() > c.to }) {
			to = float64(lastEnd) / movieTimescale
		}
		rate := float64(r.tracks[1].entry.Timescale)
		tick := 1/min(rate, movieTimescale) + 1e-9
		for _, x := range r.tracks[1].samples {
			starts, ends := float64(x.DTS)/rate, float64(x.DTS+int64(x.Duration))/rate
			must, may := ends > from+tick && starts < to-tick, ends > from-tick && starts < to+tick
			if in := slices.Contains(kept, x); in && !may || !in && must {
				t.Fatalf("%s: sound of [%.5f, %.5f) is in the clip of [%.5f, %.5f): %v", name, starts, ends, from, to, in)
			}
		}
	}
}

func TestTrimPassesOnErrors(t *testing.T) {
	p := newTestCamera(t, 1).run(1)[0].part
	boom := errors.New("boom")
	p.Load = func(func([]media.Samples) error) error { return boom }
	if _, err := p.Trim(0, 1); !errors.Is(err, boom) {
		t.Errorf("error is %v", err)
	}
}

func TestRescale(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	for range 100_000 {
		from, to := 1+rnd.Uint32N(math.MaxInt32), 1+rnd.Uint32N(math.MaxInt32)
		v := rnd.Int64N(1<<40) - 1<<39
		want := math.Floor(float64(v)*float64(to)/float64(from) + 0.5)
		if got := media.Rescale(v, from, to); math.Abs(float64(got)-want) > math.Abs(want)*1e-15+1 {
			t.Fatalf("Rescale(%d, %d, %d) = %d, want %.0f", v, from, to, got, want)
		}
	}
	for _, c := range []struct {
		t        int64
		from, to uint32
		want     int64
	}{
		{-1, 2, 1, 0}, {1, 2, 1, 1}, {-3, 2, 1, -1}, {1024, 44100, 90000, 2090}, {1 << 55, 90000, 45000, 1 << 54}, {7, 3, 3, 7},
	} {
		if got := media.Rescale(c.t, c.from, c.to); got != c.want {
			t.Errorf("Rescale(%d, %d, %d) = %d, want %d", c.t, c.from, c.to, got, c.want)
		}
	}
}
