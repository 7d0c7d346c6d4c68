package codec

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/codec/codectest"
	"nvrfs/codec/nal"
	"nvrfs/media"
)

// pictures sends access units of one packet each, each marked, 40 ms apart.
func (k *nalSink) pictures(units ...[][]byte) {
	k.t.Helper()
	n := uint32(len(k.units))
	for i, unit := range units {
		for j, nalu := range unit {
			k.packet(&rtp.Packet{
				Header:  rtp.Header{Timestamp: clipZero + (n+uint32(i))*frame90k, Marker: j == len(unit)-1},
				Payload: nalu,
			})
		}
		k.now = k.now.Add(40 * time.Millisecond)
	}
	k.take(k.r.Flush())
}

// TestParameterSetsByID has pictures that use sets of one of several ids, as some cameras send them.
func TestParameterSetsByID(t *testing.T) {
	a, b := codectest.SPSOf(0, 30, 10, false), codectest.SPSOf(1, 31, 20, false)
	ppsA, ppsB := codectest.PPSOf(0, 0, false), codectest.PPSOf(1, 1, false)
	idr := func(pps, id int) []byte { return codectest.H264Slice{IDR: true, PPS: pps, IDRID: id}.NALU() }
	k := newNALSink(t, &format.H264{PayloadTyp: 96})
	k.pictures(
		[][]byte{a, ppsA, b, ppsB, idr(0, 0)},
		[][]byte{codectest.H264Slice{Frame: 1, Order: 2}.NALU()},
		[][]byte{idr(1, 1)},
		[][]byte{codectest.H264Slice{PPS: 1, Frame: 1, Order: 2}.NALU()},
		[][]byte{idr(0, 2)},
		[][]byte{a, b, ppsB, ppsA, idr(1, 3)},
		[][]byte{idr(7, 4)},                               // of a set that never came
		[][]byte{codectest.PPSOf(9, 9, false), idr(0, 5)}, // with one that is of such a set
	)
	if len(k.samples) != 8 || len(k.errs) > 0 {
		t.Fatalf("%d samples, %v", len(k.samples), k.errs)
	}
	for i, want := range []struct {
		sync  bool
		width uint16
		codec string
	}{
		{true, 160, "avc1.4D001F"},
		{false, 160, "avc1.4D001F"},
		{true, 320, "avc1.4D001F"},
		{false, 320, "avc1.4D001F"},
		{true, 160, "avc1.4D001F"},
		{true, 320, "avc1.4D001F"},
		{false, 320, "avc1.4D001F"},
		{true, 160, "avc1.4D001F"},
	} {
		e := k.entries[i]
		if k.samples[i].Sync != want.sync || e.Width != want.width || e.Codec != want.codec {
			t.Errorf("sample %d: sync %v, %s of %d pixels", i, k.samples[i].Sync, e.Codec, e.Width)
		}
		for _, set := range [][]byte{a, b, ppsA, ppsB} {
			if !bytes.Contains(e.Box, append(be16(len(set)), set...)) {
				t.Errorf("the entry of sample %d lacks a set", i)
			}
		}
		if bytes.Contains(e.Box, codectest.PPSOf(9, 9, false)) {
			t.Errorf("the entry of sample %d has a PPS without its SPS", i)
		}
		c, ok := parseAVCC(visualConfig(e, "avcC"))
		if first := map[uint16][]byte{160: a, 320: b}[want.width]; !ok || !bytes.Equal(c.sps, first) {
			t.Errorf("the first SPS of sample %d is %x", i, c.sps)
		}
	}
}

// TestLevelFlips has a camera whose level alternates at each IDR picture.
func TestLevelFlips(t *testing.T) {
	k := newNALSink(t, &format.H264{PayloadTyp: 96})
	var want []string
	for n := range 10 {
		k.pictures([][]byte{codectest.SPSOf(0, 30+n%2, 10, false), codectest.PPSOf(0, 0, false), codectest.H264Slice{IDR: true, IDRID: n}.NALU()},
			[][]byte{codectest.H264Slice{Frame: 1, Order: 2}.NALU()})
		c := []string{"avc1.4D001E", "avc1.4D001F"}[n%2]
		want = append(want, c, c)
	}
	var got []string
	for _, e := range k.entries {
		got = append(got, e.Codec)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestParameterSetsAreBounded has a camera send ever other sets.
func TestParameterSetsAreBounded(t *testing.T) {
	k := newNALSink(t, &format.H264{PayloadTyp: 96})
	fill := bytes.Repeat([]byte{0xab}, 900)
	for n := range 400 {
		sps, pps := codectest.SPSOf(n%32, 30, 10, false), codectest.PPSOf(n%256, n%32, false)
		k.pictures([][]byte{append(sps, fill...), append(pps, fill...), codectest.H264Slice{IDR: true, IDRID: n, PPS: n % 256}.NALU()})
		e := k.r.Entry()
		if len(e.Box) > maxEntryBytes {
			t.Fatalf("an entry of %d bytes", len(e.Box))
		}
		if _, err := Import(e.Box); err != nil {
			t.Fatal(err)
		}
	}
	if len(k.samples) != 400 || slices.ContainsFunc(k.samples, func(s media.Sample) bool { return !s.Sync }) {
		t.Errorf("%d samples", len(k.samples))
	}
}

// TestAwaits checks what is said while nothing can be recorded.
func TestAwaits(t *testing.T) {
	sps, pps, idr := codectest.SPSOf(0, 30, 10, false), codectest.PPSOf(0, 0, false), codectest.H264Slice{IDR: true}.NALU()
	for name, c := range map[string]struct {
		units [][]byte
		want  string
	}{
		"nothing":      {nil, "IDR picture; set its I-frame interval"},
		"no IDR":       {[][]byte{sps, pps, codectest.H264Slice{}.NALU()}, "IDR picture; set its I-frame interval"},
		"no sets":      {[][]byte{idr}, "H.264 parameter sets (SPS and PPS)"},
		"another PPS":  {[][]byte{sps, codectest.PPSOf(1, 0, false), idr}, "parameter set PPS 0, to which its pictures refer"},
		"another SPS":  {[][]byte{sps, codectest.PPSOf(0, 3, false), idr}, "parameter set SPS 3, to which its pictures refer"},
		"damaged ones": {[][]byte{sps, pps, codectest.H264Slice{IDR: true, MB: 3}.NALU()}, "IDR picture of which no part is missing"},
	} {
		k := newNALSink(t, &format.H264{PayloadTyp: 96})
		k.pictures(c.units)
		what, do := k.r.(Predictor).Awaits()
		if do != "" {
			what += "; " + do
		}
		if len(k.samples) > 0 || !strings.HasPrefix(what, c.want) {
			t.Errorf("%s: %d samples, awaits %q, want %q", name, len(k.samples), what, c.want)
		}
	}
	k := newNALSink(t, &format.H265{PayloadTyp: 96})
	c := readClip(t, "x265-closed.h265")
	k.pictures([][]byte{c.units[0][1], c.units[0][2], c.units[0][4]}) // without the VPS
	if what, _ := k.r.(Predictor).Awaits(); what != "parameter set VPS 0, to which its pictures refer" {
		t.Errorf("awaits %q", what)
	}
}

// TestDamagedPictures checks that a picture that lacks a part is stored, but never as a sync sample.
func TestDamagedPictures(t *testing.T) {
	for _, name := range []string{"x264-slices.h264", "x265-slices.h265"} {
		c := readClip(t, name)
		k := newNALSink(t, c.format(false))
		k.send(c, packings[0], markings["the last"])
		second := slices.IndexFunc(c.units[1:], func(u [][]byte) bool { return c.has(u, nal.H264SPS, nal.H265SPS) }) + 1
		whole := len(c.units[second])
		for missing := whole - 4; missing < whole; missing++ { // one of its four slices
			k := newNALSink(t, c.format(false))
			for i, unit := range c.units {
				for j, nalu := range unit {
					if i == second && j == missing {
						k.r.Lost()
						continue
					}
					k.packet(&rtp.Packet{Header: rtp.Header{Timestamp: clipZero + uint32(i)*frame90k}, Payload: nalu})
				}
			}
			k.take(k.r.Flush())
			if len(k.samples) != len(c.units) {
				t.Fatalf("%s: %d samples", name, len(k.samples))
			}
			for i, s := range k.samples {
				if s.Sync != (i == 0) {
					t.Errorf("%s without slice %d of picture %d: picture %d: sync %v", name, missing, second, i, s.Sync)
				}
			}
		}
	}
}

// TestJoinedLate joins streams in the middle, where no IDR picture comes.
func TestJoinedLate(t *testing.T) {
	for _, c := range []struct {
		name    string
		from    int   // the first access unit that is received
		leading []int // those that are left out because they cannot be decoded
		first   int   // the first sample
	}{
		{"x264-open.h264", 3, []int{8, 9}, 7},
		{"x265-open.h265", 3, []int{7, 8, 9}, 6},
		{"x265-main10.h265", 2, []int{5, 6}, 4},
		{"x265-layers.h265", 2, []int{7, 8}, 6},
	} {
		clip := readClip(t, c.name)
		clip.units, clip.shown = clip.units[c.from:], clip.shown[c.from:]
		k := newNALSink(t, clip.format(false))
		k.send(clip, packings[0], markings["the last"])
		at := c.first - c.from
		for _, s := range k.samples {
			for slices.Contains(c.leading, at+c.from) {
				at++
			}
			if at >= len(clip.units) || !bytes.Equal(s.Data, sampleOf(clip.units[at])) || s.PTS() != clipStart+int64(clip.shown[at])*frame90k {
				t.Fatalf("%s: a sample at %d is not access unit %d", c.name, s.PTS(), at+c.from)
			}
			if s.Sync != clip.has(clip.units[at], nal.H264SPS, nal.H265SPS) {
				t.Errorf("%s: access unit %d: sync %v", c.name, at+c.from, s.Sync)
			}
			at++
		}
		if at != len(clip.units) {
			t.Errorf("%s: the last sample is access unit %d", c.name, at+c.from-1)
		}
	}
}

// TestGradualRefresh joins streams that are refreshed gradually, or whose pictures only begin anew.
func TestGradualRefresh(t *testing.T) {
	clip := readClip(t, "x264-refresh.h264")
	units := clip.units[1:]
	k := newNALSink(t, clip.format(false))
	for range 10 { // 15.6 s
		k.pictures(units...)
	}
	var syncs []int64
	for _, s := range k.samples {
		if s.Sync {
			syncs = append(syncs, (s.PTS()-clipStart)/frame90k)
		}
	}
	// A refresh begins with pictures 9, 19 and 29 of each 39. The first after 5 s is picture 126 of the session, which is 9 of 39.
	if len(syncs) != 3 || syncs[0] != 126 || syncs[1] < 126+125 || len(k.samples) != 390-126 {
		t.Errorf("%d samples, syncs %d", len(k.samples), syncs)
	}

	// Pictures that need no other, of which nothing says so.
	k = newNALSink(t, &format.H264{PayloadTyp: 96, SPS: codectest.SPSOf(0, 30, 10, false), PPS: codectest.PPSOf(0, 0, false)})
	for n := range 130 * 25 {
		k.pictures([][]byte{codectest.H264Slice{Intra: n%50 == 49, Frame: n % 16, Order: 2 * n % 256}.NALU()})
	}
	syncs = nil
	for _, s := range k.samples {
		if s.Sync {
			syncs = append(syncs, (s.PTS()-clipStart)/frame90k)
		}
	}
	if want := []int64{299, 1799}; !slices.Equal(syncs, want) {
		t.Errorf("syncs %d, want %d", syncs, want)
	}
}

// TestTheLabelLies has cameras that describe the other codec.
func TestTheLabelLies(t *testing.T) {
	for _, c := range clips(t) {
		for _, p := range packings[:4] {
			var f format.Format = &format.H265{PayloadTyp: 96, SPS: []byte{0x42, 1, 1}}
			if c.h265 {
				f = &format.H264{PayloadTyp: 96, SPS: codectest.SPSOf(0, 30, 10, false), PPS: codectest.PPSOf(0, 0, false)}
			}
			k := newNALSink(t, f)
			k.send(c, p, markings["the last"])
			k.check(c)
			if h265 := strings.HasPrefix(k.r.Entry().Codec, "hvc1."); h265 != c.h265 {
				t.Errorf("%s is stored as %s", c.name, k.r.Entry().Codec)
			}
		}
	}
}

// TestTheLabelIsRight has one codec become no other, whatever else comes.
func TestTheLabelIsRight(t *testing.T) {
	h264, h265 := readClip(t, "x264-slices.h264"), readClip(t, "x265-slices.h265")
	k := newNALSink(t, h264.format(false))
	k.send(h264, packings[0], markings["the last"])
	n := len(k.samples)
	k.send(h265, packings[0], markings["the last"])
	sync := slices.ContainsFunc(k.samples[n:], func(s media.Sample) bool { return s.Sync })
	if sync || k.r.Entry().Width != 96 || !strings.HasPrefix(k.r.Entry().Codec, "avc1.") {
		t.Errorf("%d samples, then sync samples (%v) of %s", n, sync, k.r.Entry().Codec)
	}
}

// FuzzNALPackets sends packets of both codecs: flags (1: the marker, 2: a new timestamp, 4: packets are lost before, 8: many times),
// the length of the payload in a byte, and the payload.
func FuzzNALPackets(f *testing.F) {
	for _, c := range clips(f) {
		for _, p := range packings {
			var seed []byte
			for _, unit := range c.units[:6] {
				flags := byte(2)
				for _, payload := range p.payloads(unit, c.h265) {
					payload = payload[:min(len(payload), 255)]
					seed = append(append(seed, flags, byte(len(payload))), payload...)
					flags = 0
				}
			}
			f.Add(c.h265, p.numbered, seed)
		}
	}
	f.Add(false, false, append([]byte{8, 6}, codectest.Slice(true, 0)...))
	f.Fuzz(func(t *testing.T, h265, numbered bool, data []byte) {
		c := nalClip{h265: h265}
		k := newNALSink(t, c.format(numbered))
		var p rtp.Packet
		sent := 0
		for len(data) >= 2 {
			flags, n := data[0], min(int(data[1]), len(data)-2)
			payload := data[2 : 2+n : 2+n]
			data = data[2+n:]
			times := 1
			if flags&8 != 0 {
				times = 200
			}
			for range times {
				if flags&4 != 0 {
					k.r.Lost()
				}
				if flags&2 != 0 {
					p.Timestamp += frame90k
				}
				p.Marker, p.Payload = flags&1 != 0, payload
				sent += len(payload)
				k.packet(&p)
				k.now = k.now.Add(time.Second)
			}
		}
		k.take(k.r.Flush())
		last, got := int64(-1<<62), 0
		for i, s := range k.samples {
			units, err := nal.SplitSample(s.Data, 4)
			if err != nil || s.DTS <= last || s.CTS < 0 || i == 0 && !s.Sync || k.entries[i].Box == nil {
				t.Fatalf("sample %d: %+v after %d, %v", i, s, last, err)
			}
			for _, u := range units {
				got += len(u)
			}
			last = s.DTS
		}
		if got > 2*sent { // each of many fragments of one byte may be a NAL unit with a header of two
			t.Fatalf("%d bytes from packets of %d", got, sent)
		}
		if len(k.samples) > 0 {
			if _, err := Import(k.r.Entry().Box); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestManySlices has pictures of 200 slices, which a library once cut.
func TestManySlices(t *testing.T) {
	k := newNALSink(t, &format.H264{PayloadTyp: 96, SPS: codectest.SPSOf(0, 30, 10, false), PPS: codectest.PPSOf(0, 0, false)})
	for n := range 20 {
		for i := range 200 {
			s := codectest.H264Slice{IDR: n%5 == 0, MB: i, Frame: n % 5, Order: 2 * (n % 5)}
			k.packet(&rtp.Packet{Header: rtp.Header{Timestamp: clipZero + uint32(n)*frame90k, Marker: i == 199}, Payload: s.NALU()})
		}
	}
	k.take(k.r.Flush())
	if len(k.samples) != 20 || len(k.errs) > 0 {
		t.Fatalf("%d samples, %v", len(k.samples), k.errs)
	}
	for i, s := range k.samples {
		if s.Sync != (i%5 == 0) || len(naluTypes(t, &s)) != 200 {
			t.Errorf("sample %d: sync %v, %d NAL units", i, s.Sync, len(naluTypes(t, &s)))
		}
	}
}
