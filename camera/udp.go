package camera

import (
	"fmt"
	"net"
)

// udpPair are the sockets for RTP, at an even port, and RTCP, at the next (RFC 3550 11).
type udpPair struct{ rtp, rtcp net.PacketConn }

// listenPair opens a pair at free ports of the host in address.
func listenPair(address string) (udpPair, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return udpPair{}, err
	}
	for range 100 {
		rtp, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			return udpPair{}, err
		}
		port := rtp.LocalAddr().(*net.UDPAddr).Port
		if port%2 == 0 {
			rtcp, err := net.ListenPacket("udp", net.JoinHostPort(host, fmt.Sprint(port+1)))
			if err == nil {
				return udpPair{rtp, rtcp}, nil
			}
		}
		rtp.Close()
	}
	return udpPair{}, fmt.Errorf("no two free UDP ports in a row at %q", host)
}

// take hands the sockets over to a server that asks for them by their addresses.
func (p udpPair) take(_, address string) (net.PacketConn, error) {
	for _, conn := range []net.PacketConn{p.rtp, p.rtcp} {
		if conn.LocalAddr().String() == address {
			return conn, nil
		}
	}
	return nil, fmt.Errorf("no UDP socket was opened at %s", address)
}

func (p udpPair) close() {
	p.rtp.Close()
	p.rtcp.Close()
}
