package integration

import (
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A refusal is a configuration, or an environment, in which nvrfs must not start.
type refusal struct {
	yaml    string                         // for the configuration file
	args    []string                       // of nvrfs; `run` where nil. DIR stands for the site's directory
	prepare func(t *testing.T, dir string) // makes what is wrong, besides the directories data and mnt
	script  string                         // for a mount namespace, in which it runs; in the site's directory
	as      func(cmd *exec.Cmd) *exec.Cmd  // asNobody, or nil
	need    func(t *testing.T)             // skips
	want    string                         // that standard error says
}

// rightConfig is a configuration with no mistake.
const rightConfig = "data: data\nmount: mnt\ncameras: { cam: { url: rtsp://127.0.0.1:9/x } }\n"

var refusals = map[string]refusal{
	"unknown key": {
		yaml: strings.Replace(rightConfig, "cameras", "camreas", 1), want: "nvrfs.yaml:3:1: ",
	},
	"bad URL": {
		yaml: strings.Replace(rightConfig, "rtsp:", "http:", 1), want: "nvrfs.yaml:3:24: ",
	},
	"unset secret": {
		yaml: strings.Replace(rightConfig, "rtsp://127.0.0.1:9/x", "'rtsp://u:${NVRFS_TEST_UNSET}@127.0.0.1/x'", 1), want: "NVRFS_TEST_UNSET",
	},
	"no configuration": {
		yaml: rightConfig, args: []string{"run", "--config", "DIR/other.yaml"}, want: "other.yaml: ",
	},
	"missing data directory": {
		yaml: strings.Replace(rightConfig, "data: data", "data: footage/data", 1), want: "does not exist",
	},
	"missing mount point": {
		yaml: strings.Replace(rightConfig, "mount: mnt", "mount: other", 1), want: "does not exist",
	},
	"mount point is a file": {
		yaml: strings.Replace(rightConfig, "mount: mnt", "mount: nvrfs.yaml", 1), want: "not a directory",
	},
	"mount point in use": {
		yaml: rightConfig, script: "mount -t tmpfs none mnt", need: needRoot, want: "mounted on it",
	},
	"mount point not empty": {
		yaml: rightConfig, prepare: func(t *testing.T, dir string) { makeDir(t, dir, "mnt/full") }, want: "is not empty",
	},
	"mount point in the data": {
		yaml: strings.Replace(rightConfig, "mount: mnt", "mount: data", 1), want: "data directory",
	},
	"no FUSE": {
		yaml: rightConfig, script: "mount -t tmpfs none /dev", need: needRoot, want: "modprobe fuse",
	},
	"no right to FUSE": {
		yaml: rightConfig, script: "mount --bind fuse /dev/fuse", as: asNobody, need: needNobody, want: "chmod 0666 /dev/fuse",
		prepare: func(t *testing.T, dir string) {
			openToAll(t, dir)
			mustRun(t, command("mknod", "--mode", "600", filepath.Join(dir, "fuse"), "c", "10", "229"))
		},
	},
	"read-only data directory": {
		yaml: rightConfig, script: "mount --bind data data; mount -o remount,bind,ro data", need: needRoot, want: "read-only",
	},
	"another user's data directory": {
		yaml: rightConfig, as: asNobody, need: needNobody, want: "user nobody may not write to it",
	},
	"another user's mount point": {
		yaml: rightConfig, as: asNobody, need: needNobody, want: "user nobody may not write to it",
		prepare: func(t *testing.T, dir string) { chmod(t, filepath.Join(dir, "data"), 0o777) },
	},
	"allow_other without a right to it": {
		yaml: strings.Replace(rightConfig, "mnt", "{ path: mnt, allow_other: true }", 1), as: asNobody, need: needNobody,
		script: "mount --bind fuse.conf /etc/fuse.conf", want: "user_allow_other",
		prepare: func(t *testing.T, dir string) {
			openToAll(t, dir)
			writeFile(t, filepath.Join(dir, "fuse.conf"), "# nothing is allowed\n")
		},
	},
	"mount of nothing": {
		args: []string{"mount", "--data", "DIR/data", "DIR/mnt"}, want: "no footage",
	},
	"demo without FUSE": {
		args: []string{"demo", "--dir", "DIR/demo"}, script: "mount -t tmpfs none /dev", need: needRoot, want: "modprobe fuse",
	},
	"wrong flag": {
		args: []string{"run", "--cnofig", "DIR/nvrfs.yaml"}, want: "did you mean --config?",
	},
}

// openToAll lets every user write to the site's directories.
func openToAll(t *testing.T, dir string) {
	for _, name := range []string{"data", "mnt"} {
		chmod(t, filepath.Join(dir, name), 0o777)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// TestRefuses starts nvrfs where it must not start: it says why in one line, exits with code 2, and has created nothing.
func TestRefuses(t *testing.T) {
	for name, r := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needMounts(t)
			if r.need != nil {
				r.need(t)
			}
			refuse(t, r)
		})
	}
	t.Run("port in use", func(t *testing.T) {
		t.Parallel()
		needMounts(t)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		refuse(t, refusal{yaml: rightConfig + fmt.Sprintf("http: { listen: %s }\n", l.Addr()), want: "in use"})
	})
}

func refuse(t *testing.T, r refusal) {
	dir := tempDir(t)
	makeDir(t, dir, "data")
	makeDir(t, dir, "mnt")
	config := filepath.Join(dir, "nvrfs.yaml")
	writeFile(t, config, r.yaml)
	if r.prepare != nil {
		r.prepare(t, dir)
	}
	args := []string{"run", "--config", config}
	if r.args != nil {
		args = nil
		for _, a := range r.args {
			args = append(args, strings.Replace(a, "DIR", dir, 1))
		}
	}
	cmd := nvrfs(args...)
	if r.as != nil {
		cmd = r.as(cmd)
	}
	if r.script != "" {
		cmd = afterMounting("cd "+dir+"\n"+r.script, cmd)
	}
	before := snapshot(t, dir)
	got := run(t, cmd)
	if got.code != 2 || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, r.want) {
		t.Errorf("%s\nwant exit code 2, and one line with %q", got, r.want)
	}
	if after := snapshot(t, dir); !maps.Equal(before, after) {
		t.Errorf("before:\n%safter:\n%s", lines(before), lines(after))
	}
}

// snapshot describes all that is below a directory.
func snapshot(t *testing.T, root string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		tree[path] = fmt.Sprint(info.Mode(), info.Size(), info.ModTime().UnixNano())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
