package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"

	"github.com/pion/rtp"
)

// Markers of JPEG (ITU-T T.81 B.1.1.3).
const (
	jpegSOF0 = 0xc0 // baseline
	jpegSOF2 = 0xc2 // progressive
	jpegDHT  = 0xc4
	jpegSOI  = 0xd8
	jpegEOI  = 0xd9
	jpegSOS  = 0xda
	jpegDQT  = 0xdb
	jpegDRI  = 0xdd
)

// A jpegPacket is the payload of an RTP packet (RFC 2435 3.1).
type jpegPacket struct {
	offset          int // of data in the scan
	typ, q          uint8
	width, height   int    // pixels; 0 where they are larger than the header can say
	restartInterval uint16 // 0 where there are no restart markers
	precision       uint8  // of tables: a bit each, set for 16 bits
	tables          []byte // quantisation tables, where the packet has any
	data            []byte
}

// jpegRestarts is a bit of the type: a restart marker header follows (RFC 2435 3.1.7).
const jpegRestarts = 0x40

func parseJPEGPacket(p []byte) (x jpegPacket, err error) {
	short := errors.New("a packet of a JPEG picture is cut short")
	if len(p) < 8 {
		return x, short
	}
	x = jpegPacket{
		offset: int(binary.BigEndian.Uint32(p) & 0xffffff), typ: p[4], q: p[5], width: 8 * int(p[6]), height: 8 * int(p[7]),
	}
	p = p[8:]
	switch {
	case x.typ&^jpegRestarts > 1:
		return x, fmt.Errorf("JPEG pictures of RTP type %d are not known; RFC 2435 has 0, 1, 64 and 65", x.typ)
	case x.q == 0 || x.q > 99 && x.q < 128:
		return x, fmt.Errorf("a JPEG picture of the quantisation %d, which RFC 2435 reserves", x.q)
	}
	if x.typ&jpegRestarts != 0 {
		if len(p) < 4 {
			return x, short
		}
		x.restartInterval, p = binary.BigEndian.Uint16(p), p[4:]
	}
	if x.offset == 0 && x.q >= 128 {
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
	x.data = p
	return x, nil
}

// jpegHeaders makes what stands before the scan of a picture, from what the first packet of the picture says of it. As long as
// packets say the same, it is made once.
type jpegHeaders struct {
	kept [256][]byte // DQT segments that came in packets, by quantisation: later packets may refer to them (RFC 2435 4.2)

	made jpegPacket // what head was made from
	ext  []byte     // the same
	head []byte     // SOI to SOS
}

// begin takes in the first packet of a picture.
func (h *jpegHeaders) begin(p *jpegPacket, pkt *rtp.Packet) error {
	if len(p.tables) > 0 {
		dqt, err := jpegTables(p.precision, p.tables)
		if err != nil {
			return err
		}
		if !bytes.Equal(dqt, h.kept[p.q]) {
			h.kept[p.q], h.head = dqt, nil
		}
	}
	ext := jpegExtension(pkt)
	same := h.made.typ == p.typ && h.made.q == p.q && h.made.width == p.width && h.made.height == p.height && h.made.restartInterval == p.restartInterval
	if h.head != nil && same && bytes.Equal(ext, h.ext) {
		return nil
	}
	head, err := h.make(p, ext)
	if err != nil {
		h.head = nil
		return err
	}
	h.head, h.ext, h.made = head, bytes.Clone(ext), *p
	h.made.data, h.made.tables = nil, nil // which are the packet's
	return nil
}

// file returns the JPEG file of a scan.
func (h *jpegHeaders) file(scan []byte) []byte {
	if bytes.HasPrefix(scan, []byte{0xff, jpegSOI}) {
		return bytes.Clone(scan) // some cameras send the whole file
	}
	b := make([]byte, 0, len(h.head)+len(scan)+2)
	b = append(append(b, h.head...), scan...)
	if !bytes.HasSuffix(scan, []byte{0xff, jpegEOI}) {
		b = append(b, 0xff, jpegEOI)
	}
	return b
}

// make makes the headers as RFC 2435 Appendix B does. What the extension of the packet says takes their place.
func (h *jpegHeaders) make(p *jpegPacket, ext []byte) ([]byte, error) {
	said := jpegSegments(ext)
	b := []byte{0xff, jpegSOI}
	standard := jpegStandard(int(min(p.q, 99)))
	switch {
	case said[jpegDQT] != nil:
		b = append(b, said[jpegDQT]...)
	case p.q < 128:
		b = append(b, standard[jpegDQT]...)
	case h.kept[p.q] != nil:
		b = append(b, h.kept[p.q]...)
	default:
		return nil, fmt.Errorf("a JPEG picture refers to quantisation tables that did not come (%d)", p.q)
	}
	b = append(b, said[jpegDRI]...)
	if p.restartInterval > 0 && said[jpegDRI] == nil {
		b = append(b, 0xff, jpegDRI, 0, 4, byte(p.restartInterval>>8), byte(p.restartInterval))
	}
	if sof := said[jpegSOF0]; sof != nil {
		b = append(b, sof...)
	} else {
		if p.width == 0 || p.height == 0 {
			return nil, errors.New("a JPEG picture is larger than 2,040 pixels, and its camera does not say how large; set it to fewer pixels, or to H.264")
		}
		b = append(b, jpegFrame(p, jpegTableCount(h.kept[p.q]) == 1)...)
	}
	if said[jpegDHT] != nil {
		b = append(b, said[jpegDHT]...)
	} else {
		b = append(b, standard[jpegDHT]...)
	}
	return append(b, 0xff, jpegSOS, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0), nil
}

// jpegFrame makes the frame header (ITU-T T.81 B.2.2): the chroma of type 0 has half the width, that of type 1 half the height too.
func jpegFrame(p *jpegPacket, oneTable bool) []byte {
	sampling, chroma := byte(0x21), byte(1)
	if p.typ&1 == 1 {
		sampling = 0x22
	}
	if oneTable {
		chroma = 0
	}
	return []byte{
		0xff, jpegSOF0, 0, 17, 8, byte(p.height >> 8), byte(p.height), byte(p.width >> 8), byte(p.width),
		3, 1, sampling, 0, 2, 0x11, chroma, 3, 0x11, chroma,
	}
}

// jpegTables makes the DQT segment of quantisation tables (ITU-T T.81 B.2.4.1), of which RTP has the values alone.
func jpegTables(precision uint8, tables []byte) ([]byte, error) {
	body := []byte{}
	for id := byte(0); len(tables) > 0; id++ {
		n := 64
		wide := precision >> id & 1
		if wide == 1 {
			n = 128
		}
		if id > 3 || n > len(tables) {
			return nil, errors.New("the quantisation tables of a JPEG picture are not whole")
		}
		body = append(append(body, wide<<4|id), tables[:n]...)
		tables = tables[n:]
	}
	return append([]byte{0xff, jpegDQT, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...), nil
}

// jpegTableCount counts the tables of a DQT segment that jpegTables made.
func jpegTableCount(dqt []byte) (n int) {
	for p := dqt[min(4, len(dqt)):]; len(p) > 0; n++ {
		p = p[1+64*(1+int(p[0]>>4)):]
	}
	return n
}

// jpegExtension returns the segments that a camera has in the extension of an RTP header (ONVIF Streaming Specification 5.1.3.3): it
// says there what RFC 2435 has no room for.
func jpegExtension(pkt *rtp.Packet) []byte {
	const segments = 0xffd8
	if !pkt.Extension || pkt.ExtensionProfile != segments {
		return nil
	}
	return pkt.GetExtension(0)
}

// jpegSegments returns the segments that headers are made of, by marker; of several of a kind, all.
func jpegSegments(p []byte) map[byte][]byte {
	segments := map[byte][]byte{}
	for len(p) >= 4 && p[0] == 0xff {
		marker, n := p[1], 2+int(binary.BigEndian.Uint16(p[2:]))
		if n > len(p) || marker == jpegSOS {
			break
		}
		switch marker {
		case jpegSOF0, jpegDQT, jpegDHT, jpegDRI:
			segments[marker] = append(segments[marker], p[:n]...)
		}
		p = p[n:]
	}
	return segments
}

// jpegSize reads the size of a picture from the frame header of its file.
func jpegSize(file []byte) (width, height uint16, ok bool) {
	for p := file[min(2, len(file)):]; len(p) >= 9 && p[0] == 0xff; {
		if p[1] >= jpegSOF0 && p[1] <= jpegSOF2 {
			height, width = binary.BigEndian.Uint16(p[5:]), binary.BigEndian.Uint16(p[7:])
			return width, height, width > 0 && height > 0
		}
		n := 2 + int(binary.BigEndian.Uint16(p[2:]))
		p = p[min(n, len(p)):]
	}
	return 0, 0, false
}

// jpegStandard returns segments with the tables of ITU-T T.81 Annex K, the DQT scaled to a quality from 1 to 99 as RFC 2435 4.2 says
// and everybody does. The standard library makes a picture that has them.
func jpegStandard(quality int) map[byte][]byte {
	var b bytes.Buffer
	picture := image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420)
	if err := jpeg.Encode(&b, picture, &jpeg.Options{Quality: quality}); err != nil {
		panic(err) // writing to memory does not fail
	}
	return jpegSegments(b.Bytes()[2:])
}
