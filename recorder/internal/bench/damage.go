package bench

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"nvrfs/recorder/fsck"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// CheckAt runs Check and returns what it finds.
func CheckAt(t *testing.T, dir string, level fsck.Level) (found []string) {
	t.Helper()
	_, err := fsck.Check(t.Context(), dir, fsck.CheckOptions{
		Level: level, Log: slog.New(slog.DiscardHandler), Total: func(int64) {}, Checked: func(int64) {},
		Found: func(p fsck.Problem) { found = append(found, p.String()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// RepairAt runs Repair and returns what it says.
func RepairAt(t *testing.T, dir string, level fsck.Level) (said []string, left int, err error) {
	t.Helper()
	_, left, err = fsck.Repair(t.Context(), dir, fsck.RepairOptions{
		CheckOptions: fsck.CheckOptions{
			Level: level, Log: slog.New(slog.DiscardHandler), Total: func(int64) {}, Checked: func(int64) {},
			Found: func(p fsck.Problem) { said = append(said, p.String()) },
		},
		Plan: func(p fsck.Problem, action string) { said = append(said, "plan "+p.Subject()+": "+action) },
		Done: func(p fsck.Problem, _ string, err error) {
			said = append(said, fmt.Sprintf("done %s: %v", p.Subject(), err))
		},
	})
	return said, left, err
}

// Damage changes a data directory of which nobody has the database open.
type Damage struct {
	T   *testing.T
	Dir string
}

func (d Damage) Path(number int64) string {
	return filepath.Join(d.Dir, schema.DefaultSampleDir, "cam", "000", fmt.Sprintf("%06d.mp4", number))
}

func (d Damage) Edit(number int64, f func(file []byte) []byte) {
	d.T.Helper()
	file, err := os.ReadFile(d.Path(number))
	if err == nil {
		err = os.WriteFile(d.Path(number), f(file), 0o600)
	}
	if err != nil {
		d.T.Fatal(err)
	}
}

// Flip changes one byte behind the nth occurrence of a box's type, from 0.
func (d Damage) Flip(number int64, box string, nth, behind int) {
	d.T.Helper()
	d.Edit(number, func(p []byte) []byte {
		at := -1
		for range nth + 1 {
			at += 1 + bytes.Index(p[at+1:], []byte(box))
		}
		p[at+behind] ^= 1
		return p
	})
}

// Cut cuts a file off in the middle of the fragment that follows a number of whole ones.
func (d Damage) Cut(number int64, whole int) {
	d.T.Helper()
	d.Edit(number, func(p []byte) []byte {
		at := -1
		for range whole + 1 {
			at += 1 + bytes.Index(p[at+1:], []byte("prft"))
		}
		return p[:at+100]
	})
}

// Row changes what the row of a recording of the first stream says.
func (d Damage) Row(number int64, change func(*schema.Recording)) {
	d.T.Helper()
	ctx := d.T.Context()
	db, err := schema.OpenExisting(ctx, d.Dir)
	if err != nil {
		d.T.Fatal(err)
	}
	defer db.Close()
	streams, err := db.Streams(ctx)
	if err != nil {
		d.T.Fatal(err)
	}
	id := schema.MakeRecordingID(streams[0].ID, number)
	r, ok, err := db.Recording(ctx, id)
	if err != nil || !ok {
		d.T.Fatal(ok, err)
	}
	packed, err := db.PackedIndex(ctx, id)
	if err != nil {
		d.T.Fatal(err)
	}
	change(&r)
	err = db.Write(ctx, func(tx *schema.Tx) error { return errors.Join(tx.Forget(id), tx.PutRecording(&r, packed)) })
	if err != nil {
		d.T.Fatal(err)
	}
}

func (d Damage) SQL(q string, args ...any) {
	d.T.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(d.Dir, schema.FileName))
	if err != nil {
		d.T.Fatal(err)
	}
	_, err = db.Exec("PRAGMA foreign_keys = ON; "+q, args...)
	if err := errors.Join(err, db.Close()); err != nil {
		d.T.Fatal(err)
	}
}

// CheckAside checks that what was damaged is kept as it was, or that nothing was set aside.
func (d Damage) CheckAside(want bool, before map[int64][]byte) {
	d.T.Helper()
	left, _ := filepath.Glob(filepath.Join(d.Dir, schema.DefaultSampleDir, "cam", "000", "*.damaged*"))
	if (len(left) == 1) != want {
		d.T.Errorf("set aside is %v", left)
	}
	for n, content := range before {
		if kept, err := os.ReadFile(d.Path(n) + ".damaged"); err == nil && !bytes.Equal(kept, content) {
			d.T.Errorf("recording %d is not set aside as it was", n)
		}
	}
}

// Files lists the sample files of the stream.
func (b *Bench) Files() []int64 {
	b.T.Helper()
	files, err := b.Store.Scan("cam", 1)
	if err != nil {
		b.T.Fatal(err)
	}
	return files
}

// RebuiltCopy copies a data directory, and has a start-up mend the copy.
func RebuiltCopy(t *testing.T, dir string) (copied string) {
	t.Helper()
	copied = t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	Reopen(t, copied)
	return copied
}

// StartFailing starts with a second file that was being written, and a third of which nothing is whole, while an operation
// fails; and then again.
func (b *Bench) StartFailing(op string, err error, damaged bool) {
	b.T.Helper()
	b.Writer.Abandon()
	want := 250 + 150
	if damaged {
		Damage{b.T, b.Dir}.Flip(2, "mdat", 1, 500)
		want -= 50
	}
	if err := os.WriteFile(b.Path(3), []byte("x"), 0o600); err != nil {
		b.T.Fatal(err)
	}
	st := &FailingStore{NewFaultStore(b.Store.Store), op, err}
	st.Failing(func(op string, _ store.Key) error { return st.Try(op) })
	log := new(LogBuffer)
	if err := fsck.MendFiles(b.T.Context(), b.DB, map[int64]*volume.Volume{1: volume.New(1, "", st)}, NewLog(log)); err != nil {
		b.T.Fatalf("the recorder does not start: %v", err)
	}
	if recs := b.Recordings(); len(recs) < 1 || recs[0].Tracks[volume.Video].Samples < 200 {
		b.T.Errorf("rows %+v", recs)
	}
	Reopen(b.T, b.Dir)
	if op == "remove" && damaged { // a number behind that of the third file was used
		if _, left, err := RepairAt(b.T, b.Dir, fsck.Size); err != nil || left > 0 {
			b.T.Errorf("%d left, %v", left, err)
		}
	}
	NoProblems(b.T, b.Dir)
	if got := len(Pictures(b.T, b.Dir)); got != want {
		b.T.Errorf("%d pictures, want %d\n%s", got, want, log)
	}
}

// FailingStore is a faultStore all of whose operations can fail.
type FailingStore struct {
	*FaultStore
	Op  string
	Err error
}

func (s *FailingStore) Try(op string) error {
	if op == s.Op {
		return s.Err
	}
	return nil
}

func (s *FailingStore) Scan(stream string, from int64) ([]int64, error) {
	if err := s.Try("scan"); err != nil {
		return nil, err
	}
	return s.FaultStore.Scan(stream, from)
}

func (s *FailingStore) Size(k store.Key) (int64, error) {
	if err := s.Try("size"); err != nil {
		return 0, err
	}
	return s.FaultStore.Size(k)
}

func (s *FailingStore) Open(k store.Key) (store.Reader, error) {
	if err := s.Try("open"); err != nil {
		return nil, err
	}
	return s.FaultStore.Open(k)
}

func (s *FailingStore) SetAside(k store.Key) (string, error) {
	if err := s.Try("set aside"); err != nil {
		return "", err
	}
	return s.FaultStore.SetAside(k)
}
