package fsck_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/recorder"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/internal/bench"
	"nvrfs/schema"
	"nvrfs/store/dir"
)

// TestRebuild rebuilds runs with gaps, corrected clocks and B-frames, of two streams in two directories, of which the oldest
// recordings are deleted and the newest one goes on.
func TestRebuild(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Record(bench.Camera{AudioRate: 48000, Jitter: 50 * time.Millisecond}, 45*time.Second)
	b.Record(bench.Camera{BFrames: true}, 25*time.Second)
	first := b.Recordings()[0]
	if err := b.DB.Write(t.Context(), func(tx *schema.Tx) error {
		return tx.Delete(schema.Victim{ID: first.ID, Start90k: first.Start90k, Bytes: first.Bytes}, 0)
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(b.Path(1)); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(t.TempDir(), "second")
	other := b.Elsewhere(second, "sub")
	other.Crash(bench.Camera{Burst: 60}, 35*time.Second)
	other.Writer.Commit()
	b.Crash(bench.Camera{BFrames: true, AudioRate: 48000}, 18*time.Second)
	b.Writer.Commit()
	b.Writer.Abandon()
	dir := b.Copy()
	bench.SameAfterRebuild(t, dir, second)
	if log := bench.Reopen(t, dir); strings.Contains(log, "ERROR") || strings.Contains(log, "WARN") {
		t.Error(log)
	}
	db, err := schema.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if db.UUID() != b.DB.UUID() {
		t.Errorf("the database is %s, it was %s", db.UUID(), b.DB.UUID())
	}
	runs, err := db.Runs(t.Context(), 1, 0, 1<<62)
	if err != nil || len(runs) != 3 || runs[0].EndReason != "stopped" {
		t.Errorf("runs %+v, %v", runs, err)
	}
}

func TestRebuildDamaged(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Record(bench.Camera{}, 65*time.Second)
	d := bench.Damage{T: t, Dir: b.Copy()}
	d.Flip(2, "mdat", 2, 500)
	d.Edit(3, func(p []byte) []byte { return p[:len(p)-10] }) // its seal
	d.Flip(5, "mdhd", 0, 10)
	d.Edit(7, func(p []byte) []byte { return p[:b.Recordings()[6].Bytes-20] }) // as a kill leaves it
	if err := os.WriteFile(d.Path(9), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.Path(6), d.Path(8)); err != nil {
		t.Fatal(err)
	}
	found, err := bench.Rebuild(t, d.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"cam/2: the sample file does not end", "cam/3: the sample file does not end", "cam/5: set aside", "cam/8: set aside", "cam/9: set aside"} {
		if len(found) <= i || !strings.HasPrefix(found[i], want) {
			t.Fatalf("found %q, want as number %d %q", found, i, want)
		}
	}
	bench.NoProblems(t, d.Dir)
	if got, want := len(bench.Pictures(t, d.Dir)), 250+200+250+250+100; len(found) != 5 || got != want {
		t.Errorf("%d pictures, want %d; found %q", got, want, found)
	}
	if left, _ := filepath.Glob(filepath.Join(d.Dir, schema.DefaultSampleDir, "cam", "000", "*.damaged")); len(left) != 5 {
		t.Errorf("set aside are %v", left)
	}
	bench.SameAfterRebuild(t, d.Dir)
}

func TestRebuildIsRefused(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Record(bench.Camera{}, 15*time.Second)
	o := fsck.RebuildOptions{Log: slog.New(slog.DiscardHandler), Total: func(int64) {}, Read: func(int64) {}, Found: func(p fsck.Problem) { t.Error(p) }}
	if _, err := fsck.Rebuild(t.Context(), b.Dir, o); !errors.Is(err, fsck.ErrNothingDone) || !strings.Contains(err.Error(), "move it away") {
		t.Error(err)
	}
	if _, err := fsck.Rebuild(t.Context(), t.TempDir(), o); !errors.Is(err, fsck.ErrNothingDone) {
		t.Error(err)
	}
	foreign := filepath.Join(t.TempDir(), "samples")
	if _, err := dir.Attach(foreign, "another"); err != nil {
		t.Fatal(err)
	}
	dir := b.Copy()
	if _, err := bench.Rebuild(t, dir, foreign); !errors.Is(err, fsck.ErrNothingDone) || !strings.Contains(err.Error(), "belongs to database") {
		t.Error(err)
	}
	// Nor does a recorder make a new database there.
	_, err := recorder.Open(t.Context(), recorder.Options{Data: dir, Streams: []recorder.StreamOptions{{Camera: "cam", Name: "main"}}, Log: bench.NewLog(new(bench.LogBuffer))})
	if err == nil || !strings.Contains(err.Error(), "nvrfs rebuild --data "+dir) {
		t.Error(err)
	}
	if there, err := schema.Exists(dir); there || err != nil {
		t.Errorf("there is a database: %v, %v", there, err)
	}
	if _, err := os.Stat(filepath.Join(dir, schema.DefaultSampleDir, "cam", "000", "000001.mp4")); err != nil {
		t.Error(err)
	}
}

// TestCorruptedDatabase overwrites the pages of the database: recording is refused, no sample file is touched, and a
// database made anew shows what there was.
func TestCorruptedDatabase(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Record(bench.Camera{AudioRate: 48000}, 45*time.Second)
	dir := b.Copy()
	db, err := schema.Create(t.Context(), dir)
	if err == nil {
		err = db.Close() // nothing is left in the write-ahead log
	}
	if err != nil {
		t.Fatal(err)
	}
	before := bench.EntriesOf(t, dir)
	path := filepath.Join(dir, schema.FileName)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	for i := page; i < len(file); i++ {
		file[i] = 0xaa
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := recorder.Open(t.Context(), recorder.Options{Data: dir, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		r.Close()
		t.Fatal("it can be recorded into")
	}
	if !strings.Contains(err.Error(), "malformed") || !strings.Contains(err.Error(), "nvrfs rebuild") {
		t.Errorf("error is %v", err)
	}
	if found, err := bench.Rebuild(t, dir); err != nil || len(found) > 0 {
		t.Errorf("rebuild: %q, %v", found, err)
	}
	if after := bench.EntriesOf(t, dir); after != before {
		t.Errorf("the entries were\n%sthey are\n%s", before, after)
	}
}

// TestRebuiltReasons kills a recorder between two recordings, where no file says that the run has ended.
func TestRebuiltReasons(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Record(bench.Camera{}, 15*time.Second)
	b.Crash(bench.Camera{}, 21*time.Second)
	dir := b.Copy()
	next := bench.Open(t, dir, 10*time.Second)
	next.Record(bench.Camera{Start: bench.At(bench.Dawn.Add(24 * time.Hour))}, 20*time.Second)
	if err := next.DB.Close(); err != nil {
		t.Fatal(err)
	}
	reasons := func() (all []string) {
		db, err := schema.OpenReadOnly(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		runs, err := db.Runs(t.Context(), 1, 0, 1<<62)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			all = append(all, r.EndReason)
		}
		return all
	}
	before := reasons()
	if !slices.Equal(before, []string{"stopped", fsck.CutOffReason, "stopped"}) {
		t.Fatalf("runs ended because of %q", before)
	}
	bench.SameAfterRebuild(t, dir)
	if after := reasons(); !slices.Equal(after, before) {
		t.Errorf("runs ended because of %q, after rebuilding %q", before, after)
	}
}
