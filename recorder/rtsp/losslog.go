package rtsp

import (
	"log/slog"
	"time"
)

const lossLogPeriod = time.Minute

// lossLog counts what was lost, and logs it at once and then at most once a minute.
type lossLog struct {
	log     *slog.Logger
	next    time.Time // not to log before
	packets uint64
	damaged uint64
	last    error
}

// add counts packets that were lost, and damage where it is an error.
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

// report logs what was counted since it last did, if anything.
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
