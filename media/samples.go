package media

import "slices"

// Samples describes each sample of one track, a column a property. Slices that describe samples have equal lengths, and so have
// those that describe chunks.
type Samples struct {
	Raw          bool // the track is RawAudio: Durations, Sizes and ChunkCounts are of packets, of which every byte is a sample
	Durations    []uint32
	Sizes        []uint32
	CTS          []int32  // nil when every CTS is 0
	Syncs        []uint32 // index of each sync sample, from 0; nil where every sample is one, as of audio
	ChunkOffsets []int64  // of each chunk, from the first fragment of the extent
	ChunkCounts  []uint32 // samples in each chunk
	ChunkEntries []uint8  // number of the sample entry of each chunk, see EntryList; nil when all are the first
}

// Memory is how many bytes the slices take.
func (s *Samples) Memory() int64 {
	return int64(4*(len(s.Durations)+len(s.Sizes)+len(s.CTS)+len(s.Syncs)+len(s.ChunkCounts)) + 8*len(s.ChunkOffsets) + len(s.ChunkEntries))
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

// SyncBefore returns the last sync sample at or before sample i, or the first sample where there is none.
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

// Slice copies out the samples [first, end); chunks at the ends are narrowed to the samples that stay. The sample entries keep
// their numbers.
func (s *Samples) Slice(first, end int) Samples {
	t := Samples{
		Raw:       s.Raw,
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
			if s.ChunkEntries != nil {
				t.ChunkEntries = append(t.ChunkEntries, s.ChunkEntries[c])
			}
		}
		sample += int(n)
	}
	return t
}

// Renumber gives the sample entries of the chunks new numbers, again in order of first use, after Slice has left some out. It
// returns the number that each of them had. s must have chunks.
func (s *Samples) Renumber() (had []uint8) {
	if s.ChunkEntries == nil {
		return []uint8{0}
	}
	for c, n := range s.ChunkEntries {
		i := slices.Index(had, n)
		if i < 0 {
			i, had = len(had), append(had, n)
		}
		s.ChunkEntries[c] = uint8(i)
	}
	if len(had) == 1 {
		s.ChunkEntries = nil
	}
	return had
}

// Sum counts the samples of a track whose first sample has the DTS start.
func (s *Samples) Sum(start int64) Sums {
	t := Sums{Start: start, Samples: uint32(len(s.Durations)), Syncs: uint32(len(s.Syncs)), Chunks: uint32(len(s.ChunkCounts))}
	if t.Samples == 0 {
		return t
	}
	for range s.ChunkRuns {
		t.ChunkRuns++
	}
	if s.Raw {
		s.sumPackets(&t)
		return t
	}
	last := t.Samples - 1
	t.LastDuration = s.Durations[last]
	t.TimeRuns, t.Duration = countTimes(s.Durations[:last])
	t.Duration += int64(t.LastDuration)
	if s.CTS != nil {
		t.FirstCTS, t.CTSRuns = s.CTS[0], runs(s.CTS)
		if t.CTSRuns == 1 && s.CTS[0] == 0 {
			t.CTSRuns = 0
		}
	}
	return t
}

// sumPackets counts the bytes of packets.
func (s *Samples) sumPackets(t *Sums) {
	t.Samples = 0
	for i, size := range s.Sizes {
		for _, r := range PacketRuns(size, s.Durations[i]) {
			if r.Samples > 0 {
				t.Samples += r.Samples
				t.Duration += int64(r.Samples) * int64(r.Duration)
				t.LastDuration = r.Duration
			}
		}
	}
	for range s.TimeRuns {
		t.TimeRuns++
	}
}

// PacketRuns returns how long the bytes of a packet of RawAudio last: one tick each, and the last byte all that is left, which is
// more where sound is missing behind the packet. A packet that is shorter than its bytes, which nobody should make, has bytes that
// do not last.
func PacketRuns(size, duration uint32) [2]Run {
	switch {
	case size == 0:
		return [2]Run{}
	case duration < size:
		return [2]Run{{duration, 1}, {size - duration, 0}}
	}
	return [2]Run{{size - 1, 1}, {1, duration - size + 1}}
}

// TimeRuns yields the runs of equal durations among all samples but the last one, as stts has them; of RawAudio each byte is a
// sample. Like ChunkRuns, it is ranged over as it is: what a call returned would be allocated.
func (s *Samples) TimeRuns(yield func(Run) bool) {
	if s.Raw {
		s.byteRuns(yield)
		return
	}
	v := s.Durations[:max(0, len(s.Durations)-1)]
	for i := 0; i < len(v); {
		j := i + 1
		for j < len(v) && v[j] == v[i] {
			j++
		}
		if !yield(Run{uint32(j - i), v[i]}) {
			return
		}
		i = j
	}
}

// byteRuns is TimeRuns of packets.
func (s *Samples) byteRuns(yield func(Run) bool) {
	var run Run
	for i, size := range s.Sizes {
		for _, r := range PacketRuns(size, s.Durations[i]) {
			switch {
			case r.Samples == 0:
			case r.Duration == run.Duration:
				run.Samples += r.Samples
			default:
				if run.Samples > 0 && !yield(run) {
					return
				}
				run = r
			}
		}
	}
	if run.Samples > 1 { // without the last byte
		run.Samples--
		yield(run)
	}
}

// A ChunkRun is neighbouring chunks that have equally many samples, and the same sample entry.
type ChunkRun struct {
	Chunk   uint32 // index of the first of them, from 0
	Samples uint32 // in each; of RawAudio, bytes
	Entry   uint8  // number of their sample entry
}

// ChunkRuns yields the runs of chunks, as stsc has them.
func (s *Samples) ChunkRuns(yield func(ChunkRun) bool) {
	var last ChunkRun
	packet := 0
	for c, n := range s.ChunkCounts {
		r := ChunkRun{Chunk: uint32(c), Samples: n}
		if s.Raw {
			r.Samples = uint32(SumSizes(s.Sizes[packet : packet+int(n)]))
			packet += int(n)
		}
		if s.ChunkEntries != nil {
			r.Entry = s.ChunkEntries[c]
		}
		if c > 0 && r.Samples == last.Samples && r.Entry == last.Entry {
			continue
		}
		if last = r; !yield(r) {
			return
		}
	}
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
