// Package guard keeps a fault in what handles one camera to that camera.
package guard

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
)

// How much of what others wrote is repeated.
const (
	MaxReason = 300     // bytes of a reason that quotes a camera or a panic
	MaxStack  = 8 << 10 // bytes of a stack in the log
)

// A Guard turns panics into errors, so that whatever a camera sends ends its own session at most, and never the process
// that records every other camera too. The zero value is ready to use.
type Guard struct {
	logged atomic.Bool // the stack of a panic is in the log; the log of a camera that returns every minute needs no second one
}

// Do calls f and returns its error. If f panics, Do returns an error that says what f was working on: "a packet of the camera".
func (g *Guard) Do(log *slog.Logger, what string, f func() error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		err = fmt.Errorf("nvrfs failed on %s: %s", what, Shorten(fmt.Sprint(p), MaxReason))
		if !g.logged.Swap(true) {
			log.Error("a bug in nvrfs showed; it ends at most the session of this camera", "err", err, "stack", Shorten(string(debug.Stack()), MaxStack),
				"do", "report this line to the makers of nvrfs")
		}
	}()
	return f()
}

// Logged reports whether a panic was turned into an error.
func (g *Guard) Logged() bool { return g.logged.Load() }

// Shorten cuts text that others wrote to a number of bytes, and says so by "…".
func Shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
