package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// list holds the listings of nvrfs ls against each other and against the mount.
func list(t *testing.T, s site, cameras []recorded) {
	var all []struct {
		Camera      string
		First, Last *time.Time
		Bytes       int64
		Recordings  int
		Days        int
	}
	decode(t, []byte(mustRun(t, nvrfs("ls", "--data", s.data, "--json"))), &all)
	table := mustRun(t, nvrfs("ls", "--data", s.data))
	if len(all) != len(cameras) {
		t.Errorf("%d cameras, want %d:\n%s", len(all), len(cameras), table)
	}
	for _, c := range all {
		recordings := 0
		for _, path := range s.entries(t, c.Camera) {
			recordings += len(s.info(t, path).Recordings)
		}
		if c.Recordings != recordings || c.Days < 1 || c.Last.Sub(*c.First) < 15*time.Second {
			t.Errorf("ls shows %+v, the mount %d recordings", c, recordings)
		}
		if !strings.Contains(table, c.Camera) || !strings.Contains(table, c.First.Format(time.DateTime)) {
			t.Errorf("ls misses %s from %v:\n%s", c.Camera, c.First, table)
		}
		day := c.First.Format(time.DateOnly)
		if days := mustRun(t, nvrfs("ls", "--data", s.data, c.Camera)); !strings.Contains(days, day) {
			t.Errorf("ls %s misses %s:\n%s", c.Camera, day, days)
		}
		if spans := mustRun(t, nvrfs("ls", "--data", s.data, c.Camera, day)); !strings.Contains(spans, c.First.Format(time.TimeOnly)) {
			t.Errorf("ls %s %s misses %v:\n%s", c.Camera, day, c.First, spans)
		}
		spans := s.spans(t, c.Camera)
		if len(spans) == 0 || !spans[0].Start.Equal(*c.First) || spans[len(spans)-1].EndReason == "" {
			t.Errorf("ls %s lists %+v", c.Camera, spans)
		}
	}
	if r := run(t, nvrfs("ls", "--data", s.data, "nobody")); r.code != 2 || !strings.Contains(r.stderr, cameras[0].label) {
		t.Error(r)
	}
}

// damage damages a copy of the footage, and has nvrfs check find that.
func damage(t *testing.T, s site) {
	copied := site{data: filepath.Join(tempDir(t), "data")}
	mustRun(t, command("cp", "-a", s.data, copied.data))
	copied.checkClean(t)
	files := copied.sampleFiles(t, "demo")
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(files[3])
	if err == nil {
		err = os.Truncate(files[3], info.Size()-1000)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, nvrfs("check", "--data", copied.data))
	if r.code != 1 || strings.Count(r.stdout, "\n") != 2 || !strings.Contains(r.stderr, "2 problems") {
		t.Error(r)
	}
	for _, want := range []string{"demo/2: the sample file is missing", fmt.Sprintf("demo/4: the sample file has %d bytes", info.Size()-1000)} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("check does not say %q: %s", want, r.stdout)
		}
	}
}

// TestTimes converts times there and back.
func TestTimes(t *testing.T) {
	t.Parallel()
	zone := []string{"ts", "--timezone", "Europe/Berlin"}
	there := strings.Fields(mustRun(t, nvrfs(append(zone, "2026-03-29T00:59:59.5Z", "2026-03-29 03:00")...)))
	want := []string{
		"161576" /* 90 kHz */, "2026-03-29T00:59:59.5Z", "2026-03-29T01:59:59.5+01:00",
		"161576", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00",
	}
	for i := range want {
		if i >= len(there) || i%3 != 0 && there[i] != want[i] {
			t.Fatalf("ts prints %q, want %q", there, want)
		}
	}
	back := strings.Fields(mustRun(t, nvrfs(append(zone, there[0], there[3])...)))
	if strings.Join(back, " ") != strings.Join(there, " ") {
		t.Errorf("ts prints %q, and of its ticks %q", there, back)
	}
	if r := run(t, nvrfs(append(zone, "2026-03-29 02:30")...)); r.code != 2 || strings.Count(r.stderr, "\n") != 1 {
		t.Error(r)
	}
}

// TestHelp asks every command for help, which has an example, and the shell for completions.
func TestHelp(t *testing.T) {
	t.Parallel()
	root := mustRun(t, nvrfs("--help"))
	for _, name := range []string{"demo", "run", "mount", "ls", "export", "check", "ts", "camera", "version"} {
		help := mustRun(t, nvrfs(name, "--help"))
		if _, example, ok := strings.Cut(help, "Examples:\n"); !ok || !strings.Contains(example, "nvrfs "+name) {
			t.Errorf("the help of %s has no example:\n%s", name, help)
		}
		if !strings.Contains(root, "\n  "+name+" ") {
			t.Errorf("the help does not list %s:\n%s", name, root)
		}
	}
	version := mustRun(t, nvrfs("version"))
	for _, part := range []string{"nvrfs ", "go ", "sqlite ", "go-fuse "} {
		if !strings.Contains(version, part) {
			t.Errorf("version does not tell that of %s:\n%s", part, version)
		}
	}
	if r := run(t, nvrfs("recrod")); r.code != 2 || strings.Count(r.stderr, "\n") != 1 {
		t.Error(r)
	}
}

// TestCompletion has bash complete a command line.
func TestCompletion(t *testing.T) {
	needTools(t, "bash")
	t.Parallel()
	script := filepath.Join(tempDir(t), "completion")
	writeFile(t, script, mustRun(t, nvrfs("completion", "bash")))
	cmd := command("bash", "--norc", "-ec", `
		_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD; }
		compopt() { :; }
		. "$1"
		COMP_WORDS=(nvrfs ex) COMP_CWORD=1 COMP_LINE="nvrfs ex" COMP_POINT=8 COMP_TYPE=9
		__start_nvrfs
		echo "${COMPREPLY[@]}"`, "bash", script)
	cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	if out := mustRun(t, cmd); !strings.Contains(out, "export") {
		t.Errorf("bash completes ex to %q", out)
	}
}

// TestCamera plays the built-in clip by the command that does so, with a password.
func TestCamera(t *testing.T) {
	needTools(t, "ffprobe")
	t.Parallel()
	cmd := nvrfs("camera", "play", "--listen", "127.0.0.1:0", "--user", "admin")
	cmd.Env = append(cmd.Env, "NVRFS_CAMERA_PASSWORD=secret")
	p := start(t, cmd)
	var url string
	waitFor(t, 20*time.Second, "a URL", func() bool {
		url = strings.TrimSpace(p.stdout.String())
		return url != ""
	})
	probe := func(url string) result {
		return run(t, command("ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", "-of", "csv=p=0", url))
	}
	if r := probe(url); r.code == 0 {
		t.Errorf("it plays without a password: %s", r)
	}
	r := probe(strings.Replace(url, "rtsp://", "rtsp://admin:secret@", 1))
	if r.code != 0 || strings.TrimSpace(r.stdout) != "h264\naac" {
		t.Error(r)
	}
}
