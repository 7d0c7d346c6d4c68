package recorder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
)

// cutOff records a stream for n times 10 seconds without a commit, and ends the recorder as a kill does.
func (y *yard) cutOff(stream int, from time.Time, n int) {
	y.t.Helper()
	s := y.r.streams[stream].newSession()
	c := bench.Camera{Start: bench.At(from.Add(time.Millisecond)), Run: uint32(from.Unix())}
	if err := s.Start(c.Tracks()); err != nil {
		y.t.Fatal(err)
	}
	for x := range c.Samples(time.Duration(n) * 10 * time.Second) {
		if err := s.Sample(x); err != nil {
			y.t.Fatal(err)
		}
	}
	for _, d := range y.r.writers {
		d.Drain()
	}
	y.close()
}

// picturesOf returns what the pictures of a stream hold.
func picturesOf(t *testing.T, dir, label string) (all []string) {
	t.Helper()
	for _, day := range bench.PlayBackStream(t, dir, label) {
		for _, x := range day[volume.Video] {
			all = append(all, x.Data)
		}
	}
	return all
}

// TestDiskIsAwayAfterACrash kills a recorder, starts it again with the stream's recordings on another disk, while the first
// one is not there, and then brings that back: what was being recorded there when the recorder was killed is found, and no
// number is used twice.
func TestDiskIsAwayAfterACrash(t *testing.T) {
	for name, rounds := range map[string]int{"and a recorder is stopped": 0, "and another one is killed": 1, "and others are killed": 3} {
		t.Run(name, func(t *testing.T) {
			first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")
			o := Options{Data: t.TempDir(), Streams: streamsOf(Limits{}, "a")}
			o.Streams[0].Samples = first
			y := newYard(t, o)
			y.record(0, bench.Dawn, 2)()
			y.cutOff(0, bench.Dawn.Add(time.Minute), 2)
			back := bench.Away(t, first)

			o.Streams[0].Samples = second
			for i := range rounds {
				y = newYard(t, o)
				y.cutOff(0, bench.Dawn.Add(time.Duration(2+i)*time.Minute), 2)
			}
			y = newYard(t, o)
			if !strings.Contains(y.log.String(), "its footage cannot be shown") {
				t.Error(y.log)
			}
			y.record(0, bench.Dawn.Add(10*time.Minute), 2)()
			y.close()

			back()
			y = newYard(t, o)
			y.check()
			files, rows := len(y.files("a")), bench.RowsOf(t, y.r.set.DB, y.r.streams[0].row.ID)
			if want := 2 + 2 + 2*rounds + 2; files != want || len(rows) != want {
				t.Errorf("%d files, %d rows, want %d\n%s", files, len(rows), want, y.log)
			}
			for i := range rows {
				want := bench.Dawn.Add(time.Duration(i%2) * 10 * time.Second)
				switch round := i / 2; {
				case round > rounds+1:
					want = want.Add(10 * time.Minute)
				default:
					want = want.Add(time.Duration(round) * time.Minute)
				}
				if got := media.ToTime(rows[i].Start90k); got.Sub(want).Abs() > time.Second {
					t.Errorf("recording %s starts at %v, want %v", rows[i].ID, got, want)
				}
			}
			if n, want := len(picturesOf(t, o.Data, "a")), 2*500+(1+rounds)*450; n != want {
				t.Errorf("%d pictures, want %d", n, want)
			}
			y.record(0, bench.Dawn.Add(20*time.Minute), 1)()
			y.check()
			y.close()
			bench.SameAfterRebuild(t, o.Data, first, second)
		})
	}
}

// TestNumberInTwoDirectories has two files of one number, of which start-up takes in one, and repair sets the other aside.
func TestNumberInTwoDirectories(t *testing.T) {
	first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")
	o := Options{Data: t.TempDir(), Streams: streamsOf(Limits{}, "a")}
	o.Streams[0].Samples = second
	newYard(t, o).close()
	o.Streams[0].Samples = first
	y := newYard(t, o)
	y.record(0, bench.Dawn, 2)()
	y.cutOff(0, bench.Dawn.Add(time.Minute), 2)
	if err := os.CopyFS(filepath.Join(second, "a"), os.DirFS(filepath.Join(first, "a"))); err != nil {
		t.Fatal(err)
	}
	y = newYard(t, o)
	if n := strings.Count(y.log.String(), "two sample files have the same number"); n != 2 {
		t.Errorf("the log says so %d times: %s", n, y.log)
	}
	y.want(0, 1, 2, 3, 4)
	y.close()
	if said, left, err := bench.RepairAt(t, o.Data, fsck.Presence); err != nil || left > 0 {
		t.Errorf("%d left, %v: %q", left, err, said)
	}
	bench.NoProblems(t, o.Data)
	for _, dir := range []string{first, second} {
		files, err := filepath.Glob(filepath.Join(dir, "a", "000", "*.mp4*"))
		if err != nil || len(files) != 4 {
			t.Errorf("left are %v, %v", files, err)
		}
	}
	if got := len(picturesOf(t, o.Data, "a")); got != 2*500-50 {
		t.Errorf("%d pictures", got)
	}
}
