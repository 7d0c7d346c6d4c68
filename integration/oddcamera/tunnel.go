package oddcamera

import (
	"bufio"
	"encoding/base64"
	"io"
	"net/textproto"
	"strings"
)

// tunnel begins RTSP over HTTP on a connection, of which the client opens two: the GET is what the camera writes to, the POST has
// requests in base64. It returns what requests of a POST are to be read from, and nil where the connection is of no use.
func (s *Session) tunnel(in *bufio.Reader) (rest *bufio.Reader, get bool) {
	text := textproto.NewReader(in)
	line, err := text.ReadLine()
	if err != nil {
		return nil, false
	}
	req := &Request{Session: s.N}
	req.Method, req.URL, _ = strings.Cut(line, " ")
	req.URL, _, _ = strings.Cut(req.URL, " ")
	if req.Header, err = text.ReadMIMEHeader(); err != nil {
		return nil, false
	}
	c, cookie := s.Camera, req.Header.Get("X-Sessioncookie")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, req)
	if req.Method == "GET" {
		a := &Answer{Status: "200 OK", Lines: []string{"Content-Type: application/x-rtsp-tunnelled"}}
		s.nonce = c.nonce
		allowed := s.authorized(req, a)
		c.nonce = s.nonce
		if allowed {
			if c.tunnels == nil {
				c.tunnels = map[string]*Session{}
			}
			c.tunnels[cookie] = s
		}
		s.Write(strings.Replace(a.String(), "RTSP/1.0", "HTTP/1.0", 1))
		if !allowed {
			return nil, true
		}
		return in, true
	}
	other := c.tunnels[cookie]
	if other == nil {
		return nil, false
	}
	delete(c.tunnels, cookie)
	s.conn, s.nonce = other.conn, other.nonce
	return bufio.NewReader(&quads{in: in}), false
}

// quads decodes base64 of which any four characters may end in padding, since each message is encoded by itself.
type quads struct {
	in   *bufio.Reader
	data []byte
}

func (q *quads) Read(p []byte) (int, error) {
	if len(q.data) == 0 {
		var four [4]byte
		if _, err := io.ReadFull(q.in, four[:]); err != nil {
			return 0, err
		}
		var err error
		if q.data, err = base64.StdEncoding.DecodeString(string(four[:])); err != nil {
			return 0, err
		}
	}
	n := copy(p, q.data)
	q.data = q.data[n:]
	return n, nil
}
