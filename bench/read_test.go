package bench_test

import (
	"cmp"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// How often each way is read in turn, and how much of the entry each time. What is reported is the median of the rounds.
const (
	readRounds = 28
	readBytes  = 256 << 20
)

// reading is an entry that can be read in several ways: as a plain file with its bytes, and through mounts.
type reading struct {
	data    string
	samples []string // the sample files
	size    int64    // of the entry
	raw     way
	nvrfs   way
	full    bool // an hour, and not a minute
}

// A way is a path to the same bytes.
type way struct {
	path    string
	backing []string // files that must be in the page cache before it is read
	server  *server  // nil where there is none
	onlyOne bool     // it has the first readBytes alone
}

// newReading makes footage where there is none, and mounts it.
func newReading(b *testing.B) *reading {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("only root can set the read-ahead of a mount")
	}
	r := &reading{}
	r.data, r.full = hour(b)
	var err error
	if r.samples, err = filepath.Glob(filepath.Join(r.data, "samples", "yard", "*", "*.mp4")); err != nil || len(r.samples) == 0 {
		b.Fatalf("%d sample files of yard in %s, %v", len(r.samples), r.data, err)
	}
	s := show(b, r.data)
	r.nvrfs = way{path: largest(b, s.mnt), backing: r.samples, server: s}
	r.raw = way{path: filepath.Join(b.TempDir(), "entry.mp4")}
	if r.size, err = copyFile(r.raw.path, r.nvrfs.path); err != nil {
		b.Fatal(err)
	}
	r.raw.backing = []string{r.raw.path}
	return r
}

// loopback shows the plain file through go-fuse's loopback filesystem.
func (r *reading) loopback(b *testing.B, flags ...string) way {
	b.Helper()
	dir, file := filepath.Split(r.raw.path)
	s := mount(b, peer, append(slices.Clone(flags), dir)...)
	return way{path: filepath.Join(s.mnt, file), backing: r.raw.backing, server: s}
}

// smallPages is a plain file that the kernel caches in pages of 4 KiB, as it does those of every FUSE mount. What is written is
// cached in pieces as large as each write, up to large folios.
func (r *reading) smallPages(b *testing.B) way {
	b.Helper()
	path := filepath.Join(b.TempDir(), "entry.mp4")
	in, err := os.Open(r.raw.path)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	page := make([]byte, 4096)
	for off := int64(0); off < min(readBytes, r.size) && err == nil; off += int64(len(page)) {
		if _, err = in.ReadAt(page, off); err == nil || err == io.EOF {
			_, err = out.Write(page)
		}
	}
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		b.Fatal(err)
	}
	return way{path: path, onlyOne: true}
}

// sameOptions has the loopback ask the kernel for what nvrfs asks it for.
var sameOptions = []string{"-max-write", "1048576", "-read-ahead", "2048"}

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

func speed(m measured) float64     { return 1 / m.seconds }
func serverCPU(m measured) float64 { return m.serverCPU }
func totalCPU(m measured) float64  { return m.serverCPU + m.readerCPU }

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
	if w.onlyOne {
		off = 0
	}
	return measure(b, w.server.pid(), func() (int64, error) { return read(w.path, off, readBytes) })
}

// inTurn measures several ways one after the other, as often as it takes, each time beginning with another one. It returns what
// each of them cost, by round.
func (r *reading) inTurn(b *testing.B, ways, rounds int, measure func(way, round int) measured) [][]measured {
	b.Helper()
	got := make([][]measured, ways)
	if !r.full {
		rounds = 1
	}
	round := 0
	for b.Loop() {
		for range rounds {
			for i := range ways {
				k := (round + i) % ways
				got[k] = append(got[k], measure(k, round))
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
	ways := []way{r.nvrfs, r.loopback(b), r.loopback(b, sameOptions...), r.raw}
	got := r.inTurn(b, len(ways), readRounds, func(k, round int) measured {
		w := ways[k]
		warm(b, w.backing)
		if w.server != nil {
			forgetAll(b, w.path)
		}
		return r.part(b, w, round)
	})
	b.ReportMetric(1000*medianOf(got[0], speed), "MB/s")
	b.ReportMetric(ratio(got[0], got[1], speed), "x-loopback")
	b.ReportMetric(ratio(got[0], got[2], speed), "x-loopback-same-options")
	b.ReportMetric(ratio(got[0], got[3], speed), "x-raw")
	b.ReportMetric(medianOf(got[0], serverCPU), "server-cpu-s/GB")
	b.ReportMetric(medianOf(got[1], serverCPU), "loopback-cpu-s/GB")
	b.ReportMetric(medianOf(got[2], serverCPU), "loopback-same-options-cpu-s/GB")
	b.ReportMetric(medianOf(got[0], totalCPU), "server-and-reader-cpu-s/GB")
	b.ReportMetric(ratio(got[1], got[0], totalCPU), "x-loopback-cpu")
}

// BenchmarkColdRead reads an entry whose sample files are not in the page cache. What it stands beside are the sample files
// themselves, one after the other.
func BenchmarkColdRead(b *testing.B) {
	r := newReading(b)
	loopback := mount(b, peer, append(slices.Clone(sameOptions), r.data)...)
	var through []string // the sample files, as the loopback shows them
	for _, s := range r.samples {
		through = append(through, filepath.Join(loopback.mnt, strings.TrimPrefix(s, r.data)))
	}
	ways := []struct {
		server *server
		paths  []string
	}{{r.nvrfs.server, []string{r.nvrfs.path}}, {loopback, through}, {nil, r.samples}}
	const rounds = 3
	got := r.inTurn(b, len(ways), rounds, func(k, _ int) measured {
		forgetAll(b, r.samples...)
		forgetAll(b, ways[k].paths...)
		return measure(b, ways[k].server.pid(), func() (int64, error) { return readEach(ways[k].paths, false) })
	})
	b.ReportMetric(1000*medianOf(got[0], speed), "MB/s")
	b.ReportMetric(ratio(got[0], got[1], speed), "x-loopback-same-options")
	b.ReportMetric(ratio(got[0], got[2], speed), "x-raw")
	b.ReportMetric(medianOf(got[0], serverCPU), "server-cpu-s/GB")
}

// BenchmarkReread reads an entry that the kernel has cached. No request reaches the server, so it costs it nothing. The kernel
// caches the plain file in larger pieces than a FUSE mount; so it stands beside one that is cached in pages of 4 KiB, too.
func BenchmarkReread(b *testing.B) {
	r := newReading(b)
	ways := []way{r.nvrfs, r.raw, r.smallPages(b)}
	got := r.inTurn(b, len(ways), readRounds, func(k, round int) measured {
		r.part(b, ways[k], round)
		return r.part(b, ways[k], round)
	})
	b.ReportMetric(1000*medianOf(got[0], speed), "MB/s")
	b.ReportMetric(ratio(got[0], got[1], speed), "x-raw")
	b.ReportMetric(ratio(got[0], got[2], speed), "x-raw-in-4KiB-pages")
	b.ReportMetric(medianOf(got[0], serverCPU), "server-cpu-s/GB")
}

// BenchmarkRandomRead reads pages here and there, each for the first time, a few of each way in turn.
func BenchmarkRandomRead(b *testing.B) {
	r := newReading(b)
	ways := []way{r.nvrfs, r.loopback(b), r.loopback(b, sameOptions...)}
	var files []*os.File
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
		files = append(files, f)
	}
	took := make([][]float64, len(ways)) // µs
	rnd := rand.New(rand.NewPCG(1, 2))
	r.inTurn(b, len(ways), 60, func(k, _ int) measured {
		took[k] = append(took[k], timeReads(b, files[k], 0, r.size, 100, rnd)...)
		return measured{}
	})
	b.ReportMetric(median(took[0]), "µs/read")
	b.ReportMetric(median(took[0])/median(took[1]), "x-loopback")
	b.ReportMetric(median(took[0])/median(took[2]), "x-loopback-same-options")
}

// timeReads returns what each of some reads of a page somewhere in [from, to) takes, in microseconds.
func timeReads(b *testing.B, f *os.File, from, to int64, reads int, rnd *rand.Rand) (took []float64) {
	b.Helper()
	p := make([]byte, 4096)
	for range reads {
		off := from + rnd.Int64N((to-from)/4096)*4096
		start := time.Now()
		readAt(b, f, p, off)
		took = append(took, float64(time.Since(start).Nanoseconds())/1e3)
	}
	return took
}

// BenchmarkManyReaders reads 16 entries at once, and one after the other.
func BenchmarkManyReaders(b *testing.B) {
	r := newReading(b)
	paths := r.clips(b, 16)
	const atOnce, oneByOne, rounds = 0, 1, 7
	got := r.inTurn(b, 2, rounds, func(k, _ int) measured {
		warm(b, r.samples)
		forgetAll(b, paths...)
		return measure(b, r.nvrfs.server.pid(), func() (int64, error) { return readEach(paths, k == atOnce) })
	})
	b.ReportMetric(1000*medianOf(got[atOnce], speed), "MB/s")
	b.ReportMetric(ratio(got[atOnce], got[oneByOne], speed), "x-one-reader")
	b.ReportMetric(medianOf(got[atOnce], serverCPU), "server-cpu-s/GB")
}

// clips names clips that share the time of the entry.
func (r *reading) clips(b *testing.B, n int) (paths []string) {
	b.Helper()
	start := hourStart.In(in(b))
	length := time.Minute
	if r.full {
		length = time.Hour
	}
	const layout = "2006-01-02_15-04-05"
	for i := range n {
		from := start.Add(length * time.Duration(i) / time.Duration(n))
		to := start.Add(length * time.Duration(i+1) / time.Duration(n))
		name := from.Format(layout) + "--" + to.Format("15-04-05") + ".mp4"
		paths = append(paths, filepath.Join(r.nvrfs.server.mnt, ".nvrfs/clips/yard", name))
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
