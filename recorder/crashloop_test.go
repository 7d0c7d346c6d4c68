package recorder

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/recorder/internal/bench"
	"nvrfs/schema"
)

// crashDirEnv and crashRoundEnv make a test process one of TestCrashLoop's recorders.
const (
	crashDirEnv   = "NVRFS_TEST_CRASH_DIR"
	crashRoundEnv = "NVRFS_TEST_CRASH_ROUND"
)

// The recorders of TestCrashLoop live a minute in a third of a second.
const crashSpeed = 200

// crashProgress is what a recorder says with each GOP of a camera, so that it is killed after so much footage, not after so much
// time, of which it needs more on a busy host.
const crashProgress = "."

// crashLog tells the test what must not happen: that footage cannot be deleted.
type crashLog struct{}

func (crashLog) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("cannot delete")) {
		return os.Stdout.Write(line)
	}
	return len(line), nil
}

func crashOptions(dir string, round int) Options {
	camera := func(run uint32) media.Source {
		return bench.SourceFunc(func(ctx context.Context, h media.Handler) error {
			c := bench.Camera{Start: bench.At(bench.Dawn.Add(time.Duration(round) * time.Hour)), GOP: 25, Run: run}
			if err := h.Start(c.Tracks()); err != nil {
				return err
			}
			tick := time.NewTicker(40 * 25 * time.Millisecond / crashSpeed) // a GOP
			defer tick.Stop()
			for x := range c.Samples(0) {
				if err := h.Sample(x); err != nil {
					return err
				}
				if x.Sync {
					fmt.Println(crashProgress)
					select {
					case <-tick.C:
					case <-ctx.Done():
						return nil
					}
				}
			}
			return nil
		})
	}
	began := time.Now()
	return Options{
		Data: dir, Length: 5 * time.Second, Sync: 15 * time.Millisecond, Log: slog.New(slog.NewTextHandler(crashLog{}, nil)), Retain: Limits{Bytes: 500_000},
		retainEvery: 3 * time.Millisecond,
		clock:       func() int64 { return media.FromTime(began.Add(crashSpeed * time.Since(began))) },
		Streams: []StreamOptions{
			{Camera: "a", Name: "main", Source: camera(1), Retain: Limits{Bytes: 200_000}},
			{Camera: "b", Name: "main", Source: camera(2), Samples: dir + "/second"},
		},
	}
}

// TestCrashLoopChild is not a test: it is what TestCrashLoop starts. It records, deletes and reads until it is killed.
func TestCrashLoopChild(t *testing.T) {
	dir := os.Getenv(crashDirEnv)
	if dir == "" {
		t.Skip("runs in a process of its own")
	}
	round, err := strconv.Atoi(os.Getenv(crashRoundEnv))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), crashOptions(dir, round))
	if err != nil {
		t.Fatal(err)
	}
	go crashReader(t, dir)
	fmt.Println("up")
	fmt.Println("Run has ended: ", r.Run(t.Context())) // it must not, before the process is killed
}

// crashReader reads what there is, over and over. What it opens may be gone before it is read: its clock is not the
// recorder's.
func crashReader(t *testing.T, dir string) {
	lib, err := playback.Open(t.Context(), playback.Options{Data: dir, Location: time.UTC, Poll: 5 * time.Millisecond, Log: bench.NewLog(new(bench.LogBuffer))})
	if err != nil {
		fmt.Println(err)
		return
	}
	go lib.Run(t.Context())
	for {
		streams, err := lib.Streams(t.Context())
		if err != nil {
			fmt.Println(err)
		}
		for _, s := range streams {
			days, _ := lib.Days(t.Context(), s)
			for _, day := range days {
				e, err := lib.WholeDay(t.Context(), s, day)
				if err != nil {
					continue
				}
				if f, err := lib.Open(t.Context(), e, "reader"); err == nil {
					_, _ = io.Copy(io.Discard, io.NewSectionReader(f, 0, f.Size()))
					f.Close()
				}
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestCrashLoop kills recorders at random moments, each of which records, deletes and is read from, 200 times over in one
// directory.
func TestCrashLoop(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 10
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	loop := crashLoop{t: t, dir: t.TempDir(), sealed: map[schema.RecordingID]int64{}, rnd: rand.New(rand.NewPCG(seed, 1))}
	began := time.Now()
	round := 0
	// On a busy host recorders may be killed before they have sealed anything: then it takes more of them.
	for ; round < rounds || rounds > 50 && !loop.hasSeen(rounds) && time.Since(began) < crashDeadline; round++ {
		loop.recordAndKill(round)
		if loop.check(); t.Failed() {
			t.Fatalf("after round %d", round)
		}
		if round == 3 {
			loop.hold()
		}
	}
	t.Logf("%d rounds in %v: %d recordings were sealed, of which %d are there; %d of them are held", round, time.Since(began).Round(time.Millisecond), loop.seen, len(loop.sealed), len(loop.held))
	if rounds > 50 && !loop.hasSeen(rounds) {
		t.Error("nothing was deleted, or little recorded")
	}
	bench.Reopen(t, loop.dir)
	loop.check()
}

// crashDeadline is how long the loop may go on until it has seen enough.
const crashDeadline = 10 * time.Minute

// holdEnd90k is behind the fourth round.
var holdEnd90k = media.FromTime(bench.Dawn.Add(210 * time.Minute))

type crashLoop struct {
	t      *testing.T
	dir    string
	rnd    *rand.Rand
	sealed map[schema.RecordingID]int64 // bytes of those that were sealed at the last check
	held   []schema.RecordingID
	seen   int
}

// hasSeen reports whether so many recordings were sealed, and one deleted.
func (l *crashLoop) hasSeen(sealed int) bool { return len(l.sealed) < l.seen && l.seen >= sealed }

// recordAndKill starts a recorder, and kills it at a random moment: one time in five while it starts.
func (l *crashLoop) recordAndKill(round int) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestCrashLoopChild$")
	cmd.Env = append(os.Environ(), crashDirEnv+"="+l.dir, fmt.Sprintf("%s=%d", crashRoundEnv, round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	progress, up, enough, wg := l.rnd.IntN(60), make(chan struct{}), make(chan struct{}), sync.WaitGroup{}
	until := enough
	if progress == 0 {
		until = up
	}
	wg.Go(func() {
		for said := bufio.NewScanner(out); said.Scan(); {
			switch said.Text() {
			case "up":
				close(up)
			case crashProgress:
				if progress--; progress == 0 {
					close(enough)
				}
			default:
				l.t.Errorf("round %d: the recorder says: %s", round, said.Text())
			}
		}
	})
	if round > 0 && l.rnd.IntN(5) == 0 {
		until = nil // while it starts
		time.Sleep(time.Duration(l.rnd.Int64N(int64(75 * time.Millisecond))))
	}
	if until != nil {
		select {
		case <-until:
		case <-ctx.Done():
			l.t.Errorf("round %d: the recorder does not get on", round)
		}
		time.Sleep(time.Duration(l.rnd.Int64N(int64(10 * time.Millisecond)))) // somewhere within a GOP; nothing is waited for
	}
	if err := cmd.Process.Kill(); err != nil {
		l.t.Fatal(err)
	}
	wg.Wait()
	var killed *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &killed) || killed.Exited() {
		l.t.Fatalf("round %d: the recorder ended by itself: %v", round, err)
	}
}

// check checks what a killed recorder has left: no recording that was sealed before is lost, but for the oldest, which
// were deleted; none that is held; no file is without a row, and no row without its file.
func (l *crashLoop) check() {
	l.t.Helper()
	bench.NoProblems(l.t, l.dir)
	db, err := schema.OpenReadOnly(l.t.Context(), l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	defer db.Close()
	if wrong, err := db.WrongSums(l.t.Context()); err != nil || len(wrong) > 0 {
		l.t.Errorf("sums should be %+v, %v", wrong, err)
	}
	now, oldest := map[schema.RecordingID]int64{}, map[int64]schema.RecordingID{}
	for stream := range int64(2) {
		for _, r := range bench.RowsOf(l.t, db, stream+1) {
			if before, ok := l.sealed[r.ID]; ok && before != r.Bytes {
				l.t.Errorf("recording %s had %d bytes when it was sealed, and has %d", r.ID, before, r.Bytes)
			}
			if !r.Sealed {
				continue
			}
			if _, ok := l.sealed[r.ID]; !ok {
				l.seen++
			}
			now[r.ID] = r.Bytes
			if free := stream == 1 || r.Start90k >= holdEnd90k; free && oldest[stream+1] == 0 {
				oldest[stream+1] = r.ID
			}
		}
	}
	for id := range l.sealed {
		if _, ok := now[id]; !ok && (oldest[id.Stream()] != 0 && id > oldest[id.Stream()] || slices.Contains(l.held, id)) {
			l.t.Errorf("recording %s is lost", id)
		}
	}
	l.sealed = now
}

// hold holds what stream a has by now.
func (l *crashLoop) hold() {
	l.t.Helper()
	db, err := schema.OpenExisting(l.t.Context(), l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	defer db.Close()
	if err := db.Write(l.t.Context(), func(tx *schema.Tx) error {
		_, err := tx.Hold(schema.Hold{Stream: 1, From90k: media.FromTime(bench.Dawn.Add(-time.Hour)), To90k: holdEnd90k, Why: "test", Created90k: 1})
		return err
	}); err != nil {
		l.t.Fatal(err)
	}
	for _, r := range bench.RowsOf(l.t, db, 1) {
		if r.Sealed {
			l.held = append(l.held, r.ID)
		}
	}
}
