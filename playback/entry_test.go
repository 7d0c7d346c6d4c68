package playback

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"nvrfs/schema"
)

// rec is a recording of sample entry 1, in seconds from a start that does not matter.
func rec(number, run int64, sequence int, start, duration float64) schema.Recording {
	return schema.Recording{
		ID: schema.MakeRecordingID(1, number), Run: run, Sequence: sequence,
		Start90k: int64(start * 90000), WallDuration90k: int64(duration * 90000),
		Tracks: []schema.Track{{Entry: 1}, {Entry: 2}},
	}
}

// alike takes sample entries for alike whose ids have the same tens digit, which is not 0.
func alike(a, b int64) bool { return a >= 10 && a/10 == b/10 }

func TestEntryGroups(t *testing.T) {
	other := func(r schema.Recording, entries ...int64) schema.Recording {
		r.Tracks = nil
		for _, e := range entries {
			r.Tracks = append(r.Tracks, schema.Track{Entry: e})
		}
		return r
	}
	for _, c := range []struct {
		name string
		recs []schema.Recording
		want string // numbers of the recordings of each entry
	}{
		{"nothing", nil, "[]"},
		{"one", []schema.Recording{rec(1, 1, 0, 0, 60)}, "[[1]]"},
		{"a run", []schema.Recording{rec(1, 1, 0, 0, 60), rec(2, 1, 1, 60, 60), rec(3, 1, 2, 120, 60)}, "[[1 2 3]]"},
		{"a gap of 2 s", []schema.Recording{rec(1, 1, 0, 0, 60), rec(2, 2, 0, 62, 60)}, "[[1 2]]"},
		{"a gap over 2 s", []schema.Recording{rec(1, 1, 0, 0, 60), rec(2, 2, 0, 62.01, 60)}, "[[1] [2]]"},
		{"an overlap of 2 s", []schema.Recording{rec(1, 1, 0, 0, 60), rec(2, 2, 0, 58, 60)}, "[[1 2]]"},
		{"an overlap over 2 s", []schema.Recording{rec(1, 1, 0, 0, 60), rec(2, 2, 0, 57.9, 60)}, "[[1] [2]]"},
		{"a recording of a run is missing", []schema.Recording{rec(1, 1, 0, 0, 60), rec(3, 1, 2, 61, 60)}, "[[1] [3]]"},
		{"another codec of the video", []schema.Recording{rec(1, 1, 0, 0, 60), other(rec(2, 1, 1, 60, 60), 3, 2), other(rec(3, 1, 2, 120, 60), 3, 2)}, "[[1] [2 3]]"},
		{"another codec of the audio", []schema.Recording{rec(1, 1, 0, 0, 60), other(rec(2, 1, 1, 60, 60), 1, 3)}, "[[1] [2]]"},
		{"the audio is gone", []schema.Recording{rec(1, 1, 0, 0, 60), other(rec(2, 2, 0, 60, 60), 1)}, "[[1] [2]]"},
		{
			"other parameter sets of the same codec",
			[]schema.Recording{other(rec(1, 1, 0, 0, 60), 11, 2), other(rec(2, 1, 1, 60, 60), 12, 2), other(rec(3, 2, 0, 121, 60), 11, 2), other(rec(4, 2, 1, 181, 60), 21, 2)},
			"[[1 2 3] [4]]",
		},
		{"a codec that comes back", []schema.Recording{rec(1, 1, 0, 0, 60), other(rec(2, 1, 1, 60, 60), 3, 2), rec(3, 1, 2, 120, 60)}, "[[1] [2] [3]]"},
		{
			"the clock was set back, and both runs go on",
			[]schema.Recording{rec(1, 1, 0, 0, 60), rec(5, 2, 0, 30, 60), rec(2, 1, 1, 60, 60), rec(6, 2, 1, 90, 60), rec(3, 1, 2, 120, 60)},
			"[[1 2 3] [5 6]]",
		},
		{
			"a run that starts where the one before it ends, and overlaps a third",
			[]schema.Recording{rec(1, 1, 0, 0, 60), rec(7, 3, 0, 20, 60), rec(2, 2, 0, 60, 60), rec(3, 2, 1, 120, 60)},
			"[[1 2 3] [7]]",
		},
		{"the gap is measured from the end of the one before", []schema.Recording{rec(1, 1, 0, 0, 3600), rec(2, 2, 0, 10, 5)}, "[[1] [2]]"},
	} {
		got := [][]int64{}
		for _, g := range entryGroups(c.recs, alike) {
			var numbers []int64
			for _, r := range g {
				numbers = append(numbers, r.ID.Number())
			}
			got = append(got, numbers)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

// TestEntriesTakeEveryRecordingOnce has runs in any state.
func TestEntriesTakeEveryRecordingOnce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var recs []schema.Recording
		for n := range int64(rnd.IntN(60)) {
			recs = append(recs, rec(n+1, rnd.Int64N(5)+1, rnd.IntN(8), float64(rnd.IntN(600)), float64(rnd.IntN(90))))
		}
		slices.SortFunc(recs, func(a, b schema.Recording) int { return int(a.Start90k - b.Start90k) })
		seen := map[schema.RecordingID]bool{}
		n := 0
		for _, g := range entryGroups(recs, alike) {
			for i, r := range g {
				if seen[r.ID] {
					t.Fatalf("recording %s is in two entries", r.ID)
				}
				seen[r.ID] = true
				n++
				if i > 0 && r.Start90k < g[i-1].Start90k {
					t.Fatalf("recording %s comes before one that starts earlier", r.ID)
				}
			}
		}
		if n != len(recs) {
			t.Fatalf("%d recordings of %d are in entries", n, len(recs))
		}
	}
}

func TestManyShortRuns(t *testing.T) {
	var recs []schema.Recording
	for n := range int64(10_000) {
		recs = append(recs, rec(n+1, n+1, 0, float64(n)*0.36, 0.3))
	}
	began := time.Now()
	if got := len(entryGroups(recs, alike)); got != 1 {
		t.Errorf("%d groups", got)
	}
	for i := range recs {
		recs[i].Start90k *= 20
	}
	if got := len(entryGroups(recs, alike)); got != len(recs) {
		t.Errorf("%d groups", got)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestRoundDiv(t *testing.T) {
	for _, c := range [][3]int64{{0, 3, 0}, {1, 2, 1}, {-1, 2, -1}, {1, 3, 0}, {2, 3, 1}, {-2, 3, -1}, {7, 1, 7}, {-7, 2, -4}} {
		if got := roundDiv(c[0], c[1]); got != c[2] {
			t.Errorf("%d / %d is %d, want %d", c[0], c[1], got, c[2])
		}
	}
}
