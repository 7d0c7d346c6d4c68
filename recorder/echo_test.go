package recorder

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"testing"
)

// echoServer asks for basic authentication, and then refuses what it is sent with a status line that tells it back.
func echoServer(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			echo(c)
		}
	}()
	return l.Addr().String()
}

func echo(c net.Conn) {
	defer c.Close()
	r := textproto.NewReader(bufio.NewReader(c))
	for {
		request, err := r.ReadLine()
		if err != nil {
			return
		}
		h, err := r.ReadMIMEHeader()
		if err != nil {
			return
		}
		status, extra := "200 OK", "Public: DESCRIBE\r\n"
		if !strings.HasPrefix(request, "OPTIONS") {
			status, extra = "401 Unauthorized", "WWW-Authenticate: Basic realm=\"camera\"\r\n"
			if sent := h.Get("Authorization"); sent != "" {
				status, extra = "400 You sent "+sent, ""
			}
		}
		fmt.Fprintf(c, "RTSP/1.0 %s\r\nCSeq: %s\r\n%s\r\n", status, h.Get("CSeq"), extra)
	}
}

// A server that sends the Authorization header back gets the password into no log.
func TestServerEchoesPassword(t *testing.T) {
	r := &RTSP{URL: "rtsp://admin:hunter2@" + echoServer(t) + "/live", Transport: TCP}
	log, err := runRTSP(t, r, &collector{}, 1, 1)
	sent := base64.StdEncoding.EncodeToString([]byte("admin:hunter2"))
	if err == nil || !strings.Contains(err.Error(), "You sent Basic xxxxx") {
		t.Errorf("error is %v", err)
	}
	if all := fmt.Sprint(log, err); strings.Contains(all, sent) || strings.Contains(all, "hunter2") {
		t.Errorf("the password is told: %s", all)
	}
}
