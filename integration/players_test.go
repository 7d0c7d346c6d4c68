package integration

import (
	"os"
	"path/filepath"
	"strconv"
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

// playInGStreamer decodes an entry as GStreamer's own players do: every picture has to come, and all of the sound. Pictures are made
// small and written to a file, whose size tells how many there are.
func playInGStreamer(t *testing.T, path string) {
	needTools(t, "gst-launch-1.0")
	const rate = 48000
	converts := map[string]string{
		"video": "videoconvert ! videoscale ! video/x-raw,format=GRAY8,width=16,height=16",
		"audio": "audioconvert ! audioresample ! audio/x-raw,format=S16LE,channels=1,rate=" + strconv.Itoa(rate),
	}
	dir := tempDir(t)
	args := []string{"-q", "filesrc", "location=" + path, "!", "decodebin", "name=d"}
	tracks := probe(t, path)
	for _, track := range tracks {
		branch := "d. ! " + track.kind + "/x-raw ! queue ! " + converts[track.kind] + " ! filesink location=" + filepath.Join(dir, track.kind)
		args = append(args, strings.Fields(branch)...)
	}
	if r := run(t, command("gst-launch-1.0", args...)); r.code != 0 || r.stderr != "" {
		t.Error(r)
	}
	for _, track := range tracks {
		info, err := os.Stat(filepath.Join(dir, track.kind))
		if err != nil {
			t.Error(err)
			continue
		}
		if track.kind == "video" {
			if got, want := info.Size(), int64(16*16*len(track.packets)); got != want {
				t.Errorf("%s: GStreamer shows %d pictures of %d", path, got/(16*16), len(track.packets))
			}
			continue
		}
		ticks := int64(0)
		for _, p := range track.packets {
			ticks += p.lasts
		}
		got, most := float64(info.Size())/2/rate, 0.25 // the frames of a live camera may overlap
		if want, _ := track.seconds(ticks).Float64(); got < want-most || got > want+most {
			t.Errorf("%s: GStreamer plays %.2f s of sound, want %.2f", path, got, want)
		}
	}
}
