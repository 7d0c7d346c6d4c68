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
)

// sourceFunc is a Source.
type sourceFunc func(ctx context.Context, h media.Handler) error

func (f sourceFunc) Run(ctx context.Context, h media.Handler) error { return f(ctx, h) }

var errAway = errors.New("connect to camera: no route to host")

func TestCameraAwayForEver(t *testing.T) {
	b := newBench(t, time.Minute)
	synctest.Test(t, func(t *testing.T) {
		var tried []time.Time
		b.stream.source = sourceFunc(func(context.Context, media.Handler) error {
			tried = append(tried, time.Now())
			time.Sleep(20 * time.Second) // as connecting to a host that is off does
			return errAway
		})
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		b.stream.run(ctx)
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
	log := b.log.String()
	if n := strings.Count(log, "not recording"); n < 23 || n > 24 || !strings.Contains(log, "no route to host") {
		t.Errorf("a camera that is away for a day is logged %d times, should be once an hour:\n%.2000s", n, log)
	}
	if strings.Contains(log, "msg=recording") {
		t.Errorf("it was not recording:\n%.2000s", log)
	}
}

func TestCameraComesBack(t *testing.T) {
	b := newBench(t, time.Minute)
	synctest.Test(t, func(t *testing.T) {
		session := 0
		var began []time.Time
		b.stream.source = sourceFunc(func(ctx context.Context, h media.Handler) error {
			session++
			began = append(began, time.Now())
			switch session {
			case 1, 2, 3, 5, 6:
				return errAway
			case 7:
				return errors.New("connect to camera: refused") // another reason is news
			}
			c := simCamera{start: time.Now(), run: uint32(session)}
			if err := h.Start(c.tracks()); err != nil {
				return err
			}
			for x := range c.samples(30 * time.Second) {
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
		b.stream.run(ctx)
		// A session that recorded for long makes the next failure the first one.
		if got := began[4].Sub(began[3]) - 30*time.Second; got < 700*time.Millisecond || got > 1300*time.Millisecond {
			t.Errorf("after a session it took %v to try again", got)
		}
	})
	b.commit()
	var said []string
	for line := range strings.Lines(b.log.String()) {
		_, msg, _ := strings.Cut(line, "msg=")
		said = append(said, strings.TrimSpace(msg))
	}
	want := []string{
		`"not recording; trying again until the camera is back" stream=cam reason="connect to camera: no route to host" away=0s`,
		`"recording again" stream=cam away=`,
		`"not recording; trying again until the camera is back" stream=cam reason="the camera closed the connection" away=0s`,
		`"not recording; trying again until the camera is back" stream=cam reason="connect to camera: no route to host" away=`,
		`"not recording; trying again until the camera is back" stream=cam reason="connect to camera: refused" away=`,
		`"recording again" stream=cam away=`,
	}
	if len(said) < len(want) {
		t.Fatalf("the log: %q", said)
	}
	for i := range want {
		if !strings.HasPrefix(said[i], want[i]) {
			t.Errorf("line %d is %s, want %s", i, said[i], want[i])
		}
	}
	recs := b.recordings()
	var reasons []string
	for _, r := range recs {
		run, err := b.db.Run(t.Context(), r.Run)
		if err != nil {
			t.Fatal(err)
		}
		reasons = append(reasons, run.EndReason)
	}
	if !slices.Contains(reasons, "the camera closed the connection") || reasons[len(reasons)-1] != "stopped" {
		t.Errorf("the runs ended for %q", reasons)
	}
	noProblems(t, b.dir)
}

func TestStopWhileBackingOff(t *testing.T) {
	b := newBench(t, time.Minute)
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		b.stream.source = sourceFunc(func(context.Context, media.Handler) error { attempts++; return errAway })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.stream.run(ctx)
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
	o := Options{Data: dir, Length: 2 * time.Second, Sync: 50 * time.Millisecond, Log: newTestLog(new(logBuffer))}
	type sent struct{ samples []media.Sample }
	streams := make([]sent, 4)
	fed := make(chan int, 100)
	for i := range streams {
		o.Streams = append(o.Streams, StreamOptions{Camera: fmt.Sprintf("cam%d", i/2), Name: []string{"main", "sub"}[i%2], Source: sourceFunc(func(ctx context.Context, h media.Handler) error {
			c := simCamera{audioRate: 48000, run: uint32(i)}
			if err := h.Start(c.tracks()); err != nil {
				return err
			}
			for x := range c.samples(20 * time.Second) {
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
	noProblems(t, dir)
	sum, err := Check(t.Context(), dir, CheckOptions{Total: func(int64) {}, Checked: func(int64) {}, Found: func(Problem) {}})
	if err != nil || sum.Recordings < 4*5 || sum.Bytes == 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	checkStream(t, dir, "cam1.sub", streams[3].samples)
}

// checkStream checks that what a stream was given in one run comes back.
func checkStream(t *testing.T, dir, label string, given []media.Sample) {
	t.Helper()
	days := playBackStream(t, dir, label)
	if len(days) != 1 {
		t.Fatalf("footage of %s on %d days", label, len(days))
	}
	compareShown(t, days[0], wantShown(given, simCamera{audioRate: 48000}.tracks()))
}
