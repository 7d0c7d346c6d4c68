package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
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
		{"configuration", alive, &configError{file: "f", err: errors.New("bad")}, 2},
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

func TestConfigErrorMessage(t *testing.T) {
	tests := []struct {
		err  configError
		want string
	}{
		{configError{file: "a.yaml", line: 3, column: 5, err: errors.New("bad")}, "a.yaml:3:5: bad"},
		{configError{file: "a.yaml", err: errors.New("bad")}, "a.yaml: bad"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}
