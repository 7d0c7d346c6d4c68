package volume

import (
	"sync/atomic"

	"nvrfs/schema"
)

// A Stream is a stream that is recorded. It gives out the numbers of its recordings, each once, even when the stream moves to another
// volume while the first one still writes.
type Stream struct {
	schema.Stream // as it was when the recorder started; its NextNumber has moved on since
	next          atomic.Int64
}

// NewStream returns a stream whose next recording has the row's NextNumber.
func NewStream(row schema.Stream) *Stream {
	s := &Stream{Stream: row}
	s.next.Store(row.NextNumber)
	return s
}

// Next returns the number of the next recording.
func (s *Stream) Next() int64 { return s.next.Load() }

// SkipTo leaves out the numbers before n.
func (s *Stream) SkipTo(n int64) {
	for now := s.next.Load(); now < n && !s.next.CompareAndSwap(now, n); now = s.next.Load() {
	}
}

// take returns a number for a file.
func (s *Stream) take() int64 { return s.next.Add(1) - 1 }

// giveBack gives back a number that was not used, so that the next file gets it. If a higher number was taken meanwhile, the number
// is never used.
func (s *Stream) giveBack(n int64) { s.next.CompareAndSwap(n+1, n) }
