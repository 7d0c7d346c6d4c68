package session_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/rtpclock"
	"nvrfs/recorder/session"
	"nvrfs/recorder/volume"
)

// A rtpSource is a camera as seen through RTP: its clock has 32 bits and runs as its crystal does, and its pictures come as
// the network brings them. It knows when each was really taken.
type rtpSource struct {
	start     time.Time // when picture 0 is taken; with a monotonic reading
	fps       float64
	gop       int64
	ppm       float64       // by how much its clock is fast
	jitter    time.Duration // mean of the delays, which are exponential and four times that at most
	burst     time.Duration // what it has buffered when a session begins, and sends at once
	timestamp uint32        // of picture 0
	until     time.Duration // by its own clock, when it goes away

	steps  []clockStep                     // of the host's clock, by time
	glitch func(i int64, ts uint32) uint32 // what it sends for the timestamp of a picture; nil for the truth

	off bool // its clock is off by more than is corrected

	sound   bool          // there is a sound with each picture, which comes soundEarly before it
	reports time.Duration // for how long it sends sender reports, one with each picture and sound

	next  int64 // picture that the next session begins with
	wraps int   // of the timestamps so far
	rnd   *rand.Rand
}

// soundEarly is by how much sound comes before its picture, since a camera takes longer to encode pictures.
const soundEarly = 300 * time.Millisecond

// clockStep sets the host's clock.
type clockStep struct {
	after time.Duration // since start
	by    time.Duration
}

func (s *rtpSource) frame90k() int64 { return int64(90000 / s.fps) }

// taken is when a picture is really taken.
func (s *rtpSource) taken(i int64) time.Time {
	return s.start.Add(time.Duration(float64(i) / s.fps / (1 + s.ppm/1e6) * 1e9))
}

// step is by how much the host's clock has been set until t.
func (s *rtpSource) step(t time.Time) (by time.Duration) {
	for _, x := range s.steps {
		if t.Sub(s.start) >= x.after {
			by += x.by
		}
	}
	return by
}

func (s *rtpSource) delay() time.Duration {
	if s.jitter == 0 {
		return 0
	}
	return min(4*s.jitter, time.Duration(s.rnd.ExpFloat64()*float64(s.jitter)))
}

var errSourceGone = fmt.Errorf("the camera went away")

// Run implements Source.
func (s *rtpSource) Run(_ context.Context, h media.Handler) error {
	if s.rnd == nil {
		s.rnd = rand.New(rand.NewPCG(11, 13))
	}
	x := rtpSession{s: s, h: h}
	if s.sound {
		x.tie.Rate = soundRate
	}
	if err := h.Start(s.tracks()); err != nil {
		return err
	}
	x.begun = s.taken(s.next).Add(s.burst)
	for n := int64(0); ; n++ {
		i := s.next
		if float64(i)/s.fps >= s.until.Seconds() {
			return errors.Join(x.tie.Flush(), errSourceGone)
		}
		s.next++
		if err := x.yield(i, n); err != nil {
			s.next += int64(s.fps) // it takes a second to connect again
			return err
		}
	}
}

func (s *rtpSource) tracks() []media.SampleEntry {
	if s.sound {
		return bench.Camera{AudioRate: soundRate}.Tracks()
	}
	return bench.Camera{}.Tracks()
}

// rtpSession is what a session of package rtsp is for a real camera.
type rtpSession struct {
	s     *rtpSource
	h     media.Handler
	clock rtpclock.Clock
	tie   rtpclock.Tie
	begun time.Time // when the first picture comes
	last  time.Time // when the last one came
}

// yield sends picture i, the n-th of the session, with its sound.
func (x *rtpSession) yield(i, n int64) error {
	s := x.s
	ts := s.timestamp + uint32(i*s.frame90k())
	if ts < uint32(s.frame90k()) {
		s.wraps++
	}
	if s.glitch != nil {
		ts = s.glitch(i, ts)
	}
	if n == 0 {
		x.clock.Start(ts, 0)
	}
	pts, _ := x.clock.Extend(ts)
	x.last = bench.Latest(bench.Latest(x.last, x.begun), s.taken(i).Add(s.delay()))
	p := media.Sample{DTS: pts, Sync: n%s.gop == 0, Data: bench.PictureOf(i, n%s.gop == 0), Received: bench.Stepped(x.last, s.step(x.last))}
	if s.sound {
		if err := x.yieldSound(i, n, pts, p.Received); err != nil {
			return err
		}
	}
	return x.tie.Do(rtpclock.Call{Received: p.Received, Do: func(int64) error { return x.h.Sample(p) }}, true, p.Received)
}

// yieldSound sends the sound of a picture, and what the sender reports say of the two.
func (x *rtpSession) yieldSound(i, n, videoPTS int64, received time.Time) error {
	pts := videoPTS*soundRate/90000 - media.Ticks(soundEarly)*soundRate/90000
	if x.s.taken(i).Sub(x.s.start) < x.s.reports {
		x.tie.Note(&x.tie.Video, x.s.taken(i), videoPTS, received)
		x.tie.Note(&x.tie.Audio, x.s.taken(i), pts, received)
	}
	if n%x.s.gop == 0 {
		if why := x.tie.Again(received); why != "" {
			return errors.New(why)
		}
	}
	return x.tie.Do(rtpclock.Call{Audio: true, Received: received, Do: func(shift int64) error {
		if pts+shift < 0 {
			return nil
		}
		return x.h.Sample(media.Sample{Track: 1, DTS: pts + shift, Sync: true, Data: bench.PictureOf(i, true), Received: received})
	}}, true, received)
}

// A timeline is the sink of sessions, and holds each picture against when it was taken.
type timeline struct {
	t      *testing.T
	source *rtpSource

	runs     int
	picture  int64           // that the next recording begins with
	pictures int64           // recorded so far
	dts      []int64         // of the pictures of the recording that is being made
	end      int64           // DTS of its end so far
	wallEnd  int64           // of the recording before it
	step     time.Duration   // of the host's clock, when the run began
	worst    time.Duration   // by which a picture is off
	sound    time.Duration   // by which a sound is off its picture
	errs     []time.Duration // at the end of each recording
}

// timelineRun is one run of a timeline.
type timelineRun struct {
	*timeline
	begun bool // a fragment of the run was taken
	first bool // the next fragment is the first of a recording
}

func (r *timelineRun) Begin([]media.SampleEntry) { r.first = true }

func (r *timelineRun) Append(f *volume.Fragment) error {
	r.t.Helper()
	if first := f.Tracks[volume.Video][0].DTS; r.first {
		if !r.begun {
			r.runs++
			r.end, r.step = 0, r.source.step(r.source.taken(r.picture).Add(r.source.burst))
		} else if f.Start90k != r.wallEnd || first != r.end {
			r.t.Fatalf("a recording ends at %v and %d, the next starts at %v and %d", media.ToTime(r.wallEnd), r.end, media.ToTime(f.Start90k), first)
		}
		r.begun, r.first, r.dts = true, false, r.dts[:0]
	}
	for _, x := range f.Tracks[volume.Video] {
		if int64(x.Duration) != r.source.frame90k() && r.source.glitch == nil {
			r.t.Fatalf("a picture of %d ticks lasts %d", r.source.frame90k(), x.Duration)
		}
		r.dts = append(r.dts, r.end)
		r.end += int64(x.Duration)
		r.pictures++
	}
	if r.source.sound {
		r.takeSound(f)
	}
	if f.Last {
		r.finish(f)
	}
	return nil
}

func (r *timelineRun) End(reason string) error {
	r.t.Fatalf("a run ends without a fragment: %s", reason)
	return nil
}

func (r *timelineRun) Failed() error { return nil }

// takeSound looks how far the sounds of a fragment are from pictures.
func (l *timeline) takeSound(f *volume.Fragment) {
	frame := l.source.frame90k()
	for _, x := range f.Tracks[1] {
		off := media.Rescale(x.DTS, soundRate, 90000) + frame/2
		off = (off%frame+frame)%frame - frame/2
		l.sound = max(l.sound, (time.Duration(off) * time.Second / 90000).Abs())
	}
}

// finish looks at a recording that has ended.
func (l *timeline) finish(f *volume.Fragment) {
	l.t.Helper()
	media90k := l.end - l.dts[0]
	if by := math.Abs(float64(f.WallDuration90k-media90k)) / float64(media90k) * 1e6; by > session.MaxCorrectionPPM && !l.source.off {
		l.t.Fatalf("a recording is corrected by %.0f ppm", by)
	}
	off := time.Duration(0)
	for _, dts := range l.dts {
		wall := f.Start90k + int64(float64(dts-l.dts[0])*float64(f.WallDuration90k)/float64(media90k))
		off = media.ToTime(wall).Sub(l.source.taken(l.picture).Add(l.step))
		l.worst = max(l.worst, off.Abs())
		l.picture++
	}
	l.errs, l.wallEnd = append(l.errs, off), f.Start90k+f.WallDuration90k
	if f.EndReason != "" {
		l.picture += int64(l.source.fps) + 1 // the one that ended the run, and those until the next session
	}
}

// newTimeline makes a timeline, and says how its sessions record.
func newTimeline(t *testing.T, s *rtpSource, length time.Duration) (*timeline, *session.Options) {
	l := &timeline{t: t, source: s}
	return l, &session.Options{
		NewRun:    func() session.Sink { return &timelineRun{timeline: l} },
		Length90k: media.Ticks(length), Stagger90k: media.Ticks(length) / 3, Log: slog.New(slog.DiscardHandler),
	}
}

// record has a source recorded until it goes away, session after session, and returns why each ended.
func (l *timeline) record(o *session.Options) (reasons []string) {
	l.t.Helper()
	for {
		s := session.New(*o)
		err := l.source.Run(l.t.Context(), s)
		reasons = append(reasons, err.Error())
		if err := s.Finish(err.Error()); err != nil {
			l.t.Fatal(err)
		}
		if errors.Is(err, errSourceGone) {
			return reasons
		}
	}
}

// benchRecord records a source on a disk, session after session, as line.record does.
func benchRecord(b *bench.Bench, s *rtpSource) (reasons []string) {
	b.T.Helper()
	for {
		x := b.Stream.Session()
		err := s.Run(b.T.Context(), x)
		reasons = append(reasons, err.Error())
		if err := x.Finish(err.Error()); err != nil {
			b.T.Fatal(err)
		}
		b.Commit()
		if errors.Is(err, errSourceGone) {
			return reasons
		}
	}
}

var _ media.Source = (*rtpSource)(nil)
