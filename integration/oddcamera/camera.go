package oddcamera

import (
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// A Case is one way to be odd. The hooks of one session are called one at a time; those of several sessions are not.
type Case struct {
	Name string

	// SDP changes the session description.
	SDP func(sdp string) string
	// Answer changes the answer to a request before it is sent.
	Answer func(s *Session, req *Request, a *Answer)
	// Unit changes an access unit before it is sent, and returns those that are sent instead. It may call s.Write.
	Unit func(s *Session, u *Unit) []*Unit
	// Packet changes an RTP packet before it is sent, and returns those that are sent instead.
	Packet func(s *Session, p *Packet) []*Packet
	// Report changes a sender report, and returns whether it is sent. Each track sends one at first and then every ReportEvery.
	Report func(s *Session, track int, r *rtcp.SenderReport) bool

	ReportEvery time.Duration // 5 s where 0
	Auth        *Auth         // nil where anybody may watch
	TLS         *tls.Config   // nil for rtsp://
	Speed       float64       // how much faster than in real time units are sent; 1 where 0
	NoUDP       bool          // answers 461 where UDP is asked for
}

// A Camera serves until its test ends.
type Camera struct {
	Case   Case
	Tracks []*Track
	URL    string // without user and password

	listener net.Listener
	wg       sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	conns    []net.Conn
	requests []*Request
	sent     []Sent
	sessions int
	tunnels  map[string]*Session // by their cookie, those that wait for a POST
	nonce    nonce               // of the newest GET, since the next one is another connection
}

// Sent is an access unit that was sent, or is about to be.
type Sent struct {
	Unit
	Session int // from 0
	At      time.Time
}

// Start serves tracks until the test ends: the picture of the demo clip where there are none.
func Start(t testing.TB, c Case, tracks ...*Track) *Camera {
	t.Helper()
	if len(tracks) == 0 {
		tracks = []*Track{DemoVideo()}
	}
	if c.Speed == 0 {
		c.Speed = 1
	}
	if c.ReportEvery == 0 {
		c.ReportEvery = 5 * time.Second
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cam := &Camera{Case: c, Tracks: tracks, URL: "rtsp://" + l.Addr().String() + "/live", listener: l}
	if c.TLS != nil {
		cam.listener = tls.NewListener(l, c.TLS)
		cam.URL = "rtsps://" + l.Addr().String() + "/live"
	}
	cam.wg.Go(cam.accept)
	t.Cleanup(cam.close)
	return cam
}

func (c *Camera) accept() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		closed, n := c.closed, c.sessions
		if !closed {
			c.conns = append(c.conns, conn)
			c.sessions++
		}
		c.mu.Unlock()
		if closed {
			conn.Close()
			return
		}
		c.wg.Go(func() { serve(c, conn, n) })
	}
}

func (c *Camera) close() {
	c.listener.Close()
	c.mu.Lock()
	c.closed = true
	conns := c.conns
	c.mu.Unlock()
	for _, conn := range conns {
		conn.Close()
	}
	c.wg.Wait()
}

// HangUp closes the connections that there are.
func (c *Camera) HangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
}

// Requests returns the requests that came, oldest first.
func (c *Camera) Requests() []*Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

// Sessions returns how many connections were made.
func (c *Camera) Sessions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions
}

// Sent returns the access units of a track that were sent, oldest first, the one included that is being sent.
func (c *Camera) Sent(track int) []Sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sent []Sent
	for _, s := range c.sent {
		if s.Track == track {
			sent = append(sent, s)
		}
	}
	return sent
}
