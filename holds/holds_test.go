package holds_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"nvrfs/holds"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

const fileName = "nvrfs-holds.json"

// database makes a data directory with a stream and a sample directory, which it returns.
func database(t *testing.T) (db *schema.DB, data, samples string) {
	t.Helper()
	data = t.TempDir()
	db, err := schema.Create(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	samples = schema.SampleDirPath(data, schema.DefaultSampleDir)
	if _, err := dir.Attach(samples, db.UUID()); err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *schema.Tx) error {
		_, err := tx.SampleDir(samples)
		if err == nil {
			_, err = tx.Stream("cam", "wide")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, data, samples
}

func add(ctx context.Context, t *testing.T, db *schema.DB, from90k int64) {
	t.Helper()
	err := db.Write(ctx, func(tx *schema.Tx) error {
		_, err := tx.Hold(schema.Hold{Stream: 1, From90k: from90k, To90k: from90k + 1, Why: "test"})
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func now(t *testing.T, db *schema.DB) []byte {
	t.Helper()
	text, err := holds.Now(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What has changed while it was written is written again.
func TestSettle(t *testing.T) {
	db, _, _ := database(t)
	var put [][]byte
	err := holds.Settle(t.Context(), db, func(text []byte) {
		put = append(put, text)
		if len(put) < 3 {
			add(t.Context(), t, db, int64(len(put)))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(put) != 3 || !bytes.Equal(put[2], now(t, db)) || bytes.Equal(put[1], put[2]) {
		t.Errorf("put was %q", put)
	}
}

// However many change holds at once, the file says in the end what the database says.
func TestWriteAtOnce(t *testing.T) {
	db, data, samples := database(t)
	var all sync.WaitGroup
	for i := range int64(8) {
		all.Go(func() {
			for n := range int64(10) {
				add(t.Context(), t, db, i*100+n)
				if failed, err := holds.Write(t.Context(), db, data); err != nil || len(failed) > 0 {
					t.Error(failed, err)
				}
			}
		})
	}
	all.Wait()
	text, err := os.ReadFile(filepath.Join(samples, fileName))
	if err != nil || !bytes.Equal(text, now(t, db)) {
		t.Errorf("the file is stale: %v, %d bytes", err, len(text))
	}
	if left, err := filepath.Glob(filepath.Join(samples, "."+fileName+"-*")); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// Nothing is written where nothing changes, nor into what is no sample directory.
func TestPut(t *testing.T) {
	db, _, samples := database(t)
	path := filepath.Join(samples, fileName)
	if err := holds.Put(samples, now(t, db)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing was ever held: %v", err)
	}
	add(t.Context(), t, db, 1)
	text := now(t, db)
	if err := holds.Put(samples, text); err != nil {
		t.Fatal(err)
	}
	first, err := os.Stat(path)
	if err != nil || first.Mode().Perm() != 0o600 {
		t.Fatal(first, err)
	}
	if err := holds.Put(samples, text); err != nil {
		t.Fatal(err)
	}
	if second, err := os.Stat(path); err != nil || !os.SameFile(first, second) {
		t.Errorf("the same was written again: %v", err)
	}
	elsewhere := t.TempDir()
	if err := holds.Put(elsewhere, text); !errors.Is(err, store.ErrAway) {
		t.Errorf("a directory that is no sample directory: %v", err)
	}
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) > 0 {
		t.Errorf("it has %v, %v", left, err)
	}
}

// The file that counts more changes is read, and those that cannot be are told of.
func TestRead(t *testing.T) {
	db, _, samples := database(t)
	add(t.Context(), t, db, 1)
	stale := now(t, db)
	add(t.Context(), t, db, 2)
	if err := holds.Put(samples, now(t, db)); err != nil {
		t.Fatal(err)
	}
	put := func(text []byte) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	damaged, foreign := put(stale[:len(stale)/2]), put(bytes.ReplaceAll(stale, []byte(db.UUID()), []byte("other")))
	paths := []string{put(stale), t.TempDir(), samples, damaged, foreign, put(stale)}
	found := map[string]bool{}
	got := holds.Read(paths, db.UUID(), func(path string, err error) { found[path] = err != nil })
	if len(got.Holds) != 2 || got.Holds[1].From90k != 2 || got.Holds[1].Stream != "wide" {
		t.Errorf("read is %+v", got)
	}
	if len(found) != 2 || !found[damaged] || !found[foreign] {
		t.Errorf("found is %v", found)
	}
}
