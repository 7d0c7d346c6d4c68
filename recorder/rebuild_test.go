package recorder

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/playback"
	"nvrfs/schema"
	"nvrfs/store/dir"
)

// entriesOf lists every entry of a data directory: its path, its size, its ETag, and the SHA-256 of its bytes.
func entriesOf(t *testing.T, dir string) string {
	t.Helper()
	lib, err := playback.Open(t.Context(), playback.Options{Data: dir, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	var list strings.Builder
	streams, err := lib.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range streams {
		days, err := lib.Days(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		for _, day := range days {
			hours, err := lib.Hours(t.Context(), s, day)
			if err != nil {
				t.Fatal(err)
			}
			for _, hour := range hours {
				entries, err := lib.Entries(t.Context(), s, hour)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range entries {
					f, err := lib.Open(t.Context(), e, "test")
					if err != nil {
						t.Fatal(err)
					}
					h := sha256.New()
					if _, err := io.Copy(h, io.NewSectionReader(f, 0, f.Size())); err != nil {
						t.Fatal(err)
					}
					f.Close()
					fmt.Fprintf(&list, "%s/%s/%s/%s %d %s %x\n", s.Label, day.Name, hour.Name, e.Name, e.Size, e.ETag, h.Sum(nil))
				}
			}
		}
	}
	return list.String()
}

// rebuild removes the database of a data directory and makes it anew.
func rebuild(t *testing.T, dir string, samples ...string) (found []string, err error) {
	t.Helper()
	old, _ := filepath.Glob(filepath.Join(dir, schema.FileName+"*"))
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	_, err = Rebuild(t.Context(), dir, RebuildOptions{
		Samples: samples, Log: slog.New(slog.DiscardHandler), Total: func(int64) {}, Read: func(int64) {},
		Found: func(p Problem) { found = append(found, p.String()) },
	})
	return found, err
}

// sameAfterRebuild rebuilds the database, and checks that all is as before.
func sameAfterRebuild(t *testing.T, dir string, samples ...string) {
	t.Helper()
	before := entriesOf(t, dir)
	if found, err := rebuild(t, dir, samples...); err != nil || len(found) > 0 {
		t.Errorf("rebuild: %q, %v", found, err)
	}
	if after := entriesOf(t, dir); after != before {
		t.Errorf("the entries were\n%sthey are\n%s", before, after)
	}
	noProblems(t, dir)
	if left, _ := filepath.Glob(filepath.Join(dir, "rebuild-*")); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

// TestRebuild rebuilds runs with gaps, corrected clocks and B-frames, of two streams in two directories, of which the oldest
// recordings are deleted and the newest one goes on.
func TestRebuild(t *testing.T) {
	b := newBench(t, 10*time.Second)
	b.record(simCamera{audioRate: 48000, jitter: 50 * time.Millisecond}, 45*time.Second)
	b.record(simCamera{bFrames: true}, 25*time.Second)
	first := b.recordings()[0]
	if err := b.db.Write(t.Context(), func(tx *schema.Tx) error {
		return tx.Delete(schema.Victim{ID: first.ID, Start90k: first.Start90k, Bytes: first.Bytes}, 0)
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(b.path(1)); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(t.TempDir(), "second")
	other := b.elsewhere(second, "sub")
	other.crash(simCamera{burst: 60}, 35*time.Second)
	other.disk.commit()
	b.crash(simCamera{bFrames: true, audioRate: 48000}, 18*time.Second)
	b.disk.commit()
	b.disk.closeAll()
	dir := b.copy()
	sameAfterRebuild(t, dir, second)
	if log := reopen(t, dir); strings.Contains(log, "ERROR") || strings.Contains(log, "WARN") {
		t.Error(log)
	}
	db, err := schema.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if db.UUID() != b.db.UUID() {
		t.Errorf("the database is %s, it was %s", db.UUID(), b.db.UUID())
	}
	runs, err := db.Runs(t.Context(), 1, 0, 1<<62)
	if err != nil || len(runs) != 3 || runs[0].EndReason != "stopped" {
		t.Errorf("runs %+v, %v", runs, err)
	}
}

// elsewhere makes a bench for another stream of the same camera, in another sample directory.
func (b *bench) elsewhere(path, name string) *bench {
	b.t.Helper()
	var row schema.Stream
	var id int64
	err := b.db.Write(b.t.Context(), func(tx *schema.Tx) (err error) {
		if row, err = tx.Stream("cam", name); err != nil {
			return err
		}
		id, err = tx.SampleDir(path)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	st, err := dir.Attach(path, b.db.UUID())
	if err != nil {
		b.t.Fatal(err)
	}
	d := newDisk(id, st, b.db, time.Hour, b.disk.log)
	b.t.Cleanup(d.closeAll)
	return &bench{t: b.t, dir: b.dir, db: b.db, disk: d, stream: newStream(StreamOptions{}, row, d, 10*time.Second, b.disk.log)}
}

func TestRebuildDamaged(t *testing.T) {
	b := newBench(t, 10*time.Second)
	b.record(simCamera{}, 65*time.Second)
	d := damage{t, b.copy()}
	d.flip(2, "mdat", 2, 500)
	d.edit(3, func(p []byte) []byte { return p[:len(p)-10] }) // its seal
	d.flip(5, "mdhd", 0, 10)
	d.edit(7, func(p []byte) []byte { return p[:b.recordings()[6].Bytes-20] }) // as a kill leaves it
	if err := os.WriteFile(d.path(9), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.path(6), d.path(8)); err != nil {
		t.Fatal(err)
	}
	found, err := rebuild(t, d.dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"cam/2: the sample file does not end", "cam/3: the sample file does not end", "cam/5: set aside", "cam/8: set aside", "cam/9: set aside"} {
		if len(found) <= i || !strings.HasPrefix(found[i], want) {
			t.Fatalf("found %q, want as number %d %q", found, i, want)
		}
	}
	noProblems(t, d.dir)
	if got, want := len(pictures(t, d.dir)), 250+200+250+250+100; len(found) != 5 || got != want {
		t.Errorf("%d pictures, want %d; found %q", got, want, found)
	}
	if left, _ := filepath.Glob(filepath.Join(d.dir, schema.DefaultSampleDir, "cam", "000", "*.damaged")); len(left) != 5 {
		t.Errorf("set aside are %v", left)
	}
	sameAfterRebuild(t, d.dir)
}

func TestRebuildIsRefused(t *testing.T) {
	b := newBench(t, 10*time.Second)
	b.record(simCamera{}, 15*time.Second)
	o := RebuildOptions{Log: slog.New(slog.DiscardHandler), Total: func(int64) {}, Read: func(int64) {}, Found: func(p Problem) { t.Error(p) }}
	if _, err := Rebuild(t.Context(), b.dir, o); !errors.Is(err, ErrNothingDone) || !strings.Contains(err.Error(), "move it away") {
		t.Error(err)
	}
	if _, err := Rebuild(t.Context(), t.TempDir(), o); !errors.Is(err, ErrNothingDone) {
		t.Error(err)
	}
	foreign := filepath.Join(t.TempDir(), "samples")
	if _, err := dir.Attach(foreign, "another"); err != nil {
		t.Fatal(err)
	}
	dir := b.copy()
	if _, err := rebuild(t, dir, foreign); !errors.Is(err, ErrNothingDone) || !strings.Contains(err.Error(), "belongs to database") {
		t.Error(err)
	}
	// Nor does a recorder make a new database there.
	_, err := Open(t.Context(), Options{Data: dir, Streams: []StreamOptions{{Camera: "cam", Name: "main"}}, Log: newTestLog(new(logBuffer))})
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
	b := newBench(t, 10*time.Second)
	b.record(simCamera{audioRate: 48000}, 45*time.Second)
	dir := b.copy()
	db, err := schema.Create(t.Context(), dir)
	if err == nil {
		err = db.Close() // nothing is left in the write-ahead log
	}
	if err != nil {
		t.Fatal(err)
	}
	before := entriesOf(t, dir)
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
	r, err := Open(t.Context(), Options{Data: dir, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		r.Close()
		t.Fatal("it can be recorded into")
	}
	if !strings.Contains(err.Error(), "malformed") || !strings.Contains(err.Error(), "nvrfs rebuild") {
		t.Errorf("error is %v", err)
	}
	if found, err := rebuild(t, dir); err != nil || len(found) > 0 {
		t.Errorf("rebuild: %q, %v", found, err)
	}
	if after := entriesOf(t, dir); after != before {
		t.Errorf("the entries were\n%sthey are\n%s", before, after)
	}
}

// TestRebuiltReasons kills a recorder between two recordings, where no file says that the run has ended.
func TestRebuiltReasons(t *testing.T) {
	b := newBench(t, 10*time.Second)
	b.record(simCamera{}, 15*time.Second)
	b.crash(simCamera{}, 21*time.Second)
	dir := b.copy()
	y := newYard(t, Options{Data: dir, Streams: streamsOf(Limits{}, "cam")})
	y.record(0, dawn.Add(24*time.Hour), 2)()
	y.close()
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
	if !slices.Equal(before, []string{"stopped", cutOffReason, "stopped"}) {
		t.Fatalf("runs ended because of %q", before)
	}
	sameAfterRebuild(t, dir)
	if after := reasons(); !slices.Equal(after, before) {
		t.Errorf("runs ended because of %q, after rebuilding %q", before, after)
	}
}
