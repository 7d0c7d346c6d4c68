package rtsp

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"

	"nvrfs/media"
	"nvrfs/recorder/guard"
	"nvrfs/redact"
)

// Transport is how RTP packets travel.
type Transport string

// The transports.
const (
	TCP       Transport = "tcp"       // interleaved with RTSP in one connection, where nothing is lost on the way
	UDP       Transport = "udp"       // unicast
	Auto      Transport = "auto"      // UDP, or TCP where the camera or the network refuses UDP
	Multicast Transport = "multicast" // UDP, once for all that watch
	HTTP      Transport = "http"      // as TCP, in two HTTP connections, where a network lets nothing else through
)

// protocol returns gortsplib's name of t; nil is automatic.
func (t Transport) protocol() *gortsplib.Protocol {
	p := gortsplib.ProtocolTCP
	switch t {
	case Auto:
		return nil
	case UDP:
		p = gortsplib.ProtocolUDP
	case Multicast:
		p = gortsplib.ProtocolUDPMulticast
	}
	return &p
}

const (
	defaultSilenceTimeout = 10 * time.Second
	defaultSyncTimeout    = 30 * time.Second
)

// A Source is a camera, or another server of RTSP (RFC 2326), as a media.Source. It yields one track of video and, where there
// is one, one of sound, of the codecs that package codec receives, and says in its log which other tracks are left out. Only
// URL and Log must be set.
type Source struct {
	URL       string      // rtsp:// or rtsps://, with user name and password, for basic or digest authentication
	Transport Transport   // TCP where empty
	UserAgent string      // "nvrfs" where empty
	TLSConfig *tls.Config // for rtsps://; where nil, the camera needs a certificate that the host trusts
	// Fingerprint is that of the camera's own certificate, for rtsps://: "sha256:" and 64 hexadecimal digits. Where it is not
	// empty, no other certificate will do, and that one needs nobody's trust.
	Fingerprint string

	// DigestOnly is for a server that may not be the camera: it gets a digest of the password, and never the password, as Basic has it.
	DigestOnly bool

	// Reports is told of each sender report of the camera: which time it is by the camera's wall clock, and when that came. Where it is
	// set, packets are read as they come, instead of many at once, which saves processor time, but makes the times of arrival inexact.
	Reports func(wall, received time.Time)

	// SilenceTimeout is how long a session goes on without a whole access unit of video; 10 s where 0.
	SilenceTimeout time.Duration
	// SyncTimeout is how long a session waits for its first picture; 30 s where 0, since encoders that save bits send one with
	// which decoding can start as seldom as every 20 s, and not every server sends one first.
	SyncTimeout time.Duration

	Log *slog.Logger

	guard guard.Guard
	told  told
}

// Run implements media.Source. The errors and log lines of a session never hold the password of the URL.
func (r *Source) Run(ctx context.Context, h media.Handler) error {
	err := r.run(ctx, h)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (r *Source) run(ctx context.Context, h media.Handler) error {
	u, err := base.ParseURL(r.URL)
	if err != nil || u.Host == "" { // what err says may quote the password
		return fmt.Errorf("the camera's URL %s is not valid; write rtsp://user:password@host:port/path, with %%40, %%2F, %%3A, %%23, %%25 for @, /, :, #, %% in the password", redact.URL(r.URL))
	}
	s := newSession(r, h)
	s.named = (*url.URL)(u)
	u = u.CloneWithoutCredentials() // gortsplib needs none, since a dialogue proves who asks
	s.client.Scheme, s.client.Host = u.Scheme, u.Host
	if err := s.client.Start(); err != nil {
		return fmt.Errorf("start an RTSP client: %w", err)
	}
	if err := s.guard.Do(s.log, "the start of the camera's session", func() error { return s.setUp(ctx, u) }); err != nil {
		s.close()
		return fmt.Errorf("connect to %s: %w", redact.URL(r.URL), s.secrets.Error(err))
	}
	return s.watch(ctx)
}
