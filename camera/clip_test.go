package camera

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/mp4/demux"
)

func loadClip(t testing.TB, name string) *Clip {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../mp4/demux/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	clip, err := ParseClip(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return clip
}

// unitsOf reads a sample of a clip: the NAL units of a picture, behind their lengths of 4 bytes, or one frame of sound.
func unitsOf(t *testing.T, track *demux.Track, i int) (units [][]byte) {
	t.Helper()
	data, err := track.Read(i)
	if err != nil {
		t.Fatal(err)
	}
	if track.Entry.Kind == media.Audio {
		return [][]byte{data}
	}
	for len(data) > 0 {
		n := 4 + binary.BigEndian.Uint32(data)
		units, data = append(units, data[4:n]), data[n:]
	}
	return units
}

func TestDemoClip(t *testing.T) {
	clip := DemoClip()
	v, a := clip.Video, clip.Audio
	if v.Entry.Codec != "avc1.64001F" || v.Len() != 400 || nanoseconds(v, v.Duration()) != 16e9 {
		t.Errorf("video: %s, %d samples, %d ns", v.Entry.Codec, v.Len(), nanoseconds(v, v.Duration()))
	}
	if a.Entry.Codec != "mp4a.40.2" || a.Entry.Timescale != 48000 || a.Len() != 750 || nanoseconds(a, a.Duration()) != 16e9 {
		t.Errorf("audio: %s, %d samples, %d ns", a.Entry.Codec, a.Len(), nanoseconds(a, a.Duration()))
	}
	if clip.Duration() != 16*time.Second || len(clip.LeftOut) != 0 {
		t.Errorf("lasts %v, ignored %q", clip.Duration(), clip.LeftOut)
	}
	if len(demo) > 700_000 {
		t.Errorf("%d bytes are too many to embed", len(demo))
	}
	for i := range v.Len() {
		s := v.Sample(i)
		if s.CTS != 0 || RTPTime(v, i) != int64(i)*3600 || s.Sync != (i%25 == 0) {
			t.Fatalf("video sample %d: %+v", i, s)
		}
		if units := unitsOf(t, v, i); len(units) != 1 {
			t.Fatalf("video sample %d: %d NAL units", i, len(units))
		}
	}
	for i := range a.Len() {
		if RTPTime(a, i) != int64(i)*1024 {
			t.Fatalf("audio sample %d at %d", i, RTPTime(a, i))
		}
	}
}
