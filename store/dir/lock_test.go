package dir

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"nvrfs/store"
)

// holdEnv makes this test binary take the lock of a directory and hold it until its input ends.
const holdEnv = "NVRFS_TEST_HOLD_LOCK"

// holdForEnv makes that the lock of a sample directory, for the recorder of a data directory.
const holdForEnv = "NVRFS_TEST_HOLD_FOR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		take := LockDir
		if data := os.Getenv(holdForEnv); data != "" {
			take = func(dir string) (*Lock, error) { return LockSamples(dir, data) }
		}
		lock, err := take(dir)
		fmt.Println(err)
		bufio.NewReader(os.Stdin).ReadByte() //nolint:errcheck // its end is what is waited for
		_ = lock
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// holder starts another process that holds the lock of dir, or fails to.
func holder(t *testing.T, dir string) (process *os.Process, said string, kill func()) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), holdEnv+"="+dir)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return c.Process, strings.TrimSpace(line), func() {
		in.Close()
		c.Process.Kill() //nolint:errcheck // it may have ended
		c.Wait()         //nolint:errcheck // killed
	}
}

func TestLockKeepsOthersAway(t *testing.T) {
	dir := t.TempDir()
	if err := CheckUnlocked(dir); err != nil {
		t.Error(err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("CheckUnlocked made %v, %v", files, err)
	}
	other, said, kill := holder(t, dir)
	defer kill()
	if said != "<nil>" {
		t.Fatal(said)
	}
	for name, f := range map[string]func() error{
		"LockDir":       func() error { _, err := LockDir(dir); return err },
		"CheckUnlocked": func() error { return CheckUnlocked(dir) },
	} {
		if err := f(); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("(process %d)", other.Pid)) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error is %v, want one of process %d", name, err, other.Pid)
		}
	}
	kill() // however a process ends, its lock does
	lock, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "lock")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
	_, said, kill2 := holder(t, dir)
	kill2()
	if !strings.Contains(said, fmt.Sprintf("(process %d)", os.Getpid())) {
		t.Errorf("another process is told %q", said)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
	if err := CheckUnlocked(dir); err != nil {
		t.Error(err)
	}
}

// TestCheckUnlockedIsInNobodysWay takes the lock while others look for it all the time.
func TestCheckUnlockedIsInNobodysWay(t *testing.T) {
	dir, done := t.TempDir(), make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					if err := CheckUnlocked(dir); err != nil && !errors.Is(err, store.ErrLocked) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for range 200 {
		lock, err := LockDir(dir)
		if err != nil {
			t.Error(err)
			break
		}
		if err := CheckUnlocked(dir); !errors.Is(err, store.ErrLocked) {
			t.Errorf("error is %v while it is locked", err)
		}
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
}

// TestLockOfSamples keeps another process away from a sample directory, and tells whose it is. Readers are not kept away.
func TestLockOfSamples(t *testing.T) {
	d := attach(t, filepath.Join(t.TempDir(), "samples"))
	t.Setenv(holdForEnv, "/srv/first")
	other, said, kill := holder(t, d.path)
	defer kill()
	if said != "<nil>" {
		t.Fatal(said)
	}
	_, err := LockSamples(d.path, "/srv/second")
	for _, want := range []string{d.path, fmt.Sprintf("process %d of host", other.Pid), "data directory /srv/first"} {
		if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %s", err, want)
		}
	}
	if _, err := Open(d.path, "database"); err != nil && !errors.Is(err, store.ErrForeign) {
		t.Errorf("a reader is kept away: %v", err)
	}
	if streams, err := d.Streams(); err != nil || len(streams) != 0 {
		t.Errorf("streams %q, %v", streams, err)
	}
	kill()
	lock, err := LockSamples(d.path, "/srv/second")
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

// TestLockOfSamplesIsShared takes the lock of one directory by two paths: for one data directory it is one, and ends with the last.
func TestLockOfSamplesIsShared(t *testing.T) {
	d := attach(t, filepath.Join(t.TempDir(), "samples"))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(d.path, link); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var taken []*Lock
	for i := range 8 {
		wg.Go(func() {
			lock, err := LockSamples([]string{d.path, link}[i%2], "/srv/first")
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			taken = append(taken, lock)
		})
	}
	wg.Wait()
	for _, lock := range taken {
		if _, err := LockSamples(link, "/srv/second"); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "data directory /srv/first") {
			t.Errorf("error is %v", err)
		}
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	}
	lock, err := LockSamples(link, "/srv/second")
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}
