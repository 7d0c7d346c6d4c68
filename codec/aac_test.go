package codec

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/codec/bits"
)

func TestAACTimes(t *testing.T) {
	track := receiveGenericAAC(t, "16000", "config", "1408") // mono
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
	track := receiveGenericAAC(t, "16000", "config", "140c") // frameLengthFlag
	samples, _, err := track.Samples(Unit{Parts: [][]byte{{1}, {2}}}, 0)
	if err != nil || len(samples) != 2 || samples[1].DTS != 960 || samples[1].Duration != 960 {
		t.Errorf("samples are %+v, error %v", samples, err)
	}
}

// describeAAC is a format with parameters, as pairs of a name and a value.
func describeAAC(name, clock string, parameters ...string) format.Format {
	f := &format.Generic{PayloadTyp: 97, RTPMa: name + "/" + clock, FMT: map[string]string{}}
	for p := range slices.Chunk(parameters, 2) {
		f.FMT[p[0]] = p[1]
	}
	return f
}

func receiveGenericAAC(t *testing.T, clock string, parameters ...string) Receiver {
	t.Helper()
	c, r, err := Receive(describeAAC("MPEG4-generic", clock, parameters...))
	if err != nil || c != aacCodec {
		t.Fatalf("received as %v, %v", c, err)
	}
	return r
}

// au makes a packet of frames by RFC 3640, with headers of some bits.
func au(size, index int, frames ...[]byte) []byte {
	var w bits.Writer
	w.Put(uint64(len(frames)*(size+index)), 16)
	for _, f := range frames {
		w.Put(uint64(len(f)), size)
		w.Put(0, index)
	}
	w.Align()
	return append(w.B, bytes.Join(frames, nil)...)
}

func adts(frame []byte) []byte {
	n := len(frame) + 7
	return append([]byte{0xff, 0xf1, 0x60, 0x40 | byte(n>>11), byte(n >> 3), byte(n<<5) | 0x1f, 0xfc}, frame...)
}

// TestAACModes receives frames in every form that RFC 3640 has for them, and in some that it has not.
func TestAACModes(t *testing.T) {
	a, b := bytes.Repeat([]byte{1, 2, 3}, 15), bytes.Repeat([]byte{4, 5}, 20)
	large := bytes.Repeat([]byte("large"), 500)
	hbr := []string{"config", "1408", "mode", "AAC-hbr", "sizelength", "13", "indexlength", "3", "indexdeltalength", "3"}
	whole := au(13, 3, large)
	part := func(from, to int) []byte { return append(bytes.Clone(whole[:4]), large[from:to]...) }
	times := []byte{0, 27, 0x01, 0x68, 0x89, 0x20} // 45 bytes, index 0, a CTS of 0x12, no DTS, a random access point
	type packet struct {
		payload []byte
		marker  bool
	}
	for name, c := range map[string]struct {
		parameters []string
		packets    []packet
		want       [][]byte
		err        string
	}{
		"one frame":            {hbr, []packet{{au(13, 3, a), true}}, [][]byte{a}, ""},
		"several":              {hbr, []packet{{au(13, 3, a, b, large), true}}, [][]byte{a, b, large}, ""},
		"without the mark":     {hbr, []packet{{au(13, 3, a), false}, {au(13, 3, b), false}}, [][]byte{a, b}, ""},
		"fragments":            {hbr, []packet{{part(0, 1000), false}, {part(1000, 2000), false}, {part(2000, 2500), true}}, [][]byte{large}, ""},
		"an empty one":         {hbr, []packet{{au(13, 3, a, nil, b), true}}, [][]byte{a, b}, ""},
		"bytes too many":       {hbr, []packet{{append(au(13, 3, a), 0, 0), true}}, [][]byte{a}, ""},
		"no mode at all":       {[]string{"config", "1408"}, []packet{{au(13, 3, a), true}}, [][]byte{a}, ""},
		"AAC-lbr":              {[]string{"config", "1408", "mode", "AAC-lbr", "sizelength", "6", "indexlength", "2", "indexdeltalength", "2"}, []packet{{au(6, 2, a, b), true}}, [][]byte{a, b}, ""},
		"AAC-lbr, named alone": {[]string{"config", "1408", "mode", "AAC-lbr"}, []packet{{au(6, 2, a, b), true}}, [][]byte{a, b}, ""},
		"constant size":        {[]string{"config", "1408", "mode", "generic", "constantsize", "40"}, []packet{{append(bytes.Clone(b), b...), true}}, [][]byte{b, b}, ""},
		"with times": {
			append(slices.Clone(hbr), "ctsdeltalength", "8", "dtsdeltalength", "8", "randomaccessindication", "1"),
			[]packet{{append(times, a...), true}},
			[][]byte{a},
			"",
		},
		"with an auxiliary part": {append(slices.Clone(hbr), "auxiliarydatasizelength", "8"), []packet{{slices.Concat(au(13, 3, a)[:4], []byte{8, 0xff}, a), true}}, [][]byte{a}, ""},
		"ADTS in it":             {hbr, []packet{{au(13, 3, adts(a)), true}}, [][]byte{a}, ""},
		"ADTS alone":             {hbr, []packet{{slices.Concat(adts(a), adts(b)), true}}, [][]byte{a, b}, ""},
		"ADTS in two packets":    {hbr, []packet{{adts(large)[:1400], false}, {adts(large)[1400:], true}}, [][]byte{large}, ""},
		"interleaved":            {hbr, []packet{{[]byte{0, 32, 0, 0x08, 0, 0x09, 1, 2}, true}}, nil, "interleaves"},
		"cut short":              {hbr, []packet{{au(13, 3, a, b)[:60], true}}, [][]byte{a}, "ends within a frame"},
		"too short":              {hbr, []packet{{[]byte{0}, true}}, nil, "too short"},
		"headers too long":       {hbr, []packet{{[]byte{1, 0, 0, 0}, true}}, nil, "headers have 256 bits"},
		"no headers":             {hbr, []packet{{[]byte{0, 0, 0, 0}, true}}, nil, "headers have 0 bits"},
		"parts that do not fit":  {hbr, []packet{{part(0, 1000), false}, {au(13, 3, a), true}, {au(13, 3, b), true}}, [][]byte{b}, "do not fit"},
	} {
		t.Run(name, func(t *testing.T) {
			r := receiveGenericAAC(t, "16000", c.parameters...)
			var got [][]byte
			var failed error
			for _, p := range c.packets {
				units, err := r.Packet(&rtp.Packet{Header: rtp.Header{Marker: p.marker}, Payload: p.payload}, time.Time{})
				if err != nil {
					failed = err
				}
				for _, u := range units {
					got = append(got, u.Parts...)
				}
			}
			if c.err == "" != (failed == nil) || failed != nil && !strings.Contains(failed.Error(), c.err) {
				t.Errorf("error is %v, want %q in it", failed, c.err)
			}
			if !slices.EqualFunc(got, c.want, bytes.Equal) {
				t.Errorf("got %d frames, want %d", len(got), len(c.want))
			}
		})
	}
}

// TestAACForgetsAtLoss has parts of a frame that others are missing of not be joined with those of the next.
func TestAACForgetsAtLoss(t *testing.T) {
	r := receiveGenericAAC(t, "16000", "config", "1408")
	frame := bytes.Repeat([]byte{7}, 2000)
	whole := au(13, 3, frame)
	send := func(timestamp uint32, from, to int) (got [][]byte) {
		units, err := r.Packet(&rtp.Packet{Header: rtp.Header{Timestamp: timestamp}, Payload: append(bytes.Clone(whole[:4]), frame[from:to]...)}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range units {
			got = append(got, u.Parts...)
		}
		return got
	}
	got := append(send(0, 0, 1500), send(1024, 0, 1500)...)
	r.Lost()
	got = append(got, append(send(2048, 0, 1999), send(2048, 1999, 2000)...)...)
	if len(got) != 1 || !bytes.Equal(got[0], frame) {
		t.Errorf("%d frames came, want one", len(got))
	}
}

// TestAACClock finds out at which of its rates the clock counts.
func TestAACClock(t *testing.T) {
	for name, c := range map[string]struct {
		config, described string
		step              uint32 // of the clock, for each frame
		rate, timescale   uint32
		lasts             uint32
		codec             string
	}{
		"AAC-LC":                               {"1408", "16000", 1024, 16000, 16000, 1024, "mp4a.40.2"},
		"AAC-LC that is said to be at 90 kHz":  {"1408", "90000", 5760, 90000, 16000, 1024, "mp4a.40.2"},
		"AAC-LC of which nothing true is said": {"1408", "8000", 1024, 16000, 16000, 1024, "mp4a.40.2"},
		"SBR that is not said":                 {"1310", "48000", 2048, 48000, 24000, 1024, "mp4a.40.2"},
		"HE-AAC, of its output":                {"2b118800", "48000", 2048, 48000, 48000, 2048, "mp4a.40.5"},
		"HE-AAC, below SBR":                    {"2b118800", "24000", 1024, 24000, 48000, 2048, "mp4a.40.5"},
		"HE-AAC, described by its output only": {"2b118800", "48000", 1024, 24000, 48000, 2048, "mp4a.40.5"},
		"HE-AAC, overlooked by old decoders":   {"131056e598", "48000", 2048, 48000, 48000, 2048, "mp4a.40.5"},
		"HE-AAC version 2":                     {"eb098800", "48000", 2048, 48000, 48000, 2048, "mp4a.40.29"},
		"HE-AAC of frozen timestamps":          {"2b118800", "48000", 0, 48000, 48000, 2048, "mp4a.40.5"},
	} {
		r := receiveGenericAAC(t, c.described, "config", c.config)
		if e := r.Entry(); e.Codec != c.codec || e.Timescale != c.timescale {
			t.Errorf("%s: %s with %d ticks a second", name, e.Codec, e.Timescale)
		}
		var units []Unit
		at := uint32(0xfffff000)
		for range 6 {
			some, err := r.Packet(&rtp.Packet{Header: rtp.Header{Timestamp: at}, Payload: au(13, 3, []byte("one"), []byte("two"))}, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			units = append(units, some...)
			at += 2 * c.step
		}
		if len(units) != 6 || ClockRate(r) != c.rate {
			t.Errorf("%s: %d units, a clock of %d, want %d", name, len(units), ClockRate(r), c.rate)
			continue
		}
		samples, newEntry, err := r.Samples(units[0], 500)
		if err != nil || newEntry || len(samples) != 2 || samples[1].DTS != 500+int64(c.lasts) || samples[1].Duration != c.lasts {
			t.Errorf("%s: %+v, %v", name, samples, err)
		}
	}
}

// TestAACClockAcrossLoss does not take a gap for the step of the clock.
func TestAACClockAcrossLoss(t *testing.T) {
	r := receiveGenericAAC(t, "48000", "config", "2b118800")
	for i, at := range []uint32{0, 1024, 9 * 1024, 10 * 1024} {
		if i == 2 {
			r.Lost()
		}
		if _, err := r.Packet(&rtp.Packet{Header: rtp.Header{Timestamp: at}, Payload: au(13, 3, []byte("one"))}, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if ClockRate(r) != 24000 {
		t.Errorf("a clock of %d", ClockRate(r))
	}
}

func TestAACRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		f    format.Format
		want string
	}{
		"no configuration":    {describeAAC("mpeg4-generic", "16000", "sizelength", "13"), "config is missing"},
		"no hexadecimal":      {describeAAC("mpeg4-generic", "16000", "config", "14zz"), "not hexadecimal"},
		"cut short":           {describeAAC("mpeg4-generic", "16000", "config", "14"), "cut short"},
		"MP3 in it":           {describeAAC("mpeg4-generic", "16000", "config", "f8504000"), "MP3 is not supported; set the camera to AAC-LC"},
		"no layout":           {describeAAC("mpeg4-generic", "16000", "config", "1400"), "channel layout"},
		"no size":             {describeAAC("mpeg4-generic", "16000", "config", "1408", "sizelength", "0"), "sizelength"},
		"fields of 64 bits":   {describeAAC("mpeg4-generic", "16000", "config", "1408", "sizelength", "64"), "64 bits, of 31 at most"},
		"a word for a number": {describeAAC("mpeg4-generic", "16000", "config", "1408", "sizelength", "many"), "no number"},
		"LATM of CELP":        {describeAAC("MP4A-LATM", "16000", "cpresent", "0", "config", "40008810"), "not supported"},
	} {
		if codec, _, err := Receive(c.f); codec != aacCodec || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %q in it", name, err, c.want)
		}
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
		{"MPEG-2 AAC-LC", bytes.Replace(ours.Box, []byte{0x40, 0x15}, []byte{0x67, 0x15}, 1), ""},
		{"AC-3", bytes.Replace(ours.Box, []byte{0x40, 0x15}, []byte{0xa5, 0x15}, 1), "object type 0xa5 is not AAC"},
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
