package config

import (
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// A cutter edits the text of a YAML file by the positions of its nodes. It knows the common ways of writing: apply checks
// what it makes. Offsets count bytes, from 0.
type cutter struct {
	text string
	root ast.Node
}

// An entry of a mapping: where its key starts, and its value.
type cutEntry struct {
	in    ast.MapNode
	key   int
	value ast.Node
}

// edit returns the text after e, whose value is written as value.
func (c cutter) edit(e Edit, value string) (after string, ok bool) {
	var last *cutEntry // of those on the way
	node, path := c.root, e.path
	var way []cutEntry
	for len(path) > 0 {
		m, isMapping := node.(ast.MapNode)
		if !isMapping {
			break
		}
		entry, found := c.find(m, path[0])
		if !found {
			break
		}
		way = append(way, entry)
		last, node, path = &way[len(way)-1], entry.value, path[1:]
	}
	if e.unset {
		return c.unset(way)
	}
	if m, isMapping := node.(ast.MapNode); isMapping && node == c.root && !isFlow(m) && len(path) == 2 && strings.HasPrefix(value, "{") {
		// The first camera gets a line of its own, as those that follow do.
		return c.add(m, path[0]+":\n  "+path[1]+": "+value)
	}
	for i := len(path) - 1; i > 0; i-- {
		value = "{ " + path[i] + ": " + value + " }"
	}
	if m, isMapping := node.(ast.MapNode); isMapping && len(path) > 0 {
		return c.add(m, path[0]+": "+value)
	}
	if last == nil {
		return "", false
	}
	if len(path) > 0 { // a value without names takes one
		value = "{ " + path[0] + ": " + value + " }"
	}
	return c.replace(*last, value)
}

// find returns the entry of m with a name.
func (c cutter) find(m ast.MapNode, name string) (e cutEntry, found bool) {
	for entry := m.MapRange(); entry.Next(); {
		if t := entry.Key().GetToken(); t.Value == name {
			at, ok := c.offset(t)
			return cutEntry{in: m, key: at, value: entry.Value()}, ok
		}
	}
	return cutEntry{}, false
}

// unset removes the last entry of the way, and those above it that have no other.
func (c cutter) unset(way []cutEntry) (after string, ok bool) {
	i := len(way) - 1
	for i > 0 && entries(way[i].in) == 1 {
		i--
	}
	if i < 0 {
		return "", false
	}
	e := way[i]
	if isFlow(e.in) {
		return c.cutFlow(e)
	}
	start := strings.LastIndexByte(c.text[:e.key], '\n') + 1
	if strings.TrimLeft(c.text[start:e.key], " ") != "" {
		return "", false
	}
	return c.text[:start] + c.text[c.endOfEntry(e.key):], true
}

// cutFlow removes an entry between brackets with the comma behind it or, of the last, before it.
func (c cutter) cutFlow(e cutEntry) (after string, ok bool) {
	_, end, ok := c.extent(e)
	if !ok {
		return "", false
	}
	rest := strings.TrimLeft(c.text[end:], " ")
	if behind, comma := strings.CutPrefix(rest, ","); comma {
		return c.text[:e.key] + strings.TrimLeft(behind, " "), true
	}
	before := strings.TrimRight(c.text[:e.key], " \n")
	return strings.TrimSuffix(before, ",") + c.text[end:], true
}

// add adds an entry at the end of m.
func (c cutter) add(m ast.MapNode, entry string) (after string, ok bool) {
	if flow, ok := m.(*ast.MappingNode); ok && flow.IsFlowStyle {
		end, ok := c.offset(flow.End)
		if !ok {
			return "", false
		}
		before := strings.TrimRight(c.text[:end], " \n")
		space := c.text[len(before):end]
		if space == "" {
			space = " "
		}
		if !strings.HasSuffix(before, "{") && !strings.HasSuffix(before, ",") {
			before += ","
		}
		return before + " " + entry + space + c.text[end:], true
	}
	last := -1
	for i := m.MapRange(); i.Next(); {
		at, ok := c.offset(i.Key().GetToken())
		if !ok {
			return "", false
		}
		last = at
	}
	if last < 0 {
		return "", false
	}
	start := strings.LastIndexByte(c.text[:last], '\n') + 1
	end := c.endOfEntry(last)
	before := c.text[:end]
	if !strings.HasSuffix(before, "\n") {
		before += "\n"
	}
	return before + strings.Repeat(" ", last-start) + entry + "\n" + c.text[end:], true
}

// replace writes another value in the place of e's.
func (c cutter) replace(e cutEntry, value string) (after string, ok bool) {
	start, end, ok := c.extent(e)
	if !ok {
		return "", false
	}
	if start == end || c.text[start-1] == ':' {
		value = " " + value
	}
	return c.text[:start] + value + c.text[end:], true
}

// extent returns where the value of e lies.
func (c cutter) extent(e cutEntry) (start, end int, ok bool) {
	colon := strings.IndexByte(c.text[e.key:], ':')
	if colon < 0 {
		return 0, 0, false
	}
	afterColon := e.key + colon + 1
	switch v := e.value.(type) {
	case *ast.NullNode:
		if v.GetToken().Origin == "" || v.GetToken().Type == token.ImplicitNullType {
			return afterColon, afterColon, true
		}
	case ast.MapNode:
		flow, isMapping := v.(*ast.MappingNode)
		if !isMapping || !flow.IsFlowStyle { // what stands below the key goes
			end := len(strings.TrimRight(c.text[:c.endOfEntry(e.key)], "\n"))
			return afterColon, end, true
		}
		start, ok1 := c.offset(flow.Start)
		end, ok2 := c.offset(flow.End)
		return start, end + 1, ok1 && ok2
	}
	if start, ok = c.offset(e.value.GetToken()); !ok {
		return 0, 0, false
	}
	return start, start + scalarLength(c.text[start:], isFlow(e.in)), true
}

// scalarLength is how long the scalar is that text starts with, if it is of one line.
func scalarLength(text string, flow bool) int {
	line, _, _ := strings.Cut(text, "\n")
	if line == "" {
		return 0
	}
	switch quote := line[0]; quote {
	case '"', '\'':
		for i := 1; i < len(line); i++ {
			switch {
			case line[i] == '\\' && quote == '"':
				i++
			case line[i] == quote && quote == '\'' && i+1 < len(line) && line[i+1] == quote:
				i++
			case line[i] == quote:
				return i + 1
			}
		}
	}
	if comment := strings.Index(line, " #"); comment >= 0 {
		line = line[:comment]
	}
	if flow {
		if end := strings.IndexAny(line, ",]}"); end >= 0 {
			line = line[:end]
		}
	}
	return len(strings.TrimRight(line, " \t"))
}

// endOfEntry returns where the line begins that follows the block entry whose key is at an offset: past its value, but
// before comments and empty lines behind that.
func (c cutter) endOfEntry(key int) int {
	lineEnd := func(from int) int {
		if i := strings.IndexByte(c.text[from:], '\n'); i >= 0 {
			return from + i + 1
		}
		return len(c.text)
	}
	indent := key - (strings.LastIndexByte(c.text[:key], '\n') + 1)
	end := lineEnd(key)
	for at := end; at < len(c.text); {
		next := lineEnd(at)
		line := c.text[at:next]
		content := strings.TrimLeft(line, " ")
		switch {
		case strings.TrimSpace(content) == "" || content[0] == '#':
		case len(line)-len(content) > indent:
			end = next
		default:
			return end
		}
		at = next
	}
	return end
}

// offset returns where a token starts. It is not ok if something else stands there.
func (c cutter) offset(t *token.Token) (at int, ok bool) {
	if t == nil || t.Position == nil {
		return 0, false
	}
	rest := c.text
	for range t.Position.Line - 1 {
		_, after, found := strings.Cut(rest, "\n")
		if !found {
			return 0, false
		}
		rest = after
	}
	at = len(c.text) - len(rest)
	for range t.Position.Column - 1 {
		_, size := utf8.DecodeRuneInString(c.text[at:])
		at += size
	}
	if at >= len(c.text) {
		return 0, false
	}
	quoted := c.text[at] == '"' || c.text[at] == '\''
	return at, quoted || strings.HasPrefix(c.text[at:], t.Value)
}

func isFlow(m ast.MapNode) bool {
	flow, ok := m.(*ast.MappingNode)
	return ok && flow.IsFlowStyle
}

func entries(m ast.MapNode) (n int) {
	for i := m.MapRange(); i.Next(); {
		n++
	}
	return n
}
