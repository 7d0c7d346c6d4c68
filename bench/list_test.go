package bench_test

import (
	"errors"
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

// forgetNames has the kernel forget all names and inodes that nobody uses, as if nobody had walked there yet. What blocks of the
// disk hold stays cached.
func forgetNames(b *testing.B) {
	b.Helper()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0); err != nil {
		b.Skipf("only root can have the kernel forget names: %v", err)
	}
}

// BenchmarkFind looks for every file of a camera's year, the first time and again, in turns with a tree of the same shape on
// the disk, whose names are forgotten before the first time; and then for those of all cameras.
func BenchmarkFind(b *testing.B) {
	data := year8(b)
	s := show(b, data)
	tree := copyTree(b, filepath.Join(s.mnt, "cam1"))
	s.end()
	const first, again, treeFirst, treeAgain, all, rounds = 0, 1, 2, 3, 4, 3
	var took [5][]float64 // ms
	var resident float64
	var files, allFiles int
	for b.Loop() {
		for range rounds {
			s := show(b, data)
			for i, dir := range []string{first: filepath.Join(s.mnt, "cam1"), again: filepath.Join(s.mnt, "cam1"), treeFirst: tree, treeAgain: tree} {
				if i == treeFirst {
					forgetNames(b)
				}
				n, t := run(b, dir, find)
				if took[i] = append(took[i], ms(t)); i > 0 && n != files {
					b.Fatalf("%d files, and then %d", files, n)
				}
				files = n
			}
			s.end()
			s = show(b, data)
			n, t := run(b, s.mnt, find)
			took[all] = append(took[all], ms(t))
			allFiles = n
			resident = max(resident, residentMB(b, s.pid()))
			s.end()
		}
	}
	b.ReportMetric(median(took[first])/median(took[treeFirst]), "x-ext4-first")
	b.ReportMetric(median(took[again])/median(took[treeAgain]), "x-ext4-again")
	b.ReportMetric(median(took[first])/median(took[treeAgain]), "first-x-ext4-again")
	b.ReportMetric(median(took[first]), "ms/first")
	b.ReportMetric(median(took[again]), "ms/again")
	b.ReportMetric(median(took[treeFirst]), "ms/ext4-first")
	b.ReportMetric(median(took[treeAgain]), "ms/ext4-again")
	b.ReportMetric(median(took[all])/median(took[first]), "x-camera")
	b.ReportMetric(float64(files), "files/camera")
	b.ReportMetric(float64(allFiles), "files")
	b.ReportMetric(resident, "MB-resident")
}

// BenchmarkListDay lists days that nobody has asked for yet: by ls, whose own start counts, and without it.
func BenchmarkListDay(b *testing.B) {
	s := show(b, year8(b))
	days, err := os.ReadDir(filepath.Join(s.mnt, "cam1"))
	if err != nil {
		b.Fatal(err)
	}
	var list, ls time.Duration
	n := 0
	for b.Loop() {
		for i, took := range []*time.Duration{&list, &ls} {
			dir := filepath.Join(s.mnt, "cam1", days[(2*n+i)%len(days)].Name())
			start := time.Now()
			if i == 0 {
				_, err = os.ReadDir(dir)
			} else {
				err = exec.Command("ls", dir).Run()
			}
			if *took += time.Since(start); err != nil {
				b.Fatal(err)
			}
		}
		n++
	}
	b.ReportMetric(ms(list)/float64(n), "ms/list")
	b.ReportMetric(ms(ls)/float64(n), "ms/ls")
}

// BenchmarkLargeDirectory lists an hour of ten thousand entries with their attributes, the first time and again, in turns with a
// directory of the same names on the disk, which are forgotten before the first time.
func BenchmarkLargeDirectory(b *testing.B) {
	data := reconnects(b)
	const hour = "cam1/2025-06-01/12"
	s := show(b, data)
	tree := copyTree(b, filepath.Join(s.mnt, hour))
	s.end()
	const first, again, treeFirst, treeAgain, rounds = 0, 1, 2, 3, 5
	var took [4][]float64 // ms
	for b.Loop() {
		for range rounds {
			s := show(b, data)
			dir := filepath.Join(s.mnt, hour)
			for i, dir := range []string{first: dir, again: dir, treeFirst: tree, treeAgain: tree} {
				if i == treeFirst {
					forgetNames(b)
				}
				n, t := run(b, dir, "ls -l | wc -l")
				if took[i] = append(took[i], ms(t)); n < 100 {
					b.Fatalf("%d lines", n)
				}
			}
			s.end()
		}
	}
	b.ReportMetric(median(took[first])/median(took[treeFirst]), "x-ext4-first")
	b.ReportMetric(median(took[again])/median(took[treeAgain]), "x-ext4-again")
	b.ReportMetric(median(took[first])/median(took[treeAgain]), "first-x-ext4-again")
	b.ReportMetric(median(took[first]), "ms/first")
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
