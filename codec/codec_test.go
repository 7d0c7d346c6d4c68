package codec

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"

	"nvrfs/media"
)

// TestRegistry checks that every codec says what it is, and that no two claim the same.
func TestRegistry(t *testing.T) {
	var names, boxes []string
	for _, c := range registry {
		if c.Name == "" || c.Kind != media.Video && !c.Kind.Sound() {
			t.Errorf("a codec is %q, %v", c.Name, c.Kind)
		}
		if c.receive == nil && c.importEntry == nil || len(c.boxes) == 0 {
			t.Errorf("%s can neither be received nor imported, or has no sample entry", c.Name)
		}
		if slices.Contains(names, c.Name) || slices.ContainsFunc(c.boxes, func(b string) bool { return slices.Contains(boxes, b) }) {
			t.Errorf("there are two codecs %s, or of %v", c.Name, c.boxes)
		}
		names, boxes = append(names, c.Name), append(boxes, c.boxes...)
	}
}

func TestReceiveRefuses(t *testing.T) {
	c, r, err := Receive(&format.VP8{PayloadTyp: 96})
	if c != nil || r != nil || err == nil || !strings.HasPrefix(err.Error(), "only H.264") || !strings.HasSuffix(err.Error(), " are supported") {
		t.Errorf("got %v, %v, %v", c, r, err)
	}
	for name, f := range map[string]format.Format{
		"G.722": &format.G722{}, "G.726": &format.G726{PayloadTyp: 96, BitRate: 32}, "Speex": &format.Speex{}, "Vorbis": &format.Vorbis{},
		"G.729": &format.Generic{PayloadTyp: 18}, "AMR": &format.Generic{PayloadTyp: 97, RTPMa: "AMR-WB/16000/1"},
	} {
		want := "reads " + name + " in an mp4 file; set the camera's sound to " + Recorded("or", media.Audio)
		if c, r, err := Receive(f); c != nil || r != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, %v", name, c, r, err)
		}
	}
	if _, err := Send(media.SampleEntry{Box: []byte("\x00\x00\x00\x08vp09")}, 96); err == nil || !strings.Contains(err.Error(), `"vp09"`) {
		t.Errorf("error is %v", err)
	}
}

func TestLists(t *testing.T) {
	for n, want := range []string{"", "a", "a or b", "a, b or c"} {
		defer func(old []*Codec) { registry = old }(registry)
		registry = nil
		for _, name := range []string{"a", "b", "c"}[:n] {
			registry = append(registry, &Codec{Name: name, Kind: media.Audio, importEntry: importAAC})
		}
		if got := Imported("or", media.Audio); got != want || Imported("or", media.Video) != "" || Recorded("or", media.Audio) != "" {
			t.Errorf("%d codecs: %q, want %q", n, got, want)
		}
	}
}

// TestSentAndReceived sends a frame of AAC and receives it; for pictures, package camera does that with whole clips.
func TestSentAndReceived(t *testing.T) {
	aac, err := AACEntry([]byte{0x14, 0x08})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Send(aac, 97)
	if err != nil {
		t.Fatal(err)
	}
	packets, err := s.Packets([]byte("a frame"))
	if err != nil || len(packets) != 1 || packets[0].PayloadType != 97 {
		t.Fatalf("packets %v, %v", packets, err)
	}
	c, r, err := Receive(s.Format)
	if err != nil || c.Name != "AAC" || string(r.Entry().Box) != string(aac.Box) {
		t.Fatalf("received as %v, %v", c, err)
	}
	units, err := r.Packet(packets[0], time.Time{})
	if err != nil || len(units) != 1 || len(units[0].Parts) != 1 || string(units[0].Parts[0]) != "a frame" {
		t.Errorf("units %v, %v", units, err)
	}
	again, err := Import(aac.Box)
	if err != nil || string(again.Box) != string(aac.Box) {
		t.Errorf("its import is %+v, %v", again, err)
	}
}
