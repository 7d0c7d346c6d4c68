package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Who may read an exported file is for the user's umask to say. (It is the process's, so this test has no others beside it.)
func TestExportHeedsUmask(t *testing.T) {
	for umask, want := range map[int]os.FileMode{0o022: 0o644, 0o077: 0o600, 0o002: 0o664} {
		path := filepath.Join(t.TempDir(), "out.mp4")
		before := unix.Umask(umask)
		err := writeWhole(path, false, strings.NewReader("footage"))
		unix.Umask(before)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("with umask %03o the mode is %v, %v, want %v", umask, info.Mode(), err, want)
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}
