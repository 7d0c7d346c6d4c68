package playback_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/integration/footage"
	"nvrfs/playback"
)

// pipe makes a pipe that nothing waits for.
func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func TestWithFile(t *testing.T) {
	dir := t.TempDir()
	makeFootage(t, dir, footage.Camera{Name: "cam", Start: noon, Duration: time.Minute, RecordingLength: 20 * time.Second})
	l := openLibrary(t, playback.Options{Data: dir})
	_, all := list(t, l, "cam")
	f := openEntry(t, l, all[0].Entry)
	want, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	parts := f.Parts()
	extent := f.Size() // where the first one starts
	for _, p := range parts {
		extent -= p.Length
	}
	second, end := extent+parts[0].Length, f.Size()
	r, w := pipe(t)
	splice := func(off, n int64) []byte {
		t.Helper()
		p := make([]byte, n+1)
		moved := f.WithFile(off, n, func(fd uintptr, at, n int64) (moved int64) {
			for moved < n {
				m, err := unix.Splice(int(fd), &at, w, nil, int(n-moved), 0)
				if m <= 0 || err != nil {
					break
				}
				moved += m
			}
			return moved
		})
		got, err := unix.Read(r, p)
		if moved == 0 && err == unix.EAGAIN {
			got = 0
		} else if err != nil || int64(got) != moved {
			t.Fatalf("%d bytes at %d: %d moved, %d in the pipe, %v", n, off, moved, got, err)
		}
		return p[:got]
	}
	const n = 20_000
	for _, c := range []struct {
		name string
		off  int64
		want int
	}{
		{"the tables", 0, 0},
		{"the tables and the first extent", extent - 1, 0},
		{"the start of an extent", extent, n},
		{"the middle of it", extent + 12345, n},
		{"its end", second - n, n},
		{"two extents", second - n + 1, 0},
		{"the next extent", second, n},
		{"the end", end - n, n},
		{"beyond the end", end - n + 1, 0},
		{"far beyond", end + 1, 0},
		{"before the start", -1, 0},
	} {
		if got := splice(c.off, n); len(got) != c.want || len(got) > 0 && !bytes.Equal(got, want[c.off:c.off+n]) {
			t.Errorf("%s: %d bytes, want %d", c.name, len(got), c.want)
		}
	}

	// A file that was cut gives what is there, and not zeros.
	cut := parts[0].Offset + n + 100
	if err := os.Truncate(filepath.Join(dir, "samples/cam/000/000001.mp4"), cut); err != nil {
		t.Fatal(err)
	}
	before := l.Stats()
	if got := splice(extent+200, n); len(got) != n-100 || !bytes.Equal(got, want[extent+200:extent+100+n]) {
		t.Errorf("of a file that was cut: %d bytes", len(got))
	}
	if got := splice(extent+2*n, n); len(got) != 0 {
		t.Errorf("behind the end of a file that was cut: %d bytes", len(got))
	}
	st := l.Stats()
	if st.SampleReads-before.SampleReads != 2 || st.SampleErrors-before.SampleErrors != 2 || st.SampleBytes-before.SampleBytes != n-100 {
		t.Errorf("%+v, then %+v", before, st)
	}
}

func TestStats(t *testing.T) {
	dir := t.TempDir()
	makeFootage(t, dir, footage.Camera{Name: "cam", Start: noon, Duration: time.Minute, RecordingLength: 20 * time.Second, Tiny: true})
	l := openLibrary(t, playback.Options{Data: dir})
	_, all := list(t, l, "cam")
	f := openEntry(t, l, all[0].Entry)
	bytes := int64(0)
	for _, p := range f.Parts() {
		bytes += p.Length
	}
	for range 2 {
		if _, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, f.Size())); err != nil {
			t.Fatal(err)
		}
	}
	st := l.Stats()
	if st.SampleOpens != 3 || st.OpenSamples.Items != 3 || st.SampleBytes != 2*bytes || st.SampleReads < 6 || st.SampleErrors != 0 {
		t.Errorf("%+v", st)
	}
	if st.OpenSamples.Misses != 3 || st.OpenSamples.Hits != st.SampleReads-3 {
		t.Errorf("%+v", st.OpenSamples)
	}
	if st.Tables.Items != 3 || st.Tables.Cost == 0 || st.Files.Items != 1 || st.Listings.Items != 1 {
		t.Errorf("%+v", st)
	}
}
