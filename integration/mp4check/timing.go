package mp4check

import (
	"math"
	"math/bits"
	"slices"
)

// rescale converts v ticks, rounding down; what does not fit becomes the
// largest number.
func rescale(v uint64, from, to uint32) uint64 {
	hi, lo := bits.Mul64(v, uint64(to))
	if hi >= uint64(from) {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, uint64(from))
	return q
}

// apart returns the distance of a and b.
func apart(a, b uint64) uint64 { return max(a, b) - min(a, b) }

// movieTimes checks the times of all tracks, then those of the movie.
func (c *checker) movieTimes() {
	var longest uint64
	for _, t := range c.report.Tracks {
		longest = max(longest, t.Duration)
		c.durations(t)
		c.edits(t)
		c.composition(t)
		c.syncOrder(t)
		c.audioContinuous(t)
		c.rawAudio(t)
	}
	c.require(c.report.Duration == longest, RuleMvhdDuration,
		"mvhd says %d ticks, the longest track %d", c.report.Duration, longest)
}

// durations checks mdhd against stts, and tkhd against the edits, or without
// any against mdhd, to one tick of the movie.
func (c *checker) durations(t *Track) {
	var sum uint64
	for _, s := range t.Samples {
		sum += uint64(s.Duration)
	}
	c.require(t.MediaDuration == sum, RuleMdhdDuration,
		"%s: mdhd says %d ticks, the samples last %d", t.name(), t.MediaDuration, sum)
	if t.Timescale == 0 || c.report.Timescale == 0 {
		return
	}
	want := rescale(t.MediaDuration, t.Timescale, c.report.Timescale)
	if len(t.Edits) > 0 {
		want = 0
		for _, e := range t.Edits {
			want += e.Duration
		}
	}
	c.require(apart(t.Duration, want) <= 1, RuleTkhdDuration,
		"%s: tkhd says %d ticks of the movie, its edits or media last %d", t.name(), t.Duration, want)
}

// edits checks that every edit shows a span of time that the samples have,
// to one tick of the movie.
func (c *checker) edits(t *Track) {
	if t.Timescale == 0 || c.report.Timescale == 0 {
		return
	}
	start, end := t.span()
	tick := uint64(t.Timescale)/uint64(c.report.Timescale) + 1
	for i, e := range t.Edits {
		last := i == len(t.Edits)-1
		c.require(e.Duration > 0 && (!last || e.MediaTime != -1), RuleEditEmpty,
			"%s: edit %d of %d lasts %d at %d", t.name(), i+1, len(t.Edits), e.Duration, e.MediaTime)
		c.require(e.Rate == 1<<16, RuleEditRate, "%s: edit %d has rate %#x", t.name(), i+1, e.Rate)
		if e.MediaTime == -1 {
			continue
		}
		if !c.require(e.MediaTime >= start && e.MediaTime < end, RuleEditRange,
			"%s: edit %d starts at %d, the media is [%d, %d)", t.name(), i+1, e.MediaTime, start, end) {
			continue
		}
		length := rescale(e.Duration, c.report.Timescale, t.Timescale)
		c.require(length <= uint64(end-e.MediaTime)+tick, RuleEditRange,
			"%s: edit %d lasts %d ticks from %d, the media ends at %d", t.name(), i+1, length, e.MediaTime, end)
	}
}

// composition checks that composition times are neither negative nor equal.
func (c *checker) composition(t *Track) {
	times := make([]int64, len(t.Samples))
	for i := range t.Samples {
		times[i] = t.Samples[i].CTS
		c.require(times[i] >= 0, RuleCtsNegative, "%s: sample %d is composed at %d", t.name(), i+1, times[i])
	}
	slices.Sort(times)
	for i := 1; i < len(times); i++ {
		c.require(times[i-1] < times[i], RuleCtsEqual, "%s: two samples are presented at %d", t.name(), times[i])
	}
}

// syncOrder checks that a sync sample parts those before it in decoding order
// from those after it in presentation as well. Pictures that lead an H.265 IRAP
// may be shown before it, except before those of type BLA_N_LP and IDR_N_LP.
func (c *checker) syncOrder(t *Track) {
	if t.Handler != "vide" {
		return
	}
	shown := int64(math.MinInt64) // last composition time up to here
	bar := int64(math.MinInt64)   // that of the last sync sample without leading pictures
	for i := range t.Samples {
		s := &t.Samples[i]
		c.require(s.CTS >= bar, RuleCtsSync,
			"%s: sample %d is shown at %d, before the sync sample that it follows at %d", t.name(), i+1, s.CTS, bar)
		if s.Sync {
			c.require(s.CTS > shown || i == 0, RuleCtsSync,
				"%s: sync sample %d is shown at %d, one decoded before it at %d", t.name(), i+1, s.CTS, shown)
			if e := t.entryOf(s); e != nil && e.nal != nil && e.nal.closed(s.IRAP) {
				bar = s.CTS
			}
		}
		shown = max(shown, s.CTS)
	}
}

// audioContinuous checks that sound plays in decoding order, and that after at
// most one empty edit at the start each edit goes on where the last one ended.
func (c *checker) audioContinuous(t *Track) {
	if t.Handler != "soun" || t.Timescale == 0 || c.report.Timescale == 0 {
		return
	}
	for i := range t.Samples {
		s := &t.Samples[i]
		c.require(s.CTS == s.DTS, RuleAudioGap,
			"%s: sample %d is decoded at %d and presented at %d", t.name(), i+1, s.DTS, s.CTS)
	}
	tick := uint64(t.Timescale)/uint64(c.report.Timescale) + 1
	for i := 1; i < len(t.Edits); i++ {
		last, e := t.Edits[i-1], t.Edits[i]
		if i == 1 && last.MediaTime == -1 && e.MediaTime >= 0 {
			continue
		}
		joins := last.MediaTime >= 0 && e.MediaTime >= last.MediaTime &&
			apart(uint64(e.MediaTime-last.MediaTime), rescale(last.Duration, c.report.Timescale, t.Timescale)) <= tick
		c.require(joins, RuleAudioGap, "%s: edit %d at %d does not go on where edit %d at %d ended",
			t.name(), i+1, e.MediaTime, i, last.MediaTime)
	}
}
