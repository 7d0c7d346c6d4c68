package bench_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/integration/footage"
)

// How often each way is read in turn, and how much of the entry each time. What is reported is the median of the rounds.
const (
	readRounds = 28
	readBytes  = 256 << 20
)

// reading is an entry that can be read in several ways: as a plain file with its bytes, and through mounts.
type reading struct {
	samples []string // the sample files
	size    int64    // of the entry
	raw     way
	nvrfs   way
	data    string
	full    bool // the footage of NVRFS_BENCH_DATA, and not a few seconds
}

// A way is a path to the same bytes.
type way struct {
	name    string
	path    string
	backing []string // files that must be in the page cache before it is read
	pid     int      // of its server; 0 means that there is none
}

// newReading makes footage where there is none, and mounts it.
func newReading(b *testing.B) *reading {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("only root can set the read-ahead of a mount")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		b.Skip(err)
	}
	r := &reading{data: filepath.Join(os.Getenv("NVRFS_BENCH_DATA"), "hour"), full: os.Getenv("NVRFS_BENCH_DATA") != ""}
	if !r.full {
		r.data = b.TempDir()
		start := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
		c := footage.Camera{Name: "yard", Start: start, Duration: time.Minute, RecordingLength: 5 * time.Second}
		if err := footage.Make(context.Background(), r.data, c); err != nil {
			b.Fatal(err)
		}
	}
	var err error
	if r.samples, err = filepath.Glob(filepath.Join(r.data, "samples", "yard", "*", "*.mp4")); err != nil || len(r.samples) == 0 {
		b.Fatalf("%d sample files of yard in %s, %v", len(r.samples), r.data, err)
	}
	mnt, pid := serve(b, build(b, "nvrfs/cmd/nvrfs"), "mount", "--timezone", "UTC", "--data", r.data)
	r.nvrfs = way{"nvrfs", largest(b, mnt), r.samples, pid}

	dir := b.TempDir()
	r.raw = way{name: "raw", path: filepath.Join(dir, "entry.mp4")}
	if r.size, err = copyFile(r.raw.path, r.nvrfs.path); err != nil {
		b.Fatal(err)
	}
	r.raw.backing = []string{r.raw.path}
	return r
}

// peer mounts go-fuse's loopback filesystem over the plain file.
func (r *reading) peer(b *testing.B, name string, flags ...string) way {
	b.Helper()
	dir, file := filepath.Split(r.raw.path)
	mnt, pid := serve(b, build(b, "nvrfs/bench/peer"), append(flags, "MNT", dir)...)
	return way{name, filepath.Join(mnt, file), []string{r.raw.path}, pid}
}

// sameOptions has a peer ask the kernel for what nvrfs asks it for.
var sameOptions = []string{"-max-write", "1048576", "-read-ahead", "2048"}

// build returns a binary of a package of ours.
func build(b *testing.B, pkg string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), filepath.Base(pkg))
	if out, err := exec.Command("go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		b.Fatalf("build %s: %v: %s", pkg, err, out)
	}
	return path
}

// serve runs a server that mounts until the benchmark ends. The mount point is the argument MNT, or the last.
func serve(b *testing.B, binary string, args ...string) (mnt string, pid int) {
	b.Helper()
	mnt = b.TempDir()
	if i := slices.Index(args, "MNT"); i >= 0 {
		args[i] = mnt
	} else {
		args = append(args, mnt)
	}
	cmd := exec.Command(binary, args...)
	cmd.Stderr = os.Stderr
	if testing.Verbose() {
		cmd.Stdout = os.Stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	before := device(b, mnt)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() //nolint:errcheck // how it ended tells nothing
	}()
	b.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it may be gone
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			cmd.Process.Kill() //nolint:errcheck // it may be gone
			<-ended
		}
		unix.Unmount(mnt, unix.MNT_DETACH) //nolint:errcheck // it should be
	})
	for deadline := time.Now().Add(20 * time.Second); device(b, mnt) == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("%s does not mount", cmd)
		}
	}
	time.Sleep(100 * time.Millisecond) // read-ahead is set just after
	return mnt, cmd.Process.Pid
}

func device(b *testing.B, path string) uint64 {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		b.Fatal(err)
	}
	return st.Dev
}

// largest returns the largest file below dir.
func largest(b *testing.B, dir string) (path string) {
	b.Helper()
	size := int64(-1)
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > size {
			path, size = p, info.Size()
		}
		return err
	})
	if err != nil || path == "" {
		b.Fatalf("no entry below %s: %v", dir, err)
	}
	return path
}

func copyFile(to, from string) (bytes int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	bytes, err = io.Copy(out, in)
	return bytes, errors.Join(err, out.Sync(), out.Close()) // what is not written yet cannot be dropped from a cache
}

// read reads up to n bytes at off in pieces of a MiB.
func read(path string, off, n int64) (bytes int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	p := make([]byte, 1<<20)
	for bytes < n {
		m, err := f.ReadAt(p[:min(n-bytes, int64(len(p)))], off+bytes)
		bytes += int64(m)
		if err == io.EOF {
			return bytes, nil
		}
		if err != nil {
			return bytes, err
		}
	}
	return bytes, nil
}

// wholeFile is more than any file has.
const wholeFile = 1 << 62

// forgetPages has the kernel drop what it keeps of a file.
func forgetPages(f *os.File) error { return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

func forgetAll(b *testing.B, paths ...string) {
	b.Helper()
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(forgetPages(f), f.Close()); err != nil {
			b.Fatal(err)
		}
	}
}

// warm brings files into the page cache.
func warm(b *testing.B, paths []string) {
	for _, p := range paths {
		if _, err := read(p, 0, wholeFile); err != nil {
			b.Fatal(err)
		}
	}
}

// cpu is the time for which the threads of a process have run, in the kernel and outside.
func cpu(b *testing.B, pid int) (total time.Duration) {
	b.Helper()
	if pid == 0 {
		return 0
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		b.Fatalf("process %d has %d threads, %v", pid, len(threads), err)
	}
	for _, t := range threads {
		text, err := os.ReadFile(t)
		if err != nil {
			continue // it has ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		total += time.Duration(ns)
	}
	return total
}

// ownCPU is the time for which this process has computed: it is the reader.
func ownCPU() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u) //nolint:errcheck // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measured is what reading cost, for each GB.
type measured struct {
	seconds   float64 // by the clock
	serverCPU float64 // seconds
	readerCPU float64
}

func speed(m measured) float64    { return 1 / m.seconds }
func server(m measured) float64   { return m.serverCPU }
func totalCPU(m measured) float64 { return m.serverCPU + m.readerCPU }

// measure measures reading, of which bytes is how much it was.
func measure(b *testing.B, pid int, reading func() (bytes int64, err error)) measured {
	b.Helper()
	start, server, reader := time.Now(), cpu(b, pid), ownCPU()
	bytes, err := reading()
	took := time.Since(start)
	reader, server = ownCPU()-reader, cpu(b, pid)-server
	if err != nil || bytes == 0 {
		b.Fatalf("read %d bytes: %v", bytes, err)
	}
	gb := float64(bytes) / 1e9
	return measured{took.Seconds() / gb, server.Seconds() / gb, reader.Seconds() / gb}
}

// part measures reading a part of a way, which is another one in each round.
func (r *reading) part(b *testing.B, w way, round int) measured {
	b.Helper()
	off := int64(round) * readBytes % r.size
	return measure(b, w.pid, func() (int64, error) { return read(w.path, off, readBytes) })
}

// inTurn measures ways one after the other, as often as it takes, each time beginning with another one.
func (r *reading) inTurn(b *testing.B, ways []way, rounds int, measure func(w way, round int) measured) [][]measured {
	b.Helper()
	got := make([][]measured, len(ways))
	if !r.full {
		rounds = 1
	}
	round := 0
	for b.Loop() {
		for range rounds {
			for i := range ways {
				k := (round + i) % len(ways)
				got[k] = append(got[k], measure(ways[k], round))
			}
			round++
		}
	}
	return got
}

func median(v []float64) float64 {
	s := slices.SortedFunc(slices.Values(v), cmp.Compare[float64])
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// ratio is the median of what one way reached in a round by what another did.
func ratio(a, b []measured, of func(measured) float64) float64 {
	v := make([]float64, len(a))
	for i := range a {
		v[i] = of(a[i]) / of(b[i])
	}
	return median(v)
}

func medianOf(a []measured, of func(measured) float64) float64 {
	v := make([]float64, len(a))
	for i := range a {
		v[i] = of(a[i])
	}
	return median(v)
}

// BenchmarkSequentialRead reads an entry for the first time, while its sample files are in the page cache.
func BenchmarkSequentialRead(b *testing.B) {
	r := newReading(b)
	ways := []way{r.nvrfs, r.peer(b, "loopback"), r.peer(b, "loopback with the same options", sameOptions...), r.raw}
	got := r.inTurn(b, ways, readRounds, func(w way, round int) measured {
		warm(b, w.backing)
		if w.pid != 0 {
			forgetAll(b, w.path)
		}
		return r.part(b, w, round)
	})
	b.ReportMetric(1000*medianOf(got[0], speed), "MB/s")
	b.ReportMetric(ratio(got[0], got[1], speed), "x-loopback")
	b.ReportMetric(ratio(got[0], got[2], speed), "x-loopback-same-options")
	b.ReportMetric(ratio(got[0], got[3], speed), "x-raw")
	b.ReportMetric(medianOf(got[0], server), "server-cpu-s/GB")
	b.ReportMetric(medianOf(got[1], server), "loopback-cpu-s/GB")
	b.ReportMetric(medianOf(got[2], server), "loopback-same-options-cpu-s/GB")
	b.ReportMetric(medianOf(got[0], totalCPU), "server-and-reader-cpu-s/GB")
	b.ReportMetric(ratio(got[1], got[0], totalCPU), "x-loopback-cpu")
}

// BenchmarkColdRead reads an entry whose sample files are not in the page cache. What it stands beside are the sample files
// themselves, one after the other.
func BenchmarkColdRead(b *testing.B) {
	r := newReading(b)
	mnt, pid := serve(b, build(b, "nvrfs/bench/peer"), append(slices.Clone(sameOptions), "MNT", r.data)...)
	through := func(path string) string { return filepath.Join(mnt, strings.TrimPrefix(path, r.data)) }
	ways := []way{r.nvrfs, {name: "loopback", pid: pid}, {name: "raw"}}
	const rounds = 3
	got := r.inTurn(b, ways, rounds, func(w way, _ int) measured {
		if w.path != "" {
			forgetAll(b, w.path)
		}
		for _, s := range r.samples {
			forgetAll(b, s, through(s))
		}
		return measure(b, w.pid, func() (bytes int64, err error) {
			if w.path != "" {
				return read(w.path, 0, wholeFile)
			}
			for _, s := range r.samples {
				if w.pid != 0 {
					s = through(s)
				}
				n, err := read(s, 0, wholeFile)
				if err != nil {
					return bytes, err
				}
				bytes += n
			}
			return bytes, nil
		})
	})
	b.ReportMetric(1000*medianOf(got[0], speed), "MB/s")
	b.ReportMetric(ratio(got[0], got[1], speed), "x-loopback-same-options")
	b.ReportMetric(ratio(got[0], got[2], speed), "x-raw")
	b.ReportMetric(medianOf(got[0], server), "server-cpu-s/GB")
}

// BenchmarkReread reads an entry that the kernel has cached. No request reaches the server, so it costs it nothing.
func BenchmarkReread(b *testing.B) {
	r := newReading(b)
	got := r.inTurn(b, []way{r.nvrfs, r.raw}, readRounds, func(w way, round int) measured {
		r.part(b, w, round)
		return r.part(b, w, round)
	})
	b.ReportMetric(1000*medianOf(got[0], speed), "MB/s")
	b.ReportMetric(ratio(got[0], got[1], speed), "x-raw")
	b.ReportMetric(medianOf(got[0], server), "server-cpu-s/GB")
}

// BenchmarkRandomRead reads pages here and there, each for the first time, a few of each way in turn.
func BenchmarkRandomRead(b *testing.B) {
	r := newReading(b)
	ways := []way{r.nvrfs, r.peer(b, "loopback"), r.peer(b, "loopback with the same options", sameOptions...)}
	files := map[string]*os.File{}
	for _, w := range ways {
		warm(b, w.backing)
		forgetAll(b, w.path)
		f, err := os.Open(w.path)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
			b.Fatal(err)
		}
		files[w.name] = f
	}
	took := map[string][]float64{} // µs
	rnd := rand.New(rand.NewPCG(1, 2))
	r.inTurn(b, ways, 60, func(w way, _ int) measured {
		took[w.name] = append(took[w.name], r.randomReads(b, files[w.name], rnd)...)
		return measured{}
	})
	times := func(i int) float64 { return median(took[ways[i].name]) }
	b.ReportMetric(times(0), "µs/read")
	b.ReportMetric(times(0)/times(1), "x-loopback")
	b.ReportMetric(times(0)/times(2), "x-loopback-same-options")
}

// randomReads returns what each of some reads of a page takes, in microseconds.
func (r *reading) randomReads(b *testing.B, f *os.File, rnd *rand.Rand) (took []float64) {
	b.Helper()
	const reads, page = 100, 4096
	p := make([]byte, page)
	for range reads {
		off := rnd.Int64N(r.size/page) * page
		start := time.Now()
		if _, err := f.ReadAt(p, off); err != nil {
			b.Fatal(err)
		}
		took = append(took, float64(time.Since(start).Nanoseconds())/1e3)
	}
	return took
}

// BenchmarkManyReaders reads 16 entries at once, and one after the other.
func BenchmarkManyReaders(b *testing.B) {
	r := newReading(b)
	paths := r.clips(b, 16)
	together, alone := way{name: "16 readers"}, way{name: "one reader"}
	const rounds = 7
	got := r.inTurn(b, []way{together, alone}, rounds, func(w way, _ int) measured {
		warm(b, r.samples)
		forgetAll(b, paths...)
		return measure(b, r.nvrfs.pid, func() (int64, error) { return readEach(paths, w.name == together.name) })
	})
	b.ReportMetric(1000*medianOf(got[0], speed), "MB/s")
	b.ReportMetric(ratio(got[0], got[1], speed), "x-one-reader")
	b.ReportMetric(medianOf(got[0], server), "server-cpu-s/GB")
}

// clips names clips that share the time of the entry.
func (r *reading) clips(b *testing.B, n int) (paths []string) {
	b.Helper()
	mnt := r.nvrfs.path
	for range 4 { // camera, day, hour, entry
		mnt = filepath.Dir(mnt)
	}
	start := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	length := time.Minute
	if r.full {
		length = time.Hour
	}
	const layout = "2006-01-02_15-04-05"
	for i := range n {
		from := start.Add(length * time.Duration(i) / time.Duration(n))
		to := start.Add(length * time.Duration(i+1) / time.Duration(n))
		name := from.Format(layout) + "--" + to.Format("15-04-05") + ".mp4"
		paths = append(paths, filepath.Join(mnt, ".nvrfs/clips/yard", name))
	}
	return paths
}

// readEach reads files, at once or one after the other.
func readEach(paths []string, atOnce bool) (bytes int64, err error) {
	var mu sync.Mutex
	one := func(p string) {
		n, failed := read(p, 0, wholeFile)
		mu.Lock()
		defer mu.Unlock()
		bytes += n
		err = errors.Join(err, failed)
	}
	var wg sync.WaitGroup
	for _, p := range paths {
		if atOnce {
			wg.Go(func() { one(p) })
		} else {
			one(p)
		}
	}
	wg.Wait()
	return bytes, err
}
