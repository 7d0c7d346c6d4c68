package recorder

import (
	"math"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	middle := func() float64 { return 0.5 }
	for attempt, want := range map[int]time.Duration{
		-1: time.Second, 0: time.Second, 1: 2 * time.Second, 4: 16 * time.Second, 5: 30 * time.Second, math.MaxInt: 30 * time.Second,
	} {
		if got := Backoff(attempt, middle); got != want {
			t.Errorf("attempt %d: %v, want %v", attempt, got, want)
		}
	}
	if got := Backoff(0, func() float64 { return 0 }); got != 750*time.Millisecond {
		t.Errorf("least jitter: %v", got)
	}
	if got := Backoff(9, func() float64 { return math.Nextafter(1, 0) }); got <= 37*time.Second || got > 37500*time.Millisecond {
		t.Errorf("most jitter: %v", got)
	}
}
