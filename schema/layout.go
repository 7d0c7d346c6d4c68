package schema

import (
	"encoding/binary"
	"fmt"
)

// The layout column packs a recording's Tracks: the number of tracks, then of each the fields in the order below, all as
// varints of 7 bits a byte.

func packLayout(tracks []Track) []byte {
	b := binary.AppendUvarint(nil, uint64(len(tracks)))
	for i := range tracks {
		t := &tracks[i]
		b = binary.AppendVarint(b, t.Entry)
		b = binary.AppendVarint(b, t.Start)
		b = binary.AppendVarint(b, t.Duration)
		b = binary.AppendVarint(b, int64(t.FirstCTS))
		for _, n := range t.counts() {
			b = binary.AppendUvarint(b, uint64(*n))
		}
	}
	return b
}

// counts lists the fields that count something, in the order of the packed form.
func (t *Track) counts() [7]*uint32 {
	return [...]*uint32{&t.LastDuration, &t.Samples, &t.Syncs, &t.TimeRuns, &t.CTSRuns, &t.Chunks, &t.ChunkRuns}
}

// maxTracks is more than any camera sends.
const maxTracks = 16

func unpackLayout(b []byte) ([]Track, error) {
	r := varints{b: b}
	n := r.uvarint()
	if n > maxTracks {
		r.bad = true
		n = 0
	}
	tracks := make([]Track, n)
	for i := range tracks {
		t := &tracks[i]
		t.Entry, t.Start, t.Duration, t.FirstCTS = r.varint(), r.varint(), r.varint(), int32(r.varint())
		for _, p := range t.counts() {
			*p = uint32(r.uvarint())
		}
	}
	if r.bad || len(r.b) > 0 {
		return nil, fmt.Errorf("layout of %d bytes is damaged", len(b))
	}
	return tracks, nil
}

// varints reads numbers from b; bad is set when one is not whole.
type varints struct {
	b   []byte
	bad bool
}

func (r *varints) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return v * r.skip(n)
}

func (r *varints) varint() int64 {
	v, n := binary.Varint(r.b)
	return v * int64(r.skip(n))
}

// skip steps over a number of n bytes. It returns 0, and sets bad, when there is none.
func (r *varints) skip(n int) uint64 {
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return 1
}
