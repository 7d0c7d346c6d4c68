package media

import "slices"

// Samples describes each sample of one track, a column a property. Slices that describe samples have equal lengths.
type Samples struct {
	Durations    []uint32
	Sizes        []uint32
	CTS          []int32  // nil when every CTS is 0
	Syncs        []uint32 // index of each sync sample, from 0; nil for audio
	ChunkOffsets []int64  // of each chunk, from the first fragment of the extent
	ChunkCounts  []uint32 // samples in each chunk
}

// Memory is how many bytes the slices take.
func (s *Samples) Memory() int64 {
	return int64(4*(len(s.Durations)+len(s.Sizes)+len(s.CTS)+len(s.Syncs)+len(s.ChunkCounts)) + 8*len(s.ChunkOffsets))
}

// CTSOf returns the composition offset of sample i, from 0.
func (s *Samples) CTSOf(i int) int64 {
	if s.CTS == nil {
		return 0
	}
	return int64(s.CTS[i])
}

// DecodeTimes returns the DTS of each sample, and of the end.
func (s *Samples) DecodeTimes(start int64) []int64 {
	dts := make([]int64, len(s.Durations)+1)
	dts[0] = start
	for i, d := range s.Durations {
		dts[i+1] = dts[i] + int64(d)
	}
	return dts
}

// End returns when the last of the samples is over, since the DTS of the first.
func (s *Samples) End() (end int64) {
	dts := s.DecodeTimes(0)
	for i, d := range s.Durations {
		end = max(end, dts[i]+s.CTSOf(i)+int64(d))
	}
	return end
}

// SyncBefore returns the last sync sample at or before sample i.
func (s *Samples) SyncBefore(i int) int {
	if s.Syncs == nil {
		return i
	}
	sync := 0
	for _, x := range s.Syncs {
		if int(x) <= i {
			sync = int(x)
		}
	}
	return sync
}

// Slice copies out the samples [first, end); chunks at the ends are narrowed to the samples that stay.
func (s *Samples) Slice(first, end int) Samples {
	t := Samples{
		Durations: slices.Clone(s.Durations[first:end]),
		Sizes:     slices.Clone(s.Sizes[first:end]),
	}
	if s.CTS != nil {
		t.CTS = slices.Clone(s.CTS[first:end])
	}
	for _, x := range s.Syncs {
		if int(x) >= first && int(x) < end {
			t.Syncs = append(t.Syncs, x-uint32(first))
		}
	}
	sample := 0
	for c, n := range s.ChunkCounts {
		from, to := max(sample, first), min(sample+int(n), end)
		if from < to {
			t.ChunkOffsets = append(t.ChunkOffsets, s.ChunkOffsets[c]+SumSizes(s.Sizes[sample:from]))
			t.ChunkCounts = append(t.ChunkCounts, uint32(to-from))
		}
		sample += int(n)
	}
	return t
}

// Sum counts the samples of a track whose first sample has the DTS start.
func (s *Samples) Sum(start int64) Sums {
	t := Sums{Start: start, Samples: uint32(len(s.Durations)), Syncs: uint32(len(s.Syncs)), Chunks: uint32(len(s.ChunkCounts))}
	if t.Samples == 0 {
		return t
	}
	last := t.Samples - 1
	t.LastDuration = s.Durations[last]
	t.TimeRuns, t.Duration = countTimes(s.Durations[:last])
	t.Duration += int64(t.LastDuration)
	t.ChunkRuns = runs(s.ChunkCounts)
	if s.CTS != nil {
		t.FirstCTS, t.CTSRuns = s.CTS[0], runs(s.CTS)
		if t.CTSRuns == 1 && s.CTS[0] == 0 {
			t.CTSRuns = 0
		}
	}
	return t
}

// countTimes counts the runs of equal durations, which stts has a row for, and adds the durations up.
func countTimes(v []uint32) (runs uint32, sum int64) {
	last := ^uint32(0)
	if len(v) > 0 {
		last = ^v[0]
	}
	for _, d := range v {
		if d != last {
			runs++
		}
		sum, last = sum+int64(d), d
	}
	return runs, sum
}

// runs counts the runs of equal values.
func runs[T comparable](v []T) (n uint32) {
	for i := range v {
		if i == 0 || v[i] != v[i-1] {
			n++
		}
	}
	return n
}

// SumSizes adds up sizes.
func SumSizes(v []uint32) (n int64) {
	for _, x := range v {
		n += int64(x)
	}
	return n
}
