package fs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// reader names the process that a request comes from, and its program, for the log.
func reader(ctx context.Context) string {
	c, ok := fuse.FromContext(ctx)
	if !ok {
		return "unknown"
	}
	thread := strconv.Itoa(int(c.Pid)) // which is what the kernel says
	status, _ := os.ReadFile("/proc/" + thread + "/status")
	process, program := field(status, "Tgid:"), field(status, "Name:")
	if process != "" && process != thread { // threads have names of their own
		status, _ = os.ReadFile("/proc/" + process + "/status")
		program = field(status, "Name:")
	}
	if process == "" || program == "" {
		return "process " + thread
	}
	return fmt.Sprintf("process %s (%s)", process, program)
}

// field returns a field of a status file of proc(5).
func field(status []byte, name string) string {
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte(name)); ok {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}
