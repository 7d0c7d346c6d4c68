package playback_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/playback"
	"nvrfs/playback/local"
)

// seed returns the seed of a random test, which it logs.
func seed(t *testing.T) uint64 {
	s := rand.Uint64()
	t.Logf("seed %d", s)
	return s
}

// libraryOf opens a source.
func libraryOf(t *testing.T, src playback.Source) *playback.Library {
	t.Helper()
	l, err := playback.New(t.Context(), src, playback.Options{Location: time.UTC, Poll: time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// checkReads is what every file that is read at random must pass, of which want is the content.
func checkReads(t *testing.T, name string, f *playback.File, want []byte, seed uint64) {
	t.Helper()
	size := int64(len(want))
	if f.Size() != size {
		t.Errorf("%s: its size is %d, want %d", name, f.Size(), size)
		return
	}
	read := func(off, n int64) {
		p := make([]byte, n)
		got, err := f.ReadAt(p, off)
		end := min(size, off+n)
		if off >= size {
			end = off
		}
		if int64(got) != end-off || !bytes.Equal(p[:got], want[min(off, size):end:end][:got]) || (err == nil) != (off+n <= size) || err != nil && err != io.EOF {
			t.Errorf("%s: %d bytes at %d of %d: %d, %v", name, n, off, size, got, err)
		}
	}
	edges := []int64{0, 1, size}
	at := size
	for i := len(f.Parts()) - 1; i >= 0; i-- { // each part ends where the next one starts
		at -= f.Parts()[i].Length
		edges = append(edges, at)
	}
	for _, edge := range edges {
		for off := max(0, edge-1); off <= edge+1; off++ {
			read(off, 1)
			read(off, 2)
			read(off, 3000)
		}
	}
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, g))
			for range 50 {
				off := rnd.Int64N(size)
				read(off, rnd.Int64N(min(size-off, 100_000)+2))
			}
		})
	}
	wg.Wait()
	read(0, size)
}

// all finds every entry of a Library, days and clips included.
func all(t *testing.T, l *playback.Library) (found []*playback.Entry) {
	t.Helper()
	streams, err := l.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	add := func(e *playback.Entry, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, e)
	}
	for _, s := range streams {
		_, entries := list(t, l, s.Label)
		for i, e := range entries {
			found = append(found, e.Entry)
			add(l.Clip(t.Context(), s, e.Start.Add(7*time.Second/3), e.End.Add(-time.Second)))
			if i == 0 || e.day != entries[i-1].day {
				add(l.WholeDay(t.Context(), s, e.day))
			}
		}
	}
	return found
}

// describe says everything that is told of the streams of a Library and of its entries, but ids of streams.
func describe(t *testing.T, l *playback.Library, entries []*playback.Entry) string {
	t.Helper()
	var b strings.Builder
	sums, err := l.View(nil).Summaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sums {
		fmt.Fprintln(&b, s.Label, s.Camera, s.Name, s.First, s.Last, s.Recordings, s.Bytes, s.Days)
		spans, err := l.RecordedSpans(t.Context(), s.Stream, 0, 1<<62)
		fmt.Fprintln(&b, spans, err)
		runs, err := l.Runs(t.Context(), s.Stream, 0, 1<<62)
		fmt.Fprintln(&b, runs, err)
	}
	for _, e := range entries {
		info, err := l.Info(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(info)
		fmt.Fprintln(&b, e.Name, e.Size, e.Start, e.End, e.ETag, e.ID, e.Order, e.Newest(), string(text), err)
	}
	return b.String()
}

// Wherever recordings lie, entries have the same names, sizes, ETags, IDs and bytes, also where an entry is of several sources.
func TestSameFromEverySource(t *testing.T) {
	seed := seed(t)
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	yard := footage.Camera{Name: "yard", Stream: "sub", NoAudio: true, Start: noon, Duration: 40 * time.Second, RecordingLength: 15 * time.Second}
	makeFootage(t, dir, twoDays("cam"), yard)
	near := func() playback.Source {
		src, err := local.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	want := libraryOf(t, near())
	entries := all(t, want)
	if len(entries) < 12 {
		t.Fatalf("there are %d entries", len(entries))
	}
	var contents [][]byte
	for _, e := range entries {
		f := openEntry(t, want, e)
		content, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, content)
	}
	wanted := describe(t, want, entries)
	for _, c := range []struct {
		name    string
		src     playback.Source
		inFiles bool
	}{
		{"a data directory", near(), true},
		{"one object", loadSource(t, dir, rnd), false},
		{"both", unionSource{near(), loadSource(t, dir, rnd)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := libraryOf(t, c.src)
			entries := all(t, l)
			if got := describe(t, l, entries); got != wanted {
				t.Fatalf("there is\n%s, want\n%s", got, wanted)
			}
			lent := 0
			for i, e := range entries {
				f := openEntry(t, l, e)
				checkReads(t, e.Name, f, contents[i], seed)
				for off := int64(0); off < f.Size(); off += 1000 {
					f.WithFile(off, 1, func(uintptr, int64, int64) int64 { lent++; return 1 })
				}
			}
			if (lent > 0) != c.inFiles {
				t.Errorf("files were lent %d times", lent)
			}
		})
	}
}

// What is deleted from a source that cannot keep it is listed no more, and is read on by those who have it open for as long as the
// source has it.
func TestDeletedFromASourceThatKeepsNothing(t *testing.T) {
	dir := t.TempDir()
	makeFootage(t, dir, footage.Camera{Name: "cam", Tiny: true, Start: noon, Duration: 3 * time.Minute})
	src := loadSource(t, dir, rand.New(rand.NewPCG(seed(t), 0)))
	l := libraryOf(t, src)
	run(t, l)
	_, entries := list(t, l, "cam")
	e := entries[0].Entry
	f := openEntry(t, l, e)
	content, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	src.remove(src.streams[0].ID)
	waitForEntry(t, l, func(x *playback.Entry) bool { return x.ETag != e.ETag })
	if again, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size())); err != nil || !bytes.Equal(again, content) {
		t.Errorf("read on: %v", err)
	}
	if _, err := l.Open(context.Background(), e, "a test"); !errors.Is(err, playback.ErrStale) {
		t.Errorf("opened as it was: %v", err)
	}
}
