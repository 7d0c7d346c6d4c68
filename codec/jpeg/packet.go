package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pion/rtp"
)

// A Packet is the payload of an RTP packet (RFC 2435 3.1).
type Packet struct {
	Offset int    // of Data in the scan
	Data   []byte // a part of the scan

	typ, q          uint8
	width, height   int    // pixels; 0 where they are larger than the header can say
	restartInterval uint16 // 0 where there are no restart markers
	precision       uint8  // of tables: a bit each, set for 16 bits
	tables          []byte // quantisation tables, where the packet has any
}

// Restarts is a bit of the type: a restart marker header follows (RFC 2435 3.1.7).
const Restarts = 0x40

// ParsePacket reads the headers of a payload.
func ParsePacket(p []byte) (x Packet, err error) {
	short := errors.New("a packet of a JPEG picture is cut short")
	if len(p) < 8 {
		return x, short
	}
	x = Packet{
		Offset: int(binary.BigEndian.Uint32(p) & 0xffffff), typ: p[4], q: p[5], width: 8 * int(p[6]), height: 8 * int(p[7]),
	}
	p = p[8:]
	switch {
	case x.typ&^Restarts > 1:
		return x, fmt.Errorf("JPEG pictures of RTP type %d are not known; RFC 2435 has 0, 1, 64 and 65", x.typ)
	case x.q == 0 || x.q > 99 && x.q < 128:
		return x, fmt.Errorf("a JPEG picture of the quantisation %d, which RFC 2435 reserves", x.q)
	}
	if x.typ&Restarts != 0 {
		if len(p) < 4 {
			return x, short
		}
		x.restartInterval, p = binary.BigEndian.Uint16(p), p[4:]
	}
	if x.Offset == 0 && x.q >= 128 {
		if len(p) < 4 {
			return x, short
		}
		n := int(binary.BigEndian.Uint16(p[2:]))
		x.precision, p = p[1], p[4:]
		if n > len(p) {
			return x, short
		}
		x.tables, p = p[:n], p[n:]
	}
	x.Data = p
	return x, nil
}

// extension returns the segments that a camera has in the extension of an RTP header (ONVIF Streaming Specification 5.1.3.3): it
// says there what RFC 2435 has no room for.
func extension(pkt *rtp.Packet) []byte {
	const segments = 0xffd8
	if !pkt.Extension || pkt.ExtensionProfile != segments {
		return nil
	}
	return pkt.GetExtension(0)
}
