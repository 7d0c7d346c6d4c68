package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Sets are archives to measure with. Each is a data directory below the directory of all.
type Sets struct {
	Dir    string
	Binary string    // nvrfs
	Out    io.Writer // says what is being made

	// How long they are. What is zero is a few seconds or minutes of footage: enough to run every benchmark.
	Full bool
}

// The names of the sets, and of their cameras.
const (
	Hour  = "hour"  // an hour of camera "yard": 1080p30 of 4 Mbit/s with AAC
	Day25 = "day25" // 25 hours of it: the day on which Berlin's clocks go back
	Year8 = "year8" // a year of cameras "cam1" to "cam8" in recordings of a minute, of a few frames each

	Yard     = "yard"
	Location = "Europe/Berlin"
)

// Where the sets start, as nvrfs import takes it.
const (
	hourStart = "2026-03-02T12:00:00+01:00"
	dayStart  = "2026-10-25T00:00:00+02:00"
	yearStart = "2025-01-01T00:00:00+01:00"
)

// Cameras is how many of them Year8 has.
func (s Sets) Cameras() int {
	if s.Full {
		return 8
	}
	return 2
}

// Path is where a set lies.
func (s Sets) Path(set string) string { return filepath.Join(s.Dir, set) }

// Make makes the sets that are not there yet.
func (s Sets) Make(ctx context.Context, sets ...string) error {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	makers := map[string]func(context.Context, string) error{Hour: s.makeHour, Day25: s.makeDay25, Year8: s.makeYear8}
	for _, set := range sets {
		if _, err := os.Stat(s.Path(set)); err == nil {
			continue
		}
		start, half := time.Now(), s.Path(set)+".new"
		if err := errors.Join(os.RemoveAll(half), os.Mkdir(half, 0o700)); err != nil {
			return err
		}
		if err := makers[set](ctx, half); err != nil {
			return fmt.Errorf("make data set %s: %w", set, err)
		}
		if err := os.Rename(half, s.Path(set)); err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "%s: made in %s\n", set, time.Since(start).Round(time.Second))
	}
	return nil
}

func (s Sets) makeHour(ctx context.Context, data string) error {
	clip, err := s.clip(ctx)
	if err != nil {
		return err
	}
	return s.importClip(ctx, data, clip, Yard, hourStart, s.pick(60, 3))
}

// makeDay25 falls back on holes where the samples were, when the disk is too small for 45 GB: opening and seeking read the
// tables and a page, whatever it holds.
func (s Sets) makeDay25(ctx context.Context, data string) error {
	clip, err := s.clip(ctx)
	if err != nil {
		return err
	}
	info, err := os.Stat(clip)
	if err != nil {
		return err
	}
	laps := s.pick(25*60, 3)
	free, err := freeBytes(s.Dir)
	if err != nil {
		return err
	}
	// As much again is left for the other sets and for whoever else uses the disk.
	if whole := info.Size() * int64(laps); whole > free/3*2 {
		fmt.Fprintf(s.Out, "%s: %d GB do not fit; the samples of all but the first hour are holes\n", Day25, whole>>30)
		return s.makeSparse(ctx, data, clip, laps)
	}
	return s.importClip(ctx, data, clip, Yard, dayStart, laps)
}

// makeSparse imports hour by hour, and punches a hole into each new sample file behind its first fragments.
func (s Sets) makeSparse(ctx context.Context, data, clip string, laps int) error {
	start, err := time.Parse(time.RFC3339, dayStart)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for lap := 0; lap < laps; lap += 60 {
		at := start.Add(time.Duration(lap) * time.Minute).Format(time.RFC3339)
		if err := s.importClip(ctx, data, clip, Yard, at, min(60, laps-lap)); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(data, "samples", Yard, "*", "*.mp4"))
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
	return int64(st.Bavail) * st.Bsize, err
}

func (s Sets) makeYear8(ctx context.Context, data string) error {
	clip := filepath.Join(s.Dir, "minute.mp4")
	if err := s.encode(
		ctx, clip, "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=1/10", "-t", "60",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "1", "-pix_fmt", "yuv420p",
	); err != nil {
		return err
	}
	for i := range s.Cameras() {
		if err := s.importClip(ctx, data, clip, fmt.Sprintf("cam%d", i+1), yearStart, s.pick(365*24*60, 3*60)); err != nil {
			return err
		}
	}
	return nil
}

// clip is the footage that a usual camera sends: 4 Mbit/s of 1080p30 in GOPs of 2 s, with AAC.
func (s Sets) clip(ctx context.Context) (path string, err error) {
	size, seconds := "1920x1080", "60"
	if !s.Full {
		size, seconds = "320x180", "20"
	}
	path = filepath.Join(s.Dir, "clip.mp4")
	return path, s.encode(
		ctx, path, "-f", "lavfi", "-i", "testsrc2=size="+size+":rate=30,noise=alls=20:allf=t", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
		"-t", seconds, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "60", "-bf", "0",
		"-b:v", "4M", "-minrate", "4M", "-maxrate", "4M", "-bufsize", "4M", "-nal-hrd", "cbr", "-c:a", "aac", "-b:a", "96k",
	)
}

// encode runs ffmpeg, unless path is there.
func (s Sets) encode(ctx context.Context, path string, args ...string) error {
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

func (s Sets) importClip(ctx context.Context, data, clip, camera, start string, laps int) error {
	cmd := exec.CommandContext(ctx, s.Binary, "import", clip, "--data", data, "--camera", camera, "--start", start, "--repeat", strconv.Itoa(laps))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return nil
}

func (s Sets) pick(full, small int) int {
	if s.Full {
		return full
	}
	return small
}
