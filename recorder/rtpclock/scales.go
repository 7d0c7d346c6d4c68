package rtpclock

import (
	"math"
	"slices"
)

// A scale tells the times of timestamps. It bends where the clock was mended, and never falls, so that pictures are shown in the order
// of their timestamps, in whatever order they come: with B-frames, one comes before others that are shown before it. So each change is
// one for timestamps that are greater than the greatest that came.
//
//	time                   /  now
//	           ┌──────────o
//	           │  between
//	 before ───o
//	       border        first        timestamp
type scale struct {
	bends  []bend  // in order; the first is where it began
	ticks  float64 // that pass in one of a clock that is right
	passes float64 // seconds of timestamps that pass in one behind the last bend; 1 where the clock is right
}

// A bend is a timestamp, extended, and its time.
type bend struct{ ext, time int64 }

// mostBends is how many are kept: more than there are among pictures that are to be shown before one that came.
const mostBends = 2 * mostBelow

// time returns that of a timestamp.
func (s *scale) time(ext int64) int64 {
	last := len(s.bends) - 1
	b := s.bends[last]
	if ext < b.ext && last > 0 {
		i, _ := slices.BinarySearchFunc(s.bends, ext, func(b bend, ext int64) int {
			if b.ext < ext {
				return -1
			}
			return 1
		})
		if i > 0 { // at a step, the time before it
			a, b := s.bends[i-1], s.bends[i]
			return b.time - int64(float64(b.ext-ext)/float64(b.ext-a.ext)*float64(b.time-a.time))
		}
		b = s.bends[0]
	}
	if s.passes == 1 && s.ticks == 1 {
		return b.time + ext - b.ext
	}
	return b.time + int64(math.Round(float64(ext-b.ext)*s.ticks/s.passes))
}

// restart has the scale begin at a bend.
func (s *scale) restart(at bend) { s.bends = []bend{at} }

// shift has timestamps from one on go by other times. border is the greatest so far.
func (s *scale) shift(border, first bend) {
	s.add(border)
	if step := (bend{border.ext, first.time - int64(float64(first.ext-border.ext)*s.ticks/s.passes)}); step.time > border.time {
		s.add(step)
	}
	s.add(first)
}

// rate has timestamps count faster, or more slowly, behind the greatest so far.
func (s *scale) rate(passes float64, border bend) {
	s.add(border)
	s.passes = passes
}

func (s *scale) add(b bend) {
	last := s.bends[len(s.bends)-1]
	if b == last {
		return
	}
	if b.ext < last.ext || b.time < last.time { // of before the clock jumped, or stood
		s.bends = s.bends[:0]
	}
	if len(s.bends) == mostBends {
		s.bends = slices.Delete(s.bends, 0, 1)
	}
	s.bends = append(s.bends, b)
}

// scales are the scale of a track, and that of before its clock jumped, so that timestamps have another order than before: some may
// come still, and each goes by the scale whose timestamps are nearest.
type scales struct {
	now    scale
	before scale
	left   int   // how many more access units may go by before; 0 where it is forgotten
	border int64 // the greatest timestamp of before
	first  int64 // the first timestamp of now
}

// jumping reports whether the scale of before is not forgotten.
func (s *scales) jumping() bool { return s.left > 0 }

// restart forgets the scale of before, and has the other begin at a bend.
func (s *scales) restart(at bend) {
	s.left = 0
	s.now.restart(at)
}

// jump begins a scale at a bend that has nothing to do with what was before.
func (s *scales) jump(border int64, at bend) {
	s.before, s.left, s.border, s.first = s.now, mostBelow, border, at.ext
	s.now.restart(at)
}

// of returns the scale by which a timestamp goes.
func (s *scales) of(ext int64) *scale {
	if s.left > 0 && distance(ext, s.first) > distance(ext, s.border) {
		return &s.before
	}
	return &s.now
}

// take returns the time of the next access unit.
func (s *scales) take(ext int64) int64 {
	by := s.of(ext)
	if s.left > 0 {
		if s.left--; s.left == 0 {
			s.now = *by
			return s.now.time(ext)
		}
	}
	return by.time(ext)
}

func distance(a, b int64) int64 { return max(a-b, b-a) }
