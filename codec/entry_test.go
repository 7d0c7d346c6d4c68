package codec

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"nvrfs/media"
	"nvrfs/media/box"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Parameter sets as libx264 (core 164) writes them.
var avcStreams = []struct {
	name, sps, pps       string
	codec                string
	width, height        uint16
	avcCTail, colr, pasp string // avcC behind the PPS, and the content of the two boxes; empty is no box
}{
	{
		name: "high, 1080 lines of 1088, bt709, pixels 4:3",
		sps:  "67640028acd940780227e5c39a808080a0000003002000000641e30632c0", pps: "68ebe3cb22c0",
		codec: "avc1.640028", width: 1920, height: 1080,
		avcCTail: "fdf8f800", colr: "6e636c78 0001 0001 0001 00", pasp: "00000004 00000003",
	},
	{
		name: "baseline, 360 lines of 368",
		sps:  "6742c01ed900a02ff97011000003000100000300320f162e48", pps: "68cb83cb20",
		codec: "avc1.42C01E", width: 640, height: 360, pasp: "00000001 00000001",
	},
	{
		name: "main, interlaced",
		sps:  "674d4015eca0a087e5c044000003000400000300c87c50a658", pps: "68fba3cb20",
		codec: "avc1.4D4015", width: 320, height: 240, pasp: "00000001 00000001",
	},
	{
		name: "high 10, cropped both ways",
		sps:  "676e000da6cd94150878888c0440000003004000000c83c50a6580", pps: "68ebe3cb22c0",
		codec: "avc1.6E000D", width: 322, height: 242, avcCTail: "fdfafa00", pasp: "00000001 00000001",
	},
	{
		name: "monochrome, cropped both ways",
		sps:  "6764000df36505421e3e3f016c800000030080000019078a14cb", pps: "68ebe3cb22c0",
		codec: "avc1.64000D", width: 322, height: 242, avcCTail: "fcf8f800", pasp: "00000001 00000001",
	},
}

func TestH264Entry(t *testing.T) {
	for _, c := range avcStreams {
		t.Run(c.name, func(t *testing.T) {
			sps, pps := unhex(t, c.sps), unhex(t, c.pps)
			e, err := H264Entry(sps, pps)
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind != media.Video || e.Codec != c.codec || e.Timescale != 90000 || e.Width != c.width || e.Height != c.height {
				t.Errorf("got %v %s %d/s %dx%d", e.Kind, e.Codec, e.Timescale, e.Width, e.Height)
			}
			boxes := entryChildren(t, e, "avc1", 78)

			avcC := append([]byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1, 0, byte(len(sps))}, sps...)
			avcC = append(append(avcC, 1, 0, byte(len(pps))), pps...)
			avcC = append(avcC, unhex(t, c.avcCTail)...)
			for typ, want := range map[string][]byte{"avcC": avcC, "colr": unhex(t, c.colr), "pasp": unhex(t, c.pasp)} {
				if got := box.Find(boxes, typ); !bytes.Equal(got, want) {
					t.Errorf("%s is\n%x, want\n%x", typ, got, want)
				}
			}
		})
	}
}

// entryChildren checks that e.Box is one box of type typ, and returns the boxes behind its fields.
func entryChildren(t *testing.T, e media.SampleEntry, typ string, fields int) []box.Child {
	t.Helper()
	h, ok := box.ParseHeader(e.Box)
	if !ok || h.Type != typ || h.Size != int64(len(e.Box)) {
		t.Fatalf("header is %+v, want one %s of %d bytes", h, typ, len(e.Box))
	}
	boxes, ok := box.Children(e.Box[8+fields:])
	if !ok {
		t.Fatalf("the boxes in %x do not tile it", e.Box)
	}
	return boxes
}

func TestH264EntryKeepsEveryPPS(t *testing.T) {
	sps := unhex(t, avcStreams[0].sps)
	e, err := H264Entry(sps, []byte{0x68, 0xeb, 0xe3}, []byte{0x68, 0x5b})
	if err != nil {
		t.Fatal(err)
	}
	if want := unhex(t, "02 0003 68ebe3 0002 685b"); !bytes.Contains(e.Box, want) {
		t.Errorf("%x does not hold %x", e.Box, want)
	}
}

func TestH264EntryRefuses(t *testing.T) {
	sps, pps := unhex(t, avcStreams[0].sps), unhex(t, avcStreams[0].pps)
	// A Baseline SPS of 16x16 pixels, with its cropping given.
	cropped := func(crop string) []byte {
		return append([]byte{0x67, 66, 0, 30}, packBits(t, "1 1 1 1 1 0 1 1 1 1 1"+crop+" 0 1")...)
	}
	for _, c := range []struct {
		name string
		sps  []byte
		pps  [][]byte
		want string
	}{
		{"no SPS", nil, [][]byte{pps}, "SPS: 0 bytes are too short"},
		{"SPS cut short", sps[:8], [][]byte{pps}, "SPS: not enough bits"},
		{"SPS is no SPS", pps, [][]byte{pps}, "SPS: not a SPS"},
		{"SPS too long", append(bytes.Clone(sps), make([]byte, 65536)...), [][]byte{pps}, "do not fit"},
		{"crops all away", cropped(" 00101 00101 1 1"), [][]byte{pps}, "0x16 pixels"},
		{"frame_num too wide", append([]byte{0x67, 66, 0, 30}, packBits(t, "1 0001110 1 1 1 0 1 1 1 1 0 0 1")...), [][]byte{pps}, "log2_max_frame_num_minus4 is 13"},
		{"no PPS", sps, nil, "PPS: 0 of them"},
		{"PPS empty", sps, [][]byte{pps, nil}, "PPS: 0 bytes"},
		{"PPS is no PPS", sps, [][]byte{sps}, "another type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := H264Entry(c.sps, c.pps...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q in it", err, c.want)
			}
		})
	}
}

// packBits packs a string of 0, 1 and spaces.
func packBits(t *testing.T, s string) []byte {
	t.Helper()
	s = strings.ReplaceAll(s, " ", "")
	out := make([]byte, (len(s)+7)/8)
	for i, c := range s {
		out[i/8] |= byte(c-'0') << (7 - i%8)
	}
	return out
}

func TestAACEntry(t *testing.T) {
	for _, c := range []struct {
		name, asc string
		rate      uint32
		rateField uint32 // 16.16
		channels  uint16
	}{
		{"44.1 kHz stereo", "1210", 44100, 44100 << 16, 2},
		{"16 kHz mono", "1408", 16000, 16000 << 16, 1},
		{"48 kHz 7.1", "11b8", 48000, 48000 << 16, 8},
		{"96 kHz does not fit in 16.16", "1010", 96000, 0, 2},
		{"a rate spelled out", "178007d008", 4000, 4000 << 16, 1},
		{"with a backward compatible extension", "121056e500", 44100, 44100 << 16, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			asc := unhex(t, c.asc)
			e, err := AACEntry(asc)
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind != media.Audio || e.Codec != "mp4a.40.2" || e.Timescale != c.rate || e.Width != 0 || e.Height != 0 {
				t.Errorf("got %v %s %d/s %dx%d", e.Kind, e.Codec, e.Timescale, e.Width, e.Height)
			}
			esds := box.Find(entryChildren(t, e, "mp4a", 28), "esds")
			if n := binary.BigEndian.Uint16(e.Box[24:]); n != c.channels {
				t.Errorf("%d channels, want %d", n, c.channels)
			}
			if r := binary.BigEndian.Uint32(e.Box[32:]); r != c.rateField {
				t.Errorf("samplerate is %#x, want %#x", r, c.rateField)
			}
			n := byte(len(asc))
			want := append([]byte{0, 0, 0, 0, 3, 23 + n, 0, 0, 0, 4, 15 + n, 0x40, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, n}, asc...)
			if want = append(want, 6, 1, 2); !bytes.Equal(esds, want) {
				t.Errorf("esds is\n%x, want\n%x", esds, want)
			}
		})
	}
}

func TestAACEntryRefuses(t *testing.T) {
	for _, c := range []struct{ name, asc, want string }{
		{"nothing", "", "cut short"},
		{"cut short", "12", "cut short"},
		{"xHE-AAC", "f9460040", "xHE-AAC is not supported"},
		{"SBR over what is no AAC", "2b91c800", "not supported"},
		{"layout in the stream", "1200", "channel layout"},
		{"no samples a second", "1780000008", "out of range"},
		{"longer than any", strings.Repeat("12", 65), "the most is 64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := AACEntry(unhex(t, c.asc))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q in it", err, c.want)
			}
		})
	}
}

func FuzzH264Entry(f *testing.F) {
	for _, c := range avcStreams {
		f.Add(unhex(f, c.sps), unhex(f, c.pps))
	}
	f.Fuzz(func(t *testing.T, sps, pps []byte) {
		e, err := H264Entry(sps, pps)
		if err != nil {
			return
		}
		if e.Width == 0 || e.Height == 0 {
			t.Errorf("%dx%d pixels", e.Width, e.Height)
		}
		if avcC := box.Find(entryChildren(t, e, "avc1", 78), "avcC"); !bytes.Contains(avcC, sps) || !bytes.Contains(avcC, pps) {
			t.Errorf("avcC %x lacks a parameter set", avcC)
		}
	})
}

func FuzzAACEntry(f *testing.F) {
	for _, asc := range []string{"1210", "178007d008", "121056e500", "2b920800"} {
		f.Add(unhex(f, asc))
	}
	f.Fuzz(func(t *testing.T, asc []byte) {
		e, err := AACEntry(asc)
		if err != nil {
			return
		}
		if e.Timescale == 0 {
			t.Error("a timescale of 0")
		}
		if esds := box.Find(entryChildren(t, e, "mp4a", 28), "esds"); !bytes.Contains(esds, asc) {
			t.Errorf("esds %x lacks the configuration", esds)
		}
	})
}
