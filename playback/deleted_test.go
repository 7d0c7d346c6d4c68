package playback

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/media"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// A day whose recordings are deleted one by one, while nobody lists, is looked at once when someone does.
func TestDaysOfDeletedFootage(t *testing.T) {
	a, b := Span{"2026-11-20", 0, 10}, Span{"2026-11-21", 10, 20}
	x := newListings(1 << 20)
	x.keepDays(7, []Span{a, b}, 0)
	for range 1000 {
		x.addDayLocked(&Change{Stream: Stream{id: 7}, Day: a, Listed: true, deleted: true})
		x.addDayLocked(&Change{Stream: Stream{id: 7}, Day: b, Listed: true, deleted: true})
	}
	if got := x.days[7].unsure; !slices.Equal(got, []Span{a, b}) {
		t.Errorf("%d days are unsure", len(got))
	}
}

// hungObject is a sample file on another disk, which hangs until back is closed, where there is one.
type hungObject struct {
	io.ReaderAt
	back chan struct{}
}

func (h *hungObject) Device() int64 { return 2 }

func (h *hungObject) Keep() (store.Reader, error) {
	if h.back != nil {
		<-h.back
		return nil, errors.New("it was away")
	}
	return h.ReaderAt.(keptObject).Keep()
}

// Footage that is deleted from a disk that hangs, while a reader has it open, holds up no news for long, and none of what is
// deleted from other disks.
func TestDeletedFromADiskThatHangs(t *testing.T) {
	data := t.TempDir()
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, name := range []string{"bad", "good"} {
		if err := footage.Make(t.Context(), data, footage.Camera{Name: name, Tiny: true, Start: noon, Duration: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	l, err := Open(t.Context(), Options{Data: data, Location: time.UTC, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	deleted := map[schema.RecordingID]bool{}
	files := map[string]*File{}
	var hung []*hungObject
	for _, name := range []string{"bad", "good"} {
		s, err := l.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		day, err := l.WholeDay(t.Context(), s, l.DayAt(media.FromTime(noon)))
		if err != nil {
			t.Fatal(err)
		}
		if files[name], err = l.Open(t.Context(), day, "a test"); err != nil {
			t.Fatal(err)
		}
		defer files[name].Close()
		for i := range files[name].Parts() {
			r := recordingOf(&files[name].Parts()[i])
			if name == "bad" {
				hung = append(hung, &hungObject{ReaderAt: r.object})
				r.object = hung[len(hung)-1]
			}
			deleted[r.id] = true
		}
	}
	synctest.Test(t, func(t *testing.T) {
		back := make(chan struct{})
		for _, h := range hung {
			h.back = back
		}
		began, told := time.Now(), time.Duration(-1)
		l.release(context.Background(), deleted, func() { told = time.Since(began) })
		if took := time.Since(began); told != 0 || took != store.AnswerWithin {
			t.Errorf("news came after %v, and the next can after %v", told, took)
		}
		if n := len(files["good"].pins); n == 0 {
			t.Error("what was deleted from the other disk is not kept for its reader")
		}
		if !strings.Contains(log.String(), store.ErrNoAnswer.Error()) {
			t.Errorf("the log is %s", &log)
		}
		l.keep(context.Background())
		if took := time.Since(began); took != store.AnswerWithin || strings.Count(log.String(), store.ErrNoAnswer.Error()) != 1 {
			t.Errorf("it is waited for again, until %v, or the log says so again: %s", took, &log)
		}
		close(back)
		synctest.Wait()
		if n := len(files["bad"].pins); n > 0 {
			t.Errorf("%d recordings are kept that the disk did not give", n)
		}
		for _, h := range hung {
			h.back = nil
		}
		l.keep(context.Background())
		if n := len(files["bad"].pins); n == 0 || len(l.toKeep.left) > 0 {
			t.Errorf("when the disk is back, %d recordings are kept, and %d directories are left", n, len(l.toKeep.left))
		}
	})
}

// Who keeps deleted footage open for too long loses it, and is named in the log, also where nothing is read.
func TestReadersLoseDeletedFootage(t *testing.T) {
	data := t.TempDir()
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	if err := footage.Make(t.Context(), data, footage.Camera{Name: "cam", Tiny: true, Start: noon, Duration: 2 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	l, err := Open(t.Context(), Options{Data: data, Location: time.UTC, Log: slog.New(slog.NewTextHandler(&log, nil))})
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
	database, err := dir.Database(filepath.Join(data, schema.DefaultSampleDir))
	if err != nil {
		t.Fatal(err)
	}
	samples, err := dir.Open(filepath.Join(data, schema.DefaultSampleDir), database)
	if err != nil {
		t.Fatal(err)
	}
	var files []*File
	for _, name := range []string{"process 7 (cp)", "HTTP from 192.0.2.7:1234", "process 7 (cp)"} { // cp has opened it twice
		f, err := l.Open(t.Context(), day, name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	synctest.Test(t, func(t *testing.T) {
		id := recordingOf(&files[0].Parts()[0]).id
		key := store.Key{Stream: "cam", Number: id.Number()}
		l.release(context.Background(), map[schema.RecordingID]bool{id: true}, func() {})
		all := make([]byte, day.Size)
		read := func() (errs []error) {
			for _, f := range files {
				_, err := f.ReadAt(all, 0)
				errs = append(errs, err)
			}
			return errs
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), `reader="HTTP from 192.0.2.7:1234, process 7 (cp)"`) {
			t.Errorf("the log has %d lines: %s", n, &log)
		}
		time.Sleep(store.ReadersKeep - time.Second)
		l.loseOld()
		if err := errors.Join(read()...); err != nil || !samples.InUse(key) {
			t.Errorf("after a little less than %v: %v", store.ReadersKeep, err)
		}
		time.Sleep(time.Second)
		l.loseOld()
		l.loseOld()
		if n := strings.Count(log.String(), "footage that a reader has open was deleted"); n != 2 ||
			!strings.Contains(log.String(), `reader="process 7 (cp)"`) || !strings.Contains(log.String(), `reader="HTTP from 192.0.2.7:1234"`) {
			t.Errorf("the log says so %d times: %s", n, &log)
		}
		if samples.InUse(key) {
			t.Error("the deleted sample file is still open")
		}
		for _, err := range read() {
			if !errors.Is(err, ErrLost) {
				t.Errorf("after %v: %v", store.ReadersKeep, err)
			}
		}
		second := files[0].Parts()[1]
		if _, err := second.Object.ReadAt(make([]byte, second.Length), second.Offset); err != nil {
			t.Errorf("what was not deleted: %v", err)
		}
		for _, f := range files {
			f.Close()
		}
		if n := len(l.pins.of); n > 0 {
			t.Errorf("%d recordings are kept for nobody", n)
		}
	})
}
