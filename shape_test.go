package nvrfs_test

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// What a reader takes in at once: a function fits the screen, and a package a head.
const (
	longestFunction = 80 // lines, of any function
	longFunction    = 60 // lines, of all but one in a hundred
	longestPackage  = 4000
)

// TestFunctionsFitTheScreen measures every function that is not a test's.
func TestFunctionsFitTheScreen(t *testing.T) {
	var lengths []int
	parseAll(t, func(path string, fset *token.FileSet, f *ast.File) {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1
			lengths = append(lengths, n)
			if n > longestFunction {
				t.Errorf("%s: %s has %d lines, at most %d fit the screen", fset.Position(fn.Pos()), fn.Name.Name, n, longestFunction)
			}
		}
	})
	sort.Ints(lengths)
	if p99 := lengths[len(lengths)*99/100]; p99 >= longFunction {
		t.Errorf("one function in a hundred has %d lines or more, want fewer than %d", p99, longFunction)
	}
}

// TestPackagesFitAHead counts the lines of every package without its tests.
func TestPackagesFitAHead(t *testing.T) {
	lines := map[string]int{}
	parseAll(t, func(path string, fset *token.FileSet, f *ast.File) {
		lines[filepath.Dir(path)] += fset.File(f.Pos()).LineCount()
	})
	for dir, n := range lines {
		if n > longestPackage {
			t.Errorf("package %s has %d lines, at most %d are one room: split it by what it does", dir, n, longestPackage)
		}
	}
}

// logKeys is the vocabulary of the log. One thing has one key, so that whoever searches a log finds it everywhere.
var logKeys = map[string]string{
	"err":        "an error: what failed, and why",
	"reason":     "why something is as it is, where nothing failed",
	"do":         "what whoever reads the log can do",
	"stack":      "where in the code of nvrfs a bug showed",
	"stream":     "the label of a stream: front-door, front-door.sub",
	"streams":    "the labels of several",
	"camera":     "the name of a camera",
	"cameras":    "how many",
	"codec":      "of a track",
	"transport":  "of RTP: TCP, UDP",
	"path":       "of a file or a directory, or of a URL",
	"url":        "where something is served",
	"entry":      "the name of a file in the mount",
	"recording":  "the number of a recording of a stream",
	"hold":       "the number of a hold",
	"added":      "streams that a reload added",
	"removed":    "streams that a reload removed",
	"changed":    "streams that a reload changed, and how",
	"restart":    "settings that hold only after another start",
	"reader":     "the program or the address that reads footage, or several",
	"bytes":      "how many",
	"took":       "how long something lasted, or has lasted until now",
	"waiting":    "how many calls wait for a disk",
	"lost":       "how many packets did not come",
	"damaged":    "how many packets could not be read",
	"suppressed": "how many lines like this one were left out before it",
}

// TestLogsHaveOneVocabulary reads the calls that log, and what is put together for them.
func TestLogsHaveOneVocabulary(t *testing.T) {
	used, unknown := map[string]bool{}, map[string][]string{}
	parseAll(t, func(path string, fset *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			for _, key := range keysOf(n) {
				used[key] = true
				if logKeys[key] == "" {
					unknown[key] = append(unknown[key], fset.Position(n.Pos()).String())
				}
			}
			return true
		})
	})
	for key, where := range unknown {
		t.Errorf("log key %q is not in the vocabulary: %s", key, strings.Join(where, ", "))
	}
	for key := range logKeys {
		if !used[key] {
			t.Errorf("log key %q is in the vocabulary, but nothing logs it", key)
		}
	}
}

// keysOf returns the keys with which a node of the syntax logs; none where it does not.
func keysOf(n ast.Node) []string {
	switch n := n.(type) {
	case *ast.CompositeLit: // []any{"bytes", 5}, which is handed to a call that logs
		if a, ok := n.Type.(*ast.ArrayType); ok && len(n.Elts) > 0 && isAny(a.Elt) && isText(n.Elts[0]) {
			return keysIn(n.Elts)
		}
	case *ast.CallExpr:
		switch f := n.Fun.(type) {
		case *ast.Ident: // append(attrs, "bytes", 5)
			if f.Name == "append" && isNamed(n.Args[0], "attrs") && n.Ellipsis == token.NoPos {
				return keysIn(n.Args[1:])
			}
		case *ast.SelectorExpr:
			return keysOfMethod(f, n.Args)
		}
	}
	return nil
}

// keysOfMethod returns the keys of log.Error("message", "bytes", 5), log.With("bytes", 5) and slog.Int("bytes", 5).
func keysOfMethod(f *ast.SelectorExpr, args []ast.Expr) []string {
	switch f.Sel.Name {
	case "Debug", "Info", "Warn", "Error":
		if isLog(f.X) && len(args) > 0 {
			return keysIn(args[1:])
		}
	case "With":
		if isLog(f.X) {
			return keysIn(args)
		}
	case "String", "Int", "Int64", "Uint64", "Bool", "Duration", "Time", "Any":
		if isNamed(f.X, "slog") && isText(args[0]) {
			return keysIn(args)
		}
	}
	return nil
}

// keysIn returns every second of a list of keys and values.
func keysIn(list []ast.Expr) (keys []string) {
	for i := 0; i+1 < len(list); i += 2 {
		key := "computed" // a key that is computed is none
		if isText(list[i]) {
			key, _ = strconv.Unquote(list[i].(*ast.BasicLit).Value)
		}
		keys = append(keys, key)
	}
	return keys
}

// isLog reports whether an expression is called as loggers are: log, x.log, x.Log, slog, x.log(), log.With(…).
func isLog(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return slices.Contains([]string{"log", "slog", "logger"}, x.Name)
	case *ast.SelectorExpr:
		return slices.Contains([]string{"log", "Log", "logger", "Logger"}, x.Sel.Name)
	case *ast.CallExpr:
		if sel, ok := x.Fun.(*ast.SelectorExpr); ok {
			return isLog(sel) || sel.Sel.Name == "With" && isLog(sel.X)
		}
		return isLog(x.Fun)
	}
	return false
}

func isText(x ast.Expr) bool {
	lit, ok := x.(*ast.BasicLit)
	return ok && lit.Kind == token.STRING
}

func isNamed(x ast.Expr, name string) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == name
}

func isAny(x ast.Expr) bool { return isNamed(x, "any") }
