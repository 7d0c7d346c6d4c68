package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/integration/footage"
	"nvrfs/playback"
)

// Environment variables that tell the test binary what it is run for.
const (
	inNamespace = "NVRFS_TEST_IN_NAMESPACE" // it has a mount namespace of its own
	mountFor    = "NVRFS_TEST_MOUNT"        // it is a server, and nothing else: data directory:mount point
)

// TestMain runs the tests in a mount namespace of their own, so that no other process ever sees, or holds, their mounts.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(mountFor) != "":
		serveOnly()
	case cannotMount() == "" && os.Getenv(inNamespace) == "":
		os.Exit(runInNamespace())
	}
	os.Exit(m.Run())
}

// cannotMount says why the tests that mount are skipped.
func cannotMount() string {
	if os.Geteuid() != 0 {
		return "only root can make a mount namespace"
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return err.Error()
	}
	return ""
}

func runInNamespace() (exitCode int) {
	runtime.LockOSThread() // Pdeathsig is about the thread
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	var exit *exec.ExitError
	switch err := cmd.Run(); {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		fmt.Fprintln(os.Stderr, "run the tests in a mount namespace:", err)
		return 1
	}
	return 0
}

// testDeadline is when a test that mounts is taken to hang.
const testDeadline = 2 * time.Minute

// watch ends the connection to the kernel when a test hangs, since a process that waits for itself cannot even be killed.
func watch(t *testing.T, mnt string) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(mnt, &st); err != nil {
		t.Fatal(err)
	}
	unix.Mount("none", "/sys/fs/fuse/connections", "fusectl", 0, "") //nolint:errcheck // it may be mounted
	abort := fmt.Sprintf("/sys/fs/fuse/connections/%d/abort", unix.Minor(st.Dev))
	timer := time.AfterFunc(testDeadline, func() {
		os.WriteFile(abort, []byte("1"), 0) //nolint:errcheck // the panic says it all
		panic(t.Name() + " hangs")
	})
	t.Cleanup(func() { timer.Stop() })
}

// logBuffer is a log that tests can look into.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A fixture is a mounted data directory.
type fixture struct {
	data, mnt string
	view      *playback.View
	s         *Server
	log       *logBuffer
}

type fixtureOptions struct {
	Options
	location *time.Location // nil means UTC
	version  string
	sees     func(playback.Stream) bool // nil means all streams
	still    bool                       // the library does not look for new footage
	cameras  []footage.Camera
}

func newFixture(t *testing.T, o fixtureOptions) *fixture {
	t.Helper()
	if why := cannotMount(); why != "" {
		t.Skip(why)
	}
	f := &fixture{data: t.TempDir(), mnt: t.TempDir(), log: &logBuffer{}}
	if err := footage.Make(t.Context(), f.data, o.cameras...); err != nil {
		t.Fatal(err)
	}
	if o.location == nil {
		o.location = time.UTC
	}
	o.Log = slog.New(slog.NewTextHandler(f.log, nil))
	lib, err := playback.Open(t.Context(), playback.Options{Data: f.data, Location: o.location, Poll: 20 * time.Millisecond, Version: o.version, Log: o.Log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lib.Close() })
	if !o.still {
		runLibrary(t, lib)
	}
	f.view = lib.View(o.sees)
	if f.s, err = Mount(t.Context(), f.view, f.mnt, o.Options); err != nil {
		t.Fatal(err)
	}
	watch(t, f.mnt)
	t.Cleanup(func() {
		if err := f.s.Unmount(10 * time.Second); err != nil {
			t.Error(err)
		}
	})
	return f
}

func runLibrary(t *testing.T, l *playback.Library) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func (f *fixture) path(names ...string) string {
	return filepath.Join(append([]string{f.mnt}, names...)...)
}

// names lists a directory as a program does, in the order in which it comes.
func (f *fixture) names(t *testing.T, dir ...string) (names []string) {
	t.Helper()
	d, err := os.Open(f.path(dir...))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	names, err = d.Readdirnames(-1)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func (f *fixture) read(t *testing.T, names ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(f.path(names...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// entries lists the entries of an hour that starts with t, as the library has them.
func (f *fixture) entries(t *testing.T, stream, day, hour string) []*playback.Entry {
	t.Helper()
	s, err := f.view.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.view.Day(t.Context(), s, day)
	if err != nil {
		t.Fatal(err)
	}
	h, err := f.view.Hour(t.Context(), s, d, hour)
	if err != nil {
		t.Fatal(err)
	}
	e, err := f.view.Entries(t.Context(), s, h)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// content reads an entry through the library.
func (f *fixture) content(t *testing.T, e *playback.Entry) []byte {
	t.Helper()
	file, err := f.view.Open(t.Context(), e, "test")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// eventually waits until ok says so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never: %s", what)
		}
	}
}
