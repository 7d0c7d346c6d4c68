package oddcamera

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Session is one connection of a client.
type Session struct {
	Camera *Camera
	N      int // counts the camera's sessions, from 0

	conn    net.Conn
	routes  []route
	playing bool
	gone    chan struct{} // closed when the client is gone
	pumped  sync.WaitGroup
	nonce   nonce

	hooks sync.Mutex // held while a hook is called
	mu    sync.Mutex // held while a message is written
}

// A Request is what a client asks for, or its answer to a request of the camera, whose Method is then "RTSP/1.0".
type Request struct {
	Session int
	Method  string
	URL     string
	Header  textproto.MIMEHeader
	Body    []byte
}

// An Answer is what the camera says. Lines are its headers, "Name: value", without line ends.
type Answer struct {
	Status string // "200 OK"
	Lines  []string
	Body   string

	Before string // sent before the answer
	After  string // sent right after it
	Raw    string // sent instead of the answer, where it is not empty
	None   bool   // nothing is sent
	HangUp bool   // the connection is closed after it
}

// Set replaces the header of a name, or adds it.
func (a *Answer) Set(name, value string) {
	a.Del(name)
	a.Lines = append(a.Lines, name+": "+value)
}

// Del removes the headers of a name.
func (a *Answer) Del(name string) {
	var kept []string
	for _, l := range a.Lines {
		if !strings.HasPrefix(strings.ToLower(l), strings.ToLower(name)+":") {
			kept = append(kept, l)
		}
	}
	a.Lines = kept
}

// Refuse makes it a refusal, without a body.
func (a *Answer) Refuse(status string) {
	a.Status, a.Body = status, ""
	a.Del("Content-Type")
}

func (a *Answer) String() string {
	if a.Raw != "" {
		return a.Before + a.Raw + a.After
	}
	if a.None {
		return a.Before + a.After
	}
	lines := a.Lines
	if a.Body != "" {
		lines = append(lines[:len(lines):len(lines)], "Content-Length: "+strconv.Itoa(len(a.Body)))
	}
	head := "RTSP/1.0 " + a.Status + "\r\n"
	for _, l := range lines {
		head += l + "\r\n"
	}
	return a.Before + head + "\r\n" + a.Body + a.After
}

// Frame is an interleaved frame (RFC 2326 10.12).
func Frame(channel int, data []byte) string {
	return string([]byte{'$', byte(channel), byte(len(data) >> 8), byte(len(data))}) + string(data)
}

// Write sends bytes to the client as they are.
func (s *Session) Write(data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(s.conn, data)
}

// HangUp closes the connection.
func (s *Session) HangUp() { s.conn.Close() }

func serve(c *Camera, conn net.Conn, n int) {
	s := &Session{Camera: c, N: n, conn: conn, gone: make(chan struct{}), routes: make([]route, len(c.Tracks))}
	defer s.pumped.Wait()
	defer close(s.gone)
	defer conn.Close()
	defer s.closeRoutes()
	in := bufio.NewReader(conn)
	if head, _ := in.Peek(4); string(head) == "GET " || string(head) == "POST" {
		var get bool
		if in, get = s.tunnel(in); in == nil {
			return
		}
		if get {
			_, _ = io.Copy(io.Discard, in) // until the client hangs up
			return
		}
	}
	for {
		req, err := readRequest(in)
		if err != nil {
			return
		}
		if req == nil {
			continue // an interleaved frame
		}
		req.Session = n
		c.mu.Lock()
		c.requests = append(c.requests, req)
		c.mu.Unlock()
		if req.Method == "RTSP/1.0" {
			continue
		}
		if s.answer(req) {
			return
		}
	}
}

// readRequest returns nil for an interleaved frame.
func readRequest(in *bufio.Reader) (*Request, error) {
	first, err := in.Peek(4)
	if err != nil {
		return nil, err
	}
	if first[0] == '$' {
		_, err := in.Discard(4 + int(first[2])<<8 + int(first[3]))
		return nil, err
	}
	text := textproto.NewReader(in)
	line, err := text.ReadLine()
	if err != nil {
		return nil, err
	}
	req := new(Request)
	req.Method, req.URL, _ = strings.Cut(line, " ")
	req.URL, _, _ = strings.Cut(req.URL, " ")
	if req.Header, err = text.ReadMIMEHeader(); err != nil {
		return nil, err
	}
	if length, _ := strconv.Atoi(req.Header.Get("Content-Length")); length > 0 {
		req.Body = make([]byte, length)
		_, err = io.ReadFull(in, req.Body)
	}
	return req, err
}

// answer answers a request, and returns whether the connection is to be closed.
func (s *Session) answer(req *Request) (hangUp bool) {
	a := &Answer{Status: "200 OK", Lines: []string{"CSeq: " + req.Header.Get("Cseq")}}
	allowed := s.authorized(req, a)
	if allowed {
		s.behave(req, a)
	}
	if s.Camera.Case.Answer != nil {
		s.hooks.Lock()
		s.Camera.Case.Answer(s, req, a)
		s.hooks.Unlock()
	}
	s.Write(a.String())
	if req.Method == "PLAY" && strings.HasPrefix(a.Status, "200") && !a.None && !s.playing {
		s.playing = true
		s.pumped.Go(s.pump)
	}
	return a.HangUp || req.Method == "TEARDOWN" && allowed
}

var trackID = regexp.MustCompile(`trackID=(\d+)`)

// behave answers a request as a good camera does.
func (s *Session) behave(req *Request, a *Answer) {
	switch req.Method {
	case "OPTIONS":
		a.Set("Public", "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")
	case "DESCRIBE":
		a.Set("Content-Type", "application/sdp")
		a.Set("Content-Base", req.URL+"/")
		a.Body = s.Camera.SDP()
	case "SETUP":
		s.setUp(req, a)
	case "PLAY", "GET_PARAMETER", "TEARDOWN":
		a.Set("Session", "12345678")
	default:
		a.Refuse("501 Not Implemented")
	}
}

// SDP is the session description.
func (c *Camera) SDP() string {
	var b bytes.Buffer
	b.WriteString("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=odd camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\na=range:npt=0-\r\n")
	for i, t := range c.Tracks {
		fmt.Fprintf(&b, "%sa=control:trackID=%d\r\n", t.Media, i)
	}
	if c.Case.SDP != nil {
		return c.Case.SDP(b.String())
	}
	return b.String()
}

// setUp takes the track that the URL names, or else the first that is not set up yet.
func (s *Session) setUp(req *Request, a *Answer) {
	track := -1
	if m := trackID.FindStringSubmatch(req.URL); m != nil {
		track, _ = strconv.Atoi(m[1])
	} else {
		for i := len(s.routes) - 1; i >= 0; i-- {
			if s.routes[i] == nil {
				track = i
			}
		}
	}
	if track < 0 || track >= len(s.routes) {
		a.Refuse("404 Not Found")
		return
	}
	transport := req.Header.Get("Transport")
	r, answer, err := s.newRoute(transport)
	if err != nil {
		a.Refuse("461 Unsupported Transport")
		return
	}
	s.hooks.Lock()
	s.routes[track] = r
	s.hooks.Unlock()
	a.Set("Session", "12345678;timeout=60")
	a.Set("Transport", answer)
}
