package mp4

import "encoding/binary"

// writer appends boxes to b.
type writer struct{ b []byte }

func (w *writer) u8(v uint8)     { w.b = append(w.b, v) }
func (w *writer) u16(v uint16)   { w.b = binary.BigEndian.AppendUint16(w.b, v) }
func (w *writer) u32(v uint32)   { w.b = binary.BigEndian.AppendUint32(w.b, v) }
func (w *writer) u64(v uint64)   { w.b = binary.BigEndian.AppendUint64(w.b, v) }
func (w *writer) str(s string)   { w.b = append(w.b, s...) }
func (w *writer) bytes(p []byte) { w.b = append(w.b, p...) }
func (w *writer) zeros(n int)    { w.b = append(w.b, make([]byte, n)...) }
func (w *writer) u32s(v ...uint32) {
	for _, x := range v {
		w.u32(x)
	}
}

// box appends a box (ISO/IEC 14496-12 4.2) and fills in its size when body has written its content.
func (w *writer) box(typ string, body func()) {
	start := len(w.b)
	w.u32(0)
	w.str(typ)
	body()
	binary.BigEndian.PutUint32(w.b[start:], uint32(len(w.b)-start))
}

// fullBox is a box with a version and 24 bits of flags.
func (w *writer) fullBox(typ string, version uint8, flags uint32, body func()) {
	w.box(typ, func() {
		w.u32(uint32(version)<<24 | flags)
		body()
	})
}

// unityMatrix is the transformation that leaves a picture as it is (8.2.2).
func (w *writer) unityMatrix() {
	w.u32s(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
}

// Private boxes carry one of these in a uuid box (ISO/IEC 14496-12 11.1). The values are random and mean nothing else.
var (
	identityUUID = [16]byte{0x6e, 0x76, 0x72, 0x66, 0x73, 0x49, 0x44, 0x31, 0x9c, 0x0e, 0x4b, 0x77, 0xd2, 0x63, 0x18, 0xa5}
	checksumUUID = [16]byte{0x6e, 0x76, 0x72, 0x66, 0x73, 0x43, 0x52, 0x31, 0xb4, 0x5a, 0x91, 0x2f, 0x07, 0xe8, 0x6d, 0x3c}
	sealUUID     = [16]byte{0x6e, 0x76, 0x72, 0x66, 0x73, 0x53, 0x4c, 0x31, 0x85, 0xd3, 0x3e, 0xf9, 0x60, 0x1b, 0xc7, 0x42}
)

func (w *writer) uuidBox(id [16]byte, body func()) {
	w.box("uuid", func() {
		w.bytes(id[:])
		body()
	})
}

// boxHeader is the start of a box as read back.
type boxHeader struct {
	typ  string
	size int64 // of the whole box
	head int64 // bytes before its content: 8, or 16 with a 64-bit size
}

// parseBoxHeader reads the header at the start of p, which holds as much of the file as there is, up to 16 bytes. It
// reports false when p is too short for it or the size cannot be.
func parseBoxHeader(p []byte) (boxHeader, bool) {
	if len(p) < 8 {
		return boxHeader{}, false
	}
	h := boxHeader{typ: string(p[4:8]), size: int64(binary.BigEndian.Uint32(p)), head: 8}
	if h.size == 1 {
		if len(p) < 16 {
			return boxHeader{}, false
		}
		h.size, h.head = int64(binary.BigEndian.Uint64(p[8:])), 16
	}
	return h, h.size >= h.head
}

// children splits the content of a container into its boxes. ok is false when they do not tile it.
func children(p []byte) (boxes []child, ok bool) {
	for len(p) > 0 {
		h, ok := parseBoxHeader(p)
		if !ok || h.size > int64(len(p)) {
			return boxes, false
		}
		boxes = append(boxes, child{h.typ, p[h.head:h.size]})
		p = p[h.size:]
	}
	return boxes, true
}

type child struct {
	typ  string
	body []byte
}

// find returns the content of the first box of a type, or nil.
func find(boxes []child, typ string) []byte {
	for _, c := range boxes {
		if c.typ == typ {
			return c.body
		}
	}
	return nil
}

// findUUID returns the content, after its id, of the first uuid box with that id.
func findUUID(boxes []child, id [16]byte) []byte {
	for _, c := range boxes {
		if c.typ == "uuid" && len(c.body) >= 16 && [16]byte(c.body[:16]) == id {
			return c.body[16:]
		}
	}
	return nil
}
