package fsck_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/recorder"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// strangeThings may lie where a file of ours should. Whoever opens the first one waits for ever, and reads the last one for ever.
var strangeThings = map[string]func(t *testing.T, path string) error{
	"a FIFO":            func(_ *testing.T, path string) error { return unix.Mkfifo(path, 0o600) },
	"a directory":       func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) },
	"a symlink to none": func(_ *testing.T, path string) error { return os.Symlink("none", path) },
	"a symlink loop":    func(_ *testing.T, path string) error { return os.Symlink(filepath.Base(path), path) },
	"a socket":          listenAt,
	"a device":          func(_ *testing.T, path string) error { return os.Symlink("/dev/zero", path) },
}

// listenAt makes a socket, also where the path is longer than the name of a socket may be.
func listenAt(t *testing.T, path string) error {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	t.Cleanup(func() { l.Close() })
	return os.Rename(filepath.Join(dir, "s"), path)
}

// inTime fails the test when f does not return.
func inTime(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it hangs")
	}
}

// TestStrangeSampleFiles starts where something that is no file has the name of a sample file: the next one, one that was being
// written, or one that is whole. The recorder starts and records on, and says what is wrong.
func TestStrangeSampleFiles(t *testing.T) {
	for name, put := range strangeThings {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, 10*time.Second)
			b.Record(bench.Camera{FPS: 5, GOP: 10}, 30*time.Second)                                                            // 1 to 3
			b.Crash(bench.Camera{FPS: 5, GOP: 10, Start: bench.At(bench.Dawn.Add(time.Hour))}, 15*time.Second, 13*time.Second) // 4 and 5
			b.Writer.Abandon()
			rows := int64(len(b.Recordings()))
			for _, number := range []int64{1, rows, rows + 1} {
				if err := os.Remove(b.Path(number)); err != nil && number <= rows {
					t.Fatal(err)
				}
				if err := put(t, b.Path(number)); err != nil {
					t.Fatal(err)
				}
			}
			var log string
			inTime(t, func() { log = bench.Reopen(t, b.Dir) })
			if name != "a symlink to none" && !strings.Contains(log, store.ErrNotRegular.Error()) {
				t.Errorf("it does not say why:\n%s", log)
			}
			inTime(t, func() {
				r, streams, err := fsck.Open(t.Context(), volume.Options{Data: b.Dir, Needed: []volume.Needed{{Camera: "cam", Stream: "main", Path: volume.SamplesPath(b.Dir, "")}}, Log: bench.NewLog(new(bench.LogBuffer))})
				if err != nil {
					t.Error(err)
					return
				}
				if next := streams[0].NextNumber; next <= rows {
					t.Errorf("the next number is %d, there are %d rows", next, rows)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
			inTime(t, func() {
				if _, left, err := bench.RepairAt(t, b.Dir, fsck.Hash); err != nil || left > 0 {
					t.Errorf("repair: %d left, %v", left, err)
				}
			})
			bench.NoProblems(t, b.Dir)
		})
	}
}

// TestStrangeFilesAtTheStart puts something that is no file in place of any other file that a start opens: it is refused, or
// left alone, but not waited for.
func TestStrangeFilesAtTheStart(t *testing.T) {
	for _, file := range []string{
		"lock", schema.FileName, schema.FileName + "-wal", schema.FileName + "-journal", schema.FileName + "-shm",
		filepath.Join(schema.DefaultSampleDir, "nvrfs-store.json"), filepath.Join(schema.DefaultSampleDir, "nvrfs-store.json.new"),
		filepath.Join(schema.DefaultSampleDir, "cam"), filepath.Join(schema.DefaultSampleDir, "cam", "000"),
	} {
		for name, put := range strangeThings {
			for _, kept := range []bool{true, false} { // whether the rest of the data directory is there
				t.Run(file+" is "+name, func(t *testing.T) {
					dir := t.TempDir()
					if kept {
						b := bench.New(t, 10*time.Second)
						b.Record(bench.Camera{FPS: 5, GOP: 10}, 30*time.Second)
						b.DB.Close()
						dir = b.Dir
					}
					path := filepath.Join(dir, file)
					if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.RemoveAll(path), put(t, path)); err != nil {
						t.Fatal(err)
					}
					inTime(t, func() { startAndLook(t, dir) })
					if _, err := os.Lstat(path); err != nil && filepath.Ext(path) != ".new" {
						t.Errorf("what is not ours is gone: %v", err)
					}
				})
			}
		}
	}
}

// startAndLook does whatever opens files. What cannot be done must be said.
func startAndLook(t *testing.T, data string) {
	r, err := recorder.Open(context.Background(), recorder.Options{Data: data, Streams: []recorder.StreamOptions{{Camera: "cam", Name: "main"}}, Log: bench.NewLog(new(bench.LogBuffer))})
	if err == nil {
		err = r.Close()
	}
	t.Log("start: ", err)
	_ = dir.CheckUnlocked(data)
	if db, err := schema.OpenReadOnly(context.Background(), data); err == nil {
		db.Close()
	}
	_, err = fsck.Check(context.Background(), data, fsck.CheckOptions{
		Level: fsck.Hash, Total: func(int64) {}, Checked: func(int64) {}, Found: func(fsck.Problem) {}, Log: bench.NewLog(new(bench.LogBuffer)),
	})
	t.Log("check: ", err)
	_, err = fsck.Rebuild(context.Background(), data, fsck.RebuildOptions{
		Total: func(int64) {}, Read: func(int64) {}, Found: func(fsck.Problem) {}, Log: bench.NewLog(new(bench.LogBuffer)),
	})
	t.Log("rebuild: ", err)
}
