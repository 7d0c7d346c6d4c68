package recorder

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/session"
	"nvrfs/recorder/volume"
)

// TestSourcePanics has a source panic while it records: its footage until then is kept, its run ends with a reason, and it is
// tried again.
func TestSourcePanics(t *testing.T) {
	b := bench.New(t, time.Minute)
	sessions := 0
	synctest.Test(t, func(t *testing.T) {
		source := bench.SourceFunc(func(ctx context.Context, h media.Handler) error {
			sessions++
			c := bench.Camera{Start: time.Now(), Run: uint32(sessions)}
			if err := h.Start(c.Tracks()); err != nil {
				return err
			}
			n := 0
			for x := range c.Samples(20 * time.Second) {
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
		streamOf(b, source).run(ctx)
	})
	b.Commit()
	ended := 0
	for _, r := range b.Recordings() {
		run, err := b.DB.Run(t.Context(), r.Run)
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
	bench.NoProblems(t, b.Dir)
}

// TestFinishPanics has the end of a session panic, as it may after a panic in the midst of it: the run ends all the same.
func TestFinishPanics(t *testing.T) {
	b := bench.New(t, time.Minute)
	c := bench.Camera{Start: time.Now()}
	var broken bool
	s := session.New(session.Options{
		NewRun: func() session.Sink { return panickingSink{b.Writer.NewRun(b.Stream.Row), &broken} }, Length90k: b.Stream.Length90k, Log: b.Stream.Log,
	})
	if err := s.Start(c.Tracks()); err != nil {
		t.Fatal(err)
	}
	for x := range c.Samples(10 * time.Second) {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	broken = true
	if err := streamOf(b, nil).finish(s, "why"); err == nil || !strings.Contains(err.Error(), "nvrfs failed on the end of a run") {
		t.Errorf("error is %v", err)
	}
	b.Commit()
	recs := b.Recordings()
	run, err := b.DB.Run(t.Context(), recs[len(recs)-1].Run)
	if err != nil || run.EndReason != "why" {
		t.Errorf("the run ended for %q, %v", run.EndReason, err)
	}
	bench.NoProblems(t, b.Dir)
}

// panickingSink is a sink that panics when it is to take a fragment.
type panickingSink struct {
	session.Sink
	broken *bool
}

func (s panickingSink) Append(f *volume.Fragment) error {
	if *s.broken {
		panic("index out of range")
	}
	return s.Sink.Append(f)
}
