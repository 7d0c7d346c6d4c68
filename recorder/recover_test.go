package recorder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/media"
	"nvrfs/schema"
	"nvrfs/store"
)

// crash records a camera and stops as a killed process does: without finishing, committing, or closing.
func (b *bench) crash(c simCamera, d time.Duration, commitAt ...time.Duration) (given []media.Sample) {
	b.t.Helper()
	s := b.session(c)
	for x := range c.samples(d) {
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			b.t.Fatal(err)
		}
		for _, at := range commitAt {
			if x.Track == video && x.DTS == media.Ticks(at) {
				b.commit()
			}
		}
	}
	b.disk.writeAll()
	return given
}

func (b *bench) path(number int64) string {
	return filepath.Join(b.dir, schema.DefaultSampleDir, "cam", "000", fmt.Sprintf("%06d.mp4", number))
}

// copyTo copies the data directory.
func (b *bench) copy() (dir string) {
	b.t.Helper()
	dir = b.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
		b.t.Fatal(err)
	}
	return dir
}

// pictures returns what the pictures of all days hold.
func pictures(t *testing.T, dir string) (all []string) {
	t.Helper()
	for _, day := range playBack(t, dir) {
		for _, x := range day[video] {
			all = append(all, x.data)
		}
	}
	return all
}

// TestTornTail cuts the last file off anywhere, once with the row that counted some of it and once without.
func TestTornTail(t *testing.T) {
	for name, commitAt := range map[string]time.Duration{"without a row": 0, "with a row": 13 * time.Second} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 10*time.Second)
			c := simCamera{fps: 5, gop: 10}
			given := b.crash(c, 18500*time.Millisecond, commitAt)
			b.disk.closeAll()
			whole, err := os.ReadFile(b.path(2))
			if err != nil {
				t.Fatal(err)
			}
			ends := fragmentEnds(t, whole)
			rows := b.recordings()
			step := max(1, len(whole)/15)
			sizes := []int64{0, 1, 7, 8, 23, 24, 25, 31, 32, 33, int64(len(whole))}
			for n := 100; n < len(whole); n += step {
				sizes = append(sizes, int64(n))
			}
			for _, e := range ends {
				sizes = append(sizes, e-1, e, e+1)
			}
			for _, size := range sizes {
				dir := b.copy()
				if err := os.Truncate(filepath.Join(dir, strings.TrimPrefix(b.path(2), b.dir)), size); err != nil {
					t.Fatal(err)
				}
				log := reopen(t, dir)
				frags := 0
				for frags+1 < len(ends) && ends[frags+1] <= size {
					frags++
				}
				if len(rows) == 2 && frags == 0 {
					// Its row counted more than there is now: it stays, and whoever checks is told.
					if !strings.Contains(log, "damaged") {
						t.Errorf("cut to %d: %s", size, log)
					}
					continue
				}
				noProblems(t, dir)
				got := pictures(t, dir)
				if want := 50 + frags*10; len(got) != want {
					t.Errorf("cut to %d bytes: %d pictures, want %d\n%s", size, len(got), want, log)
				}
				for i := range got {
					if got[i] != string(given[i].Data) {
						t.Fatalf("cut to %d bytes: picture %d differs", size, i)
					}
				}
				if left, _ := filepath.Glob(filepath.Join(dir, schema.DefaultSampleDir, "cam", "000", "*")); len(left) != 1+min(1, frags) {
					t.Errorf("cut to %d bytes: left are %v", size, left)
				}
				if log := reopen(t, dir); strings.Contains(log, "ERROR") || strings.Contains(log, "cut off") {
					t.Errorf("cut to %d bytes: the second start has to mend again: %s", size, log)
				}
			}
		})
	}
}

// fragmentEnds returns where the header and each fragment of a sample file end.
func fragmentEnds(t *testing.T, file []byte) (ends []int64) {
	t.Helper()
	for size := range int64(len(file)) + 1 {
		found, err := readSampleFile(bytes.NewReader(file), size)
		if err == nil && (len(ends) == 0 || found.Bytes > ends[len(ends)-1]) {
			ends = append(ends, found.Bytes)
		}
	}
	return ends
}

// TestDamagedTail has a fragment of the right length with wrong bytes, as a power cut leaves it.
func TestDamagedTail(t *testing.T) {
	b := newBench(t, time.Minute)
	b.crash(simCamera{}, 10*time.Second)
	file, err := os.ReadFile(b.path(1))
	if err != nil {
		t.Fatal(err)
	}
	clear(file[len(file)-100:])
	if err := os.WriteFile(b.path(1), file, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := b.copy()
	if log := reopen(t, dir); !strings.Contains(log, "cut off the torn end") {
		t.Error(log)
	}
	noProblems(t, dir)
	if got := pictures(t, dir); len(got) != 3*50 {
		t.Errorf("%d pictures", len(got))
	}
}

// TestRecoveredRowsAreDurable finds files that were written, but not synced, before the recorder was killed.
func TestRecoveredRowsAreDurable(t *testing.T) {
	b := newBench(t, 10*time.Second)
	c := simCamera{audioRate: 48000, audioLate: -time.Second}
	given := b.crash(c, 34*time.Second, 23*time.Second)
	if err := recoverStreams(t.Context(), b.db, map[int64]sampleDir{1: {store: b.store}}, b.disk.log); err != nil {
		t.Fatal(err)
	}
	b.checkRows()
	noProblems(t, b.dir)
	recs := b.recordings()
	if len(recs) != 4 || !recs[3].Sealed {
		t.Fatalf("recordings %+v", recs)
	}
	for i, x := range pictures(t, b.dir) {
		for given[0].Track != video {
			given = given[1:]
		}
		if x != string(given[0].Data) {
			t.Fatalf("picture %d differs", i)
		}
		given = given[1:]
	}
	if run, err := b.db.Run(t.Context(), recs[3].Run); err != nil || run.EndReason != cutOffReason {
		t.Errorf("run %+v, %v", run, err)
	}
}

// TestRecoveredTimes finds the times of the first recording, whose start had moved.
func TestRecoveredTimes(t *testing.T) {
	for _, c := range []simCamera{{burst: 60}, {bFrames: true, jitter: 50 * time.Millisecond}} {
		b := newBench(t, time.Minute)
		b.crash(c, 30*time.Second)
		b.disk.commit()
		before := b.recordings()[0]
		dir := b.copy()
		reopen(t, dir)
		db, err := schema.OpenReadOnly(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		after := rowsOf(t, db, b.stream.row.ID)[0]
		before.Sealed = true
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("the row was %+v, read back it is %+v", before, after)
		}
	}
}

func TestLeftovers(t *testing.T) {
	b := newBench(t, 10*time.Second)
	b.record(simCamera{}, 25*time.Second)
	header, err := os.ReadFile(b.path(1))
	if err != nil {
		t.Fatal(err)
	}
	header = header[:b.recordings()[0].HeaderBytes]
	damaged := bytes.Clone(header)
	clear(damaged[100:200])
	for name, c := range map[string]struct {
		content string
		aside   bool
	}{
		"empty":                   {"", false},
		"a header only":           {string(header), false},
		"half a header":           {string(header[:len(header)/2]), false},
		"a damaged header":        {string(damaged), true},
		"text":                    {"this is no mp4, but somebody may want to have it back\n", true},
		"a picture":               {"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + strings.Repeat("\x00\x01", 100), true},
		"zeros":                   {strings.Repeat("\x00", 10_000), true},
		"an mp4 of somebody else": {"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2\x00\x00\x00\x08free\x00\x00\x10\x00mdat", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := b.copy()
			path := filepath.Join(dir, strings.TrimPrefix(b.path(4), b.dir))
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			log := reopen(t, dir)
			if _, err := os.Stat(path); err == nil {
				t.Error("it is still there")
			}
			kept, err := os.ReadFile(path + ".damaged")
			if c.aside && (err != nil || string(kept) != c.content || !strings.Contains(log, ".damaged")) {
				t.Errorf("it is not set aside: %v\n%s", err, log)
			}
			if !c.aside && err == nil {
				t.Error("it is set aside, and not removed")
			}
			noProblems(t, dir)
			if got := pictures(t, dir); len(got) != 25*25 {
				t.Errorf("%d pictures", len(got))
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	b := newBench(t, 10*time.Second)
	b.crash(simCamera{}, 18*time.Second, 17*time.Second)
	dir := b.copy()
	if err := os.Remove(filepath.Join(dir, strings.TrimPrefix(b.path(2), b.dir))); err != nil {
		t.Fatal(err)
	}
	if log := reopen(t, dir); !strings.Contains(log, "missing") {
		t.Error(log)
	}
	if log := reopen(t, dir); strings.Contains(log, "missing") {
		t.Error("start-up looks for it again and again: ", log)
	}
	var found []string
	_, err := Check(t.Context(), dir, CheckOptions{Level: Size, Total: func(int64) {}, Checked: func(int64) {}, Found: func(p Problem) { found = append(found, p.String()) }})
	if err != nil || len(found) != 1 || found[0] != "cam/2: the sample file is missing" {
		t.Errorf("check: %q, %v", found, err)
	}
}

// unreadable is a Store one of whose files the disk does not give.
type unreadable struct {
	store.Store
	number int64
}

func (s unreadable) Open(k store.Key) (store.Reader, error) {
	r, err := s.Store.Open(k)
	if k.Number == s.number {
		return badSector{r}, err
	}
	return r, err
}

type badSector struct{ store.Reader }

func (r badSector) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > 5000 {
		return 0, unix.EIO
	}
	return r.Reader.ReadAt(p, off)
}

var _ io.ReaderAt = badSector{}

func TestUnreadableFileDoesNotStopStartUp(t *testing.T) {
	for name, commitAt := range map[string]time.Duration{"without a row": 0, "with a row": 17 * time.Second} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 10*time.Second)
			b.crash(simCamera{}, 18*time.Second, 5*time.Second, commitAt)
			rows := b.recordings()
			if err := recoverStreams(t.Context(), b.db, map[int64]sampleDir{1: {store: unreadable{b.store, 2}}}, b.disk.log); err != nil {
				t.Fatal(err)
			}
			after := b.recordings()
			if len(after) == 2 {
				rows[1].Sealed = true
				if fmt.Sprint(after[1]) != fmt.Sprint(rows[1]) {
					t.Errorf("row was %+v, is %+v", rows[1], after[1])
				}
			} else if _, err := os.Stat(b.path(2) + ".damaged"); err != nil || len(after) != 1 {
				t.Errorf("rows %+v; %v", after, err)
			}
		})
	}
}

// TestRecoverUnlocked refuses a second recorder.
func TestSecondRecorderIsRefused(t *testing.T) {
	dir := t.TempDir()
	o := Options{Data: dir, Streams: []StreamOptions{{Camera: "cam", Name: "main"}}, Log: newTestLog(new(logBuffer))}
	r, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second recorder: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err = Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestNumbersAreNotUsedTwice(t *testing.T) {
	b := newBench(t, 10*time.Second)
	b.crash(simCamera{}, 25*time.Second)
	if err := recoverStreams(t.Context(), b.db, map[int64]sampleDir{1: {store: b.store}}, b.disk.log); err != nil {
		t.Fatal(err)
	}
	r := Recorder{db: b.db}
	rows, err := r.currentRows(t.Context(), []schema.Stream{{ID: b.stream.row.ID, NextNumber: 1}})
	if err != nil || rows[0].NextNumber != 4 {
		t.Errorf("stream %+v, %v", rows, err)
	}
}

func TestCheckFindsProblems(t *testing.T) {
	b := newBench(t, 10*time.Second)
	b.record(simCamera{}, 75*time.Second)
	edit := func(number int64, f func([]byte) []byte) {
		t.Helper()
		file, err := os.ReadFile(b.path(number))
		if err == nil {
			err = os.WriteFile(b.path(number), f(file), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(b.path(1)); err != nil {
		t.Fatal(err)
	}
	edit(2, func(p []byte) []byte { return p[:5000] })
	edit(3, func(p []byte) []byte { return p[:len(p)-20] })
	edit(4, func(p []byte) []byte { return append(p, 0) })
	edit(5, func(p []byte) []byte { return p[:b.recordings()[4].Bytes] })
	if err := b.db.Write(t.Context(), func(tx *schema.Tx) error {
		return tx.PutRecording(&schema.Recording{ID: schema.MakeRecordingID(b.stream.row.ID, 20), Run: 1, Dir: 1, Sequence: 9, Start90k: 1, HeaderBytes: 1, Bytes: 1}, []byte{schema.IndexVersion, 0})
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.path(15), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.path(25), []byte("x"), 0o600); err != nil { // may be being written
		t.Fatal(err)
	}
	stranger := filepath.Join(b.dir, schema.DefaultSampleDir, "stranger", "000")
	if err := errors.Join(os.MkdirAll(stranger, 0o700), os.WriteFile(filepath.Join(stranger, "000001.mp4"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	var found []string
	total, checked := int64(0), int64(0)
	sum, err := Check(t.Context(), b.dir, CheckOptions{
		Level: Size,
		Total: func(n int64) { total = n }, Checked: func(n int64) { checked += n },
		Found: func(p Problem) { found = append(found, p.String()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"cam/20: the sample file is missing", "cam/1: the sample file is missing", "cam/2: the sample file has 5000 bytes, of ", "cam/3: the sample file does not end as recorded",
		"cam/4: the sample file does not end as recorded", "cam/5: the sample file has no seal", "cam/15: the sample file has no row",
		"stranger: 1 sample files of a stream that the database does not know",
	} {
		if len(found) <= i || !strings.HasPrefix(found[i], want) {
			t.Fatalf("found %q, want as number %d %q", found, i+1, want)
		}
	}
	if len(found) != 8 || sum.Problems != 8 || sum.Recordings != 9 || total != 9 || checked != 9 {
		t.Errorf("found %q; summary %+v of %d, %d checked", found, sum, total, checked)
	}
}
