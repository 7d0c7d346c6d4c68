package codec

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// lengths puts the length of each NAL unit in front of it, in 4 bytes.
func lengths(units ...[]byte) (sample []byte) {
	for _, u := range units {
		sample = append(binary.BigEndian.AppendUint32(sample, uint32(len(u))), u...)
	}
	return sample
}

func TestSyncFinder(t *testing.T) {
	avc, err := H264Entry(unhex(t, avcStreams[0].sps), unhex(t, avcStreams[0].pps))
	if err != nil {
		t.Fatal(err)
	}
	hevc := visualEntry("hvc1", 1920, 1080, boxOf("hvcC", hvcCOf(hevcMain, hevcUnits...)))
	av1 := visualEntry("av01", 1920, 1080, boxOf("av1C", []byte{0x81, 0x08, 0x0c, 0}))
	long := bytes.Repeat([]byte{6}, 5000)
	sequence, frame := []byte{0x0a, 3, 0, 0, 0}, func(b byte) []byte { return []byte{0x32, 0x90, 1, b, 0} } // a frame of 144 bytes, cut off
	for _, c := range []struct {
		name        string
		box, sample []byte
		sync, known bool
	}{
		{"IDR", avc.Box, lengths([]byte{9, 0xf0}, []byte{0x67, 1}, []byte{0x65, 0x88}), true, true},
		{"not IDR", avc.Box, lengths([]byte{9, 0xf0}, []byte{0x41, 0x9a}), false, true},
		{"IDR behind SEI", avc.Box, lengths(long, []byte{0x65, 0x88}), true, true},
		{"SEI that is cut off", avc.Box, lengths(long, []byte{0x65, 0x88})[:4096], false, false},
		{"IDR that is cut off", avc.Box, lengths(append([]byte{0x65}, long...))[:100], true, true},
		{"no picture", avc.Box, lengths([]byte{9, 0xf0}), false, false},
		{"empty unit", avc.Box, lengths(nil, []byte{0x65, 1}), true, true},
		{"cut in a length", avc.Box, []byte{0, 0, 0}, false, false},
		{"H.265 CRA", hevc, lengths([]byte{0x40, 1, 1}, []byte{21 << 1, 1, 0x80}), true, true},
		{"H.265 trailing", hevc, lengths([]byte{1 << 1, 1, 0x80}), false, true},
		{"AV1 key frame", av1, append(sequence, frame(0x10)...), true, true},
		{"AV1 inter frame", av1, append(sequence, frame(0x30)...), false, true},
		{"AV1 frame that is shown again", av1, append(sequence, frame(0x90)...), false, true},
		{"AV1 without a sequence header", av1, frame(0x10), false, true},
		{"AV1 cut off", av1, sequence[:4], false, false},
		{"AV1 without sizes", av1, []byte{0x30, 0x10}, false, false},
	} {
		find := SyncFinder(c.box)
		if find == nil {
			t.Errorf("%s: there is no way to look", c.name)
			continue
		}
		if sync, known := find(c.sample); sync != c.sync || known != c.known {
			t.Errorf("%s: sync %t, known %t", c.name, sync, known)
		}
	}
	if SyncFinder(visualEntry("jpeg", 64, 64)) != nil || SyncFinder(nil) != nil {
		t.Error("there is something to look for in what needs none")
	}
}

func FuzzSyncFinder(f *testing.F) {
	f.Add(lengths([]byte{9, 0xf0}, []byte{0x65, 0x88}))
	f.Add([]byte{0x0a, 3, 0, 0, 0, 0x32, 0x90, 1, 0x10, 0})
	f.Fuzz(func(t *testing.T, sample []byte) {
		for _, typ := range []string{"avc1", "hvc1", "av01"} {
			config := map[string]func(*writer){
				"avc1": boxOf("avcC", []byte{1, 100, 0, 40, 0xff}), "hvc1": boxOf("hvcC", hvcCOf(hevcMain)), "av01": boxOf("av1C", []byte{0x81, 8, 12, 0}),
			}[typ]
			if find := SyncFinder(visualEntry(typ, 64, 64, config)); find != nil {
				find(sample)
			}
		}
	})
}

// An entry that was written before the first picture has no sequence header.
func TestImportAV1WithoutSequenceHeader(t *testing.T) {
	for config, want := range map[string]string{
		"\x81\x08\x0c\x00": "av01.0.08M.08", "\x81\x05\xcc\x00": "av01.0.05H.10", "\x81\x40\x60\x00": "av01.2.00M.12.0.000.02.02.02.0",
	} {
		e, err := Import(visualEntry("av01", 640, 360, boxOf("av1C", []byte(config))))
		if err != nil || e.Codec != want {
			t.Errorf("%x is %s, %v, want %s", config, e.Codec, err, want)
		}
	}
}
