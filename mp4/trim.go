package mp4

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"nvrfs/media"
)

// ErrNothingShown says that no frame lies in a range.
var ErrNothingShown = errors.New("no frame in the range")

// Trim returns the part of p whose frames are shown in [from, to), in ticks of the master track since the start of the
// run. It takes in the sync sample before the first such frame, whose lead File hides by an edit list, and the other
// tracks' samples of the same span. An end of p at which no frame is cut off keeps all that the other tracks have there,
// so that p still joins the part before or behind it. It returns ErrNothingShown when there is no such frame.
func (p Part) Trim(from, to int64) (q Part, err error) {
	err = p.load(func(all []media.Samples) (err error) {
		q, err = p.cut(all, from, to)
		return err
	})
	return q, err
}

func (p Part) cut(all []media.Samples, from, to int64) (_ Part, err error) {
	cut, ok := cutMaster(&all[0], p.Tracks[0].Start, from, to)
	if !ok {
		return Part{}, ErrNothingShown
	}
	q, kept := p, make([]media.Samples, len(all))
	q.Tracks = make([]TrackPart, len(all))
	for i, t := range p.Tracks {
		r := cut.sampleRange
		if i > 0 {
			r = cut.other(&all[i], &t, p.Tracks[0].Entry.Timescale)
		}
		kept[i] = all[i].Slice(r.first, r.end)
		if i == 0 && cut.lastDuration > 0 {
			shorten(&kept[i], cut.lastDuration)
		}
		e := t.Entry
		if kept[i].ChunkEntries != nil {
			if e, err = only(e, kept[i].Renumber()); err != nil {
				return Part{}, err
			}
		}
		q.Tracks[i] = TrackPart{Entry: e, Sums: kept[i].Sum(r.dts)}
		q.memory += kept[i].Memory()
	}
	q.narrow(kept)
	q.trimmed, q.lead, q.shownEnd = true, cut.firstPTS-cut.dts, cut.end-cut.dts
	q.ledEnd = max(q.shownEnd, kept[0].End())
	q.Load = func(use func([]media.Samples) error) error { return use(kept) }
	return q, nil
}

// shorten sets how long the last sample lasts. A packet of raw audio loses the bytes that it has no time for.
func shorten(s *media.Samples, duration uint32) {
	last := len(s.Durations) - 1
	s.Durations[last] = duration
	if s.Raw {
		s.Sizes[last] = min(s.Sizes[last], duration)
	}
}

// only returns the sample entry that has the numbered boxes of another.
func only(e *media.SampleEntry, numbers []uint8) (*media.SampleEntry, error) {
	boxes := slices.Collect(e.Boxes)
	kept := *e
	kept.Box = nil
	for _, n := range numbers {
		if int(n) >= len(boxes) {
			return nil, fmt.Errorf("the index names sample entry %d of the %s, of which the row has %d", n+1, e.Kind, len(boxes))
		}
		kept.Box = append(kept.Box, boxes[n]...)
	}
	return &kept, nil
}

// sampleRange is a range of a track's samples.
type sampleRange struct {
	first, end int   // indices
	dts        int64 // of the first
}

// masterCut is the range of samples that showing a range of time takes.
type masterCut struct {
	sampleRange
	firstPTS     int64  // of the first frame shown
	end          int64  // when the last frame shown ends
	lastDuration uint32 // of the last sample, when the cut shortens it; otherwise 0
	cutsStart    bool   // frames are cut off before the range
	cutsEnd      bool   // frames are cut off, or short, behind it
}

// cutMaster finds the samples that showing the frames of [from, to) takes: from the last sync sample at or before the
// first frame shown, to the last in decoding order that is shown. With B-frames the range may hold frames that are shown
// later; they are cut by the edit list's duration.
func cutMaster(s *media.Samples, start, from, to int64) (c masterCut, ok bool) {
	dts := s.DecodeTimes(start)
	first, last := -1, -1 // in order of showing
	pts := func(i int) int64 { return dts[i] + s.CTSOf(i) }
	for i := range s.Durations {
		switch {
		case pts(i) >= to:
			c.cutsEnd = true
		case pts(i) < from:
			c.cutsStart = true
		default:
			if first < 0 || pts(i) < pts(first) {
				first = i
			}
			if last < 0 || pts(i) > pts(last) {
				last = i
			}
			c.sampleRange.end = i + 1
		}
	}
	if first < 0 {
		return c, false
	}
	c.first = s.SyncBefore(first)
	c.dts, c.firstPTS = dts[c.first], pts(first)
	c.end = pts(last) + int64(s.Durations[last])
	c.cutsEnd = c.cutsEnd || to < c.end
	if c.cutsEnd {
		c.end = to
	}
	if last == c.sampleRange.end-1 && c.end-pts(last) <= math.MaxUint32 {
		c.lastDuration = uint32(c.end - pts(last))
	}
	return c, true
}

// other finds the samples of another track that overlap what is shown.
func (c *masterCut) other(s *media.Samples, t *TrackPart, masterTimescale uint32) sampleRange {
	dts := s.DecodeTimes(t.Start)
	r := sampleRange{end: len(s.Durations)}
	if c.cutsStart {
		from := media.Rescale(c.firstPTS, masterTimescale, t.Entry.Timescale)
		for r.first < len(s.Durations) && dts[r.first+1] <= from {
			r.first++
		}
	}
	if c.cutsEnd {
		to := media.Rescale(c.end, masterTimescale, t.Entry.Timescale)
		for r.end > r.first && dts[r.end-1] >= to {
			r.end--
		}
	}
	r.dts = dts[r.first]
	return r
}

// narrow cuts the part's extent to the bytes from the first to the last sample kept.
func (p *Part) narrow(kept []media.Samples) {
	start, end := p.Length, int64(0)
	for i := range kept {
		s, sample := &kept[i], 0
		for c, n := range s.ChunkCounts {
			start = min(start, s.ChunkOffsets[c])
			end = max(end, s.ChunkOffsets[c]+media.SumSizes(s.Sizes[sample:sample+int(n)]))
			sample += int(n)
		}
	}
	for i := range kept {
		for c := range kept[i].ChunkOffsets {
			kept[i].ChunkOffsets[c] -= start
		}
	}
	p.Offset, p.Length = p.Offset+start, end-start
}
