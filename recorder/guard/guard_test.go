package guard

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

var errAway = errors.New("the camera is away")

func TestGuard(t *testing.T) {
	log := new(bytes.Buffer)
	var g Guard
	for range 3 {
		err := g.Do(slog.New(slog.NewTextHandler(log, nil)), "a packet", func() error { panic(strings.Repeat("x", 100000)) })
		if err == nil || !strings.HasPrefix(err.Error(), "nvrfs failed on a packet: xxx") || len(err.Error()) > 2*MaxReason {
			t.Fatalf("error is %.1000v", err)
		}
	}
	if n := strings.Count(log.String(), "guard_test.go"); n == 0 || strings.Count(log.String(), "a bug in nvrfs") != 1 || len(log.String()) > 2*MaxStack {
		t.Errorf("want the stack once in the log: %s", log)
	}
	if err := g.Do(nil, "", func() error { return errAway }); !errors.Is(err, errAway) {
		t.Errorf("error is %v", err)
	}
}
