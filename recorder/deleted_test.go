package recorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/recorder/internal/bench"
)

// library opens the footage of a yard, and follows it.
func (y *yard) library() (*playback.Library, *bench.LogBuffer) {
	y.t.Helper()
	log := new(bench.LogBuffer)
	lib, err := playback.Open(y.t.Context(), playback.Options{Data: y.r.o.Data, Location: time.UTC, Poll: time.Millisecond, Log: bench.NewLog(log)})
	if err != nil {
		y.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { lib.Run(ctx) })
	y.t.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := lib.Close(); err != nil {
			y.t.Error(err)
		}
	})
	return lib, log
}

// day lists the hour of dawn, and returns the entry of the whole day.
func (y *yard) day(lib *playback.Library, label string) (hour []*playback.Entry, day *playback.Entry, err error) {
	ctx := y.t.Context()
	s, err := lib.Stream(ctx, label)
	if err != nil {
		return nil, nil, err
	}
	span, err := lib.Day(ctx, s, "2026-03-14")
	if err != nil {
		return nil, nil, err
	}
	hours, err := lib.Hours(ctx, s, span)
	if err == nil && len(hours) == 0 {
		err = playback.ErrNotFound // of the day, a moment ago there was more
	}
	if err != nil {
		return nil, nil, err
	}
	if hour, err = lib.Entries(ctx, s, hours[0]); err != nil {
		return nil, nil, err
	}
	day, err = lib.WholeDay(ctx, s, span)
	return hour, day, err
}

// follower returns a function that waits until a library has taken in what has changed so far. Stream 1 is for that.
func (y *yard) follower(lib *playback.Library) func() {
	marks := make(chan time.Time, 100)
	y.t.Cleanup(lib.Subscribe(func(changes []playback.Change) {
		for _, c := range changes {
			if c.Stream.Label == "mark" {
				marks <- media.ToTime(c.Hour.From90k)
			}
		}
	}))
	hour := bench.Dawn
	return func() {
		y.t.Helper()
		hour = hour.Add(time.Hour)
		y.record(1, hour, 1)()
		for timeout := time.After(20 * time.Second); ; {
			select {
			case m := <-marks:
				if m.Equal(hour) {
					return
				}
			case <-timeout:
				y.t.Fatal("the library does not follow")
			}
		}
	}
}

func readAll(t *testing.T, f *playback.File) []byte {
	t.Helper()
	all, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDeletedFootageIsReadToItsEnd(t *testing.T) {
	y := newYard(t, Options{Streams: streamsOf(Limits{}, "cam", "mark")})
	samples := filepath.Join(y.r.o.Data, "samples", "cam")
	y.record(0, bench.Dawn, 12)()
	lib, log := y.library()
	followed := y.follower(lib)
	entries, day, err := y.day(lib, "cam")
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	// What it should be, by another library, so that this one has generated no tables.
	other, _ := y.library()
	_, otherDay, err := y.day(other, "cam")
	if err != nil {
		t.Fatal(err)
	}
	f, err := other.Open(t.Context(), otherDay, "other")
	if err != nil {
		t.Fatal(err)
	}
	want := readAll(t, f)
	f.Close()

	var files []*playback.File
	for i := range 3 {
		f, err := lib.Open(t.Context(), day, fmt.Sprintf("process %d", i))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	head := make([]byte, len(want)/3)
	if _, err := files[2].ReadAt(head, 0); err != nil { // has some of it open, and in the caches
		t.Fatal(err)
	}
	y.r.streams[0].limits.Age = time.Second
	y.now = bench.Dawn.Add(time.Minute + time.Second)
	y.round()
	y.r.streams[0].limits.Age = 0
	followed()
	left := len(y.numbers(0))
	if left == 0 || left == 12 {
		t.Fatalf("%d recordings are left", left)
	}
	bench.Eventually(t, "the listing shrinks", func() bool {
		_, now, err := y.day(lib, "cam")
		return err == nil && now.Size < day.Size
	})
	bench.Eventually(t, "the log says who reads", func() bool {
		return strings.Contains(log.String(), "deleted footage is still being read") && strings.Contains(log.String(), `reader="process 0, process 1, process 2"`)
	})
	if _, err := lib.Open(t.Context(), day, "late"); !errors.Is(err, playback.ErrStale) {
		t.Errorf("an entry that has lost footage opens: %v", err)
	}
	y.now = y.now.Add(unlinkAfter + time.Second)
	y.round()
	if got, about := len(y.files("cam")), len(y.garbage()); got != 12 || about != 12-left {
		t.Fatalf("%d files are left, of 12 that are read, and %d count as about to be free", got, about)
	}
	y.r.streams[0].limits.Age = time.Second
	y.now = y.now.Add(2 * time.Minute)
	y.round() // the rest
	followed()
	bench.Eventually(t, "the day is gone", func() bool {
		_, _, err := y.day(lib, "cam")
		return errors.Is(err, playback.ErrNotFound)
	})
	y.now = y.now.Add(unlinkAfter + time.Second)
	y.round()
	var wg sync.WaitGroup
	for _, f := range files {
		wg.Go(func() {
			if got := readAll(t, f); !bytes.Equal(got, want) || !bytes.Equal(head, want[:len(head)]) {
				t.Errorf("%d bytes read, of %d, or others", len(got), len(want))
			}
		})
	}
	wg.Wait()
	if open := bench.OpenUnder(t, samples); len(open) != 12 {
		t.Errorf("open for the readers: %q\n%s", open, log)
	}
	for _, f := range files {
		f.Close()
	}
	bench.Eventually(t, "nothing deleted is open", func() bool { return len(bench.OpenUnder(t, samples)) == 0 })
	y.unlinked()
	if got := y.files("cam"); len(got) > 0 {
		t.Errorf("when nobody reads any more, there are %q", got)
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Error(log)
	}
}

// TestReadersBesideRetention opens and reads whatever is listed, while all of it is deleted and unlinked.
func TestReadersBesideRetention(t *testing.T) {
	y := newYard(t, Options{Streams: append(streamsOf(Limits{Age: time.Second}, "cam"), streamsOf(Limits{}, "mark")...)})
	lib, log := y.library()
	followed := y.follower(lib)
	samples := filepath.Join(y.r.o.Data, "samples", "cam")
	for round := range 3 {
		from := bench.Dawn.Add(time.Duration(round) * 10 * time.Minute)
		y.record(0, from, 8)()
		bench.Eventually(t, "the footage is seen", func() bool { _, _, err := y.day(lib, "cam"); return err == nil })
		stop, began := make(chan struct{}), make(chan struct{}, 3)
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				for n := 0; ; n++ {
					if n == 1 {
						began <- struct{}{}
					}
					select {
					case <-stop:
						return
					default:
					}
					_, day, err := y.day(lib, "cam")
					if err != nil {
						continue
					}
					f, err := lib.Open(t.Context(), day, fmt.Sprintf("process %d", i))
					if errors.Is(err, playback.ErrStale) || errors.Is(err, playback.ErrNotFound) {
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, f.Size())); err != nil {
						t.Errorf("read: %v", err)
					}
					f.Close()
				}
			})
		}
		for range 3 {
			<-began
		}
		for i := range 5 {
			y.now = from.Add(time.Duration(i+1) * 20 * time.Second)
			y.round()
			followed()
		}
		close(stop)
		wg.Wait()
	}
	y.now = y.now.Add(time.Hour)
	y.round()
	y.unlinked()
	bench.Eventually(t, "nothing deleted is open", func() bool { return len(bench.OpenUnder(t, samples)) == 0 })
	if strings.Contains(log.String(), "level=ERROR") {
		t.Error(log)
	}
}
