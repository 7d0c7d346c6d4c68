package rtsp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"github.com/pion/rtp"

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
	client         *gortsplib.Client
	times          packetTimes // the client
	silenceTimeout time.Duration
	syncTimeout    time.Duration
	failed         chan error // gets the first error of a packet or of h

	// mu serialises the packets, since over UDP every track has a goroutine of its own. It guards all that follows.
	mu          sync.Mutex
	conn        *batchConn // the one in use
	video       *videoTrack
	audio       *track // nil where there is none
	firstPacket time.Time
	playing     time.Time // when PLAY was answered
	lastVideo   time.Time // when the last access unit was complete
	started     bool      // h.Start was called
	ended       bool      // h is to be called no more
	loss        lossLog
	tie         rtpclock.Tie
}

// packetTimes tells the times of RTP packets, by the clock of their track and by the camera's wall clock.
type packetTimes interface {
	PacketPTS(*description.Media, *rtp.Packet) (int64, bool)
	PacketNTP(*description.Media, *rtp.Packet) (time.Time, bool)
}

func newSession(r *Source, h media.Handler) *session {
	secrets := redact.Of(r.URL)
	log := secrets.Logger(r.Log)
	s := &session{
		h:              h,
		secrets:        secrets,
		log:            log,
		guard:          &r.guard,
		silenceTimeout: cmp.Or(r.SilenceTimeout, defaultSilenceTimeout),
		syncTimeout:    cmp.Or(r.SyncTimeout, defaultSyncTimeout),
		failed:         make(chan error, 1),
		loss:           lossLog{log: log},
	}
	s.client = &gortsplib.Client{
		Protocol:     r.Transport.protocol(),
		UserAgent:    cmp.Or(r.UserAgent, "nvrfs"),
		ReadTimeout:  s.silenceTimeout + responseSlack,
		WriteTimeout: s.silenceTimeout,
		ListenPacket: listenUDP,
		DialContext:  s.dial,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return s.dialTLS(ctx, network, address, r.TLSConfig)
		},
		OnTransportSwitch: func(reason error) {
			s.log.Info("the camera sends by another RTP transport now", "reason", reason)
		},
		OnResponse:    s.onResponse,
		OnPacketsLost: func(n uint64) { s.lost(n, nil) },
		OnDecodeError: func(err error) { s.lost(0, err) },
	}
	s.times = s.client
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
			return s.reason(fmt.Errorf("the RTSP session ended: %w", s.secrets.Error(explain(err))))
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
	if s.tie.Tied() { // until then, the tracks may be tied by when their packets come
		s.conn.adjust(s.silenceTimeout / ticksInSilence)
	}
	since := s.playing
	if s.lastVideo.After(since) {
		since = s.lastVideo
	}
	switch {
	case now.Sub(since) > s.silenceTimeout:
		return fmt.Errorf("the camera was silent: no complete video picture came for %v", s.silenceTimeout)
	case s.started || now.Sub(s.playing) <= s.syncTimeout:
		return nil
	}
	what, do := s.video.awaits()
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
	if !s.ended && s.started {
		_ = s.guard.Do(s.log, "the last samples of the camera", s.flush) // the session ends anyway, for a reason that came first
	}
	s.ended = true
}

// flush hands on the last picture, and what waits to be tied to the other track.
func (s *session) flush() error {
	if err := s.videoUnits(s.video.receiver.Flush()); err != nil {
		return err
	}
	return s.tie.Flush()
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

// reason returns why the session failed, where an answer or a packet has ended it, and else what gortsplib says.
func (s *session) reason(err error) error {
	select {
	case why := <-s.failed:
		return why
	default:
		return err
	}
}

// explain adds to an error of gortsplib what it means for a camera.
func explain(err error) error {
	var status liberrors.ErrClientBadStatusCode
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the camera closed the connection")
	case !errors.As(err, &status):
		return err
	}
	switch status.Code {
	case base.StatusUnauthorized, base.StatusForbidden:
		return fmt.Errorf("the camera refuses the user name or password: %w", err)
	case base.StatusNotFound:
		return fmt.Errorf("the camera knows no stream of that path: %w", err)
	case base.StatusNotEnoughBandwidth, base.StatusServiceUnavailable:
		return fmt.Errorf("the camera cannot serve the stream now, maybe since too many clients watch it: %w", err)
	}
	return err
}
