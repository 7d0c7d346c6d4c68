package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDemo runs the demo as root, where this is root, and as an ordinary user.
func TestDemo(t *testing.T) {
	needMounts(t)
	needTools(t, "ffprobe")
	t.Run("root", func(t *testing.T) {
		needRoot(t)
		t.Parallel()
		demo(t, func(cmd *exec.Cmd) *exec.Cmd { return cmd })
	})
	t.Run("user", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			demo(t, func(cmd *exec.Cmd) *exec.Cmd { return cmd })
			return
		}
		needNobody(t)
		demo(t, asNobody)
	})
}

// demo runs the demo as a user, twice. Only that user can read what is mounted.
func demo(t *testing.T, as func(*exec.Cmd) *exec.Cmd) {
	home := tempDir(t)
	if err := os.Chmod(home, 0o777); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(home, "demo")
	mnt, data := filepath.Join(dir, "mnt"), filepath.Join(dir, "data")
	// find lists the entries as that user.
	find := func() []string {
		r := run(t, as(command("find", filepath.Join(mnt, "demo"), "-name", "*.mp4")))
		paths := strings.Fields(r.stdout)
		slices.Sort(paths)
		return paths
	}
	recorded := int64(0)                                                   // bytes, by the demo before
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} { // by Ctrl-C, and with its terminal
		p := start(t, as(nvrfs("demo", "--dir", dir)))
		begun := time.Now()
		waitFor(t, 10*time.Second, "an entry that plays", func() bool {
			if p.over() {
				t.Fatalf("%s ended: %s", p, &p.stderr)
			}
			paths := find()
			if len(paths) == 0 || bytesBelow(t, data) <= recorded {
				return false
			}
			r := run(t, as(command("ffprobe", "-v", "warning", "-show_packets", "-of", "compact", paths[len(paths)-1])))
			return r.code == 0 && r.stderr == "" && strings.Contains(r.stdout, "codec_type=audio")
		})
		t.Logf("an entry played after %v", time.Since(begun).Round(100*time.Millisecond))
		if !strings.Contains(p.stdout.String(), "Stop with Ctrl-C") {
			t.Errorf("the demo says: %s", &p.stdout)
		}
		p.stop(t, sig)
		checkDemoStopped(t, dir)
		if r := run(t, as(nvrfs("check", "--config", filepath.Join(dir, "nvrfs.yaml")))); r.code != 0 {
			t.Error(r)
		}
		var all []struct{ First, Last time.Time }
		decode(t, []byte(mustRun(t, as(nvrfs("ls", "--data", data, "--json")))), &all)
		if len(all) != 1 || recorded > 0 && !all[0].First.Before(begun) {
			t.Errorf("the second demo does not go on with the footage of the first: %+v", all)
		}
		recorded = bytesBelow(t, data)
	}
}

// checkDemoStopped checks that of a demo only what it promises is left.
func checkDemoStopped(t *testing.T, dir string) {
	t.Helper()
	if left := mountsBelow(dir); len(left) > 0 {
		t.Fatalf("still mounted: %v", left)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
	want := []string{filepath.Join(dir, "data"), filepath.Join(dir, "mnt"), filepath.Join(dir, "nvrfs.yaml")}
	if err != nil || !slices.Equal(append(names, hidden...), want) {
		t.Errorf("left behind: %v %v, %v", names, hidden, err)
	}
	if names, err := os.ReadDir(want[1]); err != nil || len(names) > 0 {
		t.Errorf("in the mount point: %v, %v", names, err)
	}
}

// bytesBelow sums up the sizes of the sample files in a data directory.
func bytesBelow(t *testing.T, data string) (sum int64) {
	t.Helper()
	for _, path := range (site{data: data}).sampleFiles(t, "demo") {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Size()
	}
	return sum
}
