package bench_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nvrfs/integration/footage"
)

// dataVariable names, by its value, the directory of the data sets, as make bench-data leaves them. Without it, each benchmark
// makes a small one for itself.
const dataVariable = "NVRFS_BENCH_DATA"

// zone is where the cameras of the sets are.
const zone = "Europe/Berlin"

func in(b *testing.B) *time.Location {
	b.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		b.Skip(err)
	}
	return loc
}

// prepared returns the data directory of a set; ok is false where no sets are prepared.
func prepared(b *testing.B, set string) (data string, ok bool) {
	b.Helper()
	all := os.Getenv(dataVariable)
	if all == "" {
		return "", false
	}
	data = filepath.Join(all, set)
	if _, err := os.Stat(data); err != nil {
		b.Fatalf("%v; make the data sets by: make bench-data BENCH_DATA=%s", err, all)
	}
	return data, true
}

// filled makes a small set of rows alone.
func filled(b *testing.B, archives ...archive) (data string) {
	b.Helper()
	data = filepath.Join(b.TempDir(), "set")
	if err := fill(b.Context(), data, archives...); err != nil {
		b.Fatal(err)
	}
	return data
}

// hourStart is when the footage of the hour starts.
var hourStart = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

// hour is an hour of "yard": 1080p30 of 4 Mbit/s with sound; or a minute, where full is false.
func hour(b *testing.B) (data string, full bool) {
	b.Helper()
	if data, ok := prepared(b, "hour"); ok {
		return data, true
	}
	data = b.TempDir()
	c := footage.Camera{Name: "yard", Start: hourStart, Duration: time.Minute, RecordingLength: 5 * time.Second}
	if err := footage.Make(b.Context(), data, c); err != nil {
		b.Fatal(err)
	}
	return data, false
}

// day25 is a day of 25 hours of "yard" in 1500 recordings; or ten of these.
func day25(b *testing.B) (data string) {
	b.Helper()
	if data, ok := prepared(b, "day25"); ok {
		return data
	}
	start := time.Date(2026, 10, 25, 0, 0, 0, 0, in(b))
	return filled(b, archive{camera: "yard", start: start, recordings: 10, length: time.Minute, fps: 30, files: true})
}

// year8 is a year of "cam1" to "cam8" in recordings of a minute; or two days of two cameras.
func year8(b *testing.B) (data string) {
	b.Helper()
	if data, ok := prepared(b, "year8"); ok {
		return data
	}
	return filled(b, days(b, "cam1", 2), days(b, "cam2", 2))
}

// days are those of a camera of year8, from the first on.
func days(b *testing.B, camera string, n int) archive {
	return archive{camera: camera, start: time.Date(2025, 1, 1, 0, 0, 0, 0, in(b)), recordings: n * 24 * 60, length: time.Minute}
}

// reconnects is an hour of ten thousand entries, or of 200: a host's clock was set back again and again, so that runs overlap,
// and none joins another. No footage of another recorder is so; it is of rows alone.
func reconnects(b *testing.B) (data string) {
	b.Helper()
	a := archive{
		camera: "cam1", start: time.Date(2025, 6, 1, 12, 0, 0, 0, in(b)), recordings: 10_000,
		length: 6 * time.Second, gap: -5650 * time.Millisecond, fps: 30,
	}
	all := os.Getenv(dataVariable)
	if all == "" {
		a.recordings = 200
		return filled(b, a)
	}
	data = filepath.Join(all, "reconnects")
	if _, err := os.Stat(data); err == nil {
		return data
	}
	half := data + ".new"
	if err := errors.Join(os.RemoveAll(half), fill(b.Context(), half, a), os.Rename(half, data)); err != nil {
		b.Fatal(fmt.Errorf("make data set: %w", err))
	}
	return data
}
