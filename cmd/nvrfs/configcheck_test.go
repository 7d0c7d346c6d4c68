package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestConfigCommands(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nvrfs.yaml")
	const text = "data: /d # here\ncameras:\n  a:\n    url: rtsp://u:${NOWHERE}@h/\n    sub: rtsp://h/2\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"check", path}, exitBadSetup, "", "nvrfs: " + path + ":4:10: cameras.a.url: environment variable NOWHERE is not set; set it, or use ${file:/path}\n"},
		{[]string{"check", "--without-secrets", path}, exitOK, "1 camera, 2 streams: good\n", ""},
		{[]string{"set", path, "cameras.a.retain.days", "30"}, exitOK, "", ""},
		{[]string{"set", path, "cameras.b", "{ url: 'rtsp://h/3', streams: { wide: 'rtsp://h/4' } }"}, exitOK, "", ""},
		{[]string{"check", "--without-secrets", path}, exitOK, "2 cameras, 4 streams: good\n", ""},
		{[]string{"unset", path, "cameras.b.streams"}, exitOK, "", ""},
		{[]string{"set", path, "cameras.a.transport", "tpc"}, exitBadSetup, "", "nvrfs: " + path + ":7:16: after the change: cameras.a.transport: \"tpc\"; want tcp, udp, auto, multicast or http\n"},
		{[]string{"unset", path, "data"}, exitBadSetup, "", "nvrfs: " + path + ":1:1: after the change: data: is missing; add one such as data: /var/lib/nvrfs\n"},
		{[]string{"unset", path + "x", "data"}, exitBadSetup, "", "nvrfs: " + path + "x: no such file or directory\n"},
		{[]string{"set", path, "data"}, exitBadSetup, "", "nvrfs: missing argument: want FILE PATH VALUE; see: nvrfs config set --help\n"},
		{[]string{"chekc", path}, exitBadSetup, "", "nvrfs: unknown command \"chekc\"; did you mean \"check\"? See: nvrfs config --help\n"},
	}
	for _, tt := range tests {
		code, stdout, stderr := runCommand(t, t.Context(), nil, append([]string{"config"}, tt.args...)...)
		if code != tt.code || stdout != tt.stdout || stderr != tt.stderr {
			t.Errorf("%q: exit %d\n got %q %q\nwant %q %q", tt.args, code, stdout, stderr, tt.stdout, tt.stderr)
		}
	}
	const want = text + "    retain: { days: 30 }\n  b: { url: 'rtsp://h/3' }\n"
	if got, err := os.ReadFile(path); string(got) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
}

func TestUnreadableConfig(t *testing.T) {
	t.Chdir(t.TempDir())
	for path, why := range map[string]string{"nvrfs.yaml": "no such file or directory", ".": "is a directory"} {
		code, _, stderr := runCommand(t, t.Context(), nil, "run", "--config", path)
		want := "nvrfs: " + path + ": " + why + "; name a readable configuration file with --config\n"
		if code != exitBadSetup || stderr != want {
			t.Errorf("exit %d\n got %swant %s", code, stderr, want)
		}
	}
}
