package jpeg

import (
	"bytes"
	"encoding/binary"
)

// HasStandardHuffman reports whether a picture is coded with the Huffman tables of ITU-T T.81 Annex K. RTP has no room for others, so that
// who receives such a picture decodes it wrongly. A picture that names no tables has those.
func HasStandardHuffman(file []byte) bool {
	standard := huffmanTables(standardTables(50)[DHT])
	for id, table := range huffmanTables(Segments(file[min(2, len(file)):])[DHT]) {
		if !bytes.Equal(table, standard[id]) {
			return false
		}
	}
	return true
}

// huffmanTables returns the tables of DHT segments (ITU-T T.81 B.2.4.2) by class and destination, whatever order they are in.
func huffmanTables(segments []byte) map[byte][]byte {
	tables := map[byte][]byte{}
	for len(segments) >= 4 {
		n := min(2+int(binary.BigEndian.Uint16(segments[2:])), len(segments))
		for body := segments[4:max(n, 4)]; len(body) >= 17; {
			size := 17 // class and destination, then how many codes there are of each length
			for _, codes := range body[1:17] {
				size += int(codes)
			}
			size = min(size, len(body))
			tables[body[0]], body = body[1:size], body[size:]
		}
		segments = segments[max(n, 4):]
	}
	return tables
}
