package media

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestNumbers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	all := []uint64{0, 1, 46, 47, 2208, 2209, math.MaxUint32, 1 << 63, math.MaxUint64}
	for range 1000 {
		all = append(all, rnd.Uint64()>>rnd.IntN(64))
	}
	var b []byte
	for _, v := range all {
		b = AppendNumber(b, v)
	}
	for _, c := range b {
		if c <= ' ' || c > '~' {
			t.Fatalf("%q is in it, which is not printable ASCII", c)
		}
	}
	rest := string(b)
	for _, want := range all {
		got, n := Number(rest)
		if n == 0 || got != want {
			t.Fatalf("%d came back as %d, of %d bytes", want, got, n)
		}
		rest = rest[n:]
	}
	for _, bad := range []string{"", "P", "~~~~~~~~~~~~!", " ", "P\x7f", "\x00", "\xff"} {
		if v, n := Number(bad); n != 0 {
			t.Errorf("%q is read as %d", bad, v)
		}
	}
}

func TestRuns(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var want []Run
		for range rnd.IntN(MaxRuns + 1) {
			want = append(want, Run{rnd.Uint32() >> rnd.IntN(32), rnd.Uint32() >> rnd.IntN(32)})
		}
		packed := PackRuns(want)
		if got, ok := packed.Unpack(nil); !ok || !slices.Equal(got, want) {
			t.Fatalf("%v came back as %v", want, got)
		}
	}
	if got := PackRuns(make([]Run, MaxRuns+1)); got != "" {
		t.Errorf("more runs than are kept are packed as %q", got)
	}
	for _, bad := range []Runs{"!", "P", `!"`, "!!!"} { // half a run, half a number, a duration below 0, one and a half
		if got, ok := bad.Unpack(nil); ok {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}
