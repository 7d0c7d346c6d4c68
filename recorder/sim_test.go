package recorder

import (
	"testing"
	"time"

	"nvrfs/recorder/internal/bench"
)

func TestStepped(t *testing.T) {
	a := time.Now()
	b := bench.Stepped(a.Add(time.Minute), time.Hour)
	if b.Sub(a) != time.Minute || b.Round(0).Sub(a.Round(0)) != time.Hour+time.Minute {
		t.Fatalf("%v, %v", b.Sub(a), b.Round(0).Sub(a.Round(0)))
	}
}
