package playback_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nvrfs/camera"
	"nvrfs/integration/footage"
	"nvrfs/integration/mp4check"
	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/schema"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func makeFootage(t *testing.T, dir string, cameras ...footage.Camera) {
	t.Helper()
	if err := footage.Make(t.Context(), dir, cameras...); err != nil {
		t.Fatal(err)
	}
}

func openLibrary(t *testing.T, o playback.Options) *playback.Library {
	t.Helper()
	if o.Location == nil {
		o.Location = time.UTC
	}
	o.Log = slog.New(slog.DiscardHandler)
	l, err := playback.Open(t.Context(), o)
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

// listed is an entry with where it is listed.
type listed struct {
	*playback.Entry
	day, hour playback.Span
}

func list(t *testing.T, l *playback.Library, label string) (s playback.Stream, all []listed) {
	t.Helper()
	ctx := t.Context()
	s, err := l.Stream(ctx, label)
	if err != nil {
		t.Fatal(err)
	}
	days, err := l.Days(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range days {
		if again, err := l.Day(ctx, s, day.Name); err != nil || again != day {
			t.Errorf("day %v by its name: %v, %v", day, again, err)
		}
		hours, err := l.Hours(ctx, s, day)
		if err != nil {
			t.Fatal(err)
		}
		for _, hour := range hours {
			if again, err := l.Hour(ctx, s, day, hour.Name); err != nil || again != hour {
				t.Errorf("hour %v by its name: %v, %v", hour, again, err)
			}
			entries, err := l.Entries(ctx, s, hour)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) == 0 {
				t.Errorf("hour %s of %s has no entries", hour.Name, day.Name)
			}
			for _, e := range entries {
				all = append(all, listed{e, day, hour})
			}
		}
	}
	return s, all
}

func openEntry(t *testing.T, l *playback.Library, e *playback.Entry) *playback.File {
	t.Helper()
	f, err := l.Open(t.Context(), e, "test")
	if err != nil {
		t.Fatal(err)
	}
	if f.Size() != e.Size || !f.ModTime().Equal(e.End) || f.ETag() != e.ETag {
		t.Errorf("file of %d bytes until %v with %s of entry %+v", f.Size(), f.ModTime(), f.ETag(), e)
	}
	return f
}

// frame is a picture of a file.
type frame struct {
	pts  int64 // 90 kHz
	sync bool
	data string
}

// frames reads the pictures that a file shows, in order of showing, and checks the file.
func frames(t *testing.T, f *playback.File) (shown []frame) {
	t.Helper()
	report, err := mp4check.Check(f, f.Size())
	if err != nil {
		t.Fatal(err)
	}
	v := report.Tracks[0]
	from, to := int64(0), int64(1<<62)
	for _, e := range v.Edits {
		from, to = e.MediaTime, e.MediaTime+int64(e.Duration)*int64(v.Timescale)/int64(report.Timescale)
	}
	for _, x := range v.Samples {
		if x.CTS < from || x.CTS >= to {
			continue
		}
		data := make([]byte, x.Size)
		if _, err := f.ReadAt(data, x.Offset); err != nil {
			t.Fatal(err)
		}
		shown = append(shown, frame{x.CTS, x.Sync, string(data)})
	}
	slices.SortFunc(shown, func(a, b frame) int { return cmp.Compare(a.pts, b.pts) })
	return shown
}

func dataOf(shown []frame) (all []string) {
	for _, x := range shown {
		all = append(all, x.data)
	}
	return all
}

func TestEntries(t *testing.T) {
	dir := t.TempDir()
	makeFootage(t, dir, footage.Camera{
		Name: "cam", Tiny: true, Start: noon.Add(-5 * time.Minute), Duration: 15 * time.Minute,
		Gaps: []footage.Gap{{At: 3 * time.Minute, For: 1900 * time.Millisecond}, {At: 8 * time.Minute, For: 2100 * time.Millisecond}},
	})
	l := openLibrary(t, playback.Options{Data: dir})
	s, all := list(t, l, "cam")
	var names []string
	var apart []string
	for i, e := range all {
		names = append(names, e.Name)
		f := openEntry(t, l, e.Entry)
		apart = append(apart, dataOf(frames(t, f))...)
		start := media.FromTime(e.Start)
		if start < e.hour.From90k || start >= e.hour.To90k {
			t.Errorf("%s starts at %v, in hour %s", e.Name, e.Start, e.hour.Name)
		}
		if i > 0 && e.Start.Before(all[i-1].End) {
			t.Errorf("%s starts before the one before it ends", e.Name)
		}
		if e.ID < 1<<63 {
			t.Errorf("%s has ID %d, whose highest bit is 0", e.Name, e.ID)
		}
	}
	// The gap of 1.9 s is joined; after it, the first GOP of the hour starts 0.9 s late.
	want := []string{"cam_2026-11-20_11-55-00.mp4", "cam_2026-11-20_12-00-00.mp4", "cam_2026-11-20_12-03-03.mp4"}
	if !slices.Equal(names, want) {
		t.Errorf("entries %q, want %q", names, want)
	}
	days, err := l.Days(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := l.WholeDay(t.Context(), s, days[0])
	if err != nil {
		t.Fatal(err)
	}
	if whole.Name != "2026-11-20.mp4" || !whole.Start.Equal(all[0].Start) || !whole.End.Equal(all[len(all)-1].End) {
		t.Errorf("whole day %+v", whole)
	}
	if joined := dataOf(frames(t, openEntry(t, l, whole))); !slices.Equal(joined, apart) {
		t.Errorf("the whole day has %d pictures, its entries %d, or others", len(joined), len(apart))
	}
	if n := 25 * 60 * 15; len(apart) < n-25*5 || len(apart) > n {
		t.Errorf("%d pictures in 15 minutes", len(apart))
	}
}

// TestTimesAndAbsence lists the hour that a clock change repeats, and asks for what is not there.
func TestTimesAndAbsence(t *testing.T) {
	dir := t.TempDir()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	// The hour that is repeated: 00:00 to 02:00 UTC.
	start := time.Date(2026, 10, 25, 0, 58, 0, 0, time.UTC)
	makeFootage(t, dir,
		footage.Camera{Name: "cam", Tiny: true, Start: start, Duration: 4 * time.Minute},
		footage.Camera{Name: "cam", Stream: "sub", Tiny: true, NoAudio: true, Start: start, Duration: time.Minute})
	l := openLibrary(t, playback.Options{Data: dir, Location: berlin})
	ctx := t.Context()
	s, all := list(t, l, "cam")
	if len(all) != 2 || all[0].hour.Name != "02A+0200" || all[1].hour.Name != "02B+0100" ||
		all[0].Name != "cam_2026-10-25_02A-58-00+0200.mp4" || all[1].Name != "cam_2026-10-25_02B-00-00+0100.mp4" {
		t.Errorf("entries %+v", all)
	}
	if !all[0].End.Equal(start.Add(2*time.Minute)) || !all[1].Start.Equal(all[0].End) || !all[1].End.Equal(start.Add(4*time.Minute)) {
		t.Errorf("entries %+v, %+v", all[0].Entry, all[1].Entry)
	}
	streams, err := l.Streams(ctx)
	if err != nil || len(streams) != 2 || streams[0].Label != "cam" || streams[1].Label != "cam.sub" || streams[1].Camera != "cam" || streams[1].Name != "sub" {
		t.Errorf("streams %+v, %v", streams, err)
	}
	_, errStream := l.Stream(ctx, "other")
	_, errDay := l.Day(ctx, s, "2026-10-24")
	_, errNoDay := l.Day(ctx, s, "yesterday")
	_, errHour := l.Hour(ctx, s, all[0].day, "03")
	_, errNoHour := l.Hour(ctx, s, all[0].day, "02")
	_, errClip := l.Clip(ctx, s, start.Add(-time.Hour), start)
	_, errAfter := l.Clip(ctx, s, start.Add(4*time.Minute), start.Add(time.Hour))
	_, errWhole := l.WholeDay(ctx, s, playback.Span{Name: "2026-10-24", From90k: 0, To90k: 90000})
	for i, err := range []error{errStream, errDay, errNoDay, errHour, errNoHour, errClip, errAfter, errWhole} {
		if !errors.Is(err, playback.ErrNotFound) {
			t.Errorf("absence %d: %v", i, err)
		}
	}
	sums, err := l.View(nil).Summaries(ctx)
	if err != nil || len(sums) != 2 || sums[0].Stream != s || sums[1].Label != "cam.sub" || sums[1].Recordings != 1 {
		t.Fatalf("summaries %+v, %v", sums, err)
	}
	if sum := sums[0]; !sum.First.Equal(start) || !sum.Last.Equal(start.Add(4*time.Minute)) || sum.Days != 1 || sum.Recordings != 4 || sum.Bytes == 0 {
		t.Errorf("summary %+v", sum)
	}
}

func TestOpenEmptyDirectory(t *testing.T) {
	_, err := playback.Open(t.Context(), playback.Options{Data: t.TempDir(), Location: time.UTC})
	if !errors.Is(err, schema.ErrNotThere) {
		t.Error(err)
	}
}

// TestNameCollision has two runs start within a second.
func TestNameCollision(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		makeFootage(t, dir, footage.Camera{Name: "cam", Tiny: true, Start: noon.Add(time.Duration(i) * 100 * time.Millisecond), Duration: time.Minute})
	}
	l := openLibrary(t, playback.Options{Data: dir})
	_, all := list(t, l, "cam")
	var names []string
	seen := map[uint64]bool{}
	for _, e := range all {
		names = append(names, e.Name)
		if seen[e.ID] {
			t.Error("two entries have one ID")
		}
		seen[e.ID] = true
		if got := len(frames(t, openEntry(t, l, e.Entry))); got != 25*60 {
			t.Errorf("%s has %d pictures", e.Name, got)
		}
	}
	if want := []string{"cam_2026-11-20_12-00-00.mp4", "cam_2026-11-20_12-00-00-2.mp4", "cam_2026-11-20_12-00-00-3.mp4"}; !slices.Equal(names, want) {
		t.Errorf("entries %q, want %q", names, want)
	}
}

func bframes(t *testing.T) *camera.Clip {
	t.Helper()
	data, err := os.ReadFile("../mp4/demux/testdata/bframes.mp4")
	if err != nil {
		t.Fatal(err)
	}
	clip, err := camera.ParseClip(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return clip
}

// TestClipsShowExactlyTheirRange cuts at random, and at and beside frames, joints and gaps.
func TestClipsShowExactlyTheirRange(t *testing.T) {
	for name, c := range map[string]footage.Camera{
		"plain":    {},
		"B-frames": {Clip: bframes(t)},
		"no sound": {NoAudio: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.Name, c.Start, c.Duration, c.RecordingLength = "cam", noon.Add(3*time.Minute), 60*time.Second, 10*time.Second
			makeFootage(t, dir, c)
			gapEnd := c.Start.Add(90*time.Second + 12345*time.Microsecond)
			again := c
			again.Start, again.Duration = gapEnd, 30*time.Second
			makeFootage(t, dir, again)
			l := openLibrary(t, playback.Options{Data: dir})
			checkClips(t, l, wallFrames(t, l, []time.Time{c.Start, gapEnd}))
		})
	}
}

// wallFrame is a picture and its wall time.
type wallFrame struct {
	at90k int64
	data  string
}

// wallFrames lists the pictures of runs that start when starts says, and of which each has entries of its own.
func wallFrames(t *testing.T, l *playback.Library, starts []time.Time) (all []wallFrame) {
	t.Helper()
	_, entries := list(t, l, "cam")
	if len(entries) != len(starts) {
		t.Fatalf("%d entries of %d runs", len(entries), len(starts))
	}
	for i, e := range entries {
		shown := frames(t, openEntry(t, l, e.Entry))
		for _, x := range shown {
			all = append(all, wallFrame{media.FromTime(starts[i]) + x.pts - shown[0].pts, x.data})
		}
	}
	return all
}

func checkClips(t *testing.T, l *playback.Library, all []wallFrame) {
	t.Helper()
	s, err := l.Stream(t.Context(), "cam")
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(3, 3))
	first, last := all[0].at90k, all[len(all)-1].at90k
	edge := func() int64 {
		if rnd.IntN(2) == 0 {
			return all[rnd.IntN(len(all))].at90k + rnd.Int64N(3) - 1
		}
		return first - 90000 + rnd.Int64N(last-first+180000)
	}
	for range 50 {
		from, to := edge(), edge()
		if from > to {
			from, to = to, from
		}
		if rnd.IntN(4) == 0 {
			to = from + rnd.Int64N(9000)
		}
		var want []string
		for _, x := range all {
			if x.at90k >= from && x.at90k < to {
				want = append(want, x.data)
			}
		}
		e, err := l.Clip(t.Context(), s, media.ToTime(from), media.ToTime(to))
		if len(want) == 0 {
			if !errors.Is(err, playback.ErrNotFound) {
				t.Errorf("from %d to %d, where there is nothing: %v", from-first, to-first, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("from %d to %d: %v", from-first, to-first, err)
		}
		got := dataOf(frames(t, openEntry(t, l, e)))
		if !slices.Equal(got, want) {
			t.Fatalf("from %d to %d: %d pictures, want %d, or others", from-first, to-first, len(got), len(want))
		}
		if media.FromTime(e.Start) < from || media.FromTime(e.End) > to {
			t.Errorf("from %d to %d, the clip is from %v to %v", from-first, to-first, e.Start, e.End)
		}
	}
}

// TestClipOfCorrectedRecording cuts a recording whose wall time was led back, and runs 400 ppm faster than the camera.
func TestClipOfCorrectedRecording(t *testing.T) {
	dir := t.TempDir()
	start := noon.Add(3 * time.Minute)
	makeFootage(t, dir, footage.Camera{Name: "cam", Tiny: true, Start: start, Duration: 6 * time.Minute, RecordingLength: 3 * time.Minute, Grow: true})
	db, err := schema.Create(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	recs, err := db.StartingIn(t.Context(), 1, 0, 1<<62)
	if err != nil {
		t.Fatal(err)
	}
	r := recs[len(recs)-1]
	packed, err := db.PackedIndex(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	media90k := r.WallDuration90k
	r.WallDuration90k += media90k * 400 / 1_000_000
	if err := db.Write(t.Context(), func(tx *schema.Tx) error { return tx.PutRecording(&r, packed) }); err != nil {
		t.Fatal(err)
	}
	l := openLibrary(t, playback.Options{Data: dir})
	all := wallFrames(t, l, []time.Time{start})
	for i := range all {
		if in := all[i].at90k - r.Start90k; in > 0 {
			all[i].at90k = r.Start90k + (in*r.WallDuration90k+media90k/2)/media90k
		}
	}
	s, err := l.Stream(t.Context(), "cam")
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(4, 4))
	for range 25 {
		// Between frames: at a frame, the clocks' difference is less than a tick.
		i := rnd.IntN(len(all) - 1)
		n := rnd.IntN(len(all)-i-1) + 1
		from, to := all[i].at90k-1800, all[i+n].at90k-1800
		e, err := l.Clip(t.Context(), s, media.ToTime(from), media.ToTime(to))
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, x := range all[i : i+n] {
			want = append(want, x.data)
		}
		if got := dataOf(frames(t, openEntry(t, l, e))); !slices.Equal(got, want) {
			t.Fatalf("pictures %d to %d: %d are shown", i, i+n, len(got))
		}
	}
}

// A day of one entry has the bytes of that entry, and yet is another file: an ID is that of one file in one place.
func TestDayOfOneEntry(t *testing.T) {
	dir := t.TempDir()
	makeFootage(t, dir, footage.Camera{Name: "cam", Tiny: true, Start: noon, Duration: time.Minute, Grow: true})
	l := openLibrary(t, playback.Options{Data: dir})
	s, all := list(t, l, "cam")
	day, err := l.WholeDay(t.Context(), s, all[0].day)
	if err != nil || len(all) != 1 {
		t.Fatal(len(all), err)
	}
	if e := all[0].Entry; day.ID == e.ID || day.ETag == e.ETag || day.Size != e.Size {
		t.Errorf("the entry is %+v, and the day %+v", e, day)
	}
	for _, e := range []*playback.Entry{all[0].Entry, day} {
		readAll(t, l, e)
	}
	if !all[0].Newest() || day.Newest() {
		t.Error("not the entry alone is the one that grows")
	}
}

func TestInfoAndRecordedSpans(t *testing.T) {
	dir := t.TempDir()
	makeFootage(t, dir, footage.Camera{
		Name: "cam", Tiny: true, Start: noon, Duration: 10 * time.Minute, Grow: true,
		Gaps: []footage.Gap{{At: 3 * time.Minute, For: time.Second}, {At: 6 * time.Minute, For: time.Minute}},
	})
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Skip(err)
	}
	l := openLibrary(t, playback.Options{Data: dir, Location: kolkata})
	s, all := list(t, l, "cam")
	if len(all) != 2 {
		t.Fatalf("%d entries", len(all))
	}
	info, err := l.Info(t.Context(), all[0].Entry)
	if err != nil {
		t.Fatal(err)
	}
	if info.Camera != "cam" || info.Stream != "main" || info.Growing || len(info.Codecs) != 2 || info.Codecs[1] != "mp4a.40.2" ||
		info.Bytes != all[0].Size || info.ETag != all[0].ETag || info.Start.Location() != kolkata || !info.Start.Equal(noon) || !info.End.Equal(all[0].End) {
		t.Errorf("info %+v", info)
	}
	if len(info.Gaps) != 1 || info.Gaps[0].End.Sub(info.Gaps[0].Start) != time.Second || info.Gaps[0].Reason != "a gap was asked for" {
		t.Errorf("gaps %+v", info.Gaps)
	}
	if d := info.End.Sub(info.Start).Seconds() - 1; info.DurationSeconds < d-0.1 || info.DurationSeconds > d+0.1 {
		t.Errorf("it plays %v s, from %v to %v", info.DurationSeconds, info.Start, info.End)
	}
	bytes := int64(0)
	for i, r := range info.Recordings {
		bytes += r.Bytes
		if r.Number != int64(i+1) || !r.End.After(r.Start) {
			t.Errorf("recording %+v", r)
		}
	}
	if last, err := l.Info(t.Context(), all[1].Entry); err != nil || !last.Growing || len(last.Gaps) != 0 {
		t.Errorf("info %+v, %v", last, err)
	}
	spans, err := l.RecordedSpans(t.Context(), s, 0, 1<<62)
	if err != nil || len(spans) != 2 {
		t.Fatalf("spans %+v, %v", spans, err)
	}
	a, b := spans[0], spans[1]
	if !a.Start.Equal(noon) || !a.End.Equal(all[0].End) || a.Bytes != bytes || a.EndReason != "a gap was asked for" ||
		!b.Start.Equal(all[1].Start) || !b.End.Equal(all[1].End) || b.EndReason != "" {
		t.Errorf("spans %+v", spans)
	}
}

// TestStale changes an entry that is not the newest.
func TestStale(t *testing.T) {
	dir := t.TempDir()
	c := footage.Camera{Name: "cam", Tiny: true, Start: noon, Duration: time.Minute}
	makeFootage(t, dir, c)
	later := c
	later.Start = noon.Add(2 * time.Hour)
	makeFootage(t, dir, later)
	l := openLibrary(t, playback.Options{Data: dir})
	s, all := list(t, l, "cam")
	whole, err := l.WholeDay(t.Context(), s, all[0].day)
	if err != nil {
		t.Fatal(err)
	}
	c.Start = noon.Add(time.Minute)
	makeFootage(t, dir, c)
	if _, err := l.Open(t.Context(), all[0].Entry, "test"); !errors.Is(err, playback.ErrStale) {
		t.Fatalf("an entry that has grown opens: %v", err)
	}
	if _, err := l.Info(t.Context(), all[0].Entry); !errors.Is(err, playback.ErrStale) {
		t.Fatalf("an entry that has grown has an info: %v", err)
	}
	if f, err := l.Open(t.Context(), whole, "test"); err == nil && f.Size() != whole.Size {
		t.Error("a day that has grown opens as another file")
	}
	openEntry(t, l, all[1].Entry) // has not changed
	// Whoever is told so lists again, and gets the new one, though nobody has looked for changes.
	_, all = list(t, l, "cam")
	if f := openEntry(t, l, all[0].Entry); len(frames(t, f)) != 2*60*25 || !f.ModTime().Equal(noon.Add(2*time.Minute)) {
		t.Errorf("entry %+v", all[0].Entry)
	}
}

// TestGrowing reads an entry after each fragment: each version is an entry of its own, and all stay what they are.
func TestGrowing(t *testing.T) {
	dir := t.TempDir()
	g, err := footage.NewGrower(t.Context(), dir, footage.Camera{Name: "cam", Tiny: true, Start: noon.Add(14*time.Minute + 50*time.Second), RecordingLength: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	grow := func() {
		t.Helper()
		if err := g.Grow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	grow()
	l := openLibrary(t, playback.Options{Data: dir, Poll: 5 * time.Millisecond})
	run(t, l)
	type version struct {
		e    *playback.Entry
		f    *playback.File
		sum  [sha256.Size]byte
		seen int
	}
	var versions []version
	ids := map[uint64]bool{}
	current := ""
	for i := range 15 {
		if i > 0 {
			grow()
		}
		e := waitForEntry(t, l, func(e *playback.Entry) bool { return e.ETag != current })
		current = e.ETag
		if ids[e.ID] {
			t.Errorf("version %d has the ID of another", i)
		}
		ids[e.ID] = true
		f := openEntry(t, l, e)
		n := len(frames(t, f))
		if n != (i+1)*25 {
			t.Errorf("version %d has %d pictures", i, n)
		}
		versions = append(versions, version{e, f, digest(t, f), n})
	}
	fresh := openLibrary(t, playback.Options{Data: dir})
	for i, v := range versions {
		if digest(t, v.f) != v.sum {
			t.Errorf("version %d reads other bytes than before", i)
		}
		if f, err := fresh.Open(t.Context(), v.e, "test"); err == nil && digest(t, f) != v.sum {
			t.Errorf("version %d, opened again, has other bytes with the same ETag", i)
		}
	}
	if err := g.Seal(t.Context()); err != nil { // changes nothing that is shown
		t.Fatal(err)
	}
	_, all := list(t, fresh, "cam")
	if last := all[len(all)-1]; last.ETag != current || digest(t, openEntry(t, fresh, last.Entry)) != versions[len(versions)-1].sum {
		t.Error("sealing changed the bytes or the ETag")
	}
}

// run has a Library look for changes until the test ends.
func run(t *testing.T, l *playback.Library) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { l.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// waitForEntry waits until the newest entry is as wanted.
func waitForEntry(t *testing.T, l *playback.Library, want func(*playback.Entry) bool) *playback.Entry {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-tick.C {
		_, all := list(t, l, "cam")
		if e := all[len(all)-1].Entry; want(e) {
			return e
		}
	}
	t.Fatal("the entry does not change")
	return nil
}

func digest(t *testing.T, f *playback.File) [sha256.Size]byte {
	t.Helper()
	data, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil || int64(len(data)) != f.Size() {
		t.Fatalf("%d bytes of %d, %v", len(data), f.Size(), err)
	}
	return sha256.Sum256(data)
}

func TestSubscribe(t *testing.T) {
	dir := t.TempDir()
	start := noon.Add(-2 * time.Second)
	g, err := footage.NewGrower(t.Context(), dir, footage.Camera{Name: "cam", Tiny: true, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	l := openLibrary(t, playback.Options{Data: dir, Poll: 5 * time.Millisecond})
	changes := make(chan playback.Change, 100)
	cancel := l.Subscribe(func(news []playback.Change) {
		for _, c := range news {
			changes <- c
		}
	})
	var others atomic.Int64
	defer l.Subscribe(func([]playback.Change) { others.Add(1) })()
	// What is committed before Run is called, but after Open, is not missed.
	for i, want := range []struct {
		hour  string
		added bool
	}{{"11", true}, {"11", false}, {"12", true}, {"12", false}} {
		if err := g.Grow(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			run(t, l)
		}
		for done := false; !done; {
			select {
			case c := <-changes:
				if c.Stream.Label != "cam" || c.Day.Name != "2026-11-20" {
					t.Fatalf("change %d: %+v", i, c)
				}
				if i == 2 && c.Hour.Name == "11" {
					continue // the recording before was sealed
				}
				if c.Hour.Name != want.hour || c.Listed != want.added {
					t.Errorf("change %d: %+v", i, c)
				}
				done = true
			case <-time.After(2 * time.Second):
				t.Fatalf("change %d is not told", i)
			}
		}
	}
	cancel()
	for len(changes) > 0 {
		<-changes
	}
	before := others.Load()
	if err := g.Grow(t.Context()); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); others.Load() == before; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("the other subscriber is not told")
		}
	}
	if len(changes) > 0 {
		t.Error("told after cancel")
	}
}

// TestListingsBeforeRun lists before anything follows the changes.
func TestListingsBeforeRun(t *testing.T) {
	dir := t.TempDir()
	g, err := footage.NewGrower(t.Context(), dir, footage.Camera{Name: "cam", Tiny: true, Start: noon})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Grow(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := openLibrary(t, playback.Options{Data: dir, Poll: 5 * time.Millisecond})
	_, all := list(t, l, "cam")
	if err := g.Grow(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, l)
	waitForEntry(t, l, func(e *playback.Entry) bool { return e.Size > all[0].Size })
}

// TestConcurrentReaders reads entries that grow from many goroutines, with small caches.
func TestConcurrentReaders(t *testing.T) {
	dir := t.TempDir()
	start := noon.Add(3 * time.Minute)
	g, err := footage.NewGrower(t.Context(), dir, footage.Camera{Name: "cam", Tiny: true, Start: start, RecordingLength: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Grow(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := openLibrary(t, playback.Options{Data: dir, Poll: time.Millisecond, Cache: 4 << 10})
	run(t, l)
	var sums sync.Map // by ETag
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for n := range uint64(4) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(n, 0))
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := readSome(t.Context(), l, start, rnd, &sums); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 60 {
		if err := g.Grow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
}

// readSome opens an entry or a clip, and checks that equal ETags mean equal bytes.
func readSome(ctx context.Context, l *playback.Library, start time.Time, rnd *rand.Rand, sums *sync.Map) error {
	s, err := l.Stream(ctx, "cam")
	if err != nil {
		return err
	}
	var e *playback.Entry
	if rnd.IntN(2) == 0 {
		from := start.Add(time.Duration(rnd.IntN(50)) * 40 * time.Millisecond)
		e, err = l.Clip(ctx, s, from, from.Add(time.Duration(rnd.IntN(20)+1)*time.Second))
	} else {
		days, err2 := l.Days(ctx, s)
		if err2 != nil {
			return err2
		}
		e, err = l.WholeDay(ctx, s, days[0])
	}
	if errors.Is(err, playback.ErrNotFound) {
		return nil // not recorded yet
	}
	if err != nil {
		return err
	}
	f, err := l.Open(ctx, e, "test")
	if errors.Is(err, playback.ErrStale) {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil || int64(len(data)) != e.Size {
		return fmt.Errorf("read %d bytes of %d: %w", len(data), e.Size, err)
	}
	sum := sha256.Sum256(data)
	if before, loaded := sums.LoadOrStore(e.ETag, sum); loaded && before != sum {
		return fmt.Errorf("two contents with ETag %s", e.ETag)
	}
	return nil
}
