package nal

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// maxSetBytes bounds what is kept of the parameter sets of a stream, so that a sample entry of all of them has less than 64 KiB.
const maxSetBytes = 60 << 10

// A setKey says which parameter set it is: of which type, as in the header of its NAL unit, and with which id.
type setKey struct {
	kind uint8
	id   uint32
}

type parameterSet struct {
	data   []byte
	parsed any
	sent   int // the greater, the later it was sent
}

// Sets keeps the newest parameter set of each type and id. A set that cannot be read never takes the place of one that can.
type Sets struct {
	sets    map[setKey]parameterSet
	bytes   int
	sent    int
	version int
}

// has reports whether a set that was sent is known as it is.
func (p *Sets) has(key setKey, data []byte) bool {
	s, ok := p.sets[key]
	if !ok || !bytes.Equal(s.data, data) {
		return false
	}
	p.sent++
	s.sent = p.sent
	p.sets[key] = s
	return true
}

// keep keeps a set, and its content. Where there would be too many, those are forgotten that were sent longest ago.
func (p *Sets) keep(key setKey, data []byte, parsed any) {
	if len(data) > maxSetBytes {
		return
	}
	if p.sets == nil {
		p.sets = make(map[setKey]parameterSet)
	}
	p.forget(key)
	for p.bytes+len(data) > maxSetBytes {
		oldest := key
		for k, s := range p.sets {
			if oldest == key || s.sent < p.sets[oldest].sent {
				oldest = k
			}
		}
		p.forget(oldest)
	}
	p.sent++
	p.version++
	p.sets[key] = parameterSet{bytes.Clone(data), parsed, p.sent}
	p.bytes += len(data)
}

func (p *Sets) forget(key setKey) {
	p.bytes -= len(p.sets[key].data)
	delete(p.sets, key)
}

// Empty reports whether there are none.
func (p *Sets) Empty() bool { return len(p.sets) == 0 }

// Version grows with each change of the sets.
func (p *Sets) Version() int { return p.version }

// list returns the sets of a type that are wanted: the one of an id before all others, which are in the order of their ids.
func (p *Sets) list(kind uint8, first uint32, want func(parameterSet) bool) [][]byte {
	var keys []setKey
	for k, s := range p.sets {
		if k.kind == kind && (want == nil || want(s)) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b setKey) int {
		switch first {
		case a.id:
			return -1
		case b.id:
			return 1
		}
		return cmp.Compare(a.id, b.id)
	})
	var sets [][]byte
	for _, k := range keys {
		sets = append(sets, p.sets[k].data)
	}
	return sets
}

// setName names a parameter set in messages.
func setName(kind string, id uint32) string { return fmt.Sprintf("%s %d", kind, id) }
