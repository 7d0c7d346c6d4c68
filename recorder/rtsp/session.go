package rtsp

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v5"

	"nvrfs/media"
	"nvrfs/recorder/guard"
	"nvrfs/recorder/rtpclock"
	"nvrfs/redact"
)

const (
	ticksInSilence = 10              // how often overdue looks
	responseSlack  = 2 * time.Second // how much longer than a silence gortsplib waits before it gives up by itself
)

// session is one connection to a camera, from DESCRIBE to TEARDOWN.
type session struct {
	h              media.Handler
	secrets        *redact.Secrets // of the URL: the camera may send them back
	log            *slog.Logger
	guard          *guard.Guard
	digestOnly     bool
	reports        func(wall, received time.Time) // may be nil
	client         *gortsplib.Client
	silenceTimeout time.Duration
	syncTimeout    time.Duration
	failed         chan error // gets the first error of a packet or of h
	source         *Source
	named          *url.URL                // the URL of the source: its user and password are for its host alone
	optional       atomic.Bool             // the session goes on where the request fails that is sent now
	settingUp      atomic.Pointer[[]uint8] // the payload types of the track that SETUP is sent for now
	left           leftOut                 // of the newest description

	// mu serialises the packets, since over UDP every track has a goroutine of its own. It guards all that follows.
	mu            sync.Mutex
	conn          *batchConn // the one in use
	cause         error      // why the camera's newest answer is a refusal, where gortsplib cannot know
	redirects     int
	video         *track // nil where there is none
	audio         *track // the same
	firstPacket   time.Time
	playing       time.Time // when PLAY was answered
	lastMaster    time.Time // when the last access unit of the first track was complete
	refused       error     // why the last of them could not be stored, where it could not
	started       bool      // the first sample of the first track has come
	runs          runs
	soundFailures int // panics of what takes the sound
	udp           []*udpConn
	tried         time.Time // when other sources of packets were last tried
	ended         bool      // h is to be called no more
	loss          lossLog
	tie           rtpclock.Tie
}

func newSession(r *Source, h media.Handler) *session {
	secrets := redact.Of(r.URL)
	log := secrets.Logger(r.Log)
	s := &session{
		h:              h,
		secrets:        secrets,
		log:            log,
		guard:          &r.guard,
		digestOnly:     r.DigestOnly,
		reports:        r.Reports,
		silenceTimeout: cmp.Or(r.SilenceTimeout, defaultSilenceTimeout),
		syncTimeout:    cmp.Or(r.SyncTimeout, defaultSyncTimeout),
		failed:         make(chan error, 1),
		loss:           lossLog{log: log},
		source:         r,
	}
	s.tie.Apart = s.apart
	s.client = &gortsplib.Client{
		Protocol:       r.Transport.protocol(),
		UserAgent:      cmp.Or(r.UserAgent, "nvrfs"),
		ReadTimeout:    s.silenceTimeout + responseSlack,
		WriteTimeout:   s.silenceTimeout,
		ListenPacket:   s.listenUDP,
		AnyPortEnable:  true, // cameras send from other ports than they say, or say none
		DialContext:    s.dial,
		DialTLSContext: s.dialTLS,
		OnTransportSwitch: func(reason error) {
			if text := s.explain(reason).Error(); r.told.news("transport", text) {
				s.log.Info("packets of the camera come by TCP, not by UDP", "reason", text)
			}
		},
		OnResponse:    s.onResponse,
		OnPacketsLost: func(uint64) {}, // see sequence
		OnDecodeError: s.onStranger,
	}
	return s
}

// watch waits for the end of the session, closes it, and returns its reason.
func (s *session) watch(ctx context.Context) error {
	s.mu.Lock()
	s.playing = time.Now()
	s.mu.Unlock()

	closed := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { closed <- s.client.Wait() })
	defer wg.Wait()
	defer s.close()
	tick := time.NewTicker(s.silenceTimeout / ticksInSilence)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.failed:
			return err
		case err := <-closed:
			return s.reason(fmt.Errorf("the RTSP session ended: %w", s.secrets.Error(s.explain(err))))
		case now := <-tick.C:
			if err := s.overdue(now); err != nil {
				return err
			}
		}
	}
}

// overdue returns an error when what the session waits for should have come.
func (s *session) overdue(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loss.flush(now)
	if err := s.late(now); err != nil {
		return err
	}
	s.trySources(now)
	if s.tie.Tied() && s.reports == nil { // until then, the tracks may be tied by when their packets come
		s.conn.adjust(s.silenceTimeout / ticksInSilence)
	} else if s.conn != nil {
		s.conn.count()
	}
	since := s.playing
	if s.lastMaster.After(since) {
		since = s.lastMaster
	}
	switch {
	case now.Sub(since) > s.silenceTimeout && s.refused != nil:
		return fmt.Errorf("nothing that came for %v could be stored: %w", s.silenceTimeout, s.refused)
	case now.Sub(since) > s.silenceTimeout:
		return fmt.Errorf("the camera was silent: no complete %s came for %v", s.master().unit(), s.silenceTimeout)
	case s.started || now.Sub(s.playing) <= s.syncTimeout:
		return nil
	}
	what, do := s.master().awaits()
	if do != "" {
		do = ": " + do
	}
	return fmt.Errorf("the camera sent no %s within %v%s", what, s.syncTimeout, do)
}

// close ends the session and its goroutines. h gets the samples that still wait, and is then called no more.
func (s *session) close() {
	s.end()
	s.client.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loss.report()
}

func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		_ = s.guard.Do(s.log, "the last samples of the camera", s.flush) // the session ends anyway, for a reason that came first
	}
	s.ended = true
}

// handle calls f with the time of arrival of what the camera sent, unless the session is over, and ends the session when f
// fails or panics. The reason calls it what.
func (s *session) handle(what string, f func(now time.Time) error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if err := s.guard.Do(s.log, what, func() error { return f(now) }); err != nil {
		s.failLocked(err)
	}
}

// failLocked ends the session for a reason, unless it has ended for another.
func (s *session) failLocked(err error) {
	if !s.ended {
		s.ended = true
		s.failed <- s.secrets.Error(err)
	}
}

// because notes why the camera refuses what it was asked, or nil at each new request.
func (s *session) because(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = cause
}

// reason returns why the session failed, where an answer or a packet has ended it, and else what gortsplib says.
func (s *session) reason(err error) error {
	select {
	case why := <-s.failed:
		return why
	default:
		return err
	}
}
