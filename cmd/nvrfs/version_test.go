package main

import (
	"regexp"
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	modified := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	tests := []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{"module", debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3"},
		{"commit", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{revision}}, "development 0123456789ab"},
		{"changed commit", debug.BuildInfo{Settings: []debug.BuildSetting{revision, modified}}, "development 0123456789ab modified"},
		{"neither", debug.BuildInfo{}, "development"},
	}
	for _, tt := range tests {
		if got := versionOf(&tt.info); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestVersionCommand(t *testing.T) {
	code, stdout, stderr := runCommand(t, t.Context(), nil, "version")
	want := regexp.MustCompile(`^nvrfs +\S.*\ngo +go1\.\S+ \w+/\w+\nsqlite +3\.\d+\.\d+\n(go-fuse +v2\.\S+\n)?(gortsplib +v5\.\S+\n)?$`)
	if code != exitOK || !want.MatchString(stdout) || stderr != "" {
		t.Errorf("exit %d, stderr %q, stdout:\n%s", code, stderr, stdout)
	}
	if code, stdout, _ := runCommand(t, t.Context(), nil, "--version"); code != exitOK || stdout != "nvrfs "+buildVersion()+"\n" {
		t.Errorf("--version: exit %d, %q", code, stdout)
	}
}
