// Package g711 knows G.711 (ITU-T G.711): what its bytes mean by either of its laws, and by which of them they are.
package g711

// The laws by which G.711 makes 8 bits of a value, as sample entries have them.
const (
	ALaw  = "alaw"
	MuLaw = "ulaw"
)

// A LawFinder tells by which law bytes of G.711 are, because cameras describe one and send the other.
//
// Seen by the wrong law, every other bit of the loudness is turned around: 0xD5, which is silence in A-law, is loud in mu-law.
// That tears apart what sound keeps together, in two ways of which one shows in noise and in silence, the other in tones: how
// often a loudness is heard is close to how often the next one is, and what is heard follows from what was heard just before.
type LawFinder struct {
	Found string   // "" while it is not known
	Total int      // bytes that were looked at
	count [128]int // by loudness, as mu-law numbers it
	a, mu Correlation
}

const (
	// LeastLooked is how many bytes are looked at before it is told which law they are of.
	LeastLooked = 400
	// aLawBits are those by which the numbers differ that A-law and mu-law give to a loudness.
	aLawBits = 0x55 ^ 0x7f
	// One law must look so much worse than the other, by the counts or by the values, and not better by the other. In pure
	// silence, the counts of the wrong one are twice as far apart.
	farApart, farther = 1.5, 2.0
)

// Look adds bytes, and finds the law where they tell.
func (l *LawFinder) Look(p []byte) {
	for _, b := range p {
		l.count[^b&0x7f]++
		l.a.Add(float64(ALawValues[b]))
		l.mu.Add(float64(MuLawValues[b]))
	}
	if l.Total += len(p); l.Total < LeastLooked {
		return
	}
	numbers := l.torn(0) / l.torn(aLawBits) // above 1: mu-law looks worse
	values := l.mu.Unforeseen() / l.a.Unforeseen()
	switch {
	case numbers > farApart && values > 1/farApart, values > farther && numbers > 1/farApart:
		l.Found = ALaw
	case numbers < 1/farApart && values < farApart, values < 1/farther && numbers < farApart:
		l.Found = MuLaw
	}
}

// torn returns by how much the counts of neighbours differ, where bits are turned around in the numbers of mu-law.
func (l *LawFinder) torn(bits int) float64 {
	sum := l.count[127^bits]
	for i := range len(l.count) - 1 {
		d := l.count[i^bits] - l.count[(i+1)^bits]
		sum += max(d, -d)
	}
	return float64(sum) + 1
}

// A Correlation is that of values with those before them.
type Correlation struct {
	r        [3]float64 // sums of products of values that are 0, 1 and 2 apart
	one, two float64    // the last values
}

// Add adds the next value.
func (c *Correlation) Add(x float64) {
	c.r[0] += x * x
	c.r[1] += x * c.one
	c.r[2] += x * c.two
	c.one, c.two = x, c.one
}

// Unforeseen returns the part of the energy that does not follow from the two values before each (linear prediction by Levinson
// and Durbin).
func (c *Correlation) Unforeseen() float64 {
	const least = 1e-4 // about what rounding to 8 bits adds
	if c.r[0] == 0 {
		return least
	}
	k1 := c.r[1] / c.r[0]
	e := 1 - k1*k1
	if e < least {
		return least
	}
	k2 := (c.r[2]/c.r[0] - k1*k1) / e
	return max(e*(1-k2*k2), least)
}

// ALawValues and MuLawValues are what a byte means by each law, as 16 bits (ITU-T G.711 tables 1a and 2a).
var ALawValues, MuLawValues = func() (a, mu [256]int16) {
	for i := range 256 {
		b := i ^ 0x55
		segment, v := b>>4&7, b&15<<4+8
		if segment > 0 {
			v = (v + 0x100) << (segment - 1)
		}
		a[i] = signed(b, v)

		b = ^i & 0xff
		mu[i] = signed(^b, (b&15<<3+0x84)<<(b>>4&7)-0x84)
	}
	return a, mu
}()

// signed returns v, below 0 where the highest bit of b is 0.
func signed(b, v int) int16 {
	if b&0x80 == 0 {
		v = -v
	}
	return int16(v)
}
