package bench

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func NewLog(b *LogBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// LogBuffer is a log to look into.
type LogBuffer struct {
	Mu sync.Mutex
	B  bytes.Buffer
}

func (l *LogBuffer) Write(p []byte) (int, error) {
	l.Mu.Lock()
	defer l.Mu.Unlock()
	return l.B.Write(p)
}

func (l *LogBuffer) String() string {
	l.Mu.Lock()
	defer l.Mu.Unlock()
	return l.B.String()
}

// Eventually waits for a condition.
func Eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// OpenUnder lists what this process has open below a directory; all, sockets among them, where dir is empty.
func OpenUnder(t *testing.T, dir string) (paths []string) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if path, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil && (dir == "" || strings.HasPrefix(path, dir+"/")) {
			paths = append(paths, path)
		}
	}
	return paths
}
