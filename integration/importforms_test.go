package integration

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestImportForms imports the picture and sound of files in the forms that other recorders write, and decodes both: what comes out
// of nvrfs is what was in the file.
func TestImportForms(t *testing.T) {
	needTools(t, "ffmpeg", "ffprobe")
	t.Parallel()
	dir := tempDir(t)
	tall := func(name, rate string, options ...string) string {
		return generate(t, dir, name, rate, append([]string{"-s", "320x180", "-g", "25", "-bf", "0"}, options...)...)
	}
	fragmented := []string{"-movflags", "frag_keyframe+empty_moov+default_base_moof"}
	files := map[string]string{
		"fragments":         tall("fragments.mp4", "25", append(fragmented, "-bf", "2")...),
		"fragment-a-frame":  tall("every.mp4", "25", "-movflags", "frag_every_frame+empty_moov", "-bf", "0", "-an"),
		"hybrid":            tall("hybrid.mp4", "30000/1001", "-movflags", "frag_keyframe", "-bf", "2"),
		"signed-offsets":    tall("signed.mp4", "25", "-movflags", "frag_keyframe+empty_moov+negative_cts_offsets", "-bf", "2"),
		"sets-in-band":      tall("avc3.mp4", "25", append(fragmented, "-tag:v", "avc3", "-bsf:v", "dump_extra")...),
		"rotated":           tall("rotated.mp4", "25", "-metadata:s:v:0", "rotate=90"),
		"rotated-fragments": tall("rotated-fragments.mp4", "25", append(fragmented, "-metadata:s:v:0", "rotate=180")...),
		"mjpeg":             tall("mjpeg.mov", "10", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-profile:v", "-99"),
		"alaw":              tall("alaw.mov", "25", "-ar", "8000", "-c:a", "pcm_alaw"),
		"mulaw-fragments":   tall("mulaw.mov", "25", append(fragmented, "-ar", "8000", "-c:a", "pcm_mulaw")...),
		"stereo-alaw":       tall("alaw2.mov", "25", "-ar", "8000", "-ac", "2", "-c:a", "pcm_alaw"),
		"sowt":              tall("sowt.mov", "25", "-c:a", "pcm_s16le"),
		"twos-fragments":    tall("twos.mov", "25", append(fragmented, "-c:a", "pcm_s16be", "-ac", "2")...),
		"in24":              tall("in24.mov", "25", "-c:a", "pcm_s24le"),
		"flac":              tall("flac.mp4", "25", "-strict", "-2", "-c:a", "flac"),
	}
	s := importSite(t)
	for label, file := range files {
		if said := s.importFile(t, label, file, "--start", "2026-03-01 13:59:52"); !strings.Contains(said, label+": ") {
			t.Errorf("%s: it says %q", label, said)
		}
	}
	checkHash(t, s)
	for label, file := range files {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(dir, label+"-out.mp4")
			mustRun(t, nvrfs("export", "--config", s.config, label, "2026-03-01", "2026-03-02", "-o", out))
			checkFile(t, out)
			got, want := frames(t, out), frames(t, file)
			if len(got) != len(want) {
				t.Fatalf("%d pictures, want %d", len(got), len(want))
			}
			for i := range got {
				if got[i].hash != want[i].hash {
					t.Fatalf("picture %d is another one, or is not turned as it was", i)
				}
			}
			switch label {
			case "fragment-a-frame":
			case "sets-in-band", "fragments", "hybrid", "signed-offsets", "rotated", "rotated-fragments", "mjpeg": // what AAC has before the picture is gone
			default: // of files without B-frames, since what sounds before the first picture is shown has no place
				if got, want := soundOf(t, out), soundOf(t, file); got != want || !strings.Contains(got, "=") {
					t.Errorf("the sound is %s, want %s", got, want)
				}
			}
		})
	}
}

// soundOf returns the hash of the sound of a file, decoded.
func soundOf(t *testing.T, path string) string {
	t.Helper()
	return mustRun(t, command("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", "0:a", "-c:a", "pcm_s32le", "-f", "md5", "-"))
}
