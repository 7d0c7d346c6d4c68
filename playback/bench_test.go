package playback_test

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/media"
	"nvrfs/playback"
)

// benchData is a day of one camera, which is made once for all benchmarks.
func benchData(b *testing.B) (dir string, start time.Time) {
	b.Helper()
	start = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	if dir = os.Getenv("NVRFS_BENCH_DAY"); dir == "" {
		dir = b.TempDir()
	}
	if _, err := os.Stat(filepath.Join(dir, "samples")); err != nil {
		if err := footage.Make(b.Context(), dir, footage.Camera{Name: "cam", Tiny: true, Start: start, Duration: 23 * time.Hour}); err != nil {
			b.Fatal(err)
		}
	}
	return dir, start
}

func benchLibrary(b *testing.B, dir string) (*playback.Library, playback.Stream) {
	b.Helper()
	l, err := playback.Open(b.Context(), playback.Options{Data: dir, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	s, err := l.Stream(b.Context(), "cam")
	if err != nil {
		b.Fatal(err)
	}
	return l, s
}

// BenchmarkListDay lists the hours of a day, and the entries in them, of which nothing is known before.
func BenchmarkListDay(b *testing.B) {
	dir, start := benchData(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		l, s := benchLibrary(b, dir)
		b.StartTimer()
		for h := range 23 {
			if entries, err := l.Entries(b.Context(), s, l.HourAt(media.FromTime(start.Add(time.Duration(h)*time.Hour)))); err != nil || len(entries) != 1 {
				b.Fatal(entries, err)
			}
		}
		b.StopTimer()
		l.Close()
		b.StartTimer()
	}
}

// BenchmarkOpenDay lists and opens a day as one file, and reads its tables, of which nothing is known before.
func BenchmarkOpenDay(b *testing.B) {
	dir, start := benchData(b)
	p := make([]byte, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		l, s := benchLibrary(b, dir)
		b.StartTimer()
		e, err := l.WholeDay(b.Context(), s, l.DayAt(media.FromTime(start)))
		if err != nil {
			b.Fatal(err)
		}
		f, err := l.Open(b.Context(), e, "a benchmark")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.ReadAt(p, 0); err != nil && err != io.EOF {
			b.Fatal(err)
		}
		b.StopTimer()
		f.Close()
		l.Close()
		b.StartTimer()
	}
}

// BenchmarkReadAt reads 1 KiB of an entry again and again.
func BenchmarkReadAt(b *testing.B) {
	dir, start := benchData(b)
	l, s := benchLibrary(b, dir)
	defer l.Close()
	entries, err := l.Entries(b.Context(), s, l.HourAt(media.FromTime(start)))
	if err != nil {
		b.Fatal(err)
	}
	f, err := l.Open(b.Context(), entries[0], "a benchmark")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	p := make([]byte, 1024)
	off := f.Size() - 2048
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.ReadAt(p, off); err != nil {
			b.Fatal(err)
		}
	}
}
