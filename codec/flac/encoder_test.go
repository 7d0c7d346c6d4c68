package flac

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"nvrfs/codec/flac/flactest"
)

// sounds are values of 24 bits.
func sounds(rnd *rand.Rand) map[string]func(i int) int32 {
	level := 0.0
	return map[string]func(i int) int32{
		"silence":     func(int) int32 { return 0 },
		"constant":    func(int) int32 { return -12345 },
		"noise":       func(int) int32 { return int32(rnd.Uint32()) >> 8 },
		"extremes":    func(i int) int32 { return []int32{1<<23 - 1, -1 << 23}[i%2] },
		"one spike":   func(i int) int32 { return []int32{0, -1 << 23}[min(1, i%997/996)] },
		"a tone":      func(i int) int32 { return int32(1e6 * math.Sin(float64(i)/20)) },
		"wasted bits": func(int) int32 { return int32(rnd.IntN(512)-256) << 12 },
		"rumble":      func(int) int32 { level = 0.99*level + 9e4*rnd.NormFloat64(); return int32(level) },
	}
}

func TestEncoder(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for name, sound := range sounds(rnd) {
		for _, depth := range []int{16, 24} {
			for _, channels := range []int{1, 2, 8} {
				f := NewEncoder(channels, depth, 48000)
				f.at = maxPosition - 7000 // it begins anew behind the greatest
				for _, n := range []int{1, 2, 3, 5, 15, 160, 800, 1024, 4097, 1 + rnd.IntN(9000)} {
					values := make([]int32, n*channels)
					for i := range values {
						values[i] = sound(i) >> (24 - depth)
					}
					at := f.at
					frame := f.Frame(slices.Clone(values))
					got, gotAt := flactest.Decode(t, frame, 48000, channels, depth)
					if !slices.Equal(got, values) || gotAt != at {
						t.Fatalf("%s of %d bits, %d channels, %d values came back changed, at %d, want %d", name, depth, channels, n, gotAt, at)
					}
					if most := (n*depth/8+2)*channels + 20; len(frame) > most {
						t.Errorf("%s: a frame takes %d bytes, verbatim it took %d", name, len(frame), most)
					}
				}
			}
		}
	}
	for _, at := range []uint64{0, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x1fffff, 0x200000, 0x3ffffff, 0x4000000, 0x7fffffff, 0x80000000, maxPosition} {
		f := NewEncoder(1, 16, 8000)
		f.at = at
		if _, got := flactest.Decode(t, f.Frame([]int32{1, 2}), 8000, 1, 16); got != at {
			t.Errorf("the position %#x came back as %#x", at, got)
		}
	}
	for _, rate := range []uint32{1000, 8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000, 200010} {
		flactest.Decode(t, NewEncoder(1, 16, rate).Frame([]int32{1, 2}), rate, 1, 16)
	}
}

// TestByFFmpeg has another program decode what we encode.
func TestByFFmpeg(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg")
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for name, sound := range sounds(rnd) {
		for _, depth := range []int{16, 24} {
			f := NewEncoder(2, depth, 44100)
			stream := append([]byte("fLaC"), f.StreamInfo()...)
			var want []byte
			for _, n := range []int{4410, 4410, 333, 4410} {
				values := make([]int32, n*2)
				for i := range values {
					values[i] = sound(i) >> (24 - depth)
					want = binary.LittleEndian.AppendUint32(want, uint32(values[i])<<(32-depth))
				}
				stream = append(stream, f.Frame(values)...)
			}
			c := exec.Command("ffmpeg", "-v", "warning", "-f", "flac", "-i", "-", "-f", "s32le", "-")
			c.Stdin = bytes.NewReader(stream)
			var said strings.Builder
			c.Stderr = &said
			got, err := c.Output()
			if err != nil || said.Len() > 0 || !bytes.Equal(got, want) {
				t.Errorf("%s of %d bits: %d bytes came back of %d, %v: %s", name, depth, len(got), len(want), err, said.String())
			}
		}
	}
}

func FuzzEncoder(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04\x00\x10\x00\x20"), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		channels, wide := int(kind&7)+1, int(kind>>3&1)+2 // bytes of a value
		n := min(len(data)/(channels*wide), MaxBlock)
		if n == 0 {
			return
		}
		values := make([]int32, n*channels)
		for i := range values {
			for _, b := range data[i*wide : (i+1)*wide] {
				values[i] = values[i]<<8 | int32(b)
			}
			values[i] = values[i] << (32 - 8*wide) >> (32 - 8*wide)
		}
		e := NewEncoder(channels, 8*wide, 8000)
		if got, _ := flactest.Decode(t, e.Frame(slices.Clone(values)), 8000, channels, 8*wide); !slices.Equal(got, values) {
			t.Error("it came back changed")
		}
	})
}

func BenchmarkEncoder(b *testing.B) {
	for _, rate := range []uint32{8000, 48000} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			f := NewEncoder(1, 16, rate)
			rnd := rand.New(rand.NewPCG(1, 1))
			values := make([]int32, rate/10)
			level := 0.0
			for i := range values {
				level = 0.97*level + 300*rnd.NormFloat64()
				values[i] = int32(level)
			}
			frame := 0
			for b.Loop() {
				frame = len(f.Frame(values))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(values)), "ns/value")
			b.ReportMetric(float64(frame)/float64(2*len(values)), "of-verbatim")
		})
	}
}
