package jpeg

import "encoding/binary"

// Markers of JPEG (ITU-T T.81 B.1.1.3).
const (
	SOF0 = 0xc0 // baseline
	SOF2 = 0xc2 // progressive
	DHT  = 0xc4
	SOI  = 0xd8
	EOI  = 0xd9
	SOS  = 0xda
	DQT  = 0xdb
	DRI  = 0xdd
)

// Segments returns the segments that headers are made of (SOF0, DQT, DHT and DRI), by marker; of several of a kind, all. p begins with one.
func Segments(p []byte) map[byte][]byte {
	segments := map[byte][]byte{}
	for len(p) >= 4 && p[0] == 0xff {
		marker, n := p[1], 2+int(binary.BigEndian.Uint16(p[2:]))
		if n > len(p) || marker == SOS {
			break
		}
		switch marker {
		case SOF0, DQT, DHT, DRI:
			segments[marker] = append(segments[marker], p[:n]...)
		}
		p = p[n:]
	}
	return segments
}

// Size reads the size of a picture from the frame header of its file.
func Size(file []byte) (width, height uint16, ok bool) {
	for p := file[min(2, len(file)):]; len(p) >= 9 && p[0] == 0xff; {
		if p[1] >= SOF0 && p[1] <= SOF2 {
			height, width = binary.BigEndian.Uint16(p[5:]), binary.BigEndian.Uint16(p[7:])
			return width, height, width > 0 && height > 0
		}
		n := 2 + int(binary.BigEndian.Uint16(p[2:]))
		p = p[min(n, len(p)):]
	}
	return 0, 0, false
}
