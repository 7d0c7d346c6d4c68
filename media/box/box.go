// Package box writes and reads the boxes of which mp4 files are made (ISO/IEC 14496-12 4.2), as bytes in memory. What a box
// means is for its callers to know: package mp4 those of files, package codec those of sample entries.
package box

import "encoding/binary"

// A Writer appends to B. All numbers are big-endian.
type Writer struct{ B []byte }

// U8 appends 8 bits.
func (w *Writer) U8(v uint8) { w.B = append(w.B, v) }

// U16 appends 16 bits.
func (w *Writer) U16(v uint16) { w.B = binary.BigEndian.AppendUint16(w.B, v) }

// U32 appends 32 bits.
func (w *Writer) U32(v uint32) { w.B = binary.BigEndian.AppendUint32(w.B, v) }

// U32s appends 32 bits for each number.
func (w *Writer) U32s(v ...uint32) {
	for _, x := range v {
		w.U32(x)
	}
}

// U64 appends 64 bits.
func (w *Writer) U64(v uint64) { w.B = binary.BigEndian.AppendUint64(w.B, v) }

// Str appends the bytes of s, without a length or an end.
func (w *Writer) Str(s string) { w.B = append(w.B, s...) }

// Bytes appends p.
func (w *Writer) Bytes(p []byte) { w.B = append(w.B, p...) }

// Zeros appends n bytes of 0.
func (w *Writer) Zeros(n int) { w.B = append(w.B, make([]byte, n)...) }

// Box appends a box, and fills in its size when body has written its content.
func (w *Writer) Box(typ string, body func()) {
	start := len(w.B)
	w.U32(0)
	w.Str(typ)
	body()
	binary.BigEndian.PutUint32(w.B[start:], uint32(len(w.B)-start))
}

// FullBox is a Box with a version and 24 bits of flags.
func (w *Writer) FullBox(typ string, version uint8, flags uint32, body func()) {
	w.Box(typ, func() {
		w.U32(uint32(version)<<24 | flags)
		body()
	})
}

// A Header is the start of a box as read back.
type Header struct {
	Type string
	Size int64 // of the whole box
	Head int64 // bytes before its content: 8, or 16 with a 64-bit size
}

// ParseHeader reads the header at the start of p, which holds as much of the file as there is, up to 16 bytes. It reports
// false when p is too short for it or the size cannot be.
func ParseHeader(p []byte) (Header, bool) {
	if len(p) < 8 {
		return Header{}, false
	}
	h := Header{Type: string(p[4:8]), Size: int64(binary.BigEndian.Uint32(p)), Head: 8}
	if h.Size == 1 {
		if len(p) < 16 {
			return Header{}, false
		}
		h.Size, h.Head = int64(binary.BigEndian.Uint64(p[8:])), 16
	}
	return h, h.Size >= h.Head
}

// A Child is a box within another.
type Child struct {
	Type string
	Body []byte // its content
}

// Children splits the content of a container into its boxes. ok is false when they do not tile it.
func Children(p []byte) (boxes []Child, ok bool) {
	for len(p) > 0 {
		h, ok := ParseHeader(p)
		if !ok || h.Size > int64(len(p)) {
			return boxes, false
		}
		boxes = append(boxes, Child{h.Type, p[h.Head:h.Size]})
		p = p[h.Size:]
	}
	return boxes, true
}

// Find returns the content of the first box of a type, or nil.
func Find(boxes []Child, typ string) []byte {
	for _, c := range boxes {
		if c.Type == typ {
			return c.Body
		}
	}
	return nil
}
