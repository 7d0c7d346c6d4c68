package bench_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// run times a shell command, which prints how many lines it saw.
func run(b *testing.B, dir, command string) (lines int, took time.Duration) {
	b.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = dir
	start := time.Now()
	out, err := cmd.Output()
	took = time.Since(start)
	if err != nil {
		b.Fatalf("%s: %v", command, err)
	}
	if lines, err = strconv.Atoi(strings.TrimSpace(string(out))); err != nil {
		b.Fatalf("%s: %v", command, err)
	}
	return lines, took
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

const find = "find . -type f -size +0 | wc -l"

// BenchmarkStart starts the process beside an archive of two days.
func BenchmarkStart(b *testing.B) {
	large := year8(b)
	small := filled(b, days(b, "cam1", 2))
	var took [2]time.Duration
	for b.Loop() {
		for i, data := range []string{small, large} {
			s := show(b, data)
			took[i] += s.took
			s.end()
		}
	}
	b.ReportMetric(ms(took[1])/float64(b.N), "ms/start")
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "x-two-days")
}

// forgetNames has the kernel forget all names and inodes that nobody uses, as if nobody had walked there yet; what blocks of the
// disk hold stays cached. Then a command is run in a directory of nothing, so that the names of programs are known again. It does
// nothing where only a small set is measured, or for who is not root.
func forgetNames(b *testing.B, command string) {
	b.Helper()
	if os.Getenv(dataVariable) == "" {
		return
	}
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0); err != nil {
		b.Logf("names are not forgotten: %v", err)
	}
	run(b, b.TempDir(), command)
}

// walked is what a command took, in ms, in a mount and in a tree of the same shape on the disk.
type walked struct{ first, again, treeFirst, treeAgain []float64 }

// walk runs a command below a mount that is new, and below a tree whose names are forgotten, twice each. It prints a number, which
// must be the same each time.
func (w *walked) walk(b *testing.B, data, below, tree, command string) (lines int) {
	b.Helper()
	took := func(dir string) float64 {
		n, t := run(b, dir, command)
		if lines != 0 && n != lines {
			b.Fatalf("%s: %d, and then %d", command, lines, n)
		}
		lines = n
		return ms(t)
	}
	s := show(b, data)
	w.first = append(w.first, took(filepath.Join(s.mnt, below)))
	w.again = append(w.again, took(filepath.Join(s.mnt, below)))
	s.end() // so that it is not told meanwhile what the kernel forgets
	forgetNames(b, command)
	w.treeFirst = append(w.treeFirst, took(tree))
	w.treeAgain = append(w.treeAgain, took(tree))
	return lines
}

func (w *walked) report(b *testing.B) {
	b.ReportMetric(median(w.first)/median(w.treeFirst), "x-ext4-first")
	b.ReportMetric(median(w.again)/median(w.treeAgain), "x-ext4-again")
	b.ReportMetric(median(w.first)/median(w.treeAgain), "first-x-ext4-again")
	b.ReportMetric(median(w.first), "ms/first")
	b.ReportMetric(median(w.again), "ms/again")
	b.ReportMetric(median(w.treeFirst), "ms/ext4-first")
	b.ReportMetric(median(w.treeAgain), "ms/ext4-again")
}

// BenchmarkFind looks for every file of a camera's year, in turns with a tree of the same shape on the disk, and for those of
// all cameras.
func BenchmarkFind(b *testing.B) {
	data := year8(b)
	s := show(b, data)
	tree := copyTree(b, filepath.Join(s.mnt, "cam1"))
	s.end()
	const rounds = 3
	var one walked
	var all []float64 // ms
	var resident float64
	var files, allFiles int
	for b.Loop() {
		for range rounds {
			files = one.walk(b, data, "cam1", tree, find)
			s := show(b, data)
			n, t := run(b, s.mnt, find)
			all, allFiles = append(all, ms(t)), n
			resident = max(resident, residentMB(b, s.pid()))
			s.end()
		}
	}
	one.report(b)
	b.ReportMetric(median(all)/median(one.first), "x-camera")
	b.ReportMetric(float64(files), "files/camera")
	b.ReportMetric(float64(allFiles), "files")
	b.ReportMetric(resident, "MB-resident")
}

// BenchmarkListDay lists days that nobody has asked for yet, of which none is the next one of another: by ls, whose own start
// counts, and without it.
func BenchmarkListDay(b *testing.B) {
	data := year8(b)
	var list, ls []float64 // ms
	rnd := rand.New(rand.NewPCG(5, 6))
	for b.Loop() {
		s := show(b, data)
		days, err := os.ReadDir(filepath.Join(s.mnt, "cam1"))
		if err != nil {
			b.Fatal(err)
		}
		rnd.Shuffle(len(days), func(i, j int) { days[i], days[j] = days[j], days[i] })
		for i, day := range days[:min(len(days), 60)] {
			dir := filepath.Join(s.mnt, "cam1", day.Name())
			start := time.Now()
			if i%2 == 0 {
				_, err = os.ReadDir(dir)
				list = append(list, ms(time.Since(start)))
			} else {
				err = exec.Command("ls", dir).Run()
				ls = append(ls, ms(time.Since(start)))
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		s.end()
	}
	b.ReportMetric(median(list), "ms/list")
	b.ReportMetric(median(ls), "ms/ls")
}

// BenchmarkLargeDirectory lists an hour of ten thousand entries with their attributes, in turns with a directory of the same names
// on the disk.
func BenchmarkLargeDirectory(b *testing.B) {
	data := reconnects(b)
	const hour, rounds = "cam1/2025-06-01/12", 5
	s := show(b, data)
	tree := copyTree(b, filepath.Join(s.mnt, hour))
	s.end()
	var w walked
	for b.Loop() {
		for range rounds {
			if n := w.walk(b, data, hour, tree, "ls -l | wc -l"); n < 100 {
				b.Fatalf("%d lines", n)
			}
		}
	}
	w.report(b)
}

// copyTree makes a tree of the same names and sizes, of holes, on the filesystem of the temporary directory.
func copyTree(b *testing.B, from string) (to string) {
	b.Helper()
	to = b.TempDir()
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(filepath.Join(to, rel), nil, 0o644), os.Truncate(filepath.Join(to, rel), info.Size()))
	})
	if err != nil {
		b.Fatal(err)
	}
	return to
}
