package fs

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/integration/footage"
	"nvrfs/playback"
	"nvrfs/store/dir"
)

// oneDay is footage of two streams in two hours, with a gap.
func oneDay() []footage.Camera {
	start := time.Date(2026, 11, 20, 13, 58, 0, 0, time.UTC)
	return []footage.Camera{
		{
			Name: "cam", Start: start, Duration: 6 * time.Minute, Tiny: true,
			Gaps: []footage.Gap{{At: 4 * time.Minute, For: 10 * time.Second}},
		},
		{Name: "cam", Stream: "sub", Start: start, Duration: time.Minute, Tiny: true, NoAudio: true},
	}
}

// walk lists everything below a directory, directories with a slash behind them.
func walk(t *testing.T, root string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			rel += "/"
		}
		paths = append(paths, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestTree(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: oneDay()})
	want := []string{
		"./",
		"cam/",
		"cam/2026-11-20/",
		"cam/2026-11-20/13/",
		"cam/2026-11-20/13/cam_2026-11-20_13-58-00.mp4",
		"cam/2026-11-20/14/",
		"cam/2026-11-20/14/cam_2026-11-20_14-00-00.mp4",
		"cam/2026-11-20/14/cam_2026-11-20_14-02-10.mp4",
		"cam.sub/",
		"cam.sub/2026-11-20/",
		"cam.sub/2026-11-20/13/",
		"cam.sub/2026-11-20/13/cam.sub_2026-11-20_13-58-00.mp4",
	}
	for range 2 { // the second time from what the kernel has kept
		if got := walk(t, f.mnt); !slices.Equal(got, want) {
			t.Errorf("the tree is %q, want %q", got, want)
		}
	}
	wantHidden := []string{
		"./", "README.txt",
		"clips/", "clips/cam/", "clips/cam.sub/",
		"days/", "days/cam/", "days/cam/2026-11-20.mp4", "days/cam.sub/", "days/cam.sub/2026-11-20.mp4",
		"info/",
		"info/cam/", "info/cam/2026-11-20/",
		"info/cam/2026-11-20/13/", "info/cam/2026-11-20/13/cam_2026-11-20_13-58-00.mp4.json",
		"info/cam/2026-11-20/14/", "info/cam/2026-11-20/14/cam_2026-11-20_14-00-00.mp4.json", "info/cam/2026-11-20/14/cam_2026-11-20_14-02-10.mp4.json",
		"info/cam.sub/", "info/cam.sub/2026-11-20/",
		"info/cam.sub/2026-11-20/13/", "info/cam.sub/2026-11-20/13/cam.sub_2026-11-20_13-58-00.mp4.json",
		"status.json",
	}
	if got := walk(t, f.path(hiddenName)); !slices.Equal(got, wantHidden) {
		t.Errorf("%s is %q, want %q", hiddenName, got, wantHidden)
	}
	if log := f.log.String(); log != "" {
		t.Errorf("it logged %s", log)
	}
}

func TestClockChange(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	start := time.Date(2026, 10, 25, 0, 59, 0, 0, time.UTC) // a minute before the clock goes back from 3 to 2
	f := newFixture(t, fixtureOptions{location: berlin, cameras: []footage.Camera{{Name: "cam", Start: start, Duration: 2 * time.Minute, Tiny: true}}})
	want := []string{
		"./", "2026-10-25/",
		"2026-10-25/02A+0200/", "2026-10-25/02A+0200/cam_2026-10-25_02A-59-00+0200.mp4",
		"2026-10-25/02B+0100/", "2026-10-25/02B+0100/cam_2026-10-25_02B-00-00+0100.mp4",
	}
	if got := walk(t, f.path("cam")); !slices.Equal(got, want) {
		t.Errorf("the tree is %q, want %q", got, want)
	}
}

func TestAttributes(t *testing.T) {
	uid, gid := uint32(1234), uint32(4321)
	f := newFixture(t, fixtureOptions{Options: Options{AllowOther: true, UID: &uid, GID: &gid, Umask: 0o027}, cameras: oneDay()})
	const file = "cam/2026-11-20/13/cam_2026-11-20_13-58-00.mp4"
	e := f.entries(t, "cam", "2026-11-20", "13")[0]
	var st unix.Stat_t
	if err := unix.Stat(f.path(file), &st); err != nil {
		t.Fatal(err)
	}
	if st.Mode != syscall.S_IFREG|0o440 || st.Uid != uid || st.Gid != gid || st.Nlink != 1 || st.Ino != e.ID {
		t.Errorf("%+v", st)
	}
	if st.Size != e.Size || st.Blocks != (e.Size+511)/512 || st.Blksize != blockSize {
		t.Errorf("size %d, %d blocks, want %d bytes", st.Size, st.Blocks, e.Size)
	}
	if mtime := time.Unix(st.Mtim.Unix()); !mtime.Equal(e.End) {
		t.Errorf("mtime %s, want %s", mtime, e.End)
	}
	if err := unix.Stat(f.path("cam/2026-11-20/13"), &st); err != nil {
		t.Fatal(err)
	}
	if st.Mode != syscall.S_IFDIR|0o550 || st.Nlink < 1 || st.Ino == 0 {
		t.Errorf("%+v", st)
	}
	if want := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC); time.Now().After(want) && !time.Unix(st.Mtim.Unix()).Equal(want) {
		t.Errorf("mtime of the hour is %v", time.Unix(st.Mtim.Unix()))
	}

	var got, want unix.Statfs_t
	if err := errors.Join(unix.Statfs(f.path(file), &got), unix.Statfs(f.data, &want)); err != nil {
		t.Fatal(err)
	}
	if got.Blocks != want.Blocks || got.Bsize != want.Bsize || got.Bfree == 0 || got.Namelen == 0 {
		t.Errorf("statfs is %+v, that of the data %+v", got, want)
	}
}

func TestNoAttributesBeyond(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: oneDay()})
	for range 2 {
		if _, err := unix.Getxattr(f.path("cam"), "user.x", nil); err != unix.ENOTSUP && err != unix.ENODATA {
			t.Errorf("getxattr: %v", err)
		}
		if n, err := unix.Listxattr(f.path("cam"), nil); n > 0 || err != nil && err != unix.ENOTSUP {
			t.Errorf("listxattr: %d, %v", n, err)
		}
	}
}

func TestNotThere(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: oneDay()})
	for _, name := range []string{
		"x", "cam/x", "cam/2026-11-21", "cam/2026-11-20/15", "cam/2026-11-20/14/x.mp4", "cam/2026-13-20",
		".nvrfs/x", ".nvrfs/clips/x", ".nvrfs/clips/cam/x.mp4",
		".nvrfs/clips/cam/2026-11-20_15-00-00--16-00-00.mp4", // no footage
		".nvrfs/clips/cam/2026-11-20_14-00-00--2026-11-20_13-59-00.mp4",
		".nvrfs/days/cam/2026-11-21.mp4", ".nvrfs/info/cam/2026-11-20/14/x.json", ".nvrfs/live",
	} {
		if _, err := os.Lstat(f.path(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want that it is not there", name, err)
		}
	}
}

func TestReadOnly(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: oneDay()})
	file := f.path("cam/2026-11-20/13/cam_2026-11-20_13-58-00.mp4")
	for name, try := range map[string]func() error{
		"open for writing": func() error { _, err := os.OpenFile(file, os.O_RDWR, 0); return err },
		"truncate":         func() error { return os.Truncate(file, 0) },
		"create":           func() error { return os.WriteFile(f.path("cam/new"), nil, 0o644) },
		"mkdir":            func() error { return os.Mkdir(f.path("new"), 0o755) },
		"remove":           func() error { return unix.Unlink(file) },
		"rename":           func() error { return os.Rename(file, file+"x") },
		"chmod":            func() error { return os.Chmod(file, 0o777) },
		"utimes":           func() error { return os.Chtimes(file, time.Now(), time.Now()) },
	} {
		if err := try(); !errors.Is(err, unix.EROFS) {
			t.Errorf("%s: %v, want EROFS", name, err)
		}
	}
}

func TestHiddenFiles(t *testing.T) {
	f := newFixture(t, fixtureOptions{
		Options: Options{Version: "v1.2.3"},
		cameras: append(oneDay(), footage.Camera{
			Name: "grows", Start: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), Duration: time.Minute, Tiny: true, Grow: true,
		}),
	})
	if got := f.read(t, hiddenName, "README.txt"); !bytes.Equal(got, readme) {
		t.Errorf("README.txt is %q", got)
	}

	day := f.read(t, hiddenName, "days/cam/2026-11-20.mp4")
	stream, err := f.lib.Stream(t.Context(), "cam")
	if err != nil {
		t.Fatal(err)
	}
	span, err := f.lib.Day(t.Context(), stream, "2026-11-20")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := f.lib.WholeDay(t.Context(), stream, span)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(day, f.content(t, whole)) {
		t.Error("the whole day has other bytes than the library says")
	}

	clip := f.read(t, hiddenName, "clips/cam/2026-11-20_13-59-10--14-03-00.mp4")
	from := time.Date(2026, 11, 20, 13, 59, 10, 0, time.UTC)
	e, err := f.lib.Clip(t.Context(), stream, from, from.Add(3*time.Minute+50*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(clip, f.content(t, e)) {
		t.Error("the clip has other bytes than the library says")
	}

	var info playback.Info
	if err := json.Unmarshal(f.read(t, hiddenName, "info/cam/2026-11-20/13/cam_2026-11-20_13-58-00.mp4.json"), &info); err != nil {
		t.Fatal(err)
	}
	hour := f.entries(t, "cam", "2026-11-20", "13")[0]
	if info.Bytes != hour.Size || info.ETag != hour.ETag || info.Growing || len(info.Recordings) != 2 {
		t.Errorf("info is %+v", info)
	}

	st, err := f.s.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if grows := st.Streams[2]; grows.Growing != nil {
		t.Errorf("status of a stream that nothing records is %+v", grows)
	}
	lock, err := dir.LockDir(f.data) // as a recorder has it
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release() //nolint:errcheck // of a test
	if err := json.Unmarshal(f.read(t, hiddenName, "status.json"), &st); err != nil {
		t.Fatal(err)
	}
	if st.Version != "v1.2.3" || len(st.Streams) != 3 {
		t.Fatalf("status is %+v", st)
	}
	if cam := st.Streams[0]; cam.Growing != nil || cam.Bytes == 0 || cam.Days != 1 || !cam.Last.After(cam.First) {
		t.Errorf("status of a stream is %+v", cam)
	}
	grows := st.Streams[2]
	if grows.Growing == nil {
		t.Fatalf("status of a growing stream is %+v", grows)
	}
	if info, err := os.Stat(f.path(grows.Growing.Path)); err != nil || info.Size() != grows.Growing.Bytes {
		t.Errorf("%+v, %v; status has %+v", info, err, grows.Growing)
	}
}
