package integration

import (
	"strings"
	"testing"
	"time"
)

// counters are some of those that --pprof serves.
type counters struct {
	Disks map[string]struct {
		Streams                          int
		Fragments, Bytes, Syncs, Commits int64
	}
	Playback struct {
		Queries  int64
		Listings struct{ Hits, Misses int64 }
	}
	Mount struct {
		Opens, Reads int64
		ReadBytes    int64 `json:"read_bytes"`
	}
	Runtime map[string]float64
}

// TestCounters looks at what is counted while a camera is recorded and read.
func TestCounters(t *testing.T) {
	needMounts(t)
	t.Parallel()
	cam := play(t, cameraOf("/cam"))
	s := newSite(t, "recording: { length: 5s, sync: 1s }\ncameras: { cam: { url: '"+cam.URL()+"' } }\n")
	p := s.record(t, "--pprof", "127.0.0.1:0")
	url := strings.TrimSuffix(servedAt(t, p, "serving profiles"), "pprof/") + "vars"
	read := int64(len(readFile(t, s.newest(t, "cam", 20*time.Second))))
	var c counters
	waitFor(t, 20*time.Second, "a second commit", func() bool {
		c = counters{}
		decode(t, get(t, url, ""), &c)
		return len(c.Disks) == 1 && c.Disks[s.data+"/samples"].Commits > 1
	})
	d := c.Disks[s.data+"/samples"]
	if d.Streams != 1 || d.Fragments < 2 || d.Bytes < 1000 || d.Syncs < 2 {
		t.Errorf("the disk has %+v", d)
	}
	if m := c.Mount; m.Opens < 1 || m.Reads < 1 || m.ReadBytes < read {
		t.Errorf("%d bytes were read, and the mount has %+v", read, m)
	}
	if x := c.Playback; x.Queries < 1 || x.Listings.Hits < 1 || x.Listings.Misses < 1 {
		t.Errorf("playback has %+v", x)
	}
	if c.Runtime["/sched/goroutines:goroutines"] < 1 {
		t.Errorf("the runtime has %v", c.Runtime)
	}
	s.stopUnmounted(t, p)
}
