package rtsp

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// A tunnelConn carries RTSP in two HTTP connections, as QuickTime began it and ONVIF demands it: what the camera sends is the
// answer to a GET, and what it gets is the body of a POST, in base64.
type tunnelConn struct {
	net.Conn          // of the GET
	post     net.Conn // of the POST
}

// tunnel opens one. What the camera sends is to be read from the reader. open connects.
func tunnel(ctx context.Context, open func() (net.Conn, error), address, uri string, login *login) (conn net.Conn, in *bufio.Reader, err error) {
	var opened []net.Conn
	var mu sync.Mutex
	closeAll := func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range opened {
			c.Close()
		}
	}
	stop := context.AfterFunc(ctx, closeAll)
	defer func() {
		if !stop() {
			err = errors.Join(context.Cause(ctx), err)
		}
		if err != nil {
			closeAll()
		}
	}()
	cookie := rand.Text()
	begin := func(method, more string) (net.Conn, error) {
		c, err := open()
		if err != nil {
			return nil, err
		}
		mu.Lock()
		opened = append(opened, c)
		mu.Unlock()
		head := fmt.Sprintf("%s %s HTTP/1.0\r\nHost: %s\r\nx-sessioncookie: %s\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n%s",
			method, uri, address, cookie, more)
		if a := login.authorize(method, uri); a != "" {
			head += "Authorization: " + a + "\r\n"
		}
		_ = c.SetWriteDeadline(time.Now().Add(resendTime))
		_, err = c.Write([]byte(head + "\r\n"))
		return c, err
	}

	var get net.Conn
	for renewed := 0; ; renewed++ {
		authorized := login.challenge != nil
		if get, err = begin("GET", "Accept: application/x-rtsp-tunnelled\r\n"); err != nil {
			return nil, nil, err
		}
		in = newReader(get)
		answer, err := readHead(in)
		if err != nil {
			return nil, nil, fmt.Errorf("the camera does not answer as a tunnel over HTTP does: %w", err)
		}
		switch status := answer.status(); {
		case status == 200:
		case status == 401 && renewed <= maxRenewals && login.again(answer.all("www-authenticate"), authorized, renewed):
			get.Close()
			continue
		case status == 401 && login.refused != nil:
			return nil, nil, login.refused
		default:
			return nil, nil, fmt.Errorf("the camera answers %d to RTSP over HTTP; set transport: tcp, or name the port of HTTP in the URL", status)
		}
		break
	}
	post, err := begin("POST", "Content-Type: application/x-rtsp-tunnelled\r\nContent-Length: 32767\r\nExpires: Sun, 9 Jan 1972 00:00:00 GMT\r\n")
	if err != nil {
		return nil, nil, err
	}
	return &tunnelConn{get, post}, in, nil // cameras do not answer a POST before its end, which never comes
}

// Write implements net.Conn.
func (c *tunnelConn) Write(p []byte) (int, error) {
	if _, err := c.post.Write([]byte(base64.StdEncoding.EncodeToString(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetWriteDeadline implements net.Conn.
func (c *tunnelConn) SetWriteDeadline(t time.Time) error { return c.post.SetWriteDeadline(t) }

// Close implements net.Conn.
func (c *tunnelConn) Close() error { return errors.Join(c.Conn.Close(), c.post.Close()) }
