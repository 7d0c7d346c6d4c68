package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/redact"
)

// logOptions are the global flags of logging.
type logOptions struct {
	format choice
	level  choice
}

func (o *logOptions) addFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	o.format.value, o.level.value = "auto", "info"
	addChoice(root, flags, &o.format, "log-format", "format of logs; auto: text on a terminal, else json",
		"auto", "text", "json")
	addChoice(root, flags, &o.level, "log-level", "least important level to log", "debug", "info", "warn", "error")
}

func (o *logOptions) newLogger(w io.Writer, terminal bool) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.level.value)); err != nil {
		panic(err) // the flag takes nothing else
	}
	if o.format.value == "text" || o.format.value == "auto" && terminal {
		return slog.New(newTextHandler(w, level))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: redactAttr}))
}

// A textHandler writes lines for people: "15:04:05 INFO  message key=value". The attributes are formatted by a
// slog.TextHandler, which writes into line.
type textHandler struct {
	attrs slog.Handler
	out   *textOutput
}

type textOutput struct {
	mu   sync.Mutex
	w    io.Writer
	line bytes.Buffer
}

func newTextHandler(w io.Writer, level slog.Leveler) *textHandler {
	out := &textOutput{w: w}
	return &textHandler{out: out, attrs: slog.NewTextHandler(&out.line, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
			if len(groups) == 0 && isHeader(attr) {
				return slog.Attr{}
			}
			return redactAttr(groups, attr)
		},
	})}
}

// isHeader tells the level and the message, which Handle has written already, from attributes of the same name.
func isHeader(attr slog.Attr) bool {
	_, isLevel := attr.Value.Any().(slog.Level)
	return attr.Key == slog.LevelKey && isLevel || attr.Equal(slog.String(slog.MessageKey, ""))
}

func (h *textHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.attrs.Enabled(ctx, level)
}

func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &textHandler{attrs: h.attrs.WithAttrs(attrs), out: h.out}
}

func (h *textHandler) WithGroup(name string) slog.Handler {
	return &textHandler{attrs: h.attrs.WithGroup(name), out: h.out}
}

func (h *textHandler) Handle(ctx context.Context, record slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.line.Reset()
	fmt.Fprintf(&h.out.line, "%s %-5s %s ", record.Time.Format(time.TimeOnly), record.Level, redact.Text(record.Message))

	headless := slog.NewRecord(time.Time{}, record.Level, "", 0) // a zero time is left out
	record.Attrs(func(attr slog.Attr) bool {
		headless.AddAttrs(attr)
		return true
	})
	if err := h.attrs.Handle(ctx, headless); err != nil {
		return err
	}
	_, err := fmt.Fprintf(h.out.w, "%s\n", bytes.TrimRight(h.out.line.Bytes(), " \n"))
	return err
}

// redactAttr takes the passwords of URLs out of attributes, should one have been logged that is no config.URL.
func redactAttr(_ []string, attr slog.Attr) slog.Attr {
	switch attr.Value.Kind() {
	case slog.KindString, slog.KindAny:
		shown := attr.Value.String()
		if safe := redact.Text(shown); safe != shown {
			attr.Value = slog.StringValue(safe)
		}
	}
	return attr
}
