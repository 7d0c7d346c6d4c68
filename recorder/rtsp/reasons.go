package rtsp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
)

// explain says in the words of who runs the recorder what an error of gortsplib means, and what to do.
func (s *session) explain(err error) error {
	s.mu.Lock()
	cause := s.cause
	s.mu.Unlock()
	if status := (liberrors.ErrClientBadStatusCode{}); errors.As(err, &status) {
		if cause != nil {
			return cause
		}
		return s.explainStatus(int(status.Code), status.Message)
	}
	if text := unreachable(err); text != "" {
		return errors.New(text)
	}
	var session liberrors.ErrClientSessionHeaderInvalid
	var transport liberrors.ErrClientTransportHeaderInvalid
	var description liberrors.ErrClientSDPInvalid
	for _, e := range []struct {
		is   bool
		says string
	}{
		{errors.Is(err, io.EOF), "the camera closed the connection"},
		{is[liberrors.ErrClientRequestTimedOut](err) || errors.Is(err, os.ErrDeadlineExceeded), fmt.Sprintf("the camera did not answer within %v", s.client.ReadTimeout)},
		{is[liberrors.ErrClientUDPTimeout](err), fmt.Sprintf("no packet came by UDP for %v; a firewall may stop them: set transport: tcp, or auto", s.client.ReadTimeout)},
		{is[liberrors.ErrClientTCPTimeout](err), fmt.Sprintf("nothing came from the camera for %v", s.client.ReadTimeout)},
		{is[liberrors.ErrClientServerRequestedTCP](err), "the camera sends by TCP only; set transport: tcp, or auto"},
		{is[liberrors.ErrClientServerRequestedUDP](err), "the camera sends by UDP only; set transport: udp"},
		{is[liberrors.ErrClientServerPortsNotProvided](err), "the camera does not say from which UDP ports it sends; set transport: tcp"},
		{is[liberrors.ErrClientTransportHeaderInvalidDelivery](err), "the camera does not send in the way it was asked for, which is unicast or multicast; set transport: tcp"},
		{is[liberrors.ErrClientTransportHeaderNoDestination](err) || is[liberrors.ErrClientTransportHeaderNoPorts](err), "the camera does not say to which multicast address and ports it sends; set transport: tcp"},
		{is[liberrors.ErrClientH264PacketizationMode0](err), "the camera sends packets that may be too large for UDP (packetization-mode 0); set transport: tcp"},
		{is[liberrors.ErrClientSwitchToTCPDueToNoUDP](err), "no packet came by UDP"},
		{is[liberrors.ErrClientSwitchToTCPDueToServer](err), "the camera refuses UDP"},
		{is[liberrors.ErrClientSwitchToTCPDueToH2640](err), "the camera sends packets that may be too large for UDP (packetization-mode 0)"},
		{is[liberrors.ErrClientSwitchToTCPToEncryptStream](err), "TCP is what is encrypted"},
		{errors.As(err, &session), "the camera's answer has a session that cannot be read"},
		{errors.As(err, &transport), "the camera's answer to SETUP does not say how it sends"},
		{errors.As(err, &description), "the camera describes its tracks wrongly"},
	} {
		if e.is {
			return errors.New(e.says)
		}
	}
	return err
}

// unreachable says why there is no connection to the camera, or "" where that is not what err says.
func unreachable(err error) string {
	var name *net.DNSError
	if errors.As(err, &name) {
		return fmt.Sprintf("the host %s is not found (%v); see whether its name is right, or write its address", name.Name, name.Err)
	}
	var dial *net.OpError
	if !errors.As(err, &dial) || dial.Op != "dial" || dial.Addr == nil {
		return ""
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens at %v (connection refused); see whether the address and the port are right, and RTSP is switched on at the camera", dial.Addr)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), dial.Timeout():
		return fmt.Sprintf("nothing answers at %v (%v); see whether the camera has power and network, and still this address", dial.Addr, dial.Err)
	}
	return ""
}

func is[T error](err error) bool { return errors.As(err, new(T)) }

// explainStatus says what a refusal means. message is the camera's.
func (s *session) explainStatus(code int, message string) error {
	does := fmt.Sprintf("the camera answers %d (%s)", code, message)
	switch code {
	case 401:
		return errors.New("the camera asks for a password")
	case 403:
		return fmt.Errorf("%s: it does not let this user, or this host, watch the stream; allow that at the camera", does)
	case 404:
		return fmt.Errorf("%s: the camera knows no stream of that path; see its manual, or let nvrfs camera add NAME ADDRESS ask the camera for the path", does)
	case 415:
		return fmt.Errorf("%s: it has no description of the stream", does)
	case 453, 503:
		return fmt.Errorf("%s: it cannot serve the stream now, maybe since too many clients watch it", does)
	case 461:
		return fmt.Errorf("%s: it does not send in the way of transport: %s; set another", does, s.source.Transport)
	}
	if code >= 300 && code < 400 {
		return fmt.Errorf("%s: it sends to another address, but does not say to which", does)
	}
	return errors.New(does)
}
