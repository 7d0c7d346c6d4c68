package dir

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"nvrfs/store"
)

// holdOpen opens a file as another program may.
var holdOpen = map[string]func(t *testing.T, path string) (release func()){
	"read": func(t *testing.T, path string) func() {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return func() { f.Close() }
	},
	"mapped": func(t *testing.T, path string) func() {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b, err := unix.Mmap(int(f.Fd()), 0, 1, unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		return func() { unix.Munmap(b) } //nolint:errcheck // the test is over
	},
}

func TestInUse(t *testing.T) {
	d, err := Attach(filepath.Join(t.TempDir(), "samples"), "x")
	if err != nil {
		t.Fatal(err)
	}
	k := store.Key{Stream: "cam", Number: 1}
	if d.InUse(k) {
		t.Error("a file that is not there is in use")
	}
	w, err := d.Create(k)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append([]byte("footage")); err != nil {
		t.Fatal(err)
	}
	if !d.InUse(k) {
		t.Error("a file that is written is not in use")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, hold := range holdOpen {
		if d.InUse(k) {
			t.Fatalf("before it is %s, the file is in use; leases are not to be had here?", name)
		}
		release := hold(t, d.Path(k))
		if !d.InUse(k) {
			t.Errorf("a file that is %s is not in use", name)
		}
		release()
	}
}

func TestEmpty(t *testing.T) {
	d, err := Attach(filepath.Join(t.TempDir(), "samples"), "x")
	if err != nil {
		t.Fatal(err)
	}
	k := store.Key{Stream: "cam", Number: 1}
	w, err := d.Create(k)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append([]byte("footage")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	other := d.Path(k) + ".kept"
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if err := os.Link(d.Path(k), other); err != nil {
		t.Fatal(err)
	}
	if d.Empty(k); size(other) != 7 {
		t.Error("a file that somebody keeps by another name is empty")
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	r, err := d.Open(k)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if d.Empty(k); size(d.Path(k)) != 0 {
		t.Error("a file that is open is not empty")
	}
	// In the place of the file: a link to another file, and a pipe that nobody reads.
	if err := os.WriteFile(other, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, make := range []func() error{
		func() error { return os.Symlink(other, d.Path(k)) },
		func() error { return unix.Mkfifo(d.Path(k), 0o600) },
	} {
		if err := os.Remove(d.Path(k)); err != nil {
			t.Fatal(err)
		}
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if d.Empty(k); size(other) != 4 || d.InUse(k) {
			t.Errorf("the file that a link leads to has %d bytes, or it is in use", size(other))
		}
	}
}
