package cameras

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// maxNotes bounds what is kept of a log.
const maxNotes = 20

// notes is a slog.Handler that keeps what a source says, for a report, in place of logging it.
type notes struct {
	mu            sync.Mutex
	lines         []string
	lost, damaged uint64
}

func (n *notes) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (n *notes) WithAttrs([]slog.Attr) slog.Handler               { return n }
func (n *notes) WithGroup(string) slog.Handler                    { return n }

func (n *notes) Handle(_ context.Context, r slog.Record) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	line := strings.Builder{}
	line.WriteString(r.Message)
	losses := false
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "lost":
			n.lost += a.Value.Uint64()
			losses = true
		case "damaged":
			n.damaged += a.Value.Uint64()
		case "stack":
		default:
			line.WriteString("; " + a.Key + ": " + a.Value.String())
		}
		return true
	})
	if !losses && len(n.lines) < maxNotes {
		n.lines = append(n.lines, line.String())
	}
	return nil
}
