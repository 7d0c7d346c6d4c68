package mp4

import (
	"encoding/binary"

	"nvrfs/media"
)

// matrix appends the transformation of a track header (ISO/IEC 14496-12 8.3.2.2), which turns pictures clockwise about their
// top left corner and then moves them back to where that corner was.
func (w *writer) matrix(e *media.SampleEntry) {
	const one, minusOne, w1 = 0x10000, 0xffff0000, 0x40000000 // 16.16, 16.16, 2.30
	width, height := uint32(e.Width)<<16, uint32(e.Height)<<16
	switch e.Rotation {
	case 90:
		w.U32s(0, one, 0, minusOne, 0, 0, height, 0, w1)
	case 180:
		w.U32s(minusOne, 0, 0, 0, minusOne, 0, width, height, w1)
	case 270:
		w.U32s(0, minusOne, 0, one, 0, 0, 0, width, w1)
	default:
		w.unityMatrix()
	}
}

// rotationOf reads back what matrix wrote.
func rotationOf(matrix []byte) uint16 {
	switch a, b := int32(binary.BigEndian.Uint32(matrix)), int32(binary.BigEndian.Uint32(matrix[4:])); {
	case b > 0:
		return 90
	case a < 0:
		return 180
	case b < 0:
		return 270
	}
	return 0
}
