package av1

import (
	"bytes"
	"testing"
)

// sequence is the sequence header OBU of a stream of 192x128 pixels that SVT-AV1 encoded.
var sequence = []byte{0x0a, 0x0a, 0x00, 0x00, 0x00, 0x03, 0xb5, 0xff, 0xf0, 0x0b, 0xe0, 0x01}

// TestConfig reads what av1C says of a sequence header, with the header and without it.
func TestConfig(t *testing.T) {
	s, err := ParseSequence(sequence)
	if err != nil || s.Width != 192 || s.Height != 128 || s.ReducedStillPicture || s.Codec() != "av01.0.00M.08" {
		t.Fatalf("%+v, %v", s, err)
	}
	config := s.Config(sequence)
	if again, ok := ParseConfig(config); !ok || again != s {
		t.Errorf("av1C says %+v, want %+v", again, s)
	}
	if again, ok := ParseConfig(config[:4]); !ok || again.Codec() != s.Codec() || !bytes.Equal(again.Config(sequence), config) {
		t.Errorf("av1C without the header says %+v, want %+v", again, s)
	}
	for n := 5; n < len(config); n++ {
		if again, ok := ParseConfig(config[:n]); ok {
			t.Errorf("%d bytes of av1C say %+v", n, again)
		}
	}
}

// FuzzConfig has the box that is made of a sequence header say what the header says.
func FuzzConfig(f *testing.F) {
	f.Add(sequence)
	f.Fuzz(func(t *testing.T, obu []byte) {
		s, err := ParseSequence(obu)
		if err != nil {
			return
		}
		u := ReadTemporalUnit([][]byte{obu}, false)
		if u.Sequence == nil {
			t.Fatal("it is no sequence header where it is a part of a unit")
		}
		config := s.Config(u.Sequence)
		if again, ok := ParseConfig(config); !ok || again != s {
			t.Errorf("av1C says %+v, want %+v", again, s)
		}
		if again, ok := ParseConfig(config[:4]); !ok || !bytes.Equal(again.Config(u.Sequence), config) {
			t.Errorf("av1C without the header says %+v, want %+v", again, s)
		}
	})
}
