package fsck_test

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

	"nvrfs/recorder"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// TestTornTail cuts the last file off anywhere, once with the row that counted some of it and once without.
func TestTornTail(t *testing.T) {
	for name, commitAt := range map[string]time.Duration{"without a row": 0, "with a row": 13 * time.Second} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, 10*time.Second)
			c := bench.Camera{FPS: 5, GOP: 10}
			given := b.Crash(c, 18500*time.Millisecond, commitAt)
			b.Writer.Abandon()
			whole, err := os.ReadFile(b.Path(2))
			if err != nil {
				t.Fatal(err)
			}
			ends := fragmentEnds(t, whole)
			rows := b.Recordings()
			step := max(1, len(whole)/15)
			sizes := []int64{0, 1, 7, 8, 23, 24, 25, 31, 32, 33, int64(len(whole))}
			for n := 100; n < len(whole); n += step {
				sizes = append(sizes, int64(n))
			}
			for _, e := range ends {
				sizes = append(sizes, e-1, e, e+1)
			}
			for _, size := range sizes {
				dir := b.Copy()
				if err := os.Truncate(filepath.Join(dir, strings.TrimPrefix(b.Path(2), b.Dir)), size); err != nil {
					t.Fatal(err)
				}
				log := bench.Reopen(t, dir)
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
				bench.NoProblems(t, dir)
				got := bench.Pictures(t, dir)
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
				if log := bench.Reopen(t, dir); strings.Contains(log, "ERROR") || strings.Contains(log, "cut off") {
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
		whole, err := fsck.WholeBytes(bytes.NewReader(file), size)
		if err == nil && (len(ends) == 0 || whole > ends[len(ends)-1]) {
			ends = append(ends, whole)
		}
	}
	return ends
}

// TestDamagedTail has a fragment of the right length with wrong bytes, as a power cut leaves it.
func TestDamagedTail(t *testing.T) {
	b := bench.New(t, time.Minute)
	b.Crash(bench.Camera{}, 10*time.Second)
	file, err := os.ReadFile(b.Path(1))
	if err != nil {
		t.Fatal(err)
	}
	clear(file[len(file)-100:])
	if err := os.WriteFile(b.Path(1), file, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := b.Copy()
	if log := bench.Reopen(t, dir); !strings.Contains(log, "cut off the end of a recording, which a crash had torn") {
		t.Error(log)
	}
	bench.NoProblems(t, dir)
	if got := bench.Pictures(t, dir); len(got) != 3*50 {
		t.Errorf("%d pictures", len(got))
	}
}

// TestRecoveredRowsAreDurable finds files that were written, but not synced, before the recorder was killed.
func TestRecoveredRowsAreDurable(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	c := bench.Camera{AudioRate: 48000, AudioLate: -time.Second}
	given := b.Crash(c, 34*time.Second, 23*time.Second)
	if err := fsck.MendFiles(t.Context(), b.DB, b.Volumes(), bench.NewLog(&b.Log)); err != nil {
		t.Fatal(err)
	}
	b.CheckRows()
	bench.NoProblems(t, b.Dir)
	recs := b.Recordings()
	if len(recs) != 4 || !recs[3].Sealed {
		t.Fatalf("recordings %+v", recs)
	}
	for i, x := range bench.Pictures(t, b.Dir) {
		for given[0].Track != volume.Video {
			given = given[1:]
		}
		if x != string(given[0].Data) {
			t.Fatalf("picture %d differs", i)
		}
		given = given[1:]
	}
	if run, err := b.DB.Run(t.Context(), recs[3].Run); err != nil || run.EndReason != fsck.CutOffReason {
		t.Errorf("run %+v, %v", run, err)
	}
}

// TestRecoveredTimes finds the times of the first recording, whose start had moved.
func TestRecoveredTimes(t *testing.T) {
	for _, c := range []bench.Camera{{Burst: 60}, {BFrames: true, Jitter: 50 * time.Millisecond}} {
		b := bench.New(t, time.Minute)
		b.Crash(c, 30*time.Second)
		b.Writer.Commit()
		before := b.Recordings()[0]
		dir := b.Copy()
		bench.Reopen(t, dir)
		db, err := schema.OpenReadOnly(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		after := bench.RowsOf(t, db, b.Stream.Row.ID)[0]
		before.Sealed = true
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("the row was %+v, read back it is %+v", before, after)
		}
	}
}

func TestLeftovers(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Record(bench.Camera{}, 25*time.Second)
	header, err := os.ReadFile(b.Path(1))
	if err != nil {
		t.Fatal(err)
	}
	header = header[:b.Recordings()[0].HeaderBytes]
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
			dir := b.Copy()
			path := filepath.Join(dir, strings.TrimPrefix(b.Path(4), b.Dir))
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			log := bench.Reopen(t, dir)
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
			bench.NoProblems(t, dir)
			if got := bench.Pictures(t, dir); len(got) != 25*25 {
				t.Errorf("%d pictures", len(got))
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Crash(bench.Camera{}, 18*time.Second, 17*time.Second)
	dir := b.Copy()
	if err := os.Remove(filepath.Join(dir, strings.TrimPrefix(b.Path(2), b.Dir))); err != nil {
		t.Fatal(err)
	}
	if log := bench.Reopen(t, dir); !strings.Contains(log, "missing") {
		t.Error(log)
	}
	if log := bench.Reopen(t, dir); strings.Contains(log, "missing") {
		t.Error("start-up looks for it again and again: ", log)
	}
	var found []string
	_, err := fsck.Check(t.Context(), dir, fsck.CheckOptions{Level: fsck.Size, Total: func(int64) {}, Checked: func(int64) {}, Found: func(p fsck.Problem) { found = append(found, p.String()) }})
	if err != nil || len(found) != 1 || found[0] != "cam/2: the sample file is missing" {
		t.Errorf("check: %q, %v", found, err)
	}
}

var _ io.ReaderAt = bench.BadSector{}

func TestUnreadableFileDoesNotStopStartUp(t *testing.T) {
	for name, commitAt := range map[string]time.Duration{"without a row": 0, "with a row": 17 * time.Second} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, 10*time.Second)
			b.Crash(bench.Camera{}, 18*time.Second, 5*time.Second, commitAt)
			rows := b.Recordings()
			if err := fsck.MendFiles(t.Context(), b.DB, map[int64]*volume.Volume{1: volume.New(1, "", bench.Unreadable{Store: b.Store, Number: 2})}, bench.NewLog(&b.Log)); err != nil {
				t.Fatal(err)
			}
			after := b.Recordings()
			if len(after) == 2 {
				rows[1].Sealed = true
				if fmt.Sprint(after[1]) != fmt.Sprint(rows[1]) {
					t.Errorf("row was %+v, is %+v", rows[1], after[1])
				}
			} else if _, err := os.Stat(b.Path(2) + ".damaged"); err != nil || len(after) != 1 {
				t.Errorf("rows %+v; %v", after, err)
			}
		})
	}
}

// TestRecoverUnlocked refuses a second recorder.
func TestSecondRecorderIsRefused(t *testing.T) {
	dir := t.TempDir()
	o := recorder.Options{Data: dir, Streams: []recorder.StreamOptions{{Camera: "cam", Name: "main"}}, Log: bench.NewLog(new(bench.LogBuffer))}
	r, err := recorder.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := recorder.Open(t.Context(), o); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second recorder: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err = recorder.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestNumbersAreNotUsedTwice(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Crash(bench.Camera{}, 25*time.Second)
	if err := fsck.MendFiles(t.Context(), b.DB, b.Volumes(), bench.NewLog(&b.Log)); err != nil {
		t.Fatal(err)
	}
	rows, err := b.DB.Streams(t.Context())
	if err != nil || rows[0].NextNumber != 4 {
		t.Errorf("stream %+v, %v", rows, err)
	}
}

func TestCheckFindsProblems(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Record(bench.Camera{}, 75*time.Second)
	edit := func(number int64, f func([]byte) []byte) {
		t.Helper()
		file, err := os.ReadFile(b.Path(number))
		if err == nil {
			err = os.WriteFile(b.Path(number), f(file), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(b.Path(1)); err != nil {
		t.Fatal(err)
	}
	edit(2, func(p []byte) []byte { return p[:5000] })
	edit(3, func(p []byte) []byte { return p[:len(p)-20] })
	edit(4, func(p []byte) []byte { return append(p, 0) })
	edit(5, func(p []byte) []byte { return p[:b.Recordings()[4].Bytes] })
	if err := b.DB.Write(t.Context(), func(tx *schema.Tx) error {
		return tx.PutRecording(&schema.Recording{ID: schema.MakeRecordingID(b.Stream.Row.ID, 20), Run: 1, Dir: 1, Sequence: 9, Start90k: 1, HeaderBytes: 1, Bytes: 1}, []byte{schema.IndexVersion, 0})
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.Path(15), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.Path(25), []byte("x"), 0o600); err != nil { // may be being written
		t.Fatal(err)
	}
	stranger := filepath.Join(b.Dir, schema.DefaultSampleDir, "stranger", "000")
	if err := errors.Join(os.MkdirAll(stranger, 0o700), os.WriteFile(filepath.Join(stranger, "000001.mp4"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	var found []string
	total, checked := int64(0), int64(0)
	sum, err := fsck.Check(t.Context(), b.Dir, fsck.CheckOptions{
		Level: fsck.Size,
		Total: func(n int64) { total = n }, Checked: func(n int64) { checked += n },
		Found: func(p fsck.Problem) { found = append(found, p.String()) },
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
