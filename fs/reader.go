package fs

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// reader names the process that a request comes from, and its program, for the log.
func reader(pid uint32) string {
	if pid == 0 { // the kernel itself, or a process outside of ours and those below
		return "unknown"
	}
	thread := strconv.Itoa(int(pid)) // which is what the kernel says
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
