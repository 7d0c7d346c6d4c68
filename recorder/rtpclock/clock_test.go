package rtpclock

import "testing"

func TestClockWraps(t *testing.T) {
	for _, step := range []uint32{1, 3600, 90000, 90000 * 10, 1<<31 - 1} {
		var c Clock
		if _, ok := c.Extend(7); ok {
			t.Error("a clock that was not started knows the time")
		}
		first := uint32(1<<32 - 5)
		c.Start(first, 100)
		want := int64(100)
		for i := range uint32(100_000) {
			want += int64(step)
			if i%7 == 3 { // two that changed places, as around B-frames
				ahead, ok := c.Extend(first + (i+2)*step)
				if wantAhead := want + int64(step); step < 1<<29 && (ahead != wantAhead || !ok) {
					t.Fatalf("step %d, %d: %d, want %d", step, i, ahead, wantAhead)
				}
			}
			got, ok := c.Extend(first + (i+1)*step)
			if step >= 1<<29 && i%7 == 3 {
				continue // one that is half the range away is of no known side
			}
			if got != want && step < 1<<29 || !ok {
				t.Fatalf("step %d, %d: %d, want %d", step, i, got, want)
			}
		}
		if wraps := want >> 32; step == 90000*10 && wraps < 20 {
			t.Errorf("only %d wraps", wraps)
		}
	}
}
