package integration

import (
	"errors"
	"os"
	"path/filepath"
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
	waitFor(t, 20*time.Second, "a second entry", func() bool { return len(s.entries(t, "cam")) >= 2 })
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
		return all >= 2
	})
	// A gap of up to two seconds is within an entry and a span, a longer one between two.
	reason := s.spans(t, "cam")[0].EndReason
	if gaps := s.info(t, s.entries(t, "cam")[0]).Gaps; len(gaps) > 0 {
		reason = gaps[0].Reason
	}
	if !strings.Contains(reason, "the camera closed the connection") {
		t.Errorf("the first run ended since %q", reason)
	}
	s.stopUnmounted(t, p)
	spans := s.spans(t, "cam")
	last := spans[len(spans)-1]
	if table := mustRun(t, nvrfs("ls", "--config", s.config, "cam", last.Start.Format(time.DateOnly))); last.EndReason != "stopped" || !strings.Contains(table, " stopped") {
		t.Errorf("the last run ended since %q:\n%s", last.EndReason, table)
	}
	s.checkClean(t)
	s.mount(t)
	for _, path := range s.entries(t, "cam") {
		checkFile(t, path)
	}
}

// TestDiskAway stops nvrfs and starts it again while the disk of one of two cameras is not mounted: the other one is
// recorded, and when the disk is there, its camera is recorded and shown without another start.
func TestDiskAway(t *testing.T) {
	needMounts(t)
	t.Parallel()
	front, barn := play(t, cameraOf("cam")), play(t, cameraOf("cam"))
	s := newSite(t, "recording: { sync: 500ms }\ncameras:\n  front: { url: "+front.URL()+" }\n"+
		"  barn: { url: "+barn.URL()+", samples: disk }\n")
	disk := filepath.Join(s.dir, "disk")
	p := s.record(t)
	s.newest(t, "front", 20*time.Second)
	s.newest(t, "barn", 20*time.Second)
	s.stopUnmounted(t, p)
	if err := errors.Join(os.Rename(disk, disk+".away"), os.Mkdir(disk, 0o700)); err != nil {
		t.Fatal(err)
	}
	again := time.Now()
	recorded := func(label string) bool {
		spans := s.spans(t, label)
		return len(spans) > 0 && spans[len(spans)-1].End.After(again.Add(2*time.Second))
	}
	p = s.record(t)
	p.says(t, 10*time.Second, "a sample directory is not there")
	waitFor(t, 20*time.Second, "more footage of front", func() bool { return recorded("front") })
	if recorded("barn") {
		t.Error("there is footage on a disk that is away")
	}
	if err := errors.Join(os.Remove(disk), os.Rename(disk+".away", disk)); err != nil {
		t.Fatal(err)
	}
	p.says(t, 15*time.Second, "its streams start")
	waitFor(t, 20*time.Second, "more footage of barn", func() bool { return recorded("barn") })
	for _, path := range s.entries(t, "barn") {
		checkBoxes(t, path)
	}
	s.stopUnmounted(t, p)
	s.checkClean(t)
}

// TestH265 records an H.265 camera with open GOPs beside one with two streams, and holds every picture against those of the clip.
func TestH265(t *testing.T) {
	needMounts(t)
	needTools(t, "ffmpeg", "ffprobe")
	t.Parallel()
	dir := tempDir(t)
	if !strings.Contains(mustRun(t, command("ffmpeg", "-v", "error", "-encoders")), "libx265") {
		t.Skip("ffmpeg has no encoder for H.265")
	}
	h265 := dir + "/h265.mp4"
	mustRun(t, command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=2",
		"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=10:open-gop=1:bframes=3", "-pix_fmt", "yuv420p", h265))
	cam := play(t, camera.Options{Clip: clip(t, h265)})
	two := cameraOf("high")
	two.Others = map[string]*camera.Clip{"low": camera.DemoClip()}
	good := play(t, two)
	s := newSite(t, "recording: { sync: 500ms }\ncameras:\n  h265: { url: "+cam.URL()+" }\n"+
		"  good: { url: "+good.URL()+", sub: "+good.OtherURL("low")+" }\n")
	p := s.record(t)
	s.newest(t, "good", 20*time.Second)
	if path := s.newest(t, "good.sub", 20*time.Second); !strings.Contains(path, "/good.sub_") {
		t.Errorf("the entry of the second stream is %s", path)
	}
	waitFor(t, 30*time.Second, "three laps of the clip", func() bool {
		paths := s.entries(t, "h265")
		return len(paths) > 0 && s.info(t, paths[len(paths)-1]).length() > 6*time.Second
	})
	s.stopUnmounted(t, p)
	s.checkClean(t)
	s.mount(t)
	shown := map[string]bool{}
	for _, f := range frames(t, h265) {
		shown[f.hash] = true
	}
	for _, path := range s.entries(t, "h265") {
		checkFile(t, path)
		checkTracks(t, path, "hevc")
		all := frames(t, path)
		for i, f := range all {
			if !shown[f.hash] {
				t.Errorf("picture %d of %d of %s is none of the clip", i, len(all), path)
			}
		}
		if len(all) < 150 {
			t.Errorf("%s has %d pictures", path, len(all))
		}
	}
}
