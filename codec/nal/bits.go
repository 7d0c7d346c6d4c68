package nal

// bitReader reads the syntax of a NAL unit, without its emulation prevention bytes (ITU-T H.264 7.3.1, H.265 7.3.1.1). Behind the
// end it reads zeros, and says so in short.
type bitReader struct {
	rest  []byte
	cur   byte
	left  int // bits of cur that are not read yet
	zeros int // bytes of 0 before rest
	short bool
}

func (r *bitReader) next() bool {
	if r.zeros >= 2 && len(r.rest) > 0 && r.rest[0] == 3 {
		r.rest, r.zeros = r.rest[1:], 0
	}
	if len(r.rest) == 0 {
		r.short = true
		return false
	}
	r.cur, r.rest, r.left = r.rest[0], r.rest[1:], 8
	r.zeros++
	if r.cur != 0 {
		r.zeros = 0
	}
	return true
}

// u reads n bits, 32 at most.
func (r *bitReader) u(n int) uint32 {
	var v uint32
	for n > 0 {
		if r.left == 0 && !r.next() {
			return 0
		}
		take := min(n, r.left)
		r.left -= take
		v = v<<take | uint32(r.cur>>r.left)&(1<<take-1)
		n -= take
	}
	return v
}

func (r *bitReader) flag() bool { return r.u(1) == 1 }

// skip leaves out n bits.
func (r *bitReader) skip(n int) {
	for ; n > 0 && !r.short; n -= 32 {
		r.u(min(n, 32))
	}
}

// ue reads an unsigned Exp-Golomb code (ITU-T H.264 9.1).
func (r *bitReader) ue() uint32 {
	zeros := 0
	for r.u(1) == 0 {
		if zeros++; zeros > 31 || r.short {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.u(zeros)
}

// se reads a signed Exp-Golomb code (ITU-T H.264 9.1.1).
func (r *bitReader) se() int32 {
	v := r.ue()
	if v&1 == 1 {
		return int32(v/2) + 1
	}
	return -int32(v / 2)
}
