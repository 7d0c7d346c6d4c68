package playback

import (
	"slices"
	"testing"
	"time"

	"nvrfs/media"
)

// What was read before something was dropped is not kept after it.
func TestListingsKeepNothingOld(t *testing.T) {
	c := &calendar{loc: time.UTC}
	day := c.at(media.FromTime(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)))
	k := dayKey{7, day.From90k}
	x := newListings(1 << 20)
	_, drops := x.knownStreams()
	x.keepStreams([]Stream{{Label: "a"}}, drops)
	x.keepDays(7, []Span{day.Span}, drops)
	x.keep(7, day, drops, func(y *listing) {
		*y = listing{whole: true, hours: slices.Repeat([]hourListing{{known: true}}, 24), spans: day.hours}
	})

	hour := day.hours[5]
	x.forget([]Change{{stream: 7, Day: day.Span, Hour: hour, Listed: true}}, []Stream{{Label: "b"}}, c)
	if streams, _ := x.knownStreams(); streams[0].Label != "b" {
		t.Errorf("streams are %v", streams)
	}
	if y, _ := x.cache.Get(k); !y.whole || y.hours[5].known || !y.hours[4].known || !y.hours[6].known || y.spans != nil {
		t.Errorf("of the day is known %+v", y)
	}
	x.keepStreams([]Stream{{Label: "old"}}, drops)
	x.keepDays(7, nil, drops)
	x.keep(7, day, drops, func(y *listing) { y.hours[5].known = true })
	if streams, _ := x.knownStreams(); streams[0].Label != "b" {
		t.Errorf("streams of before are kept: %v", streams)
	}
	if days, ok, _ := x.knownDays(7); !ok || len(days.days) != 1 {
		t.Errorf("days of before are kept: %v", days)
	}
	if y, _ := x.cache.Get(k); y.hours[5].known {
		t.Error("a listing of before is kept")
	}

	x.keep(7, day, x.dropped(), func(y *listing) { y.hours[5].known = true })
	if y, _ := x.cache.Get(k); !y.hours[5].known {
		t.Error("a listing of now is not kept")
	}
	x.forgetHour(7, day, day.hours[6].From90k)
	if y, _ := x.cache.Get(k); y.hours[6].known || !y.hours[5].known {
		t.Errorf("after an hour was forgotten, %+v is known", y.hours)
	}
	x.forget(nil, nil, c)
	if _, ok := x.cache.Get(k); ok {
		t.Error("a listing is known where anything may have changed")
	}
	if _, ok, _ := x.knownDays(7); ok {
		t.Error("days are known where anything may have changed")
	}
}

func TestOneListsADay(t *testing.T) {
	x := newListings(1 << 20)
	k := dayKey{1, 2}
	others, done := x.begin(k)
	if others != nil {
		t.Fatal("someone else lists the day")
	}
	if others, _ := x.begin(dayKey{1, 3}); others != nil {
		t.Error("someone lists another day")
	}
	others, _ = x.begin(k)
	select {
	case <-others:
		t.Error("the day was listed")
	default:
	}
	done()
	<-others
	if others, _ := x.begin(k); others != nil {
		t.Error("the day is still listed")
	}
}
