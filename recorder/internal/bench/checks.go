package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/playback"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// NoProblems runs the closest Check over a data directory.
func NoProblems(t *testing.T, dir string) {
	t.Helper()
	_, err := fsck.Check(context.Background(), dir, fsck.CheckOptions{
		Level: fsck.Hash, Total: func(int64) {}, Checked: func(int64) {},
		Found: func(p fsck.Problem) { t.Errorf("check: %v", p) },
	})
	if err != nil {
		t.Error(err)
	}
}

// Fails returns a failure of the nth call of an operation, and of the count-1 after it.
func Fails(op string, nth, count int, err error) func(string, store.Key) error {
	n := 0
	return func(o string, _ store.Key) error {
		if o != op {
			return nil
		}
		if n++; n >= nth && n < nth+count {
			return err
		}
		return nil
	}
}

// RecordThrough records sessions of a camera that goes on, as stream.run does, until it has made d of footage. every
// sample is given to exactly one session. It returns what each session was given before it ended, and why it ended.
func (b *Bench) RecordThrough(c Camera, d time.Duration) (given [][]media.Sample, reasons []string) {
	b.T.Helper()
	s := b.Session(c)
	given = append(given, nil)
	end := func(reason string) {
		b.T.Helper()
		reasons = append(reasons, reason)
		if err := s.Finish(reason); err != nil {
			b.T.Error(err)
		}
	}
	n := 0
	for x := range c.Samples(d) {
		if err := s.Sample(x); err != nil {
			end(err.Error())
			s, given = b.Session(c), append(given, nil)
			continue
		}
		given[len(given)-1] = append(given[len(given)-1], x)
		if n++; n%20 == 0 {
			b.Writer.Drain()
		}
		if n%70 == 0 {
			b.Commit()
		}
	}
	end("stopped")
	for range 10 {
		if b.Commit(); b.Writer.Stats().Waiting == 0 {
			break // what failed before is tried again
		}
	}
	b.Commit()
	return given, reasons
}

// CheckKept checks that of every session a beginning came back, without a hole, and returns how many samples of each.
func (b *Bench) CheckKept(given [][]media.Sample) (kept []int) {
	b.T.Helper()
	NoProblems(b.T, b.Dir)
	byData := map[string][2]int{}
	for s := range given {
		n := 0
		for _, x := range given[s] {
			if n > 0 || x.Sync {
				byData[string(x.Data)] = [2]int{s, n}
				n++
			}
		}
	}
	kept = make([]int, len(given))
	for _, day := range PlayBack(b.T, b.Dir) {
		for _, x := range day[volume.Video] {
			at, ok := byData[x.Data]
			if !ok || at[1] != kept[at[0]] {
				b.T.Fatalf("session %d: sample %d follows %d, or was never given (%v)", at[0], at[1], kept[at[0]], ok)
			}
			kept[at[0]]++
		}
	}
	return kept
}

// CountFrom counts samples from the first sync sample on.
func CountFrom(samples []media.Sample) int {
	return len(samples) - max(0, slices.IndexFunc(samples, func(x media.Sample) bool { return x.Sync }))
}

// CheckFiles checks that every file has a row.
func (b *Bench) CheckFiles() {
	b.T.Helper()
	files, err := b.Store.Scan("cam", 1)
	if err != nil {
		b.T.Fatal(err)
	}
	if recs := b.Recordings(); len(files) != len(recs) {
		b.T.Errorf("%d files, %d rows", len(files), len(recs))
	}
}

// ReadBack reads a sample file.
func (b *Bench) ReadBack(number int64) *mp4.SampleFile {
	b.T.Helper()
	k := store.Key{Stream: "cam", Number: number}
	size, err := b.Store.Size(k)
	if err != nil {
		b.T.Fatal(err)
	}
	f, err := b.Store.Open(k)
	if err != nil {
		b.T.Fatal(err)
	}
	defer f.Close()
	found, _, err := readFile(f, size)
	if err != nil {
		b.T.Fatal(err)
	}
	return found
}

// readFile reads a sample file, and makes its index.
func readFile(src io.ReaderAt, size int64) (*mp4.SampleFile, *schema.Index, error) {
	var index *schema.Index
	found, err := mp4.Scan(src, size, func(f *mp4.SampleFile, x *mp4.ScannedFragment) error {
		if index == nil {
			index = schema.NewIndex(f.Tracks)
		}
		index.Add(schema.Fragment{HeaderLen: x.HeaderLen, Tracks: x.Tracks, Entries: x.Entries})
		return nil
	})
	return found, index, err
}

// CheckReasons checks that the last file of each run says why it ended, and no other one.
func (b *Bench) CheckReasons() {
	b.T.Helper()
	recs := b.Recordings()
	last := map[int64]int{}
	for _, r := range recs {
		last[r.Run] = max(last[r.Run], r.Sequence)
	}
	for _, r := range recs {
		run, err := b.DB.Run(b.T.Context(), r.Run)
		if err != nil {
			b.T.Fatal(err)
		}
		want := ""
		if r.Sequence == last[r.Run] {
			want = run.EndReason
		}
		if found := b.ReadBack(r.ID.Number()); found.Seal == nil || found.Seal.EndReason != want || run.EndReason == "" {
			b.T.Errorf("the file of %s says %+v, the run ended for %q", r.ID, found.Seal, run.EndReason)
		}
	}
}

// CheckClips opens a clip of the first second of each recording.
func (b *Bench) CheckClips() {
	b.T.Helper()
	lib, err := playback.Open(b.T.Context(), playback.Options{Data: b.Dir, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.T.Fatal(err)
	}
	defer lib.Close()
	s, err := lib.Stream(b.T.Context(), "cam")
	if err != nil {
		b.T.Fatal(err)
	}
	for _, r := range b.Recordings() {
		from := media.ToTime(r.Start90k)
		e, err := lib.Clip(b.T.Context(), s, from, from.Add(time.Second))
		if err != nil {
			b.T.Fatal(err)
		}
		f, err := lib.Open(b.T.Context(), e, "test")
		if err != nil {
			b.T.Fatal(err)
		}
		ReadSamples(b.T, f)
		f.Close()
	}
}

// CutPower starts a recorder on a copy of what is durable, and checks what it finds.
func (b *Bench) CutPower() {
	b.T.Helper()
	dir := b.T.TempDir()
	if err := os.CopyFS(dir, os.DirFS(b.Dir)); err != nil {
		b.T.Fatal(err)
	}
	for _, k := range b.Store.Keys() {
		path := filepath.Join(dir, schema.DefaultSampleDir, k.Stream, "000", fmt.Sprintf("%06d.mp4", k.Number))
		synced, named := b.Store.Durable(k)
		var err error
		if named {
			err = os.Truncate(path, synced)
		} else {
			err = os.Remove(path)
		}
		if err != nil {
			b.T.Fatal(err)
		}
	}
	b.CheckStart(dir)
}

// Kill starts a recorder on a copy of what killing this one would leave, and checks what it finds.
func (b *Bench) Kill() {
	b.T.Helper()
	b.CheckStart(b.Copy())
}

// CheckStart starts a recorder on what one that was cut off has left, and checks what it finds.
func (b *Bench) CheckStart(dir string) {
	b.T.Helper()
	rows := b.Recordings()
	Reopen(b.T, dir)
	db, err := schema.OpenReadOnly(b.T.Context(), dir)
	if err != nil {
		b.T.Fatal(err)
	}
	defer db.Close()
	got := RowsOf(b.T, db, b.Stream.Row.ID)
	for i := range rows {
		if len(got) <= i || got[i].ID != rows[i].ID || got[i].Bytes < rows[i].Bytes || !got[i].Sealed {
			b.T.Errorf("before it row %+v, afterwards %+v", rows[i], got[min(i, len(got)-1)])
		}
	}
	NoProblems(b.T, dir)
	seen := map[string]bool{}
	for _, data := range Pictures(b.T, dir) {
		if seen[data] {
			b.T.Fatal("a picture is there twice")
		}
		seen[data] = true
	}
}

// Reopen opens and closes the recorder of a directory.
func Reopen(t *testing.T, dir string) (log string) {
	t.Helper()
	var buf LogBuffer
	set, _, err := fsck.Open(context.Background(), volume.Options{
		Data: dir, Needed: []volume.Needed{{Camera: "cam", Stream: "main", Path: volume.SamplesPath(dir, "")}}, Log: NewLog(&buf),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func OnlyVideo(samples []media.Sample) (pictures []media.Sample) {
	for _, x := range samples {
		if x.Track == volume.Video {
			pictures = append(pictures, x)
		}
	}
	return pictures
}
