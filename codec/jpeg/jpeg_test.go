package jpeg

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"testing"

	"github.com/pion/rtp"
)

// TestStandardTables makes the headers of a quality, and has another encoder's be the same.
func TestStandardTables(t *testing.T) {
	for _, quality := range []int{1, 50, 99} {
		var want bytes.Buffer
		picture := image.NewYCbCr(image.Rect(0, 0, 320, 240), image.YCbCrSubsampleRatio420)
		if err := jpeg.Encode(&want, picture, &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		var h Headers
		p, err := ParsePacket([]byte{0, 0, 0, 0, 1, uint8(quality), 320 / 8, 240 / 8, 'x'})
		if err != nil || h.Begin(&p, new(rtp.Packet)) != nil {
			t.Fatal(err)
		}
		file := h.File(p.Data)
		got, said := Segments(file[2:]), Segments(want.Bytes()[2:])
		for _, marker := range []byte{SOF0, DQT, DHT} {
			if !bytes.Equal(got[marker], said[marker]) {
				t.Errorf("quality %d: segment %#x is %x, want %x", quality, marker, got[marker], said[marker])
			}
		}
		if width, height, ok := Size(file); !ok || width != 320 || height != 240 {
			t.Errorf("its size is %dx%d, %v", width, height, ok)
		}
	}
}

// FuzzHeaders makes files of any two packets.
func FuzzHeaders(f *testing.F) {
	first := []byte{0, 0, 0, 0, 65, 200, 8, 2, 0, 4, 0xff, 0xff, 0, 0}
	first = append(binary.BigEndian.AppendUint16(first, 128), make([]byte, 130)...)
	f.Add(first, []byte{0, 0, 0, 0, 1, 50, 8, 2, 1, 2, 3})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var h Headers
		for _, payload := range [][]byte{a, b, a} {
			p, err := ParsePacket(payload)
			if err != nil || h.Begin(&p, new(rtp.Packet)) != nil {
				continue
			}
			file := h.File(p.Data)
			if len(file) > len(p.Data)+len(a)+len(b)+2048 {
				t.Errorf("%d bytes of a scan of %d", len(file), len(p.Data))
			}
			if _, _, ok := Size(file); !ok && !bytes.HasPrefix(p.Data, []byte{0xff, SOI}) {
				t.Error("the file does not say its size")
			}
		}
	})
}
