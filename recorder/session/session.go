package session

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/volume"
)

const master = volume.Master

// maxWaiting bounds the bytes that a session holds until a fragment is cut: two seconds of a camera of 256 Mbit/s. What is more is
// cut at once.
const maxWaiting = 64 << 20

// sampleBytes is what a sample takes in memory besides its data, about.
const sampleBytes = 128

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
// Samples wait until a fragment can be cut: before a sync sample, or after two seconds, once the other tracks have come as far. A
// cut may also end the recording.
type Session struct {
	o     Options
	said  said
	sink  Sink      // of the run
	clock *runClock // nil before its first sample

	// Where samples come in.
	in       []input            // by track
	base     int64              // DTS of the first sample of the master by the source's origin
	newEntry *media.SampleEntry // of the master, from its next sync sample on; nil where it stays
	used     media.EntryList    // sample entries of the master in the recording that samples come in for
	endAt90k int64              // wall time at which that recording is due to end
	cuts     []cut              // wait for late sound
	newest   time.Time          // when the newest sample came
	waiting  int                // bytes of the samples that wait

	// Where fragments go out.
	tracks  []media.SampleEntry // of the current recording
	rec     *recording          // nil between recordings
	refused bool                // the sink refused a fragment, so that no other may follow
}

// New begins a session. The run that it makes starts with the first sync sample of the first track.
func New(o Options) *Session { return &Session{o: o, sink: o.NewRun(), said: said{}} }

// Start implements Handler.
func (s *Session) Start(tracks []media.SampleEntry) error {
	if len(tracks) == 0 {
		return errors.New("the camera sends neither pictures nor sound")
	}
	for i := range tracks {
		t := &tracks[i]
		switch {
		case t.Timescale == 0, t.Kind == media.Video && t.Timescale != media.VideoTimescale:
			return fmt.Errorf("the camera's %s has a clock of %d Hz", t.Kind, t.Timescale)
		case t.Kind == media.Video && i != master:
			return errors.New("the camera's first track is not its video")
		}
		s.tracks, s.in = append(s.tracks, *t), append(s.in, newInput(*t))
	}
	return nil
}

// NewEntry implements Handler. Where a decoder needs no more than other parameter sets of the picture, the recording goes on.
// Otherwise another one begins with the picture that has them, or, where it is the sound that changes, with the next sync sample.
func (s *Session) NewEntry(track int, e media.SampleEntry) error {
	in := &s.in[track]
	switch {
	case bytes.Equal(e.Box, in.entry.Box) && e.Timescale == in.entry.Timescale:
		in.drop(&s.waiting)
		if track == master {
			s.newEntry = nil
		}
	case s.clock == nil:
		in.entry, s.tracks[track] = e, e
	case track != master:
		in.drop(&s.waiting)
		in.next = &e
	case e.Kind != in.entry.Kind || e.Timescale != in.entry.Timescale:
		tracks := s.entries()
		tracks[master] = e
		return s.NewRun(tracks, fmt.Sprintf("the camera's %s has another clock", e.Kind))
	default:
		s.newEntry = &e
	}
	return nil
}

// entries returns the sample entry of the next sample of each track.
func (s *Session) entries() (all []media.SampleEntry) {
	for i := range s.in {
		e := s.in[i].entry
		if next := s.in[i].next; next != nil {
			e = *next
		}
		if i == master && s.newEntry != nil {
			e = *s.newEntry
		}
		all = append(all, e)
	}
	return all
}

// NewRun implements Handler. No frame is lost between the two runs.
func (s *Session) NewRun(tracks []media.SampleEntry, reason string) error {
	if tracks == nil {
		tracks = s.entries()
	}
	if s.said.once("run: " + WithoutNumbers(reason)) {
		s.o.Log.Info("another run begins, without losing a frame", "reason", reason)
	}
	err := s.finish(reason, false)
	next := New(s.o)
	next.said = s.said
	err = errors.Join(err, next.Start(tracks))
	*s = *next
	return err
}

// Sample implements Handler.
func (s *Session) Sample(x media.Sample) error {
	if err := s.mayGoOn(); err != nil {
		return err
	}
	in := &s.in[x.Track]
	x.Sync = x.Sync || in.entry.Kind.Sound()
	if s.clock == nil {
		if x.Track != master || !x.Sync {
			return nil // nothing can be decoded yet, and sound without a picture has no place
		}
		s.begin(&x)
	}
	if x.Received.After(s.newest) {
		s.newest = x.Received
	}
	if x.Track != master && s.waiting > maxWaiting {
		s.sayOther(in) // the pictures do not come, to which it belongs
		return nil
	}
	if in.next != nil {
		in.behind = append(in.behind, x)
		s.waiting += len(x.Data) + sampleBytes
		return nil
	}
	if !s.place(&x) {
		return nil
	}
	if x.Track == master {
		if err := s.cutBefore(&x); err != nil {
			return err
		}
	}
	s.take(&x)
	if err := s.changeOthers(); err != nil {
		return err
	}
	return s.flush(s.waiting > maxWaiting)
}

// mayGoOn returns why the run is to end, or nil.
func (s *Session) mayGoOn() error {
	err := s.sink.Failed()
	if s.o.MayRecord != nil {
		err = errors.Join(err, s.o.MayRecord())
	}
	return err
}

// begin starts the run with the first sample of the master.
func (s *Session) begin(x *media.Sample) {
	s.base = x.DTS
	s.clock = newRunClock(s.to90k(int64(x.CTS)), x.Received)
	s.used.Number(&s.tracks[master])
	s.planEnd()
}

// take has a sample wait for its fragment.
func (s *Session) take(x *media.Sample) {
	in := &s.in[x.Track]
	in.pending = append(in.pending, in.add(*x))
	s.waiting += len(x.Data) + sampleBytes
}

// fromMaster converts a time of the master to the timescale of a track.
func (s *Session) fromMaster(t int64, track int) int64 {
	return media.Rescale(t, s.in[master].entry.Timescale, s.in[track].entry.Timescale)
}

// to90k converts a time of the master.
func (s *Session) to90k(t int64) int64 {
	return media.Rescale(t, s.in[master].entry.Timescale, media.TicksPerSecond)
}

// Finish hands over the samples that are pending, and ends the run for a reason.
func (s *Session) Finish(reason string) error { return s.finish(reason, true) }

// finish is Finish; with last, no sample follows that the camera has sent.
func (s *Session) finish(reason string, last bool) error {
	if s.clock == nil {
		return nil
	}
	var err error
	if !s.refused {
		err = s.writeRest(reason, last)
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

// WithoutNumbers returns a text with each number in it replaced, so that reasons that differ in nothing else are told once.
func WithoutNumbers(text string) string {
	var b []byte
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			b = append(b, c)
		} else if len(b) == 0 || b[len(b)-1] != '#' {
			b = append(b, '#')
		}
	}
	return string(b)
}
