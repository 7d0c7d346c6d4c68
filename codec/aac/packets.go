package aac

import (
	"errors"
	"fmt"

	"github.com/pion/rtp"

	"nvrfs/codec/bits"
)

// MaxFrameBytes is more than any frame of sound has: 6,144 bits for each of 8 channels are 6 kB (ISO/IEC 14496-3 4.5.3.2).
const MaxFrameBytes = 1 << 16

// A Depacketizer takes frames of AAC out of packets by RFC 3640, in the modes AAC-hbr and AAC-lbr and in those like them. Its fields
// are what RFC 3640 4.1 has parameters for.
type Depacketizer struct {
	Size, Index, Delta int  // how many bits of an AU header say the size of a frame, the index of the first, and those of others
	CTS, DTS, State    int  // how many bits of an AU header say what is skipped: times, and the state of the stream
	Random             bool // an AU header says in a bit whether decoding can start at the frame
	Auxiliary          int  // how many bits say the size of the auxiliary section; 0 where there is none
	Constant           int  // bytes of each frame, where there are no AU headers

	part     []byte // of a frame whose other packets did not come yet
	want     int    // its size
	moment   uint32 // its timestamp
	adtsPart bool
}

// MaxFieldBits is the longest that a field of an AU header may be (RFC 3640 4.1). Cameras have 13 bits and 3.
const MaxFieldBits = 31

// Frames returns the frames that are whole with a packet.
func (d *Depacketizer) Frames(pkt *rtp.Packet) ([][]byte, error) {
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

// Lost forgets what is not whole, because packets before the next one did not come.
func (d *Depacketizer) Lost() { d.part, d.want, d.adtsPart = nil, 0, false }

// fragment adds a part of a frame, which a packet has alone (RFC 3640 3.2.3).
func (d *Depacketizer) fragment(sizes []int, p []byte) ([][]byte, error) {
	if len(sizes) != 1 || d.want > 0 && sizes[0] != d.want || sizes[0] > MaxFrameBytes || len(d.part)+len(p) > sizes[0] {
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
func (d *Depacketizer) headers(p []byte) (sizes []int, rest []byte, err error) {
	if d.Constant > 0 && d.Size == 0 {
		for n := len(p) / d.Constant; n > 0; n-- {
			sizes = append(sizes, d.Constant)
		}
		return sizes, p, nil
	}
	if len(p) < 2 {
		return nil, nil, errors.New("a packet of AAC is too short")
	}
	length := int(p[0])<<8 | int(p[1]) // of the headers, in bits
	if length == 0 || (length+7)/8 > len(p)-2 {
		return nil, nil, fmt.Errorf("a packet of AAC of %d bytes says that its headers have %d bits", len(p), length)
	}
	r := bits.NewReaderOf(p[2:], length)
	for n := d.Index; r.Left() >= d.Size+n; n = d.Delta {
		sizes = append(sizes, int(r.U(d.Size)))
		if r.U(n) != 0 {
			return nil, nil, errors.New("the camera interleaves frames of AAC, which is not supported; have it send them in order")
		}
		d.skipTimes(r)
		if r.Short {
			return nil, nil, errors.New("the headers in a packet of AAC are cut short")
		}
	}
	rest = p[2+(length+7)/8:]
	if d.Auxiliary > 0 {
		a := bits.NewReader(rest)
		n := (d.Auxiliary + int(a.U(d.Auxiliary)) + 7) / 8
		if a.Short || n > len(rest) {
			return nil, nil, errors.New("the auxiliary part of a packet of AAC is cut short")
		}
		rest = rest[n:]
	}
	return sizes, rest, nil
}

// skipTimes skips what an AU header says of times, which frames in order need not.
func (d *Depacketizer) skipTimes(r *bits.Reader) {
	for _, n := range []int{d.CTS, d.DTS} {
		if n > 0 && r.Flag() {
			r.U(n)
		}
	}
	if d.Random {
		r.U(1)
	}
	r.U(d.State)
}

// adtsFrames takes frames out of ADTS without AU headers, as some cameras send it.
func (d *Depacketizer) adtsFrames(p []byte) (frames [][]byte, err error) {
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
