package rtpclock

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

// Near returns the PTS of a timestamp of near the newest one, and does not take it for the newest.
func (c *Clock) Near(timestamp uint32) (pts int64, ok bool) {
	return c.pts + int64(int32(timestamp-c.last)), c.running
}
