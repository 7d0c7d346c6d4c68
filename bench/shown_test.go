package bench_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shown is a data directory that a process of its own has mounted.
type shown struct {
	data, mnt string
	cmd       *exec.Cmd
	took      time.Duration // from the start of the process to the first listing
}

// dataVariable names a directory of archives by its value.
const dataVariable = "NVRFS_BENCH_DATA"

// archives returns the directory of a set: below that of dataVariable, where what is missing is made of rows alone, or a
// small one that is made for this run.
func archives(b *testing.B, set string, full, small []archive) string {
	b.Helper()
	all := os.Getenv(dataVariable)
	if all == "" {
		all, full = b.TempDir(), small
	}
	dir := filepath.Join(all, set)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	half := dir + ".new"
	if err := errors.Join(os.RemoveAll(half), fill(b.Context(), half, full...), os.Rename(half, dir)); err != nil {
		b.Fatal(err)
	}
	return dir
}

var builtOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "nvrfs-bench-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "nvrfs")
	out, err := exec.Command("go", "build", "-trimpath", "-o", path, "nvrfs/cmd/nvrfs").CombinedOutput()
	return path, errors.Join(err, os.WriteFile(filepath.Join(dir, "build.log"), out, 0o600))
})

// show mounts a data directory, and waits until the mount answers.
func show(b *testing.B, data string) *shown {
	b.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		b.Skip(err)
	}
	binary, err := builtOnce()
	if err != nil {
		b.Fatal(err)
	}
	s := &shown{data: data, mnt: b.TempDir()}
	s.cmd = exec.Command(binary, "mount", "--data", data, "--timezone", zone, s.mnt)
	var log bytes.Buffer
	s.cmd.Stderr = &log
	start := time.Now()
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.close(b) })
	for deadline := start.Add(30 * time.Second); ; {
		if names, err := os.ReadDir(s.mnt); err == nil && len(names) > 0 {
			break
		}
		if time.Now().After(deadline) {
			b.Fatalf("it does not answer: %s", log.String())
		}
		time.Sleep(time.Millisecond)
	}
	s.took = time.Since(start)
	return s
}

// close unmounts. It may be called again.
func (s *shown) close(b *testing.B) {
	if s.cmd.ProcessState != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.cmd.Process.Signal(unix.SIGTERM); err != nil {
		b.Error(err)
	}
	stop := context.AfterFunc(ctx, func() { s.cmd.Process.Kill() })
	defer stop()
	if s.cmd.Wait() != nil { // as when it had not quite started
		exec.CommandContext(ctx, "fusermount3", "-uz", s.mnt).Run() //nolint:errcheck // it may be gone
	}
}

// residentMB is the memory that the process holds.
func (s *shown) residentMB(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kb, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1000
		}
	}
	b.Fatal("its memory is not known")
	return 0
}

// copyTree makes a tree of the same names and sizes, of holes, on the filesystem of the temporary directory.
func copyTree(b *testing.B, from string) (to string) {
	b.Helper()
	to = b.TempDir()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(filepath.Join(to, rel), nil, 0o644), os.Truncate(filepath.Join(to, rel), info.Size()))
	})
	if err != nil {
		b.Fatal(err)
	}
	return to
}
