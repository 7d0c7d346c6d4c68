package local_test

import (
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/playback/local"
	"nvrfs/schema"
	"nvrfs/store"
)

// lockedLog is a log that is read while it is written.
type lockedLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestHungDiskIsSaid: where a reader waits for a disk that hangs, the log says so within seconds: who, and for which one.
func TestHungDiskIsSaid(t *testing.T) {
	dir := t.TempDir()
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	if err := footage.Make(t.Context(), dir, footage.Camera{Name: "cam", Tiny: true, Start: noon, Duration: time.Minute}); err != nil {
		t.Fatal(err)
	}
	log := new(lockedLog)
	src, err := local.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := playback.New(t.Context(), src, playback.Options{Location: time.UTC, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := l.Stream(t.Context(), "cam")
	if err != nil {
		t.Fatal(err)
	}
	day, err := l.WholeDay(t.Context(), s, l.DayAt(media.FromTime(noon)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Open(t.Context(), day, "process 4711")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	path := schema.SampleDirPath(dir, schema.DefaultSampleDir)
	synctest.Test(t, func(t *testing.T) {
		back := make(chan struct{})
		if err := src.HangReads(path, back); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, f.Size()))
			done <- err
		}()
		time.Sleep(2*store.AnswerWithin + time.Second)
		synctest.Wait()
		for _, want := range []string{"the disk does not answer; reading waits for it", "path=" + path, `reader="process 4711"`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %s: %s", want, log)
			}
		}
		close(back)
		if err := <-done; err != nil {
			t.Error(err)
		}
		time.Sleep(3 * store.AnswerWithin)
		synctest.Wait()
		if !strings.Contains(log.String(), "the disk answers again; reading goes on") {
			t.Errorf("that it is over is not said: %s", log)
		}
		src.Forget(func(schema.RecordingID) bool { return true })
	})
}
