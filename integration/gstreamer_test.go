package integration

import (
	"cmp"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestGStreamer records GStreamer's RTSP server, which knows nothing of nvrfs, over TCP and over UDP, with a password that
// takes care to put in a URL.
func TestGStreamer(t *testing.T) {
	needMounts(t)
	needTools(t, "ffmpeg", "ffprobe")
	t.Parallel()
	const password = "s#cret/p@ss:w%41"
	port := startGStreamer(t, "admin", password, "tcp", "udp")
	url := fmt.Sprintf("rtsp://admin:${CAMERA_PASSWORD}@127.0.0.1:%s/", port)
	s := newSite(t, "recording: { length: 3s, sync: 1s }\ncameras:\n"+
		"  tcp: { url: '"+url+"tcp', transport: tcp }\n"+
		"  udp: { url: '"+url+"udp', transport: udp }\n")
	cmd := nvrfs("run", "--config", s.config, "--log-level", "debug")
	cmd.Env = append(cmd.Env, "CAMERA_PASSWORD="+password)
	p := start(t, cmd)
	for _, label := range []string{"tcp", "udp"} {
		waitFor(t, 60*time.Second, "three recordings of "+label, func() bool {
			paths := s.entries(t, label)
			return len(paths) > 0 && len(s.info(t, paths[len(paths)-1]).Recordings) >= 3
		})
	}
	p.stop(t, syscall.SIGINT)
	s.checkClean(t)

	s.mount(t)
	for _, label := range []string{"tcp", "udp"} {
		for _, path := range s.entries(t, label) {
			checkFile(t, path)
			checkTracks(t, path, "h264", "aac")
		}
	}
	if spans := s.spans(t, "udp"); len(spans) != 1 {
		t.Errorf("over UDP there are gaps: %+v", spans)
	}
	for _, shown := range []string{p.stdout.String(), p.stderr.String(), string(readFile(t, s.mnt+"/.nvrfs/status.json"))} {
		if strings.Contains(shown, password) || strings.Contains(shown, "s%23cret") {
			t.Errorf("the password is shown: %s", shown)
		}
	}
}

// TestGStreamerLookingAhead records cameras whose first sender reports may be wrong by seconds: when more have come, sound and
// picture are in step.
func TestGStreamerLookingAhead(t *testing.T) {
	needMounts(t)
	needTools(t, "ffprobe")
	t.Parallel()
	labels := []string{"ahead-1", "ahead-2", "ahead-3"}
	port := startGStreamer(t, "admin", "secret", labels...)
	config := "cameras:\n"
	for _, label := range labels {
		config += fmt.Sprintf("  %s: { url: 'rtsp://admin:secret@127.0.0.1:%s/%s' }\n", label, port, label)
	}
	s := newSite(t, config)
	p := s.record(t)
	for _, label := range labels {
		// Reports come every five seconds or so, and three of each track confirm each other.
		waitFor(t, 90*time.Second, "half a minute of "+label, func() bool {
			paths := s.entries(t, label)
			return len(paths) > 0 && s.info(t, paths[len(paths)-1]).length() > 30*time.Second
		})
	}
	p.stop(t, syscall.SIGINT)
	s.checkClean(t)
	for _, label := range labels {
		files := s.sampleFiles(t, label)
		checkTracks(t, files[len(files)-1], "h264", "aac")
	}
}

// TestGStreamerCodecs records what else than H.264 with AAC is recorded, and has players play it.
func TestGStreamerCodecs(t *testing.T) {
	needMounts(t)
	needTools(t, "ffmpeg", "ffprobe", "mpv", "vlc", "gst-launch-1.0")
	t.Parallel()
	playGStreamer(t, map[string][]string{
		"h264-opus":    {"h264", "opus"},
		"h265-pcma":    {"hevc", "pcm_alaw"},
		"main10-mute":  {"hevc"},
		"opengop-pcmu": {"hevc", "pcm_mulaw"},
		"mjpeg-l16":    {"mjpeg", "flac"},
	}, nil)
}

// playGStreamer records GStreamer's cameras, whose tracks are of codecs, by path, as ffprobe calls them, and others that have none, until
// the recorder's log says what it is to say. Then it has players play what was recorded.
func playGStreamer(t *testing.T, codecs map[string][]string, others map[string]string) {
	labels := slices.Sorted(maps.Keys(codecs))
	all := slices.Concat(labels, slices.Collect(maps.Keys(others)))
	port := startGStreamer(t, "admin", "secret", all...)
	config := "recording: { length: 3s, sync: 1s }\ncameras:\n"
	for _, label := range all {
		config += fmt.Sprintf("  %s: { url: 'rtsp://admin:secret@127.0.0.1:%s/%[1]s' }\n", label, port)
	}
	s := newSite(t, config)
	p := s.record(t)
	for label, says := range others {
		waitFor(t, 60*time.Second, "a word about "+label, func() bool { return strings.Contains(p.stderr.String(), says) })
	}
	for _, label := range labels {
		waitFor(t, 60*time.Second, "three recordings of "+label, func() bool {
			paths := s.entries(t, label)
			return len(paths) > 0 && len(s.info(t, paths[len(paths)-1]).Recordings) >= 3
		})
	}
	s.stopUnmounted(t, p)
	s.checkClean(t)
	s.mount(t, allowOthers()...)
	for _, label := range labels {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			checkAllFiles(t, s, label)
			for _, path := range s.entries(t, label) {
				checkTracks(t, path, codecs[label]...)
				playInMPV(t, path)
				playInVLC(t, path)
				playInGStreamer(t, path)
			}
		})
	}
}

// startGStreamer starts a server, and returns its port.
func startGStreamer(t *testing.T, user, password string, paths ...string) (port string) {
	t.Helper()
	const python = "/usr/bin/python3" // the distribution's, which has its modules
	probe := `import gi; gi.require_version("GstRtspServer", "1.0"); from gi.repository import GstRtspServer`
	if out, err := exec.Command(python, "-c", probe).CombinedOutput(); err != nil {
		t.Skipf("GStreamer's RTSP server is missing: %v\n%s", err, out)
	}
	cmd := command(python, append([]string{"testdata/camera.py", user, password}, paths...)...)
	cmd.Env = append(cmd.Env, "CLIPS="+h265Clips(t, paths))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, cmd)
	t.Cleanup(func() {
		stdin.Close()
		p.await(t, stopDeadline)
	})
	waitFor(t, 20*time.Second, "a server's port", func() bool {
		if p.over() {
			t.Fatalf("%s ended: %s", p, &p.stderr)
		}
		port = strings.TrimSpace(p.stdout.String())
		return port != ""
	})
	return port
}

// h265Clips returns a directory of the clips of H.265 that paths ask for, of a minute each.
func h265Clips(t *testing.T, paths []string) string {
	dir := tempDir(t)
	for word, options := range map[string][]string{
		"h265":    {"-pix_fmt", "yuv420p", "-x265-params", "log-level=error:keyint=25:bframes=2:open-gop=0"},
		"main10":  {"-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error:keyint=25:bframes=2:open-gop=0"},
		"opengop": {"-pix_fmt", "yuv420p", "-x265-params", "log-level=error:keyint=25:bframes=2:open-gop=1"},
	} {
		if !slices.ContainsFunc(paths, func(p string) bool { return slices.Contains(strings.Split(p, "-"), word) }) {
			continue
		}
		args := append([]string{"-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=60", "-c:v", "libx265", "-preset", "ultrafast"}, options...)
		mustRun(t, command("ffmpeg", append(args, filepath.Join(dir, word+".mp4"))...))
	}
	return dir
}

// checkTracks checks which tracks a file has, that picture and sound start and end together, and that no frame of the picture, which
// is the first of two tracks, is missing.
func checkTracks(t *testing.T, path string, codecs ...string) {
	t.Helper()
	tracks := probe(t, path)
	var got []string
	for _, track := range tracks {
		got = append(got, track.codec)
	}
	if !slices.Equal(got, codecs) {
		t.Fatalf("%s: the tracks are %v, want %v", path, got, codecs)
	}
	if len(tracks) < 2 {
		return
	}
	var start, end [2]float64
	for i, track := range tracks {
		byTime := func(a, b packet) int { return cmp.Compare(a.pts, b.pts) }
		start[i], _ = track.seconds(slices.MinFunc(track.packets, byTime).pts).Float64()
		end[i], _ = track.seconds(slices.MaxFunc(track.packets, byTime).pts).Float64()
	}
	const most = 0.25 // seconds
	if d := start[1] - start[0]; d < -most || d > most {
		t.Errorf("%s: the sound starts %.3f s after the picture", path, d)
	}
	if d := end[1] - end[0]; d < -most || d > most {
		t.Errorf("%s: the sound ends %.3f s after the picture", path, d)
	}
	const bframes = 2 // that may not have come yet at the end, behind the frame that they lead up to
	seconds := end[0] - start[0]
	if n, want := len(tracks[0].packets), int(seconds*25+0.5)+1; n < want-bframes || n > want {
		t.Errorf("%s: %d frames in %.3f s, want %d", path, n, seconds, want)
	}
}

// TestGStreamerSound records every sound that is recorded, each of a camera without a picture, and has players play it.
func TestGStreamerSound(t *testing.T) {
	needMounts(t)
	needTools(t, "ffmpeg", "ffprobe", "mpv", "vlc", "gst-launch-1.0")
	t.Parallel()
	playGStreamer(t, map[string][]string{
		"novideo-aac":  {"aac"},
		"novideo-latm": {"aac"},
		"novideo-l16":  {"flac"},
		"novideo-mp3":  {"mp3"},
		"novideo-opus": {"opus"},
		"novideo-pcma": {"pcm_alaw"},
		"novideo-pcmu": {"pcm_mulaw"},
	}, map[string]string{
		"h264-g722": "hardly any player reads G.722 in an mp4 file; set the camera's sound to ",
	})
}
