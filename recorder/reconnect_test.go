package recorder

import (
	"context"
	"io"
	"net"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"nvrfs/camera"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/rtsp"
)

// A link leads to a camera, until it is cut.
type link struct {
	camera   string // address
	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	down  bool // connections are taken and cut at once
	conns map[net.Conn]bool
}

func startLink(t *testing.T, camera string) *link {
	t.Helper()
	l := &link{camera: camera, conns: map[net.Conn]bool{}}
	var err error
	if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	l.wg.Go(l.accept)
	t.Cleanup(func() {
		l.listener.Close()
		l.cut()
		l.wg.Wait()
	})
	return l
}

func (l *link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.camera)
		l.mu.Lock()
		if err != nil || l.down {
			near.Close()
		}
		if err == nil && l.down {
			far.Close()
		} else if err == nil {
			l.join(near, far)
			l.join(far, near)
		}
		l.mu.Unlock()
	}
}

// join copies one way. Its caller holds the lock.
func (l *link) join(to, from net.Conn) {
	l.conns[from] = true
	l.wg.Go(func() {
		_, _ = io.Copy(to, from) // cut in any case
		to.Close()
		from.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, from)
	})
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Close()
	}
}

func (l *link) setDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// TestHundredReconnects has the connection to a camera break a hundred times: before it plays, while the first picture is
// awaited, in the middle of a GOP, and behind some.
func TestHundredReconnects(t *testing.T) {
	clip := camera.DemoClip()
	for _, track := range clip.Tracks() {
		track.Timescale *= 10 // it plays ten times as fast, so that the test does not last minutes
	}
	cam, err := camera.Start(camera.Options{Clip: clip})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cam.Close(); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(cam.URL())
	if err != nil {
		t.Fatal(err)
	}
	l := startLink(t, u.Host)
	u.Host = l.listener.Addr().String()
	b := bench.New(t, time.Second)
	src := &rtsp.Source{URL: u.String(), Log: bench.NewLog(new(bench.LogBuffer))}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	fds, goroutines, recorded := 0, 0, 0
	for i := range 100 {
		sess := b.Stream.Session()
		next := b.Stream.Row.Next()
		h := &dropping{sess, []int{0, 1, 17, 60}[i%4], l.cut}
		l.setDown(i%10 == 7)
		err := src.Run(ctx, h)
		if err == nil || ctx.Err() != nil {
			t.Fatalf("session %d ends by: %v", i, err)
		}
		if err := sess.Finish(err.Error()); err != nil {
			t.Fatal(err)
		}
		b.Commit()
		if b.Stream.Row.Next() > next {
			recorded++
		}
		if i == 19 {
			fds, goroutines = len(bench.OpenUnder(t, "")), runtime.NumGoroutine()
		}
	}
	bench.Eventually(t, "as few files are open as at first", func() bool { return len(bench.OpenUnder(t, "")) <= fds })
	bench.Eventually(t, "as few goroutines run as at first", func() bool { return runtime.NumGoroutine() <= goroutines })
	bench.NoProblems(t, b.Dir)
	b.CheckFiles()
	runs, err := b.DB.Runs(ctx, b.Stream.Row.ID, 0, 1<<62)
	if err != nil || len(runs) != recorded {
		t.Errorf("%d runs of %d sessions that recorded, %v", len(runs), recorded, err)
	}
	for _, r := range runs {
		if !strings.Contains(r.EndReason, "the RTSP session ended") {
			t.Errorf("run %d ended because of %q", r.ID, r.EndReason)
		}
	}
	rows := b.Recordings()
	for i, r := range rows {
		if !r.Sealed || i > 0 && r.ID != rows[i-1].ID+1 {
			t.Errorf("recording %s, sealed %v, follows %s", r.ID, r.Sealed, rows[max(0, i-1)].ID)
		}
	}
	if len(rows) < recorded {
		t.Errorf("%d recordings of %d sessions", len(rows), recorded)
	}
}
