package recorder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/playback"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// smallDisk is a disk that a yard's sample files fill, also those that are unlinked while this process has them open.
type smallDisk struct {
	y     *yard
	all   int64
	other int64 // bytes that another program takes
}

// newSmallDisk returns a disk of which there are free bytes left.
func newSmallDisk(y *yard, all, free int64) *smallDisk {
	d := &smallDisk{y: y, all: all}
	d.other = d.free() - free
	y.keep.space = func(string) (int64, int64, error) { return d.free(), d.all, nil }
	return d
}

func (d *smallDisk) free() int64 {
	dir := filepath.Join(d.y.r.o.Data, schema.DefaultSampleDir)
	used := map[uint64]int64{} // by inode
	count := func(path string) {
		var st syscall.Stat_t
		if syscall.Stat(path, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFREG {
			used[st.Ino] = st.Size
		}
	}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		count(path)
		return err
	})
	if err != nil {
		d.y.t.Error(err)
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		d.y.t.Error(err)
	}
	for _, fd := range fds {
		fd := filepath.Join("/proc/self/fd", fd.Name())
		if path, err := os.Readlink(fd); err == nil && strings.HasPrefix(path, dir) {
			count(fd)
		}
	}
	free := d.all - d.other
	for _, n := range used {
		free -= n
	}
	return free
}

const minFreeOfTest = 10 << 20

// TestReadersDoNotCostTheArchive has readers, and a program that opened the sample files themselves, hold on to all of the
// footage while the disk wants the bytes of one recording.
func TestReadersDoNotCostTheArchive(t *testing.T) {
	y := newYard(t, Options{Streams: streamsOf(Limits{}, "cam", "mark"), MinFree: MinFree{Bytes: minFreeOfTest}})
	y.record(0, bench.Dawn, 30)()
	lib, log := y.library()
	followed := y.follower(lib)
	_, day, err := y.day(lib, "cam")
	if err != nil {
		t.Fatal(err)
	}
	var readers []*playback.File
	for _, name := range []string{"process 7 (cp)", "HTTP from 192.0.2.7:1234"} {
		f, err := lib.Open(t.Context(), day, name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		readers = append(readers, f)
	}
	want := readAll(t, readers[0])
	for _, path := range y.files("cam") {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	disk := newSmallDisk(y, 1<<30, minFreeOfTest-1000)
	started := y.now
	y.round()
	followed()
	for y.now.Sub(started) < store.ReadersKeep-10*time.Second {
		y.now = y.now.Add(5 * time.Second)
		y.round()
		if got := y.numbers(0); len(got) < 28 { // the mark takes a little space, too
			t.Fatalf("%d recordings are left after %v", len(got), y.now.Sub(started))
		}
	}
	for _, f := range readers {
		if string(readAll(t, f)) != string(want) {
			t.Error("a reader reads something else")
		}
	}
	y.now = started.Add(store.ReadersKeep + 10*time.Second)
	y.round()
	if free := disk.free(); free < minFreeOfTest {
		t.Errorf("%d bytes are free when the readers have had their time, of %d", free, minFreeOfTest)
	}
	for _, f := range readers {
		if _, err := f.ReadAt(make([]byte, f.Size()), 0); !errors.Is(err, playback.ErrLost) {
			t.Errorf("a reader who took too long: %v", err)
		}
	}
	for _, who := range []string{`reader="process 7 (cp)"`, `reader="HTTP from 192.0.2.7:1234"`} {
		if n := strings.Count(log.String(), "footage that a reader has open was deleted"); n != 2 || !strings.Contains(log.String(), who) {
			t.Errorf("the log says so %d times, and not of %s:\n%s", n, who, log)
		}
	}
	if got := y.numbers(0); len(got) < 28 {
		t.Errorf("%d recordings are left", len(got))
	}
	if !strings.Contains(y.log.String(), "deleted footage is no longer kept for its readers") {
		t.Error(y.log)
	}
}

// TestReadersKeepNoMoreThanTheirShare has readers of more than a fiftieth of the disk.
func TestReadersKeepNoMoreThanTheirShare(t *testing.T) {
	y := newYard(t, Options{Streams: streamsOf(Limits{}, "cam")})
	y.record(0, bench.Dawn, 12)()
	each := y.bytes(0, 12)
	newSmallDisk(y, readersShare*(4*each+each/2), 100*each)
	var open []*os.File
	for _, path := range y.files("cam") {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		open = append(open, f)
	}
	y.r.streams[0].limits.Bytes = 1
	y.round()
	y.now = y.now.Add(unlinkAfter)
	y.round()
	for i, f := range open {
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if kept := i >= 12-4; kept != (info.Size() > 0) {
			t.Errorf("of recording %d, %d bytes are kept", i+1, info.Size())
		}
	}
	if g := y.garbage(); len(g) != 4 {
		t.Errorf("garbage %+v", g)
	}
	y.now = y.now.Add(store.ReadersKeep)
	y.unlinked()
	if files := y.files("cam"); len(files) > 0 {
		t.Errorf("left are %v", files)
	}
}

// TestReadersOfAFullDisk has no room for deleted footage at all.
func TestReadersOfAFullDisk(t *testing.T) {
	y := newYard(t, Options{Streams: streamsOf(Limits{Age: time.Minute}, "cam")})
	y.record(0, bench.Dawn, 2)()
	newSmallDisk(y, 1<<30, 0)
	f, err := os.Open(y.files("cam")[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	y.round()
	y.unlinked()
	if info, err := f.Stat(); err != nil || info.Size() > 0 {
		t.Errorf("%d bytes are kept for a reader, %v", info.Size(), err)
	}
}

// TestSlowToShow has a disk that shows what was removed only later, as btrfs does.
func TestSlowToShow(t *testing.T) {
	y := newYard(t, Options{Streams: streamsOf(Limits{}, "cam"), MinFree: MinFree{Bytes: minFreeOfTest}})
	y.record(0, bench.Dawn, 30)()
	y.free[y.r.set.At(volume.SamplesPath(y.r.o.Data, "")).Path] = fullDisk{disk: 1, free: minFreeOfTest - 1000, all: 1 << 40}
	for range 12 {
		y.round()
		y.now = y.now.Add(5 * time.Second)
	}
	if got := y.numbers(0); len(got) != 29 {
		t.Errorf("%d recordings are left after a minute", len(got))
	}
	y.now = y.now.Add(time.Minute)
	y.round()
	if got := y.numbers(0); len(got) != 28 {
		t.Errorf("%d recordings are left when the bytes are not coming", len(got))
	}
}

// TestReadersOnARealDisk has somebody hold on to all of the files of a small filesystem.
func TestReadersOnARealDisk(t *testing.T) {
	data := t.TempDir()
	if err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=64m"); err != nil {
		t.Skip("no filesystem of its own can be mounted: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(data, 0); err != nil {
			t.Error(err)
		}
	})
	y := newYard(t, Options{Data: data, Streams: streamsOf(Limits{}, "cam")})
	y.keep.space, y.keep.disk = diskSpace, diskOf
	y.record(0, bench.Dawn, 30)()
	var open []*os.File
	for _, path := range y.files("cam") {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, f)
	}
	free, _, err := diskSpace(data)
	if err != nil {
		t.Fatal(err)
	}
	y.r.minFree.Bytes = free + 3*y.bytes(0, 30)
	started := y.now
	for range 20 {
		y.round()
		y.now = y.now.Add(5 * time.Second)
	}
	left := len(y.numbers(0))
	if left < 25 || left > 27 { // the database takes some space, too
		t.Errorf("%d recordings are left", left)
	}
	before, _, err := diskSpace(data)
	if err != nil {
		t.Fatal(err)
	}
	y.r.minFree.Bytes = 0
	y.now = started.Add(store.ReadersKeep + time.Minute)
	y.round()
	if after, _, err := diskSpace(data); err != nil || after-before < 2*y.bytes(0, 30) {
		t.Errorf("when the readers have had their time, %d bytes more are free, %v", after-before, err)
	}
	for _, f := range open {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := len(y.numbers(0)); got < 25 {
		t.Errorf("%d recordings are left", got)
	}
}

func TestFreed(t *testing.T) {
	var f freed
	f.add(1, 1000, 1000, 0) // shown at once
	f.add(1, 1000, 800, 0)  // somebody else took the rest
	if n := f.expected(1, 0); n != 0 {
		t.Errorf("%d bytes are expected that were shown", n)
	}
	f.add(1, 1000, 0, 0)
	f.add(2, 1000, -5000, 90000)
	f.add(1, 1000, 400, 90000)
	for _, x := range []struct {
		disk         uint64
		now90k, want int64
	}{{1, 90000, 1600}, {2, 90000, 1000}, {1, showsWithin90k, 600}, {2, showsWithin90k + 90000, 0}, {1, showsWithin90k + 90000, 0}} {
		if got := f.expected(x.disk, x.now90k); got != x.want {
			t.Errorf("disk %d, at %d: %d bytes, want %d", x.disk, x.now90k, got, x.want)
		}
	}
}
