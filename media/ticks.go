package media

import "time"

// TicksPerSecond is the unit of every …90k quantity: ticks of 1/90000 s, the RTP clock of video (RFC 3551 5).
const TicksPerSecond = 90_000

// ToTime returns the UTC time that lies t90k ticks of 1/90000 s after 1970-01-01T00:00:00Z; t90k may be negative.
//
// Nine ticks are exactly 100 µs; the others are not whole nanoseconds and are rounded to the nearest one.
// FromTime(ToTime(t90k)) == t90k for every t90k.
func ToTime(t90k int64) time.Time {
	seconds, rest90k := floorDiv(t90k, TicksPerSecond)
	const half = TicksPerSecond / 2
	return time.Unix(seconds, (rest90k*int64(time.Second)+half)/TicksPerSecond).UTC()
}

// FromTime returns t as 90 kHz ticks since 1970 UTC, rounded to the nearest tick (11.1 µs), halves towards the future.
// The monotonic reading of t, if any, plays no part. Years up to ±3 million fit.
func FromTime(t time.Time) int64 {
	const half = int64(time.Second) / 2
	return t.Unix()*TicksPerSecond + (int64(t.Nanosecond())*TicksPerSecond+half)/int64(time.Second)
}

// floorDiv divides rounding towards negative infinity, so that 0 <= remainder < divisor, for divisor > 0.
func floorDiv(n, divisor int64) (quotient, remainder int64) {
	quotient, remainder = n/divisor, n%divisor
	if remainder < 0 {
		quotient, remainder = quotient-1, remainder+divisor
	}
	return quotient, remainder
}

// Ticks converts a duration to ticks of 1/90000 s, rounded as wall times are: a run would shift otherwise.
func Ticks(d time.Duration) int64 { return FromTime(time.Unix(0, int64(d))) }

// Duration converts ticks of 1/90000 s.
func Duration(t90k int64) time.Duration {
	return time.Duration(t90k/TicksPerSecond)*time.Second + time.Duration(t90k%TicksPerSecond)*time.Second/TicksPerSecond
}

// Rescale converts a time from one timescale to another, to the nearest tick; halves towards the future.
func Rescale(t int64, from, to uint32) int64 {
	if from == to {
		return t
	}
	// Whole seconds apart, so that nothing overflows.
	sec, rest := floorDiv(t, int64(from))
	return sec*int64(to) + (rest*int64(to)+int64(from)/2)/int64(from)
}
