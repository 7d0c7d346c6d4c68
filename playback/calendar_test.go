package playback

import (
	"sync"
	"testing"
	"time"

	"nvrfs/media"
)

// Whoever asks for a day, and when, gets the same one; and a calendar is bounded.
func TestCalendar(t *testing.T) {
	berlin := location(t, "Europe/Berlin")
	c := &calendar{loc: berlin}
	start := time.Date(2026, 10, 20, 12, 0, 0, 0, berlin)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2 * calendarDays / 4 {
				at := start.AddDate(0, 0, g+4*i)
				got, want := c.at(media.FromTime(at)), dayOf(at, berlin)
				if got.Span != want || len(got.hours) < 23 || got.hour(media.FromTime(at)).Name != "12" {
					t.Errorf("the day of %v is %+v, want %+v", at, got, want)
				}
			}
		})
	}
	wg.Wait()
	if n := len(c.days); n == 0 || n > calendarDays {
		t.Errorf("%d days are kept", n)
	}
	at := media.FromTime(start)
	if c.at(at) != c.at(at+1) {
		t.Error("a day that is kept was found out again")
	}
}
