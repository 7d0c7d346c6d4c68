package codec

import (
	"bytes"
	"encoding/binary"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"
)

func TestMP3Headers(t *testing.T) {
	for header, want := range map[uint32]mp3Header{
		0xfffb9064: {3, 44100, 2, 1152, 417},
		0xfffb9264: {3, 44100, 2, 1152, 418}, // padded
		0xfffbe4c4: {3, 48000, 1, 1152, 960},
		0xfff384c4: {3, 24000, 1, 576, 192},
		0xffe384c4: {3, 12000, 1, 576, 384},
		0xfffdc400: {2, 48000, 2, 1152, 768},
		0xffffe800: {1, 32000, 2, 384, 672},
	} {
		h, ok := readMP3(binary.BigEndian.AppendUint32(nil, header))
		if !ok || h != want {
			t.Errorf("%#x is %+v, %v, want %+v", header, h, ok, want)
		}
	}
	for _, bad := range []uint32{0, 0xfffb0064, 0xfffbf064, 0xfffb9c64, 0xfff99064, 0xffeb9064, 0xff1b9064} {
		if h, ok := readMP3(binary.BigEndian.AppendUint32(nil, bad)); ok {
			t.Errorf("%#x is %+v", bad, h)
		}
	}
}

// TestMP3ByFFmpeg receives what another program encodes, in packets of several frames and in parts of a frame, and hears it back.
func TestMP3ByFFmpeg(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg")
	}
	for _, c := range []struct {
		encoder, kind string
		rate          int
		codec         string
	}{
		{"libmp3lame", "mp3", 44100, "mp4a.6B"},
		{"libmp3lame", "mp3", 16000, "mp4a.69"},
		{"mp2", "mp2", 48000, "mp4a.6B"},
	} {
		args := []string{"-v", "error", "-f", "lavfi", "-i", "sine=d=2:r=" + strconv.Itoa(c.rate), "-c:a", c.encoder, "-b:a", "64k", "-f", c.kind}
		if c.kind == "mp3" { // which else has frames of its own
			args = append(args, "-id3v2_version", "0", "-write_xing", "0")
		}
		stream, err := exec.Command("ffmpeg", append(args, "-")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		codec, r, err := Receive(&format.Generic{PayloadTyp: 97, RTPMa: "MPA/90000"})
		if err != nil || codec != mp3Codec || r.Entry().Box != nil || r.Entry().Timescale == 0 {
			t.Fatal(codec, r, err)
		}
		var got []byte
		samples := 0
		take := func(at uint32, offset int, p []byte) {
			units, err := r.Packet(&rtp.Packet{Header: rtp.Header{Timestamp: at}, Payload: append([]byte{0, 0, byte(offset >> 8), byte(offset)}, p...)}, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range units {
				some, newEntry, err := r.Samples(u, int64(u.Timestamp))
				if err != nil || newEntry {
					t.Fatal(newEntry, err)
				}
				for _, s := range some {
					got = append(got, s.Data...)
					samples += int(s.Duration)
				}
			}
		}
		var frames [][]byte
		for p := stream; len(p) > 0; {
			h, ok := readMP3(p)
			if !ok || h.size > len(p) {
				t.Fatalf("%s: frame %d makes no sense: %x", c.encoder, len(frames), p[:min(len(p), 8)])
			}
			frames, p = append(frames, p[:h.size]), p[h.size:]
		}
		for i := 0; i < len(frames); {
			at := uint32(i * 1152 * 90000 / c.rate)
			if i%3 == 0 && i+2 < len(frames) {
				take(at, 0, bytes.Join(frames[i:i+2], nil))
				i += 2
				continue
			}
			half := len(frames[i]) / 2
			take(at, 0, frames[i][:half])
			take(at, half, frames[i][half:])
			i++
		}
		if !bytes.Equal(got, stream) || samples < 2*c.rate || samples > 2*c.rate+4*1152 || r.Entry().Codec != c.codec || ClockRate(r) != 90000 || int(r.Entry().Timescale) != c.rate {
			t.Errorf("%s: %d of %d bytes, %d samples, %+v", c.encoder, len(got), len(stream), samples, r.Entry())
		}
	}
}

func TestMP3Packets(t *testing.T) {
	frame := append([]byte{0xff, 0xfb, 0x90, 0x64}, make([]byte, 413)...)
	mono := append([]byte{0xff, 0xfb, 0x90, 0xc4}, make([]byte, 413)...)
	_, r, err := Receive(&format.MPEG1Audio{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		at       uint32
		offset   int
		payload  []byte
		lost     bool
		frames   int
		err      string
		newEntry bool
	}{
		{"a part whose beginning did not come", 0, 200, frame[200:], false, 0, "", false},
		{"a frame", 10, 0, frame, false, 1, "", false},
		{"a part", 20, 0, frame[:100], false, 0, "", false},
		{"a part that does not follow", 20, 200, frame[200:], false, 0, "do not fit", false},
		{"a part", 30, 0, frame[:100], false, 0, "", false},
		{"the rest, behind a loss", 30, 100, frame[100:], true, 0, "", false},
		{"a frame and what is none", 40, 0, append(bytes.Clone(frame), "what"...), false, 1, "no header", false},
		{"too short", 50, 0, nil, false, 0, "too short", false},
		{"mono", 60, 0, mono, false, 1, "", true},
	} {
		if c.lost {
			r.Lost()
		}
		payload := append([]byte{0, 0, byte(c.offset >> 8), byte(c.offset)}, c.payload...)
		units, err := r.Packet(&rtp.Packet{Header: rtp.Header{Timestamp: c.at}, Payload: payload}, time.Time{})
		frames := 0
		for _, u := range units {
			samples, newEntry, err := r.Samples(u, int64(u.Timestamp))
			if frames += len(samples); err != nil || newEntry != c.newEntry {
				t.Errorf("%s: new entry %v, %v", c.name, newEntry, err)
			}
		}
		if frames != c.frames || c.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d frames, error %v", c.name, frames, err)
		}
	}
	if _, _, err := Receive(&format.Generic{PayloadTyp: 97, RTPMa: "mpa-robust/90000"}); err == nil || !strings.Contains(err.Error(), "RFC 5219") {
		t.Errorf("error is %v", err)
	}
}

func TestImportMP3(t *testing.T) {
	ours := mp3Entry(mpeg2AudioType, 2, 22050)
	quick := bytes.Clone(ours.Box[:audioBoxes])
	copy(quick[4:], ".mp3")
	quick[3] = audioBoxes
	for name, box := range map[string][]byte{"ours": ours.Box, "QuickTime": quick} {
		if e, err := Import(box); err != nil || !bytes.Equal(e.Box, ours.Box) || e.Codec != "mp4a.69" || e.Timescale != 22050 {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	if _, err := Import(mp3Entry(mpeg1AudioType, 6, 48000).Box); err == nil || !strings.Contains(err.Error(), "6 channels") {
		t.Errorf("error is %v", err)
	}
}

func FuzzMP3(f *testing.F) {
	f.Add(slices.Concat([]byte{0, 0, 0, 0, 0xff, 0xfb, 0x90, 0x64}, make([]byte, 413)))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, r, err := Receive(&format.MPEG1Audio{})
		if err != nil {
			t.Fatal(err)
		}
		for p := range slices.Chunk(data, max(1, len(data)/2)) {
			units, _ := r.Packet(&rtp.Packet{Payload: p}, time.Time{})
			for _, u := range units {
				if samples, _, err := r.Samples(u, 0); err != nil || len(samples) == 0 || r.Entry().Box == nil {
					t.Errorf("%d samples, %v", len(samples), err)
				}
			}
		}
	})
}
