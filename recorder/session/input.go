package session

import (
	"math"
	"time"

	"nvrfs/media"
)

// A camera's timestamps are mended before a session sees them. What still does not fit is put where it does: nothing that a camera
// sends ends a session.
const (
	mostLeap    = 10 * time.Second       // by which a track may be ahead of where its arrival puts it
	mostStep    = time.Second            // back, after which a picture still follows the one before it at once
	mostOverlap = 500 * time.Millisecond // the same of sound; what overlaps by more is left out
)

// input is where the samples of a track come in. Its times are since the start of the run.
type input struct {
	entry    media.SampleEntry // of the newest sample
	pending  []media.Sample    // wait for a fragment
	last     int64             // DTS of the newest sample; -1 before the first
	least    int64             // DTS of the next one at the earliest
	received time.Time         // when the newest came
	shift    int64             // what is added to the camera's times
	before   int64             // what shift was before it changed
	stands   bool              // the newest timestamp did not follow the one before it
	usual    uint32            // how long the source says that a sample lasts as a rule
	typical  uint32            // how long the last sample of the last fragment lasts

	// Sound with another sample entry waits for another recording.
	next   *media.SampleEntry
	behind []media.Sample
}

func newInput(e media.SampleEntry) input { return input{entry: e, last: -1} }

func (in *input) ticks(d time.Duration) int64 {
	return media.Rescale(media.Ticks(d), media.TicksPerSecond, in.entry.Timescale)
}

// due is when a sample of the track is due that came at a time, if it lasts from the newest one until then.
func (in *input) due(received time.Time) int64 { return in.last + in.ticks(received.Sub(in.received)) }

// add notes the newest sample, and returns it as it is to be kept.
func (in *input) add(x media.Sample) media.Sample {
	x.Size = uint32(len(x.Data))
	in.last, in.least, in.received, in.usual = x.DTS, x.DTS+1, x.Received, max(1, x.Duration)
	if in.entry.Kind == media.RawAudio {
		in.least = x.DTS + max(1, int64(x.Size))
	}
	return x
}

// place gives a sample its time in the run. It reports false for sound that has none.
func (s *Session) place(x *media.Sample) bool {
	in := &s.in[x.Track]
	x.DTS += in.shift - s.fromMaster(s.base, x.Track)
	if x.Track == master {
		s.placeMaster(in, x)
		return true
	}
	if nearly := -int64(in.entry.Timescale) / 1000; x.DTS < 0 && x.DTS >= nearly {
		x.DTS = 0 // it starts with the picture: the two clocks only round differently
	}
	if x.DTS < 0 && in.last < 0 {
		return false // sound from before the first picture
	}
	return s.placeOther(in, x)
}

// placeMaster mends the time of a sample of the master, none of which is left out. A timestamp that does not follow the last by a
// little is put right behind that, so that its picture is shown when it was. Any other, and the next that does not follow either, is
// put when the sample came, and the camera's times are shifted from then on, until they are again what they were before.
func (s *Session) placeMaster(in *input, x *media.Sample) {
	if in.last < 0 {
		return
	}
	pts, due, far := x.PTS(), in.due(x.Received), in.ticks(mostStep)
	if back := x.DTS - in.shift + in.before; in.shift != in.before && back >= in.least && abs(back-due) <= far && abs(x.DTS-due) > far {
		x.DTS, in.shift = back, in.before
	}
	stands := x.DTS < in.least
	switch {
	case x.DTS > due+in.ticks(mostLeap), stands && (in.stands || x.DTS < due-far):
		to := max(in.least, due)
		in.before, in.shift, x.DTS = in.shift, in.shift+to-x.DTS, to
	case stands:
		x.DTS = in.least
		x.CTS = int32(min(max(0, pts-x.DTS), math.MaxInt32))
	default:
		in.stands = false
		return
	}
	in.stands = stands
	if s.said.once("master times") {
		s.o.Log.Warn("timestamps of the camera's "+in.entry.Kind.String()+" stand still, go back or leap; where they do, it is recorded with the times at which it comes",
			"do", "update the camera's firmware, if this goes on")
	}
}

func abs(v int64) int64 { return max(v, -v) }

// placeOther mends the time of a sample of another track than the master, and reports whether the sample has one.
func (s *Session) placeOther(in *input, x *media.Sample) bool {
	m := &s.in[master]
	due := media.Rescale(m.due(x.Received), m.entry.Timescale, in.entry.Timescale)
	most, off, ok := in.ticks(mostLeap), x.DTS-due, true
	if off > most || off < -most && (in.last < 0 || x.DTS < in.least) {
		in.shift, x.DTS, ok = in.shift-off, due, false
	}
	if x.DTS < in.least {
		ok = false
		if in.least-x.DTS > in.ticks(mostOverlap) {
			s.sayOther(in)
			return false
		}
		x.DTS = in.least
	}
	if !ok {
		s.sayOther(in)
	}
	return x.DTS >= 0 && x.DTS <= due+2*most
}

func (s *Session) sayOther(in *input) {
	if s.said.once("other times") {
		s.o.Log.Warn("timestamps of the camera's "+in.entry.Kind.String()+" stand still, go back or leap; where they do, some of it is left out or moved",
			"do", "switch the camera's sound off and on again, or update its firmware, if this goes on")
	}
}

// said is what a session has logged once.
type said map[string]bool

func (s said) once(what string) bool {
	first := !s[what]
	s[what] = true
	return first
}

// drop forgets the samples that wait for another recording, and that there is to be one.
func (in *input) drop(waiting *int) {
	for i := range in.behind {
		*waiting -= len(in.behind[i].Data) + sampleBytes
	}
	in.next, in.behind = nil, nil
}
