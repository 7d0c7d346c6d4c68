package recorder

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/media"
)

func TestGuard(t *testing.T) {
	log := new(logBuffer)
	var g guard
	for range 3 {
		err := g.do(newTestLog(log), "a packet", func() error { panic(strings.Repeat("x", 100000)) })
		if err == nil || !strings.HasPrefix(err.Error(), "nvrfs failed on a packet: xxx") || len(err.Error()) > 2*maxReason {
			t.Fatalf("error is %.1000v", err)
		}
	}
	if n := strings.Count(log.String(), "guard_test.go"); n == 0 || strings.Count(log.String(), "a fault of nvrfs") != 1 || len(log.String()) > 2*maxStack {
		t.Errorf("want the stack once in the log: %s", log)
	}
	if err := g.do(nil, "", func() error { return errAway }); !errors.Is(err, errAway) {
		t.Errorf("error is %v", err)
	}
}

// TestSourcePanics has a source panic while it records: its footage until then is kept, its run ends with a reason, and it is
// tried again.
func TestSourcePanics(t *testing.T) {
	b := newBench(t, time.Minute)
	sessions := 0
	synctest.Test(t, func(t *testing.T) {
		b.stream.source = sourceFunc(func(ctx context.Context, h media.Handler) error {
			sessions++
			c := simCamera{start: time.Now(), run: uint32(sessions)}
			if err := h.Start(c.tracks()); err != nil {
				return err
			}
			n := 0
			for x := range c.samples(20 * time.Second) {
				time.Sleep(time.Until(x.Received))
				if ctx.Err() != nil {
					return nil
				}
				if n++; n == 100 {
					panic("index out of range")
				}
				if err := h.Sample(x); err != nil {
					return err
				}
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		b.stream.run(ctx)
	})
	b.commit()
	ended := 0
	for _, r := range b.recordings() {
		run, err := b.db.Run(t.Context(), r.Run)
		if err != nil {
			t.Fatal(err)
		}
		if run.EndReason == "nvrfs failed on the camera's session: index out of range" {
			ended++
		}
	}
	if sessions < 2 || ended < sessions-1 {
		t.Errorf("%d sessions, %d recordings of runs that ended for the panic", sessions, ended)
	}
	noProblems(t, b.dir)
}

// TestFinishPanics has the end of a session panic, as it may after a panic in the midst of it: the run ends all the same.
func TestFinishPanics(t *testing.T) {
	b := newBench(t, time.Minute)
	c := simCamera{start: time.Now()}
	s := b.session(c)
	for x := range c.samples(10 * time.Second) {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	s.lastDTS = nil
	if err := b.stream.finish(s, "why"); err == nil || !strings.Contains(err.Error(), "nvrfs failed on the end of a run") {
		t.Errorf("error is %v", err)
	}
	b.commit()
	recs := b.recordings()
	run, err := b.db.Run(t.Context(), recs[len(recs)-1].Run)
	if err != nil || run.EndReason != "why" {
		t.Errorf("the run ended for %q, %v", run.EndReason, err)
	}
	noProblems(t, b.dir)
}
