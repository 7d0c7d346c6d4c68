package nal

import (
	"math"
	"slices"
)

// An Order tells when pictures are decoded by what they say of their order.
type Order interface {
	// Extract returns the DTS of an access unit that is to be shown at pts, or an error where it cannot follow.
	Extract(accessUnit [][]byte, pts int64) (int64, error)
}

// Reordering is the Order of streams that say how many pictures may come before one that is shown before them. A picture is
// decoded when the earliest is shown of those that came and were not shown yet, as long as more than so many wait.
type Reordering struct {
	Depth   int
	waiting []int64 // when those are shown, in order
	last    int64   // what Extract returned last
	started bool
}

// late says that a picture is to be shown so long before it can be decoded. Where that is by about a picture, the stream says too
// small a Depth.
func (r *Reordering) late(by int64) {
	if by > ticksASecond/100 && by < ticksASecond && r.Depth < mostReordered {
		r.Depth++
	}
}

// Extract implements Order.
func (r *Reordering) Extract(_ [][]byte, pts int64) (int64, error) {
	at, _ := slices.BinarySearch(r.waiting, pts)
	r.waiting = slices.Insert(r.waiting, at, pts)
	switch {
	case len(r.waiting) > r.Depth:
		r.last = max(r.waiting[0], r.last+1)
		r.waiting = slices.Delete(r.waiting, 0, 1)
	case r.started:
		r.last += startingDecode
	}
	if !r.started {
		r.started, r.last = true, pts
	}
	return r.last, nil
}

// ticksASecond is the rate of the clock of pictures.
const ticksASecond = 90000

// mostReordered is the most that H.264 and H.265 allow.
const mostReordered = 16

// startingDecode is how much time the first pictures of a stream take to decode, until it is known when they are shown.
const startingDecode = 90

// DecodeTimes finds when each access unit is to be decoded: in the order in which they come, none later than it is to be
// shown. Where pictures are sent in the order in which they are shown, that is when they are shown; where there are
// B-frames, it takes the picture order count (ITU-T H.264 8.2.1).
//
// Where the count cannot be followed (fields, the rare pic_order_cnt_type 1, pictures that were lost), each access unit
// takes an eighth of the time from the one before it to when it is to be shown. That settles about seven pictures behind,
// more than B-frames ever need.
type DecodeTimes struct {
	order         Order // nil where it is not in step with the stream
	RestartAtSync bool  // order is unset, or may have been misled

	started bool
	last    int64 // what Next returned last
}

// NewDecodeTimes returns what finds the times of a stream from its first sync sample on.
func NewDecodeTimes() DecodeTimes { return DecodeTimes{RestartAtSync: true} }

// Started reports whether Next was called.
func (d *DecodeTimes) Started() bool { return d.started }

// Restart has Next go by the order that begins with the next access unit, which is a sync sample; nil where pictures do not say it.
func (d *DecodeTimes) Restart(order Order) { d.order, d.RestartAtSync = order, false }

// Next returns the DTS of an access unit that is to be shown at pts, which is greater than the one before, and when the access
// unit is shown: at pts, unless that is before it can be decoded. Cameras repeat timestamps, and step back by some; such a
// picture follows one tick after the one before it.
func (d *DecodeTimes) Next(nalus [][]byte, pts int64) (dts, shown int64) {
	if d.started && pts <= d.last {
		if r, ok := d.order.(*Reordering); ok {
			r.late(d.last - pts)
		}
		pts = d.last + 1
	}
	dts = pts
	if d.started {
		dts = d.last + (pts-d.last)/8
	}
	if d.order != nil {
		x, err := d.order.Extract(nalus, pts)
		if err == nil {
			dts = x
		} else {
			d.order, d.RestartAtSync = nil, true
		}
	}
	dts = max(dts, pts-math.MaxInt32) // the distance is stored in 32 bits
	if d.started {
		dts = max(dts, d.last+1)
	}
	d.started, d.last = true, min(dts, pts)
	return d.last, pts
}
