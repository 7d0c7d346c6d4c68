package recorder

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"nvrfs/media"
	"nvrfs/schema"
)

// steadyAfter is how long a session must record for the next failure to count as the first.
const steadyAfter = 10 * time.Second

// remindEvery is how often a camera that stays away is logged again.
const remindEvery = time.Hour

// A stream records one stream of a camera, session after session, from one goroutine.
type stream struct {
	source     media.Source
	disk       *disk
	log        *slog.Logger
	row        schema.Stream // its NextNumber is the disk's
	length90k  int64
	stagger90k int64
	limits     Limits
	guard      guard

	blocked atomic.Pointer[error] // why nothing may be recorded; set by retention
}

func newStream(o StreamOptions, row schema.Stream, d *disk, length time.Duration, log *slog.Logger) *stream {
	s := &stream{source: o.Source, disk: d, row: row, length90k: media.Ticks(length), limits: o.Retain}
	s.log = log.With("stream", row.Label())
	h := fnv.New32a()
	h.Write([]byte(row.Label())) //nolint:errcheck // never fails
	s.stagger90k = int64(h.Sum32()) % max(1, s.length90k/2)
	return s
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

// run records until ctx ends. A camera that is away is tried again for ever.
func (s *stream) run(ctx context.Context) {
	away := absence{log: s.log}
	for attempt := 0; ctx.Err() == nil; attempt++ {
		sess := newSession(s)
		watched := away.watch(sess)
		err := s.mayRecord()
		if err == nil {
			err = s.guard.do(s.log, "the camera's session", func() error { return s.source.Run(ctx, watched) })
		}
		reason := "stopped"
		if ctx.Err() == nil && err != nil {
			reason = err.Error()
		}
		if err := s.finish(sess, reason); err != nil {
			s.log.Error("the end of a run is lost", "err", err)
		}
		if ctx.Err() != nil {
			return
		}
		if !watched.first.IsZero() && time.Since(watched.first) > steadyAfter {
			attempt = 0
		}
		away.ended(reason)
		select {
		case <-ctx.Done():
		case <-time.After(Backoff(attempt, rand.Float64)):
		}
	}
}

// finish ends a session. Where that panics, the run still ends, at what the disk has of it.
func (s *stream) finish(sess *session, reason string) error {
	const what = "the end of a run"
	err := s.guard.do(s.log, what, func() error { return sess.finish(reason) })
	if err != nil && !sess.refused && sess.rec != nil {
		sess.refused = true
		err = errors.Join(err, s.guard.do(s.log, what, func() error { return sess.finish(reason) }))
	}
	return err
}

// absence logs when a camera goes away and when it is back, and is quiet in between.
type absence struct {
	log    *slog.Logger
	reason string    // why the camera is away; empty while it is there
	logged time.Time // when that was said
	since  time.Time
}

// ended says that a session has ended.
func (a *absence) ended(reason string) {
	now := time.Now()
	if a.since.IsZero() {
		a.since = now
	}
	if reason != a.reason || now.Sub(a.logged) > remindEvery {
		a.log.Warn("not recording; trying again until the camera is back", "reason", reason, "away", now.Sub(a.since).Round(time.Second).String())
		a.reason, a.logged = reason, now
	}
}

// recording says that samples come in.
func (a *absence) recording() {
	if a.since.IsZero() {
		a.log.Info("recording")
	} else {
		a.log.Info("recording again", "away", time.Since(a.since).Round(time.Second).String())
	}
	*a = absence{log: a.log}
}

// watch returns h, with recording called at its first sample.
func (a *absence) watch(h media.Handler) *watched { return &watched{Handler: h, a: a} }

type watched struct {
	media.Handler
	a     *absence
	first time.Time // when the first sample came
}

func (w *watched) Sample(x media.Sample) error {
	if w.first.IsZero() {
		w.first = time.Now()
		w.a.recording()
	}
	return w.Handler.Sample(x)
}
