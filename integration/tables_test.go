package integration

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"nvrfs/camera"
	"nvrfs/integration/footage"
)

// TestRawSoundAndTurns mounts footage of a camera that sends mu-law, and whose parameter sets change with each GOP, as often as no
// decoder could guess them. Every picture and every byte of sound is what was sent, in the mount, in clips of it, and in the sample
// files; and all of it can be rebuilt from these.
func TestRawSoundAndTurns(t *testing.T) {
	needMounts(t)
	needTools(t, "ffmpeg", "ffprobe")
	t.Parallel()
	s := newSite(t, "")
	var files []string
	var clips []*camera.Clip
	for i, options := range [][]string{ // one and the same picture, of which no parameter set decodes another
		{"-profile:v", "main", "-x264-params", "repeat-headers=1:cabac=1"},
		{"-profile:v", "main", "-x264-params", "repeat-headers=1:cabac=0", "-level", "3.1"},
		{"-profile:v", "high", "-x264-params", "repeat-headers=1:cabac=1:8x8dct=1", "-level", "3.2"},
	} {
		file := filepath.Join(s.dir, fmt.Sprintf("%d.mp4", i))
		mustRun(t, command("ffmpeg", append(append([]string{
			"-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=7",
			"-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "25", "-sc_threshold", "0", "-pix_fmt", "yuv420p",
		}, options...), file)...))
		files, clips = append(files, file), append(clips, clip(t, file))
	}
	start := time.Date(2026, 11, 20, 14, 0, 5, 0, time.UTC)
	const laps = 3
	makeFootage(t, s.data, footage.Camera{
		Name: "cam", Start: start, Duration: laps * 7 * time.Second, RecordingLength: 5 * time.Second, Clip: clips[0], Turns: clips[1:], MuLaw: true,
	})
	p := s.mount(t, allowOthers()...)
	entries := s.entries(t, "cam")
	if len(entries) != 1 {
		t.Fatalf("entries are %v, want one", entries)
	}
	var want []string // the pictures of a lap
	for i := range 7 {
		of := frames(t, files[i%3])
		for _, f := range of[i*25 : (i+1)*25] {
			want = append(want, f.hash)
		}
	}
	want = slices.Repeat(want, laps)
	checkPictures(t, entries[0], want)
	sound := bytes.Repeat(footage.MuLaw(7*8000), laps)
	checkMuLaw(t, entries[0], sound)
	report := checkFile(t, entries[0])
	if n := len(report.Tracks[0].Entries); n != 3 {
		t.Errorf("%d sample entries, want 3", n)
	}
	if codecs := s.info(t, entries[0]).Codecs; len(codecs) != 4 || codecs[3] != "ulaw" {
		t.Errorf("codecs are %q", codecs)
	}
	checkAllFiles(t, s, "cam")
	t.Run("a clip", func(t *testing.T) {
		path := filepath.Join(s.mnt, ".nvrfs", "clips", "cam", "2026-11-20_14-00-07--2026-11-20_14-00-19.mp4")
		checkFile(t, path)
		checkPictures(t, path, want[2*25:14*25])
		checkMuLaw(t, path, sound[2*8000:14*8000])
	})
	t.Run("players", func(t *testing.T) {
		playInMPV(t, entries[0])
		playInVLC(t, entries[0])
	})
	t.Run("sample files", func(t *testing.T) {
		first := s.sampleFiles(t, "cam")[0]
		checkPictures(t, first, want[:5*25])
		checkMuLaw(t, first, sound[:5*8000])
	})
	before := s.shown(t, "cam")
	s.stopUnmounted(t, p)
	checkHash(t, s)
	if err := os.Rename(filepath.Join(s.data, "nvrfs.db"), filepath.Join(s.dir, "nvrfs.db")); err != nil {
		t.Fatal(err)
	}
	mustRun(t, nvrfs("rebuild", "--data", s.data))
	checkHash(t, s)
	p = s.mount(t, allowOthers()...)
	defer s.stopUnmounted(t, p)
	if after := s.shown(t, "cam"); after != before {
		t.Errorf("before rebuilding:\n%s\nafter it:\n%s", before, after)
	}
}

// shown says what there is to be seen of the entries of a camera, and of the information about them.
func (s site) shown(t *testing.T, label string) string {
	t.Helper()
	var b strings.Builder
	for _, path := range s.entries(t, label) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(s.mnt, path)
		fmt.Fprintf(&b, "%s: %v, inode %d, SHA-256 %x\n%s\n", name, info.ModTime(), info.Sys().(*syscall.Stat_t).Ino,
			sha256.Sum256(readFile(t, path)), readFile(t, filepath.Join(s.mnt, ".nvrfs", "info", name+".json")))
	}
	return b.String()
}

// checkPictures decodes a file: it shows the pictures, and no others.
func checkPictures(t *testing.T, path string, want []string) {
	t.Helper()
	var got []string
	for _, f := range frames(t, path) {
		got = append(got, f.hash)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s shows %d pictures, or others, want %d", path, len(got), len(want))
	}
}

// checkMuLaw holds the sound of a file, as it lies there and as it is decoded, against what was sent.
func checkMuLaw(t *testing.T, path string, want []byte) {
	t.Helper()
	raw := filepath.Join(tempDir(t), "sound.ul")
	writeFile(t, raw, string(want))
	stored := mustRun(t, command("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", "0:a", "-c", "copy", "-f", "mulaw", "-"))
	if d := firstDifference([]byte(stored), want); d != "" {
		t.Errorf("%s has other sound: %s", path, d)
	}
	pcm := func(args ...string) string {
		return mustRun(t, command("ffmpeg", append(append([]string{"-nostdin", "-v", "error"}, args...), "-f", "s16le", "-")...))
	}
	if d := firstDifference([]byte(pcm("-i", path, "-map", "0:a")), []byte(pcm("-f", "mulaw", "-ar", "8000", "-i", raw))); d != "" {
		t.Errorf("%s sounds otherwise: %s", path, d)
	}
}
