package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"nvrfs/redact"
)

// A yamlValue is a value of a YAML file with the way to it. It is read strictly: its methods return an Error with
// the value's position, of which the text never quotes a value that may hold a secret.
type yamlValue struct {
	file string    // as errors name it
	path string    // "cameras.front-door.url"; "" is the whole file
	key  *ast.Node // the key in front of the value, if there is one
	node ast.Node  // never nil
}

// parseYAML returns the mapping that text, the content of file, consists of.
func parseYAML(file string, text []byte) (yamlValue, error) {
	if len(text) > maxFile {
		return yamlValue{}, &Error{File: file, Err: fmt.Errorf("is longer than %d bytes, which no configuration is", maxFile)}
	}
	tokens := lexer.Tokenize(string(text))
	if err := checkSize(file, tokens); err != nil {
		return yamlValue{}, err
	}
	// Duplicate keys are left to fields, which knows their paths.
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return yamlValue{}, syntaxError(file, err)
	}
	var bodies []ast.Node
	for _, document := range tree.Docs {
		if document.Body != nil {
			bodies = append(bodies, document.Body)
		}
	}
	switch len(bodies) {
	case 0:
		return yamlValue{}, &Error{File: file, Err: errors.New("is empty")}
	case 1:
		return yamlValue{file: file, node: bodies[0]}, nil
	default:
		second := yamlValue{file: file, node: bodies[1]}
		return yamlValue{}, second.errorf("a second document; want one only, without a line of ---")
	}
}

// Bounds of what is parsed: the parser takes time by the square of how many entries there are, and of how deep they nest.
const (
	maxTokens = 30_000 // a camera takes some 20
	maxNested = 32
)

func checkSize(file string, tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		return &Error{File: file, Err: fmt.Errorf("holds more than %d names, values and signs; want fewer cameras in one file", maxTokens)}
	}
	open, inLine, line := 0, 0, 0 // brackets that are open; signs that nest without one, in the line
	for _, t := range tokens {
		if t.Position.Line != line {
			inLine, line = 0, t.Position.Line
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			open++
		case token.MappingEndType, token.SequenceEndType:
			open--
		case token.SequenceEntryType, token.MappingKeyType:
			inLine++
		}
		if open > maxNested || inLine > maxNested {
			return &Error{File: file, Line: line, Column: t.Position.Column, Err: fmt.Errorf("nests more than %d deep", maxNested)}
		}
	}
	return nil
}

func syntaxError(file string, err error) error {
	var located yaml.Error
	if !errors.As(err, &located) || located.GetToken() == nil {
		return &Error{File: file, Err: errors.New("is not YAML")}
	}
	at := located.GetToken().Position
	return &Error{
		File: file, Line: at.Line, Column: at.Column,
		Err: fmt.Errorf("is not YAML: %s; see that names and values are indented alike and quoted where need be",
			redact.Text(located.GetMessage())),
	}
}

// errorf returns an error at v.
func (v yamlValue) errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if v.path != "" {
		err = fmt.Errorf("%s: %w", redact.Text(v.path), err) // a URL may have slipped in for a name
	}
	at := v.position()
	return &Error{File: v.file, Line: at.Line, Column: at.Column, Err: err}
}

// position is where the value starts or, of a value that is missing or a block below its key, where its key does.
func (v yamlValue) position() token.Position {
	node := v.node
	if v.key != nil {
		switch node.(type) {
		case ast.MapNode, *ast.NullNode, *ast.SequenceNode, *ast.LiteralNode:
			node = *v.key
		}
	}
	if m, ok := node.(ast.MapNode); ok { // the token of a mapping is its first colon
		if entries := m.MapRange(); entries.Next() {
			node = entries.Key()
		}
	}
	if tk := node.GetToken(); tk != nil && tk.Position != nil {
		return *tk.Position
	}
	return token.Position{Line: 1, Column: 1}
}

// entries returns the entries of the mapping v with their names, in the order of the file.
func (v yamlValue) entries() (names []string, values []yamlValue, err error) {
	mapping, ok := v.node.(ast.MapNode)
	if !ok {
		return nil, nil, v.errorf("%s; want a mapping of names to values", v.kind())
	}
	first := map[string]yamlValue{}
	for entry := mapping.MapRange(); entry.Next(); {
		key := ast.Node(entry.Key())
		name := key.GetToken().Value
		value := yamlValue{file: v.file, path: strings.TrimPrefix(v.path+"."+name, "."), key: &key, node: entry.Value()}
		switch key.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		default:
			value.path, value.node = v.path, key
			return nil, nil, value.errorf("want a plain name before the colon")
		}
		if earlier, twice := first[name]; twice {
			return nil, nil, value.atKey().errorf("given twice; it is on line %d already", earlier.atKey().position().Line)
		}
		first[name] = value
		names, values = append(names, name), append(values, value)
	}
	return names, values, nil
}

// yamlFields are the entries of a mapping by name. The first mistake that is met stays in err, and what is read after
// it is left alone.
type yamlFields struct {
	of     yamlValue
	values map[string]yamlValue
	err    error
}

// fields returns the entries of the mapping v, the names of which must all be among known.
func (v yamlValue) fields(known ...string) *yamlFields {
	names, values, err := v.entries()
	f := &yamlFields{of: v, values: make(map[string]yamlValue, len(names)), err: err}
	for i, name := range names {
		if !slices.Contains(known, name) {
			f.err = values[i].atKey().errorf("unknown key; %s", whichOf(name, known))
			break
		}
		f.values[name] = values[i]
	}
	return f
}

// has reports whether the mapping has the field name.
func (f *yamlFields) has(name string) bool {
	_, ok := f.values[name]
	return ok
}

// optional sets *to to what read makes of the field name, if there is one.
func optional[T any](f *yamlFields, name string, to *T, read func(yamlValue) (T, error)) {
	v, ok := f.values[name]
	if !ok || f.err != nil {
		return
	}
	value, err := read(v)
	if err != nil {
		f.err = err
		return
	}
	*to = value
}

// required is optional for a field that must be there; example is a right value.
func required[T any](f *yamlFields, name, example string, to *T, read func(yamlValue) (T, error)) {
	f.need(name, example)
	optional(f, name, to, read)
}

// need makes it a mistake that the field name is missing; example is a right value.
func (f *yamlFields) need(name, example string) {
	if f.has(name) || f.err != nil {
		return
	}
	missing := f.of
	missing.path = strings.TrimPrefix(missing.path+"."+name, ".")
	f.err = missing.errorf("is missing; add one such as %s: %s", name, example)
}

// atKey is the key of v, as a value, so that errors about the name point at it.
func (v yamlValue) atKey() yamlValue {
	v.node = *v.key
	return v
}

// text returns the string v. Example is one that would be right.
func (v yamlValue) text(example string) (string, error) {
	var s string
	switch node := v.node.(type) {
	case *ast.StringNode:
		s = node.Value
	case *ast.LiteralNode:
		s = node.Value.Value
	default:
		return "", v.errorf("%s; want text such as %s", v.kind(), example)
	}
	if s == "" {
		return "", v.errorf("is empty; want text such as %s", example)
	}
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		return "", v.errorf("holds a line break, tab or other control character; want text such as %s", example)
	}
	return s, nil
}

// scalarText returns the text or the number v, as it was written.
func (v yamlValue) scalarText(example string) (string, error) {
	switch node := v.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return node.GetToken().Value, nil
	}
	return v.text(example)
}

// digits returns the number v as it was written.
func (v yamlValue) digits(want string) (string, error) {
	switch node := v.node.(type) {
	case *ast.IntegerNode, *ast.StringNode:
		return node.GetToken().Value, nil
	}
	return "", v.errorf("%s; want %s", v.kind(), want)
}

// number returns a number as it is written, or a text that starts with one.
func (v yamlValue) number(want string) (string, error) {
	switch node := v.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.StringNode:
		return node.GetToken().Value, nil
	}
	return "", v.errorf("%s; want %s", v.kind(), want)
}

func (v yamlValue) boolean() (bool, error) {
	node, ok := v.node.(*ast.BoolNode)
	if !ok {
		return false, v.errorf("%s; want true or false", v.kind())
	}
	return node.Value, nil
}

// id returns the user or group number v.
func (v yamlValue) id() (uint32, error) {
	const want = "a number from 0 to 4294967294"
	digits, err := v.digits(want)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n == 1<<32-1 { // which means "none" to the kernel
		return 0, v.errorf("%q is no user or group number; want %s", digits, want)
	}
	return uint32(n), nil
}

// durationWithin reads a duration d, shortest <= d <= longest.
func durationWithin(shortest, longest time.Duration) func(yamlValue) (time.Duration, error) {
	want := fmt.Sprintf("%s to %s, with its unit: ms, s, m or h", brief(shortest), brief(longest))
	return func(v yamlValue) (time.Duration, error) {
		digits, err := v.digits(want)
		if err != nil {
			return 0, err
		}
		d, err := time.ParseDuration(digits)
		if err != nil || d < shortest || d > longest {
			return 0, v.errorf("%q; want %s", digits, want)
		}
		return d, nil
	}
}

// brief formats a duration without the zeros of time.Duration: 10m, not 10m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// oneOf reads a word that must be one of allowed.
func oneOf(allowed ...string) func(yamlValue) (string, error) {
	return func(v yamlValue) (string, error) {
		s, err := v.text(allowed[0])
		if err == nil && !slices.Contains(allowed, s) {
			err = v.errorf("%q; want %s", s, OrList(allowed))
		}
		return s, err
	}
}

func (v yamlValue) isMapping() bool {
	_, ok := v.node.(ast.MapNode)
	return ok
}

// kind says what v is, for errors that want something else.
func (v yamlValue) kind() string {
	switch v.node.(type) {
	case *ast.NullNode:
		return "has no value"
	case ast.MapNode:
		return "is a mapping"
	case *ast.SequenceNode:
		return "is a list"
	case *ast.BoolNode:
		return "is true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "is a number"
	case *ast.StringNode, *ast.LiteralNode:
		return "is text"
	case *ast.AnchorNode, *ast.AliasNode:
		return "is an anchor or alias, which is not understood here"
	case *ast.TagNode:
		return "has a tag, which is not understood here"
	default:
		return "is not understood"
	}
}
