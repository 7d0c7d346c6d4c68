package mp4

import (
	"fmt"
	"io"

	"nvrfs/media"
)

// An Extent is a range of bytes of an object. The object is whatever holds recordings: a sample file holds one, others many.
type Extent struct {
	Object io.ReaderAt
	Offset int64 // in Object, where the range begins
	Length int64 // bytes
}

// A Part is what one recording contributes to a File: an extent of its sample file, and for each track the figures from
// which sizes and times follow without touching the samples.
type Part struct {
	Name     string // of the recording, for errors
	Run      int64  // parts of one run share one clock
	Sequence int    // place in the run; a part continues the one before it when this is one more
	Extent          // the recording's fragments

	// Tracks has at most one track of each kind. The first is the master: the others' times are placed by its clock.
	Tracks []TrackPart

	// Load decodes the recording's index, and lends it to use: one Samples for each of Tracks, in memory that is someone
	// else's when use returns. Each call may decode anew.
	Load func(use func([]media.Samples) error) error

	trimmed  bool
	lead     int64 // master ticks from the first sample's DTS to the first shown PTS
	shownEnd int64 // master ticks from the first sample's DTS to the end of what is shown
	ledEnd   int64 // the same, to the end of the frames that B-frames which are shown lead up to
	memory   int64 // bytes that Load holds on to
}

// TrackPart counts what one track has in a Part. All times are in Entry.Timescale. Entry is shared, and never changes; it may stand
// for several, which the index numbers in the order of its boxes.
type TrackPart struct {
	Entry *media.SampleEntry
	media.Sums
	Runs media.Runs // of the durations, so that they are known without Load; may be empty
}

// window returns what of the part is shown, in master ticks from its first sample's DTS.
func (p *Part) window() (lead, end int64) {
	if p.trimmed {
		return p.lead, p.shownEnd
	}
	m := &p.Tracks[0]
	return int64(m.FirstCTS), int64(m.FirstCTS) + m.Duration
}

// load lends the decoded index, checked to have what the row promised, so that no table is ever longer or shorter than the
// size computed for it.
func (p *Part) load(use func([]media.Samples) error) error {
	var failed error // of use, which needs no more words
	err := p.Load(func(all []media.Samples) error {
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

func (p *Part) check(all []media.Samples) error {
	if len(all) != len(p.Tracks) {
		return fmt.Errorf("it has %d tracks, its row %d", len(all), len(p.Tracks))
	}
	for i := range all {
		want := &p.Tracks[i]
		if got := all[i].Sum(want.Start); got != want.Sums {
			return fmt.Errorf("it disagrees with its row about track %d: %+v, not %+v", i+1, got, want.Sums)
		}
	}
	return nil
}
