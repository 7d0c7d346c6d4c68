package importer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/importer"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// tableSample is a sample of a file, and where its bytes lie.
type tableSample struct {
	media.Sample
	Offset int64
	Entry  int
}

// table is an importer.Table of samples that are computed.
type table struct {
	n  int
	at func(i int) tableSample
}

func (t table) Len() int                  { return t.n }
func (t table) Sample(i int) media.Sample { return t.at(i).Sample }
func (t table) Offset(i int) int64        { return t.at(i).Offset }
func (t table) EntryOf(i int) int         { return t.at(i).Entry }

// importFile makes a file of samples, whose tracks count in timescales.
func importFile(samples []media.Sample, tracks []media.SampleEntry, timescales ...uint32) *importer.File {
	var data []byte
	tables := make([][]tableSample, len(tracks))
	f := &importer.File{Laps: 1}
	for _, x := range samples {
		from, to := tracks[x.Track].Timescale, timescales[x.Track]
		dts := media.Rescale(x.DTS, from, to)
		tables[x.Track] = append(tables[x.Track], tableSample{
			media.Sample{DTS: dts, CTS: int32(media.Rescale(x.PTS(), from, to) - dts), Size: uint32(len(x.Data)), Sync: x.Sync}, int64(len(data)), 0,
		})
		data = append(data, x.Data...)
	}
	f.Source = bytes.NewReader(data)
	for i, e := range tracks {
		samples := tables[i]
		n := len(samples)
		f.Tracks = append(f.Tracks, importer.Track{
			Entry: e, Timescale: timescales[i],
			Table: table{n, func(k int) tableSample { return samples[k] }},
			End:   2*samples[n-1].DTS - samples[n-2].DTS,
		})
	}
	return f
}

// simFile makes a file of what a camera sends in a while, and returns that too.
func simFile(c bench.Camera, d time.Duration, timescales ...uint32) (*importer.File, []media.Sample) {
	given := slices.Collect(c.Samples(d))
	return importFile(given, c.Tracks(), timescales...), given
}

func openImporter(t testing.TB, dir string, length time.Duration) *importer.Importer {
	t.Helper()
	im, err := importer.Open(t.Context(), importer.Options{
		Data: dir, Camera: "cam", Stream: "main", Length: length, Log: bench.NewLog(new(bench.LogBuffer)), Committed: func(int64) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// importAll imports files, each at a time.
func importAll(t testing.TB, dir string, length time.Duration, start time.Time, files ...*importer.File) importer.Summary {
	t.Helper()
	im := openImporter(t, dir, length)
	for _, f := range files {
		span, _, err := f.Measure(start)
		if err != nil {
			t.Fatal(err)
		}
		if err := im.Add(t.Context(), f, start); err != nil {
			t.Fatal(err)
		}
		start = media.ToTime(span.To90k)
	}
	sum, err := im.Close()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// importedRows lists the rows of the only stream.
func importedRows(t testing.TB, dir string) []schema.Recording {
	t.Helper()
	db, err := schema.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	recs, err := db.StartingIn(t.Context(), 1, 0, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	return recs
}

var importStart = time.Date(2026, 5, 1, 13, 59, 51, 0, time.UTC)

func TestImportEverySample(t *testing.T) {
	for name, c := range map[string]struct {
		bench.Camera
		early  time.Duration // by how much the file's times are earlier
		drop   int           // the first samples are not in the file
		scales []uint32
	}{
		"plain":                {scales: []uint32{90000}},
		"B-frames of 1/12800":  {Camera: bench.Camera{BFrames: true}, scales: []uint32{12800}},
		"30 frames of 1/15360": {Camera: bench.Camera{FPS: 30, GOP: 60}, scales: []uint32{15360}},
		"sound of 44.1 kHz":    {Camera: bench.Camera{AudioRate: 44100, BFrames: true}, scales: []uint32{90000, 44100}},
		"sound from before":    {Camera: bench.Camera{AudioRate: 48000, AudioFrom: -3 * time.Second}, scales: []uint32{90000, 48000}},
		"sound after a while":  {Camera: bench.Camera{AudioRate: 16000, AudioFrom: 15 * time.Second}, scales: []uint32{90000, 16000}},
		"sound ends":           {Camera: bench.Camera{AudioRate: 48000, AudioEnd: 21 * time.Second}, scales: []uint32{90000, 48000}},
		"all-intra":            {Camera: bench.Camera{GOP: 1, FPS: 10}, scales: []uint32{1000}},
		"long GOP":             {Camera: bench.Camera{GOP: 700}, scales: []uint32{25}},
		"negative times":       {Camera: bench.Camera{AudioRate: 48000}, early: 10 * time.Second, scales: []uint32{90000, 48000}},
		"begins within a GOP":  {drop: 7, scales: []uint32{90000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given, tracks := slices.Collect(c.Samples(40*time.Second)), c.Tracks()
			file := slices.Clone(given[c.drop:])
			for i := range file {
				file[i].DTS -= media.Rescale(media.Ticks(c.early), 90000, tracks[file[i].Track].Timescale)
			}
			f := importFile(file, tracks, c.scales...)
			f.Laps = 3
			dir := t.TempDir()
			sum := importAll(t, dir, 10*time.Second, importStart, f)
			bench.NoProblems(t, dir)
			recs := importedRows(t, dir)
			if sum.Recordings != int64(len(recs)) || sum.To90k != recs[len(recs)-1].End90k() {
				t.Errorf("%+v for %d recordings", sum, len(recs))
			}
			for i := range recs[1:] {
				bench.CheckJoin(t, &recs[i], &recs[i+1])
			}
			if recs[0].Start90k != media.FromTime(importStart) || recs[0].Run != recs[len(recs)-1].Run {
				t.Errorf("the first recording is %+v, the last %+v", recs[0], recs[len(recs)-1])
			}
			bench.CompareShown(t, bench.PlayBack(t, dir)[0], bench.WantShown(inLaps(given[c.drop:], tracks, 3), tracks))
		})
	}
}

// inLaps repeats samples from the first sync sample on, each lap as long as its longest track.
func inLaps(given []media.Sample, tracks []media.SampleEntry, laps int) (all []media.Sample) {
	first := slices.IndexFunc(given, func(x media.Sample) bool { return x.Track == volume.Video && x.Sync })
	given = slices.DeleteFunc(slices.Clone(given), func(x media.Sample) bool { return x.Track == volume.Video && x.DTS < given[first].DTS })
	longest := 0.0 // seconds
	for k, e := range tracks {
		var dts []int64
		for _, x := range given {
			if x.Track == k {
				dts = append(dts, x.DTS)
			}
		}
		n := len(dts)
		longest = max(longest, float64(2*dts[n-1]-dts[n-2]-dts[0])/float64(e.Timescale))
	}
	for lap := range laps {
		for _, x := range given {
			x.DTS += int64(math.Round(float64(lap) * longest * float64(tracks[x.Track].Timescale)))
			all = append(all, x)
		}
	}
	return all
}

// A file has the recordings and fragments that a camera would have had which sent the same.
func TestImportIsAsRecorded(t *testing.T) {
	for name, c := range map[string]bench.Camera{
		"GOP of 2 s":           {AudioRate: 48000},
		"GOP of 20 s":          {GOP: 500, AudioRate: 48000},
		"GOP of 2.4 s":         {GOP: 60, BFrames: true},
		"GOP of half a second": {GOP: 5, FPS: 10, AudioRate: 16000},
		"at 14:00":             {Start: bench.At(time.Date(2026, 3, 14, 13, 59, 53, 0, time.UTC)), AudioRate: 44100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bench.New(t, 10*time.Second)
			given := b.Record(c, 75*time.Second)
			want, recs := b.Shapes(), b.Recordings()

			b = &bench.Bench{T: t, Dir: t.TempDir()}
			scales := []uint32{90000, uint32(c.AudioRate)}
			importAll(t, b.Dir, 10*time.Second, media.ToTime(recs[0].Start90k), importFile(given, c.Tracks(), scales[:len(c.Tracks())]...))
			b.Reopen()
			got, imported := b.Shapes(), b.Recordings()
			if len(got) != len(want) || len(imported) != len(recs) {
				t.Fatalf("%d fragments in %d recordings, want %d in %d", len(got), len(imported), len(want), len(recs))
			}
			for i := range got {
				if got[i].Rec != want[i].Rec || !reflect.DeepEqual(got[i].Fragment, want[i].Fragment) {
					t.Fatalf("fragment %d is\n%+v, want\n%+v", i, got[i].Fragment, want[i].Fragment)
				}
			}
			for i := range imported {
				imported[i].Digest, recs[i].Digest = nil, nil
				if !reflect.DeepEqual(imported[i], recs[i]) {
					t.Errorf("row %d is\n%+v, want\n%+v", i, imported[i], recs[i])
				}
			}
		})
	}
}

func TestImportCuts(t *testing.T) {
	const length = 60 * time.Second
	for name, c := range map[string]struct {
		bench.Camera
		start string
	}{
		"on the quarter":          {start: "14:00:00"},
		"anywhere":                {start: "13:53:11.2"},
		"just before the quarter": {start: "13:59:58.5"},
		"GOP of 7 s":              {start: "14:03:07", Camera: bench.Camera{FPS: 2, GOP: 14}},
		"B-frames":                {start: "14:09:59.99", Camera: bench.Camera{FPS: 5, GOP: 10, BFrames: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start, err := time.Parse("2006-01-02 15:04:05", "2026-05-01 "+c.start)
			if err != nil {
				t.Fatal(err)
			}
			if c.FPS == 0 {
				c.FPS, c.GOP = 5, 10
			}
			f, _ := simFile(c.Camera, 70*time.Second, 90000)
			f.Laps = 30
			dir := t.TempDir()
			importAll(t, dir, length, start, f)
			recs := importedRows(t, dir)
			gop := int64(c.GOP) * int64(90000/c.FPS)
			for i := range recs[:len(recs)-1] {
				r := &recs[i]
				want, end := volume.EndAfter(r.Start90k, media.Ticks(length), 0), r.End90k()
				if end < want || end >= want+gop {
					t.Errorf("recording %d from %v ends at %v, should at the first sync sample after %v", i, media.ToTime(r.Start90k), media.ToTime(end), media.ToTime(want))
				}
				if r.Start90k/volume.Quarter90k != (end-gop)/volume.Quarter90k {
					t.Errorf("recording %d from %v to %v goes over a quarter of an hour", i, media.ToTime(r.Start90k), media.ToTime(end))
				}
			}
		})
	}
}

// Times that no clock of ours can say: those of a lap are rounded, but no two samples fall together, and no lap drifts.
func TestImportRounding(t *testing.T) {
	for name, c := range map[string]struct {
		timescale uint32
		deltas    []int64 // of the samples
	}{
		"29.97 frames/s":        {30000, slices.Repeat([]int64{1001}, 50)},
		"23.976 frames/s":       {11988, slices.Repeat([]int64{500}, 50)},
		"1/7 s":                 {7, slices.Repeat([]int64{1}, 50)},
		"finer than 90 kHz":     {10_000_000, slices.Repeat([]int64{333_333}, 50)},
		"samples that stand":    {1000, append(slices.Repeat([]int64{0, 0, 40}, 20), 40)},
		"a duration that jumps": {90000, []int64{3600, 1, 300_000_000, 3600}},
	} {
		t.Run(name, func(t *testing.T) {
			const laps = 1000
			video := bench.Camera{}.Tracks()
			times := []int64{0}
			for _, d := range c.deltas {
				times = append(times, times[len(times)-1]+d)
			}
			n := len(c.deltas)
			f := &importer.File{Laps: laps, Tracks: []importer.Track{{
				Entry: video[0], Timescale: c.timescale, End: times[n],
				Table: table{n, func(i int) tableSample { return tableSample{Sample: media.Sample{DTS: times[i], Sync: i == 0}} }},
			}}}
			last, end := int64(-1), int64(0)
			cursor, err := importer.NewCursor(f, 0)
			if err != nil {
				t.Fatal(err)
			}
			for i := range laps * n {
				dts := cursor.DTS()
				exact := (float64(i/n)*float64(times[n]) + float64(times[i%n])) / float64(c.timescale) * 90000
				if dts <= last || i > 0 && dts != end || math.Abs(float64(dts)-exact) > float64(2+n) {
					t.Fatalf("sample %d is at %d, after %d which lasts until %d; it should be at %f", i, dts, last, end, exact)
				}
				x, cts, d := cursor.Take()
				if x.DTS != times[i%n] || dts+int64(cts) != cursor.LapStart(int64(i/n), 90000)+media.Rescale(times[i%n], c.timescale, 90000) {
					t.Fatalf("sample %d is %+v, shown at %d", i, x, dts+int64(cts))
				}
				last, end = dts, dts+int64(d)
			}
			if !cursor.Over() {
				t.Error("there are more samples")
			}
		})
	}
}

func TestImportRefuses(t *testing.T) {
	c := bench.Camera{AudioRate: 48000}
	for name, tt := range map[string]struct {
		change func(*importer.File)
		start  time.Time
		want   string
	}{
		"no tracks":      {func(f *importer.File) { f.Tracks = nil }, importStart, "not video"},
		"sound first":    {func(f *importer.File) { slices.Reverse(f.Tracks) }, importStart, "not video"},
		"no laps":        {func(f *importer.File) { f.Laps = 0 }, importStart, "0 times 10s"},
		"laps for ever":  {func(f *importer.File) { f.Laps = math.MaxInt64 }, importStart, "between 1970 and 2106"},
		"1969":           {func(*importer.File) {}, time.Unix(-1, 0), "between 1970 and 2106"},
		"2107":           {func(*importer.File) {}, time.Date(2107, 1, 1, 0, 0, 0, 0, time.UTC), "between 1970 and 2106"},
		"no sync sample": {changeSample(0, func(x *tableSample, _ int) { x.Sync = false }), importStart, "no sample at which decoding can start"},
		"back in time": {changeSample(0, func(x *tableSample, i int) {
			if i == 9 {
				x.DTS -= 4000
			}
		}), importStart, "video: sample 10 is decoded before"},
		"two hours of a picture": {changeSample(0, func(x *tableSample, i int) {
			if i >= 9 {
				x.DTS += 7200 * 90000
			}
		}), importStart, "video: sample 9 lasts 7200 s"},
		"shown days later":         {changeSample(0, func(x *tableSample, _ int) { x.CTS = math.MaxInt32 }), importStart, "shown 23860 s after"},
		"shown days before":        {changeSample(0, func(x *tableSample, _ int) { x.CTS = math.MinInt32 }), importStart, "shown -23860 s after"},
		"too large":                {changeSample(1, func(x *tableSample, _ int) { x.Size = 1 << 31 }), importStart, "audio: sample 1 has 2147483648 bytes"},
		"a last picture for hours": {func(f *importer.File) { f.Tracks[0].End += 3 * 3600 * 90000 }, importStart, "video: its last sample lasts 10800 s"},
		"sound for hours": {func(f *importer.File) {
			changeSample(1, func(x *tableSample, _ int) { x.DTS += 7200 * 48000 })(f)
			f.Tracks[1].End += 7200 * 48000
		}, importStart, "its sound goes on for 2h"},
		"silence for days": {func(f *importer.File) {
			changeSample(0, func(x *tableSample, i int) { x.DTS, x.CTS = int64(i)*3500*90000, 0 })(f)
			f.Tracks[0].End, f.Laps = 250*3500*90000, 2
		}, importStart, "its audio would pause for 243h3m"},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := simFile(c, 10*time.Second, 90000, 48000)
			tt.change(f)
			if _, _, err := f.Measure(tt.start); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q in it", err, tt.want)
			}
		})
	}
}

func changeSample(track int, change func(x *tableSample, i int)) func(*importer.File) {
	return func(f *importer.File) {
		was := f.Tracks[track].Table.(table)
		f.Tracks[track].Table = table{was.n, func(i int) tableSample {
			x := was.at(i)
			change(&x, i)
			return x
		}}
	}
}

// FuzzImportCursor walks through tables of any times: what Measure takes in has rising times, and fits in the fields of a
// recording.
func FuzzImportCursor(f *testing.F) {
	f.Add(uint32(12800), uint32(44100), int64(-1024), int64(0), uint8(3), []byte("\x80\x04\x01\x80\x04\x00\x80\x04\x00"))
	f.Add(uint32(1), uint32(1<<31), int64(7), int64(-1<<40), uint8(1), []byte{0, 1, 0, 0, 255, 255})
	f.Fuzz(func(t *testing.T, scale, soundScale uint32, from, soundFrom int64, laps uint8, deltas []byte) {
		const limit = 1 << 50 // camera.ParseClip lets no time further
		if len(deltas) < 2 || scale == 0 || soundScale == 0 || max(from, soundFrom) > limit || min(from, soundFrom) < -limit {
			return
		}
		tableFrom := func(dts int64) (samples []tableSample, end int64) {
			for i, d := range deltas {
				samples = append(samples, tableSample{Sample: media.Sample{DTS: dts, CTS: int32(int8(d)) << (d % 24), Sync: i == 0 || d&1 == 1, Size: 1}})
				dts += int64(d) << (d % 32)
			}
			return samples, dts
		}
		file := &importer.File{Laps: int64(laps)}
		for i, e := range fuzzTracks() {
			samples, end := tableFrom([]int64{from, soundFrom}[i])
			file.Tracks = append(file.Tracks, importer.Track{
				Entry: e, Timescale: []uint32{scale, soundScale}[i], End: end,
				Table: table{len(samples), func(k int) tableSample { return samples[k] }},
			})
		}
		if _, _, err := file.Measure(importStart); err != nil {
			return
		}
		for i := range file.Tracks {
			c, err := importer.NewCursor(file, i)
			if err != nil {
				t.Fatal(err)
			}
			for dts := int64(-1); !c.Over(); {
				if c.DTS() <= dts {
					t.Fatalf("track %d: a sample at %d follows %d", i, c.DTS(), dts)
				}
				dts = c.DTS()
				if _, _, d := c.Take(); d == 0 || !c.Over() && dts+int64(d) != c.DTS() {
					t.Fatalf("track %d: the sample at %d lasts %d, the next one is at %d", i, dts, d, c.DTS())
				}
			}
		}
	})
}

// fuzzTracks are made once: that parses a file.
var fuzzTracks = sync.OnceValue(func() []media.SampleEntry { return bench.Camera{AudioRate: 48000}.Tracks() })

func TestSpanOverlaps(t *testing.T) {
	const s = 90000
	for _, c := range []struct {
		a, b importer.Span
		want bool
	}{
		{importer.Span{0, 60 * s}, importer.Span{60 * s, 120 * s}, false},
		{importer.Span{0, 60*s + s}, importer.Span{60 * s, 120 * s}, false},
		{importer.Span{0, 60*s + 2*s}, importer.Span{60 * s, 120 * s}, true},
		{importer.Span{0, 60 * s}, importer.Span{0, 60 * s}, true},
		{importer.Span{0, 60 * s}, importer.Span{30 * s, 31 * s}, true},
		{importer.Span{0, s}, importer.Span{0, s}, true},
		{importer.Span{0, 60 * s}, importer.Span{70 * s, 80 * s}, false},
		{importer.Span{}, importer.Span{0, s}, false},
	} {
		if c.a.Overlaps(c.b) != c.want || c.b.Overlaps(c.a) != c.want {
			t.Errorf("%v and %v: overlap is not %v", c.a, c.b, c.want)
		}
	}
}

func TestImportFindsExistingFootage(t *testing.T) {
	dir := t.TempDir()
	f, _ := simFile(bench.Camera{}, 62*time.Second, 90000)
	importAll(t, dir, time.Minute, importStart, f)
	importAll(t, dir, time.Minute, importStart.Add(24*time.Hour), f, f)
	im := openImporter(t, dir, time.Minute)
	for _, c := range []struct {
		from, to         time.Duration // since importStart
		wantFrom, wantTo time.Duration // 0 for none
	}{
		{-time.Hour, 0, 0, 0},
		{-time.Hour, time.Second, 0, 0},
		{-time.Hour, 3 * time.Second, 0, 3 * time.Second},
		{61 * time.Second, time.Hour, 0, 0},
		{59 * time.Second, time.Hour, 59 * time.Second, 62 * time.Second},
		{20 * time.Second, 30 * time.Second, 20 * time.Second, 30 * time.Second},
		{20 * time.Second, 21 * time.Second, 20 * time.Second, 21 * time.Second},
		{time.Hour, 23 * time.Hour, 0, 0},
		{time.Hour, 48 * time.Hour, 24 * time.Hour, 24*time.Hour + 124*time.Second},
		{24*time.Hour + 100*time.Second, 72 * time.Hour, 24*time.Hour + 100*time.Second, 24*time.Hour + 124*time.Second},
		{72 * time.Hour, 73 * time.Hour, 0, 0},
	} {
		at := func(d time.Duration) int64 { return media.FromTime(importStart.Add(d)) }
		there, ok, err := im.Existing(t.Context(), importer.Span{at(c.from), at(c.to)})
		if err != nil {
			t.Fatal(err)
		}
		if want := (importer.Span{at(c.wantFrom), at(c.wantTo)}); ok != (c.wantTo > 0) || ok && there != want {
			t.Errorf("from %v to %v there is %v, %v", c.from, c.to, there, ok)
		}
	}
	if _, err := im.Close(); err != nil {
		t.Error(err)
	}
}

func TestImportOnlyWhereNobodyRecords(t *testing.T) {
	dir := t.TempDir()
	im := openImporter(t, dir, 0)
	_, err := importer.Open(t.Context(), importer.Options{Data: dir, Camera: "cam", Stream: "main", Log: bench.NewLog(new(bench.LogBuffer)), Committed: func(int64) {}})
	if !errors.Is(err, store.ErrLocked) {
		t.Errorf("error is %v, want ErrLocked", err)
	}
	if sum, err := im.Close(); err != nil || sum.Recordings != 0 {
		t.Errorf("nothing was imported: %+v, %v", sum, err)
	}
	importAll(t, dir, 0, importStart)
}

// readerFunc is an io.ReaderAt.
type readerFunc func(p []byte, off int64) (int, error)

func (f readerFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// slowFile is a file of a picture a second, of which each takes a read: picture is told which.
func slowFile(pictures int, picture func(i int) error) *importer.File {
	c := bench.Camera{FPS: 1, GOP: 2}
	f, _ := simFile(c, time.Duration(pictures)*time.Second, 90000)
	changeSample(0, func(x *tableSample, i int) { x.Offset, x.Size = int64(i)*importer.BlockBytes, 20 })(f)
	f.Source = readerFunc(func(p []byte, off int64) (int, error) {
		if err := picture(int(off / importer.BlockBytes)); err != nil {
			return 0, err
		}
		return len(p), nil
	})
	return f
}

// An import that does not come to its end leaves whole recordings, and nothing else.
func TestImportCutShort(t *testing.T) {
	broken := errors.New("the disk has broken")
	for name, c := range map[string]struct {
		picture int // at which it ends
		err     error
		want    int // recordings
		reason  string
	}{
		"interrupted":            {55, context.Canceled, 5, "the import was interrupted"},
		"unreadable":             {55, broken, 5, "the import failed: read the file that is imported: the disk has broken"},
		"cut off":                {50, io.ErrUnexpectedEOF, 5, "the import failed: read the file that is imported: unexpected EOF"},
		"in the first recording": {7, broken, 0, ""},
		"at its start":           {0, broken, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f := slowFile(100, func(i int) error {
				if i < c.picture {
					return nil
				}
				if c.err == context.Canceled {
					cancel()
					return nil
				}
				return c.err
			})
			im := openImporter(t, dir, 10*time.Second)
			if err := im.Add(ctx, f, importStart.Add(-time.Minute)); !errors.Is(err, c.err) {
				t.Errorf("error is %v, want %v", err, c.err)
			}
			if sum, err := im.Close(); err != nil || sum.Recordings != int64(c.want) {
				t.Errorf("%+v, %v; want %d recordings", sum, err, c.want)
			}
			checkCutShort(t, dir, c.want, c.reason)
		})
	}
}

// checkCutShort checks that a number of whole recordings are there, and no other sample file, and why their run ended. A
// recorder that starts finds nothing to mend.
func checkCutShort(t *testing.T, dir string, want int, reason string) {
	t.Helper()
	bench.NoProblems(t, dir)
	recs := importedRows(t, dir)
	if len(recs) != want {
		t.Errorf("%d recordings, want %d", len(recs), want)
	}
	for _, r := range recs {
		if !r.Sealed || r.WallDuration90k != 10*90000 {
			t.Errorf("recording %+v is not whole", r)
		}
	}
	b := &bench.Bench{T: t, Dir: dir}
	b.Reopen()
	if files, err := b.Store.Scan("cam", 0); err != nil || len(files) != want {
		t.Errorf("sample files %v, %v; want %d", files, err, want)
	}
	if want > 0 {
		if run, err := b.DB.Run(t.Context(), recs[0].Run); err != nil || run.EndReason != reason {
			t.Errorf("the run ended for %q, %v; want %q", run.EndReason, err, reason)
		}
	}
}

// bulkFault is a Bulk that knows which files a power cut would leave, and that fails when it is told to.
type bulkFault struct {
	store.Bulk
	mu      sync.Mutex
	made    map[int64]bool // by number: it was written and closed
	durable map[int64]bool
	syncs   int
	fail    error // of Sync
}

func (b *bulkFault) Create(number int64) (store.Writer, error) {
	w, err := b.Bulk.Create(number)
	return &bulkWriter{w, b, number}, err
}

func (b *bulkFault) Sync() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.syncs++
	if b.fail != nil {
		return b.fail
	}
	for n := range b.made {
		b.durable[n] = true
	}
	return nil
}

type bulkWriter struct {
	store.Writer
	b      *bulkFault
	number int64
}

func (w *bulkWriter) Close() error {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	w.b.made[w.number] = true
	return w.Writer.Close()
}

// importWithFaults opens an importer on a bulkFault. After each commit it checks that the rows count only what is durable.
func importWithFaults(t *testing.T, dir string) (*importer.Importer, *bulkFault) {
	t.Helper()
	im := openImporter(t, dir, time.Second)
	b := &bulkFault{made: map[int64]bool{}, durable: map[int64]bool{}}
	im.SetBulk(func(bulk store.Bulk) store.Bulk { b.Bulk = bulk; return b }, 40, func(int64) {
		for _, r := range importedRows(t, dir) {
			if !b.durable[r.ID.Number()] {
				t.Errorf("the file of row %s may be gone with the power", r.ID)
			}
		}
	})
	return im, b
}

// A row is committed only behind a sync of its file, and many files are synced at once.
func TestImportIsDurable(t *testing.T) {
	dir := t.TempDir()
	im, b := importWithFaults(t, dir)
	f, _ := simFile(bench.Camera{FPS: 1, GOP: 1}, 10*time.Second, 90000)
	f.Laps = 20
	if err := im.Add(t.Context(), f, importStart); err != nil {
		t.Fatal(err)
	}
	sum, err := im.Close()
	if err != nil || sum.Recordings != 200 || len(b.durable) != 200 {
		t.Errorf("%+v, %v; %d files are durable", sum, err, len(b.durable))
	}
	if b.syncs > 11 {
		t.Errorf("%d recordings were synced by %d syncs", sum.Recordings, b.syncs)
	}
	bench.NoProblems(t, dir)
}

// Where syncing fails nothing more is committed. The next start takes in what has reached the disk all the same.
func TestImportThatCannotSync(t *testing.T) {
	dir := t.TempDir()
	im, b := importWithFaults(t, dir)
	b.fail = errors.New("the disk is broken")
	f, _ := simFile(bench.Camera{FPS: 1, GOP: 1}, 10*time.Second, 90000)
	f.Laps = 20 // more than may wait
	if err := im.Add(t.Context(), f, importStart); !errors.Is(err, b.fail) {
		t.Errorf("error is %v", err)
	}
	if sum, err := im.Close(); !errors.Is(err, b.fail) || sum.Recordings != 0 || b.syncs != 1 {
		t.Errorf("%+v, %v after %d syncs", sum, err, b.syncs)
	}
	if recs := importedRows(t, dir); len(recs) > 0 {
		t.Errorf("%d recordings were committed", len(recs))
	}
	files, err := filepath.Glob(filepath.Join(dir, "samples", "cam", "*", "*.mp4"))
	if err != nil || len(files) == 0 || len(files) > 100 {
		t.Fatalf("%d files are left, %v", len(files), err)
	}
	if sum := importAll(t, dir, 0, importStart); sum.Recordings != 0 {
		t.Errorf("%+v", sum)
	}
	if recs := importedRows(t, dir); len(recs) != len(files) {
		t.Errorf("%d recordings after the next start, want %d", len(recs), len(files))
	}
	bench.NoProblems(t, dir)
}

// BenchmarkImportTiny imports a file of a minute with a picture a second, of 20 bytes, over and over. An operation is one
// recording.
func BenchmarkImportTiny(b *testing.B) {
	f := slowFile(60, nil)
	f.Source = bytes.NewReader(make([]byte, importer.BlockBytes))
	changeSample(0, func(x *tableSample, i int) { x.Offset, x.Sync = int64(i)*20, i == 0 })(f)
	f.Laps = int64(b.N)
	b.ResetTimer()
	importAll(b, b.TempDir(), time.Minute, importStart, f)
}

// Where the file changes its sample entry, another recording of the same run begins, with the sync sample at which it can.
func TestImportOfAnotherSampleEntry(t *testing.T) {
	dir := t.TempDir()
	f, _ := simFile(bench.Camera{AudioRate: 48000}, 30*time.Second, 90000, 48000)
	first, other := f.Tracks[0].Entry, bench.OtherEntry()
	first.Rotation, other.Rotation = 90, 90
	f.Tracks[0].Entry, f.Tracks[0].Entries = first, []media.SampleEntry{first, other}
	changeSample(0, func(x *tableSample, i int) {
		if i >= 195 && i < 400 { // at 25 frames a second, of which each fiftieth is a sync sample
			x.Entry = 1
		}
	})(f)
	importAll(t, dir, time.Minute, time.Date(2026, 5, 1, 13, 0, 5, 0, time.UTC), f)
	recs := importedRows(t, dir)
	db, err := schema.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var starts []int64
	for i, r := range recs {
		e, err := db.SampleEntry(t.Context(), r.Tracks[0].Entry)
		want := []media.SampleEntry{first, other, first}[i%3]
		if err != nil || !reflect.DeepEqual(e, want) || r.Run != recs[0].Run {
			t.Errorf("recording %d has the entry %+v of run %d, %v, want %+v", i, e, r.Run, err, want)
		}
		starts = append(starts, (r.Start90k-recs[0].Start90k)/3600)
	}
	if !slices.Equal(starts, []int64{0, 200, 400}) {
		t.Errorf("recordings start with the pictures %v", starts)
	}
}

// The rest of a file whose import was cut off follows what there is of it, and then nothing is missing.
func TestImportTheRest(t *testing.T) {
	dir := t.TempDir()
	whole, _ := simFile(bench.Camera{AudioRate: 48000}, 30*time.Second, 90000, 48000) // a GOP is 2 s
	begun := *whole
	begun.Tracks = slices.Clone(whole.Tracks)
	for i, n := range []int{12 * 25, 12 * 48000 / 1024} {
		was := whole.Tracks[i].Table.(table)
		begun.Tracks[i].Table = table{n, was.at}
		begun.Tracks[i].End = was.at(n).DTS
	}
	importAll(t, dir, time.Minute, importStart, &begun)
	span, _, err := whole.Measure(importStart)
	if err != nil {
		t.Fatal(err)
	}
	im := openImporter(t, dir, time.Minute)
	pieces, err := im.Covered(t.Context(), span)
	missing, from90k := importer.MissingIn(span, pieces)
	if err != nil || missing != importer.Rest || from90k != span.From90k+12*90000 {
		t.Fatalf("%v is missing from %d on of %v, there are %v, %v", missing, from90k, span, pieces, err)
	}
	at90k, ok := whole.Skip(from90k - span.From90k)
	if !ok || at90k != 12*90000 {
		t.Fatalf("it goes on after %d ticks, %t", at90k, ok)
	}
	if err := im.Add(t.Context(), whole, importStart.Add(12*time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := im.Close(); err != nil {
		t.Fatal(err)
	}
	pictures, end90k := uint32(0), span.From90k
	for _, r := range importedRows(t, dir) {
		if r.Start90k != end90k {
			t.Errorf("a recording starts at %d, the one before ends at %d", r.Start90k, end90k)
		}
		pictures, end90k = pictures+r.Tracks[0].Samples, r.End90k()
	}
	if pictures != 30*25 || end90k < span.To90k-90000 {
		t.Errorf("%d pictures until %d, of %v", pictures, end90k, span)
	}
	if _, ok := whole.Skip(29 * 90000); ok {
		t.Error("there is a sync sample in the last second")
	}
}

func TestMissingIn(t *testing.T) {
	const s = 90000
	span := importer.Span{From90k: 1000 * s, To90k: 1060 * s}
	for name, c := range map[string]struct {
		pieces []importer.Span
		want   importer.Missing
		from   int64
	}{
		"nothing there":       {nil, importer.All, 1000 * s},
		"the file before":     {[]importer.Span{{1000 * s, 1001 * s}}, importer.All, 1000 * s},
		"the same":            {[]importer.Span{{1000 * s, 1060 * s}}, importer.Nothing, 0},
		"nearly the same":     {[]importer.Span{{1001 * s, 1059 * s}}, importer.Nothing, 0},
		"its beginning":       {[]importer.Span{{1000 * s, 1030 * s}}, importer.Rest, 1030 * s},
		"its end":             {[]importer.Span{{1030 * s, 1060 * s}}, importer.Pieces, 0},
		"something within":    {[]importer.Span{{1010 * s, 1030 * s}}, importer.Pieces, 0},
		"both ends":           {[]importer.Span{{1000 * s, 1010 * s}, {1050 * s, 1060 * s}}, importer.Pieces, 0},
		"beginning and after": {[]importer.Span{{1000 * s, 1030 * s}, {1059 * s, 1060 * s}}, importer.Rest, 1030 * s},
	} {
		if m, from := importer.MissingIn(span, c.pieces); m != c.want || from != c.from {
			t.Errorf("%s: %v from %d on is missing, want %v from %d on", name, m, from, c.want, c.from)
		}
	}
}
