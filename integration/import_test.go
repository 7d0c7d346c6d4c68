package integration

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// importSite is a site whose recordings are short.
func importSite(t *testing.T) site {
	t.Helper()
	return newSite(t, "recording: { length: 2s }\ncameras: { none: { url: rtsp://127.0.0.1:9/x } }\n")
}

// importFile has nvrfs import a file, and returns what it says.
func (s site) importFile(t *testing.T, label, file string, flags ...string) string {
	t.Helper()
	return mustRun(t, nvrfs(append([]string{"import", "--config", s.config, "--camera", label, file}, flags...)...))
}

// TestImport imports files that ffmpeg has made, and holds what is mounted then against them.
func TestImport(t *testing.T) {
	needMounts(t)
	needTools(t, "ffmpeg", "ffprobe")
	t.Parallel()
	dir := tempDir(t)
	x265 := []string{"-c:v", "libx265", "-x265-params", "log-level=error:keyint=20:min-keyint=20:open-gop=", "-preset", "ultrafast", "-s", "320x180"}
	hevc := func(openGOP, tag string, more ...string) []string {
		o := slices.Clone(x265)
		o[3] += openGOP
		return append(append(o, "-profile:v", "main", "-tag:v", tag), more...)
	}
	cameras := []recorded{
		{"demo", "../camera/clip.mp4"},
		{"bframes", generate(t, dir, "bframes.mp4", "30000/1001", "-bf", "3", "-g", "20")},
		{"silent", generate(t, dir, "silent.mp4", "30", "-bf", "0", "-g", "15", "-an")},
		{"mov", generate(t, dir, "mov.mov", "25", "-bf", "2", "-g", "20")},
		{"hevc", generate(t, dir, "hevc.mp4", "25", hevc("0", "hvc1")...)},
		{"hevc-open", generate(t, dir, "hevc-open.mp4", "24000/1001", hevc("1", "hev1", "-an")...)},
	}
	s := importSite(t)
	for i, c := range cameras {
		// One goes over the hour.
		start := time.Date(2026, 3, 1, 13, 59, 52+i, 0, time.UTC).Format(time.RFC3339)
		s.importFile(t, c.label, c.file, "--start", start)
	}
	whole := filepath.Join(dir, "export_2026-03-02_10-00-00.mp4")
	mustRun(t, nvrfs("export", "--config", s.config, "bframes", "2026-03-01", "2026-03-02", "-o", whole))
	s.importFile(t, "again", whole)
	cameras = append(cameras, recorded{"again", cameras[1].file})
	checkHash(t, s)

	s.mount(t, allowOthers()...)
	for _, c := range cameras {
		t.Run("packets/"+c.label, func(t *testing.T) { t.Parallel(); comparePackets(t, s, c) })
		t.Run("files/"+c.label, func(t *testing.T) {
			t.Parallel()
			if c.label != "hevc-open" {
				checkAllFiles(t, s, c.label)
				return
			}
			// Its edit lists last longer than their media by the pictures that lead a sync sample.
			for _, path := range append(s.entries(t, c.label), s.sampleFiles(t, c.label)...) {
				checkPlays(t, path)
			}
		})
		t.Run("frames/"+c.label, func(t *testing.T) { t.Parallel(); compareFrames(t, s, c) })
	}
	if entries := s.entries(t, "hevc"); len(entries) != 2 || !strings.HasSuffix(entries[1], "/14/hevc_2026-03-01_14-00-00.mp4") {
		t.Errorf("the entries of hevc are %v", entries)
	}
	t.Run("mpv", func(t *testing.T) { t.Parallel(); playInMPV(t, s.entries(t, "hevc")[0]) })
	t.Run("vlc", func(t *testing.T) { t.Parallel(); playInVLC(t, s.entries(t, "hevc-open")[0]) })
}

// checkHash has the closest check find no problem.
func checkHash(t *testing.T, s site) {
	t.Helper()
	if r := run(t, nvrfs("check", "--data", s.data, "--level", "hash")); r.code != 0 || !strings.Contains(r.stdout, "no problem") {
		t.Error(r)
	}
}

// compareFrames decodes the whole day of a camera, and the file that was imported: the same pictures in the same order.
func compareFrames(t *testing.T, s site, c recorded) {
	days, err := os.ReadDir(filepath.Join(s.mnt, c.label))
	if err != nil || len(days) != 1 {
		t.Fatalf("days %v, %v", days, err)
	}
	got := frames(t, filepath.Join(s.mnt, ".nvrfs", "days", c.label, days[0].Name()+".mp4"))
	want := frames(t, c.file)
	if len(got) != len(want) {
		t.Fatalf("%d pictures, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].hash != want[i].hash {
			t.Fatalf("picture %d is another one", i)
		}
	}
}

// TestImportRepeats imports a file three times, end to end: its packets come back three times, one behind the other.
func TestImportRepeats(t *testing.T) {
	needTools(t, "ffmpeg", "ffprobe")
	t.Parallel()
	dir := tempDir(t)
	file := generate(t, dir, "bframes.mp4", "30000/1001", "-bf", "3", "-g", "20")
	s := importSite(t)
	s.importFile(t, "cam", file, "--start", "2026-03-01 13:59:40", "--repeat", "3")
	checkHash(t, s)
	if spans := s.spans(t, "cam"); len(spans) != 1 || spans[0].EndReason != "the imported file ends" {
		t.Errorf("spans %+v", spans)
	}
	out := filepath.Join(dir, "out.mp4")
	mustRun(t, nvrfs("export", "--config", s.config, "cam", "2026-03-01", "2026-03-02", "-o", out))
	checkFile(t, out)

	got, once := probe(t, out), probe(t, file)
	// A lap lasts as long as the longer track, whose last packet may be short.
	lap := new(big.Rat).Sub(got[0].seconds(got[0].packets[len(once[0].packets)].pts), got[0].seconds(got[0].packets[0].pts))
	shortest, longest := new(big.Rat), new(big.Rat)
	for i := range once {
		p := once[i].packets
		n := len(p)
		if d := once[i].seconds(p[n-1].dts - p[0].dts); d.Cmp(shortest) > 0 {
			shortest = d
		}
		if d := once[i].seconds(2*p[n-1].dts - p[n-2].dts - p[0].dts); d.Cmp(longest) > 0 {
			longest = d
		}
	}
	if longest.Add(longest, got[0].tick); lap.Cmp(shortest) < 0 || lap.Cmp(longest) > 0 {
		t.Errorf("a lap lasts %s s, want %s to %s s", lap.FloatString(6), shortest.FloatString(6), longest.FloatString(6))
	}
	start := new(big.Rat).Sub(got[0].seconds(got[0].packets[0].pts), once[0].seconds(once[0].packets[0].pts))
	for i := range got {
		compareLaps(t, &got[i], &once[i], start, lap)
	}
}

// compareLaps compares the packets of a track with those of three laps of another, of which the first begins at a time. Of
// the sound, the encoder's priming is missing at the very beginning.
func compareLaps(t *testing.T, got, once *track, start, lap *big.Rat) {
	t.Helper()
	skip := 3*len(once.packets) - len(got.packets)
	if skip != 0 && (skip != 1 || once.kind != "audio") {
		t.Fatalf("%d packets of %s, want 3 times %d", len(got.packets), got.kind, len(once.packets))
	}
	tick := new(big.Rat).Add(got.tick, once.tick)
	at := new(big.Rat).Set(start)
	n := 0
	for range 3 {
		for _, want := range once.packets[skip:] {
			p := got.packets[n]
			off := new(big.Rat).Add(at, once.seconds(want.pts))
			if off.Sub(off, got.seconds(p.pts)); p.hash != want.hash || off.Abs(off).Cmp(tick) > 0 {
				t.Fatalf("%s packet %d is another one, or %s s off", got.kind, n, off.FloatString(6))
			}
			if n > 0 && p.dts <= got.packets[n-1].dts {
				t.Fatalf("%s packet %d is decoded at %d, the one before it at %d", got.kind, n, p.dts, got.packets[n-1].dts)
			}
			n++
		}
		at.Add(at, lap)
		skip = 0
	}
}

// tinyFile makes a file of a minute whose pictures are as small as can be.
func tinyFile(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "tiny.mp4")
	mustRun(t, command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "color=size=16x16:rate=1:duration=60",
		"-c:v", "libx264", "-g", "2", "-bf", "0", "-pix_fmt", "yuv420p", path))
	return path
}

// importLong starts an import of weeks of footage, and waits until some of it is there.
func importLong(t *testing.T, s site, file string) *process {
	t.Helper()
	p := launch(t, nvrfs("import", "--config", s.config, "--camera", "cam", "--start", "2026-01-01", "--repeat", "100000", file))
	waitFor(t, 60*time.Second, "a part of what is imported", func() bool { return len(s.spans(t, "cam")) > 0 })
	return p
}

// TestImportInterrupted interrupts an import: what was imported before stays, whole recordings only.
func TestImportInterrupted(t *testing.T) {
	needTools(t, "ffmpeg")
	t.Parallel()
	s := importSite(t)
	p := importLong(t, s, tinyFile(t, s.dir))
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	p.await(t, stopDeadline)
	if code := p.cmd.ProcessState.ExitCode(); code != 130 || p.stderr.String() != "nvrfs: interrupted\n" {
		t.Errorf("%v, want exit code 130\n%s", p.cmd.ProcessState, &p.stderr)
	}
	n := len(s.sampleFiles(t, "cam"))
	if want := fmt.Sprintf("cam: %d recordings, ", n); !strings.HasPrefix(p.stdout.String(), want) {
		t.Errorf("it says %q, want %q", &p.stdout, want)
	}
	checkHash(t, s)
	if spans := s.spans(t, "cam"); len(spans) != 1 || spans[0].EndReason != "the import was interrupted" {
		t.Errorf("spans %+v", spans)
	}
}

// TestImportKilled kills an import. The next start takes in what has reached the disk, and cuts off what was torn.
func TestImportKilled(t *testing.T) {
	needTools(t, "ffmpeg")
	t.Parallel()
	s := importSite(t)
	file := tinyFile(t, s.dir)
	p := importLong(t, s, file)
	p.kill(t)
	checkHash(t, s)
	before := s.spans(t, "cam")
	s.importFile(t, "cam", file, "--start", "2020-01-01")
	checkHash(t, s)
	after := s.spans(t, "cam")
	if len(after) != 2 || !after[1].Start.Equal(before[0].Start) || after[1].End.Before(before[0].End) || after[1].EndReason != "the recorder was cut off" {
		t.Errorf("spans were %+v, are %+v", before, after)
	}
	// Nothing is imported twice.
	r := run(t, nvrfs("import", "--config", s.config, "--camera", "cam", "--start", "2026-01-01", file))
	if r.code != 2 || !strings.Contains(r.stderr, "there is footage of cam already from 2026-01-01T00:00:00+00:00 to 2026-01-01T00:01:00+00:00") {
		t.Error(r)
	}
}

// TestImportBesideARecorder is refused.
func TestImportBesideARecorder(t *testing.T) {
	needMounts(t)
	t.Parallel()
	s := importSite(t)
	s.record(t)
	r := run(t, nvrfs("import", "--config", s.config, "--camera", "cam", "--start", "2026-01-01", "../camera/clip.mp4"))
	if r.code != 2 || !strings.Contains(r.stderr, "another nvrfs records into it") || strings.Count(r.stderr, "\n") != 1 {
		t.Error(r)
	}
}
