package session

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"nvrfs/media"
	"nvrfs/recorder/volume"
)

// lateAudio90k is how long a fragment waits for the other tracks' samples of its span.
const lateAudio90k = 90000

// A Sink takes the recordings and fragments that sessions make. Its methods are called one at a time, in the order of the footage,
// and must not wait: while one of them works, nothing is read from the camera.
type Sink interface {
	// Begin says that the next fragment starts another recording of the run, of these tracks.
	Begin(tracks []media.SampleEntry)
	// Append hands over the next fragment of the recording. It does not change any more. A sink that keeps it longer than the
	// call retains it, and releases it when it is done. When Append fails, only End may follow.
	Append(*volume.Fragment) error
	// End ends the run at the last fragment that was appended, for a reason. It is not called where that fragment says so itself.
	End(reason string) error
	// Failed returns why the run is to end, or nil while it can go on.
	Failed() error
}

// Options says how a Session records.
type Options struct {
	NewRun     func() Sink  // is called at the start, and whenever another run begins
	Length90k  int64        // of a recording
	Stagger90k int64        // by how much its end is shifted, see volume.EndAfter
	MayRecord  func() error // returns why nothing may be recorded, or nil; nil means that it always may
	Log        *slog.Logger
}

// A Session makes recordings of the samples that a Source yields in one call of its Run, which takes the Session as media.Handler. The
// recordings are one run, or several if the Source calls NewRun. A Session belongs to one goroutine.
//
// Samples wait in pending until a fragment can be cut: before every sync sample, or after two seconds, once the other
// tracks have come as far. A cut may also end the recording.
type Session struct {
	o     Options
	sink  Sink // of the run
	clock *runClock

	// Where samples come in. Times are since the start of the run: the DTS of its first video sample, which base90k is by
	// the source's origin.
	base90k  int64
	pending  [][]media.Sample   // by track
	lastDTS  []int64            // by track; -1 before the first sample
	newEntry *media.SampleEntry // of the video, from its next sample on
	endAt90k int64              // wall time at which the recording is due to end
	cuts     []cut              // cuts that wait for late audio

	// Where fragments go out.
	tracks  []media.SampleEntry // of the current recording
	rec     *recording          // nil between recordings
	typical []uint32            // by track, how long the last sample that was written lasts; nil before the first
	usual   []uint32            // by track, how long the source says that a sample lasts as a rule
	refused bool                // the sink refused a fragment, so that no other may follow
}

// cut says before which samples a fragment ends.
type cut struct {
	video         int   // pending video samples before it
	dts           int64 // of the video sample behind it
	start90k      int64 // of the recording that the fragment belongs to
	correction90k int64 // by how much longer than its media that recording lasts so far
	ends          *ends // not nil when the recording ends too
}

// ends says how a recording ended.
type ends struct {
	wallDuration90k int64              // when the run goes on
	reason          string             // why the run ended; empty when it goes on
	next            *media.SampleEntry // of the video, in the next recording, when it is another
}

const video = volume.Video

// New begins a session. The run that it makes starts with the first sync sample.
func New(o Options) *Session { return &Session{o: o, sink: o.NewRun()} }

// Start implements Handler.
func (s *Session) Start(tracks []media.SampleEntry) error {
	if len(tracks) == 0 || tracks[video].Kind != media.Video || tracks[video].Timescale != 90000 {
		return errors.New("the camera's first track is not video at 90 kHz")
	}
	s.tracks = slices.Clone(tracks)
	s.pending = make([][]media.Sample, len(tracks))
	s.lastDTS = slices.Repeat([]int64{-1}, len(tracks))
	s.usual = make([]uint32, len(tracks))
	return nil
}

// NewEntry implements Handler.
func (s *Session) NewEntry(track int, e media.SampleEntry) error {
	if track != video {
		return fmt.Errorf("the parameters of the %s changed", e.Kind)
	}
	s.newEntry = &e
	return nil
}

// NewRun implements Handler. No frame is lost between the two runs.
func (s *Session) NewRun(tracks []media.SampleEntry, reason string) error {
	if tracks == nil {
		tracks = s.tracks
	}
	s.o.Log.Info("another run begins, without losing a frame", "reason", reason)
	err := s.Finish(reason)
	next := New(s.o)
	err = errors.Join(err, next.Start(tracks))
	next.newEntry = s.newEntry
	*s = *next
	return err
}

// Sample implements Handler.
func (s *Session) Sample(x media.Sample) error {
	if err := s.mayGoOn(); err != nil {
		return err
	}
	if s.clock == nil {
		if x.Track != video || !x.Sync {
			return nil // nothing can be decoded yet, and sound without a picture has no place
		}
		s.begin(x)
	}
	x.DTS -= s.fromVideo(s.base90k, x.Track)
	if nearly := -int64(s.tracks[x.Track].Timescale) / 1000; x.DTS < 0 && x.DTS >= nearly {
		x.DTS = 0 // it starts with the picture: the two clocks only round differently
	}
	if x.DTS < 0 && s.lastDTS[x.Track] < 0 {
		return nil // sound from before the first picture
	}
	if x.DTS <= s.lastDTS[x.Track] {
		t := &s.tracks[x.Track]
		back := float64(s.lastDTS[x.Track]-x.DTS) / float64(t.Timescale)
		return fmt.Errorf("the timestamps of the %s stand still or go back: the next one is %.3f s before the last", t.Kind, back)
	}
	if x.Track == video {
		if err := s.cutBefore(x); err != nil {
			return err
		}
	}
	s.lastDTS[x.Track], s.usual[x.Track], x.Size = x.DTS, max(1, x.Duration), uint32(len(x.Data))
	s.pending[x.Track] = append(s.pending[x.Track], x)
	return s.flush(false)
}

// mayGoOn returns why the run is to end, or nil.
func (s *Session) mayGoOn() error {
	err := s.sink.Failed()
	if s.o.MayRecord != nil {
		err = errors.Join(err, s.o.MayRecord())
	}
	return err
}

// begin starts the run with its first video sample.
func (s *Session) begin(x media.Sample) {
	s.base90k = x.DTS
	s.clock = newRunClock(int64(x.CTS), x.Received)
	s.planEnd()
	if s.newEntry != nil {
		s.tracks[video], s.newEntry = *s.newEntry, nil
	}
}

// fromVideo converts a time of the video to the timescale of a track.
func (s *Session) fromVideo(t90k int64, track int) int64 {
	return media.Rescale(t90k, s.tracks[video].Timescale, s.tracks[track].Timescale)
}

func (s *Session) planEnd() {
	length90k := s.o.Length90k
	if s.clock.first {
		length90k = min(length90k, firstLength90k)
	}
	s.endAt90k = volume.EndAfter(s.clock.start90k, length90k, s.o.Stagger90k)
}

// cutBefore looks at a video sample that is about to become pending, and cuts before it where a fragment is to end.
func (s *Session) cutBefore(x media.Sample) error {
	pts := x.PTS()
	if err := s.clock.see(pts, x.Received); err != nil {
		return err
	}
	if s.clock.first {
		s.planEnd() // the start may have moved, even to before a quarter of an hour
	}
	n, from := len(s.pending[video]), 0
	if len(s.cuts) > 0 {
		from = s.cuts[len(s.cuts)-1].video
	}
	if n == 0 || !x.Sync && x.DTS-s.pending[video][from].DTS < volume.MaxFragment90k {
		return nil
	}
	c := cut{video: n, dts: x.DTS, start90k: s.clock.start90k, correction90k: s.clock.correction90k(pts)}
	if !x.Sync {
		c.video, c.dts = s.lastInOrder(from, x)
	}
	if x.Sync && (s.newEntry != nil || s.clock.settled() && s.clock.wall90k(pts) >= s.endAt90k) {
		c.ends = &ends{wallDuration90k: s.clock.next(pts), next: s.newEntry}
		s.newEntry = nil
		s.planEnd()
	}
	s.cuts = append(s.cuts, c)
	return nil
}

// lastInOrder returns the last video sample after from, x at most, that is shown after all that are decoded before it.
// Where a fragment ends before it, all of them can be shown: none is one that B-frames lead up to which have not come.
func (s *Session) lastInOrder(from int, x media.Sample) (sample int, dts int64) {
	p := append(slices.Clone(s.pending[video][from:]), x)
	sample, dts = from+len(p)-1, x.DTS
	shown := p[0].PTS()
	for i := 1; i < len(p); i++ {
		if pts := p[i].PTS(); pts > shown {
			shown, sample, dts = pts, from+i, p[i].DTS
		}
	}
	return sample, dts
}

// flush writes the fragments before all cuts that are ready; with force, before all cuts.
func (s *Session) flush(force bool) error {
	for len(s.cuts) > 0 && (force || s.ready(s.cuts[0])) {
		c := s.cuts[0]
		s.cuts = s.cuts[1:]
		for i := range s.cuts {
			s.cuts[i].video -= c.video
		}
		if err := s.write(s.take(c), c); err != nil {
			return err
		}
	}
	return nil
}

// ready reports whether every other track has come as far as the cut, or is too late to wait for.
func (s *Session) ready(c cut) bool {
	if s.lastDTS[video] >= c.dts+lateAudio90k {
		return true
	}
	for i := range s.tracks {
		if s.lastDTS[i] < s.fromVideo(c.dts, i) {
			return false
		}
	}
	return true
}

// take moves the samples before a cut out of pending. A sample lasts until the next one of its track, so one whose next
// one has not come stays.
func (s *Session) take(c cut) [][]media.Sample {
	tracks := make([][]media.Sample, len(s.tracks))
	for i, p := range s.pending {
		n := c.video
		if i != video {
			for n = 0; n+1 < len(p) && p[n].DTS < s.fromVideo(c.dts, i); {
				n++
			}
		}
		tracks[i] = fragmentTrack(p, n, 0)
		s.pending[i] = slices.Clone(p[n:])
	}
	return tracks
}

// fragmentTrack makes a fragment's track of the first n samples of p, each lasting until the next one. A last sample
// without a next one gets lastDuration.
func fragmentTrack(p []media.Sample, n int, lastDuration uint32) []media.Sample {
	t := slices.Clone(p[:n])
	for k := range t {
		t[k].Duration = lastDuration
		if k+1 < len(p) {
			t[k].Duration = uint32(p[k+1].DTS - p[k].DTS)
		}
	}
	return t
}

// Finish hands over the samples that are pending, and ends the run for a reason.
func (s *Session) Finish(reason string) error {
	if s.clock == nil {
		return nil
	}
	var err error
	if !s.refused {
		err = s.writeRest(reason)
	}
	if s.refused { // the run ends all the same
		err = errors.Join(err, s.sink.End(reason))
	}
	return err
}

// Abandon ends the run with the fragments that the sink has already. It is for when Finish has failed, though not because of the
// sink.
func (s *Session) Abandon(reason string) error {
	if s.refused || s.rec == nil {
		return nil
	}
	s.refused = true
	return s.sink.End(reason)
}

// writeRest writes what is pending as the end of the run.
func (s *Session) writeRest(reason string) error {
	if err := s.flush(true); err != nil {
		return err
	}
	tracks := make([][]media.Sample, len(s.tracks))
	for i, p := range s.pending {
		tracks[i] = fragmentTrack(p, len(p), s.endDuration(i))
	}
	return s.write(tracks, cut{start90k: s.clock.start90k, correction90k: s.clock.correction90k(s.lastDTS[video]), ends: &ends{reason: reason}})
}

// endDuration is how long the last sample of a run lasts: as is typical. Where there are B-frames, the one decoded last is not
// the one shown last, and lasts until that is over, so that readers who add up durations show all of it.
func (s *Session) endDuration(track int) uint32 {
	typical, p := s.typicalDuration(track), s.pending[track]
	if track != video || len(p) == 0 {
		return typical
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
	return uint32(max(1, end-int64(firstCTS)-last.DTS))
}

// typicalDuration returns how long the last sample of a track lasts, which no next sample tells: as long as the one before it, or if
// there is none as the source says.
func (s *Session) typicalDuration(track int) uint32 {
	if p := s.pending[track]; len(p) > 1 {
		return uint32(p[len(p)-1].DTS - p[len(p)-2].DTS)
	}
	if s.typical != nil && s.typical[track] > 0 {
		return s.typical[track]
	}
	return s.usual[track]
}

// write hands the fragment before a cut to the sink, as the first of a new recording where there is none.
func (s *Session) write(tracks [][]media.Sample, c cut) error {
	if s.rec == nil {
		s.rec = newRecording(s.tracks, c.start90k, tracks)
		s.sink.Begin(s.tracks)
	}
	r := s.rec
	r.start90k = c.start90k
	v := tracks[video]
	media90k := v[len(v)-1].End() - r.startDTS
	f := r.fragment(tracks)
	defer f.Release()
	s.typical = r.lastDuration
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
	if e := c.ends; e != nil {
		s.rec = nil
		if e.next != nil {
			s.tracks[video] = *e.next
		}
	}
	return nil
}
