package media

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Sums of raw sound are those of its bytes, taken one by one.
func TestSumOfRawSound(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		s, each := Samples{Raw: true}, Samples{}
		for range rnd.IntN(6) {
			packets, bytes := 1+rnd.IntN(4), 0
			for range packets {
				size := rnd.Uint32N(5)
				duration := size
				if rnd.IntN(3) == 0 {
					duration = rnd.Uint32N(12)
				}
				s.Sizes, s.Durations = append(s.Sizes, size), append(s.Durations, duration)
				for i := range size {
					d := min(1, max(duration, i)-i)
					if i == size-1 && duration > size {
						d = duration - i
					}
					each.Sizes, each.Durations = append(each.Sizes, 1), append(each.Durations, d)
					bytes++
				}
			}
			entry := uint8(rnd.IntN(2))
			s.ChunkCounts, each.ChunkCounts = append(s.ChunkCounts, uint32(packets)), append(each.ChunkCounts, uint32(bytes))
			s.ChunkEntries, each.ChunkEntries = append(s.ChunkEntries, entry), append(each.ChunkEntries, entry)
		}
		if len(each.Sizes) == 0 {
			continue
		}
		if got, want := s.Sum(7), each.Sum(7); got != want {
			t.Fatalf("seed %d: of packets %+v\nof bytes %+v", seed, got, want)
		}
		if got, want := slices.Collect(s.TimeRuns), slices.Collect(each.TimeRuns); !slices.Equal(got, want) {
			t.Fatalf("seed %d: runs of packets %v, of bytes %v", seed, got, want)
		}
		if got, want := slices.Collect(s.ChunkRuns), slices.Collect(each.ChunkRuns); !slices.Equal(got, want) {
			t.Fatalf("seed %d: chunks of packets %v, of bytes %v", seed, got, want)
		}
	}
}

func TestRenumber(t *testing.T) {
	s := Samples{
		Sizes: []uint32{1, 2, 3, 4}, Durations: []uint32{1, 1, 1, 1}, ChunkOffsets: []int64{0, 1, 3, 6},
		ChunkCounts: []uint32{1, 1, 1, 1}, ChunkEntries: []uint8{0, 3, 1, 3},
	}
	for _, c := range []struct {
		first, end int
		had, now   []uint8
	}{{0, 4, []uint8{0, 3, 1}, []uint8{0, 1, 2, 1}}, {1, 4, []uint8{3, 1}, []uint8{0, 1, 0}}, {3, 4, []uint8{3}, nil}} {
		x := s.Slice(c.first, c.end)
		if had := x.Renumber(); !slices.Equal(had, c.had) || !slices.Equal(x.ChunkEntries, c.now) {
			t.Errorf("[%d, %d): had %v, has %v; want %v and %v", c.first, c.end, had, x.ChunkEntries, c.had, c.now)
		}
	}
	x := Samples{ChunkCounts: []uint32{1}}
	if had := x.Renumber(); !slices.Equal(had, []uint8{0}) {
		t.Errorf("of one sample entry: had %v", had)
	}
}
