package camera

import (
	"time"

	"nvrfs/mp4/demux"
)

// timeline walks through the samples of a clip in the order in which they are
// sent: by decoding time, the tracks interleaved, lap after lap.
type timeline struct {
	clip    *Clip
	once    bool
	cursors []cursor
}

// cursor is where the timeline stands in one track.
type cursor struct {
	track *demux.Track
	index int // of the sample that comes next
	lap   int64
}

// event is a sample on its way.
type event struct {
	track *demux.Track
	index int
	due   time.Duration // when to send it: its decoding time on the clip's timeline
	pts   time.Duration // when to show it, on the same timeline
	rtp   int64         // its composition time on the track's RTP clock
}

func newTimeline(clip *Clip, once bool) *timeline {
	t := &timeline{clip: clip, once: once}
	for _, track := range clip.Tracks() {
		t.cursors = append(t.cursors, cursor{track: track})
	}
	return t
}

// next returns the event that comes next, or false after the last one.
func (t *timeline) next() (event, bool) {
	var first *cursor
	var firstDue time.Duration
	for i := range t.cursors {
		c := &t.cursors[i]
		if c.index == c.track.Len() {
			continue // only when playing once: step wraps otherwise
		}
		if due := t.due(c); first == nil || due < firstDue {
			first, firstDue = c, due
		}
	}
	if first == nil {
		return event{}, false
	}
	e := t.event(first)
	t.step(first)
	return e, true
}

func (t *timeline) step(c *cursor) {
	c.index++
	if c.index == c.track.Len() && !t.once {
		c.index = 0
		c.lap++
	}
}

func (t *timeline) due(c *cursor) time.Duration {
	return time.Duration(t.clip.lapStart(c.lap, uint32(time.Second)) + nanoseconds(c.track, c.track.Sample(c.index).DTS))
}

func (t *timeline) event(c *cursor) event {
	s := c.track.Sample(c.index)
	return event{
		track: c.track,
		index: c.index,
		due:   t.due(c),
		pts:   time.Duration(t.clip.lapStart(c.lap, uint32(time.Second)) + nanoseconds(c.track, s.PTS())),
		rtp:   t.clip.lapStart(c.lap, c.track.Entry.Timescale) + RTPTime(c.track, c.index),
	}
}
