package fsck_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
)

// TestDamageInAGrowingFile damages the file that was being written in the middle, which no crash does. Nothing of it may be
// cut off or removed: whole footage lies behind.
func TestDamageInAGrowingFile(t *testing.T) {
	const fragment = 50 // pictures
	for name, c := range map[string]struct {
		commitAt time.Duration
		gop      int
		damaged  []int // fragments of the second file, of 9
		lost     int   // fragments
	}{
		"one fragment":                        {0, 50, []int{3}, 1},
		"one fragment of a row":               {38 * time.Second, 50, []int{3}, 1},
		"the first":                           {0, 50, []int{0}, 1},
		"the first of a row":                  {38 * time.Second, 50, []int{0}, 1},
		"the first and others":                {0, 50, []int{0, 1, 5}, 3},
		"every second":                        {30 * time.Second, 50, []int{1, 3, 5, 7}, 4},
		"the last that a row counts":          {38 * time.Second, 50, []int{8}, 1},
		"all but the first":                   {38 * time.Second, 50, []int{1, 2, 3, 4, 5, 6, 7, 8}, 8},
		"one, of a GOP of three":              {38 * time.Second, 150, []int{3}, 3},
		"the second, of a GOP of three":       {0, 150, []int{1}, 2},
		"the first, and but one GOP is there": {0, 500, []int{0}, 9},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, 20*time.Second)
			b.Stream.Length90k = media.Ticks(20 * time.Second)
			given := b.Crash(bench.Camera{GOP: c.gop}, 40*time.Second, c.commitAt)
			b.Writer.Abandon()
			d := bench.Damage{T: t, Dir: b.Copy()}
			numbers := len(b.Files())
			last := int64(numbers)
			before := bench.Pictures(t, bench.RebuiltCopy(t, d.Dir))
			if len(before) < len(given)-2*fragment {
				t.Fatalf("%d pictures of %d would be there", len(before), len(given))
			}
			for _, n := range c.damaged {
				d.Flip(last, "mdat", n, 500)
			}
			damaged, err := os.ReadFile(d.Path(last))
			if err != nil {
				t.Fatal(err)
			}
			log := bench.Reopen(t, d.Dir)
			if !strings.Contains(log, d.Path(last)+".damaged") {
				t.Errorf("the log does not say where it is: %s", log)
			}
			if kept, err := os.ReadFile(d.Path(last) + ".damaged"); err != nil || !bytes.Equal(kept, damaged) {
				t.Errorf("it is not set aside as it was: %v", err)
			}
			bench.NoProblems(t, d.Dir)
			got := bench.Pictures(t, d.Dir)
			if len(got) != len(before)-c.lost*fragment {
				t.Errorf("%d pictures of %d, of which %d should be lost", len(got), len(before), c.lost*fragment)
			}
			next := 0
			for _, x := range got {
				i := slices.Index(before[next:], x)
				if i < 0 {
					t.Fatalf("a picture behind number %d is none of those, or not in order", next)
				}
				next += i + 1
			}
			if log := bench.Reopen(t, d.Dir); strings.Contains(log, "ERROR") || strings.Contains(log, "WARN") {
				t.Errorf("the second start: %s", log)
			}
			bench.SameAfterRebuild(t, d.Dir)
		})
	}
}

// TestDamagedSizeInAHeader has a size in the header of a file without a row point behind the file's end, as if the header
// had been cut off.
func TestDamagedSizeInAHeader(t *testing.T) {
	b := bench.New(t, time.Minute)
	b.Crash(bench.Camera{}, 3*time.Second)
	file, err := os.ReadFile(b.Path(1))
	if err != nil {
		t.Fatal(err)
	}
	ftyp := bytes.Index(file, []byte("moov")) - 4
	for name, at := range map[string]int{"ftyp": 0, "moov": ftyp} {
		t.Run(name, func(t *testing.T) {
			d := bench.Damage{T: t, Dir: b.Copy()}
			d.Edit(1, func(p []byte) []byte {
				p[at+1] |= 1 // 64 kB more
				return p
			})
			if log := bench.Reopen(t, d.Dir); !strings.Contains(log, ".damaged") {
				t.Error(log)
			}
			if _, err := os.Stat(d.Path(1) + ".damaged"); err != nil {
				t.Errorf("a file with whole fragments was removed: %v", err)
			}
		})
	}
}

// TestDiskFailsWhileStarting has the disk fail in each way while start-up mends: the recorder starts, says so, and the next
// start mends the rest.
func TestDiskFailsWhileStarting(t *testing.T) {
	for name, c := range map[string]struct {
		op  string
		err error
	}{
		"the disk is full":          {"append", unix.ENOSPC},
		"nothing can be cut off":    {"truncate", unix.EIO},
		"the disk is read-only":     {"reopen", unix.EROFS},
		"nothing can be synced":     {"sync", unix.EIO},
		"no name can be synced":     {"syncdir", unix.EIO},
		"the directory is damaged":  {"scan", unix.EIO},
		"no size can be asked for":  {"size", unix.EIO},
		"nothing can be opened":     {"open", unix.EIO},
		"nothing can be removed":    {"remove", unix.EROFS},
		"nothing can be set aside":  {"set aside", unix.EROFS},
		"nothing can be made there": {"create", unix.ENOSPC},
	} {
		for _, commitAt := range []time.Duration{0, 13 * time.Second} {
			for _, damaged := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/row %v/damaged %v", name, commitAt > 0, damaged), func(t *testing.T) {
					b := bench.New(t, 10*time.Second)
					b.Crash(bench.Camera{}, 18*time.Second, 9*time.Second, commitAt)
					b.StartFailing(c.op, c.err, damaged)
				})
			}
		}
	}
}
