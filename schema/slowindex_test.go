package schema_test

import (
	"encoding/binary"
	"fmt"
	"math"

	"nvrfs/media"
	"nvrfs/schema"
)

// slowDecode unpacks an index as DecodeIndex does, a number at a time: what the fast way is compared with.
func slowDecode(packed []byte, sums []schema.Track) ([]media.Samples, error) {
	d := slowDecoder{in: packed, sums: sums}
	if err := d.header(); err != nil {
		return nil, err
	}
	for !d.done() {
		if err := d.fragment(); err != nil {
			return nil, err
		}
	}
	for i, s := range sums {
		t := &d.out[i]
		counted := int64(len(t.Durations))
		if t.Raw {
			counted = media.SumSizes(t.Sizes)
		}
		if counted != int64(s.Samples) || uint32(len(t.ChunkCounts)) != s.Chunks {
			return nil, fmt.Errorf("%w: track %d has %d samples in %d fragments, its row %d in %d", schema.ErrIndex, i+1, len(t.Durations), len(t.ChunkCounts), s.Samples, s.Chunks)
		}
	}
	return d.out, nil
}

const (
	videoKind = 1
	audioKind = 2
	rawKind   = 3
)

// slowTrack is the state that the decoding of a track's next sample depends on.
type slowTrack struct {
	kind     byte
	entry    uint8
	lastSize [2]uint32 // of samples that are not, and that are, sync samples
	lastDur  uint32
	lastCTS  int32
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

type slowDecoder struct {
	in     []byte
	v2     bool
	off    int64 // in the sample file, from the first fragment
	sums   []schema.Track
	tracks []slowTrack
	out    []media.Samples
}

// uvarint reads a number; ok is false at the end of the input.
func (d *slowDecoder) uvarint() (v uint64, ok bool) {
	v, n := binary.Uvarint(d.in)
	if n <= 0 {
		return 0, false
	}
	d.in = d.in[n:]
	return v, true
}

func (d *slowDecoder) header() error {
	if len(d.in) < 2 || d.in[0] != 1 && d.in[0] != 2 {
		return fmt.Errorf("%w: it does not start with version 1 or 2", schema.ErrIndex)
	}
	d.v2 = d.in[0] == 2
	n, packed := int(d.in[1]), len(d.in)
	if n != len(d.sums) || packed < 2+n {
		return fmt.Errorf("%w: it has %d tracks, its row %d", schema.ErrIndex, n, len(d.sums))
	}
	d.tracks, d.out = make([]slowTrack, n), make([]media.Samples, n)
	for i := range n {
		s := d.sums[i].Sums
		d.tracks[i].kind = d.in[2+i]
		if d.tracks[i].kind == rawKind {
			s.Samples, s.CTSRuns, d.out[i].Raw = 0, 0, true
		}
		if k := d.tracks[i].kind; k != videoKind && k != audioKind && k != rawKind {
			return fmt.Errorf("%w: track %d is of kind %d", schema.ErrIndex, i+1, k)
		}
		// Every sample takes a byte or more, so no honest row asks for more room than this.
		if uint64(s.Samples)+uint64(s.Chunks) > 2*uint64(packed) {
			return fmt.Errorf("%w: %d bytes cannot hold %d samples", schema.ErrIndex, packed, s.Samples)
		}
		t := &d.out[i]
		t.Durations, t.Sizes = make([]uint32, 0, s.Samples), make([]uint32, 0, s.Samples)
		t.ChunkOffsets, t.ChunkCounts = make([]int64, 0, s.Chunks), make([]uint32, 0, s.Chunks)
		if s.CTSRuns > 0 {
			t.CTS = make([]int32, 0, s.Samples)
		}
		if d.tracks[i].kind == videoKind {
			t.Syncs = make([]uint32, 0, min(s.Syncs, s.Samples))
		}
	}
	d.in = d.in[2+n:]
	return nil
}

// done reports whether every track has as many chunks as its row says, or there are no more.
func (d *slowDecoder) done() bool {
	for i := range d.out {
		if uint32(len(d.out[i].ChunkCounts)) < d.sums[i].Chunks {
			return len(d.in) == 0
		}
	}
	return true
}

func (d *slowDecoder) fragment() error {
	headerLen, ok := d.uvarint()
	for d.v2 && ok && headerLen == 0 {
		track, ok1 := d.uvarint()
		entry, ok2 := d.uvarint()
		if !ok1 || !ok2 || track >= uint64(len(d.tracks)) || entry >= media.MaxEntries {
			return fmt.Errorf("%w: a change of sample entries in it is not whole", schema.ErrIndex)
		}
		d.tracks[track].entry = uint8(entry)
		headerLen, ok = d.uvarint()
	}
	if !ok || headerLen > math.MaxInt32 {
		return fmt.Errorf("%w: it ends in the middle of a fragment", schema.ErrIndex)
	}
	d.off += int64(headerLen)
	for i := range d.tracks {
		n, ok := d.uvarint()
		if !ok || n > uint64(len(d.in)) {
			return fmt.Errorf("%w: it ends in the middle of a fragment", schema.ErrIndex)
		}
		if n == 0 {
			continue
		}
		t := &d.out[i]
		t.ChunkOffsets, t.ChunkCounts = append(t.ChunkOffsets, d.off), append(t.ChunkCounts, uint32(n))
		if e := d.tracks[i].entry; e != 0 || t.ChunkEntries != nil {
			t.ChunkEntries = append(t.ChunkEntries, make([]uint8, len(t.ChunkCounts)-1-len(t.ChunkEntries))...)
			t.ChunkEntries = append(t.ChunkEntries, e)
		}
		bytes, ok := d.samples(&d.tracks[i], t, int(n))
		if !ok {
			return fmt.Errorf("%w: a sample in it is not whole", schema.ErrIndex)
		}
		d.off += bytes
	}
	return nil
}

// samples reads n samples and returns how many bytes they take.
func (d *slowDecoder) samples(t *slowTrack, out *media.Samples, n int) (bytes int64, ok bool) {
	shift := 3
	if t.kind != videoKind {
		shift = 1
	}
	for range n {
		token, ok := d.uvarint()
		if !ok {
			return 0, false
		}
		sync, durChanged, ctsChanged := token&1, token&2 != 0, token&4 != 0
		if t.kind != videoKind {
			sync, durChanged, ctsChanged = 0, token&1 != 0, false
		}
		if durChanged {
			v, ok := d.uvarint()
			if !ok {
				return 0, false
			}
			t.lastDur += uint32(unzigzag(v))
		}
		if ctsChanged {
			v, ok := d.uvarint()
			if !ok || out.CTS == nil { // the row has no room for what it does not know of
				return 0, false
			}
			t.lastCTS += int32(unzigzag(v))
		}
		t.lastSize[sync] += uint32(unzigzag(token >> shift))
		if sync == 1 {
			out.Syncs = append(out.Syncs, uint32(len(out.Durations)))
		}
		if out.CTS != nil {
			out.CTS = append(out.CTS, t.lastCTS)
		}
		out.Durations, out.Sizes = append(out.Durations, t.lastDur), append(out.Sizes, t.lastSize[sync])
		bytes += int64(t.lastSize[sync])
	}
	return bytes, true
}
