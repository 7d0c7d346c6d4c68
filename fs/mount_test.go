package fs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/integration/footage"
	"nvrfs/playback"
)

const anHour = "cam/2026-11-20/13/cam_2026-11-20_13-58-00.mp4"

func TestUnmountWaitsForOpenFiles(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: oneDay()})
	want := f.read(t, anHour)
	file, err := os.Open(f.path("cam/2026-11-20/14/cam_2026-11-20_14-00-00.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	done := make(chan error, 1)
	go func() { done <- f.s.Unmount(30 * time.Second) }()
	eventually(t, "nothing is mounted", func() bool { return !mounted(f.mnt) })
	if _, err := os.Stat(f.path("cam")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mount is still there: %v", err)
	}
	if b, err := io.ReadAll(file); err != nil || len(b) == 0 {
		t.Errorf("the open file: %d bytes, %v", len(b), err)
	}
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	file.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-f.s.Done()
	if len(want) == 0 {
		t.Error("nothing was read before")
	}
}

func TestUnmountGivesUp(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: oneDay()})
	file, err := os.Open(f.path(anHour))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	began := time.Now()
	if err := f.s.Unmount(200 * time.Millisecond); !errors.Is(err, ErrInUse) {
		t.Errorf("%v, want %v", err, ErrInUse)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := file.Read(make([]byte, 100)); !errors.Is(err, unix.ENOTCONN) {
		t.Errorf("a read after that: %v, want ENOTCONN", err)
	}
	file.Close()
	if err := f.s.Unmount(10 * time.Second); err != nil {
		t.Error(err)
	}
}

func TestUnmountedFromOutside(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: oneDay()})
	if err := unix.Unmount(f.mnt, 0); err != nil {
		t.Fatal(err)
	}
	select {
	case <-f.s.Done():
	case <-time.After(10 * time.Second):
		t.Error("it did not notice")
	}
}

func TestMountRefuses(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: oneDay()})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		f.mnt:                           "mounted there already",
		file:                            "not a directory",
		filepath.Join(t.TempDir(), "x"): "no such file or directory",
	} {
		s, err := Mount(t.Context(), f.view, path, Options{Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			s.Unmount(time.Second)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestReadAhead(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: oneDay()})
	var st unix.Stat_t
	if err := unix.Stat(f.mnt, &st); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev)))
	if err != nil {
		t.Skip(err)
	}
	if strings.TrimSpace(string(got)) != fmt.Sprint(readAheadKB) {
		t.Errorf("read-ahead is %s", got)
	}
}

// server is a process of its own that mounts.
type server struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bytes.Buffer
}

// startServer runs the test binary as a server, and returns when it has mounted.
func startServer(t *testing.T, data, mnt string, user *syscall.Credential) *server {
	t.Helper()
	s := &server{cmd: exec.Command("/proc/self/exe"), out: &bytes.Buffer{}}
	s.cmd.Env = append(os.Environ(), mountFor+"="+data+":"+mnt)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	s.cmd.Stderr = s.out
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		unix.Unmount(mnt, unix.MNT_DETACH)
	})
	watchdog := time.AfterFunc(30*time.Second, func() { s.cmd.Process.Kill() })
	defer watchdog.Stop()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		t.Fatalf("the server says %q, %v: %s", line, err, s.out)
	}
	return s
}

// serveOnly mounts, says so, and unmounts when its standard input ends.
func serveOnly() {
	err := func() error {
		data, mnt, _ := strings.Cut(os.Getenv(mountFor), ":")
		ctx := context.Background()
		log := slog.New(slog.NewTextHandler(os.Stderr, nil))
		lib, err := playback.Open(ctx, playback.Options{Data: data, Location: time.UTC, Log: log})
		if err != nil {
			return err
		}
		defer lib.Close()
		s, err := Mount(ctx, lib.View(nil), mnt, Options{Log: log})
		if err != nil {
			return err
		}
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // any end will do
		return s.Unmount(10 * time.Second)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// TestDeadMount detaches the mount of a server that was killed, and mounts there.
func TestDeadMount(t *testing.T) {
	if why := cannotMount(); why != "" {
		t.Skip(why)
	}
	data, mnt := t.TempDir(), t.TempDir()
	if err := footage.Make(t.Context(), data, oneDay()...); err != nil {
		t.Fatal(err)
	}
	dead := startServer(t, data, mnt, nil)
	dead.cmd.Process.Kill()
	dead.cmd.Wait()
	if err := unix.Statfs(mnt, &unix.Statfs_t{}); !errors.Is(err, unix.ENOTCONN) {
		t.Fatalf("the mount of a dead server: %v", err)
	}
	if err := Detach(mnt); err != nil {
		t.Fatal(err)
	}
	next := startServer(t, data, mnt, nil)
	if b, err := os.ReadFile(filepath.Join(mnt, anHour)); err != nil || len(b) == 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	next.stdin.Close()
	if err := next.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, next.out)
	}
	if mounted(mnt) {
		t.Error("it is still mounted")
	}
}

// TestOrdinaryUser mounts through fusermount3.
func TestOrdinaryUser(t *testing.T) {
	if why := cannotMount(); why != "" {
		t.Skip(why)
	}
	if _, err := exec.LookPath("fusermount3"); err != nil {
		t.Skip(err)
	}
	const nobody = 65534
	openFuseDevice(t)
	data, mnt := t.TempDir(), t.TempDir()
	if err := footage.Make(t.Context(), data, oneDay()...); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{data, mnt} {
		err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			return errors.Join(err, os.Chown(path, nobody, nobody))
		})
		if err = errors.Join(err, os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	user := &syscall.Credential{Uid: nobody, Gid: nobody}
	s := startServer(t, data, mnt, user)
	read := exec.CommandContext(t.Context(), "cat", filepath.Join(mnt, anHour)) // root is not let in
	read.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	if b, err := read.Output(); err != nil || len(b) == 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	s.stdin.Close()
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, s.out)
	}
	if mounted(mnt) {
		t.Error("it is still mounted")
	}
}

// openFuseDevice lets everyone use /dev/fuse, in our mount namespace only.
func openFuseDevice(t *testing.T) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat("/dev/fuse", &st); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	node := filepath.Join(dir, "fuse")
	err := errors.Join(unix.Mknod(node, unix.S_IFCHR|0o666, int(st.Rdev)), os.Chmod(node, 0o666))
	if err = errors.Join(err, unix.Mount(node, "/dev/fuse", "", unix.MS_BIND, "")); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { unix.Unmount("/dev/fuse", unix.MNT_DETACH) })
}
