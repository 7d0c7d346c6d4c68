// Package flactest decodes FLAC for tests, by RFC 9639 and not by what made it.
package flactest

import "testing"

// Decode decodes a frame of a stream of so many moments a second, channels, and bits a value, all of which its header must say
// itself. at is the number of the first moment in it.
func Decode(t *testing.T, frame []byte, rate uint32, channels, depth int) (values []int32, at uint64) {
	t.Helper()
	d := &decoder{frame: frame}
	n, at := d.header(t, rate, channels, depth)
	values = make([]int32, n*channels)
	for c := range channels {
		for i, v := range d.subframe(t, n, depth) {
			values[i*channels+c] = v
		}
	}
	d.pos = (d.pos + 7) / 8 * 8
	if d.pos/8+2 != len(frame) || d.read(16) != crc(frame[:len(frame)-2], 16, 0x8005) {
		t.Fatalf("the frame ends at %d of %d bytes, or its CRC is wrong", d.pos/8, len(frame))
	}
	return values, at
}

type decoder struct {
	frame []byte
	pos   int // in bits
}

func (d *decoder) read(n int) (v uint64) {
	for range n {
		v = v<<1 | uint64(d.frame[d.pos/8]>>(7-d.pos%8)&1)
		d.pos++
	}
	return v
}

func (d *decoder) signed(n int) int32 { return int32(int64(d.read(n)<<(64-n)) >> (64 - n)) }

func (d *decoder) unary() (n int) {
	for d.read(1) == 0 {
		n++
	}
	return n
}

// header returns how many moments the frame has, and the number of the first.
func (d *decoder) header(t *testing.T, rate uint32, channels, depth int) (n int, at uint64) {
	t.Helper()
	depths := [8]int{1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}
	h := d.read(32)
	if h&^0xf0e != 0xfff97000|uint64(channels-1)<<4 || depths[h>>1&7] != depth {
		t.Fatalf("the header of %d channels with %d bits is %#x", channels, depth, h)
	}
	at = d.read(8)
	if at >= 0x80 {
		more := 0
		for ; at&(0x40>>more) != 0; more++ {
		}
		at &= 0x3f >> more
		for range more {
			b := d.read(8)
			if b>>6 != 2 {
				t.Fatalf("the position is not UTF-8: %x", d.frame[:16])
			}
			at = at<<6 | b&0x3f
		}
	}
	n = int(d.read(16)) + 1
	if got := d.rate(h >> 8 & 0xf); got != rate {
		t.Fatalf("the header says %d moments a second, want %d", got, rate)
	}
	if head := d.frame[:d.pos/8]; d.read(8) != crc(head, 8, 0x07) {
		t.Fatal("the header's CRC is wrong")
	}
	return n, at
}

// rate returns how many moments a second a code says, or what stands behind the length (RFC 9639 9.1.2); 0 leaves it to STREAMINFO.
func (d *decoder) rate(code uint64) uint32 {
	switch code {
	case 12:
		return uint32(d.read(8)) * 1000
	case 13:
		return uint32(d.read(16))
	case 14:
		return uint32(d.read(16)) * 10
	}
	return [16]uint32{0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000}[code]
}

// subframe returns the n values of a channel.
func (d *decoder) subframe(t *testing.T, n, depth int) []int32 {
	t.Helper()
	kind, wasted := d.read(7), 0
	if d.read(1) == 1 {
		wasted = d.unary() + 1
	}
	depth -= wasted
	values := make([]int32, n)
	switch {
	case kind == 0:
		v := d.signed(depth)
		for i := range values {
			values[i] = v
		}
	case kind == 1:
		for i := range values {
			values[i] = d.signed(depth)
		}
	case kind >= 8 && kind <= 12:
		order := int(kind - 8)
		for i := range order {
			values[i] = d.signed(depth)
		}
		d.residual(values, order)
	default:
		t.Fatalf("a subframe of type %d", kind)
	}
	for i := range values {
		values[i] <<= wasted
	}
	return values
}

// residual completes values, of which the first ones are there, by a fixed predictor.
func (d *decoder) residual(values []int32, order int) {
	factors := [][]int32{{}, {1}, {2, -1}, {3, -3, 1}, {4, -6, 4, -1}}[order]
	wide, parts := int(d.read(2)), int(d.read(4))
	each := len(values) >> parts
	for i := order; i < len(values); {
		k := int(d.read(4 + wide))
		for end := (i/each + 1) * each; i < end; i++ {
			z := uint32(d.unary()<<k) | uint32(d.read(k))
			values[i] = int32(z>>1) ^ -int32(z&1)
			for j, factor := range factors {
				values[i] += factor * values[i-1-j]
			}
		}
	}
}

// crc is the remainder of n bits by a polynomial (RFC 9639 9.1.8, 9.3).
func crc(p []byte, n int, polynomial uint64) (c uint64) {
	for _, b := range p {
		c ^= uint64(b) << (n - 8)
		for range 8 {
			over := c >> (n - 1)
			c = (c<<1 ^ over*polynomial) & (1<<n - 1)
		}
	}
	return c
}
