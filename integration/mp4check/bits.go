package mp4check

import "bytes"

// bitReader reads bits from the front of b, most significant first. Past the
// end it yields zeros and remembers that in short.
type bitReader struct {
	b     []byte
	pos   int // bits read
	short bool
}

func (r *bitReader) bit() uint {
	if r.pos>>3 >= len(r.b) {
		r.short = true
		return 0
	}
	v := r.b[r.pos>>3] >> (7 - r.pos&7) & 1
	r.pos++
	return uint(v)
}

// bits reads n bits, at most 32.
func (r *bitReader) bits(n int) uint {
	var v uint
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

func (r *bitReader) skip(n int) {
	for range n {
		r.bit()
	}
}

// ue reads an unsigned Exp-Golomb code (ITU-T H.264 9.1).
func (r *bitReader) ue() uint {
	zeros := 0
	for r.bit() == 0 {
		if zeros++; zeros > 32 || r.short {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.bits(zeros)
}

// se reads a signed Exp-Golomb code (9.1.1).
func (r *bitReader) se() int {
	v := int(r.ue())
	if v&1 == 1 {
		return (v + 1) / 2
	}
	return -v / 2
}

// unescape removes emulation prevention bytes from a NAL unit (7.4.1.1).
func unescape(nal []byte) []byte {
	return bytes.ReplaceAll(nal, []byte{0, 0, 3}, []byte{0, 0})
}
