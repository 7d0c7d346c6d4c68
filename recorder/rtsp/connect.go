package rtsp

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"

	"nvrfs/codec"
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
	} else if d.Conn, err = open(); err == nil {
		d.in = newReader(d.Conn)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = batchOf(d.Conn)
	return d, nil
}

// newReader reads from a connection as much at once as is there. TLS takes that apart, and so there is a buffer below it.
func newReader(conn net.Conn) *bufio.Reader {
	if _, ok := conn.(*batchConn); ok {
		return bufio.NewReaderSize(conn, batchBuffer)
	}
	return bufio.NewReader(conn)
}

// batchOf returns the connection to the camera that is below another one, and is read.
func batchOf(conn net.Conn) *batchConn {
	switch c := conn.(type) {
	case *batchConn:
		return c
	case *tls.Conn:
		return batchOf(c.NetConn())
	case *tunnelConn:
		return batchOf(c.Conn)
	}
	return nil
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
	s.listen()
	if _, err := s.client.Play(nil); err != nil {
		return fmt.Errorf("PLAY: %w", s.explain(err))
	}
	s.left.tell(s.log, &s.source.told) // not before, because a track may be missing since the connection is gone, or the session is stopped
	return nil
}

// setUpTrack sends SETUP. Sound that is refused beside a picture is left out.
func (s *session) setUpTrack(desc *description.Session, m *description.Media) error {
	beside := m != s.master().media
	s.optional.Store(beside)
	defer s.optional.Store(false)
	var types []uint8
	for _, f := range m.Formats {
		types = append(types, f.PayloadType())
	}
	s.settingUp.Store(&types)
	var err error
	by := s.source.Transport
	if by == UDP || by == Multicast { // with auto, TCP is the better way for such a camera
		for _, f := range m.Formats {
			codec.AllowUDP(f)
		}
	}
	if s.client.Scheme == "rtsps" && m.Profile != headers.TransportProfileSAVP && (by == UDP || by == Multicast) {
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
