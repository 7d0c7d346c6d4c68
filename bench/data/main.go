// Command data makes the archives that the benchmarks measure with, by nvrfs import.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The names of the sets, and of the camera of the first two.
const (
	hour  = "hour"  // an hour of 1080p30 of 4 Mbit/s with AAC
	day25 = "day25" // 25 hours of it: the day on which Berlin's clocks go back
	year8 = "year8" // a year of cameras "cam1" to "cam8" in recordings of a minute, of a few frames each

	yard = "yard"
)

// Where the sets start, as nvrfs import takes it.
const (
	hourStart = "2026-03-02T12:00:00+01:00"
	dayStart  = "2026-10-25T00:00:00+02:00"
	yearStart = "2025-01-01T00:00:00+01:00"
)

func main() {
	dir := flag.String("dir", "/var/tmp/nvrfs-bench", "directory of the data sets; takes up to 65 GB")
	binary := flag.String("nvrfs", "bin/nvrfs", "binary that imports them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	names := flag.Args()
	if len(names) == 0 {
		names = []string{hour, day25, year8}
	}
	if err := (sets{dir: *dir, binary: *binary}).make(ctx, names...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// sets are archives below a directory. Each is a data directory.
type sets struct{ dir, binary string }

// format rises whenever the sets are made another way. Each has it in a file of this name.
const (
	format     = "2"
	formatFile = "format"
)

// make makes the sets that are not there yet.
func (s sets) make(ctx context.Context, names ...string) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	makers := map[string]func(context.Context, string) error{hour: s.makeHour, day25: s.makeDay25, year8: s.makeYear8}
	for _, set := range names {
		if makers[set] == nil {
			return fmt.Errorf("there is no data set %q; want %s, %s or %s", set, hour, day25, year8)
		}
		path := filepath.Join(s.dir, set)
		if _, err := os.Stat(path); err == nil {
			if made, _ := os.ReadFile(filepath.Join(path, formatFile)); string(made) != format {
				return fmt.Errorf("data set %s was made another way; remove %s, and make it anew", set, path)
			}
			continue
		}
		start, half := time.Now(), path+".new"
		if err := errors.Join(os.RemoveAll(half), os.Mkdir(half, 0o700)); err != nil {
			return err
		}
		if err := makers[set](ctx, half); err != nil {
			return fmt.Errorf("make data set %s: %w", set, err)
		}
		if err := errors.Join(os.WriteFile(filepath.Join(half, formatFile), []byte(format), 0o600), os.Rename(half, path)); err != nil {
			return err
		}
		fmt.Printf("%s: made in %s\n", set, time.Since(start).Round(time.Second))
	}
	return nil
}

func (s sets) makeHour(ctx context.Context, data string) error {
	clip, err := s.clip(ctx)
	if err != nil {
		return err
	}
	return s.importClip(ctx, data, clip, yard, hourStart, lapsPerHour)
}

// makeDay25 falls back on holes where the samples were, when the disk is too small for 45 GB: opening and seeking read the
// tables and a page, whatever it holds.
func (s sets) makeDay25(ctx context.Context, data string) error {
	clip, err := s.clip(ctx)
	if err != nil {
		return err
	}
	info, err := os.Stat(clip)
	if err != nil {
		return err
	}
	laps := 25 * lapsPerHour
	free, err := freeBytes(s.dir)
	if err != nil {
		return err
	}
	// Half as much again is left for the other sets and for whoever else uses the disk.
	if whole := info.Size() * int64(laps); whole > free/3*2 {
		fmt.Printf("%s: %d GB do not fit; the samples of all but the first hour are holes\n", day25, whole>>30)
		return s.makeSparse(ctx, data, clip, laps)
	}
	return s.importClip(ctx, data, clip, yard, dayStart, laps)
}

// makeSparse imports hour by hour, and punches a hole into each new sample file behind its first fragments.
func (s sets) makeSparse(ctx context.Context, data, clip string, laps int) error {
	start, err := time.Parse(time.RFC3339, dayStart)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for lap := 0; lap < laps; lap += lapsPerHour {
		at := start.Add(time.Duration(lap) * clipSeconds * time.Second).Format(time.RFC3339)
		if err := s.importClip(ctx, data, clip, yard, at, min(lapsPerHour, laps-lap)); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(data, "samples", yard, "*", "*.mp4"))
		if err != nil {
			return err
		}
		for _, f := range files {
			if !done[f] && lap > 0 {
				if err := punch(f); err != nil {
					return err
				}
			}
			done[f] = true
		}
	}
	return nil
}

// punch frees the blocks of a file behind its first megabyte.
func punch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	const kept = 1 << 20
	info, err := f.Stat()
	if err == nil && info.Size() > kept {
		err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, kept, info.Size()-kept)
	}
	return err
}

func freeBytes(path string) (int64, error) {
	var st unix.Statfs_t
	err := unix.Statfs(path, &st)
	return int64(st.Bavail) * int64(st.Bsize), err
}

// makeYear8 makes sample files that fit into one block of the disk's filesystem, since there are 4.2 million.
func (s sets) makeYear8(ctx context.Context, data string) error {
	clip := filepath.Join(s.dir, "minute.mp4")
	if err := s.encode(
		ctx, clip, "-f", "lavfi", "-i", "color=gray:size=64x64:rate=1/10", "-t", "60",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "1", "-pix_fmt", "yuv420p", "-bsf:v", "filter_units=remove_types=6",
	); err != nil {
		return err
	}
	for i := range 8 {
		if err := s.importClip(ctx, data, clip, fmt.Sprintf("cam%d", i+1), yearStart, 365*24*60); err != nil {
			return err
		}
	}
	return nil
}

// clipSeconds is a length that both tracks of the clip have to the tick: 2160 pictures, and 3375 AAC frames of 1024 samples. So
// its laps join without a seam, as what a camera sends does. An hour is a whole number of them.
const (
	clipSeconds = 72
	lapsPerHour = 3600 / clipSeconds
)

// clip is the footage that a usual camera sends: 4 Mbit/s of 1080p30 in GOPs of 2 s, with AAC of 48 kHz.
func (s sets) clip(ctx context.Context) (path string, err error) {
	path = filepath.Join(s.dir, fmt.Sprintf("clip-%ds.mp4", clipSeconds))
	picture := fmt.Sprintf("testsrc2=size=1920x1080:rate=30:duration=%d,noise=alls=20:allf=t", clipSeconds)
	sound := fmt.Sprintf("sine=frequency=440:sample_rate=48000,atrim=end_sample=%d", 48000*clipSeconds-1024) // the encoder adds a frame
	return path, s.encode(
		ctx, path, "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound,
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "60", "-bf", "0",
		"-b:v", "4M", "-minrate", "4M", "-maxrate", "4M", "-bufsize", "4M", "-nal-hrd", "cbr", "-c:a", "aac", "-b:a", "96k",
	)
}

// encode runs ffmpeg, unless path is there.
func (s sets) encode(ctx context.Context, path string, args ...string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	half := path + ".new.mp4"
	cmd := exec.CommandContext(ctx, "ffmpeg", append(append([]string{"-v", "error", "-y"}, args...), half)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return os.Rename(half, path)
}

func (s sets) importClip(ctx context.Context, data, clip, camera, start string, laps int) error {
	cmd := exec.CommandContext(ctx, s.binary, "import", clip, "--data", data, "--camera", camera, "--start", start, "--repeat", strconv.Itoa(laps))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return nil
}
