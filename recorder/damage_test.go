package recorder

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
	"nvrfs/store"
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
			b := newBench(t, 20*time.Second)
			b.stream.length90k = media.Ticks(20 * time.Second)
			given := b.crash(simCamera{gop: c.gop}, 40*time.Second, c.commitAt)
			b.disk.closeAll()
			d := damage{t, b.copy()}
			numbers := len(b.files())
			last := int64(numbers)
			before := pictures(t, rebuiltCopy(t, d.dir))
			if len(before) < len(given)-2*fragment {
				t.Fatalf("%d pictures of %d would be there", len(before), len(given))
			}
			for _, n := range c.damaged {
				d.flip(last, "mdat", n, 500)
			}
			damaged, err := os.ReadFile(d.path(last))
			if err != nil {
				t.Fatal(err)
			}
			log := reopen(t, d.dir)
			if !strings.Contains(log, d.path(last)+".damaged") {
				t.Errorf("the log does not say where it is: %s", log)
			}
			if kept, err := os.ReadFile(d.path(last) + ".damaged"); err != nil || !bytes.Equal(kept, damaged) {
				t.Errorf("it is not set aside as it was: %v", err)
			}
			noProblems(t, d.dir)
			got := pictures(t, d.dir)
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
			if log := reopen(t, d.dir); strings.Contains(log, "ERROR") || strings.Contains(log, "WARN") {
				t.Errorf("the second start: %s", log)
			}
			sameAfterRebuild(t, d.dir)
		})
	}
}

// files lists the sample files of the stream.
func (b *bench) files() []int64 {
	b.t.Helper()
	files, err := b.store.Scan("cam", 1)
	if err != nil {
		b.t.Fatal(err)
	}
	return files
}

// rebuiltCopy copies a data directory, and has a start-up mend the copy.
func rebuiltCopy(t *testing.T, dir string) (copied string) {
	t.Helper()
	copied = t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	reopen(t, copied)
	return copied
}

// TestDamagedSizeInAHeader has a size in the header of a file without a row point behind the file's end, as if the header
// had been cut off.
func TestDamagedSizeInAHeader(t *testing.T) {
	b := newBench(t, time.Minute)
	b.crash(simCamera{}, 3*time.Second)
	file, err := os.ReadFile(b.path(1))
	if err != nil {
		t.Fatal(err)
	}
	ftyp := bytes.Index(file, []byte("moov")) - 4
	for name, at := range map[string]int{"ftyp": 0, "moov": ftyp} {
		t.Run(name, func(t *testing.T) {
			d := damage{t, b.copy()}
			d.edit(1, func(p []byte) []byte {
				p[at+1] |= 1 // 64 kB more
				return p
			})
			if log := reopen(t, d.dir); !strings.Contains(log, ".damaged") {
				t.Error(log)
			}
			if _, err := os.Stat(d.path(1) + ".damaged"); err != nil {
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
					b := newBench(t, 10*time.Second)
					b.crash(simCamera{}, 18*time.Second, 9*time.Second, commitAt)
					b.startFailing(c.op, c.err, damaged)
				})
			}
		}
	}
}

// startFailing starts with a second file that was being written, and a third of which nothing is whole, while an operation
// fails; and then again.
func (b *bench) startFailing(op string, err error, damaged bool) {
	b.t.Helper()
	b.disk.closeAll()
	want := 250 + 150
	if damaged {
		damage{b.t, b.dir}.flip(2, "mdat", 1, 500)
		want -= 50
	}
	if err := os.WriteFile(b.path(3), []byte("x"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	st := &failingStore{newFaultStore(b.store.Store), op, err}
	st.failing(func(op string, _ store.Key) error { return st.try(op) })
	log := new(logBuffer)
	if err := recoverStreams(b.t.Context(), b.db, map[int64]sampleDir{1: {store: st}}, newTestLog(log)); err != nil {
		b.t.Fatalf("the recorder does not start: %v", err)
	}
	if recs := b.recordings(); len(recs) < 1 || recs[0].Tracks[video].Samples < 200 {
		b.t.Errorf("rows %+v", recs)
	}
	reopen(b.t, b.dir)
	if op == "remove" && damaged { // a number behind that of the third file was used
		if _, left, err := repairAt(b.t, b.dir, Size); err != nil || left > 0 {
			b.t.Errorf("%d left, %v", left, err)
		}
	}
	noProblems(b.t, b.dir)
	if got := len(pictures(b.t, b.dir)); got != want {
		b.t.Errorf("%d pictures, want %d\n%s", got, want, log)
	}
}

// failingStore is a faultStore all of whose operations can fail.
type failingStore struct {
	*faultStore
	op  string
	err error
}

func (s *failingStore) try(op string) error {
	if op == s.op {
		return s.err
	}
	return nil
}

func (s *failingStore) Scan(stream string, from int64) ([]int64, error) {
	if err := s.try("scan"); err != nil {
		return nil, err
	}
	return s.faultStore.Scan(stream, from)
}

func (s *failingStore) Size(k store.Key) (int64, error) {
	if err := s.try("size"); err != nil {
		return 0, err
	}
	return s.faultStore.Size(k)
}

func (s *failingStore) Open(k store.Key) (store.Reader, error) {
	if err := s.try("open"); err != nil {
		return nil, err
	}
	return s.faultStore.Open(k)
}

func (s *failingStore) SetAside(k store.Key) (string, error) {
	if err := s.try("set aside"); err != nil {
		return "", err
	}
	return s.faultStore.SetAside(k)
}
