package nal

import (
	"time"

	"github.com/pion/rtp"
)

// An AccessUnit is a picture: its NAL units, and what else is sent with them.
type AccessUnit struct {
	Parts     [][]byte
	Timestamp uint32    // of RTP
	Received  time.Time // when its first packet came
	Damaged   bool      // a part of it did not come
}

// An Assembler makes access units of RTP packets.
type Assembler struct {
	packets  packets
	pictures pictures
	lost     bool // before the next packet
}

// NewAssembler returns what makes access units of the packets of a track. It has the reader to itself.
func NewAssembler(r Reader) *Assembler {
	return &Assembler{packets: newPackets(), pictures: pictures{reader: r}}
}

// Packet takes the next packet, which came at received, and returns the access units that are known to be whole with it. An error
// says that something is damaged; access units may come with it.
func (a *Assembler) Packet(pkt *rtp.Packet, received time.Time) ([]AccessUnit, error) {
	var first error
	if a.lost {
		a.lost = false
		a.packets.breakOff()
		first = a.addUnits()
		a.pictures.lost = true
	}
	a.packets.begin(pkt, received)
	if len(pkt.Payload) > 0 { // some cameras send empty ones
		if err := a.pictures.reader.unpack(&a.packets, pkt.Payload); err != nil {
			first = err
		}
	}
	if err := a.addUnits(); first == nil {
		first = err
	}
	if pkt.Marker && !a.packets.open() {
		a.pictures.mark()
	}
	return a.pictures.take(), first
}

func (a *Assembler) addUnits() (first error) {
	for _, u := range a.packets.take() {
		if err := a.pictures.add(u); first == nil {
			first = err
		}
	}
	return first
}

// Lost says that packets before the next one did not come.
func (a *Assembler) Lost() { a.lost = true }

// Flush returns the access unit that is not known to be whole yet, where there is one, because no packet follows.
func (a *Assembler) Flush() []AccessUnit {
	_ = a.packets.endFragments() // what is damaged of it is dropped
	_ = a.addUnits()
	a.pictures.flush()
	return a.pictures.take()
}
