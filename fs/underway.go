package fs

import "sync"

// underWay counts the lookups and listings that are being answered, so that one can wait for those that have begun: what they
// answer may be from before. The zero value counts none.
type underWay struct {
	mu  sync.Mutex
	now *sync.WaitGroup // of those that have begun since wait was called last
}

// begin counts a request, until Done of what it returns is called.
func (u *underWay) begin() *sync.WaitGroup {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.now == nil {
		u.now = new(sync.WaitGroup)
	}
	u.now.Add(1)
	return u.now
}

// wait waits for the requests that have begun, which all have a deadline. One goroutine at a time may wait.
func (u *underWay) wait() {
	u.mu.Lock()
	begun := u.now
	u.now = nil
	u.mu.Unlock()
	if begun != nil {
		begun.Wait()
	}
}
