package codec

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"nvrfs/media"
	"nvrfs/media/box"
)

// visualEntry makes a sample entry as another program may: with a data reference and a compressor's name of its own.
func visualEntry(typ string, width, height uint16, inside ...func(*writer)) []byte {
	var w writer
	w.Box(typ, func() {
		w.visualFields(width, height)
		for _, f := range inside {
			f(&w)
		}
	})
	w.B[entryDataRef+1] = 7
	copy(w.B[visualSize+18:], "\x05HEVC!")
	return w.B
}

func boxOf(typ string, body []byte) func(*writer) {
	return func(w *writer) { w.Box(typ, func() { w.Bytes(body) }) }
}

// hvcC makes a configuration with one array for each NAL unit. profile is 12 bytes, to general_level_idc.
func hvcCOf(profile []byte, units ...[]byte) []byte {
	w := writer{box.Writer{B: []byte{1}}}
	w.Bytes(profile)
	w.Bytes([]byte{0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, byte(len(units))})
	for _, u := range units {
		w.U8(0x80 | u[0]>>1)
		w.U16(1)
		w.U16(uint16(len(u)))
		w.Bytes(u)
	}
	return w.B
}

var (
	hevcMain  = []byte{0x01, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93}
	hevcUnits = [][]byte{{0x40, 1, 0x0c}, {0x42, 1, 1, 1}, {0x44, 1, 0xc1}}
)

func TestImport(t *testing.T) {
	avc, err := H264Entry(unhex(t, avcStreams[0].sps), unhex(t, avcStreams[0].pps))
	if err != nil {
		t.Fatal(err)
	}
	avcBoxes := avc.Box[visualBoxes:]
	pasp := boxOf("pasp", []byte{0, 0, 0, 4, 0, 0, 0, 3})
	for _, c := range []struct {
		name, codec string
		box         []byte
	}{
		{"H.264", "avc1.640028", visualEntry("avc1", 1920, 1080, func(w *writer) { w.Bytes(avcBoxes) })},
		{"H.264 with its sets in the samples", "avc3.640028", visualEntry("avc3", 1920, 1080, boxOf("avcC", []byte{1, 0x64, 0, 0x28, 0xff, 0xe0, 0}))},
		{"H.264 of QuickTime", "avc1.640028", visualEntry("avc1", 1920, 1080, func(w *writer) { w.Bytes(avcBoxes) }, func(w *writer) { w.U32(0) })},
		{"H.265", "hvc1.1.6.L93.B0", visualEntry("hvc1", 1920, 1080, boxOf("hvcC", hvcCOf(hevcMain, hevcUnits...)), pasp)},
		{"H.265 with its sets in the samples", "hev1.1.6.L93.B0", visualEntry("hev1", 1920, 1080, pasp, boxOf("hvcC", hvcCOf(hevcMain)))},
		{
			// the examples of ISO/IEC 14496-15 Annex E
			"H.265 of another profile space", "hev1.A4.41.H63.B0.23",
			visualEntry("hev1", 1920, 1080, boxOf("hvcC", hvcCOf([]byte{0x64, 0x82, 0, 0, 0, 0xb0, 0x23, 0, 0, 0, 0, 63}, hevcUnits...))),
		},
		{
			"H.265 with no constraints", "hvc1.2.4.L153",
			visualEntry("hvc1", 1920, 1080, boxOf("hvcC", hvcCOf([]byte{0x02, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 153}, hevcUnits...))),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			given := bytes.Clone(c.box)
			e, err := Import(c.box)
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind != media.Video || e.Codec != c.codec || e.Timescale != 90000 || e.Width != 1920 || e.Height != 1080 {
				t.Errorf("got %v %s %d/s %dx%d", e.Kind, e.Codec, e.Timescale, e.Width, e.Height)
			}
			want := bytes.TrimSuffix(bytes.Clone(c.box), make([]byte, 4))
			binary.BigEndian.PutUint32(want, uint32(len(want)))
			want[entryDataRef+1] = 1
			if !bytes.Equal(e.Box, want) {
				t.Errorf("the box is\n%x, want\n%x", e.Box, want)
			}
			if !bytes.Equal(c.box, given) {
				t.Error("what was given has changed")
			}
		})
	}
}

func TestImportVideoRefuses(t *testing.T) {
	hevc := hvcCOf(hevcMain, hevcUnits...)
	with := func(config []byte) []byte { return visualEntry("hvc1", 640, 360, boxOf("hvcC", config)) }
	good := with(hevc)
	for _, c := range []struct {
		name string
		box  []byte
		want string
	}{
		{"nothing", nil, "only " + Imported("and", media.Video, media.Audio) + " are imported"},
		{"cut short", good[:len(good)-1], "not one whole box"},
		{"two boxes", append(bytes.Clone(good), good...), "not one whole box"},
		{"fields cut short", boxed("hvc1", make([]byte, 77)), "not one whole box"},
		{"larger than any", visualEntry("hvc1", 640, 360, boxOf("hvcC", hevc), boxOf("free", make([]byte, 1<<16))), "not one whole box"},
		{"no pixels", visualEntry("hvc1", 0, 360, boxOf("hvcC", hevc)), "0x360 pixels"},
		{"boxes that do not fill it", visualEntry("hvc1", 640, 360, boxOf("hvcC", hevc), func(w *writer) { w.U16(1) }), "do not fill it"},
		{"another codec", visualEntry("vp09", 640, 360), `"vp09": only ` + Imported("and", media.Video, media.Audio) + " are imported"},
		{"no configuration", visualEntry("hvc1", 640, 360, boxOf("avcC", hevc)), "missing or damaged"},
		{"configuration of another version", with(append([]byte{2}, hevc[1:]...)), "missing or damaged"},
		{"configuration without its arrays", with(hevc[:22]), "missing or damaged"},
		{"arrays cut short", with(hevc[:len(hevc)-1]), "missing or damaged"},
		{"avcC without sets", visualEntry("avc1", 640, 360, boxOf("avcC", []byte{1, 100, 0, 40, 0xff, 0xe0, 0})), "missing or damaged"},
		{"avc3 without avcC", visualEntry("avc3", 640, 360), "missing or damaged"},
		{"avcC cut short", visualEntry("avc1", 640, 360, boxOf("avcC", []byte{1, 100, 0, 40, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 2, 0x68})), "missing or damaged"},
		{"avcC without picture parameters", visualEntry("avc1", 640, 360, boxOf("avcC", []byte{1, 100, 0, 40, 0xff, 0xe1, 0, 1, 0x67})), "missing or damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Import(c.box); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q in it", err, c.want)
			}
		})
	}
}

func boxed(typ string, body []byte) []byte {
	var w writer
	boxOf(typ, body)(&w)
	return w.B
}

func FuzzImport(f *testing.F) {
	f.Add(visualEntry("hvc1", 640, 360, boxOf("hvcC", hvcCOf(hevcMain, hevcUnits...))))
	f.Add(visualEntry("avc1", 640, 360, boxOf("avcC", []byte{1, 100, 0, 40, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68}), func(w *writer) { w.U32(0) }))
	f.Fuzz(func(t *testing.T, box []byte) {
		e, err := Import(box)
		if err != nil {
			return
		}
		if e.Width == 0 || e.Height == 0 || !strings.Contains(e.Codec, ".") {
			t.Errorf("got %s %dx%d", e.Codec, e.Width, e.Height)
		}
		entryChildren(t, e, string(box[4:8]), 78)
		again, err := Import(e.Box)
		if err != nil || !bytes.Equal(again.Box, e.Box) || again.Codec != e.Codec {
			t.Errorf("its copy is another: %v", err)
		}
	})
}
