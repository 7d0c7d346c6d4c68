package bench_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/schema"
)

// BenchmarkOpen opens the file of a day in a process that has just started, and reads its first bytes, a page from somewhere
// in the middle, and the tables.
func BenchmarkOpen(b *testing.B) {
	data := day25(b)
	file := filepath.Join(".nvrfs", "days", "yard", "2026-10-25.mp4")
	s := show(b, data)
	keepCached(b, filepath.Join(data, "nvrfs.db"))
	s.end()
	rnd := rand.New(rand.NewPCG(3, 4))
	page := make([]byte, 4096)
	var first, again, moov time.Duration
	var random []float64 // µs
	var t tables
	for b.Loop() {
		s := show(b, data)
		for _, took := range []*time.Duration{&first, &again} {
			start := time.Now()
			f := open(b, filepath.Join(s.mnt, file))
			readAt(b, f, page, 0)
			*took += time.Since(start)
			if took == &first {
				random = append(random, timeReads(b, f, size(b, f)/10, size(b, f), 50, rnd)...) // behind the tables
			}
			f.Close()
		}
		s.end()

		s = show(b, data)
		f := open(b, filepath.Join(s.mnt, file))
		start := time.Now()
		head := readMoov(b, f)
		moov += time.Since(start)
		t.count(head)
		f.Close()
		s.end()
	}
	n := float64(b.N)
	slices.Sort(random)
	b.ReportMetric(ms(first)/n, "ms/first-4KiB")
	b.ReportMetric(ms(again)/n, "ms/again-4KiB")
	b.ReportMetric(median(random)/1000, "ms/random-4KiB")
	b.ReportMetric(random[len(random)*99/100]/1000, "ms/random-4KiB-p99")
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

func size(b *testing.B, f *os.File) int64 {
	b.Helper()
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
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

// BenchmarkIndexSize packs the tracks of the hour by themselves, to see what a sample of each takes.
func BenchmarkIndexSize(b *testing.B) {
	data, _ := hour(b)
	db, err := schema.OpenReadOnly(b.Context(), data)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var bytes, samples [2]int
	for b.Loop() {
		recordings, err := db.StartingIn(b.Context(), 1, 0, math.MaxInt64)
		if err != nil {
			b.Fatal(err)
		}
		for i := range recordings {
			packed, err := db.PackedIndex(b.Context(), recordings[i].ID)
			if err != nil {
				b.Fatal(err)
			}
			tracks, err := schema.DecodeIndex(packed, recordings[i].Tracks)
			if err != nil {
				b.Fatal(err)
			}
			for k := range tracks {
				bytes[k] += packedAlone(&tracks[k])
				samples[k] += len(tracks[k].Sizes)
			}
		}
	}
	b.ReportMetric(float64(bytes[0])/float64(samples[0]), "bytes/video-frame")
	b.ReportMetric(float64(bytes[1])/float64(samples[1]), "bytes/audio-sample")
}

// packedAlone returns what the index of a track alone takes.
func packedAlone(t *media.Samples) (bytes int) {
	kind := media.Audio
	if t.Syncs != nil {
		kind = media.Video
	}
	x := schema.NewIndex([]media.SampleEntry{{Kind: kind}})
	first := 0
	for _, n := range t.ChunkCounts {
		f := schema.Fragment{HeaderLen: 700, Tracks: make([][]media.Sample, 1)}
		for i := first; i < first+int(n); i++ {
			_, sync := slices.BinarySearch(t.Syncs, uint32(i))
			s := media.Sample{Duration: t.Durations[i], Size: t.Sizes[i], Sync: sync || t.Syncs == nil}
			if t.CTS != nil {
				s.CTS = t.CTS[i]
			}
			f.Tracks[0] = append(f.Tracks[0], s)
		}
		x.Add(f)
		first += int(n)
	}
	return len(x.Bytes())
}
