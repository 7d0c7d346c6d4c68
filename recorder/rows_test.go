package recorder

import (
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/media"
	"nvrfs/schema"
)

// execute runs a statement in the database of a data directory.
func execute(t *testing.T, dir, q string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(dir, schema.FileName))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(q)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestRefusedRow has the database refuse a recording of one of two streams, again and again: the other one does not notice,
// and nothing is lost.
func TestRefusedRow(t *testing.T) {
	b := newBench(t, 10*time.Second)
	other := b.secondStream()
	execute(t, b.dir, `CREATE TRIGGER refuse BEFORE INSERT ON recording WHEN NEW.id >> 32 = 1 AND NEW.id & 255 = 2
		BEGIN SELECT RAISE(ABORT, 'not this one'); END`)
	c := simCamera{audioRate: 48000}
	s, o := b.session(c), newSession(other)
	if err := o.Start(c.tracks()); err != nil {
		t.Fatal(err)
	}
	var given []media.Sample
	for x := range c.samples(45 * time.Second) {
		given = append(given, x)
		if err := errors.Join(s.Sample(x), o.Sample(x)); err != nil {
			t.Fatal(err)
		}
		if len(given)%500 == 0 {
			b.commit()
		}
	}
	if err := errors.Join(s.finish("stopped"), o.finish("stopped")); err != nil {
		t.Fatal(err)
	}
	b.commit()
	if recs := b.recordings(); len(recs) != 1 || !recs[0].Sealed {
		t.Errorf("recordings %+v beside one that is refused", recs)
	}
	recs := rowsOf(t, b.db, other.row.ID)
	for _, r := range recs {
		if !r.Sealed {
			t.Errorf("recording %s of the other stream is not sealed", r.ID)
		}
	}
	if run, err := b.db.Run(t.Context(), recs[0].Run); len(recs) < 4 || err != nil || run.EndReason != "stopped" {
		t.Errorf("%d recordings of the other stream, run %+v, %v", len(recs), run, err)
	}
	if log := b.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "the database refuses a recording") || !strings.Contains(log, "stream cam:") || !strings.Contains(log, "not this one") {
		t.Error(log)
	}
	execute(t, b.dir, `DROP TRIGGER refuse`)
	b.commit()
	b.checkShown(given, c.tracks())
	b.checkFiles()
	if got := playBackStream(t, b.dir, other.row.Label()); len(got) != 1 {
		t.Errorf("the other stream has %d days", len(got))
	} else {
		compareShown(t, got[0], wantShown(given, c.tracks()))
	}
	if log := b.log.String(); strings.Count(log, "\n") != 2 || !strings.Contains(log, "committing again") {
		t.Error(log)
	}
	if len(b.disk.dirty) != 0 || len(b.disk.ended) != 0 {
		t.Errorf("%d files, %d runs are left", len(b.disk.dirty), len(b.disk.ended))
	}
}

// secondStream adds a stream on the same disk.
func (b *bench) secondStream() *stream {
	b.t.Helper()
	var row schema.Stream
	err := b.db.Write(b.t.Context(), func(tx *schema.Tx) (err error) {
		row, err = tx.Stream("other", "main")
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	s := newStream(StreamOptions{}, row, b.disk, 10*time.Second, slog.New(slog.DiscardHandler))
	s.stagger90k = 0
	return s
}

// TestBusyDatabase has another process write to the database for longer than anybody waits for it.
func TestBusyDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	t.Parallel()
	f := newFaulty(t)
	eventually(t, "recordings", func() bool { return len(f.rows("a")) > 1 && len(f.rows("b")) > 1 })
	db, err := schema.OpenExisting(t.Context(), f.o.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Write(t.Context(), func(*schema.Tx) error {
		f.says("cannot commit; footage is kept in its files")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	f.commitsAgain()
	if log := f.log.String(); !strings.Contains(log, "database is locked") {
		t.Error(log)
	}
}

// TestFullDatabase fills the disk of the database, and frees it again. The sample files are elsewhere.
func TestFullDatabase(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	t.Parallel()
	data := t.TempDir()
	if err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("no small disk: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(data, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	f := newFaultyIn(t, data)
	eventually(t, "recordings", func() bool { return len(f.rows("a")) > 1 && len(f.rows("b")) > 1 })
	ballast := filepath.Join(data, "ballast")
	w, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = w.Write(make([]byte, 4096))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f.says("cannot commit; footage is kept in its files")
	f.says("database or disk is full")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	f.commitsAgain()
}

// commitsAgain checks that nothing of either stream is lost when the database is well again.
func (f *faulty) commitsAgain() {
	f.t.Helper()
	f.says("committing again")
	f.grows("a")
	f.grows("b")
	for _, name := range []string{"a", "b"} {
		if sent, kept := f.kept(name); len(sent) != 1 || !slices.Equal(sent, kept) {
			f.t.Errorf("stream %s: of %v pictures %v are kept", name, sent, kept)
		}
	}
}

// TestRefusedRowAtStart has the database refuse what a crash left: the recorder starts all the same, and takes it in once the
// database does.
func TestRefusedRowAtStart(t *testing.T) {
	b := newBench(t, 20*time.Second)
	given := b.crash(simCamera{}, 15*time.Second)
	b.disk.closeAll()
	dir := b.copy()
	execute(t, dir, `CREATE TRIGGER refuse BEFORE INSERT ON recording BEGIN SELECT RAISE(ABORT, 'not this one'); END`)
	if log := reopen(t, dir); strings.Count(log, "cannot commit a sample file") != 1 || !strings.Contains(log, "not this one") {
		t.Errorf("the log says %s", log)
	}
	execute(t, dir, `DROP TRIGGER refuse`)
	reopen(t, dir)
	if got := pictures(t, dir); len(got) == 0 || len(got) < len(given)-100 {
		t.Errorf("%d pictures of %d are there", len(got), len(given))
	}
}
