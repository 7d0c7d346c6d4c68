package recorder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/recorder/fsck"
	"nvrfs/recorder/importer"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/store"
)

// twoOfOne records a camera into a sample directory outside the data directory, and copies the data directory: two databases with
// the same UUID, of which each would take the footage of the other for its own.
func twoOfOne(t *testing.T) (first, second Options) {
	t.Helper()
	first = Options{Data: t.TempDir(), Streams: streamsOf(Limits{}, "cam"), Log: bench.NewLog(new(bench.LogBuffer))}
	first.Streams[0].Samples = filepath.Join(t.TempDir(), "disk")
	y := newYard(t, first)
	y.record(0, bench.Dawn, 3)()
	y.close()
	second = first
	second.Data = t.TempDir()
	if err := os.CopyFS(second.Data, os.DirFS(first.Data)); err != nil {
		t.Fatal(err)
	}
	return first, second
}

// wantLockedBy checks that an error says which directory is locked, and who has it.
func wantLockedBy(t *testing.T, what string, err error, o Options) {
	t.Helper()
	holder := fmt.Sprintf("process %d of host", os.Getpid())
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), o.Streams[0].Samples) || !strings.Contains(err.Error(), "data directory "+o.Data) || !strings.Contains(err.Error(), holder) {
		t.Errorf("%s: error is %v", what, err)
	}
}

// TestCopiedDataDirectory refuses whatever would write to the sample directory of a recorder from a copy of its data directory, and
// keeps no reader out.
func TestCopiedDataDirectory(t *testing.T) {
	first, second := twoOfOne(t)
	r, err := Open(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), second)
	wantLockedBy(t, "recorder", err, first)
	_, err = importer.Open(t.Context(), importer.Options{Data: second.Data, Samples: second.Streams[0].Samples, Camera: "cam", Stream: "main", Log: second.Log})
	wantLockedBy(t, "importer", err, first)
	_, _, err = bench.RepairAt(t, second.Data, fsck.Size)
	wantLockedBy(t, "repair", err, first)
	_, err = bench.Rebuild(t, second.Data, second.Streams[0].Samples)
	wantLockedBy(t, "rebuild", err, first)
	bench.NoProblems(t, first.Data)
	if got := len(bench.Pictures(t, first.Data)); got != 3*250 {
		t.Errorf("%d pictures are there", got)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := bench.Rebuild(t, second.Data, second.Streams[0].Samples); err != nil {
		t.Errorf("rebuild when nobody records: %v", err)
	}
	r, err = Open(t.Context(), second)
	if err != nil {
		t.Fatalf("when nobody records: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestCopiedDataDirectoryWaits starts the recorder of the copy while the disk is away. When the disk comes, the first recorder has
// it; the other takes it when that one has ended.
func TestCopiedDataDirectoryWaits(t *testing.T) {
	first, second := twoOfOne(t)
	synctest.Test(t, func(t *testing.T) {
		log := new(bench.LogBuffer)
		second.Log = bench.NewLog(log)
		second.Streams = append([]StreamOptions(nil), second.Streams...)
		second.Streams[0].Source = idle
		back := bench.Away(t, first.Streams[0].Samples)
		waiting, err := Open(t.Context(), second)
		if err != nil {
			t.Fatal(err)
		}
		back()
		r, err := Open(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- waiting.Run(ctx) }()
		time.Sleep(10 * volume.LookEvery)
		if n := strings.Count(log.String(), store.ErrLocked.Error()); n != 1 || !strings.Contains(log.String(), first.Data) {
			t.Errorf("that it is locked is said %d times:\n%s", n, log)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * volume.LookEvery)
		if !strings.Contains(log.String(), "the sample directory is there") {
			t.Errorf("it does not take the directory:\n%s", log)
		}
		cancel()
		if err := errors.Join(<-done, waiting.Close()); err != nil {
			t.Error(err)
		}
	})
}
