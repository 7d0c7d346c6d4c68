package codectest

import (
	"testing"

	"nvrfs/codec/bits"
)

// DecodeFLAC decodes a frame, by RFC 9639 and not by what made it. at is its position.
func DecodeFLAC(t testing.TB, frame []byte, channels, depth int) (values []int32, at uint64) {
	t.Helper()
	r := flacReader{bits.Reader{P: frame}, t}
	if h := r.U(32); h != 0xfff97000|uint64(channels-1)<<4 {
		t.Fatalf("the header is %#x", h)
	}
	at = r.utf8()
	n := int(r.U(16)) + 1
	if head := frame[:r.At/8]; r.U(8) != crc(head, 8, 0x07) {
		t.Fatal("the header's CRC is wrong")
	}
	values = make([]int32, n*channels)
	for c := range channels {
		for i, v := range r.subframe(n, depth) {
			values[i*channels+c] = v
		}
	}
	r.Align()
	if at := r.At / 8; at+2 != len(frame) || r.U(16) != crc(frame[:at], 16, 0x8005) || r.Short {
		t.Fatalf("the frame ends at %d of %d bytes, or its CRC is wrong", at, len(frame))
	}
	return values, at
}

type flacReader struct {
	bits.Reader
	t testing.TB
}

// utf8 reads a number as UTF-8 has it.
func (r *flacReader) utf8() uint64 {
	v := r.U(8)
	if v < 0x80 {
		return v
	}
	more := 0
	for ; v&(0x40>>more) != 0; more++ {
	}
	v &= 0x3f >> more
	for range more {
		b := r.U(8)
		if b>>6 != 2 {
			r.t.Fatal("the position is not UTF-8")
		}
		v = v<<6 | b&0x3f
	}
	return v
}

func (r *flacReader) signed(n int) int32 { return int32(int64(r.U(n)<<(64-n)) >> (64 - n)) }

func (r *flacReader) unary() (n int) {
	for !r.Flag() && !r.Short {
		n++
	}
	return n
}

func (r *flacReader) subframe(n, depth int) []int32 {
	kind, wasted := r.U(7), 0
	if r.Flag() {
		wasted = r.unary() + 1
	}
	depth -= wasted
	values := make([]int32, n)
	switch {
	case kind == 0:
		values[0] = r.signed(depth)
		for i := range values {
			values[i] = values[0]
		}
	case kind == 1:
		for i := range values {
			values[i] = r.signed(depth)
		}
	case kind >= 8 && kind <= 12:
		r.predicted(values, int(kind-8), depth)
	default:
		r.t.Fatalf("a subframe of type %d", kind)
	}
	for i := range values {
		values[i] <<= wasted
	}
	return values
}

// predicted reads the values of a fixed predictor.
func (r *flacReader) predicted(values []int32, order, depth int) {
	for i := range order {
		values[i] = r.signed(depth)
	}
	factors := [][]int32{{}, {1}, {2, -1}, {3, -3, 1}, {4, -6, 4, -1}}[order]
	wide, parts := int(r.U(2)), int(r.U(4))
	each := len(values) >> parts
	for i := order; i < len(values); {
		k := int(r.U(4 + wide))
		for end := (i/each + 1) * each; i < end; i++ {
			z := uint32(r.unary()<<k) | uint32(r.U(k))
			values[i] = int32(z>>1) ^ -int32(z&1)
			for j, f := range factors {
				values[i] += f * values[i-1-j]
			}
		}
	}
}

// crc is a CRC of so many bits by a polynomial.
func crc(p []byte, bits int, polynomial uint64) (c uint64) {
	for _, b := range p {
		c ^= uint64(b) << (bits - 8)
		for range 8 {
			c = c<<1&(1<<bits-1) ^ c>>(bits-1)*polynomial
		}
	}
	return c
}
