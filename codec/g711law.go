package codec

// A lawFinder tells by which law bytes of G.711 are, because cameras describe one and send the other.
//
// Seen by the wrong law, every other bit of the loudness is turned around: 0xD5, which is silence in A-law, is loud in mu-law.
// That tears apart what sound keeps together, in two ways of which one shows in noise and in silence, the other in tones: how
// often a loudness is heard is close to how often the next one is, and what is heard follows from what was heard just before.
type lawFinder struct {
	found string // "" while it is not known
	total int
	count [128]int // by loudness, as mu-law numbers it
	a, mu correlation
}

const (
	// leastLooked is how many bytes are looked at before it is told which law they are of.
	leastLooked = 400
	// aLawBits are those by which the numbers differ that A-law and mu-law give to a loudness.
	aLawBits = 0x55 ^ 0x7f
	// One law must look so much worse than the other, by the counts or by the values, and not better by the other. In pure
	// silence, the counts of the wrong one are twice as far apart.
	farApart, farther = 1.5, 2.0
)

// look adds bytes, and finds the law where they tell.
func (l *lawFinder) look(p []byte) {
	for _, b := range p {
		l.count[^b&0x7f]++
		l.a.add(float64(aLawValues[b]))
		l.mu.add(float64(muLawValues[b]))
	}
	if l.total += len(p); l.total < leastLooked {
		return
	}
	numbers := l.torn(0) / l.torn(aLawBits) // above 1: mu-law looks worse
	values := l.mu.unforeseen() / l.a.unforeseen()
	switch {
	case numbers > farApart && values > 1/farApart, values > farther && numbers > 1/farApart:
		l.found = aLaw
	case numbers < 1/farApart && values < farApart, values < 1/farther && numbers < farApart:
		l.found = muLaw
	}
}

// torn returns by how much the counts of neighbours differ, where bits are turned around in the numbers of mu-law.
func (l *lawFinder) torn(bits int) float64 {
	sum := l.count[127^bits]
	for i := range len(l.count) - 1 {
		d := l.count[i^bits] - l.count[(i+1)^bits]
		sum += max(d, -d)
	}
	return float64(sum) + 1
}

// A correlation is that of values with those before them.
type correlation struct {
	r        [3]float64 // sums of products of values that are 0, 1 and 2 apart
	one, two float64    // the last values
}

func (c *correlation) add(x float64) {
	c.r[0] += x * x
	c.r[1] += x * c.one
	c.r[2] += x * c.two
	c.one, c.two = x, c.one
}

// unforeseen returns the part of the energy that does not follow from the two values before each (linear prediction by Levinson
// and Durbin).
func (c *correlation) unforeseen() float64 {
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

// aLawValues and muLawValues are what a byte means by each law, as 16 bits (ITU-T G.711 tables 1a and 2a).
var aLawValues, muLawValues = func() (a, mu [256]int16) {
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
