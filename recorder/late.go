package recorder

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"nvrfs/schema"
	"nvrfs/store"
)

// lookEvery is how often a sample directory that is late is looked for.
const lookEvery = 5 * time.Second

// A lateDir is a sample directory that streams are recorded to, but that was not there when the recorder started, or did not
// answer. The goroutine of its disk looks for it, mends what a crash left in it, and then lets its streams start.
type lateDir struct {
	id    int64
	path  string
	open  func(path string) (store.Store, error)
	since time.Time
	log   *slog.Logger
	there chan struct{}   // closed when its streams may start
	free  map[int64]int64 // by stream, as in recoverDir
	disk  store.Asking
	store store.Store // once it is there
	said  string      // the last error that was logged
}

func newLateDir(id int64, path string, streams []string, open func(string) (store.Store, error), log *slog.Logger) *lateDir {
	log = log.With("path", path, "streams", strings.Join(streams, " "))
	return &lateDir{id: id, path: path, open: open, since: time.Now(), log: log, there: make(chan struct{})}
}

// nextNumbers returns the next number of each stream.
func nextNumbers(ctx context.Context, db *schema.DB) (map[int64]int64, error) {
	streams, err := db.Streams(ctx)
	next := map[int64]int64{}
	for _, s := range streams {
		next[s.ID] = s.NextNumber
	}
	return next, err
}

// say logs why a directory cannot be recorded to, when that is new.
func (l *lateDir) say(err error) {
	if err.Error() == l.said {
		return
	}
	l.said = err.Error()
	l.log.Error("a sample directory is not there; its streams are not recorded, and start by themselves as soon as it is", "err", err,
		"do", "mount its disk, or give its cameras another directory by samples: and start again")
}

// wait waits until the streams may start, or ctx ends.
func (l *lateDir) wait(ctx context.Context) {
	select {
	case <-l.there:
	case <-ctx.Done():
	}
}

// await looks for a directory until it is there, or ctx ends, and has streams and retention use it.
func (r *Recorder) await(ctx context.Context, l *lateDir, come chan<- *lateDir) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		x := openAll(&l.disk, map[int64]string{l.id: l.path}, l.open)[l.id]
		if x.err == nil {
			x.err = r.takeIn(ctx, l, x.store)
		}
		switch {
		case ctx.Err() != nil:
			return
		case x.err == nil:
			l.log.Info("the sample directory is there; its streams start", "late", time.Since(l.since).Round(time.Second).String())
			come <- l
			close(l.there)
			return
		}
		l.say(x.err)
	}
}

// takeIn mends what a crash left in a directory that has come, and readies its streams.
func (r *Recorder) takeIn(ctx context.Context, l *lateDir, st store.Store) error {
	if err := recoverDir(ctx, r.db, l.id, sampleDir{l.path, st}, l.free, r.o.Log); err != nil {
		return err
	}
	l.store, r.disks[l.id].store = st, st
	for _, s := range r.streams {
		if s.disk.dir == l.id {
			s.row.NextNumber = max(s.row.NextNumber, l.free[s.row.ID])
		}
	}
	return st.Present() // or else there is more to mend
}
