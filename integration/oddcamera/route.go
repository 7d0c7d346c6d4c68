package oddcamera

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A route is how the packets of a track travel.
type route interface {
	rtp(data []byte)
	rtcp(data []byte)
	close()
}

var (
	interleaved = regexp.MustCompile(`interleaved=(\d+)-`)
	clientPort  = regexp.MustCompile(`client_port=(\d+)-(\d+)`)
)

// newRoute returns the route that a Transport header asks for, and the header that answers it.
func (s *Session) newRoute(transport string) (route, string, error) {
	if m := interleaved.FindStringSubmatch(transport); m != nil {
		channel, _ := strconv.Atoi(m[1])
		return &tcpRoute{s, channel}, fmt.Sprintf("RTP/AVP/TCP;unicast;interleaved=%d-%d;ssrc=00000001", channel, channel+1), nil
	}
	if strings.Contains(transport, "multicast") && !s.Camera.Case.NoUDP {
		return newMulticast()
	}
	m := clientPort.FindStringSubmatch(transport)
	if m == nil || s.Camera.Case.NoUDP {
		return nil, "", errors.New("unsupported transport")
	}
	r := new(udpRoute)
	host, _, _ := net.SplitHostPort(s.conn.RemoteAddr().String())
	var ports [2]int
	for i := range r.socks {
		port, _ := strconv.Atoi(m[1+i])
		sock, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.ParseIP(host), Port: port})
		if err != nil {
			r.close()
			return nil, "", err
		}
		r.socks[i], ports[i] = sock, sock.LocalAddr().(*net.UDPAddr).Port
	}
	return r, fmt.Sprintf("RTP/AVP;unicast;client_port=%s-%s;server_port=%d-%d;ssrc=00000001", m[1], m[2], ports[0], ports[1]), nil
}

type tcpRoute struct {
	s       *Session
	channel int
}

func (r *tcpRoute) rtp(data []byte)  { r.s.Write(Frame(r.channel, data)) }
func (r *tcpRoute) rtcp(data []byte) { r.s.Write(Frame(r.channel+1, data)) }
func (r *tcpRoute) close()           {}

// newMulticast sends to a group on the loopback, from the ports that the group has.
func newMulticast() (route, string, error) {
	group := net.IPv4(239, 77, 1, byte(1+rand.IntN(250)))
	var err error
	for range 50 {
		r, port := new(udpRoute), 20000+2*rand.IntN(20000)
		for i := range r.socks {
			if r.socks[i], err = multicastSocket(group, port+i); err != nil {
				break
			}
		}
		if err == nil {
			return r, fmt.Sprintf("RTP/AVP;multicast;destination=%v;port=%d-%d;ttl=1", group, port, port+1), nil
		}
		r.close()
	}
	return nil, "", err
}

func multicastSocket(group net.IP, port int) (*net.UDPConn, error) {
	sock, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, &net.UDPAddr{IP: group, Port: port})
	if err != nil {
		return nil, err
	}
	raw, err := sock.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInet4Addr(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, [4]byte{127, 0, 0, 1})
		}), err)
	}
	return sock, err
}

// udpRoute is a pair of sockets, of ports that need not be neighbours.
type udpRoute struct{ socks [2]*net.UDPConn }

func (r *udpRoute) rtp(data []byte)  { _, _ = r.socks[0].Write(data) }
func (r *udpRoute) rtcp(data []byte) { _, _ = r.socks[1].Write(data) }

func (r *udpRoute) close() {
	for _, sock := range r.socks {
		if sock != nil {
			sock.Close()
		}
	}
}

func (s *Session) closeRoutes() {
	s.hooks.Lock()
	defer s.hooks.Unlock()
	for _, r := range s.routes {
		if r != nil {
			r.close()
		}
	}
}
