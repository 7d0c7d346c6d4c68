package session

import (
	"time"

	"nvrfs/media"
)

// What tests hold sessions against.
const (
	MaxCorrectionPPM = maxCorrectionPPM
	LateAudio90k     = 90000
	SettleTime       = settleTime
	MaxWaiting       = maxWaiting
	LeastFragment90k = leastFragment90k
)

// Pending returns the samples that wait to be cut into fragments, by track.
func (s *Session) Pending() (all [][]media.Sample) {
	for i := range s.in {
		all = append(all, s.in[i].pending)
	}
	return all
}

// RunClock is what gives the frames of a run their wall time.
type RunClock = runClock

// NewRunClock starts a run.
func NewRunClock(pts int64, received time.Time) *RunClock { return newRunClock(pts, received) }

func (c *runClock) See(pts int64, received time.Time) error { return c.see(pts, received) }
func (c *runClock) Next(pts int64) (wallDuration90k int64)  { return c.next(pts) }
func (c *runClock) Start90k() int64                         { return c.start90k }

// NewRecentMin returns an empty window.
func NewRecentMin() recentMin { return newRecentMin(window90k) }

func (m *recentMin) Add(at90k, v int64) { m.add(at90k, v) }
func (m *recentMin) Value() int64       { return m.value() }
