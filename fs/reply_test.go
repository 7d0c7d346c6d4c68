package fs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"nvrfs/integration/faultfs"
	"nvrfs/integration/footage"
)

// large is a camera with sample files of 4 MB.
func large(name string, files int) footage.Camera {
	const length = 200 * time.Second
	return footage.Camera{
		Name: name, Start: time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC),
		Duration: time.Duration(files) * length, RecordingLength: length,
	}
}

// open opens the only entry of a stream that large made, and returns what is in it.
func (f *fixture) open(t *testing.T, stream string) (h *entryHandle, want []byte) {
	t.Helper()
	e := f.entries(t, stream, "2026-11-20", "14")[0]
	file, err := f.view.Open(t.Context(), e, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(file.Close)
	return &entryHandle{f.s, file, e.Size}, f.content(t, e)
}

func (f *fixture) entry(stream string) string {
	return f.path(stream, "2026-11-20/14", stream+"_2026-11-20_14-00-00.mp4")
}

// take reads what a reply holds as go-fuse does, into dest.
func take(t *testing.T, r fuse.ReadResult, dest []byte) []byte {
	t.Helper()
	switch r := r.(type) {
	case *copied:
		slices, status := r.Slices()
		if !status.Ok() {
			t.Fatal(status)
		}
		return dest[:copy(dest, slices[0])]
	case *spliced:
		fd, n := r.Stateful()
		for got := 0; got < n; {
			m, err := unix.Read(int(fd), dest[got:n])
			if err != nil {
				t.Fatal(err)
			}
			got += m
		}
		return dest[:n]
	}
	t.Fatalf("a reply of type %T", r)
	return nil
}

func TestReplies(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{large("cam", 3)}})
	h, want := f.open(t, "cam")
	rnd := rand.New(rand.NewPCG(1, 2))
	dest, got := make([]byte, maxRequest+1), make([]byte, maxRequest+1)
	for range 400 {
		n := rnd.IntN(len(dest) + 1)
		if rnd.IntN(2) == 0 {
			n = maxRequest
		}
		off := rnd.Int64N(h.size + 1)
		r, err := h.read(dest[:n], off)
		if err != nil {
			t.Fatal(err)
		}
		expected := want[off:min(off+int64(n), h.size)]
		if r.Size() != len(expected) || r.Size() > 0 && !bytes.Equal(take(t, r, got), expected) {
			t.Fatalf("%d bytes at %d: other bytes", n, off)
		}
		r.Done()
	}
	st := f.s.Stats()
	if st.ReadSpliced < 150 || st.ReadSpliced > 350 || st.Reads != 400 || st.ReadErrors != 0 {
		t.Errorf("%+v", st)
	}
	if len(f.s.pipes) != maxPipes {
		t.Errorf("%d pipes are free", len(f.s.pipes))
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{large("cam", 1)}})
	h, _ := f.open(t, "cam")
	dest, got := make([]byte, maxRequest), make([]byte, maxRequest)
	for _, n := range []int{4096, 128 << 10, maxRequest} {
		allocs := testing.AllocsPerRun(50, func() {
			r, err := h.read(dest[:n], h.size/2)
			if err != nil {
				t.Fatal(err)
			}
			take(t, r, got)
			r.Done()
		})
		if allocs != 0 {
			t.Errorf("a read of %d bytes allocates %v times", n, allocs)
		}
	}
	if n := f.s.Stats().ReadSpliced; n != 51 {
		t.Errorf("%d reads were spliced", n)
	}
}

// TestSplicedReplyThatIsNotMovedOn does what go-fuse does where it cannot move the bytes from the pipe on.
func TestSplicedReplyThatIsNotMovedOn(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{large("cam", 1)}})
	h, want := f.open(t, "cam")
	off := h.size - int64(maxRequest)
	dest := make([]byte, maxRequest)
	for _, c := range []struct {
		name string
		took bool // before it failed
	}{{"nothing taken", false}, {"all taken", true}} {
		r, err := h.read(dest, off)
		if err != nil {
			t.Fatal(err)
		}
		p := r.(*spliced)
		if c.took {
			take(t, r, dest)
		}
		b, status := r.Bytes(dest)
		if c.took && status != fuse.EIO || !c.took && (!status.Ok() || !bytes.Equal(b, want[off:])) {
			t.Errorf("%s: %d bytes, %v", c.name, len(b), status)
		}
		r.Done()
		if p.w != 0 {
			t.Errorf("%s: the pipe is kept", c.name)
		}
	}
	r, err := h.read(dest, off) // opens another pipe
	if err != nil || !bytes.Equal(take(t, r, make([]byte, maxRequest)), want[off:]) {
		t.Errorf("afterwards: %v", err)
	}
	r.Done()
}

func TestReadsWithoutPipes(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{large("cam", 1)}})
	h, want := f.open(t, "cam")
	off, dest := h.size-int64(maxRequest), make([]byte, maxRequest)
	for range maxPipes {
		r, err := h.read(dest, off)
		if _, ok := r.(*spliced); !ok || err != nil {
			t.Fatalf("%T, %v", r, err)
		}
		defer r.Done()
	}
	r, err := h.read(dest, off)
	if _, ok := r.(*copied); !ok || err != nil || !bytes.Equal(dest, want[off:]) {
		t.Errorf("%T, %v", r, err)
	}
	r.Done()
}

func TestPipesAreClosed(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{large("cam", 1)}})
	if _, err := os.ReadFile(f.entry("cam")); err != nil {
		t.Fatal(err)
	}
	if err := f.s.Unmount(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	eventually(t, "pipes are closed", func() bool { return len(f.s.pipes) == 0 })
}

// TestReread reads an entry twice: the second time, the kernel does not ask.
func TestReread(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{large("cam", 3)}})
	first := f.read(t, "cam/2026-11-20/14", filepath.Base(f.entry("cam")))
	before := f.s.Stats()
	second := f.read(t, "cam/2026-11-20/14", filepath.Base(f.entry("cam")))
	after := f.s.Stats()
	if !bytes.Equal(first, second) || before.ReadBytes < int64(len(first)) || after.Reads != before.Reads {
		t.Errorf("%d bytes, then %d: %+v, then %+v", len(first), len(second), before, after)
	}
}

// readDirect reads past the cache of the kernel, in requests as large as they get.
func readDirect(name string, p []byte, off int64) (int, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	return unix.Pread(fd, p, off)
}

// TestSplicedAtAnyOffset reads as much as fits into go-fuse's pipe, starting at each part of a page.
func TestSplicedAtAnyOffset(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{large("cam", 1)}})
	h, want := f.open(t, "cam")
	page := int64(os.Getpagesize())
	p, reads := alignedBuffer(t, maxRequest), int64(0)
	for step := int64(0); step <= page; step += page / 64 {
		for _, off := range []int64{step, step + 1} {
			off += h.size/2 - int64(maxRequest)/2
			if n, err := readDirect(f.entry("cam"), p, off); err != nil || !bytes.Equal(p[:n], want[off:off+int64(maxRequest)]) {
				t.Fatalf("read at %d: %d bytes, %v", off, n, err)
			}
			reads++
		}
	}
	if st := f.s.Stats(); st.ReadSpliced != reads || st.Reads != reads {
		t.Errorf("%d reads: %+v", reads, st)
	}
	if strings.Contains(f.log.String(), "plice") {
		t.Error(f.log)
	}
}

// alignedBuffer is one that takes no more pages than it must: otherwise, the kernel asks for less at once.
func alignedBuffer(t *testing.T, n int) []byte {
	t.Helper()
	p, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(p) })
	return p
}

func TestDamagedFootageInLargeReads(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{large("cut", 1), large("whole", 1)}})
	h, want := f.open(t, "cut")
	part := h.f.Parts()[0]
	if err := os.Truncate(f.sampleFile("cut"), part.Offset+part.Length-100); err != nil { // in the middle of a page
		t.Fatal(err)
	}
	p := make([]byte, maxRequest)
	end := (h.size - int64(maxRequest)) / blockSize * blockSize
	if n, err := readDirect(f.entry("cut"), p, end+blockSize); !errors.Is(err, unix.EIO) {
		t.Errorf("the end: %d bytes, %v, want EIO", n, err)
	}
	if b, err := os.ReadFile(f.entry("cut")); !errors.Is(err, unix.EIO) || !bytes.HasPrefix(want, b) {
		t.Errorf("all of it: %d bytes, %v, want EIO", len(b), err)
	}
	whole := end - int64(maxRequest)
	if n, err := readDirect(f.entry("cut"), p, whole); err != nil || !bytes.Equal(p[:n], want[whole:end]) {
		t.Errorf("what is whole: %d bytes, %v", n, err)
	}
	if n := strings.Count(f.log.String(), "path=/cut/"); n != 1 || strings.Count(f.log.String(), "\n") != 1 {
		t.Errorf("%d lines in the log, want 1: %s", n, f.log)
	}
	if n, err := readDirect(f.entry("whole"), p, end); err != nil || n != maxRequest {
		t.Errorf("another stream: %d bytes, %v", n, err)
	}
}

// failingDisk puts the sample files of a stream on a disk that does what hook says.
func (f *fixture) failingDisk(t *testing.T, stream string, hook func() syscall.Errno) {
	t.Helper()
	dir, backing := filepath.Join(f.data, "samples", stream), t.TempDir()
	if err := errors.Join(os.CopyFS(backing, os.DirFS(dir)), os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	disk, err := faultfs.Mount(backing, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		disk.Hook(nil)
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	disk.Hook(func(op faultfs.Op) syscall.Errno {
		if op != faultfs.Read {
			return 0
		}
		return hook()
	})
}

func TestDiskThatFails(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{large("bad", 1), large("good", 1)}})
	_, want := f.open(t, "good")
	f.failingDisk(t, "bad", func() syscall.Errno { return syscall.EIO })
	for range 3 {
		if b, err := os.ReadFile(f.entry("bad")); !errors.Is(err, unix.EIO) {
			t.Errorf("%d bytes, %v, want EIO", len(b), err)
		}
	}
	if n := strings.Count(f.log.String(), "path=/bad/"); n != 1 {
		t.Errorf("%d lines in the log, want 1: %s", n, f.log)
	}
	if b, err := os.ReadFile(f.entry("good")); err != nil || !bytes.Equal(b, want) {
		t.Errorf("the other disk: %d bytes, %v", len(b), err)
	}
}

// TestDiskThatHangs has more reads wait for a disk than the kernel would have at a time if it were not told.
func TestDiskThatHangs(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{large("bad", 1), large("good", 1)}})
	_, want := f.open(t, "good")
	answers := make(chan struct{})
	var waiting atomic.Int64
	f.failingDisk(t, "bad", func() syscall.Errno {
		waiting.Add(1)
		<-answers
		return 0
	})
	const clips = 3 * maxPipes
	var readers sync.WaitGroup
	release := sync.OnceFunc(func() { close(answers); readers.Wait() })
	defer release()
	for i := range clips {
		name := fmt.Sprintf("2026-11-20_14-00-%02d--14-01-00.mp4", i)
		readers.Go(func() {
			if b, err := os.ReadFile(f.path(".nvrfs/clips/bad", name)); err != nil || len(b) == 0 {
				t.Errorf("a clip, once the disk answers: %d bytes, %v", len(b), err)
			}
		})
	}
	eventually(t, "all wait", func() bool { return waiting.Load() >= clips })
	var read atomic.Bool
	readers.Go(func() {
		if b, err := os.ReadFile(f.entry("good")); err != nil || !bytes.Equal(b, want) {
			t.Errorf("the other disk: %d bytes, %v", len(b), err)
		}
		read.Store(true)
	})
	eventually(t, "the other disk is read", read.Load)
}
