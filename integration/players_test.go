package integration

import (
	"os"
	"strings"
	"testing"
)

// playInMPV plays an entry to its end, as fast as it goes, so that sound and picture do not wait for each other.
func playInMPV(t *testing.T, path string) {
	needTools(t, "mpv")
	r := run(t, command("mpv", "--no-config", "--terminal=yes", "--msg-module", "--msg-level=all=warn,cplayer=info",
		"--untimed", "--vo=null", "--ao=pcm", "--ao-pcm-file=/dev/null", path))
	if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "Exiting... (End of file)") {
		t.Error(r)
	}
	for line := range strings.Lines(r.stdout) {
		if module, _, _ := strings.Cut(line, ":"); strings.TrimSpace(module) != "cplayer" {
			t.Errorf("mpv says: %s", line)
		}
	}
}

// playInVLC plays an entry to its end, at four times its speed. VLC does not run as root.
func playInVLC(t *testing.T, path string) {
	needTools(t, "vlc")
	cmd := command("vlc", "--intf", "dummy", "--no-dbus", "--vout", "dummy", "--aout", "dummy", "--file-caching", "10000",
		"--rate", "4", "--no-loop", "--play-and-exit", path)
	cmd.Env = append(cmd.Env, "HOME=/nonexistent")
	if os.Geteuid() == 0 {
		needNobody(t)
		cmd = asNobody(cmd)
	}
	r := run(t, cmd)
	if r.code != 0 || !strings.Contains(r.stderr, "end of playlist, exiting") {
		t.Error(r)
	}
	for line := range strings.Lines(r.stderr) {
		aboutItself := strings.Contains(line, "interface") || strings.Contains(line, "called too late")
		if strings.Contains(line, "error") && !aboutItself {
			t.Errorf("VLC says: %s", line)
		}
	}
}
