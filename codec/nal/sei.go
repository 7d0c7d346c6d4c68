package nal

// recoveryPoint reads a NAL unit of supplemental enhancement information behind its header. ok says that decoding can start at the
// picture behind it, and atOnce that this picture is right then, and those that are shown after it (ITU-T H.264 D.2.8, H.265 D.3.8).
func recoveryPoint(b *bitReader) (ok, atOnce bool) {
	for {
		kind, size := seiNumber(b), seiNumber(b)
		switch {
		case b.short:
			return false, false
		case kind == 6:
			return true, b.ue() == 0 // a signed code is 0 where an unsigned one is
		case kind == 0x80 && size == 0: // the end
			return false, false
		}
		b.skip(8 * size)
	}
}

// seiNumber reads a number whose bytes are added up, of which only the last is not 255 (ITU-T H.264 7.3.2.3.1).
func seiNumber(b *bitReader) int {
	n := 0
	for !b.short && n < 1<<20 {
		v := int(b.u(8))
		if n += v; v != 255 {
			break
		}
	}
	return n
}
