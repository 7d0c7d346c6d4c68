package flac

import mathbits "math/bits"

const (
	maxPartitions  = 4  // of a residual, as a power of 2
	leastPartition = 32 // values in each
	maxRice4       = 14 // the greatest parameters of 4 and of 5 bits, RFC 9639 9.2.7.1
	maxRice5       = 30
)

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

// rice appends a residual (RFC 9639 9.2.7).
func (f *Encoder) rice(residual []int32, order int, c riceCoding) {
	f.w.Put(uint64(c.wide), 2)
	f.w.Put(uint64(c.partitions), 4)
	for i := range 1 << c.partitions {
		k := c.parameters[i]
		f.w.Put(uint64(k), 4+c.wide)
		for _, v := range partition(residual, order, c.partitions, i) {
			z := zigzag32(v)
			f.w.Unary(int(z >> k))
			f.w.Put(uint64(z), k)
		}
	}
}
