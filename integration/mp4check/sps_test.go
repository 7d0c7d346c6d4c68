package mp4check

import (
	"encoding/hex"
	"testing"
)

// bitWriter writes an SPS field by field.
type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) bits(n int, v uint) *bitWriter {
	for i := n - 1; i >= 0; i-- {
		if w.n&7 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[len(w.b)-1] |= byte(v>>i&1) << (7 - w.n&7)
		w.n++
	}
	return w
}

func (w *bitWriter) ue(vs ...uint) *bitWriter {
	for _, v := range vs {
		n := 0
		for (v+1)>>n > 1 {
			n++
		}
		w.bits(n, 0).bits(n+1, v+1)
	}
	return w
}

func avcHead(profile uint) *bitWriter {
	return (&bitWriter{}).bits(8, 0x67).bits(8, profile).bits(16, 30).ue(0)
}

func TestParseAVCSPS(t *testing.T) {
	for _, tt := range []struct {
		name          string
		sps           *bitWriter
		width, height int
	}{
		{
			"baseline, no cropping, picture order type 2",
			avcHead(66).ue(0, 2, 1).bits(1, 0).ue(39, 29).bits(1, 1).bits(1, 1).bits(1, 0).bits(2, 1),
			640, 480,
		},
		{
			"high, 1080 lines of 4:2:0",
			avcHead(100).ue(1, 0, 0).bits(2, 0).ue(0, 0, 0, 4).bits(1, 0).ue(119, 67).bits(2, 3).bits(1, 1).ue(0, 0, 0, 4).bits(2, 1),
			1920, 1080,
		},
		{
			"main, fields, picture order type 1",
			avcHead(77).ue(0, 1).bits(1, 0).ue(0, 0, 2, 3, 4).ue(1).bits(1, 0).ue(44, 17).bits(3, 1).bits(1, 1).ue(1, 1, 0, 0).bits(2, 1),
			716, 576,
		},
		{
			"high 4:4:4, separate planes, a scaling list that ends early",
			avcHead(244).ue(3).bits(1, 1).ue(0, 0).bits(2, 1).bits(1, 1).ue(16).bits(11, 0).
				ue(0, 0, 0, 1).bits(1, 0).ue(3, 3).bits(2, 3).bits(1, 1).ue(1, 2, 3, 4).bits(2, 1),
			61, 57,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			width, height, err := parseAVCSPS(tt.sps.b)
			if width != tt.width || height != tt.height || err != nil {
				t.Errorf("%dx%d, %v; want %dx%d", width, height, err, tt.width, tt.height)
			}
		})
	}
}

func TestParseAVCSPSRefuses(t *testing.T) {
	for name, sps := range map[string][]byte{
		"nothing":                      nil,
		"a PPS":                        {0x68, 1, 2, 3, 4},
		"an SPS cut short":             {0x67, 66, 0, 30, 0x80},
		"more cropped than there is":   avcHead(66).ue(0, 2, 1).bits(1, 0).ue(0, 0).bits(3, 7).ue(4, 4, 0, 0).b,
		"a number of more than 32 bit": {0x67, 66, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		if width, height, err := parseAVCSPS(sps); err == nil {
			t.Errorf("%s: %dx%d", name, width, height)
		}
	}
}

// An H.265 SPS with a sub-layer that has a profile and a level of its own.
func TestParseHEVCSPSSubLayers(t *testing.T) {
	w := (&bitWriter{}).bits(16, 33<<9|1).bits(4, 0).bits(3, 1).bits(1, 1)
	for i := range 12 {
		w.bits(8, uint(i+0x10))
	}
	w.bits(2, 3).bits(14, 0)
	for range 12 {
		w.bits(8, 0xaa)
	}
	w.ue(0, 1, 1920, 1088).bits(1, 1).ue(0, 0, 0, 4).bits(8, 0x80)
	width, height, general, err := parseHEVCSPS(w.b)
	if width != 1920 || height != 1080 || err != nil || hex.EncodeToString(general) != "101112131415161718191a1b" {
		t.Errorf("%dx%d, %x, %v", width, height, general, err)
	}
	if _, _, _, err := parseHEVCSPS(w.b[:10]); err == nil {
		t.Error("half an SPS was read")
	}
}
