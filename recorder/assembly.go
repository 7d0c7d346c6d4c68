package recorder

import (
	"bytes"
	"fmt"

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
	packets int
}

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

// done says that the depacketizer holds nothing any more.
func (a *assembly) done() { a.packets = 0 }
