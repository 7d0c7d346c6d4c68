package camera

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/auth"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
)

// writeQueue is how many packets may wait for one reader; a power of two. It holds
// a frame of 5 MB, since all packets of a frame are queued at once. A reader that
// lets it run full is disconnected.
const writeQueue = 4096

// Server is a camera that plays. Its methods are safe for concurrent use.
type Server struct {
	options Options
	rtsp    *gortsplib.Server
	address net.Addr

	ready   chan struct{} // closed when streams is set
	streams map[string]*stream
	stop    context.CancelFunc // ends the streams' goroutines
	playing sync.WaitGroup     // those goroutines
	left    atomic.Int64       // streams that have not ended
	done    chan struct{}
	muted   atomic.Bool
	close   func() error
}

// Start starts a camera. The caller must Close it.
func Start(options Options) (*Server, error) {
	options, err := options.complete()
	if err != nil {
		return nil, fmt.Errorf("start camera: %w", err)
	}
	s := &Server{options: options, ready: make(chan struct{}), done: make(chan struct{})}
	s.close = sync.OnceValue(s.shutDown)
	if err := s.listen(); err != nil {
		return nil, fmt.Errorf("start camera at %s: %w", options.Listen, err)
	}
	if err := s.play(); err != nil {
		s.rtsp.Close()
		return nil, fmt.Errorf("start camera at %s: %w", options.Listen, err)
	}
	return s, nil
}

// listen starts the RTSP server.
func (s *Server) listen() error {
	s.rtsp = &gortsplib.Server{
		Handler:        handler{s},
		RTSPAddress:    s.options.Listen,
		WriteQueueSize: writeQueue,
		// Each stream sends its own reports: those know when a sample was due,
		// and counting them tells when all before them is on its way.
		DisableRTCPSenderReports: true,
	}
	switch s.options.Auth {
	case AuthBasic:
		s.rtsp.AuthMethods = []auth.VerifyMethod{auth.VerifyMethodBasic}
	case AuthDigest:
		s.rtsp.AuthMethods = []auth.VerifyMethod{auth.VerifyMethodDigestMD5}
	}
	if s.options.UDP {
		pair, err := listenPair(s.options.Listen)
		if err != nil {
			return err
		}
		s.rtsp.UDPRTPAddress, s.rtsp.UDPRTCPAddress = pair.rtp.LocalAddr().String(), pair.rtcp.LocalAddr().String()
		s.rtsp.ListenPacket = pair.take
		if err := s.rtsp.Start(); err != nil {
			pair.close()
			return err
		}
	} else if err := s.rtsp.Start(); err != nil {
		return err
	}
	s.address = s.rtsp.NetListener().Addr()
	return nil
}

// play starts the streams. Requests that come before wait for ready.
func (s *Server) play() error {
	defer close(s.ready)
	clips, err := s.options.clips()
	if err != nil {
		return err
	}
	streams := map[string]*stream{}
	for path, clip := range clips {
		if streams[path], err = newStream(s, path, clip); err != nil {
			return fmt.Errorf("stream %q: %w", path, err)
		}
	}
	s.streams = streams
	s.left.Store(int64(len(streams)))
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	for _, st := range streams {
		s.playing.Go(func() {
			if st.play(ctx) == nil && s.left.Add(-1) == 0 {
				close(s.done)
			}
		})
	}
	return nil
}

// URL of the camera's stream, without user and password. Where the camera listens
// on all addresses, it names the loopback one.
func (s *Server) URL() string { return s.url(s.options.Path, nil) }

// URLWithCredentials is URL with the user and the password in it.
func (s *Server) URLWithCredentials() string {
	if s.options.User == "" {
		return s.URL()
	}
	return s.url(s.options.Path, url.UserPassword(s.options.User, s.options.Password))
}

// OtherURL is the URL of one of Options.Others, without user and password.
func (s *Server) OtherURL(path string) string { return s.url(path, nil) }

func (s *Server) url(path string, user *url.Userinfo) string {
	address := *s.address.(*net.TCPAddr)
	if address.IP.IsUnspecified() {
		address.IP = net.IPv4(127, 0, 0, 1)
	}
	u := url.URL{Scheme: "rtsp", User: user, Host: address.String(), Path: "/" + trimPath(path)}
	return u.String()
}

// Done is closed when all clips have been sent to their end, for Options.Once.
func (s *Server) Done() <-chan struct{} { return s.done }

// Readers is how many readers play at the moment.
func (s *Server) Readers() int {
	n := 0
	for _, st := range s.streams {
		n += st.count()
	}
	return n
}

// Drop disconnects all readers, as a camera does that restarts. They may come back at once.
func (s *Server) Drop() {
	for _, st := range s.streams {
		st.drop()
	}
}

// Mute makes the camera silent, or ends that: its sessions stay, but nothing is
// sent. Its clock runs on meanwhile. Video comes back with the next sync sample.
func (s *Server) Mute(on bool) { s.muted.Store(on) }

// Close disconnects all readers, stops the camera and waits for all that it
// started. It returns what had stopped the server before, if anything had.
func (s *Server) Close() error { return s.close() }

func (s *Server) shutDown() error {
	s.stop()
	s.playing.Wait()
	s.rtsp.Close()
	if err := s.rtsp.Wait(); !errors.Is(err, liberrors.ErrServerTerminated{}) {
		return fmt.Errorf("serve RTSP at %s: %w", s.address, err)
	}
	return nil
}

// handler answers RTSP requests.
type handler struct{ s *Server }

func (h handler) OnDescribe(c *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return h.admit(c.Conn, c.Request, c.Path)
}

func (h handler) OnSetup(c *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return h.admit(c.Conn, c.Request, c.Path)
}

func (h handler) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// admit checks who asks, and for what.
func (h handler) admit(c *gortsplib.ServerConn, r *base.Request, path string) (*base.Response, *gortsplib.ServerStream, error) {
	o := h.s.options
	if o.User != "" && !c.VerifyCredentials(r, o.User, o.Password) {
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	}
	st := h.stream(path)
	if st == nil || st.over() {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, st.rtsp, nil
}

func (h handler) stream(path string) *stream {
	<-h.s.ready
	return h.s.streams[trimPath(path)]
}

// OnResponse sees the answer to PLAY. OnPlay would be too early to count the
// reader in: what is sent then does not reach it yet.
func (h handler) OnResponse(c *gortsplib.ServerConn, _ *base.Response) {
	session := c.Session()
	if session == nil || session.State() != gortsplib.ServerSessionStatePlay {
		return
	}
	if st := h.stream(session.Path()); st != nil {
		st.join(session)
	}
}

func (h handler) OnSessionClose(c *gortsplib.ServerHandlerOnSessionCloseCtx) {
	if st := h.stream(c.Session.Path()); st != nil {
		st.leave(c.Session, c.Error)
	}
}

// OnStreamWriteError hears that a reader's queue is full.
func (h handler) OnStreamWriteError(c *gortsplib.ServerHandlerOnStreamWriteErrorCtx) {
	if st := h.stream(c.Session.Path()); st != nil {
		st.expel(c.Session, c.Error)
	}
}

func (h handler) OnDecodeError(c *gortsplib.ServerHandlerOnDecodeErrorCtx) {
	h.s.options.Log.Debug("camera: a reader sent a malformed packet", "err", c.Error)
}
