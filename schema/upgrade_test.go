package schema_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nvrfs/schema"
)

func change(t *testing.T, dir, q string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(dir, schema.FileName))
	if err == nil {
		_, err = db.Exec(q)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// What lies beside recordings is taken over as it is.
func TestUpgradeTakesAllOver(t *testing.T) {
	for version := 3; version < schema.Version; version++ {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) { upgradeTakesAllOver(t, version) })
	}
}

func upgradeTakesAllOver(t *testing.T, version int) {
	dir := unpack(t, specimen(version))
	change(t, dir, `INSERT INTO hold VALUES (3, 1, 5, 9, 'why', 7), (8, 1, 5, 9, 'removed', 7); DELETE FROM hold WHERE id = 8;
		INSERT INTO garbage VALUES (4294967397, 1, 77, 5, x'0100'); INSERT INTO sample_dir VALUES (2, '/elsewhere');
		UPDATE stream SET next_number = 200 WHERE id = 1`)
	if version > 3 {
		change(t, dir, `UPDATE meta SET hold_changes = 77`)
	}
	if _, _, err := upgrade(t, dir); err != nil {
		t.Fatal(err)
	}
	db, err := schema.OpenExisting(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if holds, err := db.Holds(t.Context()); err != nil || len(holds) != 1 || holds[0] != (schema.Hold{ID: 3, Stream: 1, From90k: 5, To90k: 9, Why: "why", Created90k: 7}) {
		t.Errorf("holds %+v, %v", holds, err)
	}
	if _, changes, err := db.NamedHolds(t.Context()); err != nil || changes != map[bool]int64{true: 77}[version > 3] {
		t.Errorf("holds were changed %d times, %v", changes, err)
	}
	if garbage, err := db.Garbage(t.Context()); err != nil || len(garbage) != 1 || garbage[0] != (schema.Garbage{Recording: 4294967397, Dir: 1, Bytes: 77, Since90k: 5}) {
		t.Errorf("garbage %+v, %v", garbage, err)
	}
	if dirs, err := db.SampleDirs(t.Context()); err != nil || dirs[2] != "/elsewhere" {
		t.Errorf("sample directories %v, %v", dirs, err)
	}
	if streams, err := db.Streams(t.Context()); err != nil || !hasNext(streams, 200) {
		t.Errorf("streams %+v, %v", streams, err)
	}
	err = db.Write(t.Context(), func(tx *schema.Tx) error {
		id, err := tx.Hold(schema.Hold{Stream: 1, From90k: 1, To90k: 2, Why: "new"})
		if id != 9 {
			t.Errorf("the next hold has number %d, which another one had", id)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if wrong, err := db.WrongSums(t.Context()); err != nil || len(wrong) > 0 {
		t.Errorf("wrong sums %+v, %v", wrong, err)
	}
}

func hasNext(streams []schema.Stream, number int64) bool {
	for _, s := range streams {
		if s.NextNumber == number {
			return true
		}
	}
	return false
}

// An upgrade that is cut off leaves the old database, byte for byte, and the next one does not mind what it finds.
func TestUpgradeThatIsCutOff(t *testing.T) {
	for version := 1; version < schema.Version; version++ {
		dir := unpack(t, specimen(version))
		path := filepath.Join(dir, schema.FileName)
		settled, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{"total", "done"} {
			ctx, cut := context.WithCancel(t.Context())
			stop := func(when string) func(int64) {
				return func(int64) {
					if at == when {
						cut()
					}
				}
			}
			from, backup, err := schema.Upgrade(ctx, dir, schema.Progress{Total: stop("total"), Done: stop("done")})
			if from != version || backup != "" || !errors.Is(err, context.Canceled) {
				t.Errorf("version %d, cut off at %s: from %d, backup %q, %v", version, at, from, backup, err)
			}
			left, _ := filepath.Glob(path + "*")
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, settled) || len(left) != 1 {
				t.Errorf("version %d, cut off at %s: %d bytes of %d, and %v, %v", version, at, len(now), len(settled), left, err)
			}
		}
		// As a kill leaves it.
		if err := os.WriteFile(path+".upgrade", []byte("half a database"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := upgrade(t, dir); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(path + ".upgrade*"); len(left) > 0 {
			t.Errorf("left are %v", left)
		}
	}
}

func TestUpgradeRefusesADatabaseInUse(t *testing.T) {
	dir := unpack(t, specimen(3))
	db, err := sql.Open("sqlite3", filepath.Join(dir, schema.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var mode string
	var n int
	if err := errors.Join(db.QueryRow(`PRAGMA journal_mode = WAL`).Scan(&mode), db.QueryRow(`SELECT count(*) FROM recording`).Scan(&n)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := upgrade(t, dir); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("error is %v", err)
	}
	refused(t, dir) // it is as it was
}
