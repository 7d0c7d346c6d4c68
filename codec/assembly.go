package codec

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/pion/rtp"
)

const (
	// maxAssembly is how many packets an access unit may have. The largest that gortsplib takes has 8 MiB, which are 6,000
	// packets of a usual size.
	maxAssembly = 1 << 15
	// maxOverhead is how many bytes besides twice its payload a packet may keep in memory.
	maxOverhead = 100
)

// An assembly bounds the memory that a depacketizer takes for an access unit whose last packet does not come. gortsplib only
// counts the bytes of the payloads: empty ones it keeps without end, and each keeps its whole packet, with header extensions
// and padding of up to 64 KiB, in memory.
type assembly struct {
	packets  int
	received time.Time // when the first of them came
}

// errMore says that another packet is needed to complete an access unit.
var errMore = errors.New("more packets are needed")

// add counts a packet that the depacketizer is about to get.
func (a *assembly) add(pkt *rtp.Packet) error {
	if a.packets++; a.packets > maxAssembly {
		return fmt.Errorf("the camera sent %d packets of one access unit, and not the last one", maxAssembly)
	}
	payload := pkt.Payload
	if kept := pkt.MarshalSize() + cap(payload) - len(payload); kept > 2*len(payload)+maxOverhead {
		pkt.Payload = bytes.Clone(payload)
	}
	return nil
}

// decode has a decoder of the library take a packet. The decoder returns errMore where it keeps the packet.
func (a *assembly) decode(pkt *rtp.Packet, received time.Time, decode func(*rtp.Packet) ([][]byte, error)) ([]Unit, error) {
	if a.packets == 0 {
		a.received = received
	}
	if err := a.add(pkt); err != nil {
		return nil, err
	}
	parts, err := decode(pkt)
	if errors.Is(err, errMore) {
		return nil, nil
	}
	a.packets = 0
	if len(parts) == 0 {
		return nil, err
	}
	return []Unit{{Parts: parts, Timestamp: pkt.Timestamp, Received: a.received}}, err
}
