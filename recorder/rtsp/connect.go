package rtsp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
)

const setUpTimeout = 30 * time.Second // for all requests up to PLAY, redirections included

// dial connects for gortsplib, which does so again where a camera redirects, or refuses UDP.
func (s *session) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := dialBatched(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	return conn, nil
}

// dialTLS is dial for rtsps. gortsplib's own way leaves the handshake without a deadline.
func (s *session) dialTLS(ctx context.Context, network, address string, config *tls.Config) (net.Conn, error) {
	conn, err := s.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
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
		return fmt.Errorf("DESCRIBE: %w", err)
	}
	medias, err := s.choose(desc)
	if err != nil {
		return err
	}
	for _, m := range medias {
		// A control attribute that makes no URL would have gortsplib send a request to nowhere.
		if u, err := m.URL(desc.BaseURL); err != nil || u == nil {
			return fmt.Errorf("the camera describes its %s track with an invalid control URL", m.Type)
		}
		if _, err := s.client.Setup(desc.BaseURL, m, 0, 0); err != nil {
			return fmt.Errorf("SETUP of the %s track: %w", m.Type, err)
		}
	}
	s.listen()
	if _, err := s.client.Play(nil); err != nil {
		return fmt.Errorf("PLAY: %w", err)
	}
	return nil
}
