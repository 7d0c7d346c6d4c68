package events

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"nvrfs/schema"
)

// Options say what a Set works with.
type Options struct {
	// Write runs a transaction in the database beside the recorder's own.
	Write func(context.Context, func(*schema.Tx) error) error
	// Backoff returns how long to wait after a number of failed attempts in a row.
	Backoff func(attempt int) time.Duration
	// Find returns the host at which a camera that is away was found, if it was.
	Find func(ctx context.Context, camera string) (host string, ok bool)
	Log  *slog.Logger

	steady, tell, every time.Duration // for tests: those of an asker and of the keeper
}

// A Set asks cameras for their events, each in a goroutine of its own, and keeps the events as marks. The caller must Close it.
type Set struct {
	o      Options
	keeper *keeper
	stop   context.CancelFunc // stops the keeper
	kept   chan struct{}      // closed when the keeper has ended

	mu     sync.Mutex
	askers map[string]*running // by camera
	closed bool
}

// running is the goroutine of a camera.
type running struct {
	camera Camera
	cancel context.CancelFunc
	done   chan struct{}
}

// New returns a Set without cameras.
func New(o Options) *Set {
	s := &Set{o: o, keeper: newKeeper(o.Write, cmp.Or(o.every, writeEvery), o.Log), kept: make(chan struct{}), askers: map[string]*running{}}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() {
		defer close(s.kept)
		s.keeper.run(ctx)
	}()
	return s
}

// Set changes which cameras are asked. A camera that did not change is asked on, without a pause. Set returns when it has stopped all
// others, which takes a few seconds where a camera does not answer.
func (s *Set) Set(cameras []Camera) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	next := map[string]Camera{}
	for _, c := range cameras {
		next[c.Name] = c
	}
	var gone []*running
	for name, r := range s.askers {
		if c, ok := next[name]; !ok || c != r.camera {
			gone = append(gone, r)
			delete(s.askers, name)
		}
	}
	end(gone)
	for name, c := range next {
		if s.askers[name] == nil {
			s.askers[name] = s.start(c)
		}
	}
}

// start starts the goroutine of a camera.
func (s *Set) start(c Camera) *running {
	log := s.o.Log.With("camera", c.Name)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{camera: c, cancel: cancel, done: make(chan struct{})}
	a := &asker{Camera: c, tracker: newTracker(c.Name, s.keeper, log), log: log, backoff: s.o.Backoff, steady: cmp.Or(s.o.steady, steadyAfter), tell: cmp.Or(s.o.tell, tellAfter)}
	a.find = func(ctx context.Context) (string, bool) { return s.o.Find(ctx, c.Name) }
	go func() {
		defer close(r.done)
		a.run(ctx)
	}()
	return r
}

// end stops goroutines, and waits for them.
func end(gone []*running) {
	for _, r := range gone {
		r.cancel()
	}
	for _, r := range gone {
		<-r.done
	}
}

// Close stops asking, and returns when all marks are written.
func (s *Set) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	var all []*running
	for _, r := range s.askers {
		all = append(all, r)
	}
	end(all)
	s.stop()
	<-s.kept
}
