package bits

// A Writer appends bits to B.
type Writer struct {
	B    []byte // the bytes that are whole
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
