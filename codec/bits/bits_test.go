package bits

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestRoundTrip reads what was written.
func TestRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	type field struct {
		v uint64
		n int
	}
	var fields []field
	var w Writer
	for range 1000 {
		n := 1 + rnd.IntN(32)
		f := field{rnd.Uint64() & (1<<n - 1), n}
		fields = append(fields, f)
		w.Put(f.v, f.n)
	}
	w.Unary(77)
	w.Align()
	r := NewReader(w.B)
	for i, f := range fields {
		ahead := *r
		if v := r.U(f.n); v != f.v {
			t.Fatalf("field %d of %d bits is %#x, want %#x", i, f.n, v, f.v)
		}
		if p := ahead.Copy(f.n); NewReader(p).U(f.n) != f.v || ahead.At() != r.At() {
			t.Fatalf("field %d of %d bits is copied as %x, want %#x", i, f.n, p, f.v)
		}
	}
	zeros := 0
	for !r.Flag() {
		zeros++
	}
	r.Align()
	if zeros != 77 || r.Left() != 0 || r.Short || len(r.Rest()) != 0 {
		t.Errorf("%d zeros, and %d bits are left", zeros, r.Left())
	}
}

// TestShort reads behind the end.
func TestShort(t *testing.T) {
	for name, read := range map[string]func(r *Reader) bool{
		"U":    func(r *Reader) bool { return r.U(13) == 0 },
		"Skip": func(r *Reader) bool { r.Skip(13); return true },
		"Copy": func(r *Reader) bool { return r.Copy(13) == nil },
		"less": func(r *Reader) bool { return r.Copy(-1) == nil },
	} {
		r := NewReaderOf(bytes.Repeat([]byte{0xff}, 2), 12)
		if !read(r) || !r.Short || r.Left() != 0 || r.Flag() {
			t.Errorf("%s: short %v, %d bits left", name, r.Short, r.Left())
		}
	}
}
