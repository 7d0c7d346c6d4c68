package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nvrfs/schema"
)

// TestSampleDirAway runs each command that looks at sample files while their directory is away: its disk is not mounted, or
// something else lies there. None may fail but with what to do, and none may make anything in its place.
func TestSampleDirAway(t *testing.T) {
	clip := testFile(t, "clip.mp4", t.TempDir(), "clip.mp4")
	out := filepath.Join(t.TempDir(), "out.mp4")
	for name, place := range map[string]func(t *testing.T, dir string){
		"nothing is there":        func(*testing.T, string) {},
		"an empty mount point":    func(t *testing.T, dir string) { mkdir(t, dir) },
		"something else is there": func(t *testing.T, dir string) { mkdir(t, filepath.Join(dir, "lost+found")) },
	} {
		t.Run(name, func(t *testing.T) {
			data := makeFootage(t)
			samples := filepath.Join(data, schema.DefaultSampleDir)
			away := filepath.Join(t.TempDir(), "away")
			if err := os.Rename(samples, away); err != nil {
				t.Fatal(err)
			}
			place(t, samples)
			for _, c := range []struct {
				args []string
				code int
				says string
			}{
				{[]string{"import", "--data", data, "--camera", "cam", "--start", "yesterday", clip}, exitBadSetup, "mount the disk"},
				{[]string{"import", "--data", data, "--camera", "new", "--start", "yesterday", clip}, exitBadSetup, "mount the disk"},
				{[]string{"export", "--data", data, "--timezone", "UTC", "-o", out, "cam", "2026-11-20 14:00", "2026-11-20 14:02"}, exitBadSetup, "mount the disk"},
				{[]string{"check", "--data", data, "--level", "hash"}, exitFailure, samples + " is not there"},
				{[]string{"check", "--data", data, "--level", "hash", "--repair"}, exitFailure, "mount the disk"},
				{[]string{"keep", "--data", data, "--timezone", "UTC", "cam", "2026-11-20 14:00", "2026-11-20 14:02", "--why", "test"}, exitOK, ""},
				{[]string{"ls", "--data", data}, exitOK, "cam"},
				{[]string{"rebuild", "--data", data}, exitBadSetup, "move it away first"},
			} {
				code, stdout, stderr := nvrfs(t, c.args...)
				if code != c.code || !strings.Contains(stdout+stderr, c.says) {
					t.Errorf("%s: exit %d, want %d and %q\n%s%s", c.args[0], code, c.code, c.says, stdout, stderr)
				}
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("export has left a file")
			}
			if err := os.Remove(filepath.Join(data, schema.FileName)); err != nil {
				t.Fatal(err)
			}
			if code, _, stderr := nvrfs(t, "rebuild", "--data", data); code != exitBadSetup || !strings.Contains(stderr, "is its disk mounted?") || !strings.Contains(stderr, samples) {
				t.Errorf("rebuild: exit %d: %s", code, stderr)
			}
			left, err := filepath.Glob(filepath.Join(samples, "*"))
			if err != nil || len(left) > 1 || len(left) == 1 && filepath.Base(left[0]) != "lost+found" {
				t.Errorf("in place of the directory was made %v, %v", left, err)
			}
		})
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
