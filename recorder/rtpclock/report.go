package rtpclock

import "time"

// NTP returns the time of a sender report: seconds since 1900, in 32 bits and as many of a fraction (RFC 3550 4). Like everything
// that a camera says, it may be of any year.
func NTP(v uint64) time.Time {
	seconds, fraction := v>>32, v&(1<<32-1)
	return time.Date(1900, 1, 1, 0, 0, int(seconds), int(fraction*uint64(time.Second)>>32), time.UTC)
}
