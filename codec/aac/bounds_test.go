package aac

import (
	"testing"

	"github.com/pion/rtp"
)

// TestKeepsLittle has cameras send frames that never end: no more is kept of them than the largest frame has.
func TestKeepsLittle(t *testing.T) {
	l, err := NewLATM(map[string]string{"cpresent": "0"}, []byte{0x40, 0x00, 0x28, 0x10, 0x3f, 0xc0})
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGeneric(map[string]string{"sizelength": "31"})
	if err != nil {
		t.Fatal(err)
	}
	endless, huge, adts := make([]byte, 1400), make([]byte, 1400), make([]byte, 1400)
	for i := range endless {
		endless[i] = 255 // its size goes on
	}
	copy(huge, []byte{0, 31, 0x7f, 0xff, 0xff, 0xfe})
	copy(adts, []byte{0xff, 0xf1, 0x60, 0x43, 0xff, 0xff, 0xfc})
	refused := 0
	for range 1000 {
		for _, p := range [][]byte{endless, huge, adts} {
			pkt := &rtp.Packet{Payload: p}
			for _, frames := range []func(*rtp.Packet) ([][]byte, error){l.Frames, g.Frames} {
				if _, err := frames(pkt); err != nil {
					refused++
				}
			}
			if len(l.part) > maxFrameBytes || len(g.part) > maxFrameBytes {
				t.Fatalf("%d and %d bytes are kept", len(l.part), len(g.part))
			}
		}
	}
	if refused == 0 {
		t.Error("no packet was refused")
	}
}
