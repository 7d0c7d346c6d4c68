package bits

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestReadsWhatWasWritten writes fields of any length and reads them, and beyond them.
func TestReadsWhatWasWritten(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	type field struct {
		v uint64
		n int
	}
	var w Writer
	var fields []field
	total := 0
	for range 1000 {
		f := field{n: rnd.IntN(33)}
		f.v = rnd.Uint64() & (1<<f.n - 1)
		w.Put(f.v|rnd.Uint64()<<f.n, f.n)
		fields = append(fields, f)
		total += f.n
	}
	w.Unary(70)
	w.Align()
	if want := (total + 71 + 7) / 8; len(w.B) != want {
		t.Fatalf("%d bytes, want %d", len(w.B), want)
	}
	r := Reader{P: w.B}
	for i, f := range fields {
		if v := r.U(f.n); v != f.v {
			t.Fatalf("field %d of %d bits is %#x, want %#x", i, f.n, v, f.v)
		}
	}
	for i := range 71 {
		if r.Flag() != (i == 70) {
			t.Fatalf("bit %d of 70 zeros and a one is wrong", i)
		}
	}
	if r.Align(); r.Left() != 0 || r.Short {
		t.Errorf("%d bits are left, short %v", r.Left(), r.Short)
	}
	if r.U(1) != 0 || !r.Short {
		t.Error("there is more behind the end")
	}
}

func TestReaderOfAPart(t *testing.T) {
	r := Reader{P: []byte{0xa5, 0xff, 0x0f}, End: 20}
	if r.U(64) != 0 || !r.Short {
		t.Error("more was read than there is")
	}
	r = Reader{P: r.P, End: 20}
	r.Skip(4)
	if got := r.Copy(11); !bytes.Equal(got, []byte{0x5f, 0xe0}) || r.Left() != 5 {
		t.Errorf("%x was copied, %d bits are left", got, r.Left())
	}
	if r.Copy(6) != nil || !r.Short {
		t.Error("more was copied than there is")
	}
	r = Reader{P: r.P, End: 20}
	if r.Skip(21); r.Left() != 0 || !r.Short {
		t.Error("more was skipped than there is")
	}
}
