package box

import (
	"bytes"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	var w Writer
	w.Box("free", func() { w.Str("abc") })
	w.FullBox("full", 1, 0x020304, func() { w.U64(5) })
	w.Box("none", func() {})
	boxes, ok := Children(w.B)
	if !ok || len(boxes) != 3 {
		t.Fatalf("%x has %d boxes, %v", w.B, len(boxes), ok)
	}
	if got := Find(boxes, "free"); string(got) != "abc" {
		t.Errorf("free holds %q", got)
	}
	if got, want := Find(boxes, "full"), []byte{1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 5}; !bytes.Equal(got, want) {
		t.Errorf("full holds %x, want %x", got, want)
	}
	if got := Find(boxes, "none"); got == nil || len(got) != 0 || Find(boxes, "miss") != nil {
		t.Errorf("none holds %x", got)
	}
	if boxes, ok := Children(w.B[:len(w.B)-1]); ok || len(boxes) != 2 {
		t.Errorf("cut short, it has %d boxes, %v", len(boxes), ok)
	}
}

func TestParseHeader(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want Header
		ok   bool
	}{
		"short":           {"\x00\x00\x00\x08fre", Header{}, false},
		"32 bits":         {"\x00\x00\x00\x09mdat", Header{"mdat", 9, 8}, true},
		"64 bits":         {"\x00\x00\x00\x01mdat\x00\x00\x00\x01\x00\x00\x00\x00", Header{"mdat", 1 << 32, 16}, true},
		"64 bits, short":  {"\x00\x00\x00\x01mdat\x00\x00\x00\x01\x00\x00\x00", Header{}, false},
		"smaller than it": {"\x00\x00\x00\x07mdat", Header{"mdat", 7, 8}, false},
		"to the end":      {"\x00\x00\x00\x00mdat", Header{"mdat", 0, 8}, false},
		"below 0":         {"\x00\x00\x00\x01mdat\xff\x00\x00\x01\x00\x00\x00\x00", Header{"mdat", -1<<56 + 1<<32, 16}, false},
	} {
		if h, ok := ParseHeader([]byte(c.in)); h != c.want || ok != c.ok {
			t.Errorf("%s: %+v, %v", name, h, ok)
		}
	}
}
