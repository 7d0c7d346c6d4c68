package flac

// crc8 and crc16 are those of a frame of FLAC (RFC 9639 9.1.8, 9.3).
func crc8(p []byte) (c uint8) {
	for _, b := range p {
		c = crc8Table[c^b]
	}
	return c
}

func crc16(p []byte) (c uint16) {
	for _, b := range p {
		c = c<<8 ^ crc16Table[byte(c>>8)^b]
	}
	return c
}

var crc8Table, crc16Table = func() (t8 [256]uint8, t16 [256]uint16) {
	for i := range 256 {
		c8, c16 := uint8(i), uint16(i)<<8
		for range 8 {
			over8, over16 := c8>>7, c16>>15
			c8, c16 = c8<<1^over8*0x07, c16<<1^over16*0x8005
		}
		t8[i], t16[i] = c8, c16
	}
	return t8, t16
}()
