package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"nvrfs/redact"
)

// An Edit changes one value of a configuration file.
type Edit struct {
	path  []string
	value string // YAML of one line
	unset bool
	isNew bool // it is an error where there is such a value already
}

// Set sets the value at a path such as cameras.barn.retain.days to what the YAML of one line says. Names on the way that
// the file does not have are added.
func Set(path, value string) Edit { return Edit{path: strings.Split(path, "."), value: value} }

// Add is like Set, but refuses to replace a value.
func Add(path, value string) Edit {
	e := Set(path, value)
	e.isNew = true
	return e
}

// Unset removes the name at a path with its value, and with the mapping around it where that is empty then.
func Unset(path string) Edit { return Edit{path: strings.Split(path, "."), unset: true} }

// String says what the edit does, without the value, which may hold a password.
func (e Edit) String() string {
	verb := "set "
	if e.isNew {
		verb = "add "
	}
	if e.unset {
		verb = "unset "
	}
	return verb + redact.Text(strings.Join(e.path, "."))
}

// GoString returns String.
func (e Edit) GoString() string { return e.String() }

// Apply returns text, the content of the file at path, with edits. All else stays as it is, byte for byte, comments
// included. The result has been read as Parse does with env, so that it is good to be written.
//
// Where the way in which the file is written leaves no safe way to edit it in place, it is an error. Errors are of type Error.
func Apply(path string, text []byte, env Lookup, edits ...Edit) ([]byte, error) {
	text, crlf := withoutCRLF(text)
	for _, e := range edits {
		after, err := apply(path, text, e)
		if err != nil {
			return nil, explainEdit(path, e.String(), err)
		}
		text = after
	}
	if _, err := Parse(path, text, env); err != nil {
		return nil, explainEdit(path, "after the change", err)
	}
	if crlf {
		text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	}
	return text, nil
}

// explainEdit returns err as one of what was tried with the file at path.
func explainEdit(path, tried string, err error) error {
	if mistake := (*Error)(nil); errors.As(err, &mistake) {
		e := *mistake
		e.Err = fmt.Errorf("%s: %w", tried, e.Err)
		return &e
	}
	return &Error{File: path, Err: fmt.Errorf("%s: %w", tried, err)}
}

// withoutCRLF returns text with the line ends of Unix, if all are those of Windows: the parser places what follows others
// wrongly.
func withoutCRLF(text []byte) (unix []byte, changed bool) {
	n := bytes.Count(text, []byte("\r\n"))
	if n == 0 || n != bytes.Count(text, []byte("\n")) || n != bytes.Count(text, []byte("\r")) {
		return text, false
	}
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), true
}

var (
	plainName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
	errNotThere  = errors.New("there is no such value; see that each name is as in the file")
	errBadPath   = errors.New("want names with dots between them, such as cameras.front-door.retain.days")
	errBadValue  = errors.New("the value is not YAML of one line; want one such as 30, 500GB, text or { days: 30 }")
	errThere     = errors.New("it is there already; choose another name, or unset that first")
	errNotEdited = errors.New("the file is written in a way that cannot be edited in place; edit it by hand")
)

// apply makes one edit. It cuts and pastes text, and takes the result only if it is read as what the edit asks for: what
// YAML makes of quotes, brackets and indentation is not trusted to the cutting.
func apply(path string, text []byte, e Edit) ([]byte, error) {
	for _, name := range e.path {
		if !plainName.MatchString(name) {
			return nil, errBadPath
		}
	}
	root, err := parseYAML(path, text)
	if err != nil {
		return nil, err
	}
	want, ok := plainTree(root.node)
	if !ok {
		return nil, errNotEdited
	}
	var values []string
	if e.unset {
		if !want.unset(e.path) {
			return nil, errNotThere
		}
		values = []string{""}
	} else {
		value, err := parseLine(e.value)
		if err != nil {
			return nil, err
		}
		if e.isNew && want.has(e.path) {
			return nil, errThere
		}
		want.set(e.path, value)
		// Quoted where it would be read differently inside brackets.
		values = []string{e.value, "'" + strings.ReplaceAll(e.value, "'", "''") + "'"}
	}
	for _, value := range values {
		c := cutter{text: string(text), root: root.node}
		after, ok := c.edit(e, value)
		if !ok {
			continue
		}
		again, err := parseYAML(path, []byte(after))
		if err != nil {
			continue
		}
		if got, ok := plainTree(again.node); ok && got.equal(want) {
			return []byte(after), nil
		}
	}
	return nil, errNotEdited
}

// parseLine reads the value of an edit.
func parseLine(value string) (tree, error) {
	if strings.TrimSpace(value) == "" || strings.ContainsAny(value, "\r\n") {
		return tree{}, errBadValue
	}
	v, err := parseYAML("", []byte("value: "+value+"\n"))
	if err != nil {
		return tree{}, errBadValue
	}
	t, ok := plainTree(v.node)
	if !ok || len(t.names) != 1 || t.values[0].scalar == noValue {
		return tree{}, errBadValue
	}
	return t.values[0], nil
}

// A tree is what a YAML value says, without how it is written: a mapping, or else a scalar.
type tree struct {
	mapping bool
	names   []string
	values  []tree
	scalar  string // its kind and text
}

// noValue is the scalar of a name without a value.
const noValue = "no value"

// plainTree returns the tree of node. It is not ok where there is more than mappings with plain names and scalars, which is all
// that a configuration has, or where a name stands twice.
func plainTree(node ast.Node) (t tree, ok bool) {
	m, isMapping := node.(ast.MapNode)
	if !isMapping {
		switch n := node.(type) {
		case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
			return tree{}, false
		case *ast.LiteralNode:
			return tree{scalar: "text " + n.Value.Value}, true
		case *ast.StringNode:
			return tree{scalar: "text " + n.Value}, true
		case *ast.NullNode:
			return tree{scalar: noValue}, true
		case ast.ScalarNode:
			return tree{scalar: fmt.Sprintf("%T %s", node, node.GetToken().Value)}, true
		}
		return tree{}, false
	}
	t.mapping = true
	for entry := m.MapRange(); entry.Next(); {
		name := entry.Key().GetToken().Value
		value, ok := plainTree(entry.Value())
		if !ok || slices.Contains(t.names, name) {
			return tree{}, false
		}
		t.names, t.values = append(t.names, name), append(t.values, value)
	}
	return t, true
}

func (t *tree) has(path []string) bool {
	i := slices.Index(t.names, path[0])
	return i >= 0 && (len(path) == 1 || t.values[i].has(path[1:]))
}

func (t *tree) set(path []string, value tree) {
	if len(path) == 0 {
		*t = value
		return
	}
	if !t.mapping {
		*t = tree{mapping: true}
	}
	i := slices.Index(t.names, path[0])
	if i < 0 {
		i = len(t.names)
		t.names, t.values = append(t.names, path[0]), append(t.values, tree{})
	}
	t.values[i].set(path[1:], value)
}

// unset reports whether there was such a value.
func (t *tree) unset(path []string) bool {
	i := slices.Index(t.names, path[0])
	if i < 0 {
		return false
	}
	if len(path) > 1 {
		if !t.values[i].unset(path[1:]) {
			return false
		}
		if len(t.values[i].names) > 0 {
			return true
		}
	}
	t.names, t.values = slices.Delete(t.names, i, i+1), slices.Delete(t.values, i, i+1)
	return true
}

func (t tree) equal(u tree) bool {
	return t.mapping == u.mapping && t.scalar == u.scalar && slices.Equal(t.names, u.names) &&
		slices.EqualFunc(t.values, u.values, tree.equal)
}
