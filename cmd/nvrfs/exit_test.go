package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"nvrfs/config"
)

func TestExitCode(t *testing.T) {
	alive := t.Context()
	cancelled, cancel := context.WithCancel(alive)
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"success", alive, nil, 0},
		{"a service that was stopped", cancelled, nil, 0},
		{"failure", alive, errors.New("disk failed"), 1},
		{"usage", alive, usageErrorf("no such flag"), 2},
		{"wrapped usage", alive, fmt.Errorf("export: %w", usageErrorf("bad time")), 2},
		{"configuration", alive, &config.Error{File: "f", Err: errors.New("bad")}, 2},
		{"environment", alive, &environmentError{"a", "b", "c"}, 2},
		{"joined", alive, errors.Join(errors.New("x"), &environmentError{"a", "b", "c"}), 2},
		{"interrupted", cancelled, fmt.Errorf("export: %w", context.Canceled), 130},
		{"failure while interrupted", cancelled, errors.New("disk failed"), 1},
		{"cancelled by itself", alive, context.Canceled, 1},
	}
	for _, tt := range tests {
		if got := exitCode(tt.ctx, tt.err); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
