package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"nvrfs/camera"
)

// A site is where an nvrfs records and mounts.
type site struct {
	dir, data, mnt, config string
}

// newSite makes a site whose configuration, besides the data directory and the mount, is the given YAML.
func newSite(t *testing.T, yaml string) site {
	t.Helper()
	dir := tempDir(t)
	s := site{dir, makeDir(t, dir, "data"), makeDir(t, dir, "mnt"), filepath.Join(dir, "nvrfs.yaml")}
	s.configure(t, yaml)
	return s
}

// configure writes the configuration as newSite does. How full the machine's disk is must not decide whether a test passes.
func (s site) configure(t *testing.T, yaml string) {
	t.Helper()
	writeFile(t, s.config, fmt.Sprintf("data: data\nmount: { path: mnt, allow_other: %v }\nretain: { min_free: 0%% }\n%s", os.Geteuid() == 0, yaml))
}

// record starts to record, and waits until that has begun.
func (s site) record(t *testing.T, flags ...string) *process {
	t.Helper()
	p := start(t, nvrfs(append([]string{"run", "--config", s.config, "--log-level", "debug"}, flags...)...))
	p.says(t, 20*time.Second, `"msg":"started"`)
	return p
}

// mount mounts the data without recording.
func (s site) mount(t *testing.T, flags ...string) *process {
	t.Helper()
	return mountAt(t, s.data, s.mnt, flags...)
}

func mountAt(t *testing.T, data, mnt string, flags ...string) *process {
	t.Helper()
	p := start(t, nvrfs(append(append([]string{"mount", "--data", data}, flags...), mnt)...))
	p.says(t, 20*time.Second, `"msg":"mounted"`)
	return p
}

// allowOthers is the flag that lets other users read a mount, where that is allowed.
func allowOthers() []string {
	if os.Geteuid() == 0 {
		return []string{"--allow-other"}
	}
	return nil
}

// stopUnmounted stops a service and checks that nothing of it stays mounted.
func (s site) stopUnmounted(t *testing.T, p *process) {
	t.Helper()
	p.stop(t, syscall.SIGTERM)
	if left := mountsBelow(s.dir); len(left) > 0 {
		t.Errorf("still mounted: %v", left)
	}
	names, err := os.ReadDir(s.mnt)
	if err != nil || len(names) > 0 {
		t.Errorf("the mount point has %v, %v", names, err)
	}
}

// play starts a camera in this process.
func play(t *testing.T, o camera.Options) *camera.Server {
	t.Helper()
	s, err := camera.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// clip opens an .mp4 file for a camera to play.
func clip(t *testing.T, path string) *camera.Clip {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	c, err := camera.ParseClip(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// entries lists the entries of a camera in a mount, by time.
func (s site) entries(t *testing.T, label string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.mnt, label, "*", "*", "*.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

// newest returns the last entry of a camera once there is one.
func (s site) newest(t *testing.T, label string, deadline time.Duration) string {
	t.Helper()
	var paths []string
	waitFor(t, deadline, "an entry of "+label, func() bool {
		paths = s.entries(t, label)
		return len(paths) > 0
	})
	return paths[len(paths)-1]
}

// sampleFiles lists the sample files of a camera.
func (s site) sampleFiles(t *testing.T, label string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(s.data, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".mp4") && strings.Contains(path, "/"+label+"/") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		t.Fatalf("sample files of %s below %s: %v, %v", label, s.data, paths, err)
	}
	slices.Sort(paths)
	return paths
}

// entryInfo is what .nvrfs/info says of an entry.
type entryInfo struct {
	Camera, Stream string
	Start, End     time.Time
	Bytes          int64
	Growing        bool
	Codecs         []string
	Gaps           []struct {
		Start, End time.Time
		Reason     string
	}
	Recordings []struct {
		Number     int64
		Start, End time.Time
		Bytes      int64
	}
}

func (i entryInfo) length() time.Duration { return i.End.Sub(i.Start) }

func (s site) info(t *testing.T, entry string) (info entryInfo) {
	t.Helper()
	path, err := filepath.Rel(s.mnt, entry)
	if err != nil {
		t.Fatal(err)
	}
	decode(t, readFile(t, filepath.Join(s.mnt, ".nvrfs", "info", path+".json")), &info)
	return info
}

// span is a line of nvrfs ls CAMERA DAY.
type span struct {
	Start     time.Time
	End       time.Time
	Seconds   float64
	Bytes     int64
	Gap       float64 `json:"gap_before_seconds"`
	EndReason string  `json:"end_reason"`
}

// spans lists what footage there is of a camera, on all days; none before there is any. Midnight is no gap.
func (s site) spans(t *testing.T, label string) (spans []span) {
	t.Helper()
	r := run(t, nvrfs("ls", "--config", s.config, "--json", label))
	if r.code != 0 {
		return nil
	}
	var days []struct{ Day string }
	decode(t, []byte(r.stdout), &days)
	for _, d := range days {
		var some []span
		decode(t, []byte(mustRun(t, nvrfs("ls", "--config", s.config, "--json", label, d.Day))), &some)
		if n := len(spans); n > 0 && len(some) > 0 && some[0].Start.Sub(spans[n-1].End).Abs() < time.Second {
			some[0].Start = spans[n-1].Start
			spans = spans[:n-1]
		}
		spans = append(spans, some...)
	}
	return spans
}

// waitEnded waits until the last run of a camera has ended and is sealed.
func (s site) waitEnded(t *testing.T, label string, deadline time.Duration) {
	t.Helper()
	waitFor(t, deadline, "the end of the run of "+label, func() bool {
		spans := s.spans(t, label)
		return len(spans) > 0 && spans[len(spans)-1].EndReason != ""
	})
}

// checkClean has nvrfs check find no problem.
func (s site) checkClean(t *testing.T) {
	t.Helper()
	if r := run(t, nvrfs("check", "--data", s.data)); r.code != 0 || !strings.Contains(r.stdout, "no problem") {
		t.Error(r)
	}
}

func decode(t *testing.T, text []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// cameraOf makes the options of a camera that plays the built-in clip in a loop, at a path.
func cameraOf(path string) camera.Options {
	return camera.Options{Clip: camera.DemoClip(), Path: path}
}
