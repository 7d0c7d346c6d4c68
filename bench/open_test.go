package bench_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// day25 is the file of a day of 25 hours in 1500 recordings of 1080p30 with sound; small, of ten.
func day25(b *testing.B) (data, file string) {
	a := archive{camera: "yard", start: time.Date(2026, 10, 25, 0, 0, 0, 0, in(b)), recordings: 1500, length: time.Minute, fps: 30, files: true}
	small := a
	small.recordings = 10
	return archives(b, "day25", []archive{a}, []archive{small}), filepath.Join(".nvrfs", "days", "yard", "2026-10-25.mp4")
}

// BenchmarkOpen opens the file of a day in a process that has just started, and reads its first bytes, a page from somewhere
// in the middle, and the tables.
func BenchmarkOpen(b *testing.B) {
	data, file := day25(b)
	s := show(b, data)
	keepCached(b, filepath.Join(data, "nvrfs.db"))
	s.close(b)
	rnd := rand.New(rand.NewPCG(3, 4))
	page := make([]byte, 4096)
	var first, again, moov time.Duration
	var random []time.Duration
	var t tables
	for b.Loop() {
		s := show(b, data)
		for _, took := range []*time.Duration{&first, &again} {
			start := time.Now()
			f := open(b, filepath.Join(s.mnt, file))
			readAt(b, f, page, 0)
			*took += time.Since(start)
			if took == &first {
				random = append(random, randomReads(b, f, rnd)...)
			}
			f.Close()
		}
		s.close(b)

		s = show(b, data)
		f := open(b, filepath.Join(s.mnt, file))
		start := time.Now()
		head := readMoov(b, f)
		moov += time.Since(start)
		t.count(head)
		f.Close()
		s.close(b)
	}
	n := float64(b.N)
	slices.Sort(random)
	b.ReportMetric(ms(first)/n, "ms/first-4KiB")
	b.ReportMetric(ms(again)/n, "ms/again-4KiB")
	b.ReportMetric(ms(random[len(random)/2]), "ms/random-4KiB")
	b.ReportMetric(ms(random[len(random)*99/100]), "ms/random-4KiB-p99")
	b.ReportMetric(ms(moov)/n, "ms/moov")
	b.ReportMetric(float64(moov.Nanoseconds())/n/float64(t.samples), "ns/sample")
	b.ReportMetric(float64(t.samples), "samples")
	b.ReportMetric(float64(t.videoBytes)/float64(t.videoSamples), "bytes/video-sample")
}

// keepCached has the disk's cache hold a file.
func keepCached(b *testing.B, path string) {
	f := open(b, path)
	defer f.Close()
	if _, err := io.Copy(io.Discard, f); err != nil {
		b.Fatal(err)
	}
}

func open(b *testing.B, path string) *os.File {
	b.Helper()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

func readAt(b *testing.B, f *os.File, p []byte, off int64) {
	b.Helper()
	if _, err := f.ReadAt(p, off); err != nil {
		b.Fatal(err)
	}
}

// randomReads reads pages of the samples, each of which nobody has read yet.
func randomReads(b *testing.B, f *os.File, rnd *rand.Rand) (took []time.Duration) {
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	page := make([]byte, 4096)
	for range 50 {
		off := info.Size()/10 + rnd.Int64N(info.Size()*9/10-4096)
		start := time.Now()
		readAt(b, f, page, off)
		took = append(took, time.Since(start))
	}
	return took
}

// readMoov reads a file up to its samples, a megabyte at a time.
func readMoov(b *testing.B, f *os.File) []byte {
	b.Helper()
	head := make([]byte, 64)
	readAt(b, f, head, 0)
	ftyp := binary.BigEndian.Uint32(head)
	all := make([]byte, int64(ftyp)+int64(binary.BigEndian.Uint32(head[ftyp:])))
	for at := 0; at < len(all); at += 1 << 20 {
		readAt(b, f, all[at:min(len(all), at+1<<20)], int64(at))
	}
	return all
}

// tables says what the tables of a file take.
type tables struct{ samples, videoSamples, videoBytes int }

// count looks at the boxes of each trak.
func (t *tables) count(head []byte) {
	*t = tables{}
	for rest := head; ; {
		i := bytes.Index(rest, []byte("trak"))
		if i < 0 {
			return
		}
		size := int(binary.BigEndian.Uint32(rest[i-4:]))
		trak := rest[i-4:][:size]
		stsz := bytes.Index(trak, []byte("stsz"))
		n := int(binary.BigEndian.Uint32(trak[stsz+12:]))
		if t.samples += n; bytes.Contains(trak[:1000], []byte("vide")) {
			t.videoSamples, t.videoBytes = n, size
		}
		rest = rest[i-4+size:]
	}
}
