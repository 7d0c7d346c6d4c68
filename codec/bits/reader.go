package bits

// A Reader reads bits. A copy of it reads on from the same place.
type Reader struct {
	p   []byte
	end int // bits of p that are read
	at  int // bits that were read

	// Short says that more was read than there is. What was read behind the end are zeros.
	Short bool
}

// NewReader returns what reads the bits of p.
func NewReader(p []byte) *Reader { return &Reader{p: p, end: 8 * len(p)} }

// NewReaderOf returns what reads the first n bits of p, which must have so many.
func NewReaderOf(p []byte, n int) *Reader { return &Reader{p: p, end: n} }

// At is how many bits were read.
func (r *Reader) At() int { return r.at }

// Rest returns the bytes that were not read, from the one that the next bit is in.
func (r *Reader) Rest() []byte { return r.p[r.at/8:] }

// Left is how many bits there are still.
func (r *Reader) Left() int { return r.end - r.at }

// U reads n bits, 64 at most.
func (r *Reader) U(n int) (v uint64) {
	if n > r.Left() {
		r.at, r.Short = r.end, true
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

// Flag reads a bit.
func (r *Reader) Flag() bool { return r.U(1) == 1 }

// Skip skips n bits.
func (r *Reader) Skip(n int) {
	if n > r.Left() {
		n, r.Short = r.Left(), true
	}
	r.at += n
}

// Align skips to the next whole byte.
func (r *Reader) Align() { r.at = min((r.at+7)/8*8, r.end) }

// Copy reads n bits, and fills up the last byte with zeros.
func (r *Reader) Copy(n int) []byte {
	if n < 0 || n > r.Left() {
		r.at, r.Short = r.end, true
		return nil
	}
	out := make([]byte, 0, (n+7)/8)
	for ; n >= 8; n -= 8 {
		out = append(out, byte(r.U(8)))
	}
	if n > 0 {
		out = append(out, byte(r.U(n)<<(8-n)))
	}
	return out
}
