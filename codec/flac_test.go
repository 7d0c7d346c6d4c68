package codec

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

	"nvrfs/media"
	"nvrfs/media/box"
)

// decodeFLAC decodes a frame, by RFC 9639 and not by what made it.
func decodeFLAC(t *testing.T, frame []byte, channels, depth int) (values []int32, at uint64) {
	t.Helper()
	pos := 0
	read := func(n int) (v uint64) {
		for range n {
			v = v<<1 | uint64(frame[pos/8]>>(7-pos%8)&1)
			pos++
		}
		return v
	}
	signed := func(n int) int32 { return int32(int64(read(n)<<(64-n)) >> (64 - n)) }
	unary := func() (n int) {
		for read(1) == 0 {
			n++
		}
		return n
	}
	if h := read(32); h != 0xfff97000|uint64(channels-1)<<4 {
		t.Fatalf("the header is %#x", h)
	}
	at = read(8)
	if at >= 0x80 {
		more := 0
		for ; at&(0x40>>more) != 0; more++ {
		}
		at &= 0x3f >> more
		for range more {
			b := read(8)
			if b>>6 != 2 {
				t.Fatalf("the position is not UTF-8: %x", frame[:16])
			}
			at = at<<6 | b&0x3f
		}
	}
	n := int(read(16)) + 1
	if head := frame[:pos/8]; byte(read(8)) != crc8(head) {
		t.Fatal("the header's CRC is wrong")
	}
	values = make([]int32, n*channels)
	for c := range channels {
		kind, wasted := read(7), 0
		if read(1) == 1 {
			wasted = unary() + 1
		}
		depth := depth - wasted
		ch := make([]int32, n)
		switch {
		case kind == 0:
			v := signed(depth)
			for i := range ch {
				ch[i] = v
			}
		case kind == 1:
			for i := range ch {
				ch[i] = signed(depth)
			}
		case kind >= 8 && kind <= 12:
			order := int(kind - 8)
			for i := range order {
				ch[i] = signed(depth)
			}
			wide, parts := int(read(2)), int(read(4))
			for i := order; i < n; {
				k := int(read(4 + wide))
				for end := (i/(n>>parts) + 1) * (n >> parts); i < end; i++ {
					z := uint32(unary()<<k) | uint32(read(k))
					ch[i] = int32(z>>1) ^ -int32(z&1)
					for j, factor := range [][]int32{{}, {1}, {2, -1}, {3, -3, 1}, {4, -6, 4, -1}}[order] {
						ch[i] += factor * ch[i-1-j]
					}
				}
			}
		default:
			t.Fatalf("a subframe of type %d", kind)
		}
		for i, v := range ch {
			values[i*channels+c] = v << wasted
		}
	}
	pos = (pos + 7) / 8 * 8
	if pos/8+2 != len(frame) || uint16(read(16)) != crc16(frame[:len(frame)-2]) {
		t.Fatalf("the frame ends at %d of %d bytes, or its CRC is wrong", pos/8, len(frame))
	}
	return values, at
}

// flacSounds are values of 24 bits.
func flacSounds(rnd *rand.Rand) map[string]func(i int) int32 {
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

func TestFLAC(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for name, sound := range flacSounds(rnd) {
		for _, depth := range []int{16, 24} {
			for _, channels := range []int{1, 2, 8} {
				f := newFLACEncoder(channels, depth, 48000)
				f.at = maxFLACPosition - 7000 // it begins anew behind the greatest
				for _, n := range []int{1, 2, 3, 5, 15, 160, 800, 1024, 4097, 1 + rnd.IntN(9000)} {
					values := make([]int32, n*channels)
					for i := range values {
						values[i] = sound(i) >> (24 - depth)
					}
					at := f.at
					frame := f.frame(slices.Clone(values))
					got, gotAt := decodeFLAC(t, frame, channels, depth)
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
	for _, at := range []uint64{0, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x1fffff, 0x200000, 0x3ffffff, 0x4000000, 0x7fffffff, 0x80000000, maxFLACPosition} {
		f := newFLACEncoder(1, 16, 8000)
		f.at = at
		if _, got := decodeFLAC(t, f.frame([]int32{1, 2}), 1, 16); got != at {
			t.Errorf("the position %#x came back as %#x", at, got)
		}
	}
}

// TestFLACByFFmpeg has another program decode what we encode.
func TestFLACByFFmpeg(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg")
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for name, sound := range flacSounds(rnd) {
		for _, depth := range []int{16, 24} {
			f := newFLACEncoder(2, depth, 44100)
			e, err := f.entry()
			if err != nil {
				t.Fatal(err)
			}
			boxes, _ := box.Children(e.Box[audioBoxes:])
			stream := append([]byte("fLaC"), box.Find(boxes, "dfLa")[4:]...)
			var want []byte
			for _, n := range []int{4410, 4410, 333, 4410} {
				values := make([]int32, n*2)
				for i := range values {
					values[i] = sound(i) >> (24 - depth)
					want = binary.LittleEndian.AppendUint32(want, uint32(values[i])<<(32-depth))
				}
				stream = append(stream, f.frame(values)...)
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

func TestImportFLAC(t *testing.T) {
	ours, err := newFLACEncoder(2, 24, 96000).entry()
	if err != nil || ours.Timescale != 96000 || ours.Codec != "flac" || ours.Kind != media.Audio {
		t.Fatalf("the entry is %+v, %v", ours, err)
	}
	if rate := binary.BigEndian.Uint32(ours.Box[audioVersion+16:]); rate != 48000<<16 {
		t.Errorf("its rate is %#x", rate)
	}
	again, err := Import(ours.Box)
	if err != nil || !bytes.Equal(again.Box, ours.Box) {
		t.Errorf("its import is %+v, %v", again, err)
	}
	config := ours.Box[audioBoxes+8+4:]
	for name, c := range map[string][]byte{
		"none":          nil,
		"cut short":     config[:len(config)-1],
		"another block": append([]byte{0x84}, config[1:]...),
		"no rate":       append(bytes.Clone(config[:14]), make([]byte, 24)...),
	} {
		var w writer
		w.Box("fLaC", func() {
			w.audioFields(2, 48000)
			w.FullBox("dfLa", 0, 0, func() { w.Bytes(c) })
		})
		if _, err := Import(w.B); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzFLAC(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04\x00\x10\x00\x20"), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		p := pcm{channels: int(kind&7) + 1, bytes: int(kind>>3&1) + 2}
		n := min(len(data)/p.frame(), maxFLACBlock)
		if n == 0 {
			return
		}
		values := p.values(data[:n*p.frame()], nil)
		e := newFLACEncoder(p.channels, p.depth(), 8000)
		if got, _ := decodeFLAC(t, e.frame(slices.Clone(values)), p.channels, p.depth()); !slices.Equal(got, values) {
			t.Error("it came back changed")
		}
	})
}

func BenchmarkFLAC(b *testing.B) {
	for _, rate := range []uint32{8000, 48000} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			f := newFLACEncoder(1, 16, rate)
			rnd := rand.New(rand.NewPCG(1, 1))
			values := make([]int32, rate/10)
			level := 0.0
			for i := range values {
				level = 0.97*level + 300*rnd.NormFloat64()
				values[i] = int32(level)
			}
			frame := 0
			for b.Loop() {
				frame = len(f.frame(values))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(values)), "ns/value")
			b.ReportMetric(float64(frame)/float64(2*len(values)), "of-verbatim")
		})
	}
}
