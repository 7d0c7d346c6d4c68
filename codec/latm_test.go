package codec

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"nvrfs/codec/bits"
)

// A latmWriter writes LATM as ISO/IEC 14496-3 1.7.3 has it.
type latmWriter struct {
	version   uint64
	apart     bool // each stream has a framing of its own
	subframes int
	programs  []int  // layers in each
	same      bool   // the layers behind the first have its configuration
	fixed     int    // the bytes of a frame, less 20; 0 where they tell their size
	asc       string // in hexadecimal, and how many bits of it
	ascBits   int
	other     int // bits of other data
	crc       bool
}

func (l latmWriter) value(w *bits.Writer, v uint64) { w.Put(1, 2); w.Put(v, 16) }

func (l latmWriter) writeASC(w *bits.Writer) {
	asc, _ := hex.DecodeString(l.asc)
	if l.version == 1 {
		l.value(w, uint64(l.ascBits))
	}
	r := bits.NewReader(asc)
	for range l.ascBits {
		w.Put(r.U(1), 1)
	}
}

func (l latmWriter) config(w *bits.Writer) {
	if w.Put(l.version, 1); l.version == 1 {
		w.Put(0, 1)
		l.value(w, 0xff)
	}
	w.Put(map[bool]uint64{false: 1, true: 0}[l.apart], 1)
	w.Put(uint64(l.subframes-1), 6)
	w.Put(uint64(len(l.programs)-1), 4)
	for p, layers := range l.programs {
		w.Put(uint64(layers-1), 3)
		for layer := range layers {
			if p+layer > 0 {
				w.Put(map[bool]uint64{true: 1}[l.same], 1)
			}
			if p+layer == 0 || !l.same {
				l.writeASC(w)
			}
			if l.fixed > 0 {
				w.Put(1, 3)
				w.Put(uint64(l.fixed), 9)
			} else {
				w.Put(0, 3)
				w.Put(0xff, 8)
			}
		}
	}
	switch {
	case l.other == 0:
		w.Put(0, 1)
	case l.version == 1:
		w.Put(1, 1)
		l.value(w, uint64(l.other))
	default:
		w.Put(1, 1)
		w.Put(1<<8|uint64(l.other>>8), 9)
		w.Put(uint64(l.other&0xff), 9)
	}
	if w.Put(map[bool]uint64{true: 1}[l.crc], 1); l.crc {
		w.Put(0xaa, 8)
	}
}

func (l latmWriter) size(w *bits.Writer, n int) {
	if l.fixed > 0 {
		return
	}
	for ; n >= 255; n -= 255 {
		w.Put(255, 8)
	}
	w.Put(uint64(n), 8)
}

// element writes frames of the first layer; those of others have five bytes of no meaning.
func (l latmWriter) element(w *bits.Writer, frames ...[]byte) {
	streams := 0
	for _, layers := range l.programs {
		streams += layers
	}
	other := bytes.Repeat([]byte{0xee}, 5)
	if l.fixed > 0 {
		other = bytes.Repeat([]byte{0xee}, l.fixed+20)
	}
	for _, f := range frames {
		parts := [][]byte{f}
		for range streams - 1 {
			parts = append(parts, other)
		}
		if l.apart {
			parts = append(parts, f[len(f)/2:]) // the frame in two chunks, the second behind those of others
			parts[0] = f[:len(f)/2]
			w.Put(uint64(len(parts)-1), 4)
		}
		for i, p := range parts {
			if l.apart {
				w.Put(uint64(i%streams), 4)
			}
			if l.size(w, len(p)); l.apart {
				w.Put(1, 1)
			}
		}
		for _, p := range parts {
			for _, b := range p {
				w.Put(uint64(b), 8)
			}
		}
	}
	for range l.other {
		w.Put(1, 1)
	}
	w.Align()
}

// TestLATM receives every form of LATM, with its configuration in the description and in the stream, and with each said to be the
// other.
func TestLATM(t *testing.T) {
	frames := [][]byte{bytes.Repeat([]byte{0xab}, 300), bytes.Repeat([]byte{0x17}, 254), bytes.Repeat([]byte{1}, 255), {5, 6}}
	plain := latmWriter{subframes: 1, programs: []int{1}, asc: "1408", ascBits: 16}
	with := func(change func(*latmWriter)) latmWriter { l := plain; change(&l); return l }
	for name, l := range map[string]latmWriter{
		"plain":                    plain,
		"several subframes":        with(func(l *latmWriter) { l.subframes = 2 }),
		"layers and programs":      with(func(l *latmWriter) { l.programs = []int{2, 1, 3} }),
		"the same configuration":   with(func(l *latmWriter) { l.programs = []int{2, 2}; l.same = true }),
		"version 1":                with(func(l *latmWriter) { l.version = 1 }),
		"version 1 with all":       with(func(l *latmWriter) { l.version, l.other, l.crc, l.subframes, l.programs = 1, 300, true, 4, []int{2} }),
		"other data":               with(func(l *latmWriter) { l.other = 523 }),
		"a CRC":                    with(func(l *latmWriter) { l.crc = true }),
		"framing of its own":       with(func(l *latmWriter) { l.apart = true }),
		"framing of two their own": with(func(l *latmWriter) { l.apart, l.programs = true, []int{1, 1} }),
		"HE-AAC":                   with(func(l *latmWriter) { l.asc, l.ascBits = "2b118800", 25 }),
		"HE-AAC, overlooked":       with(func(l *latmWriter) { l.version, l.asc, l.ascBits = 1, "131056e598", 40 }),
		"of GStreamer":             with(func(l *latmWriter) { l.asc, l.ascBits = "140856e500", 33 }),
		"a rate spelled out":       with(func(l *latmWriter) { l.asc, l.ascBits = "17801f4008", 40 }),
		"a list of channels":       with(func(l *latmWriter) { l.asc, l.ascBits = listedChannels() }),
	} {
		for _, inBand := range []bool{false, true} {
			for _, lies := range []bool{false, true} {
				var config bits.Writer
				l.config(&config)
				config.Align()
				parameters := []string{"cpresent", map[bool]string{false: "0", true: "1"}[inBand != lies]}
				if !inBand {
					parameters = append(parameters, "config", hex.EncodeToString(config.B))
				} else if lies {
					parameters = append(parameters, "config", "400024203fc0") // of other sound
				}
				_, r, err := Receive(describeAAC("mp4a-latm", "90000", parameters...))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				var got [][]byte
				for i := range 6 { // of which four have the frames
					var w bits.Writer
					if inBand {
						w.Put(map[bool]uint64{true: 1}[i%3 > 0], 1)
						if i%3 == 0 {
							l.config(&w)
						}
					}
					var some [][]byte
					for j := range l.subframes {
						some = append(some, frames[(i*l.subframes+j)%4])
					}
					l.element(&w, some...)
					for at, end := 0, 0; at < len(w.B); at = end {
						end = min(at+700, len(w.B))
						units, err := r.Packet(&rtp.Packet{
							Header:  rtp.Header{Timestamp: uint32(i * 5760 * l.subframes), Marker: end == len(w.B)},
							Payload: w.B[at:end],
						}, time.Time{})
						if err != nil {
							t.Fatalf("%s, in band %v, lies %v: %v", name, inBand, lies, err)
						}
						for _, u := range units {
							got = append(got, u.Parts...)
							if _, newEntry, err := r.Samples(u, int64(u.Timestamp)); err != nil || newEntry != (inBand && lies && len(got) == len(u.Parts)) {
								t.Errorf("%s: new entry %v, %v", name, newEntry, err)
							}
						}
					}
				}
				var want [][]byte
				for i := range 6 * l.subframes {
					want = append(want, frames[i%4])
				}
				asc, _ := hex.DecodeString(l.asc)
				e, err := AACEntry(asc)
				if err != nil || !slices.EqualFunc(got, want, bytes.Equal) || !bytes.Equal(r.Entry().Box, e.Box) {
					t.Errorf("%s, in band %v, lies %v: %d frames of %d, entry %x, want %x, %v", name, inBand, lies, len(got), len(want), r.Entry().Box, e.Box, err)
				}
			}
		}
	}
}

// listedChannels is the configuration of AAC-LC of 16 kHz whose three channels are listed (program_config_element).
func listedChannels() (asc string, n int) {
	var w bits.Writer
	w.Put(2<<11|8<<7, 16) // no layout, no flags of GASpecificConfig
	w.Put(1<<4|8, 10)     // AAC-LC of 16 kHz
	w.Put(1<<8, 12)       // one element in front
	w.Put(1<<7, 9)        // a channel of low frequencies
	w.Put(0, 3)           // no mixdowns
	w.Put(1<<4, 5)        // a pair
	w.Put(0, 4)
	w.Align()
	w.Put(0, 8) // no comment
	return hex.EncodeToString(w.B), 8 * len(w.B)
}

// TestLATMChanges has the camera say another configuration in the stream.
func TestLATMChanges(t *testing.T) {
	_, r, err := Receive(describeAAC("MP4A-LATM", "90000"))
	if err != nil || r.Entry().Box != nil || r.Entry().Timescale == 0 {
		t.Fatal(r, err)
	}
	first := latmWriter{subframes: 1, programs: []int{1}, asc: "1408", ascBits: 16}
	second := first
	second.asc = "1190"
	send := func(timestamp uint32, l latmWriter, says bool) []Unit {
		var w bits.Writer
		if says {
			w.Put(0, 1)
			l.config(&w)
		} else {
			w.Put(1, 1)
		}
		l.element(&w, []byte("a frame of sound"))
		units, err := r.Packet(&rtp.Packet{Header: rtp.Header{Timestamp: timestamp, Marker: true}, Payload: w.B}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return units
	}
	if units := send(0, first, false); len(units) > 0 || r.Entry().Box != nil {
		t.Errorf("%d units before the configuration", len(units))
	}
	var units []Unit
	for i := range 4 {
		units = append(units, send(uint32(5760*i), first, i == 0)...)
	}
	if len(units) != 4 || ClockRate(r) != 90000 || r.Entry().Timescale != 16000 {
		t.Errorf("%d units, a clock of %d, %+v", len(units), ClockRate(r), r.Entry())
	}
	units = append(units, send(4*5760, second, true)...)
	units = append(units, send(4*5760+1920, second, true)...)
	for i, u := range units {
		samples, newEntry, err := r.Samples(u, int64(i*1024))
		if err != nil || len(samples) != 1 || newEntry != (i == 4) || r.Entry().Timescale != map[bool]uint32{false: 16000, true: 48000}[i >= 4] {
			t.Errorf("unit %d: %+v, %v, %v, %+v", i, samples, newEntry, err, r.Entry())
		}
	}
}

func TestLATMRefuses(t *testing.T) {
	written := func(asc string) string {
		var w bits.Writer
		latmWriter{subframes: 1, programs: []int{1}, asc: asc, ascBits: 4 * len(asc)}.config(&w)
		w.Align()
		return hex.EncodeToString(w.B)
	}
	for want, config := range map[string]string{
		"CELP is not supported; set": written("4408"),
		"AAC-ELD in LATM":            written("f8f02000"),
		"cut short":                  "4000",
		"not hexadecimal":            "zz",
		"audioMuxVersionA":           "c00000",
		"frames of type 3":           "40002810c000",
	} {
		_, _, err := Receive(describeAAC("MP4A-LATM", "16000", "cpresent", "0", "config", config))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
}

// FuzzLATM sends anything. What comes of it is no more than was sent.
func FuzzLATM(f *testing.F) {
	plain := latmWriter{subframes: 1, programs: []int{1}, asc: "1408", ascBits: 16}
	for _, l := range []latmWriter{plain, {version: 1, apart: true, subframes: 3, programs: []int{2, 1}, other: 20, asc: "1408", ascBits: 16}} {
		var w bits.Writer
		w.Put(0, 1)
		l.config(&w)
		for range l.subframes {
			l.element(&w, []byte("sound"))
		}
		f.Add("40002420", w.B, true)
		f.Add("", w.B, false)
	}
	f.Fuzz(func(t *testing.T, config string, data []byte, marker bool) {
		_, r, err := Receive(describeAAC("MP4A-LATM", "90000", "config", config))
		if err != nil {
			return
		}
		for i, p := range slices.Collect(slices.Chunk(data, max(1, len(data)/3))) {
			units, _ := r.Packet(&rtp.Packet{Header: rtp.Header{Marker: marker || i%2 == 1}, Payload: p}, time.Time{})
			bytes := 0
			for _, u := range append(units, r.Flush()...) {
				for _, f := range u.Parts {
					bytes += len(f)
				}
				if samples, _, err := r.Samples(u, 0); err == nil && len(samples) > 0 && r.Entry().Box == nil {
					t.Error("samples without a sample entry")
				}
			}
			if bytes > len(data) {
				t.Errorf("%d bytes came of %d", bytes, len(data))
			}
		}
	})
}

func FuzzAAC(f *testing.F) {
	f.Add("1408", "13", "3", au(13, 3, []byte("sound")), true)
	f.Add("2b118800", "6", "2", au(6, 2, []byte("so"), []byte("und")), false)
	f.Add("1408", "13", "3", adts([]byte("sound")), true)
	f.Fuzz(func(t *testing.T, config, size, index string, data []byte, marker bool) {
		_, r, err := Receive(describeAAC("mpeg4-generic", "48000", "config", config, "sizelength", size, "indexlength", index, "indexdeltalength", index))
		if err != nil {
			return
		}
		for i, p := range slices.Collect(slices.Chunk(data, max(1, len(data)/2))) {
			if i == 5 {
				r.Lost()
			}
			units, _ := r.Packet(&rtp.Packet{Header: rtp.Header{Marker: marker, Timestamp: uint32(i)}, Payload: p}, time.Time{})
			for _, u := range append(units, r.Flush()...) {
				last := int64(-1)
				samples, _, err := r.Samples(u, int64(i))
				for _, s := range samples {
					if s.DTS <= last || len(s.Data) == 0 || len(s.Data) > len(data) {
						t.Fatalf("a sample at %d behind one at %d, of %d bytes", s.DTS, last, len(s.Data))
					}
					last = s.DTS
				}
				if err != nil {
					t.Error(err)
				}
			}
		}
	})
}
