package codec

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/codec/g711"
	"nvrfs/media"
)

// TestG711Values checks the corners of ITU-T G.711 tables 1a to 2b.
func TestG711Values(t *testing.T) {
	for b, want := range map[byte][2]int16{
		0xd5: {8, 716}, 0x55: {-8, -716}, 0xaa: {32256, 5372}, 0x2a: {-32256, -5372},
		0xff: {848, 0}, 0x7f: {-848, 0}, 0x80: {5504, 32124}, 0x00: {-5504, -32124}, 0xfe: {880, 8},
	} {
		if got := g711.ALawValues[b]; got != want[0] {
			t.Errorf("A-law %#x is %d, want %d", b, got, want[0])
		}
		if got := g711.MuLawValues[b]; got != want[1] {
			t.Errorf("mu-law %#x is %d, want %d", b, got, want[1])
		}
	}
}

// compress makes G.711 of values from -1 to 1.
func compress(law string, values func(i int) float64, n int) []byte {
	table := &g711.ALawValues
	if law == g711.MuLaw {
		table = &g711.MuLawValues
	}
	out := make([]byte, n)
	for i := range out {
		want, best := values(i)*32000, math.Inf(1)
		for b, v := range table {
			if off := math.Abs(float64(v) - want); off < best {
				best, out[i] = off, byte(b)
			}
		}
	}
	return out
}

// TestG711LabelLies receives sound of both laws, described rightly and wrongly.
func TestG711LabelLies(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	brown := 0.0
	sounds := map[string]func(i int) float64{
		"silence":      func(int) float64 { return 0 },
		"a tone":       func(i int) float64 { return 0.4 * math.Sin(float64(i)*2*math.Pi*440/8000) },
		"a quiet tone": func(i int) float64 { return 0.005 * math.Sin(float64(i)*2*math.Pi*1000/8000) },
		"quiet noise":  func(int) float64 { return 0.005 * rnd.NormFloat64() },
		"rumble":       func(int) float64 { brown = 0.95*brown + 0.03*rnd.NormFloat64(); return brown },
	}
	for name, sound := range sounds {
		for _, law := range []string{g711.ALaw, g711.MuLaw} {
			data := compress(law, sound, 4000)
			for _, label := range []string{g711.ALaw, g711.MuLaw} {
				_, r, err := Receive(&format.G711{PayloadTyp: 8, MULaw: label == g711.MuLaw, SampleRate: 8000, ChannelCount: 1})
				if err != nil || r.Entry().Codec != label {
					t.Fatalf("received as %+v, %v", r, err)
				}
				var got []byte
				changes := 0
				for i, p := range slices.Collect(slices.Chunk(data, 160)) {
					units, err := r.Packet(&rtp.Packet{Header: rtp.Header{Timestamp: uint32(160 * i)}, Payload: p}, time.Time{})
					if err != nil {
						t.Fatal(err)
					}
					for _, u := range units {
						samples, newEntry, err := r.Samples(u, int64(u.Timestamp))
						if err != nil || len(samples) != 1 || samples[0].Duration != 160 || samples[0].DTS != int64(u.Timestamp) || !samples[0].Sync {
							t.Fatalf("samples are %+v, %v", samples, err)
						}
						if newEntry {
							changes++
						}
						if got == nil && newEntry != (label != law) || r.Entry().Codec != law {
							t.Errorf("%s: %s called %s is stored as %s, new %v", name, law, label, r.Entry().Codec, newEntry)
						}
						got = append(got, samples[0].Data...)
					}
				}
				if !bytes.Equal(got, data) || changes > 1 {
					t.Errorf("%s: %d of %d bytes came, and %d new entries", name, len(got), len(data), changes)
				}
			}
		}
	}
}

// TestG711UnknownLaw has the label hold where the bytes do not tell, and nothing be kept for longer than half a second.
func TestG711UnknownLaw(t *testing.T) {
	_, r, err := Receive(&format.G711{PayloadTyp: 97, SampleRate: 16000, ChannelCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	if units, err := r.Packet(&rtp.Packet{}, time.Time{}); err != nil || len(units) > 0 || len(r.Flush()) > 0 {
		t.Errorf("an empty packet: %v, %v", units, err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 8 {
		p := make([]byte, 1000)
		for i := range p {
			p[i] = byte(rnd.Uint32())
		}
		units, err := r.Packet(&rtp.Packet{Payload: p}, time.Unix(int64(i), 0))
		if want := (i + 1) / 8 * 8; err != nil || len(units) != want {
			t.Fatalf("packet %d: %d units, want %d, %v", i, len(units), want, err)
		}
		if len(units) > 0 && !units[7].Received.Equal(time.Unix(7, 0)) {
			t.Errorf("the last unit came at %v", units[7].Received)
		}
	}
	if r.Entry().Codec != g711.ALaw || r.Entry().Timescale != 16000 || r.Entry().Kind != media.RawAudio {
		t.Errorf("the entry is %+v", r.Entry())
	}
}

func TestG711Times(t *testing.T) {
	_, r, err := Receive(&format.G711{PayloadTyp: 0, MULaw: true, SampleRate: 8000, ChannelCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.(*g711Receiver).begun = true
	for i, c := range []struct {
		pts, want int64
		lost      bool
	}{
		{1000, 1000, false},
		{1170, 1160, false},    // late by less than a tenth of a second
		{2100, 1320, false},    // and by a little less
		{1300, 1480, false},    // early
		{1800, 1800, true},     // what came before it was lost
		{1900, 1960, true},     // lost, but its clock is behind its bytes
		{3000, 3000, false},    // a pause
		{-90000, 3160, false},  // a clock that began anew
		{900000, 900000, true}, // and leaps
	} {
		if c.lost {
			r.Lost()
		}
		units, err := r.Packet(&rtp.Packet{Header: rtp.Header{Timestamp: uint32(c.pts)}, Payload: make([]byte, 160)}, time.Time{})
		if err != nil || len(units) != 1 {
			t.Fatal(units, err)
		}
		samples, _, err := r.Samples(units[0], c.pts)
		if err != nil || len(samples) != 1 || samples[0].DTS != c.want || samples[0].Duration != 160 {
			t.Errorf("packet %d at %d: %+v, %v, want a DTS of %d", i, c.pts, samples, err, c.want)
		}
	}
}

func TestG711Refuses(t *testing.T) {
	for _, rate := range []int{1, 999, 65536, math.MaxInt32} {
		c, r, err := Receive(&format.G711{SampleRate: rate, ChannelCount: 1})
		if c != g711Codec || r != nil || err == nil || !strings.Contains(err.Error(), fmt.Sprint(rate)+" samples a second") {
			t.Errorf("got %v, %v, %v", c, r, err)
		}
	}
}

// TestG711OfFiles imports the sound descriptions of QuickTime, and sends what was imported.
func TestG711OfFiles(t *testing.T) {
	want := g711Entry(g711.MuLaw, 16000)
	entry := func(version uint16, channels uint16, rate uint32, more ...byte) []byte {
		var w writer
		w.Box(g711.MuLaw, func() {
			w.audioFields(channels, rate)
			w.Bytes(more)
		})
		w.B[audioVersion+1] = byte(version)
		return w.B
	}
	version2 := func(rate float64, channels uint32) []byte {
		var w writer
		w.U32(72)
		w.U64(math.Float64bits(rate))
		w.U32s(channels, 0x7f000000, 8, 0, 1, 1)
		return w.B
	}
	for name, c := range map[string]struct {
		box  []byte
		want string // in the error
	}{
		"ours":             {want.Box, ""},
		"with a layout":    {entry(0, 1, 16000, boxed("chan", make([]byte, 12))...), ""},
		"QuickTime 1":      {entry(1, 1, 16000, append(make([]byte, 16), boxed("wave", nil)...)...), ""},
		"QuickTime 2":      {entry(2, 3, 1, version2(16000, 1)...), ""},
		"two channels":     {entry(0, 2, 16000), "2 channels"},
		"no rate":          {entry(0, 1, 0), "0 samples a second"},
		"no number at all": {entry(2, 3, 1, version2(math.NaN(), 1)...), "NaN samples a second"},
		"half a sample":    {entry(2, 3, 1, version2(8000.5, 1)...), "8000.5 samples a second"},
	} {
		e, err := Import(c.box)
		switch {
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error is %v, want %q in it", name, err, c.want)
		case c.want == "" && (err != nil || !bytes.Equal(e.Box, want.Box) || e.Kind != media.RawAudio || e.Timescale != 16000):
			t.Errorf("%s: got %+v, %v", name, e, err)
		}
	}
	s, err := Send(want, 98)
	if err != nil {
		t.Fatal(err)
	}
	packets, err := s.Packets([]byte("sound"))
	if g := s.Format.(*format.G711); err != nil || len(packets) != 1 || string(packets[0].Payload) != "sound" || !g.MULaw || g.SampleRate != 16000 {
		t.Errorf("packets %v of %+v, %v", packets, g, err)
	}
}
