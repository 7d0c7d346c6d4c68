package session

import (
	"math"
	"slices"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/volume"
)

// lateSound is how long a fragment waits for the other tracks' samples of its span: by the camera's clock, or by the host's.
const lateSound = time.Second

// leastFragment90k is the least that a fragment lasts between two sync samples: of Motion JPEG and of sound, every sample is one, and
// a fragment costs some 200 bytes.
const leastFragment90k = 90000 / 2

// mostFragmentWait is how long after its first sample came a fragment is cut, whatever its clock says.
const mostFragmentWait = 5 * time.Second

// leastEndless90k is how long a recording lasts at least that ends though no sync sample comes: longer than the time between those
// that any camera sends on purpose.
const leastEndless90k = 5 * 60 * 90000

// cut says before which samples a fragment ends.
type cut struct {
	samples       int                // of the master, pending, before it
	dts           int64              // of the sample of the master behind it
	received      time.Time          // when the cut was made
	start90k      int64              // of the recording that the fragment belongs to
	correction90k int64              // by how much longer than its media that recording lasts so far
	next          *media.SampleEntry // of the master, behind it, when it is another
	ends          *ends              // not nil when the recording ends too
	others        bool               // the recording behind it has other sample entries of the other tracks
}

// ends says how a recording ended.
type ends struct {
	wallDuration90k int64  // when the run goes on
	reason          string // why the run ended; empty when it goes on
}

func (s *Session) planEnd() {
	length90k := s.o.Length90k
	if s.clock.first {
		length90k = min(length90k, firstLength90k)
	}
	s.endAt90k = volume.EndAfter(s.clock.start90k, length90k, s.o.Stagger90k)
}

// cutBefore looks at a sample of the master that is about to become pending, and cuts before it where a fragment is to end.
func (s *Session) cutBefore(x *media.Sample) error {
	pts90k := s.to90k(x.PTS())
	if err := s.clock.see(pts90k, x.Received); err != nil {
		return err
	}
	if s.clock.first {
		s.planEnd() // the start may have moved, even to before a quarter of an hour
	}
	in, from := &s.in[master], 0
	if len(in.pending) == 0 {
		return nil
	}
	if len(s.cuts) > 0 {
		from = s.cuts[len(s.cuts)-1].samples
	}
	end := s.recordingEnds(x.Sync, pts90k)
	if !end && !s.fragmentEnds(&in.pending[from], x) {
		return nil
	}
	c := cut{
		samples: len(in.pending), dts: x.DTS, received: x.Received,
		start90k: s.clock.start90k, correction90k: s.clock.correction90k(pts90k),
	}
	if x.Sync {
		s.changeEntry(&c)
	} else {
		var pts int64
		c.samples, c.dts, pts = s.lastInOrder(from, x)
		pts90k = s.to90k(pts)
	}
	if end {
		s.endRecording(&c, pts90k)
	}
	s.cuts = append(s.cuts, c)
	return nil
}

// recordingEnds reports whether the recording is to end before a sample of the master.
func (s *Session) recordingEnds(sync bool, pts90k int64) bool {
	if !s.clock.settled() {
		return sync && s.entryEnds()
	}
	now90k := s.clock.wall90k(pts90k)
	if sync {
		return now90k >= s.endAt90k || s.clock.off() || s.entryEnds()
	}
	if now90k-s.clock.start90k >= max(leastEndless90k, 2*s.o.Length90k) {
		if s.said.once("endless") {
			s.o.Log.Warn("for minutes, the camera has sent no picture from which decoding can start; recordings are cut in between, and a file that begins with such a recording shows nothing until the next picture from which decoding can start",
				"do", "set the camera's I-frame interval (GOP) to 2 seconds, and switch its smart codec (H.264+, H.265+, Zipstream) off")
		}
		return true
	}
	error90k := s.clock.error90k()
	return s.clock.off() && max(error90k, -error90k) >= worstError90k
}

// entryEnds reports whether the recording cannot go on with the sample entries that samples have from now on.
func (s *Session) entryEnds() bool {
	if s.othersChange() {
		return true
	}
	if s.newEntry == nil {
		return false
	}
	if !s.newEntry.Alike(&s.in[master].entry) {
		return true
	}
	_, ok := s.used.Number(s.newEntry)
	return !ok
}

// fragmentEnds reports whether a fragment that starts with a pending sample ends before x.
func (s *Session) fragmentEnds(first, x *media.Sample) bool {
	lasts90k, waited := s.to90k(x.DTS-first.DTS), x.Received.Sub(first.Received)
	if x.Sync {
		long := lasts90k >= leastFragment90k || media.Ticks(waited) >= leastFragment90k
		return long || !first.Sync || s.newEntry != nil || s.waiting > maxWaiting
	}
	return lasts90k >= volume.MaxFragment90k || waited >= mostFragmentWait || s.waiting > maxWaiting
}

// lastInOrder returns the last sample of the master after from, x at most, that is shown after all that are decoded before it.
// Where a fragment ends before it, all of them can be shown: none is one that B-frames lead up to which have not come.
func (s *Session) lastInOrder(from int, x *media.Sample) (sample int, dts, pts int64) {
	p := append(slices.Clone(s.in[master].pending[from:]), *x)
	sample, dts = from+len(p)-1, x.DTS
	pts = p[0].PTS()
	for i := 1; i < len(p); i++ {
		if at := p[i].PTS(); at > pts {
			pts, sample, dts = at, from+i, p[i].DTS
		}
	}
	return sample, dts, pts
}

// changeEntry has the fragment behind a cut begin with another sample entry of the master, if there is one.
func (s *Session) changeEntry(c *cut) {
	if s.newEntry == nil {
		return
	}
	c.next, s.newEntry = s.newEntry, nil
	s.in[master].entry = *c.next
}

// endRecording has the recording end with a cut, before a sample of the master.
func (s *Session) endRecording(c *cut, pts90k int64) {
	off := s.clock.off()
	c.ends, c.others = &ends{wallDuration90k: s.clock.next(pts90k)}, s.othersChange()
	s.used = media.EntryList{}
	s.used.Number(&s.in[master].entry)
	s.planEnd()
	if off && s.said.once("clock") {
		s.o.Log.Warn("the camera's clock is off; footage has the times at which pictures come",
			"reason", s.clock.rateText(), "do", "set a fixed frame rate at the camera, or update its firmware, if players show it too fast or too slow")
	}
}

// othersChange reports whether another track than the master waits for another recording.
func (s *Session) othersChange() bool {
	return slices.ContainsFunc(s.in, func(in input) bool { return in.next != nil })
}

// changeOthers records the other tracks whose sample entries have changed behind the last cut, if that was made for them. What came
// of them since they changed and belongs before the cut is left out.
func (s *Session) changeOthers() error {
	if len(s.cuts) == 0 || !s.cuts[len(s.cuts)-1].others {
		return nil
	}
	c := s.cuts[len(s.cuts)-1]
	if err := s.flush(true); err != nil { // nothing more comes that has the sample entry of before
		return err
	}
	for i := range s.in {
		in := &s.in[i]
		if in.next == nil {
			continue
		}
		behind, from := in.behind, in.entry.Timescale
		to := newInput(*in.next)
		to.least, to.shift = media.Rescale(in.least, from, to.entry.Timescale), media.Rescale(in.shift, from, to.entry.Timescale)
		to.before = to.shift
		in.drop(&s.waiting)
		*in, s.tracks[i] = to, to.entry
		for _, x := range behind {
			if s.place(&x) && x.DTS >= s.fromMaster(c.dts, i) {
				s.take(&x)
			}
		}
	}
	return nil
}

// flush writes the fragments before all cuts that are ready; with force, before all cuts.
func (s *Session) flush(force bool) error {
	for len(s.cuts) > 0 && (force || s.ready(&s.cuts[0])) {
		c := s.cuts[0]
		s.cuts = s.cuts[1:]
		for i := range s.cuts {
			s.cuts[i].samples -= c.samples
		}
		if err := s.write(s.takeBefore(&c), &c); err != nil {
			return err
		}
	}
	return nil
}

// ready reports whether every other track has come as far as the cut, or is too late to wait for.
func (s *Session) ready(c *cut) bool {
	m := &s.in[master]
	if m.last >= c.dts+m.ticks(lateSound) || s.newest.Sub(c.received) >= lateSound {
		return true
	}
	for i := range s.in {
		if s.in[i].last < s.fromMaster(c.dts, i) {
			return false
		}
	}
	return true
}

// takeBefore moves the samples before a cut out of pending. A sample lasts until the next one of its track, so one whose next
// one has not come stays.
func (s *Session) takeBefore(c *cut) [][]media.Sample {
	tracks := make([][]media.Sample, len(s.in))
	for i := range s.in {
		in := &s.in[i]
		p, n, last := in.pending, c.samples, uint32(0)
		switch {
		case i == master:
		case in.next != nil && c.ends != nil:
			n, last = len(p), s.typicalDuration(in)
		default:
			for n = 0; n+1 < len(p) && p[n].DTS < s.fromMaster(c.dts, i); {
				n++
			}
		}
		tracks[i] = fragmentTrack(p, n, last)
		s.taken(in, tracks[i])
	}
	return tracks
}

// taken moves samples that are in a fragment out of pending.
func (s *Session) taken(in *input, samples []media.Sample) {
	for i := range samples {
		s.waiting -= len(samples[i].Data) + sampleBytes
	}
	in.pending = slices.Clone(in.pending[len(samples):])
	if n := len(samples); n > 0 {
		in.typical = samples[n-1].Duration
	}
}

// writeRest writes what is pending as the end of the run; with last, no other run follows at once.
func (s *Session) writeRest(reason string, last bool) error {
	if err := s.flush(true); err != nil {
		return err
	}
	tracks := make([][]media.Sample, len(s.in))
	for i := range s.in {
		in := &s.in[i]
		lasts := s.endDuration(i)
		if i == master && last {
			lasts = s.endSooner(lasts)
		}
		tracks[i] = fragmentTrack(in.pending, len(in.pending), uint32(max(1, lasts)))
		s.taken(in, tracks[i])
	}
	return s.write(tracks, &cut{
		start90k: s.clock.start90k, correction90k: s.clock.correction90k(s.to90k(s.in[master].last)), ends: &ends{reason: reason},
	})
}

// endDuration is how long the last sample of a run lasts: as is typical. Where there are B-frames, the one decoded last is not
// the one shown last, and lasts until that is over, so that readers who add up durations show all of it.
func (s *Session) endDuration(track int) int64 {
	in := &s.in[track]
	typical, p := s.typicalDuration(in), in.pending
	if track != master || len(p) == 0 {
		return int64(typical)
	}
	firstCTS, last, end := p[0].CTS, &p[len(p)-1], int64(0)
	if s.rec != nil {
		firstCTS = s.rec.firstCTS
	}
	for i, x := range p {
		duration := int64(typical)
		if i+1 < len(p) {
			duration = p[i+1].DTS - x.DTS
		}
		end = max(end, x.PTS()+duration)
	}
	return end - int64(firstCTS) - last.DTS
}

// endSooner has the last samples of a run decoded sooner where the last one would have to last less than nothing for the recording to
// end when its pictures do. It returns how long that lasts then. In an open GOP, pictures are decoded behind a sync sample that are
// shown before it.
func (s *Session) endSooner(lasts int64) int64 {
	p := s.in[master].pending
	if lasts >= 0 || p[len(p)-1].DTS-p[0].DTS < -3*lasts {
		return lasts // nothing is to be done, or there are too few
	}
	for try := 0; lasts < 0 && try < 16; try++ { // since the picture that is shown last lasts a little less then
		decodeSooner(p, 1-lasts)
		lasts = s.endDuration(master)
	}
	return lasts
}

// decodeSooner has the last of some samples decoded sooner by some ticks, and those before it in proportion. They are shown when they
// were.
func decodeSooner(p []media.Sample, by int64) {
	first := p[0].DTS
	span, before := p[len(p)-1].DTS-first, first-1
	for i := range p {
		x, at := &p[i], first+(p[i].DTS-first)*(span-by)/span
		at = max(at, before+1)
		if cts := x.PTS() - at; cts <= math.MaxInt32 && at <= x.DTS {
			x.DTS, x.CTS = at, int32(cts)
		}
		before = x.DTS
	}
}

// typicalDuration returns how long the last sample of a track lasts, which no next sample tells: as long as the one before it, or if
// there is none as the source says.
func (s *Session) typicalDuration(in *input) uint32 {
	p, typical := in.pending, in.usual
	switch {
	case len(p) > 1:
		typical = uint32(p[len(p)-1].DTS - p[len(p)-2].DTS)
	case in.typical > 0:
		typical = in.typical
	}
	if in.entry.Kind == media.RawAudio && len(p) > 0 {
		typical = max(typical, p[len(p)-1].Size) // a byte lasts a tick
	}
	return typical
}

// write hands the fragment before a cut to the sink, as the first of a new recording where there is none.
func (s *Session) write(tracks [][]media.Sample, c *cut) error {
	if s.rec == nil {
		s.rec = newRecording(s.tracks, c.start90k, tracks)
		s.sink.Begin(s.tracks)
	}
	r := s.rec
	r.start90k = c.start90k
	m := tracks[master]
	media90k := r.to90k(m[len(m)-1].End() - r.startDTS)
	f := r.fragment(tracks)
	defer f.Release()
	f.WallDuration90k = media90k + c.correction90k
	if e := c.ends; e != nil {
		if e.reason == "" {
			f.WallDuration90k = e.wallDuration90k
		}
		f.Last, f.EndReason = true, e.reason
	}
	if err := s.sink.Append(f); err != nil {
		s.refused = true
		return err
	}
	if c.ends != nil {
		s.rec = nil
	}
	if c.next != nil {
		s.tracks[master] = *c.next
		if s.rec != nil {
			s.rec.entry = c.next
		}
	}
	return nil
}
