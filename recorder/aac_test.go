package recorder

import (
	"slices"
	"strings"
	"testing"
)

func TestAACTrackTimes(t *testing.T) {
	track, err := newAACTrack([]byte{0x14, 0x08}) // 16 kHz mono
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	packet := func(pts int64, frames ...[]byte) error {
		samples, err := track.frames(frames, pts)
		for _, s := range samples {
			if !s.Sync || s.CTS != 0 || len(s.Data) == 0 {
				t.Errorf("sample is %+v", s)
			}
			got = append(got, s.DTS)
		}
		return err
	}
	for _, err := range []error{
		packet(5000, []byte{1}, []byte{2}, []byte{3}),
		packet(8100, []byte{4}),              // late
		packet(9000, []byte{5}, nil),         // early, and with an empty frame
		packet(8999, []byte{6}, []byte{7}),   // before one that was sent before it
		packet(10024, []byte{8}, []byte{9}),  // and again
		packet(200000, []byte{10}, []byte{}), // after a pause
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := []int64{5000, 6024, 7048, 8100, 9000, 9001, 10023, 10024, 11048, 200000}; !slices.Equal(got, want) {
		t.Errorf("DTS are %v, want %v", got, want)
	}
	if err := packet(200000-16001, []byte{11}); err == nil || !strings.Contains(err.Error(), "audio timestamps went back") {
		t.Errorf("error is %v after a second back", err)
	}
}

func TestAACTrackShortFrames(t *testing.T) {
	track, err := newAACTrack([]byte{0x14, 0x0c}) // frameLengthFlag
	if err != nil {
		t.Fatal(err)
	}
	samples, err := track.frames([][]byte{{1}, {2}}, 0)
	if err != nil || len(samples) != 2 || samples[1].DTS != 960 {
		t.Errorf("samples are %+v, error %v", samples, err)
	}
}

func TestAACTrackRefuses(t *testing.T) {
	if _, err := newAACTrack([]byte{0x2b, 0x92, 0x08, 0}); err == nil || !strings.Contains(err.Error(), "HE-AAC") {
		t.Errorf("error is %v", err)
	}
}
