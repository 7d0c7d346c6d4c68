package recorder_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/holds"
	"nvrfs/integration/footage"
	"nvrfs/media"
	"nvrfs/recorder"
	"nvrfs/recorder/fsck"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

var holdsStart = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// archive is footage of a camera in a data directory, of which a second sample directory is known too.
type archive struct {
	t         *testing.T
	dir, away string
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	a := &archive{t, t.TempDir(), filepath.Join(t.TempDir(), "other")}
	err := footage.Make(t.Context(), a.dir, footage.Camera{Name: "cam", Stream: "wide", Tiny: true, NoAudio: true, Start: holdsStart, Duration: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	a.write(func(tx *schema.Tx) error {
		_, err := tx.SampleDir(a.away)
		return err
	})
	a.open(func(db *schema.DB) {
		if _, err := dir.Attach(a.away, db.UUID()); err != nil {
			t.Fatal(err)
		}
	})
	return a
}

func (a *archive) open(use func(*schema.DB)) {
	a.t.Helper()
	db, err := schema.OpenExisting(a.t.Context(), a.dir)
	if err != nil {
		a.t.Fatal(err)
	}
	use(db)
	if err := db.Close(); err != nil {
		a.t.Fatal(err)
	}
}

func (a *archive) write(f func(*schema.Tx) error) {
	a.t.Helper()
	a.open(func(db *schema.DB) {
		if err := db.Write(a.t.Context(), f); err != nil {
			a.t.Fatal(err)
		}
	})
}

// change changes holds as nvrfs keep does.
func (a *archive) change(f func(*schema.Tx) error) (failed map[string]error) {
	a.t.Helper()
	a.write(f)
	a.open(func(db *schema.DB) {
		var err error
		if failed, err = holds.Write(a.t.Context(), db, a.dir); err != nil {
			a.t.Fatal(err)
		}
	})
	return failed
}

// hold is what holds the minute behind minute n.
func hold(n int64, why string) schema.Hold {
	from90k := media.FromTime(holdsStart) + n*60*90000
	return schema.Hold{Stream: 1, From90k: from90k, To90k: from90k + 60*90000, Why: why, Created90k: from90k + 7}
}

func (a *archive) holds() (holds []schema.Hold) {
	a.t.Helper()
	a.open(func(db *schema.DB) {
		var err error
		if holds, err = db.Holds(a.t.Context()); err != nil {
			a.t.Fatal(err)
		}
	})
	return holds
}

// rebuild loses the database, and makes it anew.
func (a *archive) rebuild() (fsck.RebuildSummary, string) {
	a.t.Helper()
	files, err := filepath.Glob(filepath.Join(a.dir, schema.FileName+"*"))
	for _, path := range files {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		a.t.Fatal(err)
	}
	var log strings.Builder
	sum, err := fsck.Rebuild(a.t.Context(), a.dir, fsck.RebuildOptions{
		Samples: []string{a.away}, Log: slog.New(slog.NewTextHandler(&log, nil)), Total: func(int64) {}, Read: func(int64) {},
		Found: func(p fsck.Problem) { a.t.Errorf("found is %v", p) },
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return sum, log.String()
}

// A hold survives a lost database, as it was, and retention honours it; one that was removed does not come back, though a disk that
// was away then still has it.
func TestHoldsSurviveALostDatabase(t *testing.T) {
	a := newArchive(t)
	kept, removed := hold(1, "parcel thief"), hold(3, "a mistake")
	add := func(tx *schema.Tx) (err error) {
		if removed.ID, err = tx.Hold(removed); err == nil {
			kept.ID, err = tx.Hold(kept)
		}
		return err
	}
	if failed := a.change(add); len(failed) > 0 {
		t.Fatal(failed)
	}
	behind := a.away + "-unmounted"
	if err := os.Rename(a.away, behind); err != nil {
		t.Fatal(err)
	}
	failed := a.change(func(tx *schema.Tx) error { return tx.RemoveHold(removed.ID) })
	if len(failed) != 1 || !errors.Is(failed[a.away], store.ErrAway) {
		t.Errorf("failed: %v", failed)
	}
	if err := os.Rename(behind, a.away); err != nil {
		t.Fatal(err)
	}

	for range 2 { // what was restored can be restored again
		if sum, log := a.rebuild(); sum.Holds != 1 || sum.Problems != 0 || sum.Streams != 1 {
			t.Errorf("rebuilt is %+v, %s", sum, log)
		}
		if got := a.holds(); !slices.Equal(got, []schema.Hold{kept}) {
			t.Errorf("held is %+v, want %+v", got, kept)
		}
		a.write(func(tx *schema.Tx) error {
			victims, err := tx.Oldest(1, 0, 10)
			for _, v := range victims {
				if v.Start90k < kept.To90k && v.End90k > kept.From90k {
					t.Errorf("%+v may be deleted", v)
				}
			}
			if len(victims) == 0 {
				t.Error("nothing may be deleted")
			}
			return err
		})
	}

	// The next change is newer than what lies on the disk that was away, though the database that counted those is lost.
	if failed := a.change(func(tx *schema.Tx) error { return tx.RemoveHold(kept.ID) }); len(failed) > 0 {
		t.Error(failed)
	}
	if sum, log := a.rebuild(); sum.Holds != 0 {
		t.Errorf("rebuilt is %+v, %s", sum, log)
	}
}

// A recorder makes right what is missing or stale.
func TestRecorderWritesHolds(t *testing.T) {
	a := newArchive(t)
	a.change(func(tx *schema.Tx) (err error) { _, err = tx.Hold(hold(1, "first")); return err })
	file := func(dir string) string { return filepath.Join(dir, "nvrfs-holds.json") }
	stale, err := os.ReadFile(file(a.away))
	if err != nil {
		t.Fatal(err)
	}
	a.change(func(tx *schema.Tx) (err error) { _, err = tx.Hold(hold(2, "second")); return err })
	main := filepath.Join(a.dir, schema.DefaultSampleDir)
	want, err := os.ReadFile(file(main))
	if err = errors.Join(err, os.Remove(file(main)), os.WriteFile(file(a.away), stale, 0o600)); err != nil {
		t.Fatal(err)
	}
	r, err := recorder.Open(t.Context(), recorder.Options{Data: a.dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	right := func() bool {
		one, _ := os.ReadFile(file(main))
		other, _ := os.ReadFile(file(a.away))
		return string(one) == string(want) && string(other) == string(want)
	}
	for deadline := time.Now().Add(30 * time.Second); !right() && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
	}
	if !right() {
		t.Error("the recorder does not make right what is held")
	}
	stop()
	if err := errors.Join(<-ended, r.Close()); err != nil {
		t.Error(err)
	}
}

// Files that are damaged, foreign or hostile cost their holds, which is said, and no footage.
func TestRebuildBesideDamagedHolds(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		problems int64
	}{
		"no JSON":           {"{", 1},
		"another database":  {`{"version":1,"database":"x","changes":9,"holds":[]}`, 1},
		"a hold of no time": {`{"version":1,"database":"$","changes":9,"holds":[{"id":1,"camera":"cam","stream":"wide","from90k":5,"to90k":5,"why":"x"}]}`, 1},
		"a hold of a stream of a name that none has": {`{"version":1,"database":"$","changes":9,"holds":[{"id":1,"camera":"cam","stream":"../x","from90k":5,"to90k":6,"why":"x"}]}`, 1},
		"two holds of one number":                    {`{"version":1,"database":"$","changes":9,"holds":[{"id":1,"camera":"cam","stream":"wide","from90k":5,"to90k":6},{"id":1,"camera":"cam","stream":"wide","from90k":5,"to90k":6}]}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchive(t)
			a.open(func(db *schema.DB) {
				text := strings.ReplaceAll(c.text, "$", db.UUID())
				if err := os.WriteFile(filepath.Join(a.away, "nvrfs-holds.json"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			})
			sum, log := a.rebuild()
			if sum.Problems != c.problems || sum.Recordings == 0 || !strings.Contains(log, "level=ERROR") {
				t.Errorf("rebuilt is %+v, %s", sum, log)
			}
		})
	}
}
