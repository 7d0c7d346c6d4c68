package rtsp

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	udpReadBuffer = 1 << 20 // bytes
	rtpHeader     = 12      // bytes at least, RFC 3550 5.1
)

// A udpConn receives the packets of a track over UDP. gortsplib puts them in order by their sequence numbers, whichever source they
// are of, and drops 64 of them where a source begins anew. So it gets only packets of one source, whose numbers go on.
type udpConn struct {
	*net.UDPConn
	camera    net.IP // whose packets these are; nil where it is not known
	onForeign func() // is called when there were packets of another source

	instead atomic.Bool // another source is to be followed

	sources sources[datagram]
	ready   []datagram
	known   bool
	ssrc    uint32
	newest  uint16 // sequence number, as it came
	add     uint16 // to sequence numbers
	numbers numbers
}

type datagram struct {
	data []byte
	from net.Addr
}

// setReadBuffer has the kernel hold the packets of a large picture. It may grant less, unless nvrfs runs with CAP_NET_ADMIN: then
// net.core.rmem_max, which is 200 KB by default, does not bind.
func setReadBuffer(conn *net.UDPConn) {
	_ = conn.SetReadBuffer(udpReadBuffer)
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, udpReadBuffer)
	})
}

// listenUDP opens a socket for RTP.
func (s *session) listenUDP(network, address string) (net.PacketConn, error) {
	conn, err := net.ListenPacket(network, address)
	udp, ok := conn.(*net.UDPConn)
	if err != nil || !ok {
		return conn, err
	}
	setReadBuffer(udp)
	c := &udpConn{UDPConn: udp, onForeign: func() {
		s.handle("a packet of another source", func(time.Time) error { s.sayForeign(); return nil })
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.udp = append(s.udp, c)
	if s.conn != nil {
		if peer, ok := s.conn.RemoteAddr().(*net.TCPAddr); ok {
			c.camera = peer.IP
		}
	}
	return c, nil
}

// ReadFrom implements net.PacketConn.
func (c *udpConn) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		if len(c.ready) > 0 {
			d := c.ready[0]
			c.ready = c.ready[1:]
			return copy(p, d.data), d.from, nil
		}
		n, from, err := c.UDPConn.ReadFrom(p)
		if err != nil {
			return n, from, err
		}
		if udp, ok := from.(*net.UDPAddr); !ok || !udp.IP.Equal(c.camera) || !isRTP(p[:n]) {
			return n, from, nil
		}
		foreign := c.sources.foreign
		use := c.take(p[:n], from, time.Now())
		if c.sources.foreign > foreign {
			c.onForeign()
		}
		if use {
			return n, from, nil
		}
	}
}

// isRTP tells RTP from RTCP on one port (RFC 5761 4).
func isRTP(p []byte) bool {
	return len(p) >= rtpHeader && p[0]>>6 == 2 && (p[1] < 192 || p[1] > 223)
}

// take takes in a packet, and reports whether it is to be used now. Where others are, they are ready.
func (c *udpConn) take(p []byte, from net.Addr, now time.Time) bool {
	if c.instead.Swap(false) {
		c.sources.instead()
	}
	ssrc, stamp, number := binary.BigEndian.Uint32(p[8:]), binary.BigEndian.Uint32(p[4:]), binary.BigEndian.Uint16(p[2:])
	if c.sources.follow(ssrc, stamp, number, now) {
		c.renumber(p)
		return true
	}
	c.ready = append(c.ready[:0], c.sources.add(ssrc, stamp, number, len(p), datagram{bytes.Clone(p), from}, now)...)
	for _, d := range c.ready {
		c.renumber(d.data)
	}
	return false
}

// renumber has the sequence numbers of a source that begins anew follow those before it.
func (c *udpConn) renumber(p []byte) {
	ssrc, number := binary.BigEndian.Uint32(p[8:]), binary.BigEndian.Uint16(p[2:])
	ahead := int16(number - c.newest)
	if !c.known || ssrc != c.ssrc {
		c.numbers = numbers{}
	}
	counted := !c.numbers.senseless
	mark := packetMark(binary.BigEndian.Uint32(p[4:]), p[rtpHeader:])
	switch {
	case !c.known:
		c.numbers.next(number, mark)
		c.newest = number
	case c.numbers.add(number, mark, ahead < -mostLate || ahead > mostGap), ssrc != c.ssrc, ahead < -mostLate:
		c.add += c.newest + 1 - number
		if c.numbers.senseless && counted {
			c.add++ // so that what was dropped until now is known to be lost, see sequence
		}
		c.newest = number
	case ahead > 0:
		c.newest = number
	}
	c.known, c.ssrc = true, ssrc
	binary.BigEndian.PutUint16(p[2:], number+c.add)
}
