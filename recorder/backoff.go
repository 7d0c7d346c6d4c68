package recorder

import (
	"math/rand/v2"
	"time"
)

const (
	firstBackoff = time.Second
	mostBackoff  = 30 * time.Second
)

// Backoff returns how long to wait before connecting again after a number of failed attempts in a row: 1 s after the
// first (attempt 0), then twice as long each time up to 30 s, and up to a quarter less or more, so that cameras that
// failed together do not return together. rnd returns values in [0, 1), as rand.Float64 does.
func Backoff(attempt int, rnd func() float64) time.Duration {
	d := mostBackoff
	if attempt < 5 { // 1 s << 5 exceeds mostBackoff
		d = firstBackoff << max(attempt, 0)
	}
	return time.Duration(float64(d) * (0.75 + rnd()/2))
}

// BackoffNow is Backoff with a random number of its own.
func BackoffNow(attempt int) time.Duration { return Backoff(attempt, rand.Float64) }
