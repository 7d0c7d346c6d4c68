package rtpclock

import (
	"fmt"
	"time"

	"nvrfs/media"
)

// mostClockLeap is by how much an RTP clock may run ahead of the host's between two samples.
const mostClockLeap = 10 * time.Second

// A Clock extends the 32 bits of RTP timestamps, once started.
type Clock struct {
	running bool
	last    uint32
	pts     int64
}

// Start says which PTS a timestamp has.
func (c *Clock) Start(timestamp uint32, pts int64) {
	*c = Clock{running: true, last: timestamp, pts: pts}
}

// Extend returns the PTS of the next timestamp, in the order of packets. ok is false before Start.
func (c *Clock) Extend(timestamp uint32) (pts int64, ok bool) {
	c.pts += int64(int32(timestamp - c.last))
	c.last = timestamp
	return c.pts, c.running
}

// A LeapCheck notices an RTP clock that leaps forward, which would leave a hole in media time that no wall time fits.
type LeapCheck struct {
	dts      int64
	received time.Time
}

// Check returns an error where the clock of a track leapt before a sample.
func (l *LeapCheck) Check(track string, s *media.Sample, timescale uint32) error {
	if !l.received.IsZero() {
		passed := float64(s.DTS-l.dts) / float64(timescale)
		if passed-s.Received.Sub(l.received).Seconds() > mostClockLeap.Seconds() {
			return fmt.Errorf("the camera's %s clock leapt %.1f s ahead", track, passed)
		}
	}
	l.dts, l.received = s.DTS, s.Received
	return nil
}
