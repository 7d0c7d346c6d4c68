package recorder

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
)

// streamOf is a stream that is recorded on a bench.
func streamOf(b *bench.Bench, source media.Source) *stream {
	return newStream(StreamOptions{Source: source}, b.Stream.Row, b.Writer, time.Minute, bench.NewLog(&b.Log))
}

var errAway = errors.New("connect to camera: no route to host")

func TestCameraAwayForEver(t *testing.T) {
	b := bench.New(t, time.Minute)
	synctest.Test(t, func(t *testing.T) {
		var tried []time.Time
		source := bench.SourceFunc(func(context.Context, media.Handler) error {
			tried = append(tried, time.Now())
			time.Sleep(20 * time.Second) // as connecting to a host that is off does
			return errAway
		})
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		streamOf(b, source).run(ctx)
		for i := 1; i < len(tried); i++ {
			want := []float64{1, 2, 4, 8, 16}[min(i-1, 4)]
			if i > 5 {
				want = 30
			}
			if got := tried[i].Sub(tried[i-1]).Seconds() - 20; got < want*0.75 || got > want*1.25 {
				t.Errorf("attempt %d came %.1f s after the one before, want about %v s", i, got, want)
			}
		}
		if len(tried) < 24*3600/(20+38) {
			t.Errorf("tried %d times in a day", len(tried))
		}
	})
	log := b.Log.String()
	if n := strings.Count(log, "not recording"); n < 23 || n > 24 || !strings.Contains(log, "no route to host") {
		t.Errorf("a camera that is away for a day is logged %d times, should be once an hour:\n%.2000s", n, log)
	}
	if strings.Contains(log, "msg=recording") {
		t.Errorf("it was not recording:\n%.2000s", log)
	}
}

func TestCameraComesBack(t *testing.T) {
	b := bench.New(t, time.Minute)
	synctest.Test(t, func(t *testing.T) {
		session := 0
		var began []time.Time
		source := bench.SourceFunc(func(ctx context.Context, h media.Handler) error {
			session++
			began = append(began, time.Now())
			switch session {
			case 1, 2, 3, 5, 6:
				return errAway
			case 7:
				return errors.New("connect to camera: refused") // another reason is news
			}
			c := bench.Camera{Start: time.Now(), Run: uint32(session)}
			if err := h.Start(c.Tracks()); err != nil {
				return err
			}
			for x := range c.Samples(30 * time.Second) {
				time.Sleep(time.Until(x.Received))
				if ctx.Err() != nil {
					return nil
				}
				if err := h.Sample(x); err != nil {
					return err
				}
			}
			return errors.New("the camera closed the connection")
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		streamOf(b, source).run(ctx)
		// A session that recorded for long makes the next failure the first one.
		if got := began[4].Sub(began[3]) - 30*time.Second; got < 700*time.Millisecond || got > 1300*time.Millisecond {
			t.Errorf("after a session it took %v to try again", got)
		}
	})
	b.Commit()
	var said []string
	for line := range strings.Lines(b.Log.String()) {
		_, msg, _ := strings.Cut(line, "msg=")
		said = append(said, strings.TrimSpace(msg))
	}
	want := []string{
		`"not recording; trying again" stream=cam reason="connect to camera: no route to host" took=0s`,
		`"recording again" stream=cam took=`,
		`"not recording; trying again" stream=cam reason="the camera closed the connection" took=0s`,
		`"not recording; trying again" stream=cam reason="connect to camera: no route to host" took=`,
		`"not recording; trying again" stream=cam reason="connect to camera: refused" took=`,
		`"recording again" stream=cam took=`,
	}
	if len(said) < len(want) {
		t.Fatalf("the log: %q", said)
	}
	for i := range want {
		if !strings.HasPrefix(said[i], want[i]) {
			t.Errorf("line %d is %s, want %s", i, said[i], want[i])
		}
	}
	recs := b.Recordings()
	var reasons []string
	for _, r := range recs {
		run, err := b.DB.Run(t.Context(), r.Run)
		if err != nil {
			t.Fatal(err)
		}
		reasons = append(reasons, run.EndReason)
	}
	if !slices.Contains(reasons, "the camera closed the connection") || reasons[len(reasons)-1] != "stopped" {
		t.Errorf("the runs ended for %q", reasons)
	}
	bench.NoProblems(t, b.Dir)
}

// TestCameraThatEndsSessions has a camera that sends pictures for some seconds, and then ends the session: it is tried again at
// once, however often, and the log says so once, with the ports of the reasons in it.
func TestCameraThatEndsSessions(t *testing.T) {
	b := bench.New(t, time.Minute)
	synctest.Test(t, func(t *testing.T) {
		var began []time.Time
		source := bench.SourceFunc(func(ctx context.Context, h media.Handler) error {
			began = append(began, time.Now())
			c := bench.Camera{Start: time.Now(), FPS: 5, GOP: 5, Run: uint32(len(began))}
			if err := h.Start(c.Tracks()); err != nil {
				return err
			}
			for x := range c.Samples(3 * time.Second) {
				time.Sleep(time.Until(x.Received))
				if ctx.Err() != nil {
					return nil
				}
				if err := h.Sample(x); err != nil {
					return err
				}
			}
			if len(began)%2 == 0 {
				return fmt.Errorf("read from 10.0.0.7:%d: connection reset", 30000+len(began))
			}
			return errors.New("the camera closed the connection")
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		streamOf(b, source).run(ctx)
		for i := 1; i < len(began); i++ {
			if away := began[i].Sub(began[i-1]) - 2800*time.Millisecond; away > 1300*time.Millisecond {
				t.Errorf("session %d begins %v after the one before", i, away)
			}
		}
		if len(began) < 130 {
			t.Errorf("%d sessions", len(began))
		}
	})
	if log := b.Log.String(); strings.Count(log, "not recording") != 2 || strings.Count(log, "msg=recording") != 1 || strings.Contains(log, "recording again") {
		t.Errorf("the log:\n%.3000s", log)
	}
}

func TestStopWhileBackingOff(t *testing.T) {
	b := bench.New(t, time.Minute)
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		source := bench.SourceFunc(func(context.Context, media.Handler) error { attempts++; return errAway })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			streamOf(b, source).run(ctx)
		}()
		time.Sleep(time.Hour)
		synctest.Wait() // it backs off
		before := time.Now()
		cancel()
		<-done
		if took := time.Since(before); took != 0 {
			t.Errorf("stopping took %v", took)
		}
		if attempts < 90 {
			t.Errorf("%d attempts in an hour", attempts)
		}
	})
}

// TestRecorderEndsEverything runs a recorder of many streams, and counts what is left of it.
func TestRecorderEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	o := Options{Data: dir, Length: 2 * time.Second, Sync: 50 * time.Millisecond, Log: bench.NewLog(new(bench.LogBuffer))}
	type sent struct{ samples []media.Sample }
	streams := make([]sent, 4)
	fed := make(chan int, 100)
	for i := range streams {
		o.Streams = append(o.Streams, StreamOptions{Camera: fmt.Sprintf("cam%d", i/2), Name: []string{"main", "sub"}[i%2], Source: bench.SourceFunc(func(ctx context.Context, h media.Handler) error {
			c := bench.Camera{AudioRate: 48000, Run: uint32(i)}
			if err := h.Start(c.Tracks()); err != nil {
				return err
			}
			for x := range c.Samples(20 * time.Second) {
				streams[i].samples = append(streams[i].samples, x)
				if err := h.Sample(x); err != nil {
					return err
				}
			}
			fed <- i
			<-ctx.Done()
			return nil
		})})
	}
	r, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- r.Run(ctx) }()
	for range streams {
		select {
		case <-fed:
		case <-time.After(20 * time.Second):
			t.Fatal("the streams are not read")
		}
	}
	cancel()
	select {
	case err = <-stopped:
	case <-time.After(20 * time.Second):
		t.Fatal("the recorder does not stop")
	}
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
		}
	}
	bench.NoProblems(t, dir)
	sum, err := fsck.Check(t.Context(), dir, fsck.CheckOptions{Total: func(int64) {}, Checked: func(int64) {}, Found: func(fsck.Problem) {}})
	if err != nil || sum.Recordings < 4*5 || sum.Bytes == 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	checkStream(t, dir, "cam1.sub", streams[3].samples)
}

// checkStream checks that what a stream was given in one run comes back.
func checkStream(t *testing.T, dir, label string, given []media.Sample) {
	t.Helper()
	days := bench.PlayBackStream(t, dir, label)
	if len(days) != 1 {
		t.Fatalf("footage of %s on %d days", label, len(days))
	}
	bench.CompareShown(t, days[0], bench.WantShown(given, bench.Camera{AudioRate: 48000}.Tracks()))
}

func TestStagger(t *testing.T) {
	seen := map[int64]bool{}
	for _, camera := range []string{"a", "b", "front-door", "garage"} {
		for _, name := range []string{"main", "sub"} {
			b := bench.New(t, time.Minute)
			s := newStream(StreamOptions{}, volume.NewStream(schema.Stream{Camera: camera, Name: name}), b.Writer, time.Minute, bench.NewLog(&b.Log))
			if s.stagger90k < 0 || s.stagger90k >= 30*90000 {
				t.Errorf("%s: stagger %d", s.row.Label(), s.stagger90k)
			}
			seen[s.stagger90k] = true
		}
	}
	if len(seen) < 6 {
		t.Errorf("8 streams have only %d staggers", len(seen))
	}
}
