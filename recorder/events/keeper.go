package events

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"nvrfs/schema"
)

const (
	writeEvery   = 2 * time.Second
	mostAtOnce   = 500    // marks in a transaction
	mostQueued   = 50_000 // marks that wait while the database cannot be written to
	lastDeadline = 10 * time.Second
)

// A kept mark changes until it ends. Its fields are guarded by the keeper's mutex; the ID is the keeper's.
type kept struct {
	schema.Mark
	queued bool
}

// A keeper writes marks to the database, in small transactions with some time between them.
type keeper struct {
	write func(context.Context, func(*schema.Tx) error) error
	log   *slog.Logger
	every time.Duration
	wake  chan struct{} // has a value when there is something in the queue

	mu    sync.Mutex
	queue []*kept // that have changed since they were written
	lost  bool    // the queue was full
}

func newKeeper(write func(context.Context, func(*schema.Tx) error) error, every time.Duration, log *slog.Logger) *keeper {
	return &keeper{write: write, log: log, every: every, wake: make(chan struct{}, 1)}
}

// change changes a mark, which is written soon.
func (k *keeper) change(m *kept, f func(*schema.Mark)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f(&m.Mark)
	if m.queued {
		return
	}
	if len(k.queue) >= mostQueued {
		k.lost = true
		return
	}
	m.queued = true
	k.queue = append(k.queue, m)
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run writes until ctx ends, and then once more.
func (k *keeper) run(ctx context.Context) {
	failed := ""
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-k.wake:
			failed = k.say(k.flush(ctx), failed)
			select {
			case <-ctx.Done():
			case <-time.After(k.every):
			}
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastDeadline)
	defer cancel()
	k.say(k.flush(last), failed)
}

// say logs that marks cannot be written, when that is new, and later that they can again.
func (k *keeper) say(err error, failed string) string {
	switch {
	case errors.Is(err, context.Canceled):
	case err != nil && err.Error() != failed:
		k.log.Error("marks of cameras' events cannot be written; trying again", "err", err)
		return err.Error()
	case err == nil && failed != "":
		k.mu.Lock()
		lost := k.lost
		k.lost = false
		k.mu.Unlock()
		if lost {
			k.log.Error("marks of cameras' events are written again; some were lost, because there were too many to wait")
		} else {
			k.log.Info("marks of cameras' events are written again")
		}
		return ""
	}
	return failed
}

// flush writes what is in the queue. What cannot be written stays in it.
func (k *keeper) flush(ctx context.Context) error {
	for {
		marks, rows := k.take()
		if len(marks) == 0 {
			return nil
		}
		err := k.write(ctx, func(tx *schema.Tx) (err error) {
			for i := range rows {
				if rows[i].ID, err = tx.PutMark(rows[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			k.putBack(marks)
			return err
		}
		k.mu.Lock()
		for i, m := range marks {
			m.ID = rows[i].ID
		}
		k.mu.Unlock()
	}
}

// take takes some marks from the queue, and copies them as they are now.
func (k *keeper) take() (marks []*kept, rows []schema.Mark) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := min(len(k.queue), mostAtOnce)
	marks, k.queue = k.queue[:n:n], k.queue[n:]
	for _, m := range marks {
		m.queued = false
		rows = append(rows, m.Mark)
	}
	return marks, rows
}

// putBack returns marks to the queue. Those that have changed meanwhile are in it already.
func (k *keeper) putBack(marks []*kept) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range marks {
		if !m.queued {
			m.queued = true
			k.queue = append(k.queue, m)
		}
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}
