package media

import "math"

// A Run is neighbouring samples of one track that last equally long.
type Run struct {
	Samples  uint32
	Duration uint32 // of each, in the track's timescale
}

// MaxRuns is how many runs of durations are kept of a track in a recording. What a camera's jitter makes of a minute is fewer.
const MaxRuns = 32

// Runs packs the runs of equal durations of a track, its last sample left out: of each its Samples, and the zigzag difference of
// its Duration to that of the run before, as AppendNumber writes them. It is empty where they are not known, which is always
// allowed: then they follow from the packed index. It is a string so that thousands of them can share the memory in which they
// were read.
type Runs string

// PackRuns packs runs, unless they are more than MaxRuns.
func PackRuns(runs []Run) Runs {
	if len(runs) > MaxRuns {
		return ""
	}
	b := make([]byte, 0, 8*len(runs))
	last := uint32(0)
	for _, r := range runs {
		b = AppendNumber(b, uint64(r.Samples))
		b = AppendNumber(b, Zigzag(int64(r.Duration)-int64(last)))
		last = r.Duration
	}
	return Runs(b)
}

// Unpack appends the runs to a slice. ok is false where they are damaged.
func (r Runs) Unpack(to []Run) (runs []Run, ok bool) {
	rest, duration := string(r), int64(0)
	for rest != "" {
		samples, n := Number(rest)
		delta, m := Number(rest[n:])
		duration += Unzigzag(delta)
		if n == 0 || m == 0 || samples > math.MaxUint32 || duration < 0 || duration > math.MaxUint32 {
			return to, false
		}
		to = append(to, Run{uint32(samples), uint32(duration)})
		rest = rest[n+m:]
	}
	return to, true
}

// A number is packed as digits of base 47 in printable ASCII, the highest first: '!' to 'O' are the digits of which the last one
// is, 'P' to '~' those that others follow. So numbers stand side by side in a text that any function of SQL may handle.
const (
	numberBase    = 47
	numberFirst   = '!'
	numberLongest = 12 // digits of 64 bits
)

// AppendNumber appends a number.
func AppendNumber(b []byte, v uint64) []byte {
	var digits [numberLongest]byte
	i := len(digits) - 1
	digits[i] = byte(numberFirst + v%numberBase)
	for v /= numberBase; v > 0; v /= numberBase {
		i--
		digits[i] = byte(numberFirst + numberBase + v%numberBase)
	}
	return append(b, digits[i:]...)
}

// Number reads a number, and returns how many bytes it takes: 0 where there is none, or it is not whole.
func Number(s string) (v uint64, n int) {
	for n < len(s) && n < numberLongest {
		d := s[n] - numberFirst
		n++
		if d < numberBase {
			return v*numberBase + uint64(d), n
		}
		if d >= 2*numberBase {
			break
		}
		v = v*numberBase + uint64(d-numberBase)
	}
	return 0, 0
}

// Zigzag makes small numbers of those that are close to 0 on either side.
func Zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

// Unzigzag undoes Zigzag.
func Unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
