package importer

import "sync"

// How much may wait to be committed, and would have to be read back by the next start after a crash. Half as much is committed at
// once, because each commit syncs the filesystem, during which no file can be made.
const (
	maxImportQueue = 2000
	maxImportBytes = 256 << 20
)

// A queue holds up the goroutine that writes files while too many of them wait for the goroutine that commits them.
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
