package integration

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/integration/footage"
)

// TestFollows mounts footage that another process, this one, records: what is committed appears within two seconds. No test
// runs beside it, so that a busy machine is no excuse.
func TestFollows(t *testing.T) {
	needMounts(t)
	dir := tempDir(t)
	s := site{dir: dir, data: makeDir(t, dir, "data"), mnt: makeDir(t, dir, "mnt")}
	from := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	g, err := footage.NewGrower(t.Context(), s.data, footage.Camera{Name: "cam", Start: from, RecordingLength: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	grow := func() {
		if err := g.Grow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	grow()
	p := s.mount(t)

	path, last := s.newest(t, "cam", time.Second), int64(0)
	for range 5 {
		waitFor(t, 2*time.Second, "a larger entry", func() bool {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			grew := info.Size() > last
			last = info.Size()
			return grew
		})
		checkBoxes(t, path)
		grow()
	}
	if _, err := g.Gap(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	grow()
	waitFor(t, 2*time.Second, "an entry behind the gap", func() bool { return len(s.entries(t, "cam")) == 2 })
	if _, err := g.Gap(t.Context(), 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	grow()
	waitFor(t, 2*time.Second, "an entry on the next day", func() bool { return len(s.entries(t, "cam")) == 3 })
	s.stopUnmounted(t, p)
}

// TestKilled kills a recorder. What it had committed is there when it is started again, and its dead mount is taken away.
func TestKilled(t *testing.T) {
	needMounts(t)
	needTools(t, "ffmpeg", "ffprobe")
	t.Parallel()
	cam := play(t, cameraOf("clock"))
	s := newSite(t, "recording: { length: 3s, sync: 500ms }\ncameras: { cam: { url: "+cam.URL()+" } }\n")
	p := s.record(t)
	first := s.newest(t, "cam", 20*time.Second)
	waitFor(t, 20*time.Second, "three recordings", func() bool { return len(s.sampleFiles(t, "cam")) >= 3 })
	committed := s.info(t, first)

	if r := run(t, nvrfs("run", "--config", s.config)); r.code != 2 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, s.data) {
		t.Errorf("a second recorder: %s", r)
	}
	if p.over() {
		t.Fatalf("the first recorder ended: %s", &p.stderr)
	}

	p.kill(t)
	if err := unix.Statfs(s.mnt, new(unix.Statfs_t)); !errors.Is(err, unix.ENOTCONN) {
		t.Errorf("the mount of a killed recorder: %v", err)
	}
	s.checkClean(t)
	p = s.record(t)
	p.says(t, time.Second, "detached the mount of a server that died")
	if points := mountsBelow(s.dir); len(points) != 1 {
		t.Errorf("mounted: %v, want one mount", points)
	}
	again := s.info(t, first)
	if !again.Start.Equal(committed.Start) || len(again.Recordings) < len(committed.Recordings) || again.End.Before(committed.End) {
		t.Errorf("before, there was %+v; now %+v", committed, again)
	}
	waitFor(t, 20*time.Second, "footage of the second recorder", func() bool {
		spans := s.spans(t, "cam")
		last := s.info(t, s.newest(t, "cam", time.Second))
		return len(spans) > 1 || len(last.Gaps) > 0 || last.Growing
	})
	for _, path := range s.entries(t, "cam") {
		checkFile(t, path)
	}
	s.stopUnmounted(t, p)
	s.checkClean(t)
}
