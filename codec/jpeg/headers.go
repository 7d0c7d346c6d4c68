package jpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"

	"github.com/pion/rtp"
)

// Headers makes what stands before the scan of a picture, from what the first packet of the picture says of it. As long as
// packets say the same, it is made once.
type Headers struct {
	kept [256][]byte // DQT segments that came in packets, by quantisation: later packets may refer to them (RFC 2435 4.2)

	made Packet // what head was made from
	ext  []byte // the same
	head []byte // SOI to SOS
}

// Begin takes in the first packet of a picture.
func (h *Headers) Begin(p *Packet, pkt *rtp.Packet) error {
	if len(p.tables) > 0 {
		dqt, err := quantisationSegment(p.precision, p.tables)
		if err != nil {
			return err
		}
		if !bytes.Equal(dqt, h.kept[p.q]) {
			h.kept[p.q], h.head = dqt, nil
		}
	}
	ext := extension(pkt)
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
	h.made.Data, h.made.tables = nil, nil // which are the packet's
	return nil
}

// File returns the JPEG file of a scan, whose first packet Begin was called with.
func (h *Headers) File(scan []byte) []byte {
	if bytes.HasPrefix(scan, []byte{0xff, SOI}) {
		return bytes.Clone(scan) // some cameras send the whole file
	}
	b := make([]byte, 0, len(h.head)+len(scan)+2)
	b = append(append(b, h.head...), scan...)
	if !bytes.HasSuffix(scan, []byte{0xff, EOI}) {
		b = append(b, 0xff, EOI)
	}
	return b
}

// make makes the headers as RFC 2435 Appendix B does. What the extension of the packet says takes their place.
func (h *Headers) make(p *Packet, ext []byte) ([]byte, error) {
	said := Segments(ext)
	b := []byte{0xff, SOI}
	standard := standardTables(int(min(p.q, 99)))
	switch {
	case said[DQT] != nil:
		b = append(b, said[DQT]...)
	case p.q < 128:
		b = append(b, standard[DQT]...)
	case h.kept[p.q] != nil:
		b = append(b, h.kept[p.q]...)
	default:
		return nil, fmt.Errorf("a JPEG picture refers to quantisation tables that did not come (%d)", p.q)
	}
	b = append(b, said[DRI]...)
	if p.restartInterval > 0 && said[DRI] == nil {
		b = append(b, 0xff, DRI, 0, 4, byte(p.restartInterval>>8), byte(p.restartInterval))
	}
	if sof := said[SOF0]; sof != nil {
		b = append(b, sof...)
	} else {
		if p.width == 0 || p.height == 0 {
			return nil, errors.New("a JPEG picture is larger than 2,040 pixels, and its camera does not say how large; set it to fewer pixels, or to H.264")
		}
		b = append(b, frameHeader(p, tableCount(h.kept[p.q]) == 1)...)
	}
	if said[DHT] != nil {
		b = append(b, said[DHT]...)
	} else {
		b = append(b, standard[DHT]...)
	}
	return append(b, 0xff, SOS, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0), nil
}

// frameHeader makes the frame header (ITU-T T.81 B.2.2): the chroma of type 0 has half the width, that of type 1 half the height too.
func frameHeader(p *Packet, oneTable bool) []byte {
	sampling, chroma := byte(0x21), byte(1)
	if p.typ&1 == 1 {
		sampling = 0x22
	}
	if oneTable {
		chroma = 0
	}
	return []byte{
		0xff, SOF0, 0, 17, 8, byte(p.height >> 8), byte(p.height), byte(p.width >> 8), byte(p.width),
		3, 1, sampling, 0, 2, 0x11, chroma, 3, 0x11, chroma,
	}
}

// quantisationSegment makes the DQT segment of quantisation tables (ITU-T T.81 B.2.4.1), of which RTP has the values alone.
func quantisationSegment(precision uint8, tables []byte) ([]byte, error) {
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
	return append([]byte{0xff, DQT, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...), nil
}

// tableCount counts the tables of a DQT segment that quantisationSegment made.
func tableCount(dqt []byte) (n int) {
	for p := dqt[min(4, len(dqt)):]; len(p) > 0; n++ {
		p = p[1+64*(1+int(p[0]>>4)):]
	}
	return n
}

// standardTables returns segments with the tables of ITU-T T.81 Annex K, the DQT scaled to a quality from 1 to 99 as RFC 2435 4.2 says
// and everybody does. The standard library makes a picture that has them.
func standardTables(quality int) map[byte][]byte {
	var b bytes.Buffer
	picture := image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420)
	if err := jpeg.Encode(&b, picture, &jpeg.Options{Quality: quality}); err != nil {
		panic(err) // writing to memory does not fail
	}
	return Segments(b.Bytes()[2:])
}
