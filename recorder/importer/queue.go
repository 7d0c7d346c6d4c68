package importer

import "sync"

// What may wait to be committed, which is what start-up would have to read back after a crash. It is committed when half as
// much waits: each time costs syncing the filesystem, while which no file can be made.
const (
	maxImportQueue = 2000
	maxImportBytes = 256 << 20
)

// A queue holds up who writes until who commits has come near.
type queue struct {
	most int // how many may wait

	mu      sync.Mutex
	changed sync.Cond // anything below
	waiting []imported
	bytes   int64
	closed  bool
	err     error // why nothing more is committed
}

func newQueue() *queue {
	q := &queue{most: maxImportQueue}
	q.changed.L = &q.mu
	return q
}

// put adds something when there is room for it, or returns why it cannot be committed.
func (q *queue) put(x imported) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.err == nil && (len(q.waiting) >= q.most || q.bytes >= maxImportBytes) {
		q.changed.Wait()
	}
	if q.err != nil {
		return q.err
	}
	q.waiting = append(q.waiting, x)
	q.bytes += x.Row.Bytes
	q.changed.Broadcast()
	return nil
}

// take returns all that waits, when it is worth to be committed. It is nothing when the queue is closed and empty.
func (q *queue) take() []imported {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) < q.most/2 && q.bytes < maxImportBytes/2 && !q.closed {
		q.changed.Wait()
	}
	batch := q.waiting
	q.waiting, q.bytes = nil, 0
	q.changed.Broadcast()
	return batch
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
	q.changed.Broadcast()
}

func (q *queue) failure() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}
