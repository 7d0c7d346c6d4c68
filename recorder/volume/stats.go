package volume

import (
	"sync/atomic"
	"time"
)

// Stats counts what a Writer has written to its volume.
type Stats struct {
	Streams      int   `json:"streams"` // that are recorded to the volume
	Fragments    int64 `json:"fragments"`
	Bytes        int64 `json:"bytes"`   // of fragments
	Waiting      int64 `json:"waiting"` // bytes of fragments that are not durable yet
	Syncs        int64 `json:"syncs"`   // of sample files
	Commits      int64 `json:"commits"`
	Failures     int64 `json:"failures"`  // of appends, syncs and commits
	CommitMicros int64 `json:"commit_us"` // how long all commits took together, syncs included
}

// counters are the parts of Stats that count.
type counters struct{ fragments, bytes, syncs, commits, failures, commitNanos atomic.Int64 }

// Stats returns what was written so far. The caller fills in Streams.
func (w *Writer) Stats() Stats {
	c := &w.count
	return Stats{
		Fragments: c.fragments.Load(), Bytes: c.bytes.Load(), Waiting: int64(w.safe(0)), Syncs: c.syncs.Load(),
		Commits: c.commits.Load(), Failures: c.failures.Load(), CommitMicros: time.Duration(c.commitNanos.Load()).Microseconds(),
	}
}
