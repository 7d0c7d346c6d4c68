package store

import (
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// logText is a log that is read while it is written.
type logText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns what is said by now.
func (l *logText) String() string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func watchLog() (*slog.Logger, *logText) {
	l := new(logText)
	return slog.New(slog.NewTextHandler(l, nil)).With("path", "/mnt/disk2"), l
}

func count(log *logText) (hung, over int) {
	return strings.Count(log.String(), "does not answer"), strings.Count(log.String(), "answers again")
}

// TestWatch says once that a disk hangs, within seconds, also while others of its answers come, and once that it is over.
func TestWatch(t *testing.T) {
	for name, busy := range map[string]bool{"nobody else": false, "others get answers": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, said := watchLog()
				w := NewWatch(log, "reading", func() []any { return []any{"reader", "process 1"} })
				var wg sync.WaitGroup
				stop := make(chan struct{})
				if busy { // there is always one under way, but none for long
					for i := range 3 {
						wg.Go(func() {
							time.Sleep(time.Duration(i) * 300 * time.Millisecond)
							for {
								g := w.Begin()
								time.Sleep(time.Second)
								w.End(g)
								select {
								case <-stop:
									return
								default:
								}
							}
						})
					}
				}
				time.Sleep(time.Minute)
				if said.String() != "" {
					t.Errorf("while it answers it is said: %s", said)
				}
				began := time.Now()
				g := w.Begin()
				time.Sleep(2*AnswerWithin + time.Second)
				if hung, over := count(said); hung != 1 || over != 0 {
					t.Errorf("after %v it is said: %s", time.Since(began), said)
				}
				for _, want := range []string{"level=ERROR", "reading waits", "path=/mnt/disk2", `reader="process 1"`, "took=", "waiting=", "do="} {
					if !strings.Contains(said.String(), want) {
						t.Errorf("it does not say %s: %s", want, said)
					}
				}
				time.Sleep(time.Hour)
				if hung, over := count(said); hung != 1 || over != 0 {
					t.Errorf("after an hour it is said: %s", said)
				}
				w.End(g)
				time.Sleep(3 * AnswerWithin)
				if hung, over := count(said); hung != 1 || over != 1 || !strings.Contains(said.String(), "took=1h0m1") {
					t.Errorf("when it answers it is said: %s", said)
				}
				close(stop)
				wg.Wait()
				time.Sleep(time.Minute)
				if w.armed.Load() {
					t.Error("the timer runs though nobody waits")
				}
			})
		})
	}
}

// TestWatchIsQuiet: a disk that hangs again and again fills no log.
func TestWatchIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, said := watchLog()
		w := NewWatch(log, "recording", nil)
		for range 100 {
			g := w.Begin()
			time.Sleep(4 * AnswerWithin)
			w.End(g)
			time.Sleep(4 * AnswerWithin)
		}
		minutes := int(100 * 8 * AnswerWithin / time.Minute)
		if hung, over := count(said); hung < minutes/2 || hung > minutes+1 || over != hung {
			t.Errorf("in %d minutes it is said %d times that it hangs, and %d times that that is over", minutes, hung, over)
		}
	})
}

// TestWatchCounts: whatever comes and goes, the timer ends, and nothing is left to count.
func TestWatchCounts(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		log, said := watchLog()
		w := NewWatch(log, "reading", nil)
		var wg sync.WaitGroup
		for i := range uint64(20) {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, i))
				for range 50 {
					g := w.Begin()
					time.Sleep(time.Duration(rnd.Int64N(int64(AnswerWithin - time.Millisecond))))
					w.End(g)
					time.Sleep(time.Duration(rnd.Int64N(int64(3 * AnswerWithin))))
				}
			})
		}
		wg.Wait()
		time.Sleep(4 * AnswerWithin)
		if !w.idle() || w.armed.Load() {
			t.Errorf("left: %d and %d, armed %v", w.waiting[0].Load(), w.waiting[1].Load(), w.armed.Load())
		}
		if said.String() != "" {
			t.Errorf("it is said: %s", said)
		}
	})
}
