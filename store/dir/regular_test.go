package dir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/store"
)

// TestOnlyRegularFilesAreOpened: whoever opens a FIFO waits for its other end.
func TestOnlyRegularFilesAreOpened(t *testing.T) {
	d := attach(t, filepath.Join(t.TempDir(), "samples"))
	put(t, d, store.Key{Stream: "barn", Number: 1}, "x")
	k := store.Key{Stream: "barn", Number: 2}
	if err := unix.Mkfifo(d.Path(k), 0o600); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(data, "lock"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"open":   func() error { _, err := d.Open(k); return err },
		"reopen": func() error { _, err := d.Reopen(k); return err },
		"size":   func() error { _, err := d.Size(k); return err },
		"lock":   func() error { _, err := LockDir(data); return err },
		"look for the lock": func() error {
			return errors.Join(CheckUnlocked(data), store.ErrNotRegular) // it is nobody's lock
		},
	} {
		done := make(chan error, 1)
		go func() { done <- f() }()
		select {
		case err := <-done:
			if !errors.Is(err, store.ErrNotRegular) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s hangs", name)
		}
	}
	if w, err := d.Create(k); !errors.Is(err, os.ErrExist) {
		t.Errorf("a file was made over it: %v, %v", w, err)
	}
	aside, err := d.SetAside(k)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(aside); err != nil {
		t.Error(err)
	}
}
