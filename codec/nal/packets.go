package nal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/pion/rtp"
)

// A unit is a NAL unit that came by RTP.
type unit struct {
	data      []byte
	timestamp uint32
	received  time.Time // when its first packet came
	partial   bool      // only its start came
}

// packets takes the NAL units out of RTP packets, as far as H.264 (RFC 6184) and H.265 (RFC 7798) do it alike. NAL units keep
// the order in which they are sent.
type packets struct {
	units     []unit // of the packets since take was called
	timestamp uint32 // of the packet that is being read
	received  time.Time

	// A NAL unit that comes in fragments.
	header        [2]byte
	fragments     [][]byte // header first; empty while none does
	fragmentBytes int
	started       unit // its timestamp, and when it began
	skipping      bool // its start did not come, so that its other fragments are of no use
	marksEnds     bool // the camera says which fragment is the last
}

const (
	// maxFragments is how many packets a NAL unit may have. The largest pictures have 12,000 packets of a usual size.
	maxFragments = 1 << 15
	// maxOverhead is how many bytes besides twice its payload a packet may keep in memory.
	maxOverhead = 100
)

// errShortUnit says that a packet ends within what every packet of its type begins with.
var errShortUnit = errors.New("a packet of NAL units is cut short")

func newPackets() packets { return packets{skipping: true} } // a session begins in the middle

// begin is called before the payload of a packet is read.
func (n *packets) begin(pkt *rtp.Packet, received time.Time) {
	n.timestamp, n.received = pkt.Timestamp, received
	// The NAL units keep the packet in memory. It may have header extensions and padding of 64 KiB.
	payload := pkt.Payload
	if kept := pkt.MarshalSize() + cap(payload) - len(payload); kept > 2*len(payload)+maxOverhead {
		pkt.Payload = bytes.Clone(payload)
	}
}

// take returns the NAL units that are whole. They are valid until begin is called.
func (n *packets) take() []unit {
	units := n.units
	n.units = n.units[:0]
	return units
}

// unit adds a NAL unit of the packet that is being read, at a timestamp behind that of the packet.
func (n *packets) unit(data []byte, offset uint32) error {
	err := n.endFragments()
	n.skipping = false
	n.add(unit{data: data, timestamp: n.timestamp + offset, received: n.received})
	return err
}

var startCode = []byte{0, 0, 1}

// add adds a NAL unit, or several, where a camera put start codes between them (ITU-T H.264 Annex B). Empty ones are left out.
func (n *packets) add(u unit) {
	data := u.data
	for {
		at := bytes.Index(data, startCode)
		if at < 0 {
			break
		}
		if u.data = bytes.TrimRight(data[:at:at], "\x00"); len(u.data) > 0 {
			n.units = append(n.units, u)
		}
		data = data[at+len(startCode):]
	}
	if u.data = data; len(data) > 0 {
		n.units = append(n.units, u)
	}
}

// Split returns the NAL units of bytes that may have start codes between them.
func Split(p []byte) (units [][]byte) {
	var n packets
	n.add(unit{data: p})
	for _, u := range n.units {
		units = append(units, u.data)
	}
	return units
}

// aggregate adds the NAL units of a packet of several, each behind its length in 2 bytes. All but the first have so many bytes
// before their length, and all have so many behind it, of which the last ones, stamp of them, say how much later than the packet's
// the timestamp is.
func (n *packets) aggregate(p []byte, before, behind, stamp int) error {
	err := n.endFragments()
	n.skipping = false
	for first := true; len(p) > 0; first = false {
		head := 2
		if !first {
			head += before
		}
		if len(bytes.TrimLeft(p, "\x00")) == 0 { // some cameras fill packets with zeros
			break
		}
		if len(p) < head {
			return errors.New("an aggregation packet of NAL units is cut short")
		}
		size := int(binary.BigEndian.Uint16(p[head-2:]))
		p = p[head:]
		if len(p) < behind+size {
			return fmt.Errorf("an aggregation packet has a NAL unit of %d bytes, but %d remain", size, len(p))
		}
		var offset uint32
		for _, b := range p[behind-stamp : behind] {
			offset = offset<<8 | uint32(b)
		}
		n.add(unit{data: p[behind : behind+size : behind+size], timestamp: n.timestamp + offset, received: n.received})
		p = p[behind+size:]
	}
	return err
}

// fragment adds a fragment of a NAL unit, of which header is the header.
func (n *packets) fragment(header, p []byte, start, end bool) error {
	var err error
	if start {
		err = n.endFragments()
		n.skipping = false
		n.started = unit{timestamp: n.timestamp, received: n.received}
		n.fragmentBytes = copy(n.header[:], header)
		n.fragments = append(n.fragments[:0], n.header[:n.fragmentBytes])
	}
	switch {
	case n.skipping:
		return nil
	case len(n.fragments) == 0:
		n.skipping = true
		n.units = append(n.units, unit{partial: true, timestamp: n.timestamp, received: n.received})
		return errors.New("a fragment of a NAL unit came without the one that starts it")
	case n.fragmentBytes+len(p) > maxPictureBytes || len(n.fragments) >= maxFragments:
		n.breakOff()
		return fmt.Errorf("a NAL unit has more than %d bytes, or %d fragments", maxPictureBytes, maxFragments)
	}
	if len(p) > 0 {
		n.fragments, n.fragmentBytes = append(n.fragments, p), n.fragmentBytes+len(p)
	}
	if end {
		n.marksEnds = true
		n.join(false)
	}
	return err
}

// endFragments says that no more fragments come of a NAL unit. Some cameras never say which is the last.
func (n *packets) endFragments() error {
	if len(n.fragments) == 0 {
		return nil
	}
	n.join(n.marksEnds)
	if n.marksEnds {
		return errors.New("the last fragment of a NAL unit did not come")
	}
	return nil
}

// breakOff says that fragments are missing.
func (n *packets) breakOff() {
	if len(n.fragments) > 0 {
		n.join(true)
	}
	n.skipping = true
}

func (n *packets) join(partial bool) {
	u := n.started
	u.partial = partial
	u.data = make([]byte, 0, n.fragmentBytes)
	for _, p := range n.fragments {
		u.data = append(u.data, p...)
	}
	clear(n.fragments) // lets go of the packets
	n.fragments = n.fragments[:0]
	if partial {
		n.units = append(n.units, u)
	} else {
		n.add(u)
	}
}

// open reports whether a NAL unit waits for fragments.
func (n *packets) open() bool { return len(n.fragments) > 0 }
