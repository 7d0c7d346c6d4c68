package volume_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/media"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// TestDiskFailures has a disk fail, once or for a while: nothing that was handed over is lost. A run goes on when the disk
// failed once, and otherwise ends for that reason.
func TestDiskFailures(t *testing.T) {
	enospc := fmt.Errorf("append 1 bytes to sample file: %w", unix.ENOSPC)
	eio := fmt.Errorf("sync sample file: %w", unix.EIO)
	for name, c := range map[string]struct {
		op         string
		nth, count int
		err        error
		also       string // fails too, its first times
	}{
		"the first file cannot be made":               {"create", 1, 1, unix.EACCES, ""},
		"a file cannot be made":                       {"create", 4, 1, unix.EACCES, ""},
		"files cannot be made for a while":            {"create", 2, 3, unix.EACCES, ""},
		"the first append fails":                      {"append", 1, 1, enospc, ""},
		"an append fails":                             {"append", 8, 1, enospc, ""},
		"an append and the seal fail":                 {"append", 8, 2, enospc, ""},
		"the seal fails for long":                     {"append", 8, 4, enospc, ""},
		"the first of a file fails":                   {"append", 6, 1, enospc, ""},
		"the last of a file fails":                    {"append", 5, 1, enospc, ""},
		"the disk is full for a while":                {"append", 9, 12, enospc, ""},
		"the first sync fails":                        {"sync", 1, 1, eio, ""},
		"a sync fails":                                {"sync", 5, 1, eio, ""},
		"syncs fail for a while":                      {"sync", 4, 6, eio, ""},
		"the sync of a directory fails":               {"syncdir", 1, 1, eio, ""},
		"a later sync of a directory fails":           {"syncdir", 3, 1, eio, ""},
		"syncs of directories fail for a while":       {"syncdir", 2, 5, eio, ""},
		"a sync fails, and the file cannot be cut":    {"sync", 4, 1, eio, "truncate"},
		"a sync fails, and the file is not removed":   {"sync", 1, 1, eio, "remove"},
		"a sync fails, and there is no new file":      {"sync", 5, 1, eio, "create"},
		"a sync fails, and the new one takes nothing": {"sync", 5, 1, eio, "append"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, 10*time.Second)
			f, once := bench.Fails(c.op, c.nth, c.count, c.err), c.count == 1
			var also func(string, store.Key) error
			b.Store.Failing(func(op string, k store.Key) error {
				err := f(op, k)
				if err != nil && c.also != "" {
					also, once = bench.Fails(c.also, 1, 3, c.err), false
				}
				if also != nil {
					err = errors.Join(err, also(op, k))
				}
				return err
			})
			given, reasons := b.RecordThrough(bench.Camera{}, 100*time.Second)
			kept := b.CheckKept(given)
			for i := range given {
				if kept[i] != bench.CountFrom(given[i]) {
					t.Errorf("session %d: %d samples of %d are kept", i, kept[i], bench.CountFrom(given[i]))
				}
			}
			log := b.Log.String()
			switch {
			case once && (len(reasons) > 1 || strings.Contains(log, "the run ends")):
				t.Errorf("sessions ended for %q:\n%s", reasons, log)
			case !once && c.op != "append" && (len(reasons) < 2 || !strings.Contains(reasons[0], "cannot write") || !strings.Contains(reasons[0], c.err.Error())):
				t.Errorf("sessions ended for %q", reasons)
			}
			if strings.Count(log, "cannot write to a sample file; the footage is kept") < 1 || strings.Count(log, "the footage that was kept in memory is written") < 1 {
				t.Error(log)
			}
			for _, r := range b.Recordings() {
				if !r.Sealed {
					t.Errorf("recording %s is not sealed", r.ID)
				}
				run, err := b.DB.Run(t.Context(), r.Run)
				if err != nil || run.EndReason == "" {
					t.Errorf("run %+v, %v", run, err)
				}
			}
			b.CheckFiles()
		})
	}
}

// TestFullDisk has a disk that is full for a while. The run is sealed behind its last whole fragment and ends; what had come
// meanwhile is written when there is space.
func TestFullDisk(t *testing.T) {
	b := bench.New(t, time.Minute)
	b.Store.Failing(bench.Fails("append", 6, 5, unix.ENOSPC))
	given, reasons := b.RecordThrough(bench.Camera{}, 30*time.Second)
	if len(reasons) != 2 || !strings.Contains(reasons[0], "no space left on device") {
		t.Fatalf("sessions ended for %q", reasons)
	}
	if kept := b.CheckKept(given); kept[0] != bench.CountFrom(given[0]) || kept[1] != bench.CountFrom(given[1]) {
		t.Errorf("%v samples are kept", kept)
	}
	recs := b.Recordings()
	if recs[0].Tracks[volume.Video].Samples != 5*50 {
		t.Errorf("%d samples are in the first file, of five fragments of 50", recs[0].Tracks[volume.Video].Samples)
	}
	last := recs[0]
	for _, r := range recs {
		if r.Run == last.Run {
			last = r
		}
	}
	if found := b.ReadBack(last.ID.Number()); found.Seal == nil || found.Seal.Start90k != last.Start90k || found.Seal.WallDuration90k != last.WallDuration90k || !strings.Contains(found.Seal.EndReason, "no space left") {
		t.Errorf("found %+v", found)
	}
	if n := strings.Count(b.Log.String(), "cannot write to the new sample file either"); n != 1 {
		t.Errorf("the log says so %d times:\n%s", n, b.Log.String())
	}
}

// TestFragmentsStayInOrder fails the last fragment of a recording when its session has already begun the next: that one waits.
func TestFragmentsStayInOrder(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	c := bench.Camera{}
	s := b.Session(c)
	var given []media.Sample
	for x := range c.Samples(25 * time.Second) {
		if x.DTS == 24*90000 { // the second recording, and the start of the third, wait to be written
			b.Writer.Drain()
		}
		if x.DTS == 12*90000 {
			b.Writer.Drain()
			b.Store.Failing(bench.Fails("append", 5, 1, unix.ENOSPC))
		}
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	b.Commit()
	if recs := b.Recordings(); len(recs) != 4 || recs[1].Tracks[volume.Video].Duration != 8*90000 || recs[3].Run != recs[0].Run {
		t.Errorf("recordings %+v", recs)
	}
	b.CheckShown(given, c.Tracks())
	b.CheckFiles()
}

// TestNumberOfARemovedFile has a new file take nothing, so that it is removed and another run takes its number, before the
// sync of an older file of the first run fails.
func TestNumberOfARemovedFile(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	var given [][]media.Sample
	for run := range uint32(2) {
		c := bench.Camera{Run: run, Start: bench.At(bench.Dawn.Add(time.Duration(run) * time.Minute))}
		s := b.Session(c)
		given = append(given, slices.Collect(c.Samples(14*time.Second)))
		if run == 0 {
			b.Store.Failing(bench.Fails("append", 6, 1, unix.ENOSPC)) // the first of the second file
		}
		for _, x := range given[run] {
			if err := s.Sample(x); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Finish("stopped"); err != nil {
			t.Fatal(err)
		}
		b.Writer.Drain()
	}
	b.Store.Failing(bench.Fails("sync", 1, 1, unix.EIO))
	for range 3 {
		b.Commit()
	}
	if kept := b.CheckKept(given); kept[0] != len(given[0]) || kept[1] != len(given[1]) {
		t.Errorf("%v samples are kept", kept)
	}
	b.CheckFiles()
}

// TestEndWhoseSyncFails ends a run at what was written of it, and then fails the sync of that: of the whole file, of a part,
// or of the seal alone.
func TestEndWhoseSyncFails(t *testing.T) {
	for commits := range 3 {
		b := bench.New(t, time.Minute)
		c := bench.Camera{}
		s := b.Session(c)
		for x := range c.Samples(11 * time.Second) {
			if err := s.Sample(x); err != nil {
				t.Fatal(err)
			}
			if commits == 1 && x.DTS == 5*90000 {
				b.Commit()
			}
		}
		if commits == 2 {
			b.Commit()
		}
		before := b.Writer.SetBacklog(volume.MaxBacklog) // so that what is pending is refused
		if err := s.Finish("stopped"); !errors.Is(err, volume.ErrBacklog) {
			t.Errorf("finish: %v", err)
		}
		b.Writer.SetBacklog(before)
		b.Store.Failing(bench.Fails("sync", 1, 1, unix.EIO))
		for range 3 {
			b.Commit()
		}
		b.CheckReasons()
		b.CheckFiles()
		bench.NoProblems(t, b.Dir)
		samples := uint32(0)
		recs := b.Recordings()
		for _, r := range recs {
			samples += r.Tracks[volume.Video].Samples
		}
		if want := []int{1, 2, 1}[commits]; len(recs) != want || samples != 5*50 {
			t.Errorf("%d commits before: recordings %+v", commits, recs)
		}
	}
}

// TestRunWaitsForASeal has a file take no more, not even its seal, when the next one does: a run goes on in the database only
// behind what has ended.
func TestRunWaitsForASeal(t *testing.T) {
	b := bench.New(t, time.Minute)
	appends := 0
	b.Store.Failing(func(op string, k store.Key) error {
		if k.Number != 1 || op != "append" {
			return nil
		}
		if appends++; appends > 4 {
			return unix.EFBIG
		}
		return nil
	})
	c := bench.Camera{}
	s := b.Session(c)
	var given []media.Sample
	for x := range c.Samples(30 * time.Second) {
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		if x.DTS%(5*90000) == 0 {
			b.Commit()
		}
	}
	if recs := b.Recordings(); len(recs) != 1 || recs[0].Sealed || appends < 8 {
		t.Errorf("after %d appends, recordings %+v", appends, recs)
	}
	b.Store.Failing(nil)
	if err := s.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	b.CheckShown(given, c.Tracks())
	b.CheckFiles()
}

// TestStreamWaitsForAFileThatStays has a file fail that cannot be removed: what the next run writes must not be committed
// before it, or start-up would not find it.
func TestStreamWaitsForAFileThatStays(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Store.Failing(func(op string, k store.Key) error {
		if k.Number == 1 && (op == "sync" || op == "remove") {
			return unix.EIO
		}
		return nil
	})
	var given [][]media.Sample
	for run := range uint32(2) {
		c := bench.Camera{Run: run, Start: bench.At(bench.Dawn.Add(time.Duration(run) * time.Minute))}
		s := b.Session(c)
		given = append(given, slices.Collect(c.Samples(5*time.Second)))
		for _, x := range given[run] {
			if err := s.Sample(x); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Finish("stopped"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			b.Commit()
		}
	}
	if recs := b.Recordings(); len(recs) != 0 {
		t.Errorf("recordings %+v are committed before the first", recs)
	}
	b.Store.Failing(nil)
	for range 2 {
		b.Commit()
	}
	if kept := b.CheckKept(given); kept[0] != len(given[0]) || kept[1] != len(given[1]) {
		t.Errorf("%v samples are kept", kept)
	}
	b.CheckFiles()
	b.CheckReasons()
}

// TestFailedSyncLosesNothing fails each sync of a recorder in turn, also while more than one recording waits for it. All that
// was given comes back, in one run, and a power cut on the way leaves nothing twice.
func TestFailedSyncLosesNothing(t *testing.T) {
	for name, c := range map[string]bench.Camera{
		"sound":             {AudioRate: 48000},
		"B-frames":          {BFrames: true, GOP: 25},
		"long GOPs":         {GOP: 150, AudioRate: 44100},
		"only sync samples": {GOP: 1, FPS: 5},
		"a burst":           {Burst: 200, GOP: 25, Jitter: 200 * time.Millisecond},
	} {
		for _, every := range []time.Duration{5 * time.Second, 13 * time.Second} {
			t.Run(fmt.Sprint(name, " every ", every), func(t *testing.T) {
				t.Parallel()
				for nth := 1; failNthSync(t, c, every, nth) && !t.Failed(); nth++ {
				}
			})
		}
	}
}

// failNthSync records a camera, and reports whether there was an nth sync to fail.
func failNthSync(t *testing.T, c bench.Camera, every time.Duration, nth int) (failed bool) {
	t.Helper()
	b := bench.New(t, 10*time.Second)
	fail := bench.Fails("sync", nth, 1, unix.EIO)
	b.Store.Failing(func(op string, k store.Key) error {
		err := fail(op, k)
		failed = failed || err != nil
		return err
	})
	s := b.Session(c)
	var given []media.Sample
	cut, next := false, media.Ticks(every)
	for x := range c.Samples(25 * time.Second) {
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		if x.Track == volume.Video && x.DTS >= next {
			next += media.Ticks(every)
			if b.Commit(); failed && !cut {
				b.CutPower()
				b.Commit()
				b.CutPower()
				cut = true
			}
		}
	}
	if err := s.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	b.Commit()
	b.CheckShown(given, c.Tracks())
	b.CheckFiles()
	if c.GOP < 2*25 { // or else a file may go on within a GOP, of which a clip that starts there has not the sync sample
		b.CheckClips()
	}
	recs := b.Recordings()
	for _, r := range recs {
		if off := r.WallDuration90k - r.Tracks[volume.Video].Duration; r.Run != recs[0].Run || !r.Sealed || max(off, -off) > media.Ticks(100*time.Millisecond) {
			t.Fatalf("sync %d fails: recordings %+v", nth, recs)
		}
	}
	if log := b.Log.String(); strings.Contains(log, "the run ends") || failed != strings.Contains(log, "the footage that was kept in memory is written") {
		t.Errorf("sync %d fails: %s", nth, log)
	}
	return failed
}

// TestRandomDiskFailures has every operation fail now and then, for a while. Nothing that was handed over is lost, and being
// cut off meanwhile leaves nothing twice.
func TestRandomDiskFailures(t *testing.T) {
	seeds := 24
	if testing.Short() {
		seeds = 6
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 1))
			b := bench.New(t, 10*time.Second)
			b.Store.Keeps = seed%2 == 0
			part := []float64{0.03, 0.2, 0.6}[seed%3]
			b.Store.Failing(func(string, store.Key) error {
				if rnd.Float64() < part {
					return unix.EIO
				}
				return nil
			})
			c := bench.Camera{GOP: 30 + rnd.IntN(90), Jitter: 100 * time.Millisecond}
			given := [][]media.Sample{nil}
			s := b.Session(c)
			for x := range c.Samples(2 * time.Minute) {
				if x.DTS == 100*90000 {
					b.Store.Failing(nil)
				}
				if err := s.Sample(x); err != nil {
					if err := s.Finish(err.Error()); err != nil {
						t.Fatal(err)
					}
					s, given = b.Session(c), append(given, nil)
					continue
				}
				given[len(given)-1] = append(given[len(given)-1], x)
				switch rnd.IntN(100) {
				case 0, 1, 2:
					b.Writer.Drain()
				case 3:
					b.Commit()
				}
				switch rnd.IntN(1000) {
				case 0:
					b.CutPower()
				case 1:
					b.Kill()
				}
			}
			if err := s.Finish("stopped"); err != nil {
				t.Fatal(err)
			}
			b.Commit()
			b.Commit()
			kept := b.CheckKept(given)
			for i := range given {
				if kept[i] != bench.CountFrom(given[i]) {
					t.Errorf("session %d: %d samples of %d are kept", i, kept[i], bench.CountFrom(given[i]))
				}
			}
			b.CheckFiles()
			if files, _, runs := b.Writer.Left(); b.Writer.Stats().Waiting != 0 || files != 0 || runs != 0 {
				t.Errorf("%d bytes, %d files, %d runs are left", b.Writer.Stats().Waiting, files, runs)
			}
			b.CheckReasons()
			t.Logf("%d sessions, %d recordings", len(given), len(b.Recordings()))
		})
	}
}

func TestStalledDisk(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	stall, stalled := make(chan struct{}), make(chan struct{})
	b.Store.Failing(func(op string, k store.Key) error {
		if op == "sync" {
			close(stalled)
			<-stall
		}
		return nil
	})
	b.Writer.SetInterval(time.Millisecond)
	go b.Writer.Run()
	big := make([]byte, 1<<20)                // many samples share it, so that the backlog takes little memory
	c := bench.Camera{GOP: 13}.WithDefaults() // a fragment each
	s := b.Session(c)
	sample := func(i int) error {
		return s.Sample(media.Sample{DTS: int64(i) * 3600, Sync: i%c.GOP == 0, Received: c.Taken(float64(i) / 25), Data: big})
	}
	i := 0
	for ; i < 20; i++ {
		if err := sample(i); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-stalled:
	case <-time.After(10 * time.Second):
		t.Fatal("the disk syncs nothing")
	}
	b.Store.Failing(nil)
	var reason error
	for ; i < 1000 && reason == nil; i++ {
		reason = sample(i) // a session that waited for the disk would wait for ever
	}
	if !errors.Is(reason, volume.ErrBacklog) {
		t.Fatalf("after %d MB, the session ended by: %v", i, reason)
	}
	if err := s.Finish(reason.Error()); err != nil {
		t.Fatal(err)
	}
	close(stall)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := b.Writer.Close(ctx); err != nil {
		t.Fatal(err)
	}
	b.CheckRows()
	bench.NoProblems(t, b.Dir)
	b.CheckFiles()
	recs := b.Recordings()
	last := recs[len(recs)-1]
	kept := last.Tracks[volume.Video].Start + last.Tracks[volume.Video].Duration
	if min := int64(volume.MaxBacklog>>20) * 3600 * 9 / 10; !last.Sealed || kept < min || kept%(13*3600) != 0 {
		t.Errorf("kept up to %d, sealed %v, of %d frames", kept, last.Sealed, i)
	}
	if run, err := b.DB.Run(t.Context(), last.Run); err != nil || run.EndReason != volume.ErrBacklog.Error() {
		t.Errorf("run %+v, %v", run, err)
	}
}

// TestStopWhileTheDiskFails stops a recorder whose disk fails, once or for good. What could be written is there for the next
// start, and the log says how much was not.
func TestStopWhileTheDiskFails(t *testing.T) {
	for name, c := range map[string]struct {
		op    string
		count int
		kept  int // samples
		lost  bool
	}{
		"a sync":  {"sync", 1, 500, false},
		"syncs":   {"sync", 100, 500, false},
		"appends": {"append", 100, 0, true},
		"a file":  {"create", 1, 500, false},
		"files":   {"create", 100, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, 8*time.Second)
			b.Store.Failing(bench.Fails(c.op, 1, c.count, unix.EIO))
			s := b.Session(bench.Camera{})
			var given []media.Sample
			for x := range (bench.Camera{}).Samples(20 * time.Second) {
				given = append(given, x)
				if err := s.Sample(x); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Finish("stopped"); err != nil {
				t.Fatal(err)
			}
			go b.Writer.Run()
			if err := b.Writer.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.Log.String(), "is lost") != c.lost {
				t.Error(b.Log.String())
			}
			bench.Reopen(t, b.Dir)
			b.CheckFiles()
			if kept := b.CheckKept([][]media.Sample{given}); kept[0] != c.kept {
				t.Errorf("%d samples are kept:\n%s", kept[0], b.Log.String())
			}
		})
	}
}

// TestCommitsBeforeTheBacklogIsFull hands a disk more than may wait, within one sync interval.
func TestCommitsBeforeTheBacklogIsFull(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	go b.Writer.Run()                         // whose interval is an hour
	c := bench.Camera{GOP: 13}.WithDefaults() // a fragment each
	s := b.Session(c)
	big := make([]byte, 1<<20)
	for i := range 2 * volume.MaxBacklog >> 20 {
		x := media.Sample{DTS: int64(i) * 3600, Sync: i%c.GOP == 0, Received: c.Taken(float64(i) / 25), Data: big}
		bench.Eventually(t, "there is room", func() bool { return b.Writer.Stats().Waiting < volume.MaxBacklog/2 })
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := b.Writer.Close(ctx); err != nil {
		t.Fatal(err)
	}
	b.CheckRows()
	b.CheckFiles()
}

// TestRefusedFragment refuses the first fragment of a recording, of which there is nothing to end.
func TestRefusedFragment(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	c := bench.Camera{}
	s := b.Session(c)
	var given []media.Sample
	var reason error
	for x := range c.Samples(20 * time.Second) {
		if x.DTS == 12*90000 {
			b.Commit()
			b.Writer.SetBacklog(volume.MaxBacklog)
		}
		if reason = s.Sample(x); reason != nil {
			break
		}
		if x.DTS < 10*90000 {
			given = append(given, x)
		}
	}
	if !errors.Is(reason, volume.ErrBacklog) {
		t.Fatal(reason)
	}
	b.Writer.SetBacklog(0)
	if err := s.Finish("too slow"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	b.CheckShown(given, c.Tracks())
	b.CheckFiles()
	if run, err := b.DB.Run(t.Context(), 1); err != nil || run.EndReason != "too slow" {
		t.Errorf("run %+v, %v", run, err)
	}
}

func TestDiskDoesNotAnswer(t *testing.T) {
	b := bench.New(t, time.Minute)
	stall, stalled := make(chan struct{}), make(chan struct{})
	b.Store.Failing(func(op string, _ store.Key) error {
		if op == "append" {
			close(stalled)
			<-stall
		}
		return nil
	})
	go b.Writer.Run()
	s := b.Session(bench.Camera{})
	for x := range (bench.Camera{}).Samples(3 * time.Second) {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	<-stalled
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Writer.Close(ctx); err == nil || !strings.Contains(err.Error(), "the disk does not answer") {
		t.Error(err)
	}
	b.Store.Failing(nil)
	close(stall)
	<-b.Writer.Done()
}

func TestDatabaseFailuresLoseNothing(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	bad, err := schema.OpenReadOnly(t.Context(), b.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	c := bench.Camera{AudioRate: 48000}
	s := b.Session(c)
	var given []media.Sample
	var good *schema.DB
	for x := range c.Samples(60 * time.Second) {
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		switch x.DTS {
		case 15 * 90000:
			good = b.Writer.SetDB(bad)
		case 47 * 90000:
			b.Writer.SetDB(good)
		}
		if len(given)%100 == 0 {
			b.Commit()
		}
	}
	if err := s.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	b.CheckShown(given, c.Tracks())
	log := b.Log.String()
	if strings.Count(log, "cannot write to the database") != 1 || strings.Count(log, "the database takes new footage again") != 1 {
		t.Error(log)
	}
}

// TestDatabaseFailsToTheEnd stops a recorder whose database fails. The files have it all.
func TestDatabaseFailsToTheEnd(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	c := bench.Camera{AudioRate: 48000}
	bad, err := schema.OpenReadOnly(t.Context(), b.Dir)
	if err != nil {
		t.Fatal(err)
	}
	bad.Close()
	good := b.Writer.SetDB(bad)
	given := b.Record(c, 45*time.Second)
	b.Writer.Abandon()
	if len(b.Recordings()) != 0 {
		t.Fatal("the database did not fail")
	}
	if err := fsck.MendFiles(t.Context(), good, b.Volumes(), bench.NewLog(&b.Log)); err != nil {
		t.Fatal(err)
	}
	b.CheckRows()
	b.CheckShown(given, c.Tracks())
}

// TestOpenFilesAreBounded lets the database fail for long: files that have ended do not wait for it open.
func TestOpenFilesAreBounded(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	bad, err := schema.OpenReadOnly(t.Context(), b.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	good := b.Writer.SetDB(bad)
	given := b.Record(bench.Camera{FPS: 5, GOP: 10}, 10*time.Minute)
	if files, open, _ := b.Writer.Left(); open > 1 || files < 50 {
		t.Errorf("%d files of %d are open", open, files)
	}
	b.Writer.SetDB(good)
	b.Commit()
	b.CheckShown(given, bench.Camera{}.Tracks())
}

// TestPowerCut takes, after each commit and between, what a power cut would leave, and starts with that.
func TestPowerCut(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	c := bench.Camera{AudioRate: 48000, GOP: 25}
	s := b.Session(c)
	n := 0
	for x := range c.Samples(45 * time.Second) {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		n++
		switch {
		case n%300 == 0:
			b.Commit()
		case n%110 == 0:
			b.Writer.Drain()
		}
		if n%150 == 75 || n%300 == 0 {
			b.CutPower()
		}
	}
}

// TestFailedSyncOfAWholeRecording fails the sync of a recording that has ended, over and over, when the next ones are written
// too.
func TestFailedSyncOfAWholeRecording(t *testing.T) {
	for name, mended := range map[string]bool{"until it succeeds": true, "until the end": false} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, 10*time.Second)
			b.Store.Failing(func(op string, k store.Key) error {
				if k.Number == 1 && op == "sync" {
					return unix.EIO
				}
				return nil
			})
			c := bench.Camera{AudioRate: 48000}
			given := b.Crash(c, 25*time.Second)
			for range 3 {
				b.Writer.Commit()
				if recs := b.Recordings(); len(recs) != 0 {
					t.Fatalf("rows %+v were committed before that of the recording that comes first: a start-up would not find its file", recs)
				}
			}
			b.Store.Failing(nil)
			if mended {
				b.Writer.Commit()
				b.Writer.Commit()
			} else {
				b.Writer.Abandon()
				if err := fsck.MendFiles(t.Context(), b.DB, b.Volumes(), bench.NewLog(&b.Log)); err != nil {
					t.Fatal(err)
				}
			}
			b.CheckRows()
			b.CheckFiles()
			if kept := b.CheckKept([][]media.Sample{bench.OnlyVideo(given)}); kept[0] != 24*25 {
				t.Errorf("%d pictures are kept", kept[0])
			}
		})
	}
}
