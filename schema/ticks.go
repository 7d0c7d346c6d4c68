package schema

import "time"

// ticksPerSecond is the unit of every …90k quantity: ticks of 1/90000 s, the RTP clock of video (RFC 3551 5).
const ticksPerSecond = 90_000

// ToTime returns the UTC time that lies t90k ticks of 1/90000 s after 1970-01-01T00:00:00Z; t90k may be negative.
//
// Nine ticks are exactly 100 µs; the others are not whole nanoseconds and are rounded to the nearest one.
// FromTime(ToTime(t90k)) == t90k for every t90k.
func ToTime(t90k int64) time.Time {
	seconds, rest90k := floorDiv(t90k, ticksPerSecond)
	const half = ticksPerSecond / 2
	return time.Unix(seconds, (rest90k*int64(time.Second)+half)/ticksPerSecond).UTC()
}

// FromTime returns t as 90 kHz ticks since 1970 UTC, rounded to the nearest tick (11.1 µs), halves towards the future.
// The monotonic reading of t, if any, plays no part. Years up to ±3 million fit.
func FromTime(t time.Time) int64 {
	const half = int64(time.Second) / 2
	return t.Unix()*ticksPerSecond + (int64(t.Nanosecond())*ticksPerSecond+half)/int64(time.Second)
}

// floorDiv divides rounding towards negative infinity, so that 0 <= remainder < divisor, for divisor > 0.
func floorDiv(n, divisor int64) (quotient, remainder int64) {
	quotient, remainder = n/divisor, n%divisor
	if remainder < 0 {
		quotient, remainder = quotient-1, remainder+divisor
	}
	return quotient, remainder
}
