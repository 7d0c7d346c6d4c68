package recorder

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
)

const (
	maxReason = 300     // bytes of a reason that quotes a camera or a panic
	maxStack  = 8 << 10 // bytes of a stack in the log
)

// A guard turns panics into errors, so that whatever a camera sends ends its own session at most, and never the process
// that records every other camera too. The zero value is ready to use.
type guard struct {
	logged atomic.Bool // the stack of a panic is in the log; the log of a camera that returns every minute needs no second one
}

// do calls f and returns its error. Where f panics, the error says over what: "an H.264 packet of the camera".
func (g *guard) do(log *slog.Logger, what string, f func() error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		err = fmt.Errorf("nvrfs failed on %s: %s", what, shorten(fmt.Sprint(p), maxReason))
		if !g.logged.Swap(true) {
			log.Error("a fault of nvrfs ended what it was doing; everything else goes on", "reason", err, "err", shorten(string(debug.Stack()), maxStack),
				"do", "report this line to the makers of nvrfs")
		}
	}()
	return f()
}

// shorten cuts text that others wrote to a number of bytes, and says so by "…".
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
