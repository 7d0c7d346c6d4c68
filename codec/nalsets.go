package codec

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// maxSetBytes bounds what is kept of the parameter sets of a stream, so that a sample entry of all of them has less than
// maxEntryBytes.
const maxSetBytes = maxEntryBytes - 1<<12

// A setKey says which parameter set it is: of which type, as in the header of its NAL unit, and with which id.
type setKey struct {
	kind uint8
	id   uint32
}

type parameterSet struct {
	data   []byte
	parsed any
}

// parameterSets keeps the newest parameter set of each type and id. A set that cannot be read never takes the place of one that can.
type parameterSets struct {
	sets    map[setKey]parameterSet
	bytes   int
	version int // grows with each change
}

// has reports whether a set is known as it is.
func (p *parameterSets) has(key setKey, data []byte) bool {
	s, ok := p.sets[key]
	return ok && bytes.Equal(s.data, data)
}

// keep keeps a set, and its content. Where there would be too many, the others are forgotten: a camera that sends ever other sets
// sends again what it needs.
func (p *parameterSets) keep(key setKey, data []byte, parsed any) {
	if len(data) > maxSetBytes {
		return
	}
	p.bytes += len(data) - len(p.sets[key].data)
	if p.sets == nil || p.bytes > maxSetBytes {
		p.sets, p.bytes = make(map[setKey]parameterSet), len(data)
	}
	p.sets[key] = parameterSet{bytes.Clone(data), parsed}
	p.version++
}

// list returns the sets of a type: the one of an id before all others, which are in the order of their ids.
func (p *parameterSets) list(kind uint8, first uint32) [][]byte {
	var sets [][]byte
	if s, ok := p.sets[setKey{kind, first}]; ok {
		sets = append(sets, s.data)
	}
	for _, k := range slices.SortedFunc(maps.Keys(p.sets), func(a, b setKey) int { return cmp.Compare(a.id, b.id) }) {
		if k.kind == kind && k.id != first {
			sets = append(sets, p.sets[k].data)
		}
	}
	return sets
}

// setName names a parameter set in messages.
func setName(kind string, id uint32) string { return fmt.Sprintf("%s %d", kind, id) }
