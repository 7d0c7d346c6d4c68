package av1

// Types of OBU (AV1 specification 6.2.2).
const (
	obuSequenceHeader    = 1
	obuTemporalDelimiter = 2
	obuFrameHeader       = 3
	obuFrame             = 6
	obuTileList          = 8
	obuPadding           = 15
)

// splitOBU splits an OBU (AV1 specification 5.3) into its header of one byte or two, and what follows its size, where it has one.
func splitOBU(o []byte) (typ uint8, head, body []byte, ok bool) {
	if len(o) == 0 || o[0]&0x80 != 0 { // obu_forbidden_bit
		return 0, nil, nil, false
	}
	typ, n := o[0]>>3&0xf, 1
	if o[0]&4 != 0 {
		n = 2 // an extension
	}
	if len(o) < n {
		return 0, nil, nil, false
	}
	head, body = o[:n:n], o[n:]
	if o[0]&2 == 0 {
		return typ, head, body, true
	}
	size, m, ok := readLEB128(body)
	if !ok || size > len(body)-m {
		return 0, nil, nil, false
	}
	return typ, head, body[m : m+size], true
}

func appendLEB128(b []byte, v int) []byte {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// readLEB128 reads a number of at most 32 bits (AV1 specification 4.10.5), and returns how many bytes it takes.
func readLEB128(p []byte) (v, n int, ok bool) {
	for i := range min(len(p), 8) {
		v |= int(p[i]&0x7f) << (7 * i)
		if p[i]&0x80 == 0 {
			return v, i + 1, v < 1<<32
		}
	}
	return 0, 0, false
}
