package codec

import (
	"encoding/binary"
	"testing"

	"nvrfs/media"
)

func TestWords(t *testing.T) {
	for _, tt := range []struct {
		box, codecs string
		channels    uint16 // 0 for video
		want        string
	}{
		{"avc1", "avc1.640028", 0, "H.264 High, level 4.0"},
		{"avc1", "avc1.4D401F", 0, "H.264 Main, level 3.1"},
		{"avc1", "avc1.42C01E", 0, "H.264 Constrained Baseline, level 3.0"},
		{"avc1", "avc1.42001E", 0, "H.264 Baseline, level 3.0"},
		{"avc1", "avc1", 0, "H.264"},
		{"avc1", "avc1.zzzzzz", 0, "H.264"},
		{"hvc1", "hvc1.1.6.L153.B0", 0, "H.265 Main, level 5.1"},
		{"hvc1", "hvc1.2.4.H120.B0", 0, "H.265 Main 10, level 4.0"},
		{"hvc1", "hvc1.1.6", 0, "H.265"},
		{"mp4a", "mp4a.40.2", 1, "AAC, 16000 Hz, mono"},
		{"mp4a", "mp4a.6B", 2, "MP3, 16000 Hz, stereo"},
		{"Opus", "Opus", 6, "Opus, 16000 Hz, 6 channels"},
		{"alaw", "alaw", 1, "G.711 A-law, 16000 Hz, mono"},
		{"ulaw", "ulaw", 1, "G.711 mu-law, 16000 Hz, mono"},
		{"odd ", "", 0, "odd"},
	} {
		e := media.SampleEntry{Kind: media.Video, Codec: tt.codecs, Timescale: 90000, Box: make([]byte, 100)}
		if tt.channels > 0 {
			e.Kind, e.Timescale = media.Audio, 16000
			binary.BigEndian.PutUint16(e.Box[24:], tt.channels)
		}
		copy(e.Box[4:], tt.box)
		if got := Words(e); got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.box, tt.codecs, got, tt.want)
		}
		if got := BoxType(e); got != tt.box {
			t.Errorf("the box is %q, want %q", got, tt.box)
		}
	}
	if got := Words(media.SampleEntry{Kind: media.Audio}); got != ", 0 Hz" {
		t.Errorf("of an empty entry: %q", got)
	}
}

func TestSyncWords(t *testing.T) {
	unit := func(header byte) []byte { return []byte{0, 0, 0, 2, header, 0} }
	for _, tt := range []struct {
		box  string
		data []byte
		want string
	}{
		{"avc1", append(unit(0x06), unit(0x65)...), "IDR"},
		{"avc1", append(unit(0x06), unit(0x61)...), "recovery point"},
		{"hvc1", unit(19 << 1), "IDR"},
		{"hvc1", unit(20 << 1), "IDR"},
		{"hvc1", append(unit(32<<1), unit(21<<1)...), "CRA"},
		{"hvc1", unit(17 << 1), "BLA"},
		{"hvc1", unit(1 << 1), ""},
		{"av01", unit(0), ""},
		{"avc1", []byte{0, 0, 1}, ""},
		{"hvc1", nil, ""},
	} {
		e := media.SampleEntry{Kind: media.Video, Box: append([]byte{0, 0, 0, 0}, tt.box...)}
		if got := SyncWords(e, tt.data); got != tt.want {
			t.Errorf("%s % x: got %q, want %q", tt.box, tt.data, got, tt.want)
		}
	}
}
