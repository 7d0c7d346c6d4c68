package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is by how much every deadline below is longer than what the tests say, which is what an idle machine needs and more.
// Conditions are waited for, so it costs time only where a test fails.
const patience = 10

// The deadlines of processes.
const (
	stopDeadline = 20 * time.Second // to end after a signal
	runDeadline  = 90 * time.Second // of a command that ends by itself
)

// nvrfs is the command line of the program under test. Its local time is UTC. The race detector lets it end at once, where
// otherwise it would wait a second for races that are still to come.
func nvrfs(args ...string) *exec.Cmd {
	cmd := command(binary, args...)
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0")
	return cmd
}

func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	return cmd
}

// asNobody has a command run as a user without rights.
func asNobody(cmd *exec.Cmd) *exec.Cmd {
	return prefixed(cmd, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--pdeathsig=KILL", "--")
}

// afterMounting has a command run in a mount namespace of its own, in which a shell script has run before.
func afterMounting(script string, cmd *exec.Cmd) *exec.Cmd {
	return prefixed(cmd, "unshare", "--mount", "--propagation", "private", "sh", "-ec", script+"\n"+`exec "$@"`, "sh")
}

func prefixed(cmd *exec.Cmd, prefix ...string) *exec.Cmd {
	out := exec.Command(prefix[0], append(prefix[1:], cmd.Args...)...)
	out.Env, out.Dir, out.Stdin, out.Stdout = cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout
	return out
}

// A process is a child that runs.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr output
	exited         chan struct{} // closed when it has
	err            error         // of Wait, behind exited
	done           bool          // its end was looked at
}

// launch starts a process in a process group of its own.
func launch(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, exited: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.stdout
	}
	cmd.Stderr = &p.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second // where a child of it has kept the pipes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p
}

// start starts a service: a process that goes on until it is told to stop. If the test has not stopped it, its end does.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := launch(t, cmd)
	t.Cleanup(func() {
		p.stop(t, syscall.SIGTERM)
		if t.Failed() {
			t.Logf("%s\nstdout: %s\nstderr: %s", p, &p.stdout, &p.stderr)
		}
	})
	return p
}

func (p *process) String() string { return strings.Join(p.cmd.Args, " ") }

// over reports whether the process has ended.
func (p *process) over() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// stop tells a service to stop, and checks that it does as it should: exit code 0, no data race, nothing left of it. A
// service that was stopped before is left alone.
func (p *process) stop(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if p.done {
		return
	}
	if p.over() {
		t.Errorf("%s ended by itself: %v\n%s", p, p.err, &p.stderr)
	}
	_ = p.cmd.Process.Signal(sig) // it may have ended
	p.await(t, stopDeadline)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("%s: %v after %v, want exit code 0\n%s", p, p.cmd.ProcessState, sig, &p.stderr)
	}
}

// kill ends a process without giving it a chance.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.await(t, stopDeadline)
}

// await waits until the process has ended, and checks that nothing is left of it and no data race was seen.
func (p *process) await(t *testing.T, deadline time.Duration) {
	t.Helper()
	p.done = true
	deadline *= patience
	select {
	case <-p.exited:
	case <-time.After(deadline):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // Go programs tell where they hang
		select {
		case <-p.exited:
		case <-time.After(2 * time.Second):
		}
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.exited
		t.Fatalf("%s did not end within %v\n%s", p, deadline, &p.stderr)
	}
	if strings.Contains(p.stderr.String(), "DATA RACE") {
		t.Errorf("%s: data race\n%s", p, &p.stderr)
	}
	gone := func() bool { return errors.Is(syscall.Kill(-p.cmd.Process.Pid, 0), syscall.ESRCH) }
	if !within(2*time.Second, gone) { // those that only have to be reaped yet are not left
		t.Errorf("%s has left processes behind", p)
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// A result is what is left of a command that ended by itself.
type result struct {
	cmd            string
	stdout, stderr string
	code           int
}

func (r result) String() string {
	return fmt.Sprintf("%s: exit code %d\nstdout: %s\nstderr: %s", r.cmd, r.code, r.stdout, r.stderr)
}

// run runs a command to its end, whatever that is.
func run(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	p := launch(t, cmd)
	p.await(t, runDeadline)
	return result{p.String(), p.stdout.String(), p.stderr.String(), p.cmd.ProcessState.ExitCode()}
}

// mustRun runs a command that must succeed, and returns its standard output.
func mustRun(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	r := run(t, cmd)
	if r.code != 0 {
		t.Fatal(r)
	}
	return r.stdout
}

// guessed is what ffmpeg says of any sound whose format has no place for its layout of channels, as G.711.
var guessed = regexp.MustCompile(`(?m)^Guessed Channel Layout for Input Stream .*\n`)

// silently runs a tool that must succeed and have nothing to say on standard error, and returns its standard output.
func silently(t *testing.T, name string, args ...string) string {
	t.Helper()
	r := run(t, command(name, args...))
	r.stderr = guessed.ReplaceAllString(r.stderr, "")
	if r.code != 0 || r.stderr != "" {
		r.stdout = "..."
		t.Error(r)
	}
	return r.stdout
}

// output takes what a process writes, while others read it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

var _ io.Writer = (*output)(nil)

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// waitFor polls until a condition holds, and fails the test when it does not within a deadline.
func waitFor(t *testing.T, deadline time.Duration, what string, holds func() bool) {
	t.Helper()
	if !within(deadline, holds) {
		t.Fatalf("waited %v in vain for: %s", patience*deadline, what)
	}
}

func within(deadline time.Duration, holds func() bool) bool {
	end := time.Now().Add(patience * deadline)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		if holds() {
			tick.Stop()
			return true
		}
		if time.Now().After(end) {
			tick.Stop()
			return false
		}
	}
}

// says waits until a service has logged something.
func (p *process) says(t *testing.T, deadline time.Duration, text string) {
	t.Helper()
	found := within(deadline, func() bool {
		return p.over() || strings.Contains(p.stderr.String(), text)
	})
	if !found || !strings.Contains(p.stderr.String(), text) {
		t.Fatalf("%s did not say %q within %v, but:\n%s", p, text, patience*deadline, &p.stderr)
	}
}
