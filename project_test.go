// Package nvrfs_test keeps promises that no single package can keep.
package nvrfs_test

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// onlyIn says which packages may import a module.
var onlyIn = map[string][]string{
	"github.com/bluenviron/gortsplib": {"codec", "recorder/rtsp", "camera", "bench/cameras"},
	"github.com/hanwen/go-fuse":       {"fs", "integration/faultfs", "bench/peer"},
	"github.com/mattn/go-sqlite3":     {"schema", "cmd/nvrfs"},
	"github.com/goccy/go-yaml":        {"config"},
	"database/sql":                    {"schema", "recorder/internal/bench"}, // a bench is for tests alone
}

// A row of the table of packages.
type row struct {
	any     bool     // it may import every package that is not for tests alone
	test    bool     // it is for tests alone, and may import everything
	imports []string // else what it may import, no more and no less
}

// packages reads the table of design/packages.md, which says who may import whom.
func packages(t *testing.T) map[string]row {
	text, err := os.ReadFile("design/packages.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]row{}
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if !strings.HasPrefix(line, "|") || len(cells) != 3 || cells[0] == "package" {
			continue
		}
		var r row
		switch cells[2] {
		case "none":
		case "any":
			r.any = true
		case "any, for tests":
			r.any, r.test = true, true
		default:
			r.imports = strings.Split(cells[2], ", ")
		}
		for _, name := range strings.Split(cells[0], ", ") {
			name, _, _ = strings.Cut(strings.TrimPrefix(name, "["), "]")
			if _, twice := rows[name]; twice {
				t.Errorf("design/packages.md has two rows for %s", name)
			}
			rows[name] = r
		}
	}
	if len(rows) < 20 {
		t.Fatalf("design/packages.md has a table of %d packages only; is it one of three columns?", len(rows))
	}
	return rows
}

// TestImports holds the imports of every package against the table: an arrow that it lacks is wrong, and so are one that nothing
// needs, and a package without a row.
func TestImports(t *testing.T) {
	rows, imports := packages(t), map[string]map[string]string{} // of each directory: what it imports, and where
	parseAll(t, func(path string, _ *token.FileSet, f *ast.File) {
		dir := filepath.ToSlash(filepath.Dir(path))
		if imports[dir] == nil {
			imports[dir] = map[string]string{}
		}
		for _, i := range f.Imports {
			name := strings.Trim(i.Path.Value, `"`)
			if ours, ok := strings.CutPrefix(name, "nvrfs/"); ok {
				imports[dir][ours] = path
			}
			for module, dirs := range onlyIn {
				if strings.HasPrefix(name, module) && !slices.Contains(dirs, dir) {
					t.Errorf("%s imports %s, which only %v may know", path, name, dirs)
				}
			}
		}
	})
	for dir, imported := range imports {
		r, ok := rows[dir]
		if !ok {
			t.Errorf("package %s has no row in design/packages.md", dir)
		}
		for ours, path := range imported {
			if rows[ours].test && !r.test {
				t.Errorf("%s imports %s, which is for tests alone", path, ours)
			}
			if ok && !r.any && !slices.Contains(r.imports, ours) {
				t.Errorf("%s imports %s; design/packages.md lets package %s import only %v", path, ours, dir, r.imports)
			}
		}
		for _, ours := range r.imports {
			if imported[ours] == "" {
				t.Errorf("design/packages.md lets package %s import %s, which it does not", dir, ours)
			}
		}
	}
	for dir := range rows {
		if imports[dir] == nil {
			t.Errorf("design/packages.md has a row for %s, where no package is", dir)
		}
	}
}

// TestQuestionsAreAskedThroughViews checks that what shows footage does not go past the View that says what may be seen of it.
func TestQuestionsAreAskedThroughViews(t *testing.T) {
	parseAll(t, func(path string, _ *token.FileSet, f *ast.File) {
		if dir := filepath.ToSlash(filepath.Dir(path)); dir != "fs" && dir != "web" {
			return
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

// TestLinesOfTheLog checks that what doc/cameras.md quotes of the log is what the program says. … stands for what differs.
func TestLinesOfTheLog(t *testing.T) {
	var said strings.Builder
	parseAll(t, func(_ string, _ *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			if x, ok := n.(*ast.BasicLit); ok && x.Kind == token.STRING {
				text, err := strconv.Unquote(x.Value)
				if err != nil {
					t.Fatal(err)
				}
				said.WriteString(text + "\n")
			}
			return true
		})
	})
	doc, err := os.ReadFile("doc/cameras.md")
	if err != nil {
		t.Fatal(err)
	}
	quotes := 0
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(doc), -1) {
		if first, _, _ := strings.Cut(m[1], " "); len(strings.Fields(m[1])) < 4 || first == "nvrfs" || first == "tls:" {
			continue // a command, or a piece of the configuration
		}
		quotes++
		for part := range strings.SplitSeq(m[1], "…") {
			if !strings.Contains(said.String(), strings.TrimSpace(part)) {
				t.Errorf("doc/cameras.md quotes %q, of which nothing says %q", m[1], part)
			}
		}
	}
	if quotes < 20 {
		t.Errorf("doc/cameras.md quotes %d lines only; are they in backquotes?", quotes)
	}
}
