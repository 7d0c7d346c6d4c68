package fs

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

// readerNames names the processes that requests come from, for the log. It remembers names for a moment, because to ask for one takes
// as long as opening an entry does, and a program that opens many has one name.
type readerNames struct {
	mu    sync.Mutex
	known map[uint32]readerName // by thread
}

type readerName struct {
	name string
	at   time.Time // when it was asked for
}

const (
	readerNameFor   = time.Second // a thread's number is soon another's
	mostReaderNames = 100
)

// of names the process that a thread belongs to, and its program. pid is what the kernel says: of a thread.
func (r *readerNames) of(pid uint32) string {
	if pid == 0 { // the kernel itself, or a process outside of ours and those below
		return "unknown"
	}
	now := time.Now()
	r.mu.Lock()
	x, ok := r.known[pid]
	r.mu.Unlock()
	if ok && now.Sub(x.at) < readerNameFor {
		return x.name
	}
	x = readerName{processName(strconv.Itoa(int(pid))), now}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= mostReaderNames || r.known == nil {
		r.known = map[uint32]readerName{}
	}
	r.known[pid] = x
	return x.name
}

// processName asks for the process of a thread, and for its program.
func processName(thread string) string {
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
