package schema_test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/playback"
	"nvrfs/recorder/fsck"
	"nvrfs/schema"
)

// The data directories in testdata were written by nvrfs when it had that version of the schema, so that what upgrades them
// meets what it will meet. They hold front-door, with a gap and a recording that goes on, and barn.sub, without sound. One of
// the current version is made, when the schema changes next, by:
//
//	go test ./schema -run TestSpecimens -make-specimen
//
// A golden file lists what is mounted of it, which stays as it is from version to version.
var makeSpecimen = flag.Bool("make-specimen", false, "make the specimen of the current version, and its golden file")

func specimen(version int) string {
	return filepath.Join("testdata", fmt.Sprintf("v%d.tar.gz", version))
}

func golden(version int) string { return filepath.Join("testdata", fmt.Sprintf("v%d.golden", version)) }

func TestSpecimens(t *testing.T) {
	if *makeSpecimen {
		writeSpecimen(t)
	}
	for version := 1; version <= schema.Version; version++ {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			dir := unpack(t, specimen(version))
			if version < schema.Version {
				refused(t, dir)
			}
			from, backup, err := upgrade(t, dir)
			if err != nil || from != version || (backup == "") != (version == schema.Version) {
				t.Fatalf("upgrade from %d, backup %q, %v", from, backup, err)
			}
			want, err := os.ReadFile(golden(version))
			if err != nil {
				t.Fatal(err)
			}
			if got := entriesOf(t, dir); got != string(want) {
				t.Errorf("entries are\n%swant\n%s", got, want)
			}
			_, err = fsck.Check(t.Context(), dir, fsck.CheckOptions{
				Level: fsck.Hash, Log: slog.New(slog.DiscardHandler),
				Total: func(int64) {}, Checked: func(int64) {},
				Found: func(p fsck.Problem) { t.Errorf("check: %v", p) },
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func upgrade(t *testing.T, dir string) (from int, backup string, err error) {
	return schema.Upgrade(t.Context(), dir, schema.Progress{Total: func(int64) {}, Done: func(int64) {}})
}

// refused checks that nothing but Upgrade opens an old database, and that a failed upgrade changes nothing.
func refused(t *testing.T, dir string) {
	t.Helper()
	for name, open := range map[string]func() (*schema.DB, error){
		"create":    func() (*schema.DB, error) { return schema.Create(t.Context(), dir) },
		"existing":  func() (*schema.DB, error) { return schema.OpenExisting(t.Context(), dir) },
		"read-only": func() (*schema.DB, error) { return schema.OpenReadOnly(t.Context(), dir) },
	} {
		if db, err := open(); !errors.Is(err, schema.ErrOld) {
			t.Errorf("%s: %v, %v", name, db, err)
		}
	}
}

// TestUpgradeKeepsTheOld reads the copy that an upgrade leaves.
func TestUpgradeKeepsTheOld(t *testing.T) {
	dir := unpack(t, specimen(1))
	_, backup, err := upgrade(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	old := t.TempDir()
	if err := os.Rename(backup, filepath.Join(old, schema.FileName)); err != nil {
		t.Fatal(err)
	}
	refused(t, old)
	if from, _, err := upgrade(t, old); err != nil || from != 1 {
		t.Errorf("upgrade the copy, which has version %d: %v", from, err)
	}
}

// TestUpgradesCopyIsAsPrivate: who may not read the database may not read the copy that an upgrade leaves of it.
func TestUpgradesCopyIsAsPrivate(t *testing.T) {
	for _, mode := range []os.FileMode{0o600, 0o640} {
		dir := unpack(t, specimen(1))
		if err := os.Chmod(filepath.Join(dir, schema.FileName), mode); err != nil {
			t.Fatal(err)
		}
		_, backup, err := upgrade(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(backup)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); got != mode {
			t.Errorf("the copy of a database of mode %v has %v", mode, got)
		}
	}
}

// TestUpgradeLeavesNoHalfCopy: where it fails, as of a database that is damaged, nothing stays but that.
func TestUpgradeLeavesNoHalfCopy(t *testing.T) {
	dir := unpack(t, specimen(1))
	path := filepath.Join(dir, schema.FileName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(content) / 2; i < len(content); i++ { // the version is in the first page
		content[i] = 0xff
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := upgrade(t, dir); err == nil || !strings.Contains(err.Error(), "it is as it was") {
		t.Fatalf("error is %v", err)
	}
	if copies, err := filepath.Glob(filepath.Join(dir, schema.FileName+".*")); err != nil || len(copies) > 0 {
		t.Errorf("left: %v, %v", copies, err)
	}
}

func writeSpecimen(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	start := time.Date(2026, 10, 25, 0, 58, 0, 0, time.UTC)
	err := footage.Make(
		t.Context(), dir,
		footage.Camera{Name: "front-door", Start: start, Duration: 8 * time.Minute, Tiny: true, Grow: true, Gaps: []footage.Gap{{At: 5 * time.Minute, For: 30 * time.Second}}},
		footage.Camera{Name: "barn", Stream: "sub", Start: start.Add(time.Minute), Duration: 2 * time.Minute, Tiny: true, NoAudio: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(golden(schema.Version), []byte(entriesOf(t, dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	pack(t, dir, specimen(schema.Version))
}

// pack writes the database and the sample files of a data directory that nobody has open to an archive.
func pack(t *testing.T, dir, archive string) {
	t.Helper()
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil || d.IsDir() || !slices.Contains([]string{".db", ".mp4", ".json"}, filepath.Ext(name)) {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o600, Size: int64(len(content))}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err := errors.Join(err, w.Close(), z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func unpack(t *testing.T, archive string) (dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(r)
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700))
		if err := errors.Join(err, os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// entriesOf lists every entry of a data directory: its path, its size, and the SHA-256 of its bytes.
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
					fmt.Fprintf(&list, "%s/%s/%s/%s %d %x\n", s.Label, day.Name, hour.Name, e.Name, e.Size, h.Sum(nil))
				}
			}
		}
	}
	return list.String()
}
