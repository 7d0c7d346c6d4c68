package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"nvrfs/config"
)

// nobody is a user without a name on any host.
const nobody = 987654

const testMounts = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /mnt/nvr rw,nosuid,nodev - fuse.nvrfs nvrfs rw,user_id=0
31 22 8:2 / /mnt/my\040disk rw - ext4 /dev/sdb1 rw
32 22 0:40 / /net/ssh rw - fuse.sshfs joe@host: rw
33 22 0:41 / /pool rw - fuse.mergerfs a:b rw
`

// testHost is a host without FUSE mounts or links, where everything is a directory that user may use.
func testHost(uid int) host {
	return host{
		uid:       uid,
		stat:      statOf(fs.ModeDir),
		access:    func(string, uint32) error { return nil },
		statfs:    func(string) (int64, error) { return unix.EXT4_SUPER_MAGIC, nil },
		openRW:    func(string) error { return nil },
		readFile:  func(string) ([]byte, error) { return nil, fs.ErrNotExist },
		lookPath:  func(program string) (string, error) { return "/usr/bin/" + program, nil },
		resolve:   func(path string) (string, error) { return path, nil },
		emptyDir:  func(string) (bool, error) { return true, nil },
		mountinfo: func() ([]byte, error) { return []byte(testMounts), nil },
	}
}

func statOf(mode fs.FileMode) func(string) (fs.FileInfo, error) {
	return func(string) (fs.FileInfo, error) {
		return fstest.MapFS{"x": {Mode: mode}}.Stat("x")
	}
}

func statFails(err error) func(string) (fs.FileInfo, error) {
	return func(path string) (fs.FileInfo, error) { return nil, &fs.PathError{Op: "stat", Path: path, Err: err} }
}

func accessFails(err error) func(string, uint32) error {
	return func(string, uint32) error { return err }
}

func magic(m int64) func(string) (int64, error) {
	return func(string) (int64, error) { return m, nil }
}

func checkMessage(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("got %v, want no error", err)
		}
		return
	}
	var environment *environmentError
	if !errors.As(err, &environment) {
		t.Fatalf("got %v, want an environmentError: %s", err, want)
	}
	if err.Error() != want {
		t.Errorf("\n got %s\nwant %s", err, want)
	}
}

func TestCheckDataDir(t *testing.T) {
	const notSafe = "data directory /data: lies on a network filesystem (%), where a SQLite database is not safe; " +
		"choose a directory on a local disk"
	network := func(kind string) string { return strings.Replace(notSafe, "%", kind, 1) }
	tests := []struct {
		name   string
		path   string // default /data
		change func(*host)
		want   string
	}{
		{name: "good", change: func(*host) {}},
		{
			name: "missing", change: func(h *host) {
				h.stat = func(path string) (fs.FileInfo, error) {
					if path == "/" {
						return statOf(fs.ModeDir)(path)
					}
					return statFails(unix.ENOENT)(path)
				}
			},
			want: "data directory /data: does not exist; create it with: mkdir -m 0700 /data",
		},
		{
			name: "missing with its parent", path: "/mnt/disk 1/nvr", change: func(h *host) { h.stat = statFails(unix.ENOENT) },
			want: "data directory /mnt/disk 1/nvr: does not exist; if the disk of /mnt/disk 1 is mounted, " +
				"create it with: mkdir -p '/mnt/disk 1/nvr'",
		},
		{name: "a file", change: func(h *host) { h.stat = statOf(0) }, want: "data directory /data: is not a directory; name a directory"},
		{
			name: "disk fails", change: func(h *host) { h.stat = statFails(unix.EIO) },
			want: "data directory /data: cannot be used: input/output error; put that right, or choose another one",
		},
		{
			name: "read-only filesystem", change: func(h *host) { h.access = accessFails(unix.EROFS) },
			want: "data directory /data: lies on a read-only filesystem; mount that writable, or choose another directory",
		},
		{
			name: "no permission", change: func(h *host) { h.access = accessFails(unix.EACCES) },
			want: "data directory /data: user 987654 may not write to it; run nvrfs as its owner, or: chown -R 987654 /data",
		},
		{name: "NFS", change: func(h *host) { h.statfs = magic(unix.NFS_SUPER_MAGIC) }, want: network("NFS")},
		{name: "SMB 1", change: func(h *host) { h.statfs = magic(unix.CIFS_SUPER_MAGIC) }, want: network("SMB")},
		{name: "SMB 2, 32 bits", change: func(h *host) { h.statfs = magic(unix.SMB2_SUPER_MAGIC - 1<<32) }, want: network("SMB")},
		{name: "9p", change: func(h *host) { h.statfs = magic(unix.V9FS_MAGIC) }, want: network("9p")},
		{
			name: "sshfs", path: "/net/ssh/data", change: func(h *host) { h.statfs = magic(unix.FUSE_SUPER_MAGIC) },
			want: "data directory /net/ssh/data: lies on a FUSE filesystem (fuse.sshfs), where a SQLite database is not safe; " +
				"choose a directory on a local disk",
		},
		{name: "mergerfs", path: "/pool", change: func(h *host) { h.statfs = magic(unix.FUSE_SUPER_MAGIC) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := testHost(nobody)
			tt.change(&h)
			path := tt.path
			if path == "" {
				path = "/data"
			}
			checkMessage(t, h.checkDataDir(path, true), tt.want)
		})
	}
}

func TestCheckDataDirForReading(t *testing.T) {
	h := testHost(nobody)
	h.access = func(_ string, mode uint32) error {
		if mode&unix.W_OK != 0 {
			return unix.EROFS
		}
		return nil
	}
	checkMessage(t, h.checkDataDir("/data", false), "")
	missing := testHost(nobody)
	missing.stat = statFails(unix.ENOENT)
	checkMessage(t, missing.checkDataDir("/data", false),
		"data directory /data: does not exist; mount its disk, or name the directory that nvrfs run records into")
	h.access = accessFails(unix.EACCES)
	checkMessage(t, h.checkDataDir("/data", false),
		"data directory /data: user 987654 may not read it; run nvrfs as its owner, or: chown -R 987654 /data")
}

func TestCheckMountPoint(t *testing.T) {
	tests := []struct {
		name   string
		path   string // default /mnt/cam
		change func(*host)
		stale  bool
		want   string
	}{
		{name: "good", change: func(*host) {}},
		{
			name: "missing", change: func(h *host) { h.stat = statFails(unix.ENOENT) },
			want: "mount point /mnt/cam: does not exist; create it with: mkdir -p /mnt/cam",
		},
		{name: "a file", change: func(h *host) { h.stat = statOf(0) }, want: "mount point /mnt/cam: is not a directory; name an empty directory"},
		{
			name: "not empty", change: func(h *host) { h.emptyDir = func(string) (bool, error) { return false, nil } },
			want: "mount point /mnt/cam: is not empty; choose an empty directory; what is in it would be hidden",
		},
		{
			name: "another's mount", change: func(h *host) { h.stat = statFails(unix.EACCES) },
			want: "mount point /mnt/cam: user 987654 may not look at it; " +
				"if another user has mounted something there, that user can unmount it; or choose another directory",
		},
		{
			name: "in use", path: "/mnt/nvr", change: func(*host) {},
			want: "mount point /mnt/nvr: has nvrfs (fuse.nvrfs) mounted on it; stop the nvrfs that serves it, or: fusermount3 -u /mnt/nvr",
		},
		{
			name: "in use by a disk", path: "/mnt/my disk", change: func(*host) {},
			want: "mount point /mnt/my disk: has /dev/sdb1 (ext4) mounted on it; choose an empty directory",
		},
		{
			name: "in use by way of a link", change: func(h *host) { h.resolve = func(string) (string, error) { return "/mnt/nvr", nil } },
			want: "mount point /mnt/cam: has nvrfs (fuse.nvrfs) mounted on it; stop the nvrfs that serves it, or: fusermount3 -u /mnt/cam",
		},
		{name: "stale", path: "/mnt/nvr", change: func(h *host) { h.stat = statFails(unix.ENOTCONN) }, stale: true},
		{
			name: "in a stale one", path: "/mnt/nvr/cam", change: func(h *host) { h.stat = statFails(unix.ENOTCONN) },
			want: "mount point /mnt/nvr/cam: lies in /mnt/nvr, whose FUSE server is gone; detach that with: fusermount3 -u -z /mnt/nvr",
		},
		{
			name: "no permission", change: func(h *host) { h.access = accessFails(unix.EACCES) },
			want: "mount point /mnt/cam: user 987654 may not write to it; run nvrfs as its owner, or: chown -R 987654 /mnt/cam",
		},
		{
			name: "mounts unknown", change: func(h *host) { h.mountinfo = func() ([]byte, error) { return nil, unix.ENOENT } },
			want: "mount point /mnt/cam: cannot be used: list the mounts: no such file or directory; put that right, or choose another one",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := testHost(nobody)
			tt.change(&h)
			path := tt.path
			if path == "" {
				path = "/mnt/cam"
			}
			stale, err := h.checkMountPoint(path)
			checkMessage(t, err, tt.want)
			if stale != tt.stale {
				t.Errorf("stale = %t, want %t", stale, tt.stale)
			}
		})
	}
}

func TestCheckApart(t *testing.T) {
	tests := []struct{ data, mount, want string }{
		{"/var/lib/nvrfs", "/mnt/nvr", ""},
		{"/mnt/nvr-data", "/mnt/nvr", ""},
		{"/a", "/a", "mount point /a: is the data directory too; choose directories that lie apart"},
		{"/a/data", "/a", "mount point /a: would hide the data directory /a/data in it; choose directories that lie apart"},
		{"/a", "/a/mnt", "mount point /a/mnt: lies in the data directory /a; choose directories that lie apart"},
		{"/", "/mnt", "mount point /mnt: lies in the data directory /; choose directories that lie apart"},
	}
	for _, tt := range tests {
		checkMessage(t, testHost(0).checkApart(tt.data, tt.mount), tt.want)
	}
}

func TestCheckApartResolvesLinks(t *testing.T) {
	root := t.TempDir()
	data, link := filepath.Join(root, "data"), filepath.Join(root, "link")
	if err := errors.Join(os.Mkdir(data, 0o700), os.Symlink(data, link)); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(link, "not", "there")
	checkMessage(t, thisHost().checkApart(data, missing),
		"mount point "+missing+": lies in the data directory "+data+"; choose directories that lie apart")
}

func TestCheckFUSE(t *testing.T) {
	opens := func(err error) func(*host) {
		return func(h *host) { h.openRW = func(string) error { return &fs.PathError{Op: "open", Err: err} } }
	}
	conf := func(content string) func(*host) {
		return func(h *host) { h.readFile = func(string) ([]byte, error) { return []byte(content), nil } }
	}
	const closed = "allow_other: /etc/fuse.conf does not let user 987654 open a mount to others; " +
		"add the line user_allow_other to it, or leave allow_other out"
	tests := []struct {
		name       string
		uid        int
		allowOther bool
		change     func(*host)
		want       string
	}{
		{"root", 0, true, func(h *host) { h.lookPath = func(string) (string, error) { return "", fs.ErrNotExist } }, ""},
		{"user", nobody, false, func(*host) {}, ""},
		{
			"no device", 0, false, opens(unix.ENOENT),
			"/dev/fuse: does not exist; load it with: modprobe fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN",
		},
		{"no module", 0, false, opens(unix.ENODEV), "/dev/fuse: the kernel has no FUSE; load it with: modprobe fuse"},
		{
			"device closed", nobody, false, opens(unix.EACCES),
			"/dev/fuse: user 987654 may not open it; as root: chmod 0666 /dev/fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN",
		},
		{
			"no fusermount3", nobody, false, func(h *host) { h.lookPath = func(string) (string, error) { return "", fs.ErrNotExist } },
			"fusermount3: not found, and only root can mount without it; install it, on Debian: apt install fuse3",
		},
		{"allow_other without fuse.conf", nobody, true, func(*host) {}, closed},
		{"allow_other commented out", nobody, true, conf("# user\n#user_allow_other\n"), closed},
		{"allow_other allowed", nobody, true, conf("mount_max = 9\nuser_allow_other \n"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := testHost(tt.uid)
			tt.change(&h)
			checkMessage(t, h.checkFUSE(tt.allowOther), tt.want)
		})
	}
}

func TestCheckMount(t *testing.T) {
	h := testHost(0)
	if _, err := h.checkMount(config.Mount{Path: "/mnt/cam"}, "/data"); err != nil {
		t.Error(err)
	}
	_, err := h.checkMount(config.Mount{Path: "/data/mnt"}, "/data")
	checkMessage(t, err, "mount point /data/mnt: lies in the data directory /data; choose directories that lie apart")
	h.stat = statFails(unix.ENOTCONN)
	if stale, err := h.checkMount(config.Mount{Path: "/mnt/nvr"}, "/data"); !stale || err != nil {
		t.Errorf("stale mount: %t, %v", stale, err)
	}
}

// The checks on real directories of this machine, by whoever runs the tests.
func TestThisHost(t *testing.T) {
	h, directory := thisHost(), t.TempDir()
	checkMessage(t, h.checkDataDir(directory, true), "")
	missing := filepath.Join(directory, "missing")
	checkMessage(t, h.checkDataDir(missing, true),
		"data directory "+missing+": does not exist; create it with: mkdir -m 0700 "+missing)
	if stale, err := h.checkMountPoint(directory); stale || err != nil {
		t.Errorf("empty directory: %t, %v", stale, err)
	}
	if err := os.WriteFile(filepath.Join(directory, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := h.checkMountPoint(directory)
	checkMessage(t, err, "mount point "+directory+": is not empty; choose an empty directory; what is in it would be hidden")
	_, err = h.checkMountPoint("/proc")
	checkMessage(t, err, "mount point /proc: has proc (proc) mounted on it; choose an empty directory")
}

func TestParseMountinfo(t *testing.T) {
	got := parseMountinfo([]byte("31 22 8:2 / /mnt/a\\040b\\134 rw master:1 - ext4 /dev/sdb1 rw\n" +
		"32 22 0:9 / /x rw - tmpfs tmp\\ rw\nbroken\n1 2 3 - 4 5\n"))
	want := []mount{{point: `/mnt/a b\`, kind: "ext4", source: "/dev/sdb1"}, {point: "/x", kind: "tmpfs", source: `tmp\`}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{
		"/mnt/nvr": "/mnt/nvr", "/my disk": "'/my disk'", "/it's": `'/it'\''s'`, "/$x": "'/$x'",
	} {
		if got := shellQuote(in); got != want {
			t.Errorf("shellQuote(%s) = %s, want %s", in, got, want)
		}
	}
}
