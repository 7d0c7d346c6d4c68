package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// readRanges holds byte ranges of a camera's entries, read through the mount, against what `nvrfs export` of the same
// range of time writes: an export that cuts nothing off has the same bytes as the entry.
func readRanges(t *testing.T, s site, label string) {
	for _, path := range s.entries(t, label) {
		info := s.info(t, path)
		out := filepath.Join(tempDir(t), "export.mp4")
		mustRun(t, nvrfs("export", "--data", s.data, "-o", out, label, info.Start.Format(time.RFC3339Nano), info.End.Format(time.RFC3339Nano)))
		want := readFile(t, out)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		readEdges(t, f, want, edges(t, path, int64(len(want))))
		readMany(t, f, want)
		if diff := firstDifference(readFile(t, path), want); diff != "" {
			t.Errorf("%s, read from its start: %s", path, diff)
		}
	}
}

// edges lists the offsets at which one thing ends and another begins: boxes and chunks. They include the borders of the
// slices that a file is made of.
func edges(t *testing.T, path string, size int64) []int64 {
	report := checkBoxes(t, path)
	at := []int64{0, 4096, 128 << 10, 1 << 20, size}
	for _, b := range report.Boxes {
		at = append(at, b.Offset, b.Offset+b.Header)
	}
	for _, track := range report.Tracks {
		for _, c := range track.Chunks {
			at = append(at, c.Offset, c.Offset+c.Size)
		}
	}
	return at
}

// readEdges reads a little on both sides of each edge, and past the end.
func readEdges(t *testing.T, f io.ReaderAt, want []byte, at []int64) {
	for _, edge := range at {
		for off := max(0, edge-1); off <= edge+1; off++ {
			for _, n := range []int{1, 2, 3, 4097} {
				readRange(t, f, want, off, n)
			}
		}
	}
	for _, past := range []int64{0, 1, 4095, 1 << 20, 1 << 40} {
		readRange(t, f, want, int64(len(want))+past, 100)
	}
}

// readMany reads random ranges, by 16 readers at once.
func readMany(t *testing.T, f io.ReaderAt, want []byte) {
	var wg sync.WaitGroup
	for seed := range uint64(16) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, 1))
			for range 60 {
				longest := int64(1) << (3 + rnd.IntN(18)) // up to 1 MiB
				readRange(t, f, want, rnd.Int64N(int64(len(want))+10), int(1+rnd.Int64N(longest)))
			}
		})
	}
	wg.Wait()
}

// readRange reads n bytes at off, and compares. A read that reaches the end is short, with io.EOF.
func readRange(t *testing.T, f io.ReaderAt, want []byte, off int64, n int) {
	got := make([]byte, n)
	m, err := f.ReadAt(got, off)
	if err != nil && !(errors.Is(err, io.EOF) && off+int64(n) > int64(len(want))) {
		t.Errorf("read %d bytes at %d: %v", n, off, err)
		return
	}
	from := min(off, int64(len(want)))
	to := min(off+int64(n), int64(len(want)))
	if !bytes.Equal(got[:m], want[from:to]) {
		t.Errorf("read %d bytes at %d: %s", n, off, firstDifference(got[:m], want[from:to]))
	}
}

// TestGrowing reads the entry that is being recorded while it grows: each handle shows one whole file, whichever versions
// come meanwhile, and the next open the newest.
func TestGrowing(t *testing.T) {
	needMounts(t)
	needTools(t, "ffmpeg", "ffprobe")
	t.Parallel()
	cam := play(t, cameraOf("demo"))
	s := newSite(t, "recording: { length: 5s, sync: 500ms }\ncameras: { cam: { url: "+cam.URL()+" } }\n")
	p := s.record(t)
	path := s.newest(t, "cam", 20*time.Second)

	const versions = 4
	var open []*os.File
	for len(open) < versions {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		open = append(open, f)
		if _, err := io.CopyN(io.Discard, f, size(t, f)/2); err != nil {
			t.Fatal(err)
		}
		waitFor(t, 20*time.Second, "a larger entry", func() bool {
			newest := s.newest(t, "cam", time.Second)
			info, err := os.Stat(newest)
			if newest != path { // the hour is over
				path = newest
				return true
			}
			return err == nil && info.Size() > size(t, f)
		})
	}
	sizes := map[int64]bool{}
	for i, f := range open {
		copied := filepath.Join(s.dir, fmt.Sprint(i, ".mp4"))
		b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
		if err != nil || int64(len(b)) != size(t, f) {
			t.Errorf("version %d has %d bytes, want %d; %v", i, len(b), size(t, f), err)
		}
		writeFile(t, copied, string(b))
		checkFile(t, copied)
		sizes[size(t, f)] = true
		f.Close()
	}
	if len(sizes) != versions {
		t.Errorf("%d handles show %d sizes", versions, len(sizes))
	}
	checkFile(t, path)
	s.stopUnmounted(t, p)
	s.checkClean(t)
}

// size is what fstat says.
func size(t *testing.T, f *os.File) int64 {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
