package integration

import (
	"strings"
	"testing"
	"time"

	"nvrfs/camera"
)

// TestSilent records a camera that falls silent but stays connected: the session is given up after ten seconds, and the
// camera is recorded again when it is back.
func TestSilent(t *testing.T) {
	needMounts(t)
	t.Parallel()
	cam := play(t, cameraOf("cam"))
	s := newSite(t, "recording: { sync: 500ms }\ncameras: { cam: { url: "+cam.URL()+" } }\n")
	p := s.record(t)
	s.newest(t, "cam", 20*time.Second)
	cam.Mute(true)
	begun := time.Now()
	p.says(t, 20*time.Second, "the camera was silent")
	if d := time.Since(begun); d < 9*time.Second || d > 14*time.Second {
		t.Errorf("the session was given up after %v, want 10 s", d)
	}
	cam.Mute(false)
	p.says(t, 20*time.Second, "recording again")
	waitFor(t, 20*time.Second, "two entries", func() bool { return len(s.entries(t, "cam")) == 2 })
	spans := s.spans(t, "cam")
	if len(spans) != 2 || !strings.Contains(spans[0].EndReason, "silent") || spans[1].EndReason != "" || spans[1].Gap < 9 {
		t.Errorf("there is %+v, want a gap of ten seconds", spans)
	}
	for _, path := range s.entries(t, "cam") {
		checkBoxes(t, path)
	}
	s.stopUnmounted(t, p)
	s.checkClean(t)
}

// TestDropped records a camera that hangs up: it is recorded again at once.
func TestDropped(t *testing.T) {
	needMounts(t)
	needTools(t, "ffmpeg", "ffprobe")
	t.Parallel()
	cam := play(t, cameraOf("cam"))
	s := newSite(t, "recording: { sync: 500ms }\ncameras: { cam: { url: "+cam.URL()+" } }\n")
	p := s.record(t)
	s.newest(t, "cam", 20*time.Second)
	cam.Drop()
	p.says(t, 10*time.Second, "the camera closed the connection")
	p.says(t, 10*time.Second, "recording again")
	waitFor(t, 10*time.Second, "footage behind the gap", func() bool {
		all := 0
		for _, path := range s.entries(t, "cam") {
			all += len(s.info(t, path).Recordings)
		}
		return all == 2
	})
	day := s.spans(t, "cam")[0].Start.Format(time.DateOnly)
	table := mustRun(t, nvrfs("ls", "--config", s.config, "cam", day))
	s.stopUnmounted(t, p)
	table += mustRun(t, nvrfs("ls", "--config", s.config, "cam", day))
	if !strings.Contains(table, "the camera closed the connection") && !strings.Contains(table, "stopped") {
		t.Errorf("ls does not tell why the runs ended:\n%s", table)
	}
	s.checkClean(t)
	s.mount(t)
	for _, path := range s.entries(t, "cam") {
		checkFile(t, path)
	}
}

// TestH265 tries to record an H.265 camera, which the log says cannot be done, beside one that can.
func TestH265(t *testing.T) {
	needMounts(t)
	needTools(t, "ffmpeg")
	t.Parallel()
	dir := tempDir(t)
	if !strings.Contains(mustRun(t, command("ffmpeg", "-v", "error", "-encoders")), "libx265") {
		t.Skip("ffmpeg has no encoder for H.265")
	}
	h265 := dir + "/h265.mp4"
	mustRun(t, command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=2",
		"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p", h265))
	cam := play(t, camera.Options{Clip: clip(t, h265)})
	good := play(t, cameraOf("good"))
	s := newSite(t, "recording: { sync: 500ms }\ncameras:\n  h265: { url: "+cam.URL()+" }\n  good: { url: "+good.URL()+" }\n")
	p := s.record(t)
	p.says(t, 10*time.Second, "the camera offers H265; set it to H.264")
	s.newest(t, "good", 20*time.Second)
	if paths := s.entries(t, "h265"); len(paths) > 0 {
		t.Errorf("there are entries: %v", paths)
	}
	s.stopUnmounted(t, p)
	s.checkClean(t)
}
