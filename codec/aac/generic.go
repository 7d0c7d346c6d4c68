package aac

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pion/rtp"

	"nvrfs/codec/bits"
)

// maxFrameBytes is more than any frame of sound has: 6,144 bits for each of 8 channels are 6 kB (ISO/IEC 14496-3 4.5.3.2).
const maxFrameBytes = 1 << 16

// A Generic takes frames of AAC out of packets by RFC 3640, in the modes AAC-hbr and AAC-lbr and in those like them.
type Generic struct {
	size, index, delta int // bits of the fields of an AU header
	cts, dts, state    int
	random             bool
	auxiliary          int
	constant           int // bytes of each frame, where there are no AU headers

	part     []byte // of a frame whose other packets did not come yet
	want     int    // its size
	moment   uint32 // its timestamp
	adtsPart bool
}

// maxFieldBits is the longest that a field of an AU header may be (RFC 3640 4.1). Cameras have 13 bits and 3.
const maxFieldBits = 31

// NewGeneric takes what RFC 3640 4.1 has parameters for.
func NewGeneric(fmtp map[string]string) (*Generic, error) {
	d := &Generic{size: 13, index: 3, delta: 3} // AAC-hbr
	if mode := strings.ToLower(fmtp["mode"]); strings.HasSuffix(mode, "lbr") {
		d.size, d.index, d.delta = 6, 2, 2
	}
	_, sized := fmtp["sizelength"]
	if sized || fmtp["constantsize"] != "" {
		d.size, d.index, d.delta = 0, 0, 0
	}
	for name, to := range map[string]*int{
		"sizelength": &d.size, "indexlength": &d.index, "indexdeltalength": &d.delta, "ctsdeltalength": &d.cts,
		"dtsdeltalength": &d.dts, "streamstateindication": &d.state, "auxiliarydatasizelength": &d.auxiliary, "constantsize": &d.constant,
	} {
		value, ok := fmtp[name]
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 16)
		switch {
		case err != nil:
			return nil, fmt.Errorf("its parameter %s=%.20s is no number", name, value)
		case to != &d.constant && n > maxFieldBits:
			return nil, fmt.Errorf("a field of its AU headers is said to have %d bits, of %d at most", n, maxFieldBits)
		}
		*to = int(n)
	}
	d.random = fmtp["randomaccessindication"] == "1"
	if d.size == 0 && d.constant == 0 {
		return nil, errors.New("the camera does not say in how many bits the sizes of its AAC frames are (sizelength)")
	}
	return d, nil
}

// Frames returns the frames that are whole with a packet.
func (d *Generic) Frames(pkt *rtp.Packet) ([][]byte, error) {
	p := pkt.Payload
	if d.want > 0 && pkt.Timestamp != d.moment {
		d.Lost()
	}
	d.moment = pkt.Timestamp
	if d.adtsPart || isADTS(p) {
		return d.adtsFrames(p)
	}
	sizes, p, err := d.headers(p)
	if err != nil {
		d.Lost()
		return nil, err
	}
	if d.want > 0 || len(sizes) == 1 && sizes[0] > len(p) {
		return d.fragment(sizes, p)
	}
	var frames [][]byte
	for _, n := range sizes {
		if n > len(p) {
			return frames, errors.New("a packet of AAC ends within a frame")
		}
		if n > 0 {
			frames = append(frames, withoutADTS(p[:n]))
		}
		p = p[n:]
	}
	return frames, nil
}

// Lost forgets what is not whole.
func (d *Generic) Lost() { d.part, d.want, d.adtsPart = nil, 0, false }

// fragment adds a part of a frame, which a packet has alone (RFC 3640 3.2.3).
func (d *Generic) fragment(sizes []int, p []byte) ([][]byte, error) {
	if len(sizes) != 1 || d.want > 0 && sizes[0] != d.want || sizes[0] > maxFrameBytes || len(d.part)+len(p) > sizes[0] {
		d.Lost()
		return nil, errors.New("parts of a frame of AAC do not fit each other")
	}
	d.want, d.part = sizes[0], append(d.part, p...)
	if len(d.part) < d.want || len(p) == 0 {
		return nil, nil
	}
	frame := d.part
	d.Lost()
	return [][]byte{withoutADTS(frame)}, nil
}

// headers reads the AU headers (RFC 3640 3.2.1) of a packet, and returns the sizes of its frames and what follows.
func (d *Generic) headers(p []byte) (sizes []int, rest []byte, err error) {
	if d.constant > 0 && d.size == 0 {
		for n := len(p) / d.constant; n > 0; n-- {
			sizes = append(sizes, d.constant)
		}
		return sizes, p, nil
	}
	if len(p) < 2 {
		return nil, nil, errors.New("a packet of AAC is too short")
	}
	n := int(p[0])<<8 | int(p[1])
	r := bits.Reader{P: p[2:], End: n}
	if n == 0 || (n+7)/8 > len(p)-2 {
		return nil, nil, fmt.Errorf("a packet of AAC of %d bytes says that its headers have %d bits", len(p), n)
	}
	for index := d.index; r.Left() >= d.size+index; index = d.delta {
		sizes = append(sizes, int(r.U(d.size)))
		if r.U(index) != 0 {
			return nil, nil, errors.New("the camera interleaves frames of AAC, which is not supported; have it send them in order")
		}
		d.skipTimes(&r)
		if r.Short {
			return nil, nil, errors.New("the headers in a packet of AAC are cut short")
		}
	}
	rest = p[2+(n+7)/8:]
	if d.auxiliary > 0 {
		a := bits.Reader{P: rest}
		n := (d.auxiliary + int(a.U(d.auxiliary)) + 7) / 8
		if a.Short || n > len(rest) {
			return nil, nil, errors.New("the auxiliary part of a packet of AAC is cut short")
		}
		rest = rest[n:]
	}
	return sizes, rest, nil
}

// skipTimes skips what an AU header says of times, which frames in order need not.
func (d *Generic) skipTimes(r *bits.Reader) {
	for _, n := range []int{d.cts, d.dts} {
		if n > 0 && r.Flag() {
			r.U(n)
		}
	}
	if d.random {
		r.U(1)
	}
	r.U(d.state)
}

// adtsFrames takes frames out of ADTS without AU headers, as some cameras send it.
func (d *Generic) adtsFrames(p []byte) (frames [][]byte, err error) {
	p = append(d.part, p...)
	d.Lost()
	for len(p) > 0 {
		if !isADTS(p) {
			return frames, errors.New("what follows a frame of ADTS is no such frame")
		}
		if len(p) < adtsSize(p) {
			d.part, d.want, d.adtsPart = append([]byte(nil), p...), adtsSize(p), true
			break
		}
		frame := p[:adtsSize(p)]
		p = p[len(frame):]
		frames = append(frames, withoutADTS(frame))
	}
	return frames, nil
}

// isADTS reports whether p begins with an ADTS header (ISO/IEC 14496-3 1.A.3.2).
func isADTS(p []byte) bool {
	return len(p) >= 7 && p[0] == 0xff && p[1]&0xf6 == 0xf0 && adtsSize(p) > adtsHead(p)
}

// adtsSize is how many bytes a frame has with its header, and adtsHead how many the header has.
func adtsSize(p []byte) int { return int(p[3]&3)<<11 | int(p[4])<<3 | int(p[5]>>5) }

func adtsHead(p []byte) int {
	if p[1]&1 == 0 {
		return 9 // with a CRC
	}
	return 7
}

// withoutADTS returns a frame without the ADTS header that it may have.
func withoutADTS(frame []byte) []byte {
	if isADTS(frame) && adtsSize(frame) == len(frame) {
		return frame[adtsHead(frame):]
	}
	return frame
}
