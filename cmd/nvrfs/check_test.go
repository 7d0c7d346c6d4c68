package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/recorder/fsck"
	"nvrfs/schema"
	"nvrfs/store/dir"
)

// nvrfs runs a command on the files of this host.
func nvrfs(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = run(t.Context(), args, nil, strings.NewReader(""), &out, &errOut)
	return code, out.String(), errOut.String()
}

func makeFootage(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := footage.Make(t.Context(), dir, footage.Camera{Name: "cam", Start: time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC), Duration: 3 * time.Minute, Tiny: true})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCheckCommand(t *testing.T) {
	data := makeFootage(t)
	if code, stdout, stderr := nvrfs(t, "check", "--data", data, "--level", "hash"); code != exitOK || !strings.Contains(stdout, "3 recordings") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	path := filepath.Join(data, schema.DefaultSampleDir, "cam", "000", "000002.mp4")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file[len(file)*2/3] ^= 1
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{[]string{"--level", "size"}, exitOK, "no problem", ""},
		{[]string{"--level", "deep"}, exitBadSetup, "", "want one of: presence, size, index, hash"},
		{[]string{"--level", "hash"}, exitFailure, "cam/2: the sample file is damaged at byte", "1 problem in 3 recordings; nothing was changed"},
		{[]string{"--level", "hash", "--repair"}, exitFailure, "cam/2: repaired; as it was, the file is kept as " + path + ".damaged", "all are repaired"},
		{[]string{"--level", "hash"}, exitOK, "no problem", ""},
		{[]string{"--level", "hash", "--repair"}, exitOK, "no problem", ""},
	} {
		code, stdout, stderr := nvrfs(t, append([]string{"check", "--data", data}, c.args...)...)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%q: exit %d, %s%s", c.args, code, stdout, stderr)
		}
	}
	lock, err := dir.LockDir(data)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	for _, command := range [][]string{{"check", "--repair"}, {"upgrade"}, {"rebuild"}} {
		if code, _, stderr := nvrfs(t, append(command, "--data", data)...); code != exitBadSetup || !strings.Contains(stderr, "another nvrfs records into it") {
			t.Errorf("%q: exit %d, %s", command, code, stderr)
		}
	}
}

// TestCheckOnATerminal has findings and the progress bar share a terminal: each finding has a line of its own.
func TestCheckOnATerminal(t *testing.T) {
	dir := makeFootage(t)
	for n := range 3 {
		path := filepath.Join(dir, schema.DefaultSampleDir, "cam", "000", fmt.Sprintf("%06d.mp4", n+1))
		if err := os.Truncate(path, 5000); err != nil {
			t.Fatal(err)
		}
	}
	for level := fsck.Presence; level <= fsck.Hash; level++ {
		var terminal bytes.Buffer
		env := &environment{stdout: &terminal, stderr: &terminal, stderrTerminal: true, log: slog.New(slog.DiscardHandler)}
		c := checking{env: env, data: dir, level: level}
		err := c.check(t.Context())
		if (err == nil) != (level == fsck.Presence) || !strings.Contains(terminal.String(), "checking") {
			t.Errorf("level %v: %v, %q", level, err, terminal.String())
		}
		for line := range strings.Lines(terminal.String()) {
			const cleared = "\033[2K\r"
			at := strings.Index(line, "cam/")
			if at > 0 && !strings.HasSuffix(line[:at], cleared) {
				t.Errorf("level %v: a finding is behind the bar: %q", level, line)
			}
		}
	}
}

func TestRebuildCommand(t *testing.T) {
	dir := makeFootage(t)
	if code, _, stderr := nvrfs(t, "rebuild", "--data", dir); code != exitBadSetup || !strings.Contains(stderr, "move it away first") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if code, _, stderr := nvrfs(t, "rebuild"); code != exitBadSetup || !strings.Contains(stderr, "--data DIR") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	_, before, _ := nvrfs(t, "ls", "--data", dir, "--json")
	old, _ := filepath.Glob(filepath.Join(dir, schema.FileName+"*"))
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, stderr := nvrfs(t, "check", "--data", dir); code != exitBadSetup || !strings.Contains(stderr, "nvrfs rebuild --data "+dir) {
		t.Errorf("exit %d, %s", code, stderr)
	}
	code, stdout, stderr := nvrfs(t, "rebuild", "--data", dir)
	if code != exitOK || !strings.Contains(stdout, "3 recordings of 1 stream,") || !strings.Contains(stdout, "holds") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	if _, after, _ := nvrfs(t, "ls", "--data", dir, "--json"); after != before || before == "" {
		t.Errorf("ls said %s, it says %s", before, after)
	}
}

func TestUpgradeCommand(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("tar", "xzf", filepath.Join("..", "..", "schema", "testdata", "v1.tar.gz"), "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if code, _, stderr := nvrfs(t, "ls", "--data", dir); code != exitBadSetup || !strings.HasSuffix(stderr, "; bring it up to date with: nvrfs upgrade\n") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit %d, %s", code, stderr)
	}
	for _, want := range []string{"from version 1 to 5; as it was, it is kept as " + filepath.Join(dir, schema.FileName) + ".v1-", "nothing to do"} {
		if code, stdout, stderr := nvrfs(t, "upgrade", "--data", dir); code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, %s%s", code, stdout, stderr)
		}
	}
	if code, stdout, stderr := nvrfs(t, "check", "--data", dir, "--level", "hash"); code != exitOK || !strings.Contains(stdout, "10 recordings") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}
