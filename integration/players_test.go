package integration

import (
	"os"
	"strings"
	"testing"
)

// playInMPV plays an entry to its end, as fast as it goes.
func playInMPV(t *testing.T, path string) {
	needTools(t, "mpv")
	r := run(t, command("mpv", "--no-config", "--terminal=yes", "--msg-level=all=warn", "--vo=null", "--ao=null", "--untimed", path))
	if r.code != 0 || r.stderr != "" || r.stdout != "" {
		t.Error(r)
	}
}

// playInVLC plays an entry to its end, in real time. VLC does not run as root.
func playInVLC(t *testing.T, path string) {
	needTools(t, "vlc")
	cmd := command("vlc", "--intf", "dummy", "--no-dbus", "--vout", "dummy", "--aout", "dummy", "--no-loop", "--play-and-exit", path)
	cmd.Env = append(cmd.Env, "HOME="+tempDir(t))
	if os.Geteuid() == 0 {
		needNobody(t)
		cmd = asNobody(cmd)
	}
	r := run(t, cmd)
	if r.code != 0 {
		t.Error(r)
	}
	for line := range strings.Lines(r.stderr) {
		if low := strings.ToLower(line); strings.Contains(low, "error") || strings.Contains(low, "cannot") {
			t.Errorf("VLC says: %s", line)
		}
	}
}
