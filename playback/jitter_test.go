package playback_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/schema"
)

// jitteryDay makes the rows of a day of a camera whose frames come a tick early or late now and then, with 2 to 30 changes of their
// duration a minute, and sound. There are no sample files.
func jitteryDay(t testing.TB, dir string, runs bool) {
	t.Helper()
	const seed = 7
	rnd := rand.New(rand.NewPCG(seed, 0))
	db, err := schema.Create(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Write(t.Context(), func(tx *schema.Tx) error {
		s, err := tx.Stream("cam", "main")
		if err != nil {
			return err
		}
		run, err := tx.Run(s.ID, "run", media.FromTime(noon))
		if err != nil {
			return err
		}
		entries := []media.SampleEntry{
			{Kind: media.Video, Codec: "avc1.640028", Timescale: 90000, Width: 1920, Height: 1080, Box: []byte("avc1box1")},
			{Kind: media.Audio, Codec: "mp4a.40.2", Timescale: 48000, Box: []byte("mp4abox1")},
		}
		var ids []int64
		for _, e := range entries {
			id, err := tx.SampleEntry(e)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		var next [2]int64
		for n := range int64(24 * 60) {
			x := minuteOf(rnd, entries, &next)
			for i, id := range ids {
				x.SetEntry(i, id)
			}
			r := schema.Recording{
				ID: schema.MakeRecordingID(s.ID, n+1), Run: run, Dir: 1, Sequence: int(n), Start90k: media.FromTime(midnight) + n*60*90000,
				WallDuration90k: 60 * 90000, HeaderBytes: 900, Bytes: 30_000_000, Sealed: true, Tracks: x.Tracks(), Digest: make([]byte, 32),
			}
			if !runs {
				for i := range r.Tracks {
					r.Tracks[i].Runs = ""
				}
			}
			if err := tx.PutRecording(&r, x.Bytes()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var midnight = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// minuteOf is the index of a minute, and moves on the times of both tracks.
func minuteOf(rnd *rand.Rand, entries []media.SampleEntry, next *[2]int64) *schema.Index {
	x := schema.NewIndex(entries)
	late := map[int]bool{} // of these frames the one before lasts a tick longer, and the frame itself one less
	for range (2 + rnd.IntN(29)) / 3 {
		late[1+rnd.IntN(1490)] = true
	}
	for gop := range 30 {
		f := schema.Fragment{HeaderLen: 700, Tracks: make([][]media.Sample, 2)}
		for i := range 50 {
			s := media.Sample{DTS: next[0], Duration: 3600, Size: 10_000 + rnd.Uint32N(9000), Sync: i == 0}
			switch n := gop*50 + i; {
			case late[n+1] && !late[n]:
				s.Duration++
			case late[n] && !late[n+1]:
				s.Duration--
			}
			f.Tracks[0] = append(f.Tracks[0], s)
			next[0] += int64(s.Duration)
		}
		for range 93 + gop%4 {
			f.Tracks[1] = append(f.Tracks[1], media.Sample{DTS: next[1], Duration: 1024, Size: 170 + rnd.Uint32N(30), Sync: true})
			next[1] += 1024
		}
		x.Add(f)
	}
	return x
}

// firstBytes opens the file of the day in a library that has just been opened, and reads its start.
func firstBytes(t testing.TB, dir string, n int) (first []byte, indexes int64, took time.Duration) {
	t.Helper()
	l, err := playback.Open(context.Background(), playback.Options{Data: dir, Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	start := time.Now()
	s, err := l.Stream(t.Context(), "cam")
	if err != nil {
		t.Fatal(err)
	}
	e, err := l.WholeDay(t.Context(), s, l.DayAt(media.FromTime(noon)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Open(t.Context(), e, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	queries := l.Stats().Queries
	first = make([]byte, n)
	if _, err := f.ReadAt(first, 0); err != nil {
		t.Fatal(err)
	}
	return first, l.Stats().Queries - queries, time.Since(start)
}

// The start of a day's file, which a player reads first, takes no packed index, however unsteady the camera is, and it is what the
// packed indexes say.
func TestFirstBytesOfAJitteryDayTakeNoIndex(t *testing.T) {
	const first = 16 << 10
	with, without := t.TempDir(), t.TempDir()
	jitteryDay(t, with, true)
	jitteryDay(t, without, false)
	got, indexes, _ := firstBytes(t, with, first)
	if indexes != 0 {
		t.Errorf("%d queries for the first %d bytes", indexes, first)
	}
	want, indexes, _ := firstBytes(t, without, first)
	if indexes == 0 {
		t.Error("the day is not jittery: nothing is lacking without the runs of its rows")
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("byte %d differs from what the indexes give", i)
		}
	}
	const all = 1 << 20 // all of stts, and more
	got, _, _ = firstBytes(t, with, all)
	if want, _, _ = firstBytes(t, without, all); string(got) != string(want) {
		t.Error("the tables differ from what the indexes give")
	}
}

// BenchmarkFirstOpenOfAJitteryDay also opens one whose rows have no runs, as old ones do.
func BenchmarkFirstOpenOfAJitteryDay(b *testing.B) {
	with, without := b.TempDir(), b.TempDir()
	jitteryDay(b, with, true)
	jitteryDay(b, without, false)
	var took [2]time.Duration
	least := [2]time.Duration{time.Hour, time.Hour}
	for b.Loop() {
		for i, dir := range []string{with, without} {
			_, _, t := firstBytes(b, dir, 16<<10)
			took[i] += t
			least[i] = min(least[i], t)
		}
	}
	ms := func(d time.Duration) float64 { return d.Seconds() * 1000 }
	b.ReportMetric(ms(took[0])/float64(b.N), "ms/open")
	b.ReportMetric(ms(least[0]), "least-ms/open")
	b.ReportMetric(ms(took[1])/float64(b.N), "ms/open-without-runs")
	b.ReportMetric(ms(least[1]), "least-ms/open-without-runs")
}
