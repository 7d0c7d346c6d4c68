package av1

// Config makes the content of an av1C box (AV1 binding 2.3.3) of a sequence header OBU, which has its size and from which s was read.
func (s *Sequence) Config(obu []byte) []byte {
	const markerAndVersion, noDelay = 0x81, 0
	return append([]byte{markerAndVersion, s.profile<<5 | s.level, s.tier<<7 | s.flags(), noDelay}, obu...)
}

// flags are those of av1C (AV1 binding 2.3.3).
func (s *Sequence) flags() uint8 {
	f := s.subsamplingX<<3 | s.subsamplingY<<2 | s.chromaPosition
	if s.bitDepth > 8 {
		f |= 1 << 6
	}
	if s.bitDepth == 12 {
		f |= 1 << 5
	}
	if s.mono {
		f |= 1 << 4
	}
	return f
}

// ParseConfig reads the sequence header in the content of an av1C box. Where there is none, as in files that were begun before the
// first picture, each key frame has it; the box has only what tells the codecs parameter (AV1 binding 2.3.3).
func ParseConfig(config []byte) (s Sequence, ok bool) {
	if len(config) < 4 || config[0] != 0x81 { // marker and version
		return s, false
	}
	if len(config) == 4 {
		flags := config[2]
		s = Sequence{
			profile: config[1] >> 5, level: config[1] & 0x1f, tier: flags >> 7, bitDepth: 8 + flags>>6&1<<1 + flags>>5&1<<1,
			mono: flags>>4&1 == 1, subsamplingX: flags >> 3 & 1, subsamplingY: flags >> 2 & 1, chromaPosition: flags & 3,
			Primaries: 2, Transfer: 2, Matrix: 2, // unspecified
		}
		return s, true
	}
	for rest := config[4:]; len(rest) > 0; {
		typ, head, body, ok := splitOBU(rest)
		if !ok || rest[0]&2 == 0 {
			return s, false
		}
		if typ == obuSequenceHeader {
			s, err := ParseSequence(rest)
			return s, err == nil
		}
		rest = rest[len(head)+len(appendLEB128(nil, len(body)))+len(body):]
	}
	return s, false
}
