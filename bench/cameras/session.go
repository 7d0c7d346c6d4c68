package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	mostDelay    = 2 * time.Second // from PLAY to the first frame
	reportPeriod = 5 * time.Second // between sender reports (RFC 3550 6.2)
	writeTimeout = time.Minute     // for a reader that takes nothing
)

// sent is what a session has sent.
type sent struct {
	Path  string  `json:"path"`
	Video int64   `json:"video"` // frames
	Audio int64   `json:"audio"` // frames
	Bytes int64   `json:"bytes"` // of packets
	First float64 `json:"first"` // when the first frame was due, in seconds since 1970
	Late  float64 `json:"late"`  // seconds by which a frame was sent late, at most
	Over  bool    `json:"over"`  // the reader has gone
}

// A session is one reader's connection, and the camera that plays for it.
type session struct {
	crowd *crowd
	conn  net.Conn
	path  string // empty before PLAY; of the goroutine in serve

	writing sync.Mutex // packets and answers share conn
	playing sync.WaitGroup
	done    chan struct{} // closed when the reader has gone

	mu        sync.Mutex
	sent      sent
	sequences [2]uint16
	packets   [2]uint32
	octets    [2]uint32
	over      atomic.Bool
}

func newSession(c *crowd, conn net.Conn) *session {
	return &session{crowd: c, conn: conn, done: make(chan struct{})}
}

func (s *session) report() sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.sent
	r.Over = s.over.Load()
	return r
}

// serve answers requests (RFC 2326) until the connection ends.
func (s *session) serve() error {
	defer s.playing.Wait()
	defer close(s.done)
	defer s.conn.Close()
	defer s.over.Store(true)
	r := bufio.NewReader(s.conn)
	text := textproto.NewReader(r)
	for {
		if first, err := r.Peek(1); err != nil {
			return err
		} else if first[0] == '$' {
			if err := skipPacket(r); err != nil {
				return err
			}
			continue
		}
		line, err := text.ReadLine()
		if err != nil {
			return err
		}
		header, err := text.ReadMIMEHeader()
		if err != nil {
			return err
		}
		method, rest, _ := strings.Cut(line, " ")
		target, _, _ := strings.Cut(rest, " ")
		if err := s.answer(method, target, header); err != nil {
			return err
		}
		if method == "TEARDOWN" {
			return nil
		}
	}
}

// skipPacket skips an interleaved packet of the reader: a receiver report.
func skipPacket(r *bufio.Reader) error {
	head, err := r.Peek(frameHeader)
	if err == nil {
		_, err = r.Discard(frameHeader + int(binary.BigEndian.Uint16(head[2:])))
	}
	return err
}

func (s *session) answer(method, target string, header textproto.MIMEHeader) error {
	var fields, body string
	switch method {
	case "OPTIONS":
		fields = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n"
	case "DESCRIBE":
		body = s.crowd.programme.sdp
		fields = fmt.Sprintf("Content-Base: %s/\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n", strings.TrimSuffix(target, "/"), len(body))
	case "SETUP":
		transport := header.Get("Transport")
		if !strings.Contains(transport, "TCP") {
			return s.write(fmt.Appendf(nil, "RTSP/1.0 461 Unsupported Transport\r\nCSeq: %s\r\n\r\n", header.Get("CSeq")))
		}
		track := int(target[len(target)-1] - '0')
		fields = fmt.Sprintf("Transport: RTP/AVP/TCP;unicast;interleaved=%d-%d\r\n", 2*track, 2*track+1)
	}
	if err := s.write(fmt.Appendf(nil, "RTSP/1.0 200 OK\r\nCSeq: %s\r\nSession: 1;timeout=60\r\n%s\r\n%s", header.Get("CSeq"), fields, body)); err != nil {
		return err
	}
	if method == "PLAY" && s.path == "" {
		u, err := url.Parse(target)
		if err != nil {
			return err
		}
		s.path = strings.Trim(u.Path, "/")
		s.mu.Lock()
		s.sent.Path = s.path
		s.mu.Unlock()
		s.playing.Go(s.play)
	}
	return nil
}

func (s *session) write(p []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	_, err := s.conn.Write(p)
	return err
}

// play sends the programme, lap after lap, until the reader or the crowd ends.
func (s *session) play() {
	p := s.crowd.programme
	h := fnv.New32a()
	io.WriteString(h, s.path) //nolint:errcheck // never fails
	epoch := time.Now().Add(time.Duration(h.Sum32()) % mostDelay)
	var reported [2]time.Time
	var buf []byte
	for lap := range int64(1 << 40) {
		start := epoch.Add(time.Duration(lap) * p.lap)
		for i := range p.frames {
			f := &p.frames[i]
			if f.due < 0 && lap == 0 {
				continue // sound from before the first picture
			}
			if !s.sleep(start.Add(f.due)) {
				return
			}
			rate := int64(p.tracks[f.track].Entry.Timescale)
			rtpTime := uint32(f.rtpTime + (lap*int64(p.lap)/1000*rate+500_000)/1_000_000)
			buf = append(buf[:0], f.packets...)
			s.count(f, time.Since(start.Add(f.due)))
			if s.send(buf, f.track, rtpTime) != nil {
				return
			}
			if now := time.Now(); now.Sub(reported[f.track]) > reportPeriod { // a reader knows a track from its first packet on
				reported[f.track] = now
				s.conn.SetWriteDeadline(now.Add(writeTimeout)) //nolint:errcheck // Write tells
				if s.write(s.senderReport(f.track, now, now.Sub(epoch))) != nil {
					return
				}
			}
		}
	}
}

// end waits until the last frame is sent, and says to the reader that it was the last.
func (s *session) end() {
	s.playing.Wait()
	if c, ok := s.conn.(*net.TCPConn); ok {
		_ = c.CloseWrite() // it may be closed
	}
}

// sleep waits until t, and reports whether to go on.
func (s *session) sleep(t time.Time) bool {
	select {
	case <-s.crowd.stopped:
		return false
	case <-s.done:
		return false
	case <-time.After(time.Until(t)):
		return true
	}
}

// send numbers the packets of a frame and sends each.
func (s *session) send(packets []byte, track int, rtpTime uint32) error {
	for len(packets) > 0 {
		size := frameHeader + int(binary.BigEndian.Uint16(packets[2:]))
		p := packets[:size:size]
		packets = packets[size:]
		binary.BigEndian.PutUint16(p[frameHeader+2:], s.sequences[track])
		binary.BigEndian.PutUint32(p[frameHeader+4:], rtpTime)
		s.sequences[track]++
		s.packets[track]++
		s.octets[track] += uint32(size - frameHeader - rtpHeader)
		if err := s.write(p); err != nil {
			return err
		}
	}
	return nil
}

// count counts a frame that is about to be sent.
func (s *session) count(f *frame, late time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.track == 0 {
		if s.sent.Video == 0 {
			s.sent.First = float64(time.Now().Add(-late).UnixNano()) / 1e9
		}
		s.sent.Video++
	} else {
		s.sent.Audio++
	}
	s.sent.Bytes += int64(len(f.packets))
	s.sent.Late = max(s.sent.Late, late.Seconds())
}

// senderReport says which RTP time goes with now (RFC 3550 6.4.1).
func (s *session) senderReport(track int, now time.Time, media time.Duration) []byte {
	const ntpUnix = 2208988800
	rtpTime := uint32(int64(media.Seconds() * float64(s.crowd.programme.tracks[track].Entry.Timescale)))
	b := []byte{'$', byte(2*track + 1), 0, 28, 0x80, 200, 0, 6}
	b = binary.BigEndian.AppendUint32(b, ssrc(track))
	b = binary.BigEndian.AppendUint32(b, uint32(now.Unix()+ntpUnix))
	b = binary.BigEndian.AppendUint32(b, uint32(uint64(now.Nanosecond())<<32/1_000_000_000))
	b = binary.BigEndian.AppendUint32(b, rtpTime)
	b = binary.BigEndian.AppendUint32(b, s.packets[track])
	return binary.BigEndian.AppendUint32(b, s.octets[track])
}
