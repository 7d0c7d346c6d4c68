package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nvrfs/recorder/importer"
	"nvrfs/store/dir"
)

// testFile copies a file of package camera's tests to a directory, under a name.
func testFile(t *testing.T, from, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../..", from))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestImportCommand imports as a user does, one after the other into the same directory.
func TestImportCommand(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	clip := testFile(t, "camera/clip.mp4", files, "clip.mp4")
	bframes := testFile(t, "mp4/demux/testdata/bframes.mp4", files, "cam_2026-11-19_10-00-00.mp4")
	twin := testFile(t, "mp4/demux/testdata/bframes.mp4", files, "cam_20261119_100000.mp4")
	hevc := testFile(t, "mp4/demux/testdata/hevc.mp4", files, "cam_2026-11-19_10-00-30.mp4")
	damaged := filepath.Join(files, "cam_2026-11-19_10-01-00.mp4")
	if err := os.WriteFile(damaged, []byte("\x00\x00\x00\x08moov"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{[]string{clip}, exitBadSetup, "", "--camera CAMERA"},
		{[]string{"--camera", "a b", clip}, exitBadSetup, "", "a camera's name cannot hold"},
		{[]string{"--camera", "cam.main", clip}, exitBadSetup, "", "a camera's name cannot hold"},
		{[]string{"--camera", "cam"}, exitBadSetup, "", "missing argument: want FILE"},
		{[]string{"--camera", "cam", clip}, exitBadSetup, "", "clip.mp4: there is no time in its name, such as 2026-11-20_14-03-10; say when it begins, with: --start TIME"},
		{[]string{"--camera", "cam", "--start", "soon", clip}, exitBadSetup, "", "not a time"},
		{[]string{"--camera", "cam", "--start", "1969-01-01", clip}, exitBadSetup, "", "between 1970 and 2106"},
		{[]string{"--camera", "cam", "--start", "yesterday", "--repeat", "0", clip}, exitBadSetup, "", "want at least once"},
		{[]string{"--camera", "cam", "--repeat", "2", bframes, hevc}, exitBadSetup, "", "--repeat repeats one FILE, and 2 are named"},
		{[]string{"--camera", "cam", "--start", "yesterday", files + "/none.mp4"}, exitBadSetup, "", "no such file"},
		{[]string{"--camera", "cam", bframes, damaged}, exitBadSetup, "", damaged + ": read mp4"},
		{[]string{"--camera", "cam", bframes, hevc, twin}, exitBadSetup, "", "overlap; leave one of them out"},
		{[]string{"--camera", "cam", "--start", "yesterday 12:00", clip}, exitOK, "cam: 1 recording, 338.1 kB, from 2026-11-19T12:00:00+01:00 to 2026-11-19T12:00:16+01:00\n", ""},
		{[]string{"--camera", "cam", "--start", "yesterday 12:00:10", clip}, exitBadSetup, "", "there is footage of cam already from 2026-11-19T12:00:10+01:00 to 2026-11-19T12:00:16+01:00, and nothing was imported"},
		{[]string{"--camera", "cam.sub", "--start", "yesterday 12:00:10", clip}, exitOK, "cam.sub: 1 recording,", ""},
		{[]string{"--camera", "cam", "--start", "2026-11-19T11:00:16Z", "--repeat", "100", clip}, exitOK, "cam: 27 recordings", ""},
		{[]string{"--camera", "cam", hevc, bframes}, exitOK, "cam: 2 recordings, 15.6 kB, from 2026-11-19T10:00:00+01:00 to 2026-11-19T10:00:30.48+01:00\n", ""},
		{[]string{"--camera", "other", "--start", "yesterday", clip, bframes, clip}, exitOK, "other: 3 recordings", ""},
	} {
		code, stdout, stderr := runCommand(t, t.Context(), nil, append([]string{"import", "--data", data}, c.args...)...)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) || (code == exitOK) != (stderr == "") {
			t.Errorf("import %q: exit %d, want %d\n%s%swant %s%s", c.args, code, c.code, stdout, stderr, c.stdout, c.stderr)
		}
		if code != exitOK && strings.Count(stderr, "\n") != 1 {
			t.Errorf("import %q says more than a line: %s", c.args, stderr)
		}
	}
	if code, stdout, stderr := nvrfs(t, "check", "--data", data, "--level", "hash"); code != exitOK || !strings.Contains(stdout, "34 recordings") {
		t.Errorf("check: exit %d, %s%s", code, stdout, stderr)
	}
}

// Where something is wrong with one file, nothing is made of the others.
func TestImportAllOrNothing(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	good := testFile(t, "camera/clip.mp4", files, "2026-11-19_10-00-00.mp4")
	cut := testFile(t, "camera/clip.mp4", files, "2026-11-19_11-00-00.mp4")
	if err := os.Truncate(cut, 100_000); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := nvrfs(t, "import", "--data", data, "--camera", "cam", good, cut)
	if code != exitBadSetup || stdout != "" || !strings.Contains(stderr, "cut short") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	if left, err := os.ReadDir(data); err != nil || len(left) > 0 {
		t.Errorf("it made %v, %v", left, err)
	}
}

func TestImportWhereARecorderIsAtWork(t *testing.T) {
	data, files := t.TempDir(), t.TempDir()
	clip := testFile(t, "camera/clip.mp4", files, "2026-11-19_10-00-00.mp4")
	lock, err := dir.LockDir(data)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release() //nolint:errcheck // the test is over
	code, _, stderr := nvrfs(t, "import", "--data", data, "--camera", "cam", clip)
	if code != exitBadSetup || !strings.Contains(stderr, "another nvrfs records into it") || !strings.Contains(stderr, "stop that one first") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// With a configuration file, footage goes where that camera's lies, is cut as it says, and is warned of when it is older than
// the camera keeps.
func TestImportByConfiguration(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"data", "disk2"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "nvrfs.yaml")
	yaml := `data: data
timezone: Asia/Tokyo
recording: { length: 5s }
cameras:
  cam: { url: "rtsp://u:${UNSET}@192.0.2.10/x", samples: disk2, retain: { days: 30 } }
`
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	clip := testFile(t, "camera/clip.mp4", dir, "2026-01-19_10-00-00.mp4")
	code, stdout, stderr := runCommand(t, t.Context(), nil, "import", "--config", config, "--camera", "cam", clip)
	if code != exitOK || !strings.Contains(stdout, "cam: 4 recordings") || !strings.Contains(stdout, "from 2026-01-19T10:00:00+09:00") {
		t.Errorf("exit %d, %s", code, stdout)
	}
	if !strings.Contains(stderr, "the footage is older than its camera keeps it") {
		t.Errorf("it does not warn: %s", stderr)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "disk2", "cam", "*", "*.mp4")); err != nil || len(files) != 4 {
		t.Errorf("sample files on the other disk: %v, %v", files, err)
	}
}

func TestCheckRoom(t *testing.T) {
	o := importer.Options{Data: t.TempDir()}
	if err := checkRoom(o, []importer.Plan{{Bytes: 1000}}); err != nil {
		t.Error(err)
	}
	err := checkRoom(o, []importer.Plan{{Bytes: 1 << 40}, {Bytes: 1 << 60}})
	if err == nil || !isBadSetup(err) || !strings.Contains(err.Error(), "the footage takes 1164.5 PB") {
		t.Errorf("error is %v", err)
	}
}

// cancelWriter ends a context when it is written to.
type cancelWriter struct {
	text   bytes.Buffer
	cancel context.CancelFunc
}

func (w *cancelWriter) Write(p []byte) (int, error) {
	w.cancel()
	return w.text.Write(p)
}

// An import that is interrupted says what stays of it, and that is whole.
func TestImportInterrupted(t *testing.T) {
	dir := t.TempDir()
	clip := testFile(t, "mp4/demux/testdata/aligned.mp4", dir, "2026-11-19_10-00-00.mp4")
	config := filepath.Join(dir, "nvrfs.yaml")
	yaml := "data: .\nrecording: { length: 1s }\ncameras: { cam: { url: rtsp://192.0.2.10/x } }\n"
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	errOut := cancelWriter{cancel: cancel}
	env := newEnvironment(strings.NewReader(""), &out, &errOut)
	env.stderrTerminal = true // where the bar moves, the first recordings are safe
	code := env.run(ctx, []string{"import", "--config", config, "--camera", "cam", "--repeat", "100000", clip}, commands)
	if code != exitInterrupted || !strings.HasSuffix(errOut.text.String(), "nvrfs: interrupted\n") {
		t.Errorf("exit %d, %q", code, errOut.text.String())
	}
	if !strings.Contains(out.String(), "recordings") {
		t.Errorf("it says %q", out.String())
	}
	if code, stdout, stderr := nvrfs(t, "check", "--data", dir, "--level", "hash"); code != exitOK || !strings.HasPrefix(out.String(), "cam: "+strings.Fields(stdout)[0]+" recordings") {
		t.Errorf("check: exit %d, %s%safter %s", code, stdout, stderr, out.String())
	}
}
