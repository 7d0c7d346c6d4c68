package recorder

import (
	"fmt"
	"time"

	"nvrfs/media"
)

// mostClockLeap is by how much an RTP clock may run ahead of the host's between two samples.
const mostClockLeap = 10 * time.Second

// rtpClock extends the 32 bits of RTP timestamps, once started.
type rtpClock struct {
	running bool
	last    uint32
	pts     int64
}

func (c *rtpClock) start(timestamp uint32, pts int64) {
	*c = rtpClock{running: true, last: timestamp, pts: pts}
}

func (c *rtpClock) extend(timestamp uint32) (pts int64, ok bool) {
	c.pts += int64(int32(timestamp - c.last))
	c.last = timestamp
	return c.pts, c.running
}

// leapCheck notices an RTP clock that leaps forward, which would leave a hole in media time that no wall time fits.
type leapCheck struct {
	dts      int64
	received time.Time
}

func (l *leapCheck) check(track string, s *media.Sample, timescale uint32) error {
	if !l.received.IsZero() {
		media := float64(s.DTS-l.dts) / float64(timescale)
		if media-s.Received.Sub(l.received).Seconds() > mostClockLeap.Seconds() {
			return fmt.Errorf("the camera's %s clock leapt %.1f s ahead", track, media)
		}
	}
	l.dts, l.received = s.DTS, s.Received
	return nil
}
