package volume

import (
	"sync/atomic"

	"nvrfs/schema"
)

// A Stream is a stream that is recorded, with the numbers of its recordings. It may move from one volume to another while that
// one still writes: no number is taken twice.
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

// giveBack gives back a number of which nobody has heard. It is left out where others were taken since.
func (s *Stream) giveBack(n int64) { s.next.CompareAndSwap(n+1, n) }
