package mp4

import (
	"fmt"
	"io"
)

// A Part is what one recording contributes to a File: a stretch of its sample file, and for each track the figures from
// which sizes and times follow without touching the samples.
type Part struct {
	Name     string      // of the recording, for errors
	Run      int64       // parts of one run share one clock
	Sequence int         // place in the run; a part continues the one before it when this is one more
	Source   io.ReaderAt // the sample file
	Offset   int64       // of the stretch in Source
	Length   int64       // of the stretch

	// Tracks has at most one track of each kind. The first is the master: the others' times are placed by its clock.
	Tracks []TrackPart

	// Load decodes the recording's index, and lends it to use: one Samples for each of Tracks, in memory that is someone
	// else's when use returns. Each call may decode anew.
	Load func(use func([]Samples) error) error

	trimmed  bool
	lead     int64 // master ticks from the first sample's DTS to the first shown PTS
	shownEnd int64 // master ticks from the first sample's DTS to the end of what is shown
	ledEnd   int64 // the same, to the end of the frames that B-frames which are shown lead up to
	memory   int64 // bytes that Load holds on to
}

// TrackPart counts what one track has in a Part. All times are in Entry.Timescale. Entry is shared, and never changes.
type TrackPart struct {
	Entry        *SampleEntry
	Start        int64  // DTS of the first sample, since the start of the run
	Duration     int64  // of all samples, the last included
	LastDuration uint32 // of the last sample
	FirstCTS     int32  // of the first sample

	Samples   uint32
	Syncs     uint32 // sync samples; not counted for audio, where every sample is one
	TimeRuns  uint32 // runs of equal durations among all samples but the last
	CTSRuns   uint32 // runs of equal CTS; 0 when every CTS is 0
	Chunks    uint32
	ChunkRuns uint32 // runs of chunks with equally many samples
}

// Samples describes each sample of one track of a Part. Slices that describe samples have equal lengths.
type Samples struct {
	Durations    []uint32
	Sizes        []uint32
	CTS          []int32  // nil when every CTS is 0
	Syncs        []uint32 // index of each sync sample, from 0; nil for audio
	ChunkOffsets []int64  // of each chunk from the start of the stretch
	ChunkCounts  []uint32 // samples in each chunk
}

// window returns what of the part is shown, in master ticks from its first sample's DTS.
func (p *Part) window() (lead, end int64) {
	if p.trimmed {
		return p.lead, p.shownEnd
	}
	m := &p.Tracks[0]
	return int64(m.FirstCTS), int64(m.FirstCTS) + m.Duration
}

// memory is how many bytes the slices take.
func (s *Samples) memory() int64 {
	return int64(4*(len(s.Durations)+len(s.Sizes)+len(s.CTS)+len(s.Syncs)+len(s.ChunkCounts)) + 8*len(s.ChunkOffsets))
}

// cts returns the composition offset of sample i.
func (s *Samples) cts(i int) int64 {
	if s.CTS == nil {
		return 0
	}
	return int64(s.CTS[i])
}

// load lends the decoded index, checked to have what the row promised, so that no table is ever longer or shorter than the
// size computed for it.
func (p *Part) load(use func([]Samples) error) error {
	var failed error // of use, which needs no more words
	err := p.Load(func(all []Samples) error {
		if err := p.check(all); err != nil {
			return err
		}
		failed = use(all)
		return nil
	})
	if err != nil {
		return fmt.Errorf("index of recording %s: %w", p.Name, err)
	}
	return failed
}

func (p *Part) check(all []Samples) error {
	if len(all) != len(p.Tracks) {
		return fmt.Errorf("it has %d tracks, its row %d", len(all), len(p.Tracks))
	}
	for i := range all {
		want := &p.Tracks[i]
		if got := Count(want.Entry, want.Start, &all[i]); got != *want {
			got.Entry = nil
			return fmt.Errorf("it disagrees with its row about track %d: %+v, not %+v", i+1, got, *want)
		}
	}
	return nil
}

// Count sums up a track whose first sample has the DTS start.
func Count(e *SampleEntry, start int64, s *Samples) TrackPart {
	t := TrackPart{Entry: e, Start: start, Samples: uint32(len(s.Durations)), Syncs: uint32(len(s.Syncs)), Chunks: uint32(len(s.ChunkCounts))}
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

// countTimes counts the stretches of equal durations, and adds the durations up.
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

// runs counts the stretches of equal values.
func runs[T comparable](v []T) (n uint32) {
	for i := range v {
		if i == 0 || v[i] != v[i-1] {
			n++
		}
	}
	return n
}
