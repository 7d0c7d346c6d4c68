package main

import (
	"testing"
	"time"
)

func FuzzTmp(f *testing.F) {
	f.Add("data: /d\nmount: { path: /m, umask: 0027 }\nrecording: { length: 1m }\ncameras:\n  a:\n    url: rtsp://u:${PASSWORD}@h/\n")
	f.Add("data: &a /d\nmount: *a\ncameras: !!map\n  ? [x]\n  : |\n    y\n")
	f.Add("---\n...\n---\n<<: 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		done := make(chan struct{})
		go func() {
			parseYAML("x", []byte(text))
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(2 * time.Second):
			t.Fatalf("hang: %q", text)
		}
	})
}
