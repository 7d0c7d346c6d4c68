package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/schema"
	"nvrfs/store"
)

// fails returns a failure of the nth call of an operation, and of the count-1 after it.
func fails(op string, nth, count int, err error) func(string, store.Key) error {
	n := 0
	return func(o string, _ store.Key) error {
		if o != op {
			return nil
		}
		if n++; n >= nth && n < nth+count {
			return err
		}
		return nil
	}
}

// recordThrough records sessions of a camera that goes on, as stream.run does, until it has made d of footage. every
// sample is given to exactly one session. It returns what each session was given before it ended, and why it ended.
func (b *bench) recordThrough(c simCamera, d time.Duration) (given [][]media.Sample, reasons []string) {
	b.t.Helper()
	s := b.session(c)
	given = append(given, nil)
	end := func(reason string) {
		b.t.Helper()
		reasons = append(reasons, reason)
		if err := s.finish(reason); err != nil {
			b.t.Error(err)
		}
	}
	n := 0
	for x := range c.samples(d) {
		if err := s.Sample(x); err != nil {
			end(err.Error())
			s, given = b.session(c), append(given, nil)
			continue
		}
		given[len(given)-1] = append(given[len(given)-1], x)
		if n++; n%20 == 0 {
			b.disk.writeAll()
		}
		if n%70 == 0 {
			b.commit()
		}
	}
	end("stopped")
	for range 10 {
		if b.commit(); b.disk.safe(0) == 0 {
			break // what failed before is tried again
		}
	}
	b.commit()
	return given, reasons
}

// checkKept checks that of every session a beginning came back, without a hole, and returns how many samples of each.
func (b *bench) checkKept(given [][]media.Sample) (kept []int) {
	b.t.Helper()
	noProblems(b.t, b.dir)
	byData := map[string][2]int{}
	for s := range given {
		n := 0
		for _, x := range given[s] {
			if n > 0 || x.Sync {
				byData[string(x.Data)] = [2]int{s, n}
				n++
			}
		}
	}
	kept = make([]int, len(given))
	for _, day := range playBack(b.t, b.dir) {
		for _, x := range day[video] {
			at, ok := byData[x.data]
			if !ok || at[1] != kept[at[0]] {
				b.t.Fatalf("session %d: sample %d follows %d, or was never given (%v)", at[0], at[1], kept[at[0]], ok)
			}
			kept[at[0]]++
		}
	}
	return kept
}

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
			b := newBench(t, 10*time.Second)
			f, once := fails(c.op, c.nth, c.count, c.err), c.count == 1
			var also func(string, store.Key) error
			b.store.failing(func(op string, k store.Key) error {
				err := f(op, k)
				if err != nil && c.also != "" {
					also, once = fails(c.also, 1, 3, c.err), false
				}
				if also != nil {
					err = errors.Join(err, also(op, k))
				}
				return err
			})
			given, reasons := b.recordThrough(simCamera{}, 100*time.Second)
			kept := b.checkKept(given)
			for i := range given {
				if kept[i] != countFrom(given[i]) {
					t.Errorf("session %d: %d samples of %d are kept", i, kept[i], countFrom(given[i]))
				}
			}
			log := b.log.String()
			switch {
			case once && (len(reasons) > 1 || strings.Contains(log, "recording ends")):
				t.Errorf("sessions ended for %q:\n%s", reasons, log)
			case !once && c.op != "append" && (len(reasons) < 2 || !strings.Contains(reasons[0], "cannot write") || !strings.Contains(reasons[0], c.err.Error())):
				t.Errorf("sessions ended for %q", reasons)
			}
			if strings.Count(log, "cannot write; footage is kept") < 1 || strings.Count(log, "writing again") < 1 {
				t.Error(log)
			}
			for _, r := range b.recordings() {
				if !r.Sealed {
					t.Errorf("recording %s is not sealed", r.ID)
				}
				run, err := b.db.Run(t.Context(), r.Run)
				if err != nil || run.EndReason == "" {
					t.Errorf("run %+v, %v", run, err)
				}
			}
			b.checkFiles()
		})
	}
}

// countFrom counts samples from the first sync sample on.
func countFrom(samples []media.Sample) int {
	return len(samples) - max(0, slices.IndexFunc(samples, func(x media.Sample) bool { return x.Sync }))
}

// checkFiles checks that every file has a row.
func (b *bench) checkFiles() {
	b.t.Helper()
	files, err := b.store.Scan("cam", 1)
	if err != nil {
		b.t.Fatal(err)
	}
	if recs := b.recordings(); len(files) != len(recs) {
		b.t.Errorf("%d files, %d rows", len(files), len(recs))
	}
}

// TestFullDisk has a disk that is full for a while. The run is sealed behind its last whole fragment and ends; what had come
// meanwhile is written when there is space.
func TestFullDisk(t *testing.T) {
	b := newBench(t, time.Minute)
	b.store.failing(fails("append", 6, 5, unix.ENOSPC))
	given, reasons := b.recordThrough(simCamera{}, 30*time.Second)
	if len(reasons) != 2 || !strings.Contains(reasons[0], "no space left on device") {
		t.Fatalf("sessions ended for %q", reasons)
	}
	if kept := b.checkKept(given); kept[0] != countFrom(given[0]) || kept[1] != countFrom(given[1]) {
		t.Errorf("%v samples are kept", kept)
	}
	recs := b.recordings()
	if recs[0].Tracks[video].Samples != 5*50 {
		t.Errorf("%d samples are in the first file, of five fragments of 50", recs[0].Tracks[video].Samples)
	}
	last := recs[0]
	for _, r := range recs {
		if r.Run == last.Run {
			last = r
		}
	}
	if found := b.readBack(last.ID.Number()); found.Seal == nil || found.Seal.Start90k != last.Start90k || found.Seal.WallDuration90k != last.WallDuration90k || !strings.Contains(found.Seal.EndReason, "no space left") {
		t.Errorf("found %+v", found)
	}
	if n := strings.Count(b.log.String(), "recording ends: cannot write"); n != 1 {
		t.Errorf("the log says so %d times:\n%s", n, b.log.String())
	}
}

// readBack reads a sample file.
func (b *bench) readBack(number int64) *readBack {
	b.t.Helper()
	k := store.Key{Stream: "cam", Number: number}
	size, err := b.store.Size(k)
	if err != nil {
		b.t.Fatal(err)
	}
	f, err := b.store.Open(k)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	found, err := readSampleFile(f, size)
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

// TestFragmentsStayInOrder fails the last fragment of a recording when its session has already begun the next: that one waits.
func TestFragmentsStayInOrder(t *testing.T) {
	b := newBench(t, 10*time.Second)
	c := simCamera{}
	s := b.session(c)
	var given []media.Sample
	for x := range c.samples(25 * time.Second) {
		if x.DTS == 24*90000 { // the second recording, and the start of the third, wait to be written
			b.disk.writeAll()
		}
		if x.DTS == 12*90000 {
			b.disk.writeAll()
			b.store.failing(fails("append", 5, 1, unix.ENOSPC))
		}
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.commit()
	b.commit()
	if recs := b.recordings(); len(recs) != 4 || recs[1].Tracks[video].Duration != 8*90000 || recs[3].Run != recs[0].Run {
		t.Errorf("recordings %+v", recs)
	}
	b.checkShown(given, c.tracks())
	b.checkFiles()
}

// TestNumberOfARemovedFile has a new file take nothing, so that it is removed and another run takes its number, before the
// sync of an older file of the first run fails.
func TestNumberOfARemovedFile(t *testing.T) {
	b := newBench(t, 10*time.Second)
	var given [][]media.Sample
	for run := range uint32(2) {
		c := simCamera{run: run, start: at(dawn.Add(time.Duration(run) * time.Minute))}
		s := b.session(c)
		given = append(given, slices.Collect(c.samples(14*time.Second)))
		if run == 0 {
			b.store.failing(fails("append", 6, 1, unix.ENOSPC)) // the first of the second file
		}
		for _, x := range given[run] {
			if err := s.Sample(x); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.finish("stopped"); err != nil {
			t.Fatal(err)
		}
		b.disk.writeAll()
	}
	b.store.failing(fails("sync", 1, 1, unix.EIO))
	for range 3 {
		b.commit()
	}
	if kept := b.checkKept(given); kept[0] != len(given[0]) || kept[1] != len(given[1]) {
		t.Errorf("%v samples are kept", kept)
	}
	b.checkFiles()
}

// TestEndWhoseSyncFails ends a run at what was written of it, and then fails the sync of that: of the whole file, of a part,
// or of the seal alone.
func TestEndWhoseSyncFails(t *testing.T) {
	for commits := range 3 {
		b := newBench(t, time.Minute)
		c := simCamera{}
		s := b.session(c)
		for x := range c.samples(11 * time.Second) {
			if err := s.Sample(x); err != nil {
				t.Fatal(err)
			}
			if commits == 1 && x.DTS == 5*90000 {
				b.commit()
			}
		}
		if commits == 2 {
			b.commit()
		}
		before := b.disk.backlog
		b.disk.backlog = MaxBacklog // so that what is pending is refused
		if err := s.finish("stopped"); !errors.Is(err, errBacklog) {
			t.Errorf("finish: %v", err)
		}
		b.disk.backlog = before
		b.store.failing(fails("sync", 1, 1, unix.EIO))
		for range 3 {
			b.commit()
		}
		b.checkReasons()
		b.checkFiles()
		noProblems(t, b.dir)
		samples := uint32(0)
		recs := b.recordings()
		for _, r := range recs {
			samples += r.Tracks[video].Samples
		}
		if want := []int{1, 2, 1}[commits]; len(recs) != want || samples != 5*50 {
			t.Errorf("%d commits before: recordings %+v", commits, recs)
		}
	}
}

// TestRunWaitsForASeal has a file take no more, not even its seal, when the next one does: a run goes on in the database only
// behind what has ended.
func TestRunWaitsForASeal(t *testing.T) {
	b := newBench(t, time.Minute)
	appends := 0
	b.store.failing(func(op string, k store.Key) error {
		if k.Number != 1 || op != "append" {
			return nil
		}
		if appends++; appends > 4 {
			return unix.EFBIG
		}
		return nil
	})
	c := simCamera{}
	s := b.session(c)
	var given []media.Sample
	for x := range c.samples(30 * time.Second) {
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		if x.DTS%(5*90000) == 0 {
			b.commit()
		}
	}
	if recs := b.recordings(); len(recs) != 1 || recs[0].Sealed || appends < 8 {
		t.Errorf("after %d appends, recordings %+v", appends, recs)
	}
	b.store.failing(nil)
	if err := s.finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.commit()
	b.checkShown(given, c.tracks())
	b.checkFiles()
}

// TestStreamWaitsForAFileThatStays has a file fail that cannot be removed: what the next run writes must not be committed
// before it, or start-up would not find it.
func TestStreamWaitsForAFileThatStays(t *testing.T) {
	b := newBench(t, 10*time.Second)
	b.store.failing(func(op string, k store.Key) error {
		if k.Number == 1 && (op == "sync" || op == "remove") {
			return unix.EIO
		}
		return nil
	})
	var given [][]media.Sample
	for run := range uint32(2) {
		c := simCamera{run: run, start: at(dawn.Add(time.Duration(run) * time.Minute))}
		s := b.session(c)
		given = append(given, slices.Collect(c.samples(5*time.Second)))
		for _, x := range given[run] {
			if err := s.Sample(x); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.finish("stopped"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			b.commit()
		}
	}
	if recs := b.recordings(); len(recs) != 0 {
		t.Errorf("recordings %+v are committed before the first", recs)
	}
	b.store.failing(nil)
	for range 2 {
		b.commit()
	}
	if kept := b.checkKept(given); kept[0] != len(given[0]) || kept[1] != len(given[1]) {
		t.Errorf("%v samples are kept", kept)
	}
	b.checkFiles()
	b.checkReasons()
}

// TestFailedSyncLosesNothing fails each sync of a recorder in turn, also while more than one recording waits for it. All that
// was given comes back, in one run, and a power cut on the way leaves nothing twice.
func TestFailedSyncLosesNothing(t *testing.T) {
	for name, c := range map[string]simCamera{
		"sound":             {audioRate: 48000},
		"B-frames":          {bFrames: true, gop: 25},
		"long GOPs":         {gop: 150, audioRate: 44100},
		"only sync samples": {gop: 1, fps: 5},
		"a burst":           {burst: 200, gop: 25, jitter: 200 * time.Millisecond},
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
func failNthSync(t *testing.T, c simCamera, every time.Duration, nth int) (failed bool) {
	t.Helper()
	b := newBench(t, 10*time.Second)
	fail := fails("sync", nth, 1, unix.EIO)
	b.store.failing(func(op string, k store.Key) error {
		err := fail(op, k)
		failed = failed || err != nil
		return err
	})
	s := b.session(c)
	var given []media.Sample
	cut, next := false, media.Ticks(every)
	for x := range c.samples(25 * time.Second) {
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		if x.Track == video && x.DTS >= next {
			next += media.Ticks(every)
			if b.commit(); failed && !cut {
				b.cutPower()
				b.commit()
				b.cutPower()
				cut = true
			}
		}
	}
	if err := s.finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.commit()
	b.commit()
	b.checkShown(given, c.tracks())
	b.checkFiles()
	if c.gop < 2*25 { // or else a file may go on within a GOP, of which a clip that starts there has not the sync sample
		b.checkClips()
	}
	recs := b.recordings()
	for _, r := range recs {
		if off := r.WallDuration90k - r.Tracks[video].Duration; r.Run != recs[0].Run || !r.Sealed || max(off, -off) > media.Ticks(100*time.Millisecond) {
			t.Fatalf("sync %d fails: recordings %+v", nth, recs)
		}
	}
	if log := b.log.String(); strings.Contains(log, "recording ends") || failed != strings.Contains(log, "writing again") {
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
			b := newBench(t, 10*time.Second)
			b.store.keeps = seed%2 == 0
			part := []float64{0.03, 0.2, 0.6}[seed%3]
			b.store.failing(func(string, store.Key) error {
				if rnd.Float64() < part {
					return unix.EIO
				}
				return nil
			})
			c := simCamera{gop: 30 + rnd.IntN(90), jitter: 100 * time.Millisecond}
			given := [][]media.Sample{nil}
			s := b.session(c)
			for x := range c.samples(2 * time.Minute) {
				if x.DTS == 100*90000 {
					b.store.failing(nil)
				}
				if err := s.Sample(x); err != nil {
					if err := s.finish(err.Error()); err != nil {
						t.Fatal(err)
					}
					s, given = b.session(c), append(given, nil)
					continue
				}
				given[len(given)-1] = append(given[len(given)-1], x)
				switch rnd.IntN(100) {
				case 0, 1, 2:
					b.disk.writeAll()
				case 3:
					b.commit()
				}
				switch rnd.IntN(1000) {
				case 0:
					b.cutPower()
				case 1:
					b.kill()
				}
			}
			if err := s.finish("stopped"); err != nil {
				t.Fatal(err)
			}
			b.commit()
			b.commit()
			kept := b.checkKept(given)
			for i := range given {
				if kept[i] != countFrom(given[i]) {
					t.Errorf("session %d: %d samples of %d are kept", i, kept[i], countFrom(given[i]))
				}
			}
			b.checkFiles()
			if left := b.disk.safe(0); left != 0 || len(b.disk.dirty) != 0 || len(b.disk.ended) != 0 {
				t.Errorf("%d bytes, %d files, %d runs are left", left, len(b.disk.dirty), len(b.disk.ended))
			}
			b.checkReasons()
			t.Logf("%d sessions, %d recordings", len(given), len(b.recordings()))
		})
	}
}

// checkReasons checks that the last file of each run says why it ended, and no other one.
func (b *bench) checkReasons() {
	b.t.Helper()
	recs := b.recordings()
	last := map[int64]int{}
	for _, r := range recs {
		last[r.Run] = max(last[r.Run], r.Sequence)
	}
	for _, r := range recs {
		run, err := b.db.Run(b.t.Context(), r.Run)
		if err != nil {
			b.t.Fatal(err)
		}
		want := ""
		if r.Sequence == last[r.Run] {
			want = run.EndReason
		}
		if found := b.readBack(r.ID.Number()); found.Seal == nil || found.Seal.EndReason != want || run.EndReason == "" {
			b.t.Errorf("the file of %s says %+v, the run ended for %q", r.ID, found.Seal, run.EndReason)
		}
	}
}

// checkClips opens a clip of the first second of each recording.
func (b *bench) checkClips() {
	b.t.Helper()
	lib, err := playback.Open(b.t.Context(), playback.Options{Data: b.dir, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.t.Fatal(err)
	}
	defer lib.Close()
	s, err := lib.Stream(b.t.Context(), "cam")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range b.recordings() {
		from := media.ToTime(r.Start90k)
		e, err := lib.Clip(b.t.Context(), s, from, from.Add(time.Second))
		if err != nil {
			b.t.Fatal(err)
		}
		f, err := lib.Open(b.t.Context(), e, "test")
		if err != nil {
			b.t.Fatal(err)
		}
		readSamples(b.t, f)
		f.Close()
	}
}

func TestStalledDisk(t *testing.T) {
	b := newBench(t, 10*time.Second)
	stall, stalled := make(chan struct{}), make(chan struct{})
	b.store.failing(func(op string, k store.Key) error {
		if op == "sync" {
			close(stalled)
			<-stall
		}
		return nil
	})
	b.disk.interval = time.Millisecond
	go b.disk.run()
	big := make([]byte, 1<<20) // many samples share it, so that the backlog takes little memory
	c := simCamera{gop: 10}.withDefaults()
	s := b.session(c)
	sample := func(i int) error {
		return s.Sample(media.Sample{DTS: int64(i) * 3600, Sync: i%c.gop == 0, Received: c.taken(float64(i) / 25), Data: big})
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
	b.store.failing(nil)
	var reason error
	for ; i < 1000 && reason == nil; i++ {
		reason = sample(i) // a session that waited for the disk would wait for ever
	}
	if !errors.Is(reason, errBacklog) {
		t.Fatalf("after %d MB, the session ended by: %v", i, reason)
	}
	if err := s.finish(reason.Error()); err != nil {
		t.Fatal(err)
	}
	close(stall)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := b.disk.close(ctx); err != nil {
		t.Fatal(err)
	}
	b.checkRows()
	noProblems(t, b.dir)
	b.checkFiles()
	recs := b.recordings()
	last := recs[len(recs)-1]
	kept := last.Tracks[video].Start + last.Tracks[video].Duration
	if min := int64(MaxBacklog>>20) * 3600 * 9 / 10; !last.Sealed || kept < min || kept%(10*3600) != 0 {
		t.Errorf("kept up to %d, sealed %v, of %d frames", kept, last.Sealed, i)
	}
	if run, err := b.db.Run(t.Context(), last.Run); err != nil || run.EndReason != errBacklog.Error() {
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
			b := newBench(t, 8*time.Second)
			b.store.failing(fails(c.op, 1, c.count, unix.EIO))
			s := b.session(simCamera{})
			var given []media.Sample
			for x := range (simCamera{}).samples(20 * time.Second) {
				given = append(given, x)
				if err := s.Sample(x); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.finish("stopped"); err != nil {
				t.Fatal(err)
			}
			go b.disk.run()
			if err := b.disk.close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.log.String(), "is lost") != c.lost {
				t.Error(b.log.String())
			}
			reopen(t, b.dir)
			b.checkFiles()
			if kept := b.checkKept([][]media.Sample{given}); kept[0] != c.kept {
				t.Errorf("%d samples are kept:\n%s", kept[0], b.log.String())
			}
		})
	}
}

// TestCommitsBeforeTheBacklogIsFull hands a disk more than may wait, within one sync interval.
func TestCommitsBeforeTheBacklogIsFull(t *testing.T) {
	b := newBench(t, 10*time.Second)
	go b.disk.run() // whose interval is an hour
	c := simCamera{gop: 10}.withDefaults()
	s := b.session(c)
	big := make([]byte, 1<<20)
	for i := range 2 * MaxBacklog >> 20 {
		x := media.Sample{DTS: int64(i) * 3600, Sync: i%c.gop == 0, Received: c.taken(float64(i) / 25), Data: big}
		eventually(t, "there is room", func() bool { return b.disk.safe(0) < MaxBacklog/2 })
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.finish("stopped"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := b.disk.close(ctx); err != nil {
		t.Fatal(err)
	}
	b.checkRows()
	b.checkFiles()
}

// TestRefusedFragment refuses the first fragment of a recording, of which there is nothing to end.
func TestRefusedFragment(t *testing.T) {
	b := newBench(t, 10*time.Second)
	c := simCamera{}
	s := b.session(c)
	var given []media.Sample
	var reason error
	for x := range c.samples(20 * time.Second) {
		if x.DTS == 12*90000 {
			b.commit()
			b.disk.backlog = MaxBacklog
		}
		if reason = s.Sample(x); reason != nil {
			break
		}
		if x.DTS < 10*90000 {
			given = append(given, x)
		}
	}
	if !errors.Is(reason, errBacklog) {
		t.Fatal(reason)
	}
	b.disk.backlog = 0
	if err := s.finish("too slow"); err != nil {
		t.Fatal(err)
	}
	b.commit()
	b.checkShown(given, c.tracks())
	b.checkFiles()
	if run, err := b.db.Run(t.Context(), 1); err != nil || run.EndReason != "too slow" {
		t.Errorf("run %+v, %v", run, err)
	}
}

func TestDiskDoesNotAnswer(t *testing.T) {
	b := newBench(t, time.Minute)
	stall, stalled := make(chan struct{}), make(chan struct{})
	b.store.failing(func(op string, _ store.Key) error {
		if op == "append" {
			close(stalled)
			<-stall
		}
		return nil
	})
	go b.disk.run()
	s := b.session(simCamera{})
	for x := range (simCamera{}).samples(3 * time.Second) {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	<-stalled
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.disk.close(ctx); err == nil || !strings.Contains(err.Error(), "the disk does not answer") {
		t.Error(err)
	}
	b.store.failing(nil)
	close(stall)
	<-b.disk.done
}

func TestDatabaseFailuresLoseNothing(t *testing.T) {
	b := newBench(t, 10*time.Second)
	good := b.disk.db
	bad, err := schema.OpenReadOnly(t.Context(), b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	c := simCamera{audioRate: 48000}
	s := b.session(c)
	var given []media.Sample
	for x := range c.samples(60 * time.Second) {
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		switch x.DTS {
		case 15 * 90000:
			b.disk.db = bad
		case 47 * 90000:
			b.disk.db = good
		}
		if len(given)%100 == 0 {
			b.commit()
		}
	}
	if err := s.finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.commit()
	b.checkShown(given, c.tracks())
	log := b.log.String()
	if strings.Count(log, "cannot commit") != 1 || strings.Count(log, "committing again") != 1 {
		t.Error(log)
	}
}

// TestDatabaseFailsToTheEnd stops a recorder whose database fails. The files have it all.
func TestDatabaseFailsToTheEnd(t *testing.T) {
	b := newBench(t, 10*time.Second)
	c := simCamera{audioRate: 48000}
	good := b.disk.db
	bad, err := schema.OpenReadOnly(t.Context(), b.dir)
	if err != nil {
		t.Fatal(err)
	}
	bad.Close()
	b.disk.db = bad
	given := b.record(c, 45*time.Second)
	b.disk.closeAll()
	if len(b.recordings()) != 0 {
		t.Fatal("the database did not fail")
	}
	if err := recoverStreams(t.Context(), good, map[int64]sampleDir{1: {store: b.store}}, b.disk.log); err != nil {
		t.Fatal(err)
	}
	b.checkRows()
	b.checkShown(given, c.tracks())
}

// TestOpenFilesAreBounded lets the database fail for long: files that have ended do not wait for it open.
func TestOpenFilesAreBounded(t *testing.T) {
	b := newBench(t, 10*time.Second)
	good := b.disk.db
	bad, err := schema.OpenReadOnly(t.Context(), b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	b.disk.db = bad
	given := b.record(simCamera{fps: 5, gop: 10}, 10*time.Minute)
	open := 0
	for _, r := range b.disk.dirty {
		if r.file != nil {
			open++
		}
	}
	if open > 1 || len(b.disk.dirty) < 50 {
		t.Errorf("%d files of %d are open", open, len(b.disk.dirty))
	}
	b.disk.db = good
	b.commit()
	b.checkShown(given, simCamera{}.tracks())
}

// TestPowerCut takes, after each commit and between, what a power cut would leave, and starts with that.
func TestPowerCut(t *testing.T) {
	b := newBench(t, 10*time.Second)
	c := simCamera{audioRate: 48000, gop: 25}
	s := b.session(c)
	n := 0
	for x := range c.samples(45 * time.Second) {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		n++
		switch {
		case n%300 == 0:
			b.commit()
		case n%110 == 0:
			b.disk.writeAll()
		}
		if n%150 == 75 || n%300 == 0 {
			b.cutPower()
		}
	}
}

// cutPower starts a recorder on a copy of what is durable, and checks what it finds.
func (b *bench) cutPower() {
	b.t.Helper()
	dir := b.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
		b.t.Fatal(err)
	}
	for _, k := range b.store.keys() {
		path := filepath.Join(dir, schema.DefaultSampleDir, k.Stream, "000", fmt.Sprintf("%06d.mp4", k.Number))
		synced, named := b.store.durable(k)
		var err error
		if named {
			err = os.Truncate(path, synced)
		} else {
			err = os.Remove(path)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	b.checkStart(dir)
}

// kill starts a recorder on a copy of what killing this one would leave, and checks what it finds.
func (b *bench) kill() {
	b.t.Helper()
	b.checkStart(b.copy())
}

// checkStart starts a recorder on what one that was cut off has left, and checks what it finds.
func (b *bench) checkStart(dir string) {
	b.t.Helper()
	rows := b.recordings()
	reopen(b.t, dir)
	db, err := schema.OpenReadOnly(b.t.Context(), dir)
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	got := rowsOf(b.t, db, b.stream.row.ID)
	for i := range rows {
		if len(got) <= i || got[i].ID != rows[i].ID || got[i].Bytes < rows[i].Bytes || !got[i].Sealed {
			b.t.Errorf("before it row %+v, afterwards %+v", rows[i], got[min(i, len(got)-1)])
		}
	}
	noProblems(b.t, dir)
	seen := map[string]bool{}
	for _, data := range pictures(b.t, dir) {
		if seen[data] {
			b.t.Fatal("a picture is there twice")
		}
		seen[data] = true
	}
}

// reopen opens and closes the recorder of a directory.
func reopen(t *testing.T, dir string) (log string) {
	t.Helper()
	var buf logBuffer
	r, err := Open(context.Background(), Options{Data: dir, Streams: []StreamOptions{{Camera: "cam", Name: "main"}}, Log: newTestLog(&buf)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// TestFailedSyncOfAWholeRecording fails the sync of a recording that has ended, over and over, when the next ones are written
// too.
func TestFailedSyncOfAWholeRecording(t *testing.T) {
	for name, mended := range map[string]bool{"until it succeeds": true, "until the end": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 10*time.Second)
			b.store.failing(func(op string, k store.Key) error {
				if k.Number == 1 && op == "sync" {
					return unix.EIO
				}
				return nil
			})
			c := simCamera{audioRate: 48000}
			given := b.crash(c, 25*time.Second)
			for range 3 {
				b.disk.commit()
				if recs := b.recordings(); len(recs) != 0 {
					t.Fatalf("rows %+v were committed before that of the recording that comes first: a start-up would not find its file", recs)
				}
			}
			b.store.failing(nil)
			if mended {
				b.disk.commit()
				b.disk.commit()
			} else {
				b.disk.closeAll()
				if err := recoverStreams(t.Context(), b.db, map[int64]sampleDir{1: {store: b.store}}, b.disk.log); err != nil {
					t.Fatal(err)
				}
			}
			b.checkRows()
			b.checkFiles()
			if kept := b.checkKept([][]media.Sample{onlyVideo(given)}); kept[0] != 24*25 {
				t.Errorf("%d pictures are kept", kept[0])
			}
		})
	}
}

func onlyVideo(samples []media.Sample) (pictures []media.Sample) {
	for _, x := range samples {
		if x.Track == video {
			pictures = append(pictures, x)
		}
	}
	return pictures
}
