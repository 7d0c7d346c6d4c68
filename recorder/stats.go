package recorder

import (
	"sync/atomic"
	"time"
)

// DiskStats counts what was written to a sample directory since the Recorder was opened.
type DiskStats struct {
	Streams      int   `json:"streams"` // that are recorded to it
	Fragments    int64 `json:"fragments"`
	Bytes        int64 `json:"bytes"`   // of fragments
	Waiting      int64 `json:"waiting"` // of these, bytes that are not durable yet
	Syncs        int64 `json:"syncs"`   // of sample files
	Commits      int64 `json:"commits"`
	Failures     int64 `json:"failures"`  // of appends, syncs and commits
	CommitMicros int64 `json:"commit_us"` // that all commits took, syncs included
}

// diskCounters are the parts of DiskStats that count.
type diskCounters struct{ fragments, bytes, syncs, commits, failures, commitNanos atomic.Int64 }

// Disks is how many sample directories are recorded to.
func (r *Recorder) Disks() int { return len(r.disks) }

// Stats returns the counters of each sample directory that is recorded to, by path.
func (r *Recorder) Stats() map[string]DiskStats {
	all := map[string]DiskStats{}
	for i, s := range r.streams {
		path := samplesOf(r.o.Data, r.o.Streams[i])
		x, ok := all[path]
		if !ok {
			x = s.disk.stats()
		}
		x.Streams++
		all[path] = x
	}
	return all
}

func (d *disk) stats() DiskStats {
	c := &d.count
	return DiskStats{
		Fragments: c.fragments.Load(), Bytes: c.bytes.Load(), Waiting: int64(d.safe(0)), Syncs: c.syncs.Load(),
		Commits: c.commits.Load(), Failures: c.failures.Load(), CommitMicros: time.Duration(c.commitNanos.Load()).Microseconds(),
	}
}
