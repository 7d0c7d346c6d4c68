// Package nvrfs_test keeps promises that no single package can keep.
package nvrfs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mayImport is the table of design/packages.md.
var mayImport = map[string][]string{
	"media":     {},
	"media/box": {},
	"codec":     {"media", "media/box"},
	"mp4":       {"media", "media/box"},
	"mp4/demux": {"codec", "media"},
	"schema":    {"media"},
	"store":     {},
	"store/dir": {"store"},
	"holds":     {"schema", "store", "store/dir"},
	"config":    {"redact"},
	"redact":    {},
	"camera":    {"codec", "media", "mp4/demux"},
	"playback":  {"media", "mp4", "playback/local", "playback/lru", "schema", "store"},
	"recorder":  {"holds", "media", "recorder/fsck", "recorder/guard", "recorder/session", "recorder/volume", "schema", "store"},

	"playback/local": {"holds", "mp4", "playback/lru", "schema", "store", "store/dir"},
	"playback/lru":   {},

	"recorder/fsck":     {"holds", "mp4", "recorder/volume", "schema", "store", "store/dir"},
	"recorder/guard":    {},
	"recorder/importer": {"media", "mp4", "recorder/fsck", "recorder/volume", "schema", "store"},
	"recorder/rtpclock": {"media"},
	"recorder/rtsp":     {"codec", "media", "recorder/guard", "recorder/rtpclock", "redact"},
	"recorder/session":  {"media", "mp4", "recorder/volume"},
	"recorder/volume":   {"media", "mp4", "schema", "store", "store/dir"},

	"fs":  {"playback"},
	"web": {"playback"},
}

// onlyIn says which packages may import a module.
var onlyIn = map[string][]string{
	"github.com/bluenviron/gortsplib": {"codec", "recorder/rtsp", "camera", "bench/cameras"},
	"github.com/hanwen/go-fuse":       {"fs", "integration/faultfs", "bench/peer"},
	"github.com/mattn/go-sqlite3":     {"schema", "cmd/nvrfs"},
	"github.com/goccy/go-yaml":        {"config"},
	"database/sql":                    {"schema", "recorder/internal/bench"}, // a bench is for tests alone
}

func TestImports(t *testing.T) {
	walk(t, func(path string) {
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			name := strings.Trim(i.Path.Value, `"`)
			allowed, listed := mayImport[dir]
			if ours, ok := strings.CutPrefix(name, "nvrfs/"); ok && listed && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s; package %s may import of ours only %v", path, ours, dir, allowed)
			}
			for module, dirs := range onlyIn {
				if strings.HasPrefix(name, module) && !slices.Contains(dirs, dir) {
					t.Errorf("%s imports %s, which only %v may know", path, name, dirs)
				}
			}
		}
	})
}

// TestQuestionsAreAskedThroughViews checks that what shows footage does not go past the View that says what may be seen of it.
func TestQuestionsAreAskedThroughViews(t *testing.T) {
	walk(t, func(path string) {
		if dir := filepath.ToSlash(filepath.Dir(path)); dir != "fs" && dir != "web" || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if x, ok := n.(*ast.SelectorExpr); ok && x.Sel.Name == "Library" {
				t.Errorf("%s uses a playback.Library; it may only use a playback.View", path)
			}
			return true
		})
	})
}

var link = regexp.MustCompile(`\]\(([^)#]+)`)

// TestLinks checks that what the documents point at is there.
func TestLinks(t *testing.T) {
	walk(t, func(path string) {
		if !strings.HasSuffix(path, ".md") {
			return
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s points at %s, which is not there", path, m[1])
			}
		}
	})
}

// walk visits the files of the project.
func walk(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "bin", "demo"}, path) {
			return filepath.SkipDir
		}
		if !d.IsDir() {
			visit(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
