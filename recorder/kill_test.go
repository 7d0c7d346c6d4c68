package recorder

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
)

// killDirEnv and killRunEnv make a test process a recorder that is going to be killed.
const (
	killDirEnv = "NVRFS_TEST_KILL_DIR"
	killRunEnv = "NVRFS_TEST_KILL_RUN"
)

// TestKilledChild is not a test: it is what TestKill starts. It records, says on its standard output which pictures it has
// handed over, and goes on until it is killed.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv(killDirEnv)
	if dir == "" {
		t.Skip("runs in a process of its own")
	}
	run, err := strconv.Atoi(os.Getenv(killRunEnv))
	if err != nil {
		t.Fatal(err)
	}
	source := bench.SourceFunc(func(ctx context.Context, h media.Handler) error {
		const faster = 5 // than its clock says, so that fragments end soon
		c := bench.Camera{Start: time.Now(), FPS: 50, GOP: 25, AudioRate: 48000, Run: uint32(run)}
		if err := h.Start(c.Tracks()); err != nil {
			return err
		}
		tick := time.NewTicker(4 * time.Millisecond) // a frame
		defer tick.Stop()
		for x := range c.Samples(0) {
			for time.Since(c.Start) < x.Received.Sub(c.Start)/faster {
				<-tick.C
			}
			if err := h.Sample(x); err != nil {
				return err
			}
			if x.Track == volume.Video {
				fmt.Printf("picture %d\n", x.DTS/1800)
			}
		}
		return nil
	})
	o := Options{Data: dir, Length: time.Second, Sync: 30 * time.Millisecond, Log: bench.NewLog(new(bench.LogBuffer))}
	o.Streams = []StreamOptions{{Camera: "cam", Name: "main", Source: source}}
	r, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Fatal(r.Run(t.Context()))
}

// TestKill kills a recorder at any moment, over and over in one directory, and starts another one each time.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	handed := map[uint32]int{} // by run
	const kills = 10
	for run := range uint32(kills) {
		handed[run] = recordAndKill(t, dir, run, rnd.IntN(180))
		if run%2 == 0 {
			continue // the next recorder finds what this one left
		}
		bench.Reopen(t, dir)
		bench.NoProblems(t, dir)
		checkKilled(t, dir, handed)
	}
}

// recordAndKill starts a recorder, kills it when it has handed over a number of pictures, and returns how many it had.
func recordAndKill(t *testing.T, dir string, run uint32, after int) (handed int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestKilledChild$")
	cmd.Env = append(os.Environ(), killDirEnv+"="+dir, fmt.Sprintf("%s=%d", killRunEnv, run))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	for said.Scan() {
		if _, err := fmt.Sscanf(said.Text(), "picture %d", &handed); err != nil {
			t.Fatalf("the recorder says %q", said.Text())
		}
		if handed == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var killed *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &killed) || killed.Exited() {
		t.Fatalf("the recorder ended by itself: %v", err)
	}
	return handed + 1
}

// checkKilled checks that of each run a beginning is there, without a hole. How much a killed process loses depends on what
// waited behind a sync; it must not be much.
func checkKilled(t *testing.T, dir string, handed map[uint32]int) {
	t.Helper()
	kept := map[uint32]int{}
	for _, data := range bench.Pictures(t, dir) {
		run, i := binary.BigEndian.Uint32([]byte(data[5:])), int(binary.BigEndian.Uint32([]byte(data[10:])))
		if i != kept[run] {
			t.Fatalf("run %d: picture %d follows %d", run, i, kept[run]-1)
		}
		kept[run]++
	}
	allHanded, allKept := 0, 0
	for run, n := range handed {
		allHanded, allKept = allHanded+n, allKept+kept[run]
		if kept[run] > n+25 { // one more GOP may have been written before it was said
			t.Errorf("run %d: %d pictures of %d are kept", run, kept[run], n)
		}
	}
	if allKept < allHanded/2-100 {
		t.Errorf("%d pictures of %d are kept", allKept, allHanded)
	}
	db, err := schema.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	recs := bench.RowsOf(t, db, 1)
	for i := range recs {
		if !recs[i].Sealed {
			t.Errorf("recording %s is not sealed", recs[i].ID)
		}
		if i > 0 && recs[i].Run == recs[i-1].Run {
			bench.CheckJoin(t, &recs[i-1], &recs[i])
		}
	}
}
