package integration

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nvrfs/camera"
)

// TestRebuilt records two streams, on two disks, through a kill and a reconnect. Then the database is removed and made anew
// from the sample files: the mount, and what is served over HTTP, are as before, byte for byte.
func TestRebuilt(t *testing.T) {
	needMounts(t)
	t.Parallel()
	o := cameraOf("main")
	o.Others = map[string]*camera.Clip{"sub": camera.DemoClip()}
	cam := play(t, o)
	other := play(t, cameraOf("other"))
	const yaml = `timezone: Europe/Berlin
http: { listen: '127.0.0.1:0' }
recording: { length: 2s, sync: 500ms }
retain: { min_free: 0%% }
cameras:
  cam: { url: '%s', sub: '%s' }
  other: { url: '%s', samples: %s/second }
`
	s := newSite(t, "")
	configure := func(main, sub, third string) {
		t.Helper()
		writeFile(t, s.config, fmt.Sprintf("data: data\nmount: mnt\n"+yaml, main, sub, third, s.dir))
	}
	configure(cam.URL(), cam.OtherURL("sub"), other.URL())

	recorded := func(n int) {
		t.Helper()
		for _, label := range []string{"cam", "cam.sub"} {
			waitFor(t, 40*time.Second, "sample files of "+label, func() bool { return len(s.filesBelow(t, label)) >= n })
		}
		waitFor(t, 40*time.Second, "sample files of other", func() bool { return len(s.filesBelow(t, "other")) >= n })
	}
	p := s.record(t)
	recorded(3)
	p.kill(t)
	p = s.record(t)
	recorded(6)
	cam.Drop()
	recorded(8)
	s.stopUnmounted(t, p)
	s.checkClean(t)

	// Nothing more is recorded.
	const nobody = "rtsp://127.0.0.1:9/none"
	configure(nobody, nobody, nobody)
	before := s.snapshot(t)
	old, err := filepath.Glob(filepath.Join(s.data, "nvrfs.db*"))
	if err != nil || len(old) == 0 {
		t.Fatal(old, err)
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if r := run(t, nvrfs("run", "--config", s.config)); r.code == 0 || !strings.Contains(r.stderr, "nvrfs rebuild --data") {
		t.Errorf("it runs without the database that the sample files belong to: %s", r)
	}
	mustRun(t, nvrfs("rebuild", "--data", s.data, "--samples", filepath.Join(s.dir, "second")))
	if r := run(t, nvrfs("check", "--data", s.data, "--level", "hash")); r.code != 0 {
		t.Error(r)
	}
	after := s.snapshot(t)
	if len(before) < 3*2 {
		t.Errorf("there are only %d files: %v", len(before), before)
	}
	for path, was := range before {
		if is := after[path]; is != was {
			t.Errorf("%s was %s\nit is %s", path, was, is)
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok {
			t.Errorf("%s was not there", path)
		}
	}
}

// filesBelow lists the sample files of a camera on all disks of a site.
func (s site) filesBelow(t *testing.T, label string) (paths []string) {
	t.Helper()
	for _, dir := range []string{filepath.Join(s.data, "samples"), filepath.Join(s.dir, "second")} {
		some, err := filepath.Glob(filepath.Join(dir, label, "*", "*.mp4"))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, some...)
	}
	return paths
}

// snapshot mounts the footage, and says of every file what there is to be seen of it: through the mount, and over HTTP.
func (s site) snapshot(t *testing.T) map[string]string {
	t.Helper()
	p := s.record(t)
	defer s.stopUnmounted(t, p)
	root := servedAt(t, p, "serving HTTP") + "footage/"
	seen := map[string]string{}
	err := filepath.WalkDir(s.mnt, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(s.mnt, path)
		if err == nil && d.IsDir() {
			seen[name] = "directory"
		} else if err == nil {
			seen[name] = s.look(t, root, name)
			info := filepath.Join(".nvrfs", "info", name+".json")
			seen[info] = string(readFile(t, filepath.Join(s.mnt, info)))
		}
		if parts := strings.Split(name, "/"); len(parts) == 2 { // a day of a camera
			day := filepath.Join(".nvrfs", "days", name+".mp4")
			seen[day] = s.look(t, root, day)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// look says what there is to be seen of a file.
func (s site) look(t *testing.T, root, name string) string {
	t.Helper()
	path := filepath.Join(s.mnt, name)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, root+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	header := response.Header
	if response.StatusCode != http.StatusOK || header.Get("ETag") == "" {
		t.Errorf("HEAD %s: %s, %v", name, response.Status, header)
	}
	return fmt.Sprintf("%d bytes, %v, inode %d, SHA-256 %x; ETag %s, %s, %s bytes", info.Size(), info.ModTime(), info.Sys().(*syscall.Stat_t).Ino,
		sha256.Sum256(readFile(t, path)), header.Get("ETag"), header.Get("Last-Modified"), header.Get("Content-Length"))
}
