package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"nvrfs/media"
	"nvrfs/media/box"
)

// flacCodec is FLAC (RFC 9639) of files. A sample is a frame, as the Encapsulation of FLAC in ISO Base Media File Format has it.
// Cameras do not send it; lpcmCodec makes it.
var flacCodec = &Codec{
	Name: "FLAC", Kind: media.Audio,
	boxes: []string{"fLaC"}, importEntry: importFLAC,
}

const (
	streamInfoBytes = 34        // RFC 9639 8.2
	streamInfoHead  = 4         // the header of a metadata block, 8.1
	maxFLACChannels = 8         // 9.1.3
	maxFLACBlock    = 1<<16 - 1 // moments in a frame, 9.1.6
	maxFLACPosition = 1<<36 - 1 // 9.1.5
	maxEntryRate    = 1<<16 - 1 // that the fields of a sample entry have room for
	maxFLACRate     = 1<<20 - 1 // 8.2
	maxFixedOrder   = 4         // 9.2.5
	maxPartitions   = 4         // of a residual, as a power of 2
	leastPartition  = 32        // values in each
	maxRice4        = 14        // the greatest parameters of 4 and of 5 bits, 9.2.7.1
	maxRice5        = 30
)

// flacEntry makes the sample entry of FLAC from its first metadata block, STREAMINFO, with header, and those that follow it.
func flacEntry(blocks []byte) (media.SampleEntry, error) {
	if len(blocks) < streamInfoHead+streamInfoBytes || blocks[0]&0x7f != 0 || blocks[3] != streamInfoBytes {
		return media.SampleEntry{}, errors.New("its decoder configuration is missing or damaged")
	}
	packed := binary.BigEndian.Uint64(blocks[streamInfoHead+10:])
	rate, channels, depth := uint32(packed>>44), uint16(packed>>41&7+1), packed>>36&31+1
	if rate == 0 {
		return media.SampleEntry{}, errors.New("it has no samples a second")
	}
	fits := rate
	for fits > maxEntryRate {
		fits /= 2 // as the encapsulation says, 3.3.1
	}
	var w writer
	w.Box("fLaC", func() {
		w.audioFields(channels, fits)
		w.FullBox("dfLa", 0, 0, func() { w.Bytes(blocks) })
	})
	binary.BigEndian.PutUint16(w.B[audioVersion+10:], uint16(depth))
	return media.SampleEntry{Kind: media.Audio, Codec: "flac", Timescale: rate, Box: w.B}, nil
}

func importFLAC(entry []byte) (media.SampleEntry, error) {
	boxes, err := audioChildren(entry)
	if err != nil {
		return media.SampleEntry{}, err
	}
	c := box.Find(boxes, "dfLa")
	if len(c) < 4 || c[0] != 0 {
		return media.SampleEntry{}, errors.New("sample entry fLaC: its decoder configuration is missing or damaged")
	}
	e, err := flacEntry(c[4:])
	if err != nil {
		return media.SampleEntry{}, fmt.Errorf("sample entry fLaC: %w", err)
	}
	return e, nil
}

// A flacEncoder makes frames of FLAC by fixed predictors, which is quick, and loses nothing.
type flacEncoder struct {
	channels, depth int
	rate            uint32
	at              uint64 // how many moments are in frames

	w        bitWriter
	values   []int32 // of one channel
	residual [maxFixedOrder + 1][]int32
}

func newFLACEncoder(channels, depth int, rate uint32) *flacEncoder {
	return &flacEncoder{channels: channels, depth: depth, rate: rate}
}

// entry is the sample entry of the frames. How many there are and what they add up to is not known, which is said by zeros.
func (f *flacEncoder) entry() (media.SampleEntry, error) {
	blocks := make([]byte, streamInfoHead+streamInfoBytes)
	blocks[0], blocks[3] = 0x80, streamInfoBytes // the last block
	info := blocks[streamInfoHead:]
	binary.BigEndian.PutUint16(info, 16) // the shortest and longest frame that may be
	binary.BigEndian.PutUint16(info[2:], maxFLACBlock)
	binary.BigEndian.PutUint64(info[10:], uint64(f.rate)<<44|uint64(f.channels-1)<<41|uint64(f.depth-1)<<36)
	return flacEntry(blocks)
}

// frame makes a frame (RFC 9639 9) of values, those of all channels at a moment side by side, 1 to maxFLACBlock of each channel.
func (f *flacEncoder) frame(values []int32) []byte {
	n := len(values) / f.channels
	f.w = bitWriter{b: make([]byte, 0, len(values)*f.depth/8/2+64)}
	f.header(n)
	f.values = slices.Grow(f.values[:0], n)[:n]
	for c := range f.channels {
		for i := range f.values {
			f.values[i] = values[i*f.channels+c]
		}
		f.subframe()
	}
	f.w.align()
	f.w.put(uint64(crc16(f.w.b)), 16)
	f.at = (f.at + uint64(n)) & maxFLACPosition
	return f.w.b
}

func (f *flacEncoder) header(n int) {
	f.w.put(0xfff9, 16) // frames differ in length
	f.w.put(7, 4)       // the length follows, in 16 bits
	f.w.put(0, 4)       // as many moments a second as STREAMINFO says
	f.w.put(uint64(f.channels-1), 4)
	f.w.put(0, 4) // as many bits a value as STREAMINFO says
	f.w.utf8(f.at)
	f.w.put(uint64(n-1), 16)
	f.w.put(uint64(crc8(f.w.b)), 8)
}

// subframe appends f.values (RFC 9639 9.2), by what takes the fewest bits.
func (f *flacEncoder) subframe() {
	all, same := int32(0), true
	for _, v := range f.values {
		all |= v
		same = same && v == f.values[0]
	}
	if same {
		f.w.put(0, 8)
		f.w.put(uint64(f.values[0]), f.depth)
		return
	}
	wasted := bits.TrailingZeros32(uint32(all))
	for i := range f.values {
		f.values[i] >>= wasted
	}
	depth := f.depth - wasted
	order, residual := f.predict()
	coding := f.code(residual, order)
	verbatim := coding.bits+order*depth >= len(f.values)*depth
	kind := uint64(8 + order)
	if verbatim {
		kind = 1
	}
	if wasted == 0 {
		f.w.put(kind<<1, 8)
	} else {
		f.w.put(kind<<1|1, 8)
		f.w.unary(wasted - 1)
	}
	if verbatim {
		order = len(f.values)
	}
	for _, v := range f.values[:order] {
		f.w.put(uint64(v), depth)
	}
	if !verbatim {
		f.w.rice(residual, order, coding)
	}
}

// predict finds the fixed predictor with the smallest residual, which is the difference of so many neighbours (9.2.5).
func (f *flacEncoder) predict() (order int, residual []int32) {
	f.residual[0] = append(f.residual[0][:0], f.values...)
	least := uint64(math.MaxUint64)
	for o := range f.residual {
		if o > 0 {
			before := f.residual[o-1]
			if len(before) < 2 {
				break
			}
			r := slices.Grow(f.residual[o][:0], len(before)-1)[:len(before)-1]
			for i := range r {
				r[i] = before[i+1] - before[i]
			}
			f.residual[o] = r
		}
		sum := uint64(0)
		for _, v := range f.residual[o] {
			sum += uint64(max(v, -v))
		}
		if sum < least {
			order, least = o, sum
		}
	}
	return order, f.residual[order]
}

// A riceCoding is how a residual is written (RFC 9639 9.2.7).
type riceCoding struct {
	wide       int // 1 for parameters of 5 bits
	partitions int // as a power of 2
	parameters [1 << maxPartitions]int
	bits       int // that it takes
}

// code chooses how a residual is written that begins behind order values.
func (f *flacEncoder) code(residual []int32, order int) riceCoding {
	var c riceCoding
	maxRice := maxRice4
	if f.depth > 16 {
		c.wide, maxRice = 1, maxRice5
	}
	n := len(residual) + order
	for c.partitions < maxPartitions && n%(2<<c.partitions) == 0 && n/(2<<c.partitions) >= leastPartition {
		c.partitions++
	}
	c.bits = 6
	for i := range 1 << c.partitions {
		p := partition(residual, order, c.partitions, i)
		sum := uint64(0)
		for _, v := range p {
			sum += uint64(zigzag32(v))
		}
		k := min(max(0, bits.Len64(sum/uint64(len(p)))-1), maxRice)
		c.parameters[i] = k
		c.bits += 4 + c.wide + len(p)*(k+1)
		for _, v := range p {
			c.bits += int(zigzag32(v) >> k)
		}
	}
	return c
}

// partition returns part i of a residual, of which the first is shorter by the values that stand before it.
func partition(residual []int32, order, partitions, i int) []int32 {
	each := (len(residual) + order) >> partitions
	return residual[max(0, i*each-order) : (i+1)*each-order]
}

func zigzag32(v int32) uint32 { return uint32(v<<1) ^ uint32(v>>31) }
