package mp4

import (
	"io"
	"testing"

	"nvrfs/media"
)

// hour is 60 recordings of a minute at 25 frames a second in GOPs of 2 s, with sound.
func hour(b *testing.B) (f *File, samples int) {
	c := newTestCamera(b, 1)
	c.bFrames, c.audio = true, testAAC(b, "1210")
	var ps []Part
	c.runs, c.startDTS = 1, 0
	for i := range 60 {
		c.recordings, c.sequence = int64(i), i
		r := &recorded{tracks: []recordedTrack{{entry: c.video}, {entry: *c.audio}}}
		for range 30 {
			c.fragment(r, c.gop(50), false)
		}
		c.write(r)
		all := indexOf(b, &r.part)
		r.part.Load = func(use func([]media.Samples) error) error { return use(all) }
		ps = append(ps, r.part)
		samples += len(r.tracks[0].samples) + len(r.tracks[1].samples)
	}
	f, err := NewFile(ps, nil)
	if err != nil {
		b.Fatal(err)
	}
	return f, samples
}

// BenchmarkMoov generates the moov of an hour, with its indexes decoded already.
func BenchmarkMoov(b *testing.B) {
	f, samples := hour(b)
	cached := *f
	b.ReportAllocs()
	for b.Loop() {
		cached.cache = &mapCache{got: map[string][]byte{}}
		if _, err := io.Copy(io.Discard, io.NewSectionReader(&cached, 0, f.mdatAt)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(samples), "ns/sample")
}

// BenchmarkNewFile lays out an hour.
func BenchmarkNewFile(b *testing.B) {
	f, _ := hour(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewFile(f.parts, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSize finds out how large an hour is.
func BenchmarkSize(b *testing.B) {
	f, _ := hour(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Size(f.parts); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScan reads back a sample file.
func BenchmarkScan(b *testing.B) {
	f, _ := hour(b)
	r := f.parts[0].Object
	size := f.parts[0].Offset + f.parts[0].Length
	b.SetBytes(size)
	for b.Loop() {
		if _, err := Scan(r, size, func(*SampleFile, *ScannedFragment) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
