package fs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/integration/footage"
)

// TestSizes reads every file to its end.
func TestSizes(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: oneDay()})
	files := 0
	for _, root := range []string{f.mnt, f.path(".nvrfs")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			b, err := os.ReadFile(path)
			if int64(len(b)) != info.Size() && d.Name() != "status.json" {
				t.Errorf("%s has %d bytes, its size is %d", path, len(b), info.Size())
			}
			files++
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files != 4+2+4+2 {
		t.Errorf("%d files", files)
	}
}

func TestReadRanges(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{
		{Name: "cam", Start: time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC), Duration: 80 * time.Second, RecordingLength: 16 * time.Second},
	}})
	e := f.entries(t, "cam", "2026-11-20", "14")[0]
	want := f.content(t, e)
	file, err := os.Open(f.path("cam/2026-11-20/14", e.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			for range 100 {
				off, n := rnd.Int64N(e.Size+5000), rnd.IntN(3<<rnd.IntN(20)+1)
				p := make([]byte, n)
				got, err := file.ReadAt(p, off)
				part := want[min(off, e.Size):min(off+int64(n), e.Size)]
				if !bytes.Equal(p[:got], part) || err != nil && (err != io.EOF || got == n) {
					t.Errorf("%d bytes at %d: got %d, %v", n, off, got, err)
				}
			}
		})
	}
	wg.Wait()
}

// damage returns the sample file of a stream's first recording.
func (f *fixture) sampleFile(stream string) string {
	return filepath.Join(f.data, "samples", stream, "000", "000001.mp4")
}

func TestDamagedFootage(t *testing.T) {
	start := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{
		{Name: "gone", Start: start, Duration: time.Minute, Tiny: true},
		{Name: "cut", Start: start, Duration: time.Minute, Tiny: true},
		{Name: "whole", Start: start, Duration: time.Minute, Tiny: true},
	}})
	info, err := os.Stat(f.sampleFile("cut"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(f.sampleFile("gone")), os.Truncate(f.sampleFile("cut"), info.Size()/2)); err != nil {
		t.Fatal(err)
	}
	for _, stream := range []string{"gone", "cut"} {
		for range 3 {
			name := f.path(stream, "2026-11-20/14", stream+"_2026-11-20_14-00-00.mp4")
			if b, err := os.ReadFile(name); !errors.Is(err, unix.EIO) {
				t.Errorf("%s: %d bytes, %v, want EIO", stream, len(b), err)
			}
		}
		if n := strings.Count(f.log.String(), "path=/"+stream+"/"); n != 1 {
			t.Errorf("%d lines in the log about %s, want 1: %s", n, stream, f.log)
		}
	}
	e := f.entries(t, "whole", "2026-11-20", "14")[0]
	if !bytes.Equal(f.read(t, "whole/2026-11-20/14", e.Name), f.content(t, e)) {
		t.Error("another stream is damaged too")
	}
	// The head of the file that was cut is there.
	e = f.entries(t, "cut", "2026-11-20", "14")[0]
	file, err := os.Open(f.path("cut/2026-11-20/14", e.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.ReadAt(make([]byte, 4096), 0); err != nil {
		t.Error(err)
	}
}
