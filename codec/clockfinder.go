package codec

import (
	"math"
	"slices"

	"nvrfs/codec/aac"
)

// A clockFinder finds out how many ticks a second the RTP clock of AAC has. RFC 3640 and RFC 6416 have it count the samples that a
// decoder makes, and session descriptions say so; but SBR doubles them, some cameras count those below it, and some say anything.
// The first few timestamps tell, where what is said leaves a doubt.
type clockFinder struct {
	found uint32
	guess uint32 // where the timestamps do not tell
	other []uint32
	rate0 float64 // samples a second, and of a frame, below SBR
	frame float64

	last         uint32 // the timestamp of the last unit
	frames       int    // in it; 0 where packets behind it were lost
	units        int
	span, length float64 // ticks, and frames
}

// Of these, the first that is reached ends the search.
const (
	mostClockUnits   = 4
	mostClockSeconds = 0.4
)

func newClockFinder(c aac.Config, described uint32) clockFinder {
	f := clockFinder{guess: c.Output, rate0: float64(c.Rate), frame: float64(c.Frame)}
	if described == 90000 || described == 2*c.Rate {
		f.guess = described
	}
	if f.other = []uint32{c.Rate, c.Output, described}; c.Output == c.Rate && (described == c.Rate || described == 0) {
		f.found = c.Rate
	}
	return f
}

// rate returns the clock's ticks a second, as far as is known.
func (f *clockFinder) rate() uint32 {
	if f.found != 0 {
		return f.found
	}
	return f.guess
}

func (f *clockFinder) lost() { f.frames = 0 }

// look looks at the timestamp of the next unit.
func (f *clockFinder) look(u Unit) {
	if step := int32(u.Timestamp - f.last); f.frames > 0 && step > 0 {
		f.span += float64(step)
		f.length += float64(f.frames)
	}
	f.last, f.frames = u.Timestamp, len(u.Parts)
	f.units++
	if f.units < mostClockUnits && (f.units < 2 || f.length*f.frame < mostClockSeconds*f.rate0) {
		return
	}
	f.found = f.guess
	if f.length == 0 {
		return
	}
	measured := f.span / f.length * f.rate0 / f.frame
	off := func(c uint32) float64 { return math.Abs(math.Log(measured / float64(c))) }
	const tooFar = 0.3
	if near := slices.MinFunc(f.other, func(a, b uint32) int {
		switch {
		case off(a) < off(b):
			return -1
		case off(a) > off(b):
			return 1
		}
		return 0
	}); off(near) < tooFar {
		f.found = near
	}
}
