package bench

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/mp4check"
	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store/dir"
)

// Shown is one sample of a joined file.
type Shown struct {
	DTS  int64 // ticks of the track, from the track's first
	CTS  int32
	Sync bool
	Data string
}

// PlayBack is playBackStream of the camera that most tests record.
func PlayBack(t *testing.T, dir string) (days [][][]Shown) {
	t.Helper()
	return PlayBackStream(t, dir, "cam")
}

// PlayBackStream reads each day of a stream as one file, which it checks, and returns the samples of each track.
func PlayBackStream(t *testing.T, dir, label string) (days [][][]Shown) {
	t.Helper()
	lib, err := playback.Open(t.Context(), playback.Options{Data: dir, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	s, err := lib.Stream(t.Context(), label)
	if errors.Is(err, playback.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	spans, err := lib.Days(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range spans {
		e, err := lib.WholeDay(t.Context(), s, day)
		if err != nil {
			t.Fatal(err)
		}
		f, err := lib.Open(t.Context(), e, "test")
		if err != nil {
			t.Fatal(err)
		}
		days = append(days, ReadSamples(t, f))
	}
	return days
}

func ReadSamples(t *testing.T, f *playback.File) (tracks [][]Shown) {
	t.Helper()
	report, err := mp4check.Check(f, f.Size())
	if err != nil {
		t.Fatal(err)
	}
	for _, track := range report.Tracks {
		var samples []Shown
		for _, x := range track.Samples {
			data := make([]byte, x.Size)
			if _, err := f.ReadAt(data, x.Offset); err != nil {
				t.Fatal(err)
			}
			samples = append(samples, Shown{x.DTS, int32(x.CTS - x.DTS), x.Sync, string(data)})
		}
		tracks = append(tracks, samples)
	}
	return tracks
}

// OpenLibrary opens the footage of the camera that most tests record.
func OpenLibrary(t *testing.T, dir string) (*playback.Library, playback.Stream) {
	t.Helper()
	lib, err := playback.Open(t.Context(), playback.Options{Data: dir, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lib.Close() })
	stream, err := lib.Stream(t.Context(), "cam")
	if err != nil {
		t.Fatal(err)
	}
	return lib, stream
}

// OpenDay opens the first day of the camera as one file.
func OpenDay(t *testing.T, dir string) *playback.File {
	t.Helper()
	lib, stream := OpenLibrary(t, dir)
	days, err := lib.Days(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	e, err := lib.WholeDay(t.Context(), stream, days[0])
	if err != nil {
		t.Fatal(err)
	}
	f, err := lib.Open(t.Context(), e, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// OpenHours opens every entry of every hour of the camera.
func OpenHours(t *testing.T, dir string) (files []*playback.File) {
	t.Helper()
	lib, stream := OpenLibrary(t, dir)
	days, err := lib.Days(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range days {
		hours, err := lib.Hours(t.Context(), stream, day)
		if err != nil {
			t.Fatal(err)
		}
		for _, hour := range hours {
			entries, err := lib.Entries(t.Context(), stream, hour)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				f, err := lib.Open(t.Context(), e, "test")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(f.Close)
				files = append(files, f)
			}
		}
	}
	return files
}

// ShownPictures lists the pictures that a file shows, by their numbers: those within its edit.
func ShownPictures(t *testing.T, f *playback.File) (shown []int64) {
	t.Helper()
	report, err := mp4check.Check(f, f.Size())
	if err != nil {
		t.Fatal(err)
	}
	return PicturesIn(t, f, report)
}

// PicturesIn is shownPictures of a file that was checked.
func PicturesIn(t *testing.T, f *playback.File, report *mp4check.Report) (shown []int64) {
	t.Helper()
	track := report.Tracks[volume.Video]
	edit := track.Edits[0]
	for _, x := range track.Samples {
		if x.CTS < edit.MediaTime || x.CTS >= edit.MediaTime+int64(edit.Duration) {
			continue
		}
		data := make([]byte, x.Size)
		if _, err := f.ReadAt(data, x.Offset); err != nil {
			t.Fatal(err)
		}
		shown = append(shown, NumberOf(data))
	}
	return shown
}

// WantShown is how one run must come back: what was given, less the sound from before the first picture.
func WantShown(given []media.Sample, tracks []media.SampleEntry) (want [][]Shown) {
	want = make([][]Shown, len(tracks))
	origin, first := int64(-1), make([]int64, len(tracks))
	for _, x := range given {
		if origin < 0 {
			if x.Track != volume.Video || !x.Sync {
				continue
			}
			origin = x.DTS
		}
		dts := x.DTS - media.Rescale(origin, 90000, tracks[x.Track].Timescale)
		if dts < 0 {
			continue
		}
		if len(want[x.Track]) == 0 {
			first[x.Track] = dts
		}
		want[x.Track] = append(want[x.Track], Shown{dts - first[x.Track], x.CTS, x.Sync, string(x.Data)})
	}
	return want
}

// CheckShown checks that what was given in one run comes back exactly once, byte for byte, in order, with its times.
func (b *Bench) CheckShown(given []media.Sample, tracks []media.SampleEntry) {
	b.T.Helper()
	NoProblems(b.T, b.Dir)
	days := PlayBack(b.T, b.Dir)
	if len(days) != 1 {
		b.T.Fatalf("footage on %d days", len(days))
	}
	CompareShown(b.T, days[0], WantShown(given, tracks))
}

func CompareShown(t *testing.T, got, want [][]Shown) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d tracks, want %d", len(got), len(want))
	}
	for k := range want {
		if len(got[k]) != len(want[k]) {
			t.Errorf("track %d: %d samples, want %d", k, len(got[k]), len(want[k]))
		}
		for i := range min(len(got[k]), len(want[k])) {
			if got[k][i] != want[k][i] {
				t.Fatalf("track %d, sample %d: %+v, want %+v", k, i, got[k][i], want[k][i])
			}
		}
	}
}

// EntriesOf lists every entry of a data directory: its path, its size, its ETag, and the SHA-256 of its bytes.
func EntriesOf(t *testing.T, dir string) string {
	t.Helper()
	lib, err := playback.Open(t.Context(), playback.Options{Data: dir, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	var list strings.Builder
	streams, err := lib.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range streams {
		days, err := lib.Days(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		for _, day := range days {
			hours, err := lib.Hours(t.Context(), s, day)
			if err != nil {
				t.Fatal(err)
			}
			for _, hour := range hours {
				entries, err := lib.Entries(t.Context(), s, hour)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range entries {
					f, err := lib.Open(t.Context(), e, "test")
					if err != nil {
						t.Fatal(err)
					}
					h := sha256.New()
					if _, err := io.Copy(h, io.NewSectionReader(f, 0, f.Size())); err != nil {
						t.Fatal(err)
					}
					f.Close()
					fmt.Fprintf(&list, "%s/%s/%s/%s %d %s %x\n", s.Label, day.Name, hour.Name, e.Name, e.Size, e.ETag, h.Sum(nil))
				}
			}
		}
	}
	return list.String()
}

// Rebuild removes the database of a data directory and makes it anew.
func Rebuild(t *testing.T, dir string, samples ...string) (found []string, err error) {
	t.Helper()
	old, _ := filepath.Glob(filepath.Join(dir, schema.FileName+"*"))
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	_, err = fsck.Rebuild(t.Context(), dir, fsck.RebuildOptions{
		Samples: samples, Log: slog.New(slog.DiscardHandler), Total: func(int64) {}, Read: func(int64) {},
		Found: func(p fsck.Problem) { found = append(found, p.String()) },
	})
	return found, err
}

// SameAfterRebuild rebuilds the database, and checks that all is as before.
func SameAfterRebuild(t *testing.T, dir string, samples ...string) {
	t.Helper()
	before := EntriesOf(t, dir)
	if found, err := Rebuild(t, dir, samples...); err != nil || len(found) > 0 {
		t.Errorf("rebuild: %q, %v", found, err)
	}
	if after := EntriesOf(t, dir); after != before {
		t.Errorf("the entries were\n%sthey are\n%s", before, after)
	}
	NoProblems(t, dir)
	if left, _ := filepath.Glob(filepath.Join(dir, "rebuild-*")); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

// Elsewhere makes a bench for another stream of the same camera, in another sample directory.
func (b *Bench) Elsewhere(path, name string) *Bench {
	b.T.Helper()
	var row schema.Stream
	var id int64
	err := b.DB.Write(b.T.Context(), func(tx *schema.Tx) (err error) {
		if row, err = tx.Stream("cam", name); err != nil {
			return err
		}
		id, err = tx.SampleDir(path)
		return err
	})
	if err != nil {
		b.T.Fatal(err)
	}
	st, err := dir.Attach(path, b.DB.UUID())
	if err != nil {
		b.T.Fatal(err)
	}
	other := &Bench{T: b.T, Dir: b.Dir, DB: b.DB}
	other.write(id, st, b.DB, row, 10*time.Second)
	return other
}
