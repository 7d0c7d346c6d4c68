package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"nvrfs/media"
)

func create(t testing.TB, dir string) *DB {
	t.Helper()
	db, err := Create(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func openReadOnly(t testing.TB, dir string) *DB {
	t.Helper()
	db, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func write(t testing.TB, db *DB, f func(*Tx) error) {
	t.Helper()
	if err := db.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

const minute90k = 60 * 90000

// recordings counts those of the only stream.
func recordings(ctx context.Context, db *DB) (int64, error) {
	streams, err := db.Streams(ctx)
	if err != nil || len(streams) != 1 {
		return 0, errors.Join(fmt.Errorf("%d streams", len(streams)), err)
	}
	return streams[0].Recordings, nil
}

// scene is a database with one run of one stream.
type scene struct {
	db         *DB
	stream     Stream
	run, entry int64
}

func newScene(t testing.TB, dir string) *scene {
	t.Helper()
	s := &scene{db: create(t, dir)}
	write(t, s.db, func(tx *Tx) (err error) {
		if s.stream, err = tx.Stream("front-door", "main"); err != nil {
			return err
		}
		if s.run, err = tx.Run(s.stream.ID, "run-1", 1000); err != nil {
			return err
		}
		s.entry, err = tx.SampleEntry(media.SampleEntry{Kind: 1, Codec: "avc1.640028", Timescale: 90000, Width: 1920, Height: 1080, Box: []byte("box")})
		return err
	})
	return s
}

// recording is one that starts in minute n.
func (s *scene) recording(n int64, sealed bool) *Recording {
	return &Recording{
		ID: MakeRecordingID(s.stream.ID, n), Run: s.run, Dir: 1, Sequence: int(n), Start90k: n * minute90k, WallDuration90k: minute90k,
		HeaderBytes: 900, Bytes: 900 + n, Sealed: sealed,
		Tracks: []Track{{Entry: s.entry, Sums: media.Sums{Start: n, Duration: minute90k, LastDuration: 3600, Samples: 1500, Syncs: 30, TimeRuns: 1, Chunks: 30, ChunkRuns: 1}}},
	}
}

func (s *scene) put(t testing.TB, r *Recording) {
	t.Helper()
	write(t, s.db, func(tx *Tx) error { return tx.PutRecording(r, fmt.Appendf(nil, "index of %d bytes", r.Bytes)) })
}

func TestRowsRoundTrip(t *testing.T) {
	s := newScene(t, t.TempDir())
	ctx := t.Context()
	var want []Recording
	for n := int64(1); n <= 5; n++ {
		r := s.recording(n, n < 5)
		s.put(t, r)
		want = append(want, *r)
	}
	if got, err := s.db.StartingIn(ctx, s.stream.ID, 2*minute90k, 5*minute90k); err != nil || !reflect.DeepEqual(got, want[1:4]) {
		t.Errorf("[2, 5) lists\n%+v, want\n%+v, %v", got, want[1:4], err)
	}
	if got, err := s.db.StartingIn(ctx, s.stream.ID+1, 0, 1<<62); err != nil || len(got) != 0 {
		t.Errorf("another stream has %+v, %v", got, err)
	}
	if got, err := s.db.PackedIndex(ctx, want[2].ID); err != nil || string(got) != "index of 903 bytes" {
		t.Errorf("index is %q, %v", got, err)
	}
	if got, ok, err := s.db.FirstStart(ctx, s.stream.ID, 2*minute90k+1); err != nil || !ok || got != 3*minute90k {
		t.Errorf("first start is %d, %v, %v", got, ok, err)
	}
	if _, ok, err := s.db.FirstStart(ctx, s.stream.ID, 5*minute90k+1); err != nil || ok {
		t.Errorf("there is a first start behind the last: %v", err)
	}
	if start, end, ok, err := s.db.LastSpan(ctx, s.stream.ID, 3*minute90k); err != nil || !ok || start != 2*minute90k || end != 3*minute90k {
		t.Errorf("last span is [%d, %d), %v, %v", start, end, ok, err)
	}
	if got, err := s.db.Growing(ctx); err != nil || !reflect.DeepEqual(got, []RecordingFile{{want[4].ID, 1, want[4].Bytes}}) {
		t.Errorf("growing are %v, %v", got, err)
	}
	if got, err := s.db.Streams(ctx); err != nil || !reflect.DeepEqual(got, []Stream{{s.stream.ID, "front-door", "main", 6, 5, 5*900 + 15}}) {
		t.Errorf("streams are %+v, %v", got, err)
	}
	wantEntry := media.SampleEntry{Kind: 1, Codec: "avc1.640028", Timescale: 90000, Width: 1920, Height: 1080, Box: []byte("box")}
	if got, err := s.db.SampleEntry(ctx, s.entry); err != nil || !reflect.DeepEqual(got, wantEntry) {
		t.Errorf("sample entry is %+v, %v", got, err)
	}
	if err := s.db.Write(ctx, func(tx *Tx) error { return tx.EndRun(s.run, "it ended") }); err != nil {
		t.Fatal(err)
	}
	if got, err := s.db.Run(ctx, s.run); err != nil || got != (Run{s.run, s.stream.ID, "run-1", 1000, "it ended"}) {
		t.Errorf("run is %+v, %v", got, err)
	}
}

// What is there already is found again, not added twice.
func TestAddingTwiceFindsTheFirst(t *testing.T) {
	s := newScene(t, t.TempDir())
	again := newSceneIn(t, s.db)
	if again.stream != s.stream || again.run != s.run || again.entry != s.entry {
		t.Errorf("%+v, then %+v", s, again)
	}
	write(t, s.db, func(tx *Tx) error {
		other, err := tx.SampleEntry(media.SampleEntry{Kind: 1, Codec: "avc1.640028", Timescale: 45000, Box: []byte("box")})
		if err == nil && other == s.entry {
			err = errors.New("another timescale is the same sample entry")
		}
		return err
	})
	turned := media.SampleEntry{Kind: 1, Codec: "avc1.640028", Timescale: 90000, Width: 1920, Height: 1080, Rotation: 270, Box: []byte("box")}
	write(t, s.db, func(tx *Tx) error {
		other, err := tx.SampleEntry(turned)
		if err == nil && other == s.entry {
			err = errors.New("another rotation is the same sample entry")
		}
		s.entry = other
		return err
	})
	if got, err := s.db.SampleEntry(t.Context(), s.entry); err != nil || !reflect.DeepEqual(got, turned) {
		t.Errorf("sample entry is %+v, %v", got, err)
	}
	turned.Rotation = 45
	err := s.db.Write(t.Context(), func(tx *Tx) error { _, err := tx.SampleEntry(turned); return err })
	if err == nil {
		t.Error("a picture is turned by 45 degrees")
	}
}

func newSceneIn(t *testing.T, db *DB) *scene {
	s := &scene{db: db}
	write(t, db, func(tx *Tx) (err error) {
		s.stream, err = tx.Stream("front-door", "main")
		if err == nil {
			s.run, err = tx.Run(s.stream.ID, "run-1", 1000)
		}
		if err == nil {
			s.entry, err = tx.SampleEntry(media.SampleEntry{Kind: 1, Codec: "avc1.640028", Timescale: 90000, Width: 1920, Height: 1080, Box: []byte("box")})
		}
		return err
	})
	return s
}

func TestSealedRecordingsNeverChange(t *testing.T) {
	s := newScene(t, t.TempDir())
	grown := s.recording(1, false)
	s.put(t, grown)
	grown.Bytes, grown.Tracks[0].Samples = 5000, 3000
	s.put(t, grown)
	grown.Sealed = true
	s.put(t, grown)
	grown.Bytes++
	err := s.db.Write(t.Context(), func(tx *Tx) error { return tx.PutRecording(grown, nil) })
	if err == nil || !strings.Contains(err.Error(), "sealed") {
		t.Errorf("changing a sealed recording: %v", err)
	}
	grown.Bytes--
	if got, err := s.db.StartingIn(t.Context(), s.stream.ID, 0, 1<<62); err != nil || !reflect.DeepEqual(got, []Recording{*grown}) {
		t.Errorf("the row is %+v, want %+v, %v", got, grown, err)
	}
	if got, err := s.db.PackedIndex(t.Context(), grown.ID); err != nil || string(got) != "index of 5000 bytes" {
		t.Errorf("the index is %q, %v", got, err)
	}
}

// TestEndRunsIn ends the runs that go on in one of two sample directories, and no others.
func TestEndRunsIn(t *testing.T) {
	s := newScene(t, t.TempDir())
	runs := make([]int64, 4) // in the other directory, ended there, in the first, without a recording
	write(t, s.db, func(tx *Tx) error {
		other, err := tx.SampleDir("/mnt/other")
		if err != nil {
			return err
		}
		for i, dir := range []int64{other, other, 1, 0} {
			if runs[i], err = tx.Run(s.stream.ID, fmt.Sprint("run of ", i), 1000); err != nil {
				return err
			}
			r := s.recording(int64(i+1), true)
			if r.Run, r.Dir = runs[i], dir; dir > 0 {
				err = tx.PutRecording(r, []byte("index"))
			}
			if i == 1 {
				err = errors.Join(err, tx.EndRun(runs[i], "stopped"))
			}
			if err != nil {
				return err
			}
		}
		return tx.EndRunsIn(other, "cut off")
	})
	for i, want := range []string{"cut off", "stopped", "", ""} {
		if run, err := s.db.Run(t.Context(), runs[i]); err != nil || run.EndReason != want {
			t.Errorf("run %d is %+v, want %q, %v", i, run, want, err)
		}
	}
}

func TestRecordingNumbersOnlyRise(t *testing.T) {
	s := newScene(t, t.TempDir())
	for _, n := range []int64{7, 3} {
		s.put(t, s.recording(n, true))
		if got, err := s.db.Streams(t.Context()); err != nil || got[0].NextNumber != 8 {
			t.Errorf("after recording %d the next is %d, %v", n, got[0].NextNumber, err)
		}
	}
}

// The tables refuse what would break an invariant, whatever the code does.
func TestConstraints(t *testing.T) {
	s := newScene(t, t.TempDir())
	s.put(t, s.recording(1, true))
	for name, q := range map[string]string{
		"a recording of no run":          `UPDATE recording SET run_id = 99`,
		"a recording of another stream":  `UPDATE recording SET stream_id = 2`,
		"an index of no recording":       `INSERT INTO recording_index VALUES (99, x'')`,
		"a run of no stream":             `INSERT INTO run (stream_id, uuid, start_90k) VALUES (99, 'x', 0)`,
		"a text that is no number":       `UPDATE recording SET start_90k = 'soon'`,
		"two streams of one label":       `INSERT INTO stream (camera, name) VALUES ('x.y', 'main'), ('x', 'y')`,
		"a second identity":              `INSERT INTO meta VALUES (2, 'x')`,
		"removing a stream that is used": `DELETE FROM stream`,
	} {
		if _, err := s.db.sql.Exec(q); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for name, change := range map[string]func(*Recording){
		"fewer bytes than the header": func(r *Recording) { r.Bytes = r.HeaderBytes - 1 },
		"a sequence below 0":          func(r *Recording) { r.Sequence = -1 },
		"a duration below 0":          func(r *Recording) { r.WallDuration90k = -1 },
		"a header of less than 0":     func(r *Recording) { r.HeaderBytes = -1 },
		"no number":                   func(r *Recording) { r.ID = MakeRecordingID(s.stream.ID, 0) },
		"a run that is not there":     func(r *Recording) { r.Run = 99 },
	} {
		r := s.recording(2, true)
		change(r)
		err := s.db.Write(t.Context(), func(tx *Tx) error { return tx.Try(func() error { return tx.PutRecording(r, []byte{1}) }) })
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	var loose int
	if err := s.db.sql.QueryRow(`SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' AND NOT strict`).Scan(&loose); err != nil || loose > 0 {
		t.Errorf("%d tables are not STRICT, %v", loose, err)
	}
	if _, err := s.db.sql.Exec(`DELETE FROM recording`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.PackedIndex(t.Context(), MakeRecordingID(s.stream.ID, 1)); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("the index outlives its recording: %v", err)
	}
}

// A transaction leaves all or nothing.
func TestWriteRollsBack(t *testing.T) {
	s := newScene(t, t.TempDir())
	boom := errors.New("boom")
	err := s.db.Write(t.Context(), func(tx *Tx) error {
		if err := tx.PutRecording(s.recording(1, true), []byte{1}); err != nil {
			t.Error(err)
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("error is %v", err)
	}
	if got, err := s.db.Streams(t.Context()); err != nil || got[0].Recordings != 0 || got[0].Bytes != 0 {
		t.Errorf("%+v are left, %v", got, err)
	}
	if rev, err := s.db.Rev(t.Context()); err != nil || rev != 0 {
		t.Errorf("the journal is at %d, %v", rev, err)
	}
}

// TestTry has a row refused: what came with it is undone, and the rest of the transaction stands.
func TestTry(t *testing.T) {
	s := newScene(t, t.TempDir())
	good, sealed := s.recording(1, false), s.recording(2, true)
	s.put(t, sealed)
	other := errors.New("other")
	write(t, s.db, func(tx *Tx) error {
		if err := tx.Try(func() error { return tx.PutRecording(good, []byte{1}) }); err != nil {
			t.Error(err)
		}
		bad := s.recording(3, false)
		bad.Run = 99
		for what, c := range map[string]struct {
			put     func() error
			refused bool
		}{
			"a run that is not there": {func() error { return tx.PutRecording(bad, []byte{1}) }, true},
			"a sealed recording":      {func() error { return tx.PutRecording(sealed, []byte{1}) }, true},
			"another error":           {func() error { return other }, false},
		} {
			err := tx.Try(func() error {
				if _, err := tx.Stream("undone", "main"); err != nil {
					return err
				}
				return c.put()
			})
			if err == nil || errors.Is(err, ErrRefused) != c.refused {
				t.Errorf("%s: %v", what, err)
			}
		}
		return nil
	})
	streams, err := s.db.Streams(t.Context())
	if err != nil || len(streams) != 1 || streams[0].Recordings != 2 {
		t.Errorf("streams %+v, %v", streams, err)
	}
}

// The end of its context undoes a transaction, wherever it is, and is what the error says.
func TestWriteEndsWithItsContext(t *testing.T) {
	s := newScene(t, t.TempDir())
	for name, put := range map[string]func(*Tx) error{
		"before the commit": func(tx *Tx) error { return tx.PutRecording(s.recording(1, true), []byte{1}) },
		"in the middle": func(tx *Tx) (err error) {
			for n := int64(1); err == nil; n++ {
				err = tx.PutRecording(s.recording(n, true), []byte{1})
			}
			return err
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.db.Write(ctx, func(tx *Tx) error {
			cancel()
			return put(tx)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error is %v", name, err)
		}
		if got, err := s.db.Streams(t.Context()); err != nil || got[0].Recordings != 0 || got[0].NextNumber != 1 {
			t.Errorf("%s: %+v are left, %v", name, got, err)
		}
	}
}

// A transaction may read what it has put in.
func TestSumsWithinATransaction(t *testing.T) {
	s := newScene(t, t.TempDir())
	write(t, s.db, func(tx *Tx) error {
		for n := int64(1); n <= 3; n++ {
			if err := tx.PutRecording(s.recording(n, true), []byte{1}); err != nil {
				return err
			}
		}
		if err := tx.Forget(MakeRecordingID(s.stream.ID, 2)); err != nil {
			return err
		}
		got, err := tx.Stream(s.stream.Camera, s.stream.Name)
		if want := s.recording(1, true).Bytes + s.recording(3, true).Bytes; got.Recordings != 2 || got.Bytes != want || got.NextNumber != 4 {
			t.Errorf("the stream is %+v, want 2 recordings of %d bytes", got, want)
		}
		return err
	})
	if wrong, err := s.db.WrongSums(t.Context()); err != nil || len(wrong) > 0 {
		t.Errorf("wrong sums: %+v, %v", wrong, err)
	}
}

func TestJournal(t *testing.T) {
	s := newScene(t, t.TempDir())
	ctx := t.Context()
	expect := func(since int64, want ...Change) {
		t.Helper()
		got, complete, err := s.db.ChangesSince(ctx, since)
		if err != nil || !complete || !reflect.DeepEqual(got, want) {
			t.Errorf("changes since %d are %+v, complete %v, %v; want %+v", since, got, complete, err, want)
		}
	}
	expect(0)
	r := s.recording(1, false)
	s.put(t, r)
	expect(0, Change{1, r.ID, minute90k, Added})
	r.Bytes++
	s.put(t, r)
	expect(1, Change{2, r.ID, minute90k, Grown})

	// The start of a run's first recording is corrected while it grows: where it was, it is no more.
	r.Start90k -= 5
	s.put(t, r)
	expect(2, Change{3, r.ID, minute90k, Grown}, Change{4, r.ID, minute90k - 5, Added})

	write(t, s.db, func(tx *Tx) error { return tx.SealRow(r.ID) })
	expect(4, Change{5, r.ID, minute90k - 5, Grown})
	write(t, s.db, func(tx *Tx) error { return tx.SealRow(r.ID) }) // it was sealed already
	expect(5)
	if rev, err := s.db.Rev(ctx); err != nil || rev != 5 {
		t.Errorf("the newest change is %d, %v", rev, err)
	}
}

func TestJournalIsPruned(t *testing.T) {
	s := newScene(t, t.TempDir())
	if _, err := s.db.sql.Exec(`INSERT INTO change (rev, recording_id, start_90k, kind)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i, 1, 0, 0 FROM n`, keptChanges); err != nil {
		t.Fatal(err)
	}
	for n := int64(1); n <= 3; n++ {
		s.put(t, s.recording(n, true))
	}
	// The three newest pushed out the three oldest: 1 to 3.
	for since, want := range map[int64]bool{0: false, 1: false, 2: false, 3: true, 4: true, keptChanges + 3: true} {
		changes, complete, err := s.db.ChangesSince(t.Context(), since)
		if err != nil || complete != want || len(changes) != keptChanges+3-int(max(since, 3)) {
			t.Errorf("since %d: %d changes, complete %v, %v", since, len(changes), complete, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	ctx := t.Context()
	if _, err := OpenReadOnly(ctx, t.TempDir()); !errors.Is(err, ErrNotThere) {
		t.Errorf("an empty directory: %v", err)
	}
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"a text": {
			func(path string) error {
				return os.WriteFile(path, []byte(strings.Repeat("these are no tables\n", 100)), 0o644)
			}, "not a database",
		},
		"another program's database": {func(path string) error { return exec(path, `CREATE TABLE photos (id)`) }, "no database of nvrfs"},
		"a newer version": {func(path string) error {
			return errors.Join(create(t, filepath.Dir(path)).Close(), exec(path, fmt.Sprintf(`PRAGMA user_version = %d`, Version+1)))
		}, fmt.Sprintf("version %d", Version+1)},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, FileName)
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		os.Chmod(path, 0o644)
		before, _ := os.ReadFile(path)
		for _, open := range []func(context.Context, string) (*DB, error){Create, OpenReadOnly} {
			if _, err := open(ctx, dir); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: error is %v, want %q", name, err, c.want)
			}
		}
		after, _ := os.ReadFile(path)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 || string(after) != string(before) {
			t.Errorf("%s was touched: mode %v, %d bytes, then %d", name, info.Mode(), len(before), len(after))
		}
	}
}

// exec runs a statement in the database of whomever.
func exec(path, q string) error {
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		return err
	}
	_, err = db.Exec(q)
	return errors.Join(err, db.Close())
}

func TestIdentityStays(t *testing.T) {
	dir := t.TempDir()
	first := create(t, dir)
	id := first.UUID()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if again := create(t, dir).UUID(); again != id || len(id) != 36 {
		t.Errorf("identity is %q, then %q", id, again)
	}
	if read := openReadOnly(t, dir).UUID(); read != id {
		t.Errorf("a reader takes it for %q", read)
	}
	if other := create(t, t.TempDir()).UUID(); other == id {
		t.Error("two databases have the same identity")
	}
}

// Names of cameras and times of day are nobody else's business.
func TestFileModes(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := t.TempDir()
	s := newScene(t, dir)
	s.put(t, s.recording(1, false))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("files are %v, %v", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f, info.Mode(), err)
		}
	}
}

func TestReaderBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	s := newScene(t, dir)
	reader := openReadOnly(t, dir)
	for n := int64(1); n <= 3; n++ {
		s.put(t, s.recording(n, true))
		if got, err := recordings(t.Context(), reader); err != nil || got != n {
			t.Errorf("the reader sees %d recordings of %d, %v", got, n, err)
		}
	}
	// In the middle of a transaction, a reader neither waits nor sees half of it.
	write(t, s.db, func(tx *Tx) error {
		err := tx.PutRecording(s.recording(4, true), []byte{1})
		if got, err := recordings(t.Context(), reader); err != nil || got != 3 {
			t.Errorf("the reader sees %d recordings in a transaction, %v", got, err)
		}
		return err
	})
	if err := reader.Write(t.Context(), func(tx *Tx) error { return tx.EndRuns("x") }); err == nil {
		t.Error("a reader may write")
	}
}

// TestReadOnlyDirectory reads footage at rest where not even a WAL index can be made: on a read-only medium, or as another
// user.
func TestReadOnlyDirectory(t *testing.T) {
	dir := t.TempDir()
	s := newScene(t, dir)
	s.put(t, s.recording(1, true))
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, change := range []error{
		os.Chmod(filepath.Join(dir, FileName), 0o444), os.Chmod(dir, 0o555), os.Chmod(filepath.Dir(dir), 0o755),
	} {
		if change != nil {
			t.Fatal(change)
		}
	}
	defer os.Chmod(dir, 0o700) //nolint:errcheck // so that it can be removed
	asNobody(t, func() {
		db, err := OpenReadOnly(context.Background(), dir)
		if err != nil {
			t.Error(err)
			return
		}
		defer db.Close()
		if n, err := recordings(context.Background(), db); err != nil || n != 1 {
			t.Errorf("%d recordings, %v", n, err)
		}
	})
	if files, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(files) != 1 {
		t.Errorf("reading left %v, %v", files, err)
	}
}

// asNobody runs f as a user who is not root, on a thread that dies with it.
func asNobody(t *testing.T, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			const nobody = 65534
			if _, _, err := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); err != 0 {
				t.Error(err)
				return
			}
		}
		f()
	}()
	<-done
}

func TestCreateWhereNoneCanBe(t *testing.T) {
	if _, err := Create(t.Context(), filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

// Names that a URI would take apart.
func TestDirectoryWithAnOddName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?mode=memory#%41&c")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	id := create(t, dir).UUID()
	if _, err := os.Stat(filepath.Join(dir, FileName)); err != nil {
		t.Error(err)
	}
	if got := openReadOnly(t, dir).UUID(); got != id {
		t.Errorf("identity is %q, want %q", got, id)
	}
}

// Every query goes by an index, without a sort, in a database that knows nothing of its sizes (nobody runs ANALYZE).
func TestQueryPlans(t *testing.T) {
	db := create(t, t.TempDir())
	for q, want := range map[string]string{
		qStreams: "SCAN stream USING INDEX sqlite_autoindex_stream_2",
		qStartingIn: "CO-ROUTINE (subquery-1); SEARCH recording USING INDEX recording_start (stream_id=? AND start_90k>? AND start_90k<?); " +
			"SCAN (subquery-1)", // to join what it gives
		qFirst: "SEARCH recording USING INDEX recording_start (stream_id=? AND start_90k>?)",
		qLast:  "SEARCH recording USING INDEX recording_start (stream_id=? AND start_90k<?)",
		qIndex: "COMPOUND QUERY; LEFT-MOST SUBQUERY; SEARCH recording_index USING INTEGER PRIMARY KEY (rowid=?); " +
			"UNION ALL; SEARCH garbage USING INTEGER PRIMARY KEY (rowid=?)",
		qEntry: "SEARCH sample_entry USING INTEGER PRIMARY KEY (rowid=?)",
		qRev:   "SCAN change", // by key, and only its first row
		qSince: "SEARCH change USING INTEGER PRIMARY KEY (rowid>?)",
		qRuns:  "SEARCH run USING COVERING INDEX run_listing (stream_id=? AND start_90k>? AND start_90k<?)",
		qOpen:  "SCAN recording USING INDEX recording_growing", // which has nothing else
		qRun:   "SEARCH run USING INTEGER PRIMARY KEY (rowid=?)",
		qByID:  "SEARCH recording USING INTEGER PRIMARY KEY (rowid=?)",
		// These tables have a handful of rows, and all are read, by key.
		qDirs:        "SCAN sample_dir",
		qGarbage:     "SCAN garbage",
		qHolds:       "SCAN hold",
		qOldest:      "SEARCH recording USING INDEX recording_start (stream_id=? AND start_90k>?)",
		qNewest:      "SEARCH recording USING INDEX recording_start (stream_id=?)",
		qMarks:       "SEARCH mark USING INDEX mark_start (camera=? AND start_90k>? AND start_90k<?)",
		qLongMarks:   "SEARCH mark USING INDEX mark_long (camera=? AND start_90k>? AND start_90k<?)",
		qOpenMarks:   "SCAN mark USING INDEX mark_long", // the long ones
		qDeleteMarks: "SEARCH mark USING INTEGER PRIMARY KEY (rowid=?); LIST SUBQUERY 1; SEARCH mark USING INDEX mark_start (camera=? AND start_90k<?)",
		// Not run by the mount: the runs that were found are sorted.
		qRunsWith: "SEARCH run USING INTEGER PRIMARY KEY (rowid=?); LIST SUBQUERY 2; " +
			"SEARCH recording USING INDEX recording_start (stream_id=? AND start_90k>? AND start_90k<?); " +
			"CORRELATED SCALAR SUBQUERY 1; SEARCH recording USING INDEX recording_run (run_id=?); USE TEMP B-TREE FOR ORDER BY",
	} {
		args := make([]any, strings.Count(q, "?"))
		for i := range args {
			args[i] = 1
		}
		rows, err := db.sql.Query("EXPLAIN QUERY PLAN "+q, args...)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(plan, "; "); got != want {
			t.Errorf("%s\nplan is %q,\nwant    %q", q, got, want)
		}
	}
}

// A stream with more recordings than are read at once is listed in full, also where many start at the same time, and as far as
// was asked for.
func TestStartingInReadsOn(t *testing.T) {
	s := newScene(t, t.TempDir())
	rnd := rand.New(rand.NewPCG(1, 1))
	var want []Recording
	write(t, s.db, func(tx *Tx) error {
		for n := int64(1); n <= 2*listedAtOnce+7; n++ {
			r := s.recording(n, true)
			r.Start90k = n / 1500 * minute90k
			r.Tracks = randomTracks(rnd)
			if err := tx.PutRecording(r, []byte{1}); err != nil {
				return err
			}
			want = append(want, *r)
		}
		return nil
	})
	got, err := s.db.StartingIn(t.Context(), s.stream.ID, 0, minute90k*100)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%d recordings are not the %d that there are: %v", len(got), len(want), err)
	}
	var room Room
	for _, most := range []int{1, listedAtOnce, len(want), len(want) + 1} {
		got, ok, err := s.db.SomeStartingIn(t.Context(), &room, s.stream.ID, 0, minute90k*100, most)
		if n := min(most, len(want)); err != nil || ok != (len(want) < most) || !reflect.DeepEqual(got, want[:n]) {
			t.Errorf("at most %d: %d recordings, %t, %v", most, len(got), ok, err)
		}
	}
}

func TestQueriesAreCounted(t *testing.T) {
	s := newScene(t, t.TempDir())
	s.put(t, s.recording(1, true))
	before := s.db.Stats().Queries
	if _, err := s.db.StartingIn(t.Context(), s.stream.ID, 0, 1<<62); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.SampleEntry(t.Context(), s.entry); err != nil {
		t.Fatal(err)
	}
	if got := s.db.Stats().Queries - before; got != 2 {
		t.Errorf("%d queries were counted, of 2", got)
	}
}

func TestRecordingIDs(t *testing.T) {
	for _, c := range [][2]int64{{1, 1}, {7, 1<<32 - 1}, {1<<31 - 1, 5}} {
		id := MakeRecordingID(c[0], c[1])
		if id.Stream() != c[0] || id.Number() != c[1] || id.String() != fmt.Sprintf("%d/%d", c[0], c[1]) {
			t.Errorf("%v: %d, %d, %s", c, id.Stream(), id.Number(), id)
		}
	}
}

// BenchmarkListing lists an hour among a month of one stream.
func BenchmarkListing(b *testing.B) {
	s := newScene(b, b.TempDir())
	const month = 30 * 24 * 60
	write(b, s.db, func(tx *Tx) error {
		for n := int64(1); n <= month; n++ {
			if err := tx.PutRecording(s.recording(n, true), []byte{1}); err != nil {
				return err
			}
		}
		return nil
	})
	for b.Loop() {
		recs, err := s.db.StartingIn(b.Context(), s.stream.ID, month/2*minute90k, (month/2+60)*minute90k)
		if err != nil || len(recs) != 60 {
			b.Fatal(len(recs), err)
		}
	}
}

// BenchmarkPutRecording adds recordings of a minute, a thousand in a transaction.
func BenchmarkPutRecording(b *testing.B) {
	s := newScene(b, b.TempDir())
	index := make([]byte, 4000)
	for n := int64(0); b.Loop(); {
		write(b, s.db, func(tx *Tx) error {
			for range 1000 {
				n++
				if err := tx.PutRecording(s.recording(n, true), index); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
