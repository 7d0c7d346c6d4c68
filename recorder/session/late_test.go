package session_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"nvrfs/codec/nal"
	"nvrfs/integration/mp4check"
	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/rtpclock"
	"nvrfs/recorder/volume"
)

// A lateEncoder sends pictures of 25 a second, with B-frames, later than it took them.
type lateEncoder struct {
	open  bool                     // B-frames are shown before the sync sample that they follow
	late  func(at float64) float64 // by how many seconds a picture comes late that was taken then
	right bool                     // sender reports say that its clock is right
}

// record has a session record some pictures as package rtsp does, and returns how many runs that makes.
func (e lateEncoder) record(b *bench.Bench, pictures int64) (runs int) {
	b.T.Helper()
	const gop, group, leastRun = 24, 3, 10.0 // package rtsp has a minute between runs
	s, line, start := b.Session(bench.Camera{}), rtpclock.NewTimeline(90000, 90000, rtpclock.PictureReorder), stampStart()
	decode := nal.NewDecodeTimes()
	decode.Restart(&nal.Reordering{Depth: 1})
	runs, due, came, reported, began := 1, false, 0.0, 0.0, 0.0
	for sent := range pictures {
		first := sent / group * group
		shown := sent - 1 // a B-frame
		switch {
		case sent == first:
			shown = first + group - 1
		case e.open:
		case first%gop == 0:
			shown = sent // those behind the sync sample are sent in the order in which they are shown
		}
		if !e.open && sent == first && first%gop == 0 {
			shown = sent
		}
		if e.open && sent < group && shown < group-1 {
			continue // it leads the first sync sample
		}
		taken := float64(shown) / 25
		came = max(came, taken+e.late(taken))
		for ; e.right && sent > 0 && reported < came; reported += 2 {
			line.Report(uint32(reported*90000), reported)
		}
		pts, fault := line.At(uint32(shown*3600), came)
		due = due || fault.Kind != rtpclock.None
		sync := first%gop == 0 && sent == first
		if sync && due && (runs == 1 || came-began >= leastRun) {
			if err := s.NewRun(nil, "the clock "+fault.String()); err != nil {
				b.T.Fatal(err)
			}
			line.Settle()
			runs, due, began = runs+1, false, came
		}
		dts, pts := decode.Next(nil, pts)
		x := media.Sample{
			DTS: dts, CTS: int32(pts - dts), Duration: 3600, Sync: sync, Data: bench.PictureOf(shown, sync),
			Received: start.Add(time.Duration(came * float64(time.Second))),
		}
		if err := s.Sample(x); err != nil {
			b.T.Fatal(err)
		}
		if sent%100 == 0 {
			b.Commit()
		}
	}
	if err := s.Finish("stopped"); err != nil {
		b.T.Fatal(err)
	}
	b.Commit()
	return runs
}

// TestLateEncoder records encoders that do not keep up. Every picture is shown, in the order in which they were taken, whether their
// times follow arrival or the clock.
func TestLateEncoder(t *testing.T) {
	for name, late := range map[string]func(float64) float64{
		"30 % too slow":        func(at float64) float64 { return max(0, at-3) * 0.43 },
		"once":                 func(at float64) float64 { return min(1.7, max(0, at-3)) },
		"late again and again": func(at float64) float64 { return 2 * math.Pow(math.Sin(max(0, at-5)/2.5), 2) },
	} {
		for _, open := range []bool{false, true} {
			for _, right := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, open %v, right %v", name, open, right), func(t *testing.T) {
					b := bench.New(t, 10*time.Second)
					const pictures = 24*30 + 6
					runs := lateEncoder{open, late, right}.record(b, pictures)
					t.Logf("%d runs", runs)
					if right && runs > 1 && name != "30 % too slow" {
						t.Errorf("%d runs, though the clock is right", runs)
					}
					f := bench.OpenDay(t, b.Dir)
					report, err := mp4check.Check(f, f.Size())
					for _, v := range mp4check.Violations(err) {
						if !open || v.Rule != mp4check.RuleCtsSync { // of pictures that lead an IDR, since those of the bench are nothing else
							t.Error(v)
						}
					}
					samples := slices.Clone(report.Tracks[volume.Video].Samples)
					slices.SortStableFunc(samples, func(a, b mp4check.Sample) int { return cmp.Compare(a.CTS, b.CTS) })
					skipped := 0
					if open {
						skipped = 2
					}
					for i, x := range samples {
						data := make([]byte, x.Size)
						if _, err := f.ReadAt(data, x.Offset); err != nil {
							t.Fatal(err)
						}
						if n := bench.NumberOf(data) - int64(skipped); n != int64(i) {
							t.Fatalf("picture %d of %d is shown at %d, as the one after %d", n, len(samples), x.CTS, i-1)
						}
					}
					if len(samples) != pictures-skipped {
						t.Errorf("%d pictures", len(samples))
					}
				})
			}
		}
	}
}
