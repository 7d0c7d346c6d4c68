package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"testing/slogtest"
	"time"
)

func TestTextLog(t *testing.T) {
	at := time.Date(2026, 11, 20, 14, 3, 10, 5e8, time.UTC)
	tests := []struct {
		name    string
		with    func(slog.Handler) slog.Handler
		level   slog.Level
		message string
		attrs   []any
		want    string
	}{
		{name: "plain", message: "started", want: "14:03:10 INFO  started\n"},
		{name: "level", level: slog.LevelError, message: "failed", want: "14:03:10 ERROR failed\n"},
		{
			name: "attributes", level: slog.LevelWarn, message: "slow disk", attrs: []any{"camera", "door", "delay", 1500 * time.Millisecond, "why", "a b"},
			want: "14:03:10 WARN  slow disk camera=door delay=1.5s why=\"a b\"\n",
		},
		{
			name: "with", message: "m", attrs: []any{"b", 2},
			with: func(h slog.Handler) slog.Handler { return h.WithAttrs([]slog.Attr{slog.Int("a", 1)}).WithGroup("g") },
			want: "14:03:10 INFO  m a=1 g.b=2\n",
		},
		{
			name: "attributes named as the header", message: "m", attrs: []any{"level", "high", "msg", "x", "time", "late"},
			want: "14:03:10 INFO  m level=high msg=x time=late\n",
		},
		{
			name: "passwords", message: "dial rtsp://u:p1@h", want: "14:03:10 INFO  dial rtsp://u:xxxxx@h " +
				"text=rtsp://u:xxxxx@h error=\"get rtsp://u:xxxxx@h: no\" url=rtsp://u:xxxxx@h list=[rtsp://u:xxxxx@h] g.in=rtsp://u:xxxxx@h\n",
			attrs: []any{
				"text", "rtsp://u:p2@h", "error", errors.New("get rtsp://u:p3@h: no"),
				"url", &url.URL{Scheme: "rtsp", User: url.UserPassword("u", "p4"), Host: "h"},
				"list",
				[]string{"rtsp://u:p5@h"},
				slog.Group("g", "in", "rtsp://u:p6@h"),
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			var handler slog.Handler = newTextHandler(&out, slog.LevelInfo)
			if tt.with != nil {
				handler = tt.with(handler)
			}
			record := slog.NewRecord(at, tt.level, tt.message, 0)
			record.Add(tt.attrs...)
			if err := handler.Handle(context.Background(), record); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("\n got %swant %s", &out, tt.want)
			}
		})
	}
}

// The lines of testing/slogtest, parsed back: what it asks of any handler.
func TestTextHandlerIsAHandler(t *testing.T) {
	var out *bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out = &bytes.Buffer{}
		return newTextHandler(out, slog.LevelInfo)
	}, func(t *testing.T) map[string]any {
		fields := strings.Fields(out.String())
		line := map[string]any{slog.LevelKey: fields[1], slog.MessageKey: fields[2]}
		if fields[0] != "00:00:00" { // slogtest wants a zero time left out; nvrfs logs none
			line[slog.TimeKey] = fields[0]
		}
		for _, field := range fields[3:] {
			path, value, _ := strings.Cut(field, "=")
			within := line
			keys := strings.Split(path, ".")
			for _, key := range keys[:len(keys)-1] {
				if within[key] == nil {
					within[key] = map[string]any{}
				}
				within = within[key].(map[string]any)
			}
			within[keys[len(keys)-1]] = value
		}
		return line
	})
}

func TestLogFormat(t *testing.T) {
	tests := []struct {
		format   string
		terminal bool
		json     bool
	}{
		{"auto", true, false},
		{"auto", false, true},
		{"text", false, false},
		{"json", true, true},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		options := logOptions{format: choice{value: tt.format}, level: choice{value: "warn"}}
		log := options.newLogger(&out, tt.terminal)
		log.Info("not this")
		log.Warn("dial", "url", "rtsp://u:p@h")
		if got := json.Valid(out.Bytes()); got != tt.json {
			t.Errorf("%s, terminal %t: JSON %t, want %t: %s", tt.format, tt.terminal, got, tt.json, &out)
		}
		if !strings.Contains(out.String(), "rtsp://u:xxxxx@h") || strings.Contains(out.String(), "not this") {
			t.Errorf("%s: %s", tt.format, &out)
		}
	}
}
