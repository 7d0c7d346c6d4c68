package integration

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/footage"
)

// zoneFootage is what TestZones has recorded, in UTC. Each starts and ends on a second.
var zoneFootage = []struct {
	start  string
	length time.Duration
}{
	{"2026-03-29T00:59:00Z", 2 * time.Minute}, // clocks go forward in Berlin, at 01:00Z
	{"2026-06-01T18:29:30Z", time.Minute},     // midnight in Kolkata
	{"2026-06-01T21:59:30Z", time.Minute},     // midnight in Berlin, and an hour in UTC
	{"2026-10-25T00:30:00Z", time.Minute},     // summer time in Berlin
	{"2026-10-25T01:30:00Z", time.Minute},     // the same hour again, in winter time
	{"2026-10-25T02:29:00Z", time.Minute},     // and the next
}

// zoneTrees are the entries of that footage, in each zone, with their modification times: when they end.
var zoneTrees = map[string]map[string]string{
	"UTC": {
		"2026-03-29/00/cam_2026-03-29_00-59-00.mp4": "2026-03-29T01:00:00Z",
		"2026-03-29/01/cam_2026-03-29_01-00-00.mp4": "2026-03-29T01:01:00Z",
		"2026-06-01/18/cam_2026-06-01_18-29-30.mp4": "2026-06-01T18:30:30Z",
		"2026-06-01/21/cam_2026-06-01_21-59-30.mp4": "2026-06-01T22:00:00Z",
		"2026-06-01/22/cam_2026-06-01_22-00-00.mp4": "2026-06-01T22:00:30Z",
		"2026-10-25/00/cam_2026-10-25_00-30-00.mp4": "2026-10-25T00:31:00Z",
		"2026-10-25/01/cam_2026-10-25_01-30-00.mp4": "2026-10-25T01:31:00Z",
		"2026-10-25/02/cam_2026-10-25_02-29-00.mp4": "2026-10-25T02:30:00Z",
	},
	"Europe/Berlin": {
		"2026-03-29/01/cam_2026-03-29_01-59-00.mp4":             "2026-03-29T01:00:00Z",
		"2026-03-29/03/cam_2026-03-29_03-00-00.mp4":             "2026-03-29T01:01:00Z",
		"2026-06-01/20/cam_2026-06-01_20-29-30.mp4":             "2026-06-01T18:30:30Z",
		"2026-06-01/23/cam_2026-06-01_23-59-30.mp4":             "2026-06-01T22:00:00Z",
		"2026-06-02/00/cam_2026-06-02_00-00-00.mp4":             "2026-06-01T22:00:30Z",
		"2026-10-25/02A+0200/cam_2026-10-25_02A-30-00+0200.mp4": "2026-10-25T00:31:00Z",
		"2026-10-25/02B+0100/cam_2026-10-25_02B-30-00+0100.mp4": "2026-10-25T01:31:00Z",
		"2026-10-25/03/cam_2026-10-25_03-29-00.mp4":             "2026-10-25T02:30:00Z",
	},
	"Asia/Kolkata": {
		"2026-03-29/06/cam_2026-03-29_06-29-00.mp4": "2026-03-29T01:01:00Z",
		"2026-06-01/23/cam_2026-06-01_23-59-30.mp4": "2026-06-01T18:30:00Z",
		"2026-06-02/00/cam_2026-06-02_00-00-00.mp4": "2026-06-01T18:30:30Z",
		"2026-06-02/03/cam_2026-06-02_03-29-30.mp4": "2026-06-01T22:00:30Z",
		"2026-10-25/06/cam_2026-10-25_06-00-00.mp4": "2026-10-25T00:31:00Z",
		"2026-10-25/07/cam_2026-10-25_07-00-00.mp4": "2026-10-25T01:31:00Z",
		"2026-10-25/07/cam_2026-10-25_07-59-00.mp4": "2026-10-25T02:30:00Z",
	},
}

// TestZones mounts the same footage in several time zones. Wherever the hours are, a copy of the tree has each frame once.
func TestZones(t *testing.T) {
	needMounts(t)
	t.Parallel()
	data := filepath.Join(tempDir(t), "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	var total time.Duration
	for _, f := range zoneFootage {
		start, err := time.Parse(time.RFC3339, f.start)
		if err != nil {
			t.Fatal(err)
		}
		makeFootage(t, data, footage.Camera{Name: "cam", Start: start, Duration: f.length})
		total += f.length
	}
	for zone, want := range zoneTrees {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			dir := tempDir(t)
			s := site{dir: dir, data: data, mnt: makeDir(t, dir, "mnt")}
			p := s.mount(t, "--timezone", zone)
			compareTree(t, filepath.Join(s.mnt, "cam"), want)
			copies := map[string]*exec.Cmd{
				"cp": exec.Command("cp", "-a", s.mnt+"/.", makeDir(t, dir, "cp")),
			}
			if _, err := exec.LookPath("rsync"); err == nil {
				copies["rsync"] = exec.Command("rsync", "-a", s.mnt+"/", makeDir(t, dir, "rsync"))
			}
			for tool, cmd := range copies {
				silently(t, cmd.Args[0], cmd.Args[1:]...)
				copied := filepath.Join(dir, tool)
				compareTree(t, filepath.Join(copied, "cam"), want)
				if n, want := framesBelow(t, copied), int(total.Seconds())*25; n != want {
					t.Errorf("the copy of %s has %d frames, want %d", tool, n, want)
				}
				silently(t, "diff", "-r", s.mnt, copied)
			}
			s.stopUnmounted(t, p)
		})
	}
}

// compareTree compares the files below a directory, and their modification times, with those that should be there.
func compareTree(t *testing.T, root string, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		got[rel] = info.ModTime().UTC().Format(time.RFC3339Nano)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s has\n%s\nwant\n%s", root, lines(got), lines(want))
	}
}

func lines(tree map[string]string) string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		b.WriteString("  " + path + " " + tree[path] + "\n")
	}
	return b.String()
}

// framesBelow counts the frames of all files below a directory.
func framesBelow(t *testing.T, root string) (n int) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "*", "*", "*", "*.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		n += len(checkBoxes(t, path).Tracks[0].Samples)
	}
	return n
}
