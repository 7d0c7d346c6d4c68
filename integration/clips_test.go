package integration

import (
	"fmt"
	"math/big"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// timeline is what a camera played, in wall time.
type timeline struct {
	frames []frame
	shown  []time.Duration // of each frame, since the first
	start  time.Time       // of the first
}

// drift is how far wall time may have moved away from media time: 500 ppm of 16 s, and a little for rounding.
const drift = 9 * time.Millisecond

// playedBy decodes what a camera played, and finds out when that was.
func playedBy(t *testing.T, s site, c recorded) timeline {
	all := probe(t, c.file)[0]
	line := timeline{frames: frames(t, c.file), start: s.info(t, s.entries(t, c.label)[0]).Start}
	if len(line.frames) != len(all.packets) {
		t.Fatalf("%s: %d frames of %d packets", c.file, len(line.frames), len(all.packets))
	}
	for _, f := range line.frames {
		seconds, _ := new(big.Rat).Sub(all.seconds(f.pts), all.seconds(line.frames[0].pts)).Float64()
		line.shown = append(line.shown, time.Duration(seconds*float64(time.Second)))
	}
	return line
}

// between is a wall time between frames i-1 and i, halfway.
func (l *timeline) between(i int) time.Time {
	half := (l.shown[1] - l.shown[0]) / 2
	if i == len(l.shown) {
		return l.start.Add(l.shown[i-1] + half)
	}
	return l.start.Add(l.shown[i] - half)
}

// cutFrames cuts ranges out of a camera's footage, and holds their frames against those that it played.
func cutFrames(t *testing.T, s site, c recorded) {
	line := playedBy(t, s, c)
	dir := tempDir(t)
	n := len(line.frames)
	for i, r := range []struct{ first, end int }{
		{0, n},           // all
		{25, 50},         // from a sync sample of the built-in clip
		{40, 80},         // from one of the clip with B-frames
		{47, 48},         // one frame
		{61, 62},         // another, which B-frames hide elsewhere
		{33, 149},        // over two recordings, at least
		{n / 2, n},       // to the end
		{n - 7, n},       // near the end
		{101, 101 + n/3}, // between sync samples
		{102, 102 + n/3}, // and a frame on, where B-frames are in another order
		{103, 103 + n/3},
	} {
		out := filepath.Join(dir, fmt.Sprint(i, ".mp4"))
		from, to := line.between(r.first), line.between(r.end)
		mustRun(t, nvrfs("export", "--data", s.data, "-o", out, c.label, from.Format(time.RFC3339Nano), to.Format(time.RFC3339Nano)))
		checkFile(t, out)
		if first, end := line.find(t, out); first != r.first || end != r.end {
			t.Errorf("export of frames %d to %d has %d to %d", r.first, r.end, first, end)
		}
	}
	for _, d := range []time.Duration{3, 6} {
		from := line.start.Truncate(time.Second).Add(d * time.Second)
		to := from.Add((d - 1) * time.Second)
		path := filepath.Join(s.mnt, ".nvrfs", "clips", c.label, clipName(from, to))
		checkFile(t, path)
		first, end := line.find(t, path)
		if !line.near(first, from) || !line.near(end, to) {
			t.Errorf("%s has frames %d to %d, want those from %v to %v after the first", path, first, end, from.Sub(line.start), to.Sub(line.start))
		}
	}
}

// find returns which of the frames a file has: from first to just before end, all of them and no others.
func (l *timeline) find(t *testing.T, path string) (first, end int) {
	t.Helper()
	got := frames(t, path)
	if len(got) == 0 {
		t.Fatalf("%s shows no frame", path)
	}
	first = slices.IndexFunc(l.frames, func(f frame) bool { return f.hash == got[0].hash })
	for i, f := range got {
		if at := first + i; first < 0 || at >= len(l.frames) || l.frames[at].hash != f.hash {
			t.Fatalf("%s: frame %d of %d is not frame %d of what was played", path, i, len(got), at)
		}
	}
	return first, first + len(got)
}

// near reports whether frame i is the first one shown at a time or later, as far as drift allows to say.
func (l *timeline) near(i int, at time.Time) bool {
	after := at.Sub(l.start)
	return (i == len(l.shown) || l.shown[i] >= after-drift) && (i == 0 || l.shown[i-1] < after+drift)
}
