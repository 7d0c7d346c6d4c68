package rtsp

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	rtspconn "github.com/bluenviron/gortsplib/v5/pkg/conn"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"
)

// script is a connection of which all that the camera sends is known, in parts of some size.
type script struct {
	net.Conn
	in      *bytes.Reader
	most    int
	written bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)     { return s.in.Read(p[:min(len(p), s.most)]) }
func (s *script) Write(p []byte) (int, error)    { return s.written.Write(p) }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

func newScript(sent []byte, most int) (*dialogue, *script) {
	c := &script{in: bytes.NewReader(sent), most: most}
	s := newSession(&Source{Log: newTestLog(new(logBuffer))}, nil)
	d := &dialogue{Conn: c, s: s, in: bufio.NewReader(c)}
	d.login.user = url.UserPassword(testUser, testPassword)
	return d, c
}

func ask(t testing.TB, d *dialogue, method base.Method, header base.Header) {
	t.Helper()
	u, err := base.ParseURL("rtsp://camera/live")
	if err != nil {
		t.Fatal(err)
	}
	header["CSeq"] = base.HeaderValue{"1"}
	p, err := base.Request{Method: method, URL: u, Header: header}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write(p); err != nil {
		t.Fatal(err)
	}
}

// FuzzDialogue gives a dialogue whatever a camera may send: gortsplib reads what it makes of that without an error but the end,
// and understands the answers.
func FuzzDialogue(f *testing.F) {
	f.Add([]byte("RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: x\r\n\r\n$\x00\x00\x01a"), uint8(1), uint8(255))
	f.Add([]byte("RTSP/1.0 401 x\r\nWWW-Authenticate: Digest realm=\"a\", nonce=b, qop=auth\r\n\r\nRTSP/1.0 200 OK\r\n\r\n"), uint8(2), uint8(3))
	f.Add([]byte("RTSP/1.0 200\nTransport: RTP/AVP/TCP;interleaved=0-1\nSession: 1;timeout=5\n\n"), uint8(3), uint8(1))
	f.Add([]byte("RTSP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nv=0\r\nm=x\r\nGET_PARAMETER x RTSP/1.0\r\n\r\n"), uint8(2), uint8(7))
	f.Add([]byte("RTSP/1.0 302 x\r\nLocation: /x\r\n y\r\n\r\n"), uint8(2), uint8(7))
	f.Add([]byte("RTSP/1.0 200 OK\r\nContent-Type: x\r\n\r\nv=0\nm=video"), uint8(2), uint8(100))
	f.Add([]byte("RTSP/1.0 20000 OK\r\n\r\n"), uint8(1), uint8(99)) // more digits than a status has
	methods := []base.Method{base.Options, base.Play, base.Describe, base.Setup}
	f.Fuzz(func(t *testing.T, sent []byte, method, most uint8) {
		d, c := newScript(sent, 1+int(most))
		m := methods[method%4]
		transport := headers.Transport{Protocol: headers.TransportProtocolTCP, InterleavedIDs: &[2]int{0, 1}}
		if method&4 > 0 {
			transport = headers.Transport{Protocol: headers.TransportProtocolUDP, ClientPorts: &[2]int{10, 11}}
		}
		ask(t, d, m, base.Header{"Transport": transport.Marshal()})
		reader := rtspconn.NewConn(bufio.NewReader(d), io.Discard)
		for {
			what, err := reader.Read()
			if err != nil {
				text := err.Error()
				if err != io.EOF && err != io.ErrUnexpectedEOF && !strings.HasPrefix(text, "the camera ") {
					t.Fatalf("gortsplib fails with %v", err)
				}
				break
			}
			res, ok := what.(*base.Response)
			if !ok {
				if _, ok := what.(*base.InterleavedFrame); !ok || !d.playing.Load() {
					t.Fatalf("gortsplib gets %T", what)
				}
				continue
			}
			if v := res.Header["CSeq"]; len(v) != 1 || v[0] != "1" {
				t.Fatalf("the answer has CSeq %q", v)
			}
			if v, ok := res.Header["Session"]; ok && new(headers.Session).Unmarshal(v) != nil {
				t.Fatalf("Session is %q", v)
			}
			if m == base.Setup && res.StatusCode == base.StatusOK {
				if v := res.Header["Transport"]; new(headers.Transport).Unmarshal(v) != nil {
					t.Fatalf("Transport is %q", v)
				}
			}
			for _, name := range []string{"Location", "Content-Base"} {
				for _, v := range res.Header[name] {
					if u, err := base.ParseURL(v); err != nil || u.Host == "" || u.User != nil {
						t.Fatalf("%s is %q: %v", name, v, err)
					}
				}
			}
		}
		if d.s.guard.Logged() {
			t.Fatal("it panicked")
		}
		if c.written.Len() > 10*len(sent)+5000 {
			t.Fatalf("%d bytes are answered to %d", c.written.Len(), len(sent))
		}
	})
}

// BenchmarkDialogue reads a second of a camera of 4 Mbit/s, as gortsplib does, with a dialogue and without.
func BenchmarkDialogue(b *testing.B) {
	var stream []byte
	for range 375 {
		stream = append(stream, '$', 0, 1360>>8, 1360&0xff)
		stream = append(stream, make([]byte, 1360)...)
	}
	for name, with := range map[string]bool{"with": true, "without": false} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			d, c := newScript(nil, batchBuffer)
			d.playing.Store(true)
			d.channels = []int{0}
			batch := &batchConn{Conn: c}
			d.Conn, d.in = batch, bufio.NewReaderSize(batch, batchBuffer)
			var conn io.Reader = batch
			if with {
				conn = d
			}
			in, p := bufio.NewReader(conn), make([]byte, 1364)
			for range b.N {
				c.in.Reset(stream)
				for range 375 {
					if _, err := io.ReadFull(in, p); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func TestBatchOf(t *testing.T) {
	batch := &batchConn{}
	for _, conn := range []net.Conn{batch, tls.Client(batch, &tls.Config{ServerName: "x"}), &tunnelConn{Conn: batch, post: &batchConn{}}} {
		if batchOf(conn) != batch {
			t.Errorf("below a %T is another connection", conn)
		}
	}
}
