package footage

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nvrfs/camera"
	"nvrfs/integration/mp4check"
	"nvrfs/mp4"
	"nvrfs/playback"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// start is half a minute before an hour, so that little footage has two hours in it.
var start = time.Date(2026, 11, 20, 13, 59, 30, 0, time.UTC)

func openLibrary(t *testing.T, dir string) *playback.Library {
	t.Helper()
	l, err := playback.Open(t.Context(), playback.Options{Data: dir, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// entries lists all entries of the only stream.
func entries(t *testing.T, l *playback.Library) (all []*playback.Entry) {
	t.Helper()
	ctx := t.Context()
	streams, err := l.Streams(ctx)
	if err != nil || len(streams) != 1 {
		t.Fatalf("streams %v, %v", streams, err)
	}
	days, err := l.Days(ctx, streams[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range days {
		hours, err := l.Hours(ctx, streams[0], day)
		if err != nil {
			t.Fatal(err)
		}
		for _, hour := range hours {
			e, err := l.Entries(ctx, streams[0], hour)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e...)
		}
	}
	return all
}

func TestMake(t *testing.T) {
	file, err := os.Open("../../camera/testdata/bframes.mp4")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	bframes, err := camera.ParseClip(file, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		c     Camera
		names []string
		check bool // with the strict reader, which looks into the samples
	}{
		{
			name: "built-in clip",
			c:    Camera{Start: start, Duration: 100 * time.Second, RecordingLength: 20 * time.Second}, check: true,
			names: []string{"cam_2026-11-20_13-59-30.mp4", "cam_2026-11-20_14-00-00.mp4"},
		},
		{
			name: "B-frames", c: Camera{Start: start, Duration: time.Minute, Clip: bframes}, check: true,
			names: []string{"cam_2026-11-20_13-59-30.mp4", "cam_2026-11-20_14-00-00.mp4"},
		},
		{
			name: "tiny with a gap, without sound",
			c: Camera{
				Start: start, Duration: 10 * time.Minute, Tiny: true, NoAudio: true,
				Gaps: []Gap{{At: 5 * time.Minute, For: 10 * time.Second}},
			},
			names: []string{"cam_2026-11-20_13-59-30.mp4", "cam_2026-11-20_14-00-00.mp4", "cam_2026-11-20_14-04-40.mp4"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.c.Name = "cam"
			if err := Make(t.Context(), dir, c.c); err != nil {
				t.Fatal(err)
			}
			checkSampleFiles(t, dir)
			got := entries(t, openLibrary(t, dir))
			if len(got) != len(c.names) {
				t.Fatalf("%d entries, want %d", len(got), len(c.names))
			}
			for i, e := range got {
				if e.Name != c.names[i] {
					t.Errorf("entry %d is %s, want %s", i, e.Name, c.names[i])
				}
			}
			if c.check {
				checkFiles(t, dir)
			}
		})
	}
}

// checkSampleFiles reads every sample file back and compares it with its row.
func checkSampleFiles(t *testing.T, data string) {
	t.Helper()
	db, err := schema.OpenReadOnly(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	st, err := dir.Open(filepath.Join(data, "samples"), db.UUID())
	if err != nil {
		t.Fatal(err)
	}
	recs, err := db.StartingIn(t.Context(), 1, 0, 1<<62)
	if err != nil || len(recs) == 0 {
		t.Fatalf("%d recordings, %v", len(recs), err)
	}
	for _, r := range recs {
		key := store.Key{Stream: "cam", Number: r.ID.Number()}
		size, err := st.Size(key)
		if err != nil {
			t.Fatal(err)
		}
		f, err := st.Open(key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := mp4.Scan(f, size, func(*mp4.SampleFile, *mp4.ScannedFragment) error { return nil })
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got.Torn != nil || got.Bytes != r.Bytes || got.Seal == nil || got.Seal.WallDuration90k != r.WallDuration90k {
			t.Errorf("recording %s: %+v in the file, %+v in the row", r.ID, got, r)
		}
	}
}

func checkFiles(t *testing.T, dir string) {
	t.Helper()
	l := openLibrary(t, dir)
	for _, e := range entries(t, l) {
		f, err := l.Open(t.Context(), e, "test")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mp4check.Check(f, f.Size()); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}

func TestGrower(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	g, err := NewGrower(ctx, dir, Camera{Name: "cam", Start: start, Tiny: true})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	last := int64(0)
	for range 3 {
		if err := g.Grow(ctx); err != nil {
			t.Fatal(err)
		}
		got := entries(t, openLibrary(t, dir))
		if len(got) != 1 || got[0].Size <= last {
			t.Fatalf("%d entries, of %d bytes, had %d", len(got), got[0].Size, last)
		}
		last = got[0].Size
	}
	next, err := g.Gap(ctx, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if want := start.Add(time.Minute + 3*time.Second); !next.Equal(want) {
		t.Errorf("the gap ends at %s, want %s", next, want)
	}
	if err := g.Grow(ctx); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, openLibrary(t, dir)); len(got) != 2 {
		t.Errorf("%d entries after a gap, want 2", len(got))
	}
}
