package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"nvrfs/config"
)

// A host is what preflight looks at: the files, mounts and user of this machine. Its checks create nothing, and what
// they return is nil or an environmentError.
type host struct {
	uid       int
	stat      func(path string) (fs.FileInfo, error)
	access    func(path string, mode uint32) error // mode is of unix.R_OK, W_OK, X_OK
	statfs    func(path string) (magic int64, err error)
	openRW    func(path string) error // opens and closes
	readFile  func(path string) ([]byte, error)
	lookPath  func(program string) (string, error)
	resolve   func(path string) (string, error) // without symbolic links
	emptyDir  func(path string) (bool, error)
	mountinfo func() ([]byte, error) // proc_pid_mountinfo(5)
}

func thisHost() host {
	return host{
		uid:  os.Geteuid(),
		stat: os.Stat,
		access: func(path string, mode uint32) error {
			return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS)
		},
		statfs: func(path string) (int64, error) {
			var st unix.Statfs_t
			err := unix.Statfs(path, &st)
			return int64(st.Type), err
		},
		openRW: func(path string) error {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			return f.Close()
		},
		readFile:  os.ReadFile,
		lookPath:  exec.LookPath,
		resolve:   filepath.EvalSymlinks,
		emptyDir:  isEmptyDir,
		mountinfo: func() ([]byte, error) { return os.ReadFile("/proc/self/mountinfo") },
	}
}

func isEmptyDir(path string) (bool, error) {
	dir, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return len(names) == 0, err
}

// checkDataDir checks that path is a directory that the database and sample files can lie in and, if write is set, be
// written to.
func (h host) checkDataDir(path string, write bool) error {
	what := "data directory " + path
	switch info, err := h.stat(path); {
	case errors.Is(err, fs.ErrNotExist) && write:
		return h.missingDataDir(path)
	case errors.Is(err, fs.ErrNotExist):
		return &environmentError{what, "does not exist", "mount its disk, or name the directory that nvrfs run records into"}
	case err != nil:
		return unusable(what, err)
	case !info.IsDir():
		return &environmentError{what, "is not a directory", "name a directory"}
	}
	if err := h.checkAccess(what, path, write); err != nil {
		return err
	}
	return h.checkLocal(what, path)
}

func (h host) missingDataDir(path string) error {
	create := "create it with: mkdir -m 0700 " + shellQuote(path)
	parent := filepath.Dir(path)
	if _, err := h.stat(parent); errors.Is(err, fs.ErrNotExist) {
		create = fmt.Sprintf("if the disk of %s is mounted, create it with: mkdir -p %s", parent, shellQuote(path))
	}
	return &environmentError{"data directory " + path, "does not exist", create}
}

func (h host) checkAccess(what, path string, write bool) error {
	mode, verb := uint32(unix.R_OK|unix.X_OK), "read"
	if write {
		mode, verb = mode|unix.W_OK, "write to"
	}
	switch err := h.access(path, mode); {
	case err == nil:
		return nil
	case errors.Is(err, unix.EROFS):
		return &environmentError{what, "lies on a read-only filesystem", "mount that writable, or choose another directory"}
	case errors.Is(err, fs.ErrPermission):
		return &environmentError{
			what, fmt.Sprintf("user %s may not %s it", userName(h.uid), verb),
			fmt.Sprintf("run nvrfs as its owner, or: chown -R %s %s", userName(h.uid), shellQuote(path)),
		}
	default:
		return unusable(what, err)
	}
}

// Filesystems on which several hosts may write, or where memory is not shared between the processes that map a file:
// SQLite's write-ahead log needs the latter (https://www.sqlite.org/wal.html).
var networkMagic = map[int64]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.CIFS_SUPER_MAGIC: "SMB",
	unix.SMB2_SUPER_MAGIC: "SMB",
	unix.V9FS_MAGIC:       "9p",
	unix.CEPH_SUPER_MAGIC: "Ceph",
	unix.AFS_SUPER_MAGIC:  "AFS",
	unix.AFS_FS_MAGIC:     "AFS",
	unix.CODA_SUPER_MAGIC: "Coda",
	0x47504653:            "GPFS",   // gpfs.h, outside of Linux
	0x0bd00bd0:            "Lustre", // lustre_user.h, outside of Linux
}

// localFUSE are those filesystems of type FUSE that hold their files on this host.
var localFUSE = []string{
	"fuseblk", "virtiofs", "fuse.bindfs", "fuse.fuse-overlayfs", "fuse.gocryptfs", "fuse.mergerfs",
}

func (h host) checkLocal(what, path string) error {
	magic, err := h.statfs(path)
	if err != nil {
		return unusable(what, err)
	}
	kind := networkMagic[int64(uint32(magic))] // where the kernel's type has 32 bits, magics may be negative
	why := fmt.Sprintf("lies on a network filesystem (%s)", kind)
	if magic == unix.FUSE_SUPER_MAGIC {
		if kind, err = h.fuseKind(path); err != nil {
			return unusable(what, err)
		}
		why = fmt.Sprintf("lies on a FUSE filesystem (%s)", kind)
	}
	if kind == "" {
		return nil
	}
	return &environmentError{what, why + ", where a SQLite database is not safe", "choose a directory on a local disk"}
}

// fuseKind returns the type of the FUSE filesystem that path is in, or "" if it is known to be local.
func (h host) fuseKind(path string) (string, error) {
	path, err := h.resolve(path)
	if err != nil {
		return "", err
	}
	mounts, err := h.mounts()
	if err != nil {
		return "", err
	}
	var at mount
	for _, m := range mounts {
		if contains(m.point, path) && len(m.point) >= len(at.point) { // of those on one point the last is on top
			at = m
		}
	}
	if slices.Contains(localFUSE, at.kind) {
		return "", nil
	}
	return at.kind, nil
}

// checkMountPoint checks that path is an empty directory that nothing is mounted on. Stale means that it would be,
// but for the mount of a server that died: the caller detaches that (umount2 with MNT_DETACH) and checks again.
func (h host) checkMountPoint(path string) (stale bool, err error) {
	what := "mount point " + path
	mounts, err := h.mounts()
	if err != nil {
		return false, unusable(what, err)
	}
	info, err := h.stat(path)
	if err == nil {
		_, err = h.statfs(path) // the kernel may still answer stat for a server that died
	}
	switch {
	case errors.Is(err, unix.ENOTCONN):
		return h.checkStale(what, path, mounts)
	case errors.Is(err, fs.ErrNotExist):
		return false, &environmentError{what, "does not exist", "create it with: mkdir -p " + shellQuote(path)}
	case errors.Is(err, fs.ErrPermission):
		return false, &environmentError{
			what, fmt.Sprintf("user %s may not look at it", userName(h.uid)),
			"if another user has mounted something there, that user can unmount it; or choose another directory",
		}
	case err != nil:
		return false, unusable(what, err)
	case !info.IsDir():
		return false, &environmentError{what, "is not a directory", "name an empty directory"}
	}
	if err := h.checkFree(what, path, mounts); err != nil {
		return false, err
	}
	if h.uid != 0 {
		return false, h.checkAccess(what, path, true) // as fusermount3 does
	}
	return false, nil
}

// checkStale tells a dead mount on path from one above it.
func (h host) checkStale(what, path string, mounts []mount) (stale bool, err error) {
	resolved := path
	if parent, err := h.resolve(filepath.Dir(path)); err == nil {
		resolved = filepath.Join(parent, filepath.Base(path))
	}
	above := "/"
	for _, m := range mounts {
		if m.point == resolved {
			return true, nil
		}
		if contains(m.point, resolved) && len(m.point) > len(above) {
			above = m.point
		}
	}
	return false, &environmentError{
		what, fmt.Sprintf("lies in %s, whose FUSE server is gone", above),
		"detach that with: fusermount3 -u -z " + shellQuote(above),
	}
}

// checkFree checks that nothing is mounted on path and nothing in it.
func (h host) checkFree(what, path string, mounts []mount) error {
	resolved, err := h.resolve(path)
	if err != nil {
		return unusable(what, err)
	}
	for _, m := range slices.Backward(mounts) {
		if m.point != resolved {
			continue
		}
		fix := "choose an empty directory"
		if strings.HasPrefix(m.kind, "fuse") {
			fix = "stop the nvrfs that serves it, or: fusermount3 -u " + shellQuote(path)
		}
		return &environmentError{what, fmt.Sprintf("has %s (%s) mounted on it", m.source, m.kind), fix}
	}
	empty, err := h.emptyDir(path)
	if err != nil {
		return unusable(what, err)
	}
	if !empty {
		return &environmentError{what, "is not empty", "choose an empty directory; what is in it would be hidden"}
	}
	return nil
}

// checkApart checks that neither of the directories lies in the other, whatever symbolic links lead to them.
func (h host) checkApart(data, mountPoint string) error {
	resolvedData, resolvedMount := h.resolveSome(data), h.resolveSome(mountPoint)
	var why string
	switch {
	case resolvedData == resolvedMount:
		why = "is the data directory too"
	case contains(resolvedMount, resolvedData):
		why = "would hide the data directory " + data + " in it"
	case contains(resolvedData, resolvedMount):
		why = "lies in the data directory " + data
	default:
		return nil
	}
	return &environmentError{"mount point " + mountPoint, why, "choose directories that lie apart"}
}

// resolveSome resolves as much of path as exists: a stale mount cannot be looked at, but what leads to it can.
func (h host) resolveSome(path string) string {
	if resolved, err := h.resolve(path); err == nil {
		return resolved
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(h.resolveSome(parent), filepath.Base(path))
}

// checkFUSE checks that this user may mount FUSE filesystems here and, if allowOther is set, open them to others.
func (h host) checkFUSE(allowOther bool) error {
	if err := h.checkFUSEDevice(); err != nil {
		return err
	}
	if h.uid == 0 {
		return nil
	}
	if _, err := h.lookPath("fusermount3"); err != nil {
		return &environmentError{
			"fusermount3", "not found, and only root can mount without it", "install it, on Debian: apt install fuse3",
		}
	}
	if !allowOther {
		return nil
	}
	conf, err := h.readFile("/etc/fuse.conf")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unusable("/etc/fuse.conf", err)
	}
	if !hasLine(conf, "user_allow_other") {
		return &environmentError{
			"allow_other", fmt.Sprintf("/etc/fuse.conf does not let user %s open a mount to others", userName(h.uid)),
			"add the line user_allow_other to it, or leave allow_other out",
		}
	}
	return nil
}

func (h host) checkFUSEDevice() error {
	const device = "/dev/fuse"
	const inContainer = "in a container: --device /dev/fuse --cap-add SYS_ADMIN"
	switch err := h.openRW(device); {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &environmentError{device, "does not exist", "load it with: modprobe fuse; " + inContainer}
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return &environmentError{device, "the kernel has no FUSE", "load it with: modprobe fuse"}
	case errors.Is(err, fs.ErrPermission):
		return &environmentError{
			device, fmt.Sprintf("user %s may not open it", userName(h.uid)), "as root: chmod 0666 /dev/fuse; " + inContainer,
		}
	default:
		return unusable(device, err)
	}
}

// checkMount does every check that mounting at m takes, with the footage of data.
func (h host) checkMount(m config.Mount, data string) (stale bool, err error) {
	if err := h.checkFUSE(m.AllowOther); err != nil {
		return false, err
	}
	if err := h.checkApart(data, m.Path); err != nil {
		return false, err
	}
	return h.checkMountPoint(m.Path)
}

// A mount is a line of /proc/self/mountinfo.
type mount struct {
	point, kind, source string
}

func (h host) mounts() ([]mount, error) {
	content, err := h.mountinfo()
	if err != nil {
		return nil, fmt.Errorf("list the mounts: %w", err)
	}
	return parseMountinfo(content), nil
}

// parseMountinfo returns the mounts in the order of mounting. Lines that are not as in proc_pid_mountinfo(5) are
// passed over.
func parseMountinfo(content []byte) []mount {
	var mounts []mount
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		where, what := strings.Fields(before), strings.Fields(after)
		if ok && len(where) >= 5 && len(what) >= 2 {
			mounts = append(mounts, mount{point: unescapeOctal(where[4]), kind: what[0], source: unescapeOctal(what[1])})
		}
	}
	return mounts
}

// unescapeOctal undoes the kernel's escapes of spaces and the like: \040.
func unescapeOctal(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// contains reports whether path is directory or lies in it. Both are absolute and clean.
func contains(directory, path string) bool {
	return path == directory || strings.HasPrefix(path, strings.TrimSuffix(directory, "/")+"/")
}

func hasLine(content []byte, line string) bool {
	for lines := range strings.Lines(string(content)) {
		if strings.TrimSpace(lines) == line {
			return true
		}
	}
	return false
}

// unusable is the error for what no check foresees.
func unusable(what string, err error) error {
	return &environmentError{what, "cannot be used: " + withoutPath(err).Error(), "put that right, or choose another one"}
}

// withoutPath returns err without the operation and path of an fs.PathError, for messages that name them already.
func withoutPath(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// userName returns the name of the user uid, or the number of one without a name.
func userName(uid int) string {
	number := strconv.Itoa(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}

// shellQuote quotes path, if need be, so that a command in a message can be copied.
func shellQuote(path string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-+,:@", r)
	}
	if strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
