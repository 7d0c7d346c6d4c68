package schema

import (
	"encoding/binary"
	"fmt"

	"nvrfs/media"
)

// unpackLayout3 reads the column layout of databases up to version 3: the number of tracks, then of each the fields in the order
// below, all as varints of 7 bits a byte.
func unpackLayout3(b []byte) (tracks []Track, err error) {
	packed, bad := len(b), false
	unsigned := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			b, bad = nil, true
			return 0
		}
		b = b[n:]
		return v
	}
	signed := func() int64 { return media.Unzigzag(unsigned()) }
	n := unsigned()
	for i := uint64(0); i < min(n, maxTracks); i++ {
		t := Track{Entry: signed()}
		t.Start, t.Duration, t.FirstCTS = signed(), signed(), int32(signed())
		for _, p := range []*uint32{&t.LastDuration, &t.Samples, &t.Syncs, &t.TimeRuns, &t.CTSRuns, &t.Chunks, &t.ChunkRuns} {
			*p = uint32(unsigned())
		}
		tracks = append(tracks, t)
	}
	if bad || len(b) > 0 || n > maxTracks {
		return nil, fmt.Errorf("its layout of %d bytes is damaged", packed)
	}
	return tracks, nil
}
