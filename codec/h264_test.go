package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"nvrfs/codec/codectest"
	"nvrfs/codec/nal"
	"nvrfs/media"
)

var (
	aud    = []byte{9, 0xf0}
	sei    = []byte{6, 5, 1, 0xaa, 0x80}
	filler = []byte{12, 0xff, 0xff, 0x80}
)

const frame90k = 3600 // 25 pictures a second

// h264Of is a receiver that knows sps and a PPS, as from a session description.
func h264Of(sps []byte) *nalReceiver { return newNALReceiver(newH264Format, sps, codectest.PPS(0)) }

// one returns the sample of an access unit, or nil where it makes none.
func one(t *testing.T, r Receiver, au [][]byte, pts int64) (*media.Sample, bool, error) {
	t.Helper()
	samples, newEntry, err := r.Samples(Unit{Parts: au}, pts)
	if len(samples) > 1 || len(samples) == 0 && newEntry {
		t.Fatalf("access unit at %d: %d samples, new entry %v", pts, len(samples), newEntry)
	}
	if len(samples) == 0 {
		return nil, false, err
	}
	return &samples[0], newEntry, err
}

func mustAccessUnit(t *testing.T, r Receiver, pts int64, au ...[]byte) (*media.Sample, bool) {
	t.Helper()
	s, changed, err := one(t, r, au, pts)
	if err != nil {
		t.Fatalf("access unit at %d: %v", pts, err)
	}
	return s, changed
}

func naluTypes(t *testing.T, s *media.Sample) (types []h264.NALUType) {
	t.Helper()
	units, err := nal.SplitSample(s.Data, 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range units {
		types = append(types, h264.NALUType(n[0]&0x1f))
	}
	return types
}

func TestH264KeepsParameterSetsInBand(t *testing.T) {
	sps, pps := codectest.SPS(10, 2, false), codectest.PPS(0)
	track := newNALReceiver(newH264Format)
	s, changed := mustAccessUnit(t, track, 9000, aud, sps, pps, sei, codectest.Slice(true, 0), filler)
	if s == nil || !changed || !s.Sync || s.DTS != 9000 || s.CTS != 0 {
		t.Fatalf("sample is %+v, changed %v", s, changed)
	}
	if types := naluTypes(t, s); !slices.Equal(types, []h264.NALUType{7, 8, 6, 5}) {
		t.Errorf("NAL units are %v, want SPS, PPS, SEI and IDR", types)
	}
	if n := binary.BigEndian.Uint32(s.Data); n != uint32(len(sps)) {
		t.Errorf("the first length is %d, want %d", n, len(sps))
	}
	if track.entry.Width != 160 || !bytes.Contains(track.entry.Box, sps) || !bytes.Contains(track.entry.Box, pps) {
		t.Errorf("entry is %+v", track.entry)
	}
}

func TestH264WaitsForIDRAndParameterSets(t *testing.T) {
	sps, pps := codectest.SPS(10, 2, false), codectest.PPS(0)
	track := newNALReceiver(newH264Format)
	for i, au := range [][][]byte{
		{codectest.Slice(false, 0)},            // joined mid-GOP
		{codectest.Slice(true, 0)},             // no sets yet
		{sps, codectest.Slice(true, 0)},        // one of two
		{pps},                                  // sets alone, as from encoders that mark each as an access unit
		{codectest.Slice(false, 2)},            // complete, but no IDR
		{aud, sei},                             // no picture
		{nil, {}, filler},                      // nothing at all
		{{0x68, 0}, codectest.Slice(false, 4)}, // a PPS without an identifier
	} {
		if s, _ := mustAccessUnit(t, track, int64(i)*frame90k, au...); s != nil {
			t.Fatalf("access unit %d gave %+v", i, s)
		}
	}
	s, changed := mustAccessUnit(t, track, 20*frame90k, codectest.Slice(true, 0))
	if s == nil || !changed {
		t.Fatalf("sample %v, changed %v, want a first one", s, changed)
	}
	if s, changed = mustAccessUnit(t, track, 21*frame90k, codectest.Slice(false, 2)); s == nil || changed || s.Sync {
		t.Errorf("sample %+v, changed %v, want one that is no sync sample", s, changed)
	}
}

func TestH264ParameterChange(t *testing.T) {
	small, large, pps := codectest.SPS(10, 2, false), codectest.SPS(20, 2, false), codectest.PPS(0)
	track := h264Of(small)
	if _, changed := mustAccessUnit(t, track, 0, large, pps, codectest.Slice(true, 0)); !changed || track.entry.Width != 320 {
		t.Fatalf("width %d: the stream's sets are to win over the description's", track.entry.Width)
	}
	if _, changed := mustAccessUnit(t, track, 1*frame90k, large, pps, codectest.Slice(true, 0)); changed {
		t.Error("changed by the same sets")
	}
	// A PPS that changes within a GOP stays in its sample, and gets into the entry with the next IDR picture.
	s, changed := mustAccessUnit(t, track, 2*frame90k, large, codectest.PPS(1), codectest.Slice(false, 0))
	if types := naluTypes(t, s); changed || !slices.Equal(types, []h264.NALUType{7, 8, 1}) {
		t.Errorf("changed %v, NAL units %v, want the sets and the slice", changed, types)
	}
	if _, changed = mustAccessUnit(t, track, 3*frame90k, codectest.Slice(true, 0)); !changed {
		t.Error("not changed by a second PPS")
	}
	if !bytes.Contains(track.entry.Box, pps) || !bytes.Contains(track.entry.Box, codectest.PPS(1)) {
		t.Errorf("entry %x lacks a PPS", track.entry.Box)
	}
	if _, changed = mustAccessUnit(t, track, 4*frame90k, small, pps, codectest.Slice(true, 0)); !changed || track.entry.Width != 160 {
		t.Errorf("width %d, changed %v after a new SPS", track.entry.Width, changed)
	}
	for _, bad := range [][]byte{{0x67, 77}, codectest.SPS(20, 2, false)[:6], {0x68}, {0x68, 0}, make([]byte, 1<<17)} {
		if s, changed = mustAccessUnit(t, track, 5*frame90k, bad, codectest.Slice(true, 0)); changed || !s.Sync || track.entry.Width != 160 {
			t.Errorf("width %d, changed %v, %+v after a set %.20x that cannot be read", track.entry.Width, changed, s, bad)
		}
	}
}

// pyramid is a GOP with B-frames in decoding order: when each picture is shown, in pictures.
var pyramid = []int{0, 4, 2, 1, 3, 8, 6, 5, 7, 12, 10, 9, 11}

func TestH264Times(t *testing.T) {
	inOrder := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	for _, c := range []struct {
		name    string
		sps     []byte
		shown   []int
		equal   bool // DTS is PTS
		skipped []int
	}{
		{"no reordering possible", codectest.SPS(10, 2, false), inOrder, true, nil},
		{"no B-frames", codectest.SPS(10, 0, false), inOrder, true, nil},
		{"B-frames", codectest.SPS(10, 0, false), pyramid, false, nil},
		{"B-frames, some lost", codectest.SPS(10, 0, false), pyramid, false, []int{2, 5, 6, 9}},
		{"B-frames of fields", codectest.SPS(10, 0, true), pyramid, false, nil},
		{"B-frames of the rare type", codectest.SPS(10, 1, false), pyramid, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			track := h264Of(c.sps)
			last := int64(-1)
			for gop := range int64(8) {
				for i, shown := range c.shown {
					if gop%2 == 1 && slices.Contains(c.skipped, i) {
						track.Lost()
						continue
					}
					pts := (10 + gop*int64(len(c.shown)) + int64(shown)) * frame90k
					s, _ := mustAccessUnit(t, track, pts, codectest.Slice(i == 0, 2*shown))
					if s.DTS <= last || s.CTS < 0 || s.DTS+int64(s.CTS) != pts || s.Sync != (i == 0) {
						t.Fatalf("GOP %d picture %d to be shown at %d: %+v after DTS %d", gop, i, pts, s, last)
					}
					if c.equal && s.CTS != 0 {
						t.Errorf("GOP %d picture %d is shown %d after it is decoded", gop, i, s.CTS)
					}
					if s.CTS > 15*frame90k {
						t.Errorf("GOP %d picture %d is shown %d after it is decoded", gop, i, s.CTS)
					}
					last = s.DTS
				}
			}
		})
	}
}

// Pictures that were lost look like B-frames to who counts them. That must not last beyond the GOP.
func TestH264ForgetsLoss(t *testing.T) {
	track := h264Of(codectest.SPS(10, 0, false))
	for n := range 60 {
		if n > 5 && n < 25 { // more than the count can follow
			track.Lost()
			continue
		}
		s, _ := mustAccessUnit(t, track, int64(n)*frame90k, codectest.Slice(n%30 == 0, 2*(n%30)))
		if n >= 30 && s.CTS != 0 {
			t.Errorf("picture %d is shown %d after it is decoded", n, s.CTS)
		}
	}
}

func TestH264MendsTimeThatGoesBack(t *testing.T) {
	for _, pts := range []int64{frame90k, frame90k - 1, -5, math.MinInt64 / 2} {
		track := h264Of(codectest.SPS(10, 0, false))
		mustAccessUnit(t, track, 0, codectest.Slice(true, 0))
		mustAccessUnit(t, track, frame90k, codectest.Slice(false, 2))
		s, _ := mustAccessUnit(t, track, pts, codectest.Slice(false, 4))
		if s.DTS != frame90k+1 || s.CTS != 0 {
			t.Errorf("%d after %d: decoded at %d, shown %d later, want %d and 0", pts, frame90k, s.DTS, s.CTS, frame90k+1)
		}
		s, _ = mustAccessUnit(t, track, 3*frame90k, codectest.Slice(false, 6))
		if s.DTS != 3*frame90k || s.CTS != 0 {
			t.Errorf("after %d, which was mended: decoded at %d, shown %d later", pts, s.DTS, s.CTS)
		}
	}
}

func FuzzH264(f *testing.F) {
	// NAL units are told apart by 0xff, access units by 0xfe.
	join := func(nalus ...[]byte) []byte { return bytes.Join(nalus, []byte{0xff}) }
	f.Add(join(codectest.SPS(10, 0, false), codectest.PPS(0), codectest.Slice(true, 0), append([]byte{0xfe}, codectest.Slice(false, 8)...)), int64(frame90k))
	f.Add(join(codectest.SPS(10, 2, false), codectest.PPS(0), sei, codectest.Slice(true, 0)), int64(-1))
	f.Add(join(codectest.SPS(10, 0, true), codectest.PPS(0), codectest.PPS(1), codectest.Slice(true, 0)), int64(1)<<40)
	f.Fuzz(func(t *testing.T, stream []byte, step int64) {
		track := newNALReceiver(newH264Format)
		last, started := int64(0), false
		pts := int64(1000)
		for au := range bytes.SplitSeq(stream, []byte{0xfe}) {
			s, changed, err := one(t, track, bytes.Split(au, []byte{0xff}), pts)
			if err != nil {
				return
			}
			if s != nil {
				if started && s.DTS <= last || s.CTS < 0 || s.DTS+int64(s.CTS) != max(pts, last+1) && started {
					t.Fatalf("%+v after DTS %d, to be shown at %d", s, last, pts)
				}
				if !started && !(changed && s.Sync) {
					t.Fatalf("starts with %+v, changed %v", s, changed)
				}
				last, started = s.DTS, true
			}
			pts += step % (1 << 40)
		}
	})
}
