package bench_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Programs that are measured, or measured against.
const (
	nvrfs   = "nvrfs/cmd/nvrfs"
	peer    = "nvrfs/bench/peer"
	cameras = "nvrfs/bench/cameras"
)

// programs are those that were built, by package.
var programs struct {
	sync.Mutex
	built map[string]string
	dir   string
}

// TestMain removes what was built.
func TestMain(m *testing.M) {
	code := m.Run()
	if programs.dir != "" {
		os.RemoveAll(programs.dir) //nolint:errcheck // a temporary directory
	}
	os.Exit(code)
}

// program builds a package of ours, once, and returns the path of the binary. NVRFS_BENCH_BINARY is an nvrfs to be measured
// in place of this source's.
func program(b *testing.B, pkg string) string {
	b.Helper()
	if other := os.Getenv("NVRFS_BENCH_BINARY"); pkg == nvrfs && other != "" {
		return other
	}
	p := &programs
	p.Lock()
	defer p.Unlock()
	if path, ok := p.built[pkg]; ok {
		return path
	}
	if p.dir == "" {
		dir, err := os.MkdirTemp("", "nvrfs-bench-")
		if err != nil {
			b.Fatal(err)
		}
		p.dir, p.built = dir, map[string]string{}
	}
	path := filepath.Join(p.dir, filepath.Base(pkg))
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", path, pkg).CombinedOutput(); err != nil {
		b.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	p.built[pkg] = path
	return path
}

// log is what a process has written to stderr.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// server is a process that has something mounted.
type server struct {
	mnt  string
	took time.Duration // from the start of the process to the first listing
	cmd  *exec.Cmd
	log  log
	end  func() // as often as one likes

	exited chan struct{} // closed when the process has
	err    error         // of how it did, behind exited
}

// mount starts a program, with the mount point as its last argument, and waits until it says that it has mounted and answers.
// It ends with the benchmark, if not before.
func mount(b *testing.B, pkg string, args ...string) *server {
	b.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		b.Skip(err)
	}
	s := &server{mnt: b.TempDir()}
	s.cmd = exec.Command(program(b, pkg), append(args, s.mnt)...)
	s.cmd.Stderr = &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := time.Now()
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	s.exited = make(chan struct{})
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	s.end = sync.OnceFunc(func() { s.unmount(b) })
	b.Cleanup(s.end)
	for deadline := start.Add(30 * time.Second); s.took == 0 || !strings.Contains(s.log.text(), "mounted"); {
		if names, err := os.ReadDir(s.mnt); s.took == 0 && err == nil && len(names) > 0 {
			s.took = time.Since(start)
		}
		select {
		case <-s.exited:
			b.Fatalf("%s ended: %v: %s", s.cmd, s.err, s.log.text())
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s does not answer: %s", s.cmd, s.log.text())
		}
	}
	return s
}

// show mounts the footage of a data directory, in the cameras' time zone.
func show(b *testing.B, data string) *server {
	b.Helper()
	return mount(b, nvrfs, "mount", "--timezone", zone, "--data", data)
}

func (s *server) unmount(b *testing.B) {
	_ = s.cmd.Process.Signal(unix.SIGTERM) // it may have ended
	select {
	case <-s.exited:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill() // it may just have ended
		<-s.exited
	}
	if s.err != nil {
		b.Errorf("%s: %v: %s", s.cmd, s.err, s.log.text())
		if unix.Unmount(s.mnt, unix.MNT_DETACH) != nil {
			_ = exec.Command("fusermount3", "-uz", s.mnt).Run() // it may not be mounted any more
		}
	}
}

// pid is that of the process; 0 where there is no server.
func (s *server) pid() int {
	if s == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// cpu is the time for which the threads of a process have run, in the kernel and outside.
func cpu(b *testing.B, pid int) (total time.Duration) {
	b.Helper()
	if pid == 0 {
		return 0
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		b.Fatalf("process %d has %d threads, %v", pid, len(threads), err)
	}
	for _, t := range threads {
		text, err := os.ReadFile(t)
		if err != nil {
			continue // it has ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		total += time.Duration(ns)
	}
	return total
}

// residentMB is the memory that a process holds (proc_pid_statm(5)).
func residentMB(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * float64(os.Getpagesize()) / 1e6
}
