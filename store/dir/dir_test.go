package dir

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"nvrfs/store"
)

const (
	ours   = "0b1c2d3e-0000-4000-8000-000000000001"
	theirs = "0b1c2d3e-0000-4000-8000-000000000002"
)

func attach(t testing.TB, path string) *Dir {
	t.Helper()
	d, err := Attach(path, ours)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// put makes a sample file.
func put(t testing.TB, d *Dir, k store.Key, content string) {
	t.Helper()
	w, err := d.Create(k)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Append([]byte(content)), w.Sync(), w.Close(), d.SyncDir(k)); err != nil {
		t.Fatal(err)
	}
}

// tree lists what is in a directory, with modes and contents.
func tree(t testing.TB, root string) (lines []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := []byte(nil)
		if !e.IsDir() {
			text, err = os.ReadFile(path)
		}
		rel, _ := filepath.Rel(root, path)
		lines = append(lines, strings.TrimSpace(info.Mode().String()+" "+rel+" "+string(text)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestDirectoryAndModes(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	root := filepath.Join(t.TempDir(), "data", "samples")
	d := attach(t, root)
	put(t, d, store.Key{Stream: "front-door", Number: 1}, "one")
	put(t, d, store.Key{Stream: "front-door.sub", Number: 12345678}, "two")
	want := []string{
		"drwx------ .",
		"drwx------ front-door",
		"drwx------ front-door/000",
		"-rw------- front-door/000/000001.mp4 one",
		"drwx------ front-door.sub",
		"drwx------ front-door.sub/12345",
		"-rw------- front-door.sub/12345/12345678.mp4 two",
		`-rw------- nvrfs-store.json {"database":"` + ours + `"}`,
	}
	if got := tree(t, root); !slices.Equal(got, want) {
		t.Errorf("the directory holds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := attach(t, root); *got != *d {
		t.Errorf("attached again it is %+v", got)
	}
	if streams, err := d.Streams(); err != nil || !slices.Equal(streams, []string{"front-door", "front-door.sub"}) {
		t.Errorf("streams are %v, %v", streams, err)
	}
}

// A directory that is not this database's is refused, and left as it was.
func TestDirectoriesThatAreNotOurs(t *testing.T) {
	for name, c := range map[string]struct {
		make func(root string) error
		want string
	}{
		"another database's": {func(root string) error { _, err := Attach(root, theirs); return err }, "belongs to another database (" + theirs},
		"somebody's files":   {func(root string) error { return os.WriteFile(filepath.Join(root, "letter.txt"), nil, 0o600) }, "is not empty"},
		"samples without an identity": {func(root string) error {
			return os.MkdirAll(filepath.Join(root, "front-door", "000"), 0o700)
		}, "is not empty"},
		"a damaged identity": {func(root string) error { return os.WriteFile(filepath.Join(root, identityFile), []byte("{"), 0o600) }, "read identity"},
	} {
		root := t.TempDir()
		if err := c.make(root); err != nil {
			t.Fatal(err)
		}
		before := tree(t, root)
		if _, err := Attach(root, ours); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), root) {
			t.Errorf("%s: error is %v, want %q", name, err, c.want)
		}
		if _, err := Open(root, ours); err == nil {
			t.Errorf("%s: opened", name)
		}
		if after := tree(t, root); !slices.Equal(after, before) {
			t.Errorf("%s: was\n%v, is\n%v", name, before, after)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := Open(missing, ours); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening what is not there: %v", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Error("Open made a directory")
	}
}

// A power cut in the middle of the first Attach leaves the new identity under its other name, whole or not.
func TestAttachAfterAPowerCut(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, identityFile+newSuffix), []byte("{\"datab"), 0o600); err != nil {
		t.Fatal(err)
	}
	attach(t, root)
	if got := tree(t, root); len(got) != 2 {
		t.Errorf("the directory holds %v", got)
	}
}

func TestSampleFile(t *testing.T) {
	d := attach(t, t.TempDir())
	k := store.Key{Stream: "front-door", Number: 7}
	w, err := d.Create(k)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create(k); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	r, err := d.Open(k)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	expect := func(want string) {
		t.Helper()
		got, err := io.ReadAll(io.NewSectionReader(r, 0, 1<<20))
		if size, err2 := d.Size(k); err != nil || err2 != nil || string(got) != want || size != int64(len(want)) {
			t.Errorf("the file is %q of %d bytes, %v, %v; want %q", got, size, err, err2, want)
		}
	}
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	must(w.Append([]byte("one ")), w.Append([]byte("two ")), w.Append(nil))
	expect("one two ")
	must(w.Truncate(4), w.Append([]byte("three")), w.Close())
	expect("one three")

	if w, err = d.Reopen(k); err != nil {
		t.Fatal(err)
	}
	must(w.Append([]byte(" four")), w.Truncate(3), w.Append([]byte("!")), w.Sync(), w.Close())
	expect("one!")

	must(d.Remove(k))
	if got, err := io.ReadAll(io.NewSectionReader(r, 0, 9)); err != nil || string(got) != "one!" {
		t.Errorf("an open file that was removed is %q, %v", got, err)
	}
	must(d.Remove(k)) // there is nothing to do
	for name, f := range map[string]func() error{
		"Open":     func() error { _, err := d.Open(k); return err },
		"Reopen":   func() error { _, err := d.Reopen(k); return err },
		"Size":     func() error { _, err := d.Size(k); return err },
		"SetAside": func() error { _, err := d.SetAside(k); return err },
	} {
		if err := f(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), d.Path(k)) {
			t.Errorf("%s of a file that is not there: %v", name, err)
		}
	}
}

func TestBulk(t *testing.T) {
	root := t.TempDir()
	d := attach(t, root)
	put(t, d, store.Key{Stream: "front-door", Number: 999}, "before")
	b, err := d.Bulk("front-door")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{1000, 1001, 5000} {
		w, err := b.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Append([]byte("x")), w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Create(999); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	if err := b.Sync(); err != nil {
		t.Error(err)
	}
	if got, err := d.Scan("front-door", 0); err != nil || !slices.Equal(got, []int64{999, 1000, 1001, 5000}) {
		t.Errorf("there are %v, %v", got, err)
	}

	// The disk goes: nothing is made in its place.
	if err := os.Rename(root, root+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Create(6000); !errors.Is(err, store.ErrAway) {
		t.Errorf("error is %v, want store.ErrAway", err)
	}
	if _, err := d.Bulk("barn"); !errors.Is(err, store.ErrAway) {
		t.Errorf("error is %v, want store.ErrAway", err)
	}
	if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made: %v", err)
	}
	if err := errors.Join(os.Rename(root+".away", root), b.Close()); err != nil {
		t.Error(err)
	}
}

// A disk that takes only a part of what is appended: the file is as before, and goes on where it was.
func TestAppendThatFails(t *testing.T) {
	d := attach(t, t.TempDir())
	k := store.Key{Stream: "front-door", Number: 1}
	w, err := d.Create(k)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	whole := bytes.Repeat([]byte("a"), 1000)
	if err := w.Append(whole); err != nil {
		t.Fatal(err)
	}
	withFileLimit(t, 1500, func() {
		if err := w.Append(whole); !errors.Is(err, syscall.EFBIG) {
			t.Errorf("error is %v", err)
		}
	})
	if size, err := d.Size(k); err != nil || size != 1000 {
		t.Errorf("%d bytes are left, %v", size, err)
	}
	if err := w.Append([]byte("b")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(d.Path(k)); err != nil || string(got) != string(whole)+"b" {
		t.Errorf("the file has %d bytes, %v", len(got), err)
	}
}

// withFileLimit runs f while no file of the process may grow beyond a size.
func withFileLimit(t *testing.T, size uint64, f func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

func TestScanAndSetAside(t *testing.T) {
	root := t.TempDir()
	d := attach(t, root)
	all := []int64{1, 2, 999, 1000, 1001, 5000, 999_999, 1_000_000, 1_000_001}
	for _, n := range slices.Backward(all) {
		put(t, d, store.Key{Stream: "front-door", Number: n}, "x")
	}
	put(t, d, store.Key{Stream: "front-door.sub", Number: 3}, "x")

	// What is not a sample file, or not in its place, is nobody's.
	stray := func(path string) string { return filepath.Join(root, "front-door", path) }
	for _, path := range []string{"000/notes.txt", "000/7.mp4", "000/000000.mp4", "000/-00003.mp4", "001/000004.mp4", "readme", "005/005003.mp4.part", "17"} {
		if err := os.WriteFile(stray(path), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(stray("other"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, from := range []int64{0, 1, 2, 3, 999, 1000, 1002, 5001, 999_999, 1_000_001, 1_000_002} {
		want := all[slices.IndexFunc(append(slices.Clone(all), from), func(n int64) bool { return n >= from }):]
		if got, err := d.Scan("front-door", from); err != nil || !slices.Equal(got, want) {
			t.Errorf("from %d: %v, %v, want %v", from, got, err, want)
		}
	}
	if got, err := d.Scan("garage", 0); err != nil || len(got) != 0 {
		t.Errorf("a stream without files: %v, %v", got, err)
	}

	k := store.Key{Stream: "front-door", Number: 1000}
	name, err := d.SetAside(k)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "x" || filepath.Dir(name) != filepath.Dir(d.Path(k)) {
		t.Errorf("set aside as %s: %q, %v", name, text, err)
	}
	if got, err := d.Scan("front-door", 1000); err != nil || got[0] != 1001 {
		t.Errorf("what was set aside is still there: %v, %v", got, err)
	}
}

// Scan from a number on does not read the directories before it: start-up does not depend on how much footage there is.
func TestScanSkipsWhatIsBefore(t *testing.T) {
	d := attach(t, t.TempDir())
	put(t, d, store.Key{Stream: "front-door", Number: 1}, "x")
	put(t, d, store.Key{Stream: "front-door", Number: 5000}, "x")
	before := filepath.Dir(d.Path(store.Key{Stream: "front-door", Number: 1}))
	reads := func(from int64) bool {
		t.Helper()
		old := time.Now().Add(-48 * time.Hour)
		if err := os.Chtimes(before, old, old); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Scan("front-door", from); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(before)
		if err != nil {
			t.Fatal(err)
		}
		return time.Unix(info.Sys().(*syscall.Stat_t).Atim.Unix()).After(old.Add(time.Hour))
	}
	if !reads(0) {
		t.Skip("the filesystem does not note when a directory was read")
	}
	if reads(1000) {
		t.Error("a directory was read that has none of the files wanted")
	}
}
