package store

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// A Watch logs when a disk does not answer, and when it answers again. It is needed because a call that hangs cannot log anything
// itself, and cannot be ended.
//
// It costs those who wait two additions. They count in one of two generations. A timer that runs while anybody waits has those who
// come count in the other one, as soon as nobody counts in that any more. So whoever counts in the older one when the timer fires
// has waited for AnswerWithin, at least.
type Watch struct {
	log  *slog.Logger
	who  string       // what waits: "recording"
	more func() []any // attributes for the log: who waits in particular; may be nil

	waiting [2]atomic.Int64
	newer   atomic.Int32 // generation
	armed   atomic.Bool  // the timer runs

	mu     sync.Mutex // guards what follows
	turned time.Time  // when the newer generation began
	hung   time.Time  // since when the disk does not answer; zero while the disk answers
	easing bool       // nobody who waited when the timer fired last still waits
	quiet  time.Time  // until when nothing is logged about a disk that does not answer
}

// watchPause is the least time between two lines that a disk does not answer, for disks that answer now and then.
const watchPause = time.Minute

// NewWatch returns the Watch of a disk. log must name the disk. who says what waits for the disk, such as "recording"; more returns
// attributes that say which streams or readers wait.
func NewWatch(log *slog.Logger, who string, more func() []any) *Watch {
	return &Watch{log: log, who: who, more: more}
}

// Begin notes that a call begins to wait for the disk. The generation must be passed to End.
func (w *Watch) Begin() (generation int32) {
	generation = w.newer.Load()
	w.waiting[generation].Add(1)
	if !w.armed.Load() && w.armed.CompareAndSwap(false, true) {
		w.mu.Lock()
		w.turned = time.Now()
		w.mu.Unlock()
		time.AfterFunc(AnswerWithin, w.look)
	}
	return generation
}

// End notes that a call waits no more.
func (w *Watch) End(generation int32) { w.waiting[generation].Add(-1) }

// look is called by the timer.
func (w *Watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	newer := w.newer.Load()
	older := 1 - newer
	if w.waiting[older].Load() > 0 {
		w.easing = false
		w.sayHungLocked()
	} else {
		if w.easing || w.waiting[newer].Load() == 0 {
			w.sayOverLocked()
		}
		w.easing = true
		w.turned = time.Now()
		w.newer.Store(older)
	}
	if w.idle() && w.hung.IsZero() {
		w.armed.Store(false)
		if w.idle() || !w.armed.CompareAndSwap(false, true) {
			return // who came meanwhile has started the timer
		}
	}
	time.AfterFunc(AnswerWithin, w.look)
}

func (w *Watch) idle() bool { return w.waiting[0].Load() == 0 && w.waiting[1].Load() == 0 }

func (w *Watch) sayHungLocked() {
	now := time.Now()
	if !w.hung.IsZero() || now.Before(w.quiet) {
		return
	}
	w.hung, w.quiet = w.turned, now.Add(watchPause)
	attrs := []any{"waiting", w.waiting[0].Load() + w.waiting[1].Load(), "took", now.Sub(w.turned).Round(time.Second).String()}
	if w.more != nil {
		attrs = append(attrs, w.more()...)
	}
	attrs = append(attrs, "do", "look at the disk, its cable, or its file server; nvrfs goes on when it answers")
	w.log.Error("the disk does not answer; "+w.who+" waits for it", attrs...)
}

func (w *Watch) sayOverLocked() {
	if w.hung.IsZero() {
		return
	}
	w.log.Info("the disk answers again; "+w.who+" goes on", "took", time.Since(w.hung).Round(time.Second).String())
	w.hung = time.Time{}
}

// Watched returns a Store that calls w.Begin and w.End around every call of st.
func Watched(st Store, w *Watch) Store { return &watched{st, w} }

type watched struct {
	Store
	w *Watch
}

func (s *watched) Create(k Key) (Writer, error) {
	defer s.w.End(s.w.Begin())
	f, err := s.Store.Create(k)
	return watchedWriter(f, s.w, err)
}

func (s *watched) Reopen(k Key) (Writer, error) {
	defer s.w.End(s.w.Begin())
	f, err := s.Store.Reopen(k)
	return watchedWriter(f, s.w, err)
}

func (s *watched) Open(k Key) (Reader, error) {
	defer s.w.End(s.w.Begin())
	f, err := s.Store.Open(k)
	if err != nil {
		return nil, err
	}
	return &watchedReader{f, s.w}, nil
}

func (s *watched) Size(k Key) (int64, error) {
	defer s.w.End(s.w.Begin())
	return s.Store.Size(k)
}

func (s *watched) Remove(k Key) error {
	defer s.w.End(s.w.Begin())
	return s.Store.Remove(k)
}

func (s *watched) SetAside(k Key) (string, error) {
	defer s.w.End(s.w.Begin())
	return s.Store.SetAside(k)
}

func (s *watched) SyncDir(k Key) error {
	defer s.w.End(s.w.Begin())
	return s.Store.SyncDir(k)
}

func (s *watched) Present() error {
	defer s.w.End(s.w.Begin())
	return s.Store.Present()
}

// A WatchedReader is the Reader of a Store that is Watched. A caller that reads by the descriptor, without ReadAt, gets the Reader
// with the descriptor from Unwatched, and has to call Begin and End of Watch itself.
type WatchedReader interface {
	Reader
	Watch() *Watch
	Unwatched() Reader
}

type watchedReader struct {
	Reader
	w *Watch
}

func (r *watchedReader) Watch() *Watch     { return r.w }
func (r *watchedReader) Unwatched() Reader { return r.Reader }

func (r *watchedReader) ReadAt(p []byte, off int64) (int, error) {
	g := r.w.Begin()
	n, err := r.Reader.ReadAt(p, off)
	r.w.End(g)
	return n, err
}

type watchingWriter struct {
	Writer
	w *Watch
}

func watchedWriter(f Writer, w *Watch, err error) (Writer, error) {
	if err != nil {
		return nil, err
	}
	return &watchingWriter{f, w}, nil
}

func (f *watchingWriter) Append(p []byte) error {
	defer f.w.End(f.w.Begin())
	return f.Writer.Append(p)
}

func (f *watchingWriter) Truncate(size int64) error {
	defer f.w.End(f.w.Begin())
	return f.Writer.Truncate(size)
}

func (f *watchingWriter) Sync() error {
	defer f.w.End(f.w.Begin())
	return f.Writer.Sync()
}

func (f *watchingWriter) Close() error {
	defer f.w.End(f.w.Begin())
	return f.Writer.Close()
}
