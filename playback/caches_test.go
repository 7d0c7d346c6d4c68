package playback_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/playback/lru"
	"nvrfs/schema"
)

// readAll opens an entry, and reads it to its end.
func readAll(t *testing.T, l *playback.Library, e *playback.Entry) {
	t.Helper()
	f := openEntry(t, l, e)
	defer f.Close()
	if _, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, f.Size())); err != nil {
		t.Error(err)
	}
}

// twoDays is footage from before midnight until after, with a gap in each day.
func twoDays(name string) footage.Camera {
	return footage.Camera{
		Name: name, Tiny: true, Start: time.Date(2026, 11, 20, 22, 58, 0, 0, time.UTC), Duration: 68 * time.Minute,
		Gaps: []footage.Gap{{At: time.Minute, For: 10 * time.Second}, {At: 65 * time.Minute, For: 20 * time.Second}},
	}
}

func TestListingAndOpeningAgainAsksNoDatabase(t *testing.T) {
	dir := t.TempDir()
	makeFootage(t, dir, twoDays("cam"))
	l := openLibrary(t, playback.Options{Data: dir})
	var before playback.Stats
	for round := range 3 { // after the first, what lies ahead is listed
		if _, err := l.Streams(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, all := list(t, l, "cam")
		for _, e := range all {
			readAll(t, l, e.Entry)
			readAll(t, l, e.Entry)
		}
		if round == 0 {
			day, err := l.WholeDay(t.Context(), s, all[0].day)
			if err != nil {
				t.Fatal(err)
			}
			readAll(t, l, day)
			l.WaitAhead()
			queries := l.Stats().Queries
			readAll(t, l, day)
			if got := l.Stats().Queries; got != queries {
				t.Errorf("the day's file, opened again, took %d queries", got-queries)
			}
		}
		l.WaitAhead()
		if round == 1 {
			before = l.Stats()
		}
	}
	if got := l.Stats(); got.Queries != before.Queries || before.Queries == 0 {
		t.Errorf("listing and reading all again took %d queries, after %d at first", got.Queries-before.Queries, before.Queries)
	}
}

// A day is listed by a few queries, however many recordings it has, besides a short one for each of its hours.
func TestListingADayTakesFewQueries(t *testing.T) {
	dir := t.TempDir()
	makeFootage(t, dir, twoDays("cam"))
	l := openLibrary(t, playback.Options{Data: dir})
	ctx := t.Context()
	s, err := l.Stream(ctx, "cam")
	if err != nil {
		t.Fatal(err)
	}
	day := l.DayAt(media.FromTime(twoDays("cam").Start))
	before := l.Stats().Queries
	hours, err := l.Hours(ctx, s, day)
	if err != nil || len(hours) != 2 {
		t.Fatal(hours, err)
	}
	for _, h := range hours {
		if entries, err := l.Entries(ctx, s, h); err != nil || len(entries) == 0 {
			t.Error(entries, err)
		}
	}
	l.WaitAhead()
	// The newest recording, the day's recordings, and two sample entries; when the first recording of each hour starts, and
	// that there is no other.
	if got, most := l.Stats().Queries-before, int64(4+len(hours)+1); got > most {
		t.Errorf("it took %d queries, more than %d", got, most)
	}
}

func TestCachesStayWithinTheirBound(t *testing.T) {
	dir := t.TempDir()
	makeFootage(t, dir, twoDays("cam"), twoDays("yard"))
	const bound = 30_000
	l := openLibrary(t, playback.Options{Data: dir, Cache: bound})
	full := false
	check := func() {
		t.Helper()
		s := l.Stats()
		for name, c := range map[string]lru.Stats{"listings": s.Listings, "files": s.Files, "tables": s.Tables} {
			if c.Cost > c.Max || c.Cost < 0 || c.Items > 0 && c.Cost == 0 {
				t.Errorf("%s take %d bytes of %d", name, c.Cost, c.Max)
			}
			full = full || c.Cost > c.Max/2
		}
		if s.Listings.Max+s.Files.Max+s.Tables.Max > bound {
			t.Errorf("the bounds of the caches are more than %d together: %+v", bound, s)
		}
	}
	for _, name := range []string{"cam", "yard", "cam"} {
		s, all := list(t, l, name)
		check()
		for _, e := range all {
			readAll(t, l, e.Entry)
			check()
			day, err := l.WholeDay(t.Context(), s, e.day)
			if err != nil {
				t.Fatal(err)
			}
			readAll(t, l, day)
			check()
		}
	}
	if !full {
		t.Error("nothing was kept")
	}
}

// show lists everything of a stream.
func show(t *testing.T, l *playback.Library, label string) string {
	t.Helper()
	ctx := t.Context()
	var b strings.Builder
	s, err := l.Stream(ctx, label)
	if err != nil {
		return err.Error()
	}
	days, err := l.Days(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range days {
		hours, err := l.Hours(ctx, s, day)
		if err != nil {
			t.Fatal(err)
		}
		for _, hour := range hours {
			entries, err := l.Entries(ctx, s, hour)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				fmt.Fprintln(&b, day.Name, hour.Name, e.Name, e.Size, e.ETag, e.Order, e.End)
			}
		}
	}
	return b.String()
}

// What a library lists after many changes that it followed is what one lists that was opened after them.
func TestListingsFollowChanges(t *testing.T) {
	for seed := range uint64(2) {
		dir := t.TempDir()
		rnd := rand.New(rand.NewPCG(seed, 6))
		c := footage.Camera{Name: "cam", Tiny: true, Start: time.Date(2026, 11, 20, 21, 59, 0, 0, time.UTC), RecordingLength: 6 * time.Second}
		g, err := footage.NewGrower(t.Context(), dir, c)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		l := openLibrary(t, playback.Options{Data: dir, Poll: time.Millisecond})
		run(t, l)
		for step := range 25 {
			change(t, dir, g, rnd)
			want := show(t, openLibrary(t, playback.Options{Data: dir}), "cam")
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
				got := show(t, l, "cam")
				if got == want {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("seed %d, step %d: listed is\n%s, want\n%s", seed, step, got, want)
				}
			}
		}
	}
}

// change records on, after a gap at times, or deletes the oldest.
func change(t *testing.T, dir string, g *footage.Grower, rnd *rand.Rand) {
	t.Helper()
	var err error
	switch rnd.IntN(4) {
	case 0:
		_, err = g.Gap(t.Context(), time.Duration(rnd.IntN(90))*time.Minute)
		fallthrough
	case 1, 2:
		for range 1 + rnd.IntN(8) {
			if err == nil {
				err = g.Grow(t.Context())
			}
		}
	case 3:
		err = deleteOldest(t, dir, 1+rnd.IntN(6))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func deleteOldest(t *testing.T, dir string, n int) error {
	db, err := schema.OpenExisting(t.Context(), dir)
	if err != nil {
		return err
	}
	defer db.Close()
	streams, err := db.Streams(t.Context())
	if err != nil {
		return err
	}
	return db.Write(t.Context(), func(tx *schema.Tx) error {
		victims, err := tx.Oldest(streams[0].ID, 0, n)
		for _, v := range victims {
			if err == nil {
				err = tx.Delete(v, media.FromTime(time.Now()))
			}
		}
		return err
	})
}

// A recording whose row is damaged costs the hour that it is in, and no other.
func TestDamagedRow(t *testing.T) {
	listing := func(text string) func(*testing.T, string, schema.RecordingID) {
		return func(t *testing.T, dir string, id schema.RecordingID) {
			db, err := sql.Open("sqlite3", filepath.Join(dir, schema.FileName))
			if err == nil {
				_, err = db.Exec(`UPDATE recording SET listing = ? WHERE id = ?`, text, id)
			}
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, damage := range map[string]func(*testing.T, string, schema.RecordingID){
		"a listing that is none":           listing("? ?"),
		"a listing of no bytes":            listing(""),
		"a sample entry that there is not": loseEntry,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			makeFootage(t, dir, twoDays("cam"))
			l := openLibrary(t, playback.Options{Data: dir})
			ctx := t.Context()
			s, err := l.Stream(ctx, "cam")
			if err != nil {
				t.Fatal(err)
			}
			damage(t, dir, schema.MakeRecordingID(int64(s.ID()), 1))
			for range 2 {
				hours, err := l.Hours(ctx, s, l.DayAt(media.FromTime(twoDays("cam").Start)))
				if err != nil || len(hours) != 2 {
					t.Fatalf("hours %v, %v", hours, err)
				}
				if entries, err := l.Entries(ctx, s, hours[0]); err == nil {
					t.Errorf("the hour is listed: %v", entries)
				}
				if entries, err := l.Entries(ctx, s, hours[1]); err != nil || len(entries) == 0 {
					t.Errorf("the other hour: %v, %v", entries, err)
				}
			}
		})
	}
}

// loseEntry has a recording refer to a sample entry that there is not.
func loseEntry(t *testing.T, dir string, id schema.RecordingID) {
	t.Helper()
	db, err := schema.OpenExisting(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, ok, err := db.Recording(t.Context(), id)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	r.Tracks[0].Entry = 99
	err = db.Write(t.Context(), func(tx *schema.Tx) (err error) {
		if err = tx.Forget(id); err != nil { // and the run, of which it is the only one
			return err
		}
		if r.Run, err = tx.Run(id.Stream(), "again", r.Start90k); err != nil {
			return err
		}
		return tx.PutRecording(&r, []byte{1})
	})
	if err != nil {
		t.Fatal(err)
	}
}
