// Package flac makes FLAC (RFC 9639) of values, without a loss. It is quick, and finds bits that are always 0.
package flac

import (
	"encoding/binary"
	"math"
	mathbits "math/bits"
	"slices"

	"nvrfs/codec/bits"
)

// What a frame has room for.
const (
	MaxChannels = 8         // RFC 9639 9.1.3
	MaxBlock    = 1<<16 - 1 // moments in a frame, 9.1.6

	maxPosition    = 1<<36 - 1 // 9.1.5
	maxFixedOrder  = 4         // 9.2.5
	maxPartitions  = 4         // of a residual, as a power of 2
	leastPartition = 32        // values in each
	maxRice4       = 14        // the greatest parameters of 4 and of 5 bits, 9.2.7.1
	maxRice5       = 30
)

// A Encoder makes frames of FLAC by fixed predictors, which is quick, and loses nothing.
type Encoder struct {
	channels, depth int
	rate            uint32
	at              uint64 // how many moments are in frames

	w        bits.Writer
	values   []int32 // of one channel
	residual [maxFixedOrder + 1][]int32
}

// New makes an encoder of values of depth bits, 16 or 24.
func New(channels, depth int, rate uint32) *Encoder {
	return &Encoder{channels: channels, depth: depth, rate: rate}
}

// StreamInfo returns the first metadata block, STREAMINFO, with its header, as the last one. How many values there are, and what they
// add up to, is not known, which is said by zeros.
func (f *Encoder) StreamInfo() []byte {
	blocks := make([]byte, 4+34)
	blocks[0], blocks[3] = 0x80, 34 // the last block
	info := blocks[4:]
	binary.BigEndian.PutUint16(info, 16) // the shortest and longest frame that may be
	binary.BigEndian.PutUint16(info[2:], MaxBlock)
	binary.BigEndian.PutUint64(info[10:], uint64(f.rate)<<44|uint64(f.channels-1)<<41|uint64(f.depth-1)<<36)
	return blocks
}

// Frame makes a frame (RFC 9639 9) of values, those of all channels at a moment side by side, 1 to MaxBlock of each channel.
func (f *Encoder) Frame(values []int32) []byte {
	n := len(values) / f.channels
	f.w = bits.Writer{B: make([]byte, 0, len(values)*f.depth/8/2+64)}
	f.header(n)
	f.values = slices.Grow(f.values[:0], n)[:n]
	for c := range f.channels {
		for i := range f.values {
			f.values[i] = values[i*f.channels+c]
		}
		f.subframe()
	}
	f.w.Align()
	f.w.Put(uint64(crc16(f.w.B)), 16)
	f.at = (f.at + uint64(n)) & maxPosition
	return f.w.B
}

func (f *Encoder) header(n int) {
	f.w.Put(0xfff9, 16) // frames differ in length
	f.w.Put(7, 4)       // the length follows, in 16 bits
	f.w.Put(0, 4)       // as many moments a second as STREAMINFO says
	f.w.Put(uint64(f.channels-1), 4)
	f.w.Put(0, 4) // as many bits a value as STREAMINFO says
	writeUTF8(&f.w, f.at)
	f.w.Put(uint64(n-1), 16)
	f.w.Put(uint64(crc8(f.w.B)), 8)
}

// subframe appends f.values (RFC 9639 9.2), by what takes the fewest bits.
func (f *Encoder) subframe() {
	all, same := int32(0), true
	for _, v := range f.values {
		all |= v
		same = same && v == f.values[0]
	}
	if same {
		f.w.Put(0, 8)
		f.w.Put(uint64(f.values[0]), f.depth)
		return
	}
	wasted := mathbits.TrailingZeros32(uint32(all))
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
		f.w.Put(kind<<1, 8)
	} else {
		f.w.Put(kind<<1|1, 8)
		f.w.Unary(wasted - 1)
	}
	if verbatim {
		order = len(f.values)
	}
	for _, v := range f.values[:order] {
		f.w.Put(uint64(v), depth)
	}
	if !verbatim {
		coding.write(&f.w, residual, order)
	}
}

// predict finds the fixed predictor with the smallest residual, which is the difference of so many neighbours (9.2.5).
func (f *Encoder) predict() (order int, residual []int32) {
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
func (f *Encoder) code(residual []int32, order int) riceCoding {
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
		k := min(max(0, mathbits.Len64(sum/uint64(len(p)))-1), maxRice)
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

// writeUTF8 appends a number of up to 36 bits as UTF-8 would (RFC 9639 9.1.5).
func writeUTF8(w *bits.Writer, v uint64) {
	if v < 0x80 {
		w.Put(v, 8)
		return
	}
	more := 1 // bytes behind the first, which has room for 6 bits less one for each
	for mathbits.Len64(v) > 6*more+6-more {
		more++
	}
	w.Put(0xff00>>(more+1)&0xff|v>>(6*more), 8)
	for more--; more >= 0; more-- {
		w.Put(0x80|v>>(6*more)&0x3f, 8)
	}
}

// write appends a residual (RFC 9639 9.2.7).
func (c riceCoding) write(w *bits.Writer, residual []int32, order int) {
	w.Put(uint64(c.wide), 2)
	w.Put(uint64(c.partitions), 4)
	for i := range 1 << c.partitions {
		k := c.parameters[i]
		w.Put(uint64(k), 4+c.wide)
		for _, v := range partition(residual, order, c.partitions, i) {
			z := zigzag32(v)
			w.Unary(int(z >> k))
			w.Put(uint64(z), k)
		}
	}
}

// crc8 and crc16 are those of a frame of FLAC (RFC 9639 9.1.8, 9.3).
func crc8(p []byte) (c uint8) {
	for _, b := range p {
		c = crc8Table[c^b]
	}
	return c
}

func crc16(p []byte) (c uint16) {
	for _, b := range p {
		c = c<<8 ^ crc16Table[byte(c>>8)^b]
	}
	return c
}

var crc8Table, crc16Table = func() (t8 [256]uint8, t16 [256]uint16) {
	for i := range 256 {
		c8, c16 := uint8(i), uint16(i)<<8
		for range 8 {
			over8, over16 := c8>>7, c16>>15
			c8, c16 = c8<<1^over8*0x07, c16<<1^over16*0x8005
		}
		t8[i], t16[i] = c8, c16
	}
	return t8, t16
}()
