package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"nvrfs/media"
)

// ErrIndex says that a packed index is damaged.
var ErrIndex = errors.New("the index is damaged")

// DecodeIndex unpacks an index as far as the sums of its row go: an index that has grown since the row was read gives what
// it had then. The sums are not trusted further than for the room to make, and a packed index that does not have what they
// say is ErrIndex.
func DecodeIndex(packed []byte, sums []Track) ([]media.Samples, error) {
	return new(Decoder).Decode(packed, sums)
}

// A Decoder unpacks indexes, each into the memory of the one before.
type Decoder struct {
	in     []byte
	v2     bool  // fragments may begin with changes of sample entries
	off    int64 // in the sample file, from the first fragment
	sums   []Track
	tracks []trackDecoder
	out    []media.Samples
}

// trackDecoder unpacks one track. out has the room that the row asks for, and is filled up to samples and chunks.
type trackDecoder struct {
	size     uint32 // of the last sample that is no sync sample; of audio, of the last sample
	syncSize uint32 // of the last sync sample
	duration uint32
	cts      int32

	// Where a token says what; 0 where it does not.
	syncBit, durationBit, ctsBit uint64
	shift                        uint8 // of the size, which comes after these

	samples, chunks int
	bytes           int64 // of the samples
	entry           uint8 // number of the sample entry that holds
	out             media.Samples
	cts0            []int32 // room for out.CTS
	entries0        []uint8 // room for out.ChunkEntries
}

// counted is how many samples of the track a row counts.
func (t *trackDecoder) counted() int64 {
	if t.out.Raw {
		return t.bytes
	}
	return int64(t.samples)
}

// Decode is DecodeIndex. What it returns is valid until it is called again.
func (d *Decoder) Decode(packed []byte, sums []Track) ([]media.Samples, error) {
	d.in, d.sums, d.off, d.out = packed, sums, 0, d.out[:0]
	if err := d.header(); err != nil {
		return nil, err
	}
	for !d.done() {
		if err := d.fragment(); err != nil {
			return nil, err
		}
	}
	for i, s := range sums {
		t := &d.tracks[i]
		if t.counted() != int64(s.Samples) || t.chunks != int(s.Chunks) {
			return nil, fmt.Errorf("%w: track %d has %d samples in %d fragments, its row %d in %d", ErrIndex, i+1, t.counted(), t.chunks, s.Samples, s.Chunks)
		}
		d.out = append(d.out, t.out)
	}
	return d.out, nil
}

func (d *Decoder) header() error {
	if len(d.in) < 2 || d.in[0] != IndexVersion && d.in[0] != IndexVersionEntries {
		return fmt.Errorf("%w: it does not start with version %d or %d", ErrIndex, IndexVersion, IndexVersionEntries)
	}
	d.v2 = d.in[0] == IndexVersionEntries
	n, packed := int(d.in[1]), len(d.in)
	if n != len(d.sums) || packed < 2+n {
		return fmt.Errorf("%w: it has %d tracks, its row %d", ErrIndex, n, len(d.sums))
	}
	d.tracks = room(d.tracks, n)
	for i := range n {
		s, t, k := d.sums[i].Sums, &d.tracks[i], media.Kind(d.in[2+i])
		if t.out.Raw = k == media.RawAudio; t.out.Raw {
			s.Samples, s.CTSRuns = 0, 0 // the row counts bytes; how many packets they are, the index tells
		}
		// Every sample takes a byte or more, so no honest row asks for more room than this.
		if uint64(s.Samples)+uint64(s.Chunks) > 2*uint64(packed) {
			return fmt.Errorf("%w: %d bytes cannot hold %d samples", ErrIndex, packed, s.Samples)
		}
		t.start(&s)
		switch k {
		case media.Video:
			t.syncBit, t.durationBit, t.ctsBit, t.shift = 1, 2, 4, 3
			t.out.Syncs = room(t.out.Syncs, max(1, int(min(s.Syncs, s.Samples))))[:0] // not nil, which means that all are
		case media.Audio, media.RawAudio:
			t.syncBit, t.durationBit, t.ctsBit, t.shift = 0, 1, 0, 1
			t.out.Syncs = nil
		default:
			return fmt.Errorf("%w: track %d is of kind %d", ErrIndex, i+1, uint8(k))
		}
	}
	d.in = d.in[2+n:]
	return nil
}

// start makes room for the samples that a row counts.
func (t *trackDecoder) start(s *media.Sums) {
	t.size, t.syncSize, t.duration, t.cts, t.samples, t.chunks, t.bytes, t.entry = 0, 0, 0, 0, 0, 0, 0, 0
	t.out.Durations, t.out.Sizes = room(t.out.Durations, int(s.Samples)), room(t.out.Sizes, int(s.Samples))
	t.out.ChunkOffsets, t.out.ChunkCounts = room(t.out.ChunkOffsets, int(s.Chunks)), room(t.out.ChunkCounts, int(s.Chunks))
	t.out.CTS, t.out.ChunkEntries = nil, nil
	if s.CTSRuns > 0 {
		t.cts0 = room(t.cts0, int(s.Samples))
		t.out.CTS = t.cts0
	}
}

// room returns v with a length of n, and anything in it.
func room[T any](v []T, n int) []T {
	if cap(v) < n {
		return make([]T, n)
	}
	return v[:n]
}

// done reports whether every track has as many chunks as its row says, or there are no more.
func (d *Decoder) done() bool {
	for i := range d.tracks {
		if d.tracks[i].chunks < int(d.sums[i].Chunks) {
			return len(d.in) == 0
		}
	}
	return true
}

func (d *Decoder) fragment() error {
	headerLen, ok := d.uvarint()
	for d.v2 && ok && headerLen == 0 {
		if err := d.changeEntry(); err != nil {
			return err
		}
		headerLen, ok = d.uvarint()
	}
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
		t := &d.tracks[i]
		if t.out.Raw {
			t.grow(int(n))
		}
		if t.chunks == len(t.out.ChunkCounts) || t.samples+int(n) > len(t.out.Sizes) {
			return fmt.Errorf("%w: track %d has more than the %d samples in %d fragments of its row", ErrIndex, i+1, len(t.out.Sizes), len(t.out.ChunkCounts))
		}
		t.beginChunk(d.off, uint32(n))
		bytes, ok := d.chunk(t, t.samples+int(n))
		if !ok {
			return fmt.Errorf("%w: a sample in it is not whole", ErrIndex)
		}
		d.off += bytes
		t.bytes += bytes
	}
	return nil
}

// changeEntry reads which sample entry a track has from the next fragment on.
func (d *Decoder) changeEntry() error {
	track, ok1 := d.uvarint()
	entry, ok2 := d.uvarint()
	if !ok1 || !ok2 || track >= uint64(len(d.tracks)) || entry >= media.MaxEntries {
		return fmt.Errorf("%w: a change of sample entries in it is not whole", ErrIndex)
	}
	d.tracks[track].entry = uint8(entry)
	return nil
}

// grow makes room for n more packets, of which the input has a byte each.
func (t *trackDecoder) grow(n int) {
	t.out.Durations = slices.Grow(t.out.Durations[:t.samples], n)[:t.samples+n]
	t.out.Sizes = slices.Grow(t.out.Sizes[:t.samples], n)[:t.samples+n]
}

// beginChunk notes where the next chunk lies, how many samples it has, and which sample entry.
func (t *trackDecoder) beginChunk(at int64, samples uint32) {
	t.out.ChunkOffsets[t.chunks], t.out.ChunkCounts[t.chunks] = at, samples
	if t.entry != 0 && t.out.ChunkEntries == nil {
		t.entries0 = room(t.entries0, len(t.out.ChunkCounts))
		clear(t.entries0)
		t.out.ChunkEntries = t.entries0
	}
	if t.out.ChunkEntries != nil {
		t.out.ChunkEntries[t.chunks] = t.entry
	}
	t.chunks++
}

// uvarint reads a number; ok is false at the end of the input.
func (d *Decoder) uvarint() (v uint64, ok bool) {
	v, n := binary.Uvarint(d.in)
	if n <= 0 {
		return 0, false
	}
	d.in = d.in[n:]
	return v, true
}

// chunk reads the samples of a track up to end, and returns how many bytes they take. Those that differ in nothing but their
// size are read by twos, what changes otherwise one by one, and whatever is unusual, or close to the end of the input, number
// by number.
func (d *Decoder) chunk(t *trackDecoder, end int) (bytes int64, ok bool) {
	for t.samples < end {
		before := t.samples
		bytes += d.steady(t, end)
		bytes += d.changing(t, end)
		if t.samples > before {
			continue
		}
		n, ok := d.sample(t)
		if !ok {
			return 0, false
		}
		bytes += n
	}
	return bytes, true
}

// sample reads any sample, and returns its size.
func (d *Decoder) sample(t *trackDecoder) (bytes int64, ok bool) {
	token, ok := d.uvarint()
	if !ok {
		return 0, false
	}
	if token&t.durationBit != 0 {
		v, ok := d.uvarint()
		if !ok {
			return 0, false
		}
		t.duration += uint32(media.Unzigzag(v))
	}
	if token&t.ctsBit != 0 {
		v, ok := d.uvarint()
		if !ok || t.out.CTS == nil { // the row has no room for what it does not know of
			return 0, false
		}
		t.cts += int32(media.Unzigzag(v))
	}
	size := &t.size
	if token&t.syncBit != 0 {
		size = &t.syncSize
		t.out.Syncs = append(t.out.Syncs, uint32(t.samples))
	}
	*size += uint32(media.Unzigzag(token >> t.shift))
	t.out.Durations[t.samples], t.out.Sizes[t.samples] = t.duration, *size
	if t.out.CTS != nil {
		t.out.CTS[t.samples] = t.cts
	}
	t.samples++
	return int64(*size), true
}

// Eight bytes of a packed index are looked at at once, as a little-endian word, and the numbers in them found by arithmetic:
// a branch for each length of a number would be foreseen wrongly every other time.

// ends marks the highest bits of the bytes in which the first and the second number of a word end; 0 where it does not end.
func ends(w uint64) (first, second uint64) {
	first = ^w & 0x8080808080808080
	return first, first & (first - 1)
}

// upTo returns what a word has up to the lowest bit of a mark.
func upTo(w, mark uint64) uint64 { return w & (mark ^ (mark - 1)) }

// number joins the groups of seven bits of a number that takes four bytes at most.
func number(x uint64) uint64 { return x&0x7f | x>>1&0x3f80 | x>>2&0x1fc000 | x>>3&0xfe00000 }

// long is set in the bytes of a number that takes more than four.
const long = 1 << 31

// steady reads samples by twos as long as they differ in nothing but their size.
func (d *Decoder) steady(t *trackDecoder, end int) (bytes int64) {
	in, size, shift, changes := d.in, t.size, t.shift&63, uint64(1)<<(t.shift&63)-1
	sizes := t.out.Sizes[t.samples:end]
	pos, i := 0, 0
	for ; i < len(sizes)-1 && pos < len(in)-8; i += 2 {
		w := binary.LittleEndian.Uint64(in[pos:])
		first, second := ends(w)
		a, b := upTo(w, first), upTo(w, second)>>(bits.TrailingZeros64(first)&63)>>1
		if (a|b)&long != 0 || second == 0 {
			break
		}
		a, b = number(a), number(b)
		if (a|b)&changes != 0 {
			break
		}
		size += uint32(media.Unzigzag(a >> shift))
		sizes[i] = size
		bytes += int64(size)
		size += uint32(media.Unzigzag(b >> shift))
		sizes[i+1] = size
		bytes += int64(size)
		pos += bits.TrailingZeros64(second)/8 + 1
	}
	d.in, t.size = in[pos:], size
	t.repeat(i)
	return bytes
}

// repeat goes on by n samples with the same duration and CTS.
func (t *trackDecoder) repeat(n int) {
	durations := t.out.Durations[t.samples:][:n]
	for i := range durations {
		durations[i] = t.duration
	}
	if t.out.CTS != nil {
		cts := t.out.CTS[t.samples:][:n]
		for i := range cts {
			cts[i] = t.cts
		}
	}
	t.samples += n
}

// changing reads samples one by one, of which each may be a sync sample, or have another duration or another CTS than the one
// before, until two are steady.
func (d *Decoder) changing(t *trackDecoder, end int) (bytes int64) {
	in, pos, i := d.in, 0, t.samples
	sizes, durations, offsets := t.out.Sizes[:end], t.out.Durations[:end], t.out.CTS
	size, duration, cts := t.size, t.duration, t.cts
	for i < len(sizes) && pos < len(in)-8 {
		w := binary.LittleEndian.Uint64(in[pos:])
		first, second := ends(w)
		n := bits.TrailingZeros64(first)
		a, b := upTo(w, first), upTo(w, second)>>(n&63)>>1
		if (a|b)&long != 0 || second == 0 {
			break
		}
		a, b = number(a), number(b)
		if changes := a & (t.durationBit | t.ctsBit); changes == 0 {
			if (a|b)&(1<<(t.shift&63)-1) == 0 && i+1 < end {
				break
			}
		} else {
			n = bits.TrailingZeros64(second)
			if changes == t.durationBit {
				duration += uint32(media.Unzigzag(b))
			} else if changes == t.ctsBit && offsets != nil {
				cts += int32(media.Unzigzag(b))
			} else {
				break
			}
		}
		if a&t.syncBit == 0 {
			size += uint32(media.Unzigzag(a >> (t.shift & 63)))
			sizes[i] = size
		} else {
			t.syncSize += uint32(media.Unzigzag(a >> (t.shift & 63)))
			sizes[i] = t.syncSize
			t.out.Syncs = append(t.out.Syncs, uint32(i))
		}
		bytes += int64(sizes[i])
		durations[i] = duration
		if offsets != nil {
			offsets[i] = cts
		}
		pos += n/8 + 1
		i++
	}
	d.in, t.samples, t.size, t.duration, t.cts = in[pos:], i, size, duration, cts
	return bytes
}
