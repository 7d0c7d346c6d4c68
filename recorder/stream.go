package recorder

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"sync/atomic"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/guard"
	"nvrfs/recorder/session"
	"nvrfs/recorder/volume"
)

// steadyAfter is how long a session must have recorded so that its end is news.
const steadyAfter = 10 * time.Second

// A camera that stays away is logged for each reason, of which it may have mostReasons, and again every remindEvery.
const (
	remindEvery = time.Hour
	mostReasons = 20
)

// A stream records one stream of a camera, session after session, from one goroutine.
type stream struct {
	o          StreamOptions
	writer     *volume.Writer
	log        *slog.Logger
	row        *volume.Stream
	length90k  int64
	stagger90k int64
	limits     Limits // guarded by Recorder.mu
	guard      guard.Guard

	blocked atomic.Pointer[error] // why nothing may be recorded; set by retention

	cancel context.CancelCauseFunc // nil before it was started
	done   chan struct{}           // closed when the goroutine has ended
}

// A change is why a stream is stopped while the recorder goes on. It is the reason for which the stream's run ends.
type change string

func (c change) Error() string { return string(c) }

const (
	changeRemoved change = "removed from the configuration"
	changeOrigin  change = "the configuration has another address for it"
	changeSamples change = "the configuration has another sample directory for it"
)

func newStream(o StreamOptions, row *volume.Stream, w *volume.Writer, length time.Duration, log *slog.Logger) *stream {
	s := &stream{o: o, writer: w, row: row, length90k: media.Ticks(length), limits: o.Retain}
	s.log = log.With("stream", row.Label())
	h := fnv.New32a()
	h.Write([]byte(row.Label())) //nolint:errcheck // never fails
	s.stagger90k = int64(h.Sum32()) % max(1, s.length90k/2)
	return s
}

// start has the stream record as soon as its volume is ready, until ctx ends or stop is called.
func (s *stream) start(ctx context.Context) {
	ctx, s.cancel = context.WithCancelCause(ctx)
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		if s.writer.Volume().WaitReady(ctx) {
			s.run(ctx)
		}
	}()
}

// stop ends the stream, if it was started, and waits until it has handed over what it has. With nil, the recorder stops as a whole.
func (s *stream) stop(why error) {
	if s.cancel == nil {
		return
	}
	s.cancel(why)
	<-s.done
}

// whyStopped returns the reason for which a run ends whose context has ended.
func whyStopped(ctx context.Context) string {
	var c change
	if errors.As(context.Cause(ctx), &c) {
		return string(c)
	}
	return "stopped"
}

// newSession begins a session of the stream.
func (s *stream) newSession() *session.Session {
	return session.New(session.Options{
		NewRun:    func() session.Sink { return s.writer.NewRun(s.row) },
		Length90k: s.length90k, Stagger90k: s.stagger90k, MayRecord: s.mayRecord, Log: s.log,
	})
}

// block stops recording for a reason, or with nil lets it go on.
func (s *stream) block(why error) {
	if why == nil {
		s.blocked.Store(nil)
		return
	}
	if s.blocked.CompareAndSwap(nil, &why) { // else it keeps the first reason, so that the log is quiet
		s.log.Error("recording stops", "reason", why, "do", "see what else fills the disk and free space, change the limits of retain (min_free, bytes, at_least), or remove holds: nvrfs keep --list")
	}
}

// mayRecord returns why nothing may be recorded, or nil.
func (s *stream) mayRecord() error {
	if why := s.blocked.Load(); why != nil {
		return *why
	}
	return nil
}

// run records until ctx ends. It never gives up on a camera that is away.
func (s *stream) run(ctx context.Context) {
	away := newAbsence(s.log)
	for attempt := 0; ctx.Err() == nil; attempt++ {
		sess := s.newSession()
		watched := away.watch(sess)
		err := s.mayRecord()
		if err == nil {
			err = s.guard.Do(s.log, "the camera's session", func() error { return s.o.Source.Run(ctx, watched) })
		}
		reason := "stopped"
		switch {
		case ctx.Err() != nil:
			reason = whyStopped(ctx)
		case err != nil:
			reason = err.Error()
		}
		if err := s.finish(sess, reason); err != nil {
			s.log.Error("the last frames of a run could not be written", "err", err)
		}
		if ctx.Err() != nil {
			return
		}
		if watched.recorded() {
			attempt = 0 // whatever ended the session, each second until the next one costs pictures
		}
		away.ended(reason)
		select {
		case <-ctx.Done():
		case <-time.After(BackoffNow(attempt)):
		}
	}
}

// finish ends a session. If that panics, the run still ends, with the fragments that were handed over before.
func (s *stream) finish(sess *session.Session, reason string) error {
	const what = "the end of a run"
	err := s.guard.Do(s.log, what, func() error { return sess.Finish(reason) })
	if err != nil {
		err = errors.Join(err, s.guard.Do(s.log, what, func() error { return sess.Abandon(reason) }))
	}
	return err
}

// absence logs when a camera goes away and when it is back, and is quiet in between. A camera that is away again and again soon after
// it came back, for one reason, is logged as one that is away.
type absence struct {
	log    *slog.Logger
	logged map[string]time.Time // when each reason why the camera is away was logged; the reasons are without numbers
	since  time.Time            // when the camera went away; zero before
	quiet  bool                 // that it is back was not logged
	again  bool                 // it came back since then, but not for steadyAfter
}

func newAbsence(log *slog.Logger) absence { return absence{log: log, logged: map[string]time.Time{}} }

// ended says that a session has ended.
func (a *absence) ended(reason string) {
	now := time.Now()
	if a.since.IsZero() {
		a.since = now
	}
	kind := session.WithoutNumbers(reason)
	if logged, ok := a.logged[kind]; ok && now.Sub(logged) <= remindEvery || !ok && len(a.logged) >= mostReasons {
		return
	}
	a.log.Warn("not recording; trying again", "reason", reason, "took", now.Sub(a.since).Round(time.Second).String())
	a.logged[kind] = now
}

// recording says that samples come in.
func (a *absence) recording() {
	if a.quiet = a.again; a.quiet {
		return
	}
	a.say()
	a.again = true
}

// steady says that samples have come in for steadyAfter.
func (a *absence) steady() {
	if a.quiet {
		a.say()
	}
	*a = newAbsence(a.log)
}

func (a *absence) say() {
	if a.since.IsZero() {
		a.log.Info("recording")
	} else {
		a.log.Info("recording again", "took", time.Since(a.since).Round(time.Second).String())
	}
}

// watch returns a Handler that passes everything on to h, and tells a of samples that h has taken.
func (a *absence) watch(h media.Handler) *watched { return &watched{Handler: h, a: a} }

type watched struct {
	media.Handler
	a      *absence
	first  time.Time // when the first sample was taken
	steady bool
}

func (w *watched) Sample(x media.Sample) error {
	err := w.Handler.Sample(x)
	if err != nil || w.steady {
		return err
	}
	switch {
	case w.first.IsZero():
		w.first = time.Now()
		w.a.recording()
	case time.Since(w.first) > steadyAfter:
		w.steady = true
		w.a.steady()
	}
	return nil
}

// recorded reports whether the session has taken a sample.
func (w *watched) recorded() bool { return !w.first.IsZero() }
