package integration

import (
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"nvrfs/camera"
)

// A recorded camera is one that played a known file once.
type recorded struct {
	label string // of the camera
	file  string // that it played
}

// TestRecorded records cameras that play known files, and holds what is mounted then against those files.
func TestRecorded(t *testing.T) {
	needMounts(t)
	needTools(t, "ffmpeg", "ffprobe")
	t.Parallel()
	dir := tempDir(t)
	cameras := []recorded{
		{"demo", "../camera/clip.mp4"},
		{"bframes", generate(t, dir, "bframes.mp4", "30000/1001", "-bf", "3", "-g", "20")},
		{"silent", generate(t, dir, "silent.mp4", "15", "-bf", "0", "-g", "15", "-an")},
		{"av1", generate(t, dir, "av1.mp4", "25", "-c:v", "libaom-av1", "-profile:v", "main", "-usage", "realtime", "-cpu-used", "8", "-g", "25", "-c:a", "libopus", "-ar", "48000")},
	}
	s := recordOnce(t, cameras)

	// What was recorded is looked at through another mount, in another process.
	s.mount(t, allowOthers()...)
	for _, c := range cameras {
		t.Run("packets/"+c.label, func(t *testing.T) { t.Parallel(); comparePackets(t, s, c) })
		t.Run("files/"+c.label, func(t *testing.T) { t.Parallel(); checkAllFiles(t, s, c.label) })
		t.Run("ranges/"+c.label, func(t *testing.T) { t.Parallel(); readRanges(t, s, c.label) })
		if c.label == "av1" {
			continue // ffmpeg's decoder shows the frames before the cut, which the edit list hides: dav1d's wrapper of 5.1 does not know of them
		}
		t.Run("frames/"+c.label, func(t *testing.T) { t.Parallel(); cutFrames(t, s, c) })
	}
	t.Run("mpv", func(t *testing.T) { t.Parallel(); playInMPV(t, s.entries(t, "bframes")[0]) })
	t.Run("vlc", func(t *testing.T) { t.Parallel(); playInVLC(t, s.entries(t, "demo")[0]) })
	t.Run("gstreamer", func(t *testing.T) {
		t.Parallel()
		playInGStreamer(t, s.entries(t, "bframes")[0])
		playInGStreamer(t, s.entries(t, "av1")[0])
	})
	t.Run("export", func(t *testing.T) { t.Parallel(); exportOnce(t, s, "demo") })
	t.Run("list", func(t *testing.T) { t.Parallel(); list(t, s, cameras) })
	t.Run("damage", func(t *testing.T) { t.Parallel(); damage(t, s) })
}

// generate has ffmpeg make a file of 16 s, with sound of 44.1 kHz.
func generate(t *testing.T, dir, name, rate string, options ...string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	args := []string{
		"-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=480x270:rate=" + rate + ":duration=16",
		"-f", "lavfi", "-i", "sine=frequency=440:beep_factor=4:sample_rate=44100:duration=16",
		"-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k",
	}
	mustRun(t, command("ffmpeg", append(append(args, options...), path)...))
	return path
}

// recordOnce records all of what the cameras play, in recordings of about 3 s, and stops. A recording ends at the first sync
// sample behind its length, so that with a second between these it takes 2 s to get 3, wherever the quarter of an hour ends.
func recordOnce(t *testing.T, cameras []recorded) site {
	t.Helper()
	yaml := "recording: { length: 2s, sync: 1s }\ncameras:\n"
	var playing []*camera.Server
	for _, c := range cameras {
		server := play(t, camera.Options{Clip: clip(t, c.file), Once: true, StartOnPlay: true})
		playing = append(playing, server)
		yaml += "  " + c.label + ": { url: " + server.URL() + " }\n"
	}
	s := newSite(t, yaml)
	p := s.record(t)
	for i, c := range cameras {
		waitFor(t, 40*time.Second, "the end of what "+c.label+" plays", func() bool {
			select {
			case <-playing[i].Done():
				return true
			default:
				return false
			}
		})
		s.waitEnded(t, c.label, 15*time.Second)
	}
	s.stopUnmounted(t, p)
	s.checkClean(t)
	return s
}

// comparePackets compares the entries of a camera, in their order, with the file that it played: the same packets in the
// same order, at the same times. Sound from before the first picture has no place in a recording.
func comparePackets(t *testing.T, s site, c recorded) {
	want := probe(t, c.file)
	recordings := 0
	for _, path := range s.entries(t, c.label) {
		recordings += len(s.info(t, path).Recordings)
		got := probe(t, path)
		if len(got) != len(want) {
			t.Fatalf("%s has %d tracks, want %d", path, len(got), len(want))
		}
		if len(got) > 1 {
			dropPriming(&got[1], &want[1])
		}
		origin := [2]*big.Rat{got[0].seconds(got[0].packets[0].pts), want[0].seconds(want[0].packets[0].pts)}
		for i := range got {
			n := comparePrefix(t, path, &got[i], &want[i], origin)
			want[i].packets = want[i].packets[n:]
		}
	}
	for _, w := range want {
		if n := len(w.packets); n > 0 {
			t.Errorf("the last %d packets of %s are missing", n, w.kind)
		}
	}
	if recordings < 5 {
		t.Errorf("%d recordings, want at least 5", recordings)
	}
}

// dropPriming drops an AAC encoder's priming from the packets that are wanted, if it was dropped by the recorder.
func dropPriming(got, want *track) {
	if first := want.packets[0]; first.pts < 0 && len(got.packets) > 0 && got.packets[0].hash != first.hash {
		want.packets = want.packets[1:]
	}
}

// comparePrefix compares all packets of got with as many of want, times counted from an origin each, and returns how many
// they are. Times may differ by a tick: of the file that was played, of the RTP clock, or of the recording.
func comparePrefix(t *testing.T, path string, got, want *track, origin [2]*big.Rat) int {
	t.Helper()
	if got.codec != want.codec || len(got.packets) > len(want.packets) {
		t.Fatalf("%s: %d packets of %s, want at most %d of %s", path, len(got.packets), got.codec, len(want.packets), want.codec)
	}
	tick := new(big.Rat).Set(got.tick)
	if want.tick.Cmp(tick) > 0 {
		tick.Set(want.tick)
	}
	for i, p := range got.packets {
		w := want.packets[i]
		if p.hash != w.hash {
			t.Fatalf("%s: %s packet %d is another one", path, got.kind, i)
		}
		apart := new(big.Rat).Sub(got.seconds(p.pts), origin[0])
		apart.Sub(apart, new(big.Rat).Sub(want.seconds(w.pts), origin[1]))
		if apart.Abs(apart).Cmp(tick) > 0 {
			t.Fatalf("%s: %s packet %d is %s s off", path, got.kind, i, apart.FloatString(6))
		}
	}
	return len(got.packets)
}
