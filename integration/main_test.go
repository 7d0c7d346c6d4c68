package integration

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What TestMain sets up for all tests.
var (
	workDir   string // holds everything that tests make; other users may look into it
	binary    string // nvrfs, built with the race detector
	noMounts  string // why nothing can be mounted here; empty when it can
	noNewUser string // why no other user can mount; empty when one can
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := enterNamespace(); err != nil {
		noMounts = err.Error()
	}
	// Most tests wait for a camera: as many of them at a time as there are processors would be few.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", "16")
	}
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	if workDir, err = os.MkdirTemp("", "nvrfs-integration-"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, removeAll(workDir)) }()
	if err := os.Chmod(workDir, 0o755); err != nil {
		return 1, err
	}
	if err := openDevice(); err != nil {
		noNewUser = err.Error()
	}
	binary = filepath.Join(workDir, "nvrfs")
	if out, err := exec.Command("go", "build", "-race", "-buildvcs=false", "-o", binary, "nvrfs/cmd/nvrfs").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build nvrfs: %w\n%s", err, out)
	}
	code = m.Run()
	if left := mountsBelow(workDir); len(left) > 0 {
		return 1, fmt.Errorf("still mounted after all tests: %s", strings.Join(left, ", "))
	}
	return code, nil
}

// removeAll removes a tree, unless something is mounted in it.
func removeAll(dir string) error {
	if left := mountsBelow(dir); len(left) > 0 {
		return fmt.Errorf("%s stays: %s is mounted", dir, strings.Join(left, ", "))
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o700) // copies of a mount are as read-only as the mount
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(dir))
}

// inNamespace is set in the environment of the test program that has a mount namespace of its own.
const inNamespace = "NVRFS_TEST_MOUNT_NAMESPACE"

// enterNamespace starts this program again, in its place, in a mount namespace of its own. It returns where that was done
// before, and where this user cannot: with an error, if no tests can mount.
func enterNamespace() error {
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	device.Close()
	if os.Geteuid() != 0 {
		_, err := exec.LookPath("fusermount3")
		return err
	}
	if os.Getenv(inNamespace) != "" {
		return nil
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	args := []string{unshare, "--mount", "--propagation", "private"}
	if out, err := exec.Command(args[0], append(args[1:], "true")...).CombinedOutput(); err != nil {
		return fmt.Errorf("root may not make a mount namespace here: %s", bytes.TrimSpace(out))
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(unshare, append(append(args, self), os.Args[1:]...), append(os.Environ(), inNamespace+"=1"))
}

// openDevice lets every user of the tests' namespace open /dev/fuse, as a desktop's udev does.
func openDevice() error {
	if os.Geteuid() != 0 || noMounts != "" {
		return errors.New("only root can become another user, in a mount namespace")
	}
	for _, tool := range []string{"fusermount3", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err
		}
	}
	device := filepath.Join(workDir, "fuse")
	if err := unix.Mknod(device, unix.S_IFCHR|0o666, int(unix.Mkdev(10, 229))); err != nil {
		return fmt.Errorf("mknod: %w", err)
	}
	if err := os.Chmod(device, 0o666); err != nil {
		return err
	}
	return unix.Mount(device, "/dev/fuse", "", unix.MS_BIND, "")
}

// mountsBelow lists what is mounted on and below a directory.
func mountsBelow(dir string) (points []string) {
	table, err := os.ReadFile("/proc/self/mountinfo") // proc_pid_mountinfo(5)
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(table)) {
		point := strings.Fields(line)[4]
		if point == dir || strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	return points
}

// needMounts skips a test where nothing can be mounted.
func needMounts(t *testing.T) {
	t.Helper()
	if noMounts != "" {
		t.Skipf("nothing can be mounted: %s", noMounts)
	}
}

// needRoot skips a test that changes what is mounted where.
func needRoot(t *testing.T) {
	t.Helper()
	needMounts(t)
	if os.Geteuid() != 0 {
		t.Skip("it takes root to mount other things than FUSE filesystems")
	}
}

// needNobody skips a test that mounts as a user without rights.
func needNobody(t *testing.T) {
	t.Helper()
	needMounts(t)
	if noNewUser != "" {
		t.Skipf("no other user can mount: %s", noNewUser)
	}
}

// needTools skips a test where a program is missing.
func needTools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
}

// tempDir makes a directory that other users may look into, and removes it behind the test.
func tempDir(t *testing.T) string {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == ' ' {
			return '-'
		}
		return r
	}, t.Name())
	dir, err := os.MkdirTemp(workDir, name+"-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// makeDir makes a directory in dir.
func makeDir(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
