package recorder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
func (b *bench) recordThrough(c simCamera, d time.Duration) (given [][]Sample, reasons []string) {
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
	b.commit()
	b.commit() // what failed before is tried again
	return given, reasons
}

// checkKept checks that of every session a beginning came back, without a hole, and returns how many samples of each.
func (b *bench) checkKept(given [][]Sample) (kept []int) {
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

func TestDiskFailures(t *testing.T) {
	enospc := fmt.Errorf("append 1 bytes to sample file: %w", unix.ENOSPC)
	eio := fmt.Errorf("sync sample file: %w", unix.EIO)
	for name, c := range map[string]struct {
		op         string
		nth, count int
		err        error
		kept       bool // everything that was written before the failure is
	}{
		"the first file cannot be made":         {"create", 1, 1, unix.EACCES, true},
		"a file cannot be made":                 {"create", 4, 1, unix.EACCES, true},
		"files cannot be made for a while":      {"create", 2, 3, unix.EACCES, true},
		"the first append fails":                {"append", 1, 1, enospc, true},
		"an append fails":                       {"append", 8, 1, enospc, true},
		"an append and the seal fail":           {"append", 8, 2, enospc, true},
		"the seal fails for long":               {"append", 8, 4, enospc, true},
		"the first of a file fails":             {"append", 6, 1, enospc, true},
		"the last of a file fails":              {"append", 5, 1, enospc, true},
		"the disk is full for a while":          {"append", 9, 12, enospc, true},
		"the first sync fails":                  {"sync", 1, 1, eio, true},
		"a sync fails":                          {"sync", 5, 1, eio, true},
		"syncs fail for a while":                {"sync", 4, 6, eio, true},
		"the sync of a directory fails":         {"syncdir", 1, 1, eio, true},
		"a later sync of a directory fails":     {"syncdir", 3, 1, eio, true},
		"syncs of directories fail for a while": {"syncdir", 2, 5, eio, true},
		"a sync fails and no file can be read":  {"reopen", 1, 3, eio, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 10*time.Second)
			f := fails(c.op, c.nth, c.count, c.err)
			if c.op == "reopen" {
				sync := fails("sync", 3, 1, eio)
				b.store.failing(func(op string, k store.Key) error { return errors.Join(f(op, k), sync(op, k)) })
			} else {
				b.store.failing(f)
			}
			given, reasons := b.recordThrough(simCamera{}, 100*time.Second)
			if len(reasons) < 2 || !strings.Contains(reasons[0], "cannot write") || !strings.Contains(reasons[0], c.err.Error()) && c.op != "reopen" {
				t.Errorf("sessions ended for %q", reasons)
			}
			kept := b.checkKept(given)
			for _, r := range b.recordings() {
				if !r.Sealed {
					t.Errorf("recording %s is not sealed", r.ID)
				}
				run, err := b.db.Run(t.Context(), r.Run)
				if err != nil || run.EndReason == "" {
					t.Errorf("run %+v, %v", run, err)
				}
			}
			// Every sample that was handed over more than two GOPs, and a commit, before the failure is there.
			for i, n := range kept {
				if i < len(kept)-1 && n < len(given[i])-170 || i == len(kept)-1 && n != countFrom(given[i]) {
					t.Errorf("session %d: %d samples of %d are kept", i, n, len(given[i]))
				}
			}
			b.checkFiles()
		})
	}
}

// countFrom counts samples from the first sync sample on.
func countFrom(samples []Sample) int {
	return len(samples) - max(0, slices.IndexFunc(samples, func(x Sample) bool { return x.Sync }))
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

func TestFullDiskSealsBehindTheLastWholeFragment(t *testing.T) {
	b := newBench(t, time.Minute)
	b.store.failing(fails("append", 6, 1, unix.ENOSPC))
	given, reasons := b.recordThrough(simCamera{}, 20*time.Second)
	if len(reasons) != 2 || !strings.Contains(reasons[0], "no space left on device") {
		t.Fatalf("sessions ended for %q", reasons)
	}
	if kept := b.checkKept(given); kept[0] != 5*50 {
		t.Errorf("%d samples are kept, of five fragments of 50", kept[0])
	}
	r := b.recordings()[0]
	f, err := b.store.Open(store.Key{Stream: "cam", Number: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, _ := b.store.Size(store.Key{Stream: "cam", Number: 1})
	found, err := readSampleFile(f, size)
	if err != nil || found.Seal == nil || found.Seal.Start90k != r.Start90k || found.Seal.WallDuration90k != r.WallDuration90k || !strings.Contains(found.Seal.EndReason, "no space left") {
		t.Errorf("found %+v, %v", found, err)
	}
	if n := strings.Count(b.log.String(), "cannot write"); n != 1 {
		t.Errorf("the log says so %d times:\n%s", n, b.log.String())
	}
}

// TestNothingOfARunFollowsALostFragment fails the last fragment of a recording when its session has already begun the next.
func TestNothingOfARunFollowsALostFragment(t *testing.T) {
	b := newBench(t, 10*time.Second)
	s := b.session(simCamera{})
	var reason error
	for x := range (simCamera{}).samples(25 * time.Second) {
		if x.DTS == 24*90000 { // the second recording, and the start of the third, wait to be written
			b.disk.writeAll()
		}
		if x.DTS == 12*90000 {
			b.disk.writeAll()
			b.store.failing(fails("append", 5, 1, unix.ENOSPC))
		}
		if reason = s.Sample(x); reason != nil {
			break
		}
	}
	if reason == nil {
		t.Fatal("the session does not notice")
	}
	if err := s.finish(reason.Error()); err != nil {
		t.Fatal(err)
	}
	b.commit()
	b.commit()
	recs := b.recordings()
	if len(recs) != 2 || recs[1].Tracks[video].Duration != 8*90000 {
		t.Errorf("recordings %+v", recs)
	}
	noProblems(t, b.dir)
	b.checkFiles()
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
		return s.Sample(Sample{DTS: int64(i) * 3600, Sync: i%c.gop == 0, Received: c.taken(float64(i) / 25), Data: big})
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
		began := time.Now()
		reason = sample(i)
		if took := time.Since(began); took > time.Second {
			t.Fatalf("a session waited %v for the disk", took)
		}
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
	if min := int64(maxBacklog>>20) * 3600 * 9 / 10; !last.Sealed || kept < min || kept%(10*3600) != 0 {
		t.Errorf("kept up to %d, sealed %v, of %d frames", kept, last.Sealed, i)
	}
	if run, err := b.db.Run(t.Context(), last.Run); err != nil || run.EndReason != errBacklog.Error() {
		t.Errorf("run %+v, %v", run, err)
	}
}

// TestRefusedFragment refuses the first fragment of a recording, of which there is nothing to end.
func TestRefusedFragment(t *testing.T) {
	b := newBench(t, 10*time.Second)
	c := simCamera{}
	s := b.session(c)
	var given []Sample
	var reason error
	for x := range c.samples(20 * time.Second) {
		if x.DTS == 12*90000 {
			b.commit()
			b.disk.backlog = maxBacklog
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
	var given []Sample
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
			b.cutPower(c)
		}
	}
}

// cutPower starts a recorder on a copy of what is durable, and checks what it finds.
func (b *bench) cutPower(c simCamera) {
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
			b.t.Errorf("before the power cut row %+v, afterwards %+v", rows[i], got[min(i, len(got)-1)])
		}
	}
	noProblems(b.t, dir)
	playBack(b.t, dir)
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

// TestFailedSyncOfAWholeRecording fails the sync of a recording that has ended, when the next one is written too.
func TestFailedSyncOfAWholeRecording(t *testing.T) {
	for name, mended := range map[string]bool{"read back at once": true, "read back by the next start": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 10*time.Second)
			b.store.failing(func(op string, k store.Key) error {
				if k.Number == 1 && (op == "sync" || op == "reopen") {
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
				run, err := b.db.Run(t.Context(), 1)
				if err != nil || !strings.Contains(run.EndReason, "input/output error") {
					t.Errorf("run %+v, %v", run, err)
				}
			} else {
				b.disk.closeAll()
				if err := recoverStreams(t.Context(), b.db, map[int64]sampleDir{1: {store: b.store}}, b.disk.log); err != nil {
					t.Fatal(err)
				}
			}
			b.checkRows()
			b.checkFiles()
			kept := b.checkKept([][]Sample{onlyVideo(given)})
			if kept[0] != 22*25 && kept[0] != 24*25 {
				t.Errorf("%d pictures are kept", kept[0])
			}
		})
	}
}

func onlyVideo(samples []Sample) (pictures []Sample) {
	for _, x := range samples {
		if x.Track == video {
			pictures = append(pictures, x)
		}
	}
	return pictures
}
