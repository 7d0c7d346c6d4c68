package playback

import (
	"context"
	"sync"
	"sync/atomic"
)

// listAhead lists, in the background, a day that was asked for. If the day before was listed too, someone walks through the days, and
// the next days are listed as well. It does not wait, and works for one stream at a time.
func (l *Library) listAhead(s Stream, day *calendarDay) {
	days := 1
	if l.isListed(s, l.calendar.at(day.From90k-1)) {
		days += daysAhead
	}
	next, missing := day, false
	for range min(days, 3) {
		missing = missing || !l.isListed(s, next)
		next = l.calendar.at(next.To90k)
	}
	if !missing || !l.ahead.busy.CompareAndSwap(false, true) {
		return
	}
	l.ahead.Go(func() {
		defer l.ahead.busy.Store(false)
		ctx, cancel := context.WithTimeout(l.ahead.ctx, indexDeadline)
		defer cancel()
		for range days {
			if !l.isListed(s, day) {
				if _, ok, err := l.listDay(ctx, s, day); !ok || err != nil { // whoever asks for it meets the error
					return
				}
			}
			day = l.calendar.at(day.To90k)
		}
	})
}

// daysAhead is how many days are listed before anyone asks; when fewer than two are left, the next ones are.
const daysAhead = 4

func (l *Library) isListed(s Stream, day *calendarDay) bool {
	x, _ := l.listings.cache.Peek(dayKey{s.id, day.From90k})
	return x.whole
}

// ahead is what is done before anyone asks for it, until the Library is closed.
type ahead struct {
	sync.WaitGroup
	ctx  context.Context
	stop context.CancelFunc
	busy atomic.Bool
}
