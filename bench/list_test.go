package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// zone is where the cameras of the sets are.
const zone = "Europe/Berlin"

func in(b *testing.B) *time.Location {
	b.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		b.Skip(err)
	}
	return loc
}

// year8 is a year of eight cameras in recordings of a minute; small, two days of two cameras.
func year8(b *testing.B) string {
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, in(b))
	cameras := func(n, days int) (all []archive) {
		for i := range n {
			all = append(all, archive{camera: fmt.Sprintf("cam%d", i+1), start: start, recordings: days * 24 * 60, length: time.Minute})
		}
		return all
	}
	return archives(b, "year8", cameras(8, 365), cameras(2, 2))
}

// reconnects is an hour of ten thousand entries: a host's clock was set back again and again, so that runs overlap, and none
// joins another.
func reconnects(b *testing.B) string {
	a := archive{
		camera: "cam1", start: time.Date(2025, 6, 1, 12, 0, 0, 0, in(b)), recordings: 10_000,
		length: 6 * time.Second, gap: -5650 * time.Millisecond, fps: 30,
	}
	small := a
	small.recordings = 200
	return archives(b, "reconnects", []archive{a}, []archive{small})
}

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
	small := filepath.Join(b.TempDir(), "small")
	a := archive{camera: "cam1", start: time.Date(2025, 1, 1, 0, 0, 0, 0, in(b)), recordings: 2 * 24 * 60, length: time.Minute}
	if err := fill(b.Context(), small, a); err != nil {
		b.Fatal(err)
	}
	var took [2]time.Duration
	for b.Loop() {
		for i, data := range []string{small, large} {
			s := show(b, data)
			took[i] += s.took
			s.close(b)
		}
	}
	b.ReportMetric(ms(took[1])/float64(b.N), "ms/start")
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "x-two-days")
}

// BenchmarkFind looks for every file of a camera's year, the first time and again, in turns with a tree of the same shape on
// the disk; and then for those of all cameras.
func BenchmarkFind(b *testing.B) {
	data := year8(b)
	s := show(b, data)
	peer := copyTree(b, filepath.Join(s.mnt, "cam1"))
	s.close(b)
	const first, again, peerFirst, peerAgain, all = 0, 1, 2, 3, 4
	var took [5]time.Duration
	var resident float64
	var files, allFiles int
	for b.Loop() {
		s := show(b, data)
		one := filepath.Join(s.mnt, "cam1")
		for i, dir := range []string{first: one, again: one, peerFirst: peer, peerAgain: peer} {
			n, t := run(b, dir, find)
			if took[i] += t; i > 0 && n != files {
				b.Fatalf("%d files, and then %d", files, n)
			}
			files = n
		}
		s.close(b)
		s = show(b, data)
		n, t := run(b, s.mnt, find)
		took[all] += t
		allFiles = n
		resident = max(resident, s.residentMB(b))
		s.close(b)
	}
	b.ReportMetric(took[first].Seconds()/took[peerFirst].Seconds(), "x-ext4-first")
	b.ReportMetric(took[again].Seconds()/took[peerAgain].Seconds(), "x-ext4-again")
	b.ReportMetric(ms(took[first])/float64(b.N), "ms/first")
	b.ReportMetric(ms(took[again])/float64(b.N), "ms/again")
	b.ReportMetric(ms(took[peerFirst])/float64(b.N), "ms/ext4")
	b.ReportMetric(took[all].Seconds()/took[first].Seconds(), "x-camera")
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

// BenchmarkLargeDirectory lists an hour of ten thousand entries with their attributes, in turns with a directory of the same
// names on the disk.
func BenchmarkLargeDirectory(b *testing.B) {
	data := reconnects(b)
	const hour = "cam1/2025-06-01/12"
	s := show(b, data)
	peer := copyTree(b, filepath.Join(s.mnt, hour))
	s.close(b)
	var took [3]time.Duration
	for b.Loop() {
		s := show(b, data)
		dir := filepath.Join(s.mnt, hour)
		for i, dir := range []string{dir, dir, peer} {
			n, t := run(b, dir, "ls -l | wc -l")
			took[i] += t
			if n < 100 {
				b.Fatalf("%d lines", n)
			}
		}
		s.close(b)
	}
	b.ReportMetric(took[0].Seconds()/took[2].Seconds(), "x-ext4-first")
	b.ReportMetric(took[1].Seconds()/took[2].Seconds(), "x-ext4-again")
	b.ReportMetric(ms(took[0])/float64(b.N), "ms/first")
}
