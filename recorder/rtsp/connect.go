package rtsp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"
)

const setUpTimeout = 30 * time.Second // for all requests up to PLAY, redirections included

// dial connects for gortsplib, which does so again where a camera redirects, or refuses UDP.
func (s *session) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return s.connect(ctx, network, address, false)
}

// dialTLS is dial for rtsps.
func (s *session) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	return s.connect(ctx, network, address, true)
}

func (s *session) connect(ctx context.Context, network, address string, encrypted bool) (net.Conn, error) {
	open := func() (net.Conn, error) {
		conn, err := dialBatched(ctx, network, address)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.conn = conn // of two, the one that is read
		s.mu.Unlock()
		if encrypted {
			return s.encrypt(ctx, conn, address)
		}
		return conn, nil
	}
	d := &dialogue{s: s}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d.login.user, d.login.digestOnly = s.named.User, s.digestOnly
	if !strings.EqualFold(host, s.named.Hostname()) {
		d.login.away = quoted(address)
	}
	if s.source.Transport == HTTP {
		d.Conn, d.in, err = tunnel(ctx, open, address, s.named.RequestURI(), &d.login)
		return d, err
	}
	d.Conn, err = open()
	if err != nil {
		return nil, err
	}
	d.in = bufio.NewReader(d.Conn)
	if !encrypted { // TLS takes the batch apart, and so needs a buffer below
		d.in = bufio.NewReaderSize(d.Conn, batchBuffer)
	}
	return d, nil
}

// setUp sends DESCRIBE, SETUP for the tracks to be recorded, and PLAY.
func (s *session) setUp(ctx context.Context, u *base.URL) error {
	ctx, cancel := context.WithTimeoutCause(ctx, setUpTimeout, fmt.Errorf("it did not start to play within %v", setUpTimeout))
	defer cancel()
	stop := context.AfterFunc(ctx, s.client.Close)
	defer stop()

	err := s.requests(u)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		err = s.reason(err)
	}
	return err
}

func (s *session) requests(u *base.URL) error {
	desc, _, err := s.client.Describe(u)
	if err != nil {
		return fmt.Errorf("DESCRIBE: %w", s.explain(err))
	}
	medias, err := s.choose(desc)
	if err != nil {
		return err
	}
	for _, m := range medias {
		if err := s.setUpTrack(desc, m); err != nil {
			return err
		}
	}
	s.left.tell(s.log, &s.source.told)
	s.listen()
	if _, err := s.client.Play(nil); err != nil {
		return fmt.Errorf("PLAY: %w", s.explain(err))
	}
	return nil
}

// setUpTrack sends SETUP. Sound that is refused beside a picture is left out.
func (s *session) setUpTrack(desc *description.Session, m *description.Media) error {
	beside := m != s.master().media
	s.optional.Store(beside)
	defer s.optional.Store(false)
	var err error
	if by := s.source.Transport; s.client.Scheme == "rtsps" && m.Profile != headers.TransportProfileSAVP && (by == UDP || by == Multicast) {
		err = errors.New("the camera does not encrypt packets by UDP (SRTP); set transport: tcp")
	} else if _, err = s.client.Setup(desc.BaseURL, m, 0, 0); err == nil {
		return nil
	}
	err = fmt.Errorf("SETUP of the %s track: %w", m.Type, s.explain(err))
	if !beside {
		return err
	}
	s.left.lost = append(s.left.lost, lostTrack{string(m.Type), codecName(m), err})
	s.audio, s.tie.Rate = nil, 0
	return nil
}
