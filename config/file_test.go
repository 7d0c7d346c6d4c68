package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "nvrfs.yaml"), filepath.Join(dir, "link.yaml")
	if err := errors.Join(os.WriteFile(path, []byte("old"), 0o640), os.Chmod(path, 0o640), os.Symlink("nvrfs.yaml", link)); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(link, []byte("old"), []byte("new")); err != nil {
		t.Fatal(err)
	}
	check := func(want string) {
		t.Helper()
		content, err := os.ReadFile(path)
		info, err2 := os.Stat(path)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if string(content) != want || info.Mode() != 0o640 {
			t.Errorf("%q of mode %v, want %q of mode 0640", content, info.Mode(), want)
		}
		if target, err := os.Readlink(link); target != "nvrfs.yaml" {
			t.Errorf("the link leads to %q, %v", target, err)
		}
		if all, err := os.ReadDir(dir); len(all) != 2 {
			t.Errorf("the directory holds %v, %v; want the file and the link", all, err)
		}
	}
	check("new")
	if err := WriteFile(path, []byte("old"), []byte("newer")); !errors.Is(err, ErrChanged) {
		t.Errorf("a file that was changed: %v", err)
	}
	check("new")
	if err := WriteFile(filepath.Join(dir, "none"), nil, nil); err == nil {
		t.Error("a file that is not there was written")
	}
	if err := WriteFile(dir, nil, nil); err == nil {
		t.Error("a directory was written")
	}
}
