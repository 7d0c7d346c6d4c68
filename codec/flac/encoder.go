package flac

import (
	"math"
	mathbits "math/bits"
	"slices"

	"nvrfs/codec/bits"
)

const maxFixedOrder = 4 // RFC 9639 9.2.5

// An Encoder makes frames of FLAC by fixed predictors, which is quick, and loses nothing.
type Encoder struct {
	channels, depth int
	rate            uint32
	at              uint64 // how many moments are in frames

	w        bits.Writer
	values   []int32 // of one channel
	residual [maxFixedOrder + 1][]int32
}

// NewEncoder returns what makes frames of sound of so many channels, MaxChannels at most, bits a value, and values a second of each
// channel, MaxRate at most.
func NewEncoder(channels, depth int, rate uint32) *Encoder {
	return &Encoder{channels: channels, depth: depth, rate: rate}
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

// header says how many moments a second and how many bits a value there are, although STREAMINFO does, because GStreamer refuses
// frames that leave either to STREAMINFO.
func (f *Encoder) header(n int) {
	rate := f.rateCode()
	f.w.Put(0xfff9, 16) // frames differ in length
	f.w.Put(7, 4)       // the length follows, in 16 bits
	f.w.Put(rate.code, 4)
	f.w.Put(uint64(f.channels-1), 4)
	f.w.Put(depthCodes[f.depth], 3)
	f.w.Put(0, 1)
	f.position()
	f.w.Put(uint64(n-1), 16)
	f.w.Put(rate.value, rate.bits)
	f.w.Put(uint64(crc8(f.w.B)), 8)
}

// depthCodes are the codes of bits a value (RFC 9639 9.1.4), and 0 where there is none.
var depthCodes = map[int]uint64{8: 1, 12: 2, 16: 4, 20: 5, 24: 6, 32: 7}

// A rateCode says how many moments a second there are (RFC 9639 9.1.2): by the code alone, or by a value behind the length.
type rateCode struct {
	code  uint64
	value uint64
	bits  int // of value
}

// rateCodes are the rates that have a code of their own.
var rateCodes = map[uint32]uint64{
	88200: 1, 176400: 2, 192000: 3, 8000: 4, 16000: 5, 22050: 6, 24000: 7, 32000: 8, 44100: 9, 48000: 10, 96000: 11,
}

// rateCode returns the zero rateCode, which leaves it to STREAMINFO, for a rate that a header has no room for.
func (f *Encoder) rateCode() rateCode {
	switch code, ok := rateCodes[f.rate]; {
	case ok:
		return rateCode{code: code}
	case f.rate <= math.MaxUint16:
		return rateCode{13, uint64(f.rate), 16}
	case f.rate%10 == 0 && f.rate/10 <= math.MaxUint16:
		return rateCode{14, uint64(f.rate / 10), 16}
	}
	return rateCode{}
}

// position appends f.at, a number of up to 36 bits, as UTF-8 would (RFC 9639 9.1.5).
func (f *Encoder) position() {
	v := f.at
	if v < 0x80 {
		f.w.Put(v, 8)
		return
	}
	more := 1 // bytes behind the first, which has room for 6 bits less one for each
	for mathbits.Len64(v) > 6*more+6-more {
		more++
	}
	f.w.Put(0xff00>>(more+1)&0xff|v>>(6*more), 8)
	for more--; more >= 0; more-- {
		f.w.Put(0x80|v>>(6*more)&0x3f, 8)
	}
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
		f.rice(residual, order, coding)
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
