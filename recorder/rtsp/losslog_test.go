package rtsp

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestLossLog(t *testing.T) {
	out := new(logBuffer)
	l := lossLog{log: slog.New(slog.NewTextHandler(out, nil))}
	now := time.Now()
	lines := func() int { return strings.Count(out.String(), "\n") }

	l.flush(now)
	l.report()
	if lines() != 0 {
		t.Errorf("logged without loss: %s", out)
	}
	l.add(now, 3, nil)
	l.add(now.Add(lossLogPeriod/2), 4, errors.New("cut short"))
	if lines() != 1 || !strings.Contains(out.String(), "lost=3 damaged=0") {
		t.Errorf("want one line about the first loss: %s", out)
	}
	l.flush(now.Add(lossLogPeriod))
	if lines() != 2 || !strings.Contains(out.String(), `lost=4 damaged=1 err="cut short"`) {
		t.Errorf("want a second line about the second loss: %s", out)
	}
	l.add(now.Add(lossLogPeriod+1), 1, nil)
	l.report()
	if lines() != 3 {
		t.Errorf("want the rest at the end: %s", out)
	}
}
