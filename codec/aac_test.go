package codec

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtp"
)

func TestAACTimes(t *testing.T) {
	track, err := newAACReceiver([]byte{0x14, 0x08}, nil) // 16 kHz mono
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	packet := func(pts int64, frames ...[]byte) error {
		samples, newEntry, err := track.Samples(Unit{Parts: frames}, pts)
		for _, s := range samples {
			if !s.Sync || s.CTS != 0 || s.Duration != 1024 || len(s.Data) == 0 || newEntry {
				t.Errorf("sample is %+v", s)
			}
			got = append(got, s.DTS)
		}
		return err
	}
	for _, err := range []error{
		packet(5000, []byte{1}, []byte{2}, []byte{3}),
		packet(8100, []byte{4}),                // late
		packet(9000, []byte{5}, nil),           // early, and with an empty frame
		packet(8999, []byte{6}, []byte{7}),     // before one that was sent before it
		packet(10024, []byte{8}, []byte{9}),    // and again
		packet(200000, []byte{10}, []byte{}),   // after a pause
		packet(180000, []byte{11}, []byte{12}), // more than a second before it
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := []int64{5000, 6024, 7048, 8100, 9000, 9001, 10023, 10024, 11048, 200000, 201024, 202048}; !slices.Equal(got, want) {
		t.Errorf("DTS are %v, want %v", got, want)
	}
}

func TestAACShortFrames(t *testing.T) {
	track, err := newAACReceiver([]byte{0x14, 0x0c}, nil) // frameLengthFlag
	if err != nil {
		t.Fatal(err)
	}
	samples, _, err := track.Samples(Unit{Parts: [][]byte{{1}, {2}}}, 0)
	if err != nil || len(samples) != 2 || samples[1].DTS != 960 || samples[1].Duration != 960 {
		t.Errorf("samples are %+v, error %v", samples, err)
	}
}

func TestAACRefuses(t *testing.T) {
	if _, err := newAACReceiver([]byte{0x2b, 0x92, 0x08, 0}, nil); err == nil || !strings.Contains(err.Error(), "HE-AAC") {
		t.Errorf("error is %v", err)
	}
}

func TestAACDecodesLATM(t *testing.T) {
	config := &mpeg4audio.StreamMuxConfig{Programs: []*mpeg4audio.StreamMuxConfigProgram{{
		Layers: []*mpeg4audio.StreamMuxConfigLayer{{
			AudioSpecificConfig: &mpeg4audio.AudioSpecificConfig{
				Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 16000, ChannelConfig: 1, ChannelCount: 1,
			},
			LatmBufferFullness: 255,
		}},
	}}}
	a, err := receiveAAC(&format.MPEG4AudioLATM{PayloadTyp: 97, StreamMuxConfig: config})
	if err != nil {
		t.Fatal(err)
	}
	frame := bytes.Repeat([]byte{0xab}, 300)
	payload, err := mpeg4audio.AudioMuxElement{StreamMuxConfig: config, Payloads: [][][][]byte{{{frame}}}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	units, err := a.Packet(&rtp.Packet{Header: rtp.Header{Marker: true}, Payload: payload}, time.Time{})
	if err != nil || len(units) != 1 || len(units[0].Parts) != 1 || !bytes.Equal(units[0].Parts[0], frame) {
		t.Errorf("units are %v, error %v", units, err)
	}
	if _, err := a.Packet(&rtp.Packet{Header: rtp.Header{Marker: true}, Payload: payload[:9]}, time.Time{}); err == nil {
		t.Error("no error for an element that was cut short")
	}
	if _, err := receiveAAC(&format.MPEG4AudioLATM{PayloadTyp: 97, CPresent: true}); err == nil {
		t.Error("no error for a configuration in the stream")
	}
	config.Programs[0].Layers[0].FrameLengthType = 2
	if _, err := receiveAAC(&format.MPEG4AudioLATM{PayloadTyp: 97, StreamMuxConfig: config}); err == nil {
		t.Error("no error for frames without a length")
	}
}

// TestImportAAC reads the sample entries of QuickTime, and descriptors with long lengths, as other programs write them.
func TestImportAAC(t *testing.T) {
	ours, err := AACEntry([]byte{0x12, 0x10})
	if err != nil {
		t.Fatal(err)
	}
	esds := ours.Box[audioBoxes:]
	long := func() []byte {
		var w writer
		w.FullBox("esds", 0, 0, func() {
			w.Bytes([]byte{3, 0x80, 0x80, 0x80, 35, 0, 1, 0xe0, 0, 9, 2, 'h', 'i', 0, 0, 4, 0x80, 0x80, 0x80, 20, 0x40, 0x15})
			w.Zeros(11)
			w.Bytes([]byte{5, 0x80, 0x80, 0x80, 2, 0x12, 0x10})
		})
		return w.B
	}()
	entry := func(version uint16, more int, inside ...[]byte) []byte {
		var w writer
		w.Box("mp4a", func() {
			w.audioFields(2, 44100)
			w.Zeros(more)
			for _, x := range inside {
				w.Bytes(x)
			}
		})
		w.B[audioVersion+1] = byte(version)
		return w.B
	}
	var wave writer
	wave.Box("wave", func() { wave.Bytes(esds); wave.U32(0) })
	for _, c := range []struct {
		name string
		box  []byte
		want string // in the error
	}{
		{"ours", ours.Box, ""},
		{"with a terminator", entry(0, 0, esds, []byte{0, 0, 0, 0}), ""},
		{"long lengths, an address and a clock", entry(0, 0, long), ""},
		{"QuickTime 1", entry(1, 16, esds), ""},
		{"QuickTime 1 with wave", entry(1, 16, wave.B), ""},
		{"QuickTime 2", entry(2, 36, esds), ""},
		{"version 1 of ISO", entry(1, 0, esds), ""},
		{"no esds", entry(0, 0), "missing or damaged"},
		{"QuickTime 2 cut short", entry(2, 10), "missing or damaged"},
		{"boxes that do not fill it", entry(0, 3), "do not fill it"},
		{"esds cut short", entry(0, 0, []byte("\x00\x00\x00\x0eesds\x00\x00\x00\x00\x03\x01")), "missing or damaged"},
		{"MP3", bytes.Replace(ours.Box, []byte{0x40, 0x15}, []byte{0x6b, 0x15}, 1), "object type 0x6b is not AAC"},
		{"cut short", ours.Box[:20], "not one whole box"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := Import(c.box)
			switch {
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error is %v, want %q in it", err, c.want)
			case c.want == "" && (err != nil || !bytes.Equal(e.Box, ours.Box)):
				t.Errorf("got %x, %v, want %x", e.Box, err, ours.Box)
			}
		})
	}
}

func FuzzImportAAC(f *testing.F) {
	e, err := AACEntry([]byte{0x12, 0x10})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.Box)
	f.Fuzz(func(t *testing.T, box []byte) {
		e, err := importAAC(box)
		if err != nil {
			return
		}
		again, err := importAAC(e.Box)
		if err != nil || !bytes.Equal(again.Box, e.Box) {
			t.Errorf("the import of its import is another: %v", err)
		}
	})
}
