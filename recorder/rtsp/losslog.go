package rtsp

import (
	"log/slog"
	"time"
)

const lossLogPeriod = time.Minute

// lossLog counts lost and damaged packets, and logs the first at once, and then sums at most once a minute.
type lossLog struct {
	log     *slog.Logger
	next    time.Time // not to log before
	packets uint64
	damaged uint64
	last    error
}

// add counts packets that were lost, and one damaged packet if damage is not nil.
func (l *lossLog) add(now time.Time, packets uint64, damage error) {
	l.packets += packets
	if damage != nil {
		l.damaged++
		l.last = damage
	}
	l.flush(now)
}

func (l *lossLog) flush(now time.Time) {
	if !now.Before(l.next) && l.packets+l.damaged > 0 {
		l.next = now.Add(lossLogPeriod)
		l.report()
	}
}

// report logs the packets that were counted since the last report, if there are any.
func (l *lossLog) report() {
	if l.packets+l.damaged == 0 {
		return
	}
	attrs := []any{"lost", l.packets, "damaged", l.damaged}
	if l.last != nil {
		attrs = append(attrs, "err", l.last)
	}
	l.log.Warn("RTP packets of the camera were lost or damaged; the footage has gaps or errors there", attrs...)
	l.packets, l.damaged, l.last = 0, 0, nil
}
