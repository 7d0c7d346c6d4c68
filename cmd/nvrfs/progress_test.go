package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestProgressOnATerminal(t *testing.T) {
	tests := []struct {
		name string
		make func(*environment) *progress
		want string
	}{
		{"bytes", func(env *environment) *progress { return env.newByteProgress("export", 2<<20) }, "(1.0/2.0 MiB"},
		{"count", func(env *environment) *progress { return env.newCountProgress("check", 2<<20) }, "(1048576/2097152"},
		{"unknown total", func(env *environment) *progress { return env.newByteProgress("export", -7) }, "1.0 MiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			bar := tt.make(&environment{stderr: &out, stderrTerminal: true})
			if n, err := bar.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			if !strings.Contains(out.String(), tt.want) {
				t.Errorf("drew %q, want %q in it", out.String(), tt.want)
			}
			const cleared = "\033[2K\r"
			for _, f := range []func(){bar.Hide, bar.Close} {
				if f(); !strings.HasSuffix(out.String(), cleared) {
					t.Errorf("drew %q, want a cleared line at the end", out.String())
				}
			}
			before := out.Len()
			bar.Add(1)
			if out.Len() != before {
				t.Error("draws after Close")
			}
		})
	}
}

func TestProgressIsSilentElsewhere(t *testing.T) {
	var out bytes.Buffer
	bar := (&environment{stderr: &out}).newByteProgress("export", 100)
	bar.Add(50)
	if n, err := bar.Write(make([]byte, 50)); n != 50 || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
	bar.Close()
	if out.Len() > 0 {
		t.Errorf("drew %q", out.String())
	}
}
