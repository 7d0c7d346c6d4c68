package fs

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Only the layer that talks to the kernel knows go-fuse: what directories and files are, and what an error is, is said without it.
func TestOneLayerKnowsGoFuse(t *testing.T) {
	layer := []string{"raw.go", "reply.go", "server.go"}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || slices.Contains(layer, name) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if strings.Contains(i.Path.Value, "hanwen/go-fuse") {
				t.Errorf("%s imports %s, which only %v may know", name, i.Path.Value, layer)
			}
		}
	}
}
