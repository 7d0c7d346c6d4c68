package mp4

import "nvrfs/media/box"

// writer appends boxes to B.
type writer struct{ box.Writer }

// unityMatrix is the transformation that leaves a picture as it is (8.2.2).
func (w *writer) unityMatrix() {
	w.U32s(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
}

// Private boxes carry one of these in a uuid box (ISO/IEC 14496-12 11.1). The values are random and mean nothing else.
var (
	identityUUID = [16]byte{0x6e, 0x76, 0x72, 0x66, 0x73, 0x49, 0x44, 0x31, 0x9c, 0x0e, 0x4b, 0x77, 0xd2, 0x63, 0x18, 0xa5}
	checksumUUID = [16]byte{0x6e, 0x76, 0x72, 0x66, 0x73, 0x43, 0x52, 0x31, 0xb4, 0x5a, 0x91, 0x2f, 0x07, 0xe8, 0x6d, 0x3c}
	sealUUID     = [16]byte{0x6e, 0x76, 0x72, 0x66, 0x73, 0x53, 0x4c, 0x31, 0x85, 0xd3, 0x3e, 0xf9, 0x60, 0x1b, 0xc7, 0x42}
)

func (w *writer) uuidBox(id [16]byte, body func()) {
	w.Box("uuid", func() {
		w.Bytes(id[:])
		body()
	})
}

// findUUID returns the content, after its id, of the first uuid box with that id.
func findUUID(boxes []box.Child, id [16]byte) []byte {
	for _, c := range boxes {
		if c.Type == "uuid" && len(c.Body) >= 16 && [16]byte(c.Body[:16]) == id {
			return c.Body[16:]
		}
	}
	return nil
}
