package codec

import "math/bits"

// A bitWriter appends bits to b, the highest first.
type bitWriter struct {
	b    []byte
	rest uint64 // bits that do not fill a byte yet, the lowest free of them
	n    int    // how many those are
}

// put appends the lowest n bits of v, 32 at most.
func (w *bitWriter) put(v uint64, n int) {
	w.rest = w.rest<<n | v&(1<<n-1)
	for w.n += n; w.n >= 8; {
		w.n -= 8
		w.b = append(w.b, byte(w.rest>>w.n))
	}
}

// unary appends n zeros and a one.
func (w *bitWriter) unary(n int) {
	for ; n >= 32; n -= 32 {
		w.put(0, 32)
	}
	w.put(1, n+1)
}

// align fills the last byte with zeros.
func (w *bitWriter) align() {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
}

// utf8 appends a number of up to 36 bits as UTF-8 would (RFC 9639 9.1.5).
func (w *bitWriter) utf8(v uint64) {
	if v < 0x80 {
		w.put(v, 8)
		return
	}
	more := 1 // bytes behind the first, which has room for 6 bits less one for each
	for bits.Len64(v) > 6*more+6-more {
		more++
	}
	w.put(0xff00>>(more+1)&0xff|v>>(6*more), 8)
	for more--; more >= 0; more-- {
		w.put(0x80|v>>(6*more)&0x3f, 8)
	}
}

// rice appends a residual (RFC 9639 9.2.7).
func (w *bitWriter) rice(residual []int32, order int, c riceCoding) {
	w.put(uint64(c.wide), 2)
	w.put(uint64(c.partitions), 4)
	for i := range 1 << c.partitions {
		k := c.parameters[i]
		w.put(uint64(k), 4+c.wide)
		for _, v := range partition(residual, order, c.partitions, i) {
			z := zigzag32(v)
			w.unary(int(z >> k))
			w.put(uint64(z), k)
		}
	}
}

// crc8 and crc16 are those of a frame of FLAC (RFC 9639 9.1.8, 9.3).
func crc8(p []byte) (c uint8) {
	for _, b := range p {
		c = crc8Table[c^b]
	}
	return c
}

func crc16(p []byte) (c uint16) {
	for _, b := range p {
		c = c<<8 ^ crc16Table[byte(c>>8)^b]
	}
	return c
}

var crc8Table, crc16Table = func() (t8 [256]uint8, t16 [256]uint16) {
	for i := range 256 {
		c8, c16 := uint8(i), uint16(i)<<8
		for range 8 {
			over8, over16 := c8>>7, c16>>15
			c8, c16 = c8<<1^over8*0x07, c16<<1^over16*0x8005
		}
		t8[i], t16[i] = c8, c16
	}
	return t8, t16
}()

// A bitReader reads bits of p, the highest first. Behind the end it reads zeros, and short is true.
type bitReader struct {
	p     []byte
	end   int // bits of p that are read; 0 for all
	at    int // bits that were read
	short bool
}

func (r *bitReader) size() int {
	if r.end > 0 {
		return r.end
	}
	return 8 * len(r.p)
}

// left is how many bits there are still.
func (r *bitReader) left() int { return r.size() - r.at }

// u reads n bits, 64 at most.
func (r *bitReader) u(n int) (v uint64) {
	if n > r.left() {
		r.at, r.short = r.size(), true
		return 0
	}
	for n > 0 {
		here := min(8-r.at%8, n)
		v = v<<here | uint64(r.p[r.at/8]<<(r.at%8)>>(8-here))
		r.at += here
		n -= here
	}
	return v
}

func (r *bitReader) flag() bool { return r.u(1) == 1 }

// skip skips n bits.
func (r *bitReader) skip(n int) {
	if n > r.left() {
		n, r.short = r.left(), true
	}
	r.at += n
}

// align skips to the next whole byte.
func (r *bitReader) align() { r.at = min((r.at+7)/8*8, r.size()) }

// copy reads n bits, and fills up the last byte with zeros.
func (r *bitReader) copy(n int) []byte {
	if n < 0 || n > r.left() {
		r.at, r.short = r.size(), true
		return nil
	}
	out := make([]byte, 0, (n+7)/8)
	for ; n >= 8; n -= 8 {
		out = append(out, byte(r.u(8)))
	}
	if n > 0 {
		out = append(out, byte(r.u(n)<<(8-n)))
	}
	return out
}
