// Package bits writes and reads fields that are not whole bytes, the highest bit first.
package bits

// A Writer appends bits to B, the highest first.
type Writer struct {
	B    []byte
	rest uint64 // bits that do not fill a byte yet, the lowest free of them
	n    int    // how many those are
}

// Put appends the lowest n bits of v, 32 at most.
func (w *Writer) Put(v uint64, n int) {
	w.rest = w.rest<<n | v&(1<<n-1)
	for w.n += n; w.n >= 8; {
		w.n -= 8
		w.B = append(w.B, byte(w.rest>>w.n))
	}
}

// Unary appends n zeros and a one.
func (w *Writer) Unary(n int) {
	for ; n >= 32; n -= 32 {
		w.Put(0, 32)
	}
	w.Put(1, n+1)
}

// Align fills the last byte with zeros.
func (w *Writer) Align() {
	if w.n > 0 {
		w.Put(0, 8-w.n)
	}
}

// A Reader reads bits of P, the highest first. Behind the end it reads zeros, and Short is true.
type Reader struct {
	P     []byte
	End   int // bits of P that are read; 0 for all
	At    int // bits that were read
	Short bool
}

func (r *Reader) size() int {
	if r.End > 0 {
		return r.End
	}
	return 8 * len(r.P)
}

// Left is how many bits there are still.
func (r *Reader) Left() int { return r.size() - r.At }

// U reads n bits, 64 at most.
func (r *Reader) U(n int) (v uint64) {
	if n > r.Left() {
		r.At, r.Short = r.size(), true
		return 0
	}
	for n > 0 {
		here := min(8-r.At%8, n)
		v = v<<here | uint64(r.P[r.At/8]<<(r.At%8)>>(8-here))
		r.At += here
		n -= here
	}
	return v
}

// Flag reads one bit.
func (r *Reader) Flag() bool { return r.U(1) == 1 }

// Skip skips n bits.
func (r *Reader) Skip(n int) {
	if n > r.Left() {
		n, r.Short = r.Left(), true
	}
	r.At += n
}

// Align skips to the next whole byte.
func (r *Reader) Align() { r.At = min((r.At+7)/8*8, r.size()) }

// Copy reads n bits, and fills up the last byte with zeros.
func (r *Reader) Copy(n int) []byte {
	if n < 0 || n > r.Left() {
		r.At, r.Short = r.size(), true
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
