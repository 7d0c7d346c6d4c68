package fs

import (
	"sync/atomic"
	"time"
)

// Stats counts what the kernel has asked of a Server, about entries, since it was mounted.
type Stats struct {
	Opens       int64 `json:"opens"`
	OpenNow     int64 `json:"open_now"` // handles
	Reads       int64 `json:"reads"`
	ReadBytes   int64 `json:"read_bytes"`
	ReadErrors  int64 `json:"read_errors"`
	ReadSpliced int64 `json:"read_spliced"` // how many of Reads were spliced, so that no bytes were copied
	ReadMicros  int64 `json:"read_us"`      // how long all reads took together, without sending the replies
}

type counters struct{ opens, openNow, reads, readBytes, readErrors, readSpliced, readNanos atomic.Int64 }

// read counts a read, which is answered with r, or fails where that is nil.
func (c *counters) read(r reply, took time.Duration) {
	c.reads.Add(1)
	c.readNanos.Add(int64(took))
	if r == nil {
		c.readErrors.Add(1)
		return
	}
	c.readBytes.Add(int64(r.Size()))
	if _, ok := r.(*spliced); ok {
		c.readSpliced.Add(1)
	}
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	c := &s.count
	return Stats{
		Opens: c.opens.Load(), OpenNow: c.openNow.Load(),
		Reads: c.reads.Load(), ReadBytes: c.readBytes.Load(), ReadErrors: c.readErrors.Load(),
		ReadSpliced: c.readSpliced.Load(), ReadMicros: time.Duration(c.readNanos.Load()).Microseconds(),
	}
}
