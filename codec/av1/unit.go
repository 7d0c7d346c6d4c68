package av1

// A TemporalUnit is what a sample keeps of a temporal unit.
type TemporalUnit struct {
	Data     []byte // its OBUs, each with its size
	Sequence []byte // the first sequence header OBU of Data, with its size; nil where there is none
	Picture  bool   // there is one
	Key      bool   // the first picture is a key frame that is shown at once, where decoding can start
}

// ReadTemporalUnit makes a sample of OBUs. Delimiters, obuPadding and tile lists do not belong into files (AV1 binding 2.4).
// reducedStillPicture is what the sequence header before them says.
func ReadTemporalUnit(obus [][]byte, reducedStillPicture bool) (u TemporalUnit) {
	size := 0
	for _, o := range obus {
		size += len(o) + 8
	}
	u.Data = make([]byte, 0, size)
	for _, o := range obus {
		typ, head, body, ok := splitOBU(o)
		if !ok || typ == obuTemporalDelimiter || typ == obuPadding || typ == obuTileList {
			continue
		}
		at := len(u.Data)
		u.Data = append(u.Data, head[0]|2) // has_size_field
		u.Data = append(u.Data, head[1:]...)
		u.Data = appendLEB128(u.Data, len(body))
		u.Data = append(u.Data, body...)
		switch {
		case typ == obuSequenceHeader && u.Sequence == nil:
			u.Sequence = u.Data[at:len(u.Data):len(u.Data)]
			reducedStillPicture = len(body) > 0 && body[0]&8 != 0
		case (typ == obuFrame || typ == obuFrameHeader) && !u.Picture && len(body) > 0:
			u.Picture = true
			u.Key = reducedStillPicture || body[0]&0xf0 == 0x10 // not show_existing_frame, KEY_FRAME, show_frame
		}
	}
	return u
}

// IsSync looks for a key frame that is shown at once behind a sequence header, in the first bytes of a sample. known is false where
// these do not tell.
func IsSync(p []byte) (sync, known bool) {
	sequence, reducedStillPicture := false, false
	for len(p) > 0 && p[0]&0x82 == 2 { // obu_has_size_field
		typ, head := p[0]>>3&0xf, 1+int(p[0]>>2&1)
		if len(p) < head {
			return false, false
		}
		size, n, ok := readLEB128(p[head:])
		body := p[min(head+n, len(p)):]
		if !ok || len(body) == 0 {
			return false, false
		}
		switch typ {
		case obuSequenceHeader:
			sequence, reducedStillPicture = true, body[0]&8 != 0
		case obuFrame, obuFrameHeader:
			return sequence && (reducedStillPicture || body[0]&0xf0 == 0x10), true // as in ReadTemporalUnit
		}
		if size > len(body) {
			return false, false
		}
		p = body[size:]
	}
	return false, false
}
