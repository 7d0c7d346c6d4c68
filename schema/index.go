package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Sample is one sample of a Fragment, without its data.
type Sample struct {
	Duration uint32 // in the track's timescale
	Size     uint32 // bytes
	CTS      int32  // from decoding to showing, in the track's timescale
	Sync     bool
}

// Fragment is what one append to a sample file held.
type Fragment struct {
	HeaderLen int        // bytes before the first sample
	Tracks    [][]Sample // in the order of the recording's tracks, which is that of the bytes
}

// Track sums up one track of a recording: the figures from which sizes and times of virtual files follow. Times are in
// the timescale of its sample entry.
type Track struct {
	Entry        int64 // id of its sample entry
	Start        int64 // DTS of the first sample, since the start of the run
	Duration     int64 // of all samples, the last included
	LastDuration uint32
	FirstCTS     int32

	Samples   uint32
	Syncs     uint32 // sync samples; 0 for audio, where every sample is one
	TimeRuns  uint32 // runs of equal durations among all samples but the last
	CTSRuns   uint32 // runs of equal CTS; 0 when every CTS is 0
	Chunks    uint32 // fragments in which the track has samples
	ChunkRuns uint32 // runs of such fragments with equally many samples
}

// IndexVersion is the first byte of every packed index.
const IndexVersion = 1

// An Index packs the description of a recording's samples, and keeps the sums that its row needs.
//
// The packed form is, in unsigned varints of 7 bits a byte:
//
//	IndexVersion | number of tracks | kind of each track
//	then for each fragment: HeaderLen | for each track: number of samples | the samples
//
// A video sample is zigzag(size - size of the last sample of the same kind, sync or not) << 3 | CTS changed << 2 |
// duration changed << 1 | sync, then zigzag(change of duration) and zigzag(change of CTS) where the bits say so. An audio
// sample has only the bit "duration changed". Every change is against the track's sample before, at first against 0. So a
// frame of a steady camera takes two or three bytes, and an audio frame one or two.
type Index struct {
	packed []byte
	tracks []indexTrack
	sums   []Track
}

// indexTrack is the state that the encoding of a track's next sample depends on.
type indexTrack struct {
	kind      trackKind
	lastSize  [2]uint32 // of samples that are not, and that are, sync samples
	lastDur   uint32
	lastCTS   int32
	lastChunk int    // samples in the last chunk
	lastRun   uint32 // duration of the last run that TimeRuns counts
}

type trackKind uint8

const (
	videoTrack trackKind = 1
	audioTrack trackKind = 2
)

// NewIndex starts the index of a recording. isVideo says, for each track, whether it has sync samples and composition
// offsets.
func NewIndex(isVideo []bool) *Index {
	x := &Index{tracks: make([]indexTrack, len(isVideo)), sums: make([]Track, len(isVideo))}
	x.packed = append(x.packed, IndexVersion)
	x.packed = binary.AppendUvarint(x.packed, uint64(len(isVideo)))
	for i, v := range isVideo {
		k := audioTrack
		if v {
			k = videoTrack
		}
		x.tracks[i].kind = k
		x.packed = append(x.packed, byte(k))
	}
	return x
}

// Bytes is the packed index so far. It stays valid and unchanged when more is added.
func (x *Index) Bytes() []byte { return x.packed[:len(x.packed):len(x.packed)] }

// Tracks returns the sums so far.
func (x *Index) Tracks() []Track { return append([]Track(nil), x.sums...) }

// SetEntry sets the id of a track's sample entry, which is known when the database has taken it in.
func (x *Index) SetEntry(track int, id int64) { x.sums[track].Entry = id }

// Add appends a fragment. starts are the DTS of each track's first sample in it, since the start of the run.
func (x *Index) Add(f Fragment, starts []int64) {
	x.packed = binary.AppendUvarint(x.packed, uint64(f.HeaderLen))
	for i, samples := range f.Tracks {
		if x.sums[i].Samples == 0 {
			x.sums[i].Start = starts[i]
		}
		x.packed = binary.AppendUvarint(x.packed, uint64(len(samples)))
		for _, s := range samples {
			x.addSample(&x.tracks[i], &x.sums[i], s)
		}
		x.addChunk(&x.tracks[i], &x.sums[i], len(samples))
	}
}

func (x *Index) addChunk(t *indexTrack, sum *Track, samples int) {
	if samples == 0 {
		return
	}
	sum.Chunks++
	if samples != t.lastChunk {
		sum.ChunkRuns++
	}
	t.lastChunk = samples
}

func (x *Index) addSample(t *indexTrack, sum *Track, s Sample) {
	durDelta, ctsDelta := int64(s.Duration)-int64(t.lastDur), int64(s.CTS)-int64(t.lastCTS)
	sync := 0
	if s.Sync && t.kind == videoTrack {
		sync = 1
	}
	token := zigzag(int64(s.Size) - int64(t.lastSize[sync]))
	if t.kind == videoTrack {
		token = token<<3 | bit(ctsDelta != 0)<<2 | bit(durDelta != 0)<<1 | uint64(sync)
	} else {
		token = token<<1 | bit(durDelta != 0)
	}
	x.packed = binary.AppendUvarint(x.packed, token)
	if durDelta != 0 {
		x.packed = binary.AppendUvarint(x.packed, zigzag(durDelta))
	}
	if ctsDelta != 0 && t.kind == videoTrack {
		x.packed = binary.AppendUvarint(x.packed, zigzag(ctsDelta))
	}
	sum.add(t, s, sync)
	t.lastSize[sync], t.lastDur, t.lastCTS = s.Size, s.Duration, s.CTS
}

// add counts a sample. t describes the samples before it.
func (sum *Track) add(t *indexTrack, s Sample, sync int) {
	switch {
	case sum.Samples == 0:
		sum.FirstCTS = s.CTS
		if s.CTS != 0 {
			sum.CTSRuns = 1
		}
	case s.CTS != t.lastCTS:
		// The first sample that has an offset ends the run of those that had none, which is counted from now on.
		sum.CTSRuns = max(sum.CTSRuns, 1) + 1
	}
	// TimeRuns leaves the newest sample out: a sample is counted when another follows it.
	if sum.Samples == 1 || sum.Samples > 1 && t.lastRun != t.lastDur {
		sum.TimeRuns++
	}
	t.lastRun = t.lastDur
	sum.Samples++
	sum.Syncs += uint32(sync)
	sum.Duration += int64(s.Duration)
	sum.LastDuration = s.Duration
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// TrackSamples describes each sample of one track. Slices that describe samples have equal lengths.
type TrackSamples struct {
	Durations    []uint32
	Sizes        []uint32
	CTS          []int32  // nil when every CTS is 0
	Syncs        []uint32 // index of each sync sample, from 0; nil for audio
	ChunkOffsets []int64  // of each chunk, from the recording's first fragment
	ChunkCounts  []uint32 // samples in each chunk
}

// ErrIndex says that a packed index is damaged.
var ErrIndex = errors.New("the index is damaged")

// DecodeIndex unpacks an index as far as the sums of its row go: an index that has grown since the row was read gives what
// it had then. The sums are not trusted further than for the room to make, and a packed index that does not have what they
// say is ErrIndex.
func DecodeIndex(packed []byte, sums []Track) ([]TrackSamples, error) {
	d := decoder{in: packed, sums: sums}
	if err := d.header(); err != nil {
		return nil, err
	}
	for !d.done() {
		if err := d.fragment(); err != nil {
			return nil, err
		}
	}
	for i, s := range sums {
		if t := &d.out[i]; uint32(len(t.Durations)) != s.Samples || uint32(len(t.ChunkCounts)) != s.Chunks {
			return nil, fmt.Errorf("%w: track %d has %d samples in %d fragments, its row %d in %d", ErrIndex, i+1, len(t.Durations), len(t.ChunkCounts), s.Samples, s.Chunks)
		}
	}
	return d.out, nil
}

type decoder struct {
	in     []byte
	off    int64 // in the sample file, from the first fragment
	sums   []Track
	tracks []indexTrack
	out    []TrackSamples
}

// uvarint reads a number; ok is false at the end of the input.
func (d *decoder) uvarint() (v uint64, ok bool) {
	v, n := binary.Uvarint(d.in)
	if n <= 0 {
		return 0, false
	}
	d.in = d.in[n:]
	return v, true
}

func (d *decoder) header() error {
	if len(d.in) < 2 || d.in[0] != IndexVersion {
		return fmt.Errorf("%w: it does not start with version %d", ErrIndex, IndexVersion)
	}
	n, packed := int(d.in[1]), len(d.in)
	if n != len(d.sums) || packed < 2+n {
		return fmt.Errorf("%w: it has %d tracks, its row %d", ErrIndex, n, len(d.sums))
	}
	d.tracks, d.out = make([]indexTrack, n), make([]TrackSamples, n)
	for i := range n {
		s := &d.sums[i]
		d.tracks[i].kind = trackKind(d.in[2+i])
		if k := d.tracks[i].kind; k != videoTrack && k != audioTrack {
			return fmt.Errorf("%w: track %d is of kind %d", ErrIndex, i+1, k)
		}
		// Every sample takes a byte or more, so no honest row asks for more room than this.
		if uint64(s.Samples)+uint64(s.Chunks) > 2*uint64(packed) {
			return fmt.Errorf("%w: %d bytes cannot hold %d samples", ErrIndex, packed, s.Samples)
		}
		t := &d.out[i]
		t.Durations, t.Sizes = make([]uint32, 0, s.Samples), make([]uint32, 0, s.Samples)
		t.ChunkOffsets, t.ChunkCounts = make([]int64, 0, s.Chunks), make([]uint32, 0, s.Chunks)
		if s.CTSRuns > 0 {
			t.CTS = make([]int32, 0, s.Samples)
		}
		if d.tracks[i].kind == videoTrack {
			t.Syncs = make([]uint32, 0, min(s.Syncs, s.Samples))
		}
	}
	d.in = d.in[2+n:]
	return nil
}

// done reports whether every track has as many chunks as its row says, or there are no more.
func (d *decoder) done() bool {
	for i := range d.out {
		if uint32(len(d.out[i].ChunkCounts)) < d.sums[i].Chunks {
			return len(d.in) == 0
		}
	}
	return true
}

func (d *decoder) fragment() error {
	headerLen, ok := d.uvarint()
	if !ok || headerLen > math.MaxInt32 {
		return fmt.Errorf("%w: it ends in the middle of a fragment", ErrIndex)
	}
	d.off += int64(headerLen)
	for i := range d.tracks {
		n, ok := d.uvarint()
		if !ok || n > uint64(len(d.in)) {
			return fmt.Errorf("%w: it ends in the middle of a fragment", ErrIndex)
		}
		if n == 0 {
			continue
		}
		t := &d.out[i]
		t.ChunkOffsets, t.ChunkCounts = append(t.ChunkOffsets, d.off), append(t.ChunkCounts, uint32(n))
		bytes, ok := d.samples(&d.tracks[i], t, int(n))
		if !ok {
			return fmt.Errorf("%w: a sample in it is not whole", ErrIndex)
		}
		d.off += bytes
	}
	return nil
}

// samples reads n samples and returns how many bytes they take.
func (d *decoder) samples(t *indexTrack, out *TrackSamples, n int) (bytes int64, ok bool) {
	shift := 3
	if t.kind == audioTrack {
		shift = 1
	}
	for range n {
		token, ok := d.uvarint()
		if !ok {
			return 0, false
		}
		sync, durChanged, ctsChanged := token&1, token&2 != 0, token&4 != 0
		if t.kind == audioTrack {
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
