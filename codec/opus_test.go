package codec

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/media"
)

// TestOpus receives packets whose first byte says how long they last (RFC 6716 3.1), as one that is lost does not.
func TestOpus(t *testing.T) {
	c, r, err := Receive(&format.Opus{PayloadTyp: 97, ChannelCount: 2})
	if err != nil || c.Name != "Opus" {
		t.Fatalf("received as %+v, %v", c, err)
	}
	e := r.Entry()
	const want = "000000374f707573 0000000000000001 0000000000000000 0002 0010 00000000 bb800000" +
		"00000013644f7073 00 02 0000 0000bb80 0000 00"
	if got := hex.EncodeToString(e.Box); got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("the sample entry is %s, want %s", got, want)
	}
	if e.Kind != media.Audio || e.Codec != "opus" || e.Timescale != 48000 {
		t.Errorf("entry is %+v", e)
	}
	at := int64(1000)
	for i, x := range []struct {
		packet   []byte
		duration uint32
	}{
		{[]byte{0xfc, 1, 2, 3}, 960},        // 20 ms of CELT
		{[]byte{0xe0, 1}, 120},              // 2.5 ms
		{[]byte{0x19, 1, 2}, 2 * 2880},      // two frames of 60 ms of SILK
		{[]byte{0xfb, 0x03, 1, 2}, 3 * 960}, // three, as a second byte says
		{[]byte{0xfc}, 960},                 // silence
	} {
		sent := bytes.Clone(x.packet)
		units, err := r.Packet(&rtp.Packet{Payload: sent}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		samples, newEntry, err := r.Samples(units[0], at)
		if err != nil || newEntry || len(samples) != 1 {
			t.Fatalf("packet %d: %d samples, %v", i, len(samples), err)
		}
		clear(sent) // its memory is the caller's
		s := samples[0]
		if s.DTS != at || s.CTS != 0 || s.Duration != x.duration || !s.Sync || !bytes.Equal(s.Data, x.packet) {
			t.Errorf("packet %d: sample is %+v", i, s)
		}
		at += int64(x.duration)
	}
	for _, damaged := range [][]byte{nil, {0xff}, {0xff, 0}, {0xff, 63, 1}} {
		if units, err := r.Packet(&rtp.Packet{Payload: damaged}, time.Time{}); err == nil || len(units) > 0 {
			t.Errorf("%x: %v, %v", damaged, units, err)
		}
	}
}

func TestOpusOfManyChannels(t *testing.T) {
	c, r, err := Receive(&format.Opus{PayloadTyp: 97, ChannelCount: 6})
	if c != opusCodec || r != nil || err == nil || !strings.Contains(err.Error(), "6 channels") {
		t.Errorf("got %v, %v, %v", c, r, err)
	}
}

// TestOpusOfFiles imports and sends what ffmpeg writes: with a PreSkip, and with the rate of what was recorded.
func TestOpusOfFiles(t *testing.T) {
	config := []byte{0, 1, 1, 0x38, 0, 0, 0x1f, 0x40, 0, 0, 0}
	var w writer
	w.Box("Opus", func() {
		w.audioFields(1, opusRate)
		w.Box("dOps", func() { w.Bytes(config) })
		w.Box("btrt", func() { w.Zeros(12) })
	})
	e, err := Import(w.B)
	if err != nil || !bytes.Contains(e.Box, config) || e.Timescale != 48000 {
		t.Fatalf("imported as %+v, %v", e, err)
	}
	s, err := Send(e, 98)
	if err != nil {
		t.Fatal(err)
	}
	packets, err := s.Packets([]byte{0xfc, 1})
	if err != nil || len(packets) != 1 || packets[0].PayloadType != 98 || s.Format.(*format.Opus).ChannelCount != 1 {
		t.Errorf("packets are %v, %v", packets, err)
	}
	for name, config := range map[string][]byte{
		"none":        nil,
		"cut short":   config[:10],
		"version 1":   append([]byte{1}, config[1:]...),
		"no channels": append([]byte{0, 0}, config[2:]...),
		"no mapping":  append(bytes.Clone(config[:10]), 1, 1, 0),
	} {
		var w writer
		w.Box("Opus", func() {
			w.audioFields(1, opusRate)
			w.Box("dOps", func() { w.Bytes(config) })
		})
		if _, err := Import(w.B); err == nil || !strings.Contains(err.Error(), "decoder configuration") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func FuzzImportOpus(f *testing.F) {
	f.Add(opusEntry(opusConfig(2)).Box)
	f.Fuzz(func(t *testing.T, box []byte) {
		e, err := importOpus(box)
		if err != nil {
			return
		}
		again, err := importOpus(e.Box)
		if err != nil || !bytes.Equal(again.Box, e.Box) {
			t.Errorf("the import of its import is another: %v", err)
		}
	})
}
