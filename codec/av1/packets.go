package av1

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/pion/rtp"
)

// Bounds of a temporal unit, far above what cameras send.
const (
	maxTemporalUnit = 16 << 20 // bytes
	maxOBUs         = 4096
)

// A Unit is a temporal unit as it came.
type Unit struct {
	Parts     [][]byte  // its OBUs
	Timestamp uint32    // of RTP
	Received  time.Time // when its first packet came
	Damaged   bool      // a part of it did not come
}

// An Assembler puts the temporal unit together that is coming in (RTP Payload Format For AV1 4). gortsplib's refuses units of more
// than ten OBUs.
type Assembler struct {
	open      bool
	timestamp uint32
	received  time.Time
	lost      bool // a part of the unit did not come
	obus      [][]byte
	size      int

	fragment []byte // of an OBU that goes on in the next packet
	goesOn   bool
}

// Packet takes the next packet, which came at received, and returns the units that are whole with it. An error says that something is
// damaged; units may come with it.
func (a *Assembler) Packet(pkt *rtp.Packet, received time.Time) (whole []Unit, err error) {
	if a.open && pkt.Timestamp != a.timestamp {
		whole = a.Flush()
	}
	if !a.open {
		a.open, a.timestamp, a.received = true, pkt.Timestamp, received
	}
	if err = a.add(pkt.Payload); err != nil {
		a.Lost()
	}
	if pkt.Marker {
		whole = append(whole, a.Flush()...)
	}
	return whole, err
}

// Lost says that a part of the unit did not come. What came before the first packet of a unit shows in what that begins with.
func (a *Assembler) Lost() { a.lost, a.fragment, a.goesOn = a.open, nil, false }

// Flush returns the unit, of which no more comes.
func (a *Assembler) Flush() []Unit {
	if !a.open {
		return nil
	}
	u := Unit{Parts: a.obus, Timestamp: a.timestamp, Received: a.received, Damaged: a.lost || a.goesOn}
	*a = Assembler{}
	if len(u.Parts) == 0 {
		return nil
	}
	return []Unit{u}
}

// add takes the OBU elements of a payload (4.4).
func (a *Assembler) add(p []byte) error {
	if len(p) < 1 {
		return errors.New("an AV1 packet is empty")
	}
	continues, goesOn, count := p[0]&0x80 != 0, p[0]&0x40 != 0, int(p[0]>>4&3)
	if continues != a.goesOn {
		return errors.New("a part of an AV1 picture did not come")
	}
	p = p[1:]
	for n := 1; len(p) > 0; n++ {
		size := len(p)
		if count == 0 || n < count {
			v, m, ok := readLEB128(p)
			if !ok || v > len(p)-m {
				return errors.New("an AV1 packet is cut short")
			}
			size, p = v, p[m:]
		}
		element := p[:size]
		p = p[size:]
		if err := a.element(element, n == 1 && continues, len(p) == 0 && goesOn); err != nil {
			return err
		}
	}
	return nil
}

// element takes an OBU, or a part of one that continues the last one, and may go on in the next packet.
func (a *Assembler) element(p []byte, continues, goesOn bool) error {
	if a.size += len(p); a.size > maxTemporalUnit || len(a.obus) >= maxOBUs {
		return fmt.Errorf("an AV1 temporal unit has more than %d bytes or %d parts", maxTemporalUnit, maxOBUs)
	}
	if continues || goesOn {
		a.fragment = append(a.fragment, p...)
		p = a.fragment
	}
	if a.goesOn = goesOn; goesOn {
		return nil
	}
	if continues {
		a.fragment = nil
	} else {
		p = bytes.Clone(p) // the packet's memory is its sender's
	}
	if len(p) > 0 {
		a.obus = append(a.obus, p)
	}
	return nil
}
