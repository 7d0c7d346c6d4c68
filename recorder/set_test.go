package recorder

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// setTest is a recorder whose streams are changed while it runs. It runs by a simulated clock.
type setTest struct {
	t    *testing.T
	o    Options
	log  *bench.LogBuffer
	r    *Recorder
	stop func()

	mu   sync.Mutex
	sent map[string][][]string // by camera and session, the pictures that were handed over
}

func newSetTest(t *testing.T, cameras int) *setTest {
	t.Helper()
	x := &setTest{t: t, log: new(bench.LogBuffer), sent: map[string][][]string{}}
	x.o = Options{Data: t.TempDir(), Length: 10 * time.Second, Sync: time.Second, Log: bench.NewLog(x.log)}
	for i := range cameras {
		x.o.Streams = append(x.o.Streams, x.stream(i))
	}
	return x
}

// stream is that of a camera that sends five pictures a second.
func (x *setTest) stream(i int) StreamOptions {
	name := fmt.Sprintf("cam%02d", i)
	source := bench.SourceFunc(func(ctx context.Context, h media.Handler) error {
		x.mu.Lock()
		session := len(x.sent[name])
		x.sent[name] = append(x.sent[name], nil)
		x.mu.Unlock()
		c := bench.Camera{Start: time.Now(), Run: uint32(i<<8 | session), FPS: 5, GOP: 5}
		if err := h.Start(c.Tracks()); err != nil {
			return err
		}
		for p := range c.Samples(time.Hour) {
			select {
			case <-time.After(time.Until(p.Received)):
			case <-ctx.Done():
				return nil
			}
			if err := h.Sample(p); err != nil {
				return err
			}
			x.mu.Lock()
			x.sent[name][session] = append(x.sent[name][session], string(p.Data))
			x.mu.Unlock()
		}
		return errors.New("the test takes too long")
	})
	return StreamOptions{Camera: name, Name: "main", Source: source, Origin: name}
}

func (x *setTest) start() {
	x.t.Helper()
	var err error
	if x.r, err = Open(x.t.Context(), x.o); err != nil {
		x.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.r.Run(ctx) }()
	x.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, x.r.Close()); err != nil {
			x.t.Error(err)
		}
	})
	x.t.Cleanup(x.stop)
}

// set sets the streams.
func (x *setTest) set(streams []StreamOptions) error {
	return x.r.Set(x.t.Context(), streams, Limits{}, MinFree{})
}

// check stops the recorder, and checks that every picture that a camera handed over is there once, in order, and that a camera had
// as many sessions as it should.
func (x *setTest) check(sessions map[string]int) {
	x.t.Helper()
	x.stop()
	bench.NoProblems(x.t, x.o.Data)
	for name, sent := range x.sent {
		if want := max(1, sessions[name]); len(sent) != want {
			x.t.Errorf("%s had %d sessions, want %d", name, len(sent), want)
		}
		var kept []string
		for _, day := range bench.PlayBackStream(x.t, x.o.Data, name) {
			for _, p := range day[volume.Video] {
				kept = append(kept, p.Data)
			}
		}
		if all := slices.Concat(sent...); !slices.Equal(kept, all) {
			x.t.Errorf("%s: %d pictures are there of %d that were handed over, or others", name, len(kept), len(all))
		}
		if len(kept) < 5*20 {
			x.t.Errorf("%s: only %d pictures", name, len(kept))
		}
	}
}

// TestSetWhileRecording changes some of 16 streams: one is added, one removed, one gets other limits, one another camera, one another
// directory. No other one loses a picture, or so much as begins another run.
func TestSetWhileRecording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSetTest(t, 16)
		x.start()
		time.Sleep(33 * time.Second)
		next := slices.Clone(x.o.Streams)
		next[5].Retain = Limits{Age: 20 * time.Second}
		next[7].Origin = "another address"
		next[9].Samples = filepath.Join(t.TempDir(), "other")
		next = append(slices.Delete(next, 3, 4), x.stream(16)) // cam03
		if err := x.set(next); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if err := x.set(slices.Concat(next[:len(next)-1], []StreamOptions{x.stream(16)})); err != nil { // as it is
			t.Error(err)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		x.mu.Lock()
		gone := len(x.sent["cam03"][0])
		x.mu.Unlock()
		if gone > 34*5 {
			t.Errorf("the one that was removed went on: %d pictures", gone)
		}
		if n := x.r.Disks(); n != 2 {
			t.Errorf("%d directories are recorded to", n)
		}
		if rows := x.rows("cam05"); rows[0].Start90k < media.FromTime(time.Now().Add(-35*time.Second)) {
			t.Errorf("of the one that keeps 20 s, the oldest is of %v, now it is %v", media.ToTime(rows[0].Start90k), time.Now())
		}
		dirs, numbers := map[int64]int{}, map[int64]bool{}
		for _, r := range x.rows("cam09") {
			dirs[r.Dir]++
			numbers[r.ID.Number()] = true
		}
		if len(dirs) != 2 || dirs[1]+dirs[2] != len(numbers) {
			t.Errorf("of the one that moved there are %v recordings by directory, %d numbers", dirs, len(numbers))
		}
		x.reasons("cam03", "removed from the configuration")
		x.reasons("cam07", "the configuration has another address for it", "")
		x.reasons("cam09", "the configuration has another sample directory for it", "")
		x.reasons("cam11", "")
		x.stop()
		delete(x.sent, "cam05") // of which old pictures were deleted
		x.check(map[string]int{"cam07": 2, "cam09": 2})
	})
}

func (x *setTest) rows(camera string) []schema.Recording {
	x.t.Helper()
	for _, s := range x.r.streams {
		if s.row.Camera == camera {
			return bench.RowsOf(x.t, x.r.set.DB, s.row.ID)
		}
	}
	x.t.Fatalf("there is no %s", camera)
	return nil
}

// reasons checks for what the runs of a camera have ended; one that goes on has no reason.
func (x *setTest) reasons(camera string, want ...string) {
	x.t.Helper()
	streams, err := x.r.set.DB.Streams(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	i := slices.IndexFunc(streams, func(s schema.Stream) bool { return s.Camera == camera })
	runs, err := x.r.set.DB.Runs(x.t.Context(), streams[i].ID, 0, math.MaxInt64)
	if err != nil {
		x.t.Fatal(err)
	}
	var got []string
	for _, r := range runs {
		got = append(got, r.EndReason)
	}
	if !slices.Equal(got, want) {
		x.t.Errorf("the runs of %s ended for %q, want %q", camera, got, want)
	}
}

// TestSetThatFails refuses streams that cannot be recorded: nothing changes.
func TestSetThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSetTest(t, 3)
		x.start()
		time.Sleep(15 * time.Second)
		foreign := filepath.Join(t.TempDir(), "foreign")
		if _, err := dir.Attach(foreign, "another"); err != nil {
			t.Fatal(err)
		}
		twice := append(slices.Clone(x.o.Streams[1:]), x.stream(2))
		if err := x.set(twice); err == nil || !strings.Contains(err.Error(), "cam02 is there twice") {
			t.Errorf("error is %v", err)
		}
		other := x.stream(7)
		other.Samples = foreign
		if err := x.set(append(slices.Clone(x.o.Streams[1:]), other)); !errors.Is(err, store.ErrForeign) {
			t.Errorf("error is %v", err)
		}
		time.Sleep(15 * time.Second)
		x.check(nil)
		if len(x.sent) != 3 {
			t.Errorf("%d cameras were recorded", len(x.sent))
		}
		if err := x.set(x.o.Streams); !errors.Is(err, errStopping) {
			t.Errorf("when it has stopped: %v", err)
		}
	})
}

// TestSetDirectoryThatIsAway moves a stream to a directory that was recorded to, but is away: it waits for it, and the others go on.
func TestSetDirectoryThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSetTest(t, 3)
		disk := filepath.Join(t.TempDir(), "disk")
		x.o.Streams[0].Samples = disk
		y := newYard(t, x.o)
		y.record(0, bench.Dawn, 2)()
		y.close()
		back := bench.Away(t, disk)
		x.o.Streams[0].Samples = ""
		x.start()
		time.Sleep(25 * time.Second)
		next := slices.Clone(x.o.Streams)
		next[0].Samples = disk
		if err := x.set(next); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		if n := len(x.sent["cam00"]); n != 1 || !strings.Contains(x.log.String(), "streams=cam00") {
			t.Errorf("%d sessions while the disk is away:\n%s", n, x.log)
		}
		moved := x.stream(1)
		moved.Samples = disk
		if err := x.set([]StreamOptions{next[0], moved, next[2]}); err != nil { // and away from there again
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		if err := x.set(next); err != nil {
			t.Fatal(err)
		}
		if got := x.r.set.At(disk).Streams(); got != "cam00" {
			t.Errorf("the streams that wait for the disk are %q", got)
		}
		back()
		time.Sleep(25 * time.Second)
		if rows := x.rows("cam00"); rows[len(rows)-1].Dir != 2 || !slices.ContainsFunc(rows, func(r schema.Recording) bool { return r.Dir == 1 }) {
			t.Errorf("recordings %+v", rows)
		}
		x.stop()
		bench.NoProblems(t, x.o.Data)
		delete(x.sent, "cam00")
		x.check(map[string]int{"cam01": 2})
	})
}
