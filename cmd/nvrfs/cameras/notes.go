package cameras

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"nvrfs/recorder/survey"
)

// maxNotes is how many lines of a log are kept.
const maxNotes = 20

// notes is a slog.Handler that keeps what a source says, for a report, in place of logging it.
type notes struct {
	mu            sync.Mutex
	lines         []string
	leftOut       []survey.LeftOut // tracks that are not recorded
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
	var track survey.LeftOut
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "lost":
			n.lost += a.Value.Uint64()
			losses = true
		case "damaged":
			n.damaged += a.Value.Uint64()
		case "codec":
			track.Codec = a.Value.String()
		case "reason":
			track.Reason = a.Value.String()
			line.WriteString(": " + track.Reason)
		case "stack":
		default:
			line.WriteString("; " + a.Key + ": " + a.Value.String())
		}
		return true
	})
	switch {
	case losses || len(n.lines)+len(n.leftOut) >= maxNotes:
	case track.Codec != "":
		n.leftOut = append(n.leftOut, track)
	default:
		n.lines = append(n.lines, line.String())
	}
	return nil
}
