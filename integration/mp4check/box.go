package mp4check

import (
	"encoding/binary"
	"fmt"
)

// header is a box header (ISO/IEC 14496-12 4.2).
type header struct {
	kind string
	head int64 // bytes of the header: 8, or 16 with a largesize
	size int64 // bytes of header and payload
}

// parseHeader reads the header at the start of b of a box that has room bytes
// at most. b may be longer, and needs no more than 16 bytes. A size of 0, up to
// the end, is allowed only where the box may be the last of the file.
func parseHeader(b []byte, room int64, toEnd bool) (header, error) {
	if len(b) < 8 {
		return header{}, fmt.Errorf("%d bytes are left, too few for a box", room)
	}
	h := header{kind: string(b[4:8]), head: 8}
	size := uint64(binary.BigEndian.Uint32(b))
	switch {
	case size == 0 && toEnd:
		size = uint64(room)
	case size == 1 && len(b) >= 16:
		h.head = 16
		size = binary.BigEndian.Uint64(b[8:])
	}
	if size < uint64(h.head) || size > uint64(room) {
		return header{}, fmt.Errorf("box %q says %d bytes, its container has %d left", h.kind, size, room)
	}
	h.size = int64(size)
	return h, nil
}

// box is a box in memory.
type box struct {
	kind string
	at   int64 // offset in the file of the first byte of body
	body []byte
}

// childrenAfter splits the payload of b, from byte skip on, into boxes.
func (c *checker) childrenAfter(b box, skip int) []box {
	if !c.require(skip <= len(b.body), RuleBoxSize, "box %q at %d is too short for its fields", b.kind, b.at) {
		return nil
	}
	var kids []box
	for rest, at := b.body[skip:], b.at+int64(skip); len(rest) > 0; {
		h, err := parseHeader(rest, int64(len(rest)), false)
		if err != nil {
			c.fail(RuleBoxTile, "in %q at %d: %v", b.kind, at, err)
			return kids
		}
		kids = append(kids, box{kind: h.kind, at: at + h.head, body: rest[h.head:h.size]})
		rest, at = rest[h.size:], at+h.size
	}
	return kids
}

func (c *checker) children(b box) []box { return c.childrenAfter(b, 0) }

// optional returns the only box of the kind, and whether there is one.
func (c *checker) optional(kids []box, kind, where string) (box, bool) {
	var found []box
	for _, k := range kids {
		if k.kind == kind {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		return box{}, false
	}
	c.require(len(found) == 1, RuleBoxTwice, "%s has %d boxes %q", where, len(found), kind)
	return found[0], true
}

// mandatory is optional for a box that has to be there.
func (c *checker) mandatory(kids []box, kind, where string) (box, bool) {
	b, ok := c.optional(kids, kind, where)
	c.require(ok, RuleBoxMissing, "%s has no box %q", where, kind)
	return b, ok
}

// fields reads big-endian fields from the front of b. Past the end it yields
// zeros and remembers that in short.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) bytes(n int) []byte {
	if n > len(f.b) {
		f.b, f.short = nil, true
		return nil
	}
	taken := f.b[:n]
	f.b = f.b[n:]
	return taken
}

func (f *fields) uint(n int) uint64 {
	var v uint64
	for _, x := range f.bytes(n) {
		v = v<<8 | uint64(x)
	}
	return v
}

func (f *fields) u8() uint8   { return uint8(f.uint(1)) }
func (f *fields) u16() uint16 { return uint16(f.uint(2)) }
func (f *fields) u32() uint32 { return uint32(f.uint(4)) }
func (f *fields) skip(n int)  { f.bytes(n) }

// versioned starts reading a full box and returns its version and, since times
// and durations are that wide in it, 4 for version 0 and 8 for others.
func versioned(b box) (f *fields, version uint8, wide int) {
	f = &fields{b: b.body}
	version = f.u8()
	f.skip(3)
	if version == 0 {
		return f, version, 4
	}
	return f, version, 8
}

// done checks that the fields of b end where b ends.
func (c *checker) done(b box, f *fields) {
	c.require(!f.short && len(f.b) == 0, RuleBoxSize,
		"box %q at %d has %d bytes, which its fields do not fill exactly", b.kind, b.at, len(b.body))
}

// rows starts reading a full box made of an entry count and as many entries of
// width bytes, and returns the count as far as the box has bytes for it.
func (c *checker) rows(b box, width int) (f *fields, n int) {
	f, _, _ = versioned(b)
	count := int64(f.u32())
	have := int64(len(f.b) / width)
	c.require(!f.short && count*int64(width) == int64(len(f.b)), RuleTableSize,
		"box %q at %d says %d entries of %d bytes and holds %d bytes", b.kind, b.at, count, width, len(f.b))
	return f, int(min(count, have))
}
