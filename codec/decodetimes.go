package codec

import (
	"math"
	"slices"

	"nvrfs/media"
)

// A pictureOrder tells when pictures are decoded by what they say of their order.
type pictureOrder interface {
	// Extract returns the DTS of an access unit that is to be shown at pts, or an error where it cannot follow.
	Extract(accessUnit [][]byte, pts int64) (int64, error)
}

// reordering is the pictureOrder of streams that say how many pictures may come before one that is shown before them. A picture is
// decoded when the earliest is shown of those that came and were not shown yet, as long as more than so many wait.
type reordering struct {
	depth   int
	waiting []int64 // when those are shown, in order
	last    int64   // what Extract returned last
	started bool
}

// late says that a picture is to be shown so long before it can be decoded. Where that is by about a picture, the stream says too
// small a depth.
func (r *reordering) late(by int64) {
	if by > usualPicture/4 && by < media.VideoTimescale && r.depth < mostReordered {
		r.depth++
	}
}

// Extract implements pictureOrder.
func (r *reordering) Extract(_ [][]byte, pts int64) (int64, error) {
	at, _ := slices.BinarySearch(r.waiting, pts)
	r.waiting = slices.Insert(r.waiting, at, pts)
	switch {
	case len(r.waiting) > r.depth:
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

// mostReordered is the most that H.264 and H.265 allow.
const mostReordered = 16

// startingDecode is how much time the first pictures of a stream take to decode, until it is known when they are shown.
const startingDecode = 90

// decodeTimes finds when each access unit is to be decoded: in the order in which they come, none later than it is to be
// shown. Where pictures are sent in the order in which they are shown, that is when they are shown; where there are
// B-frames, it takes the picture order count (ITU-T H.264 8.2.1).
//
// Where the count cannot be followed (fields, the rare pic_order_cnt_type 1, pictures that were lost), each access unit
// takes an eighth of the time from the one before it to when it is to be shown. That settles about seven pictures behind,
// more than B-frames ever need.
type decodeTimes struct {
	order         pictureOrder // nil where it is not in step with the stream
	restartAtSync bool         // order is unset, or may have been misled

	started bool
	last    int64 // what next returned last
}

// restart has next go by the order that begins with the next access unit, which is a sync sample; nil where pictures do not say it.
func (d *decodeTimes) restart(order pictureOrder) { d.order, d.restartAtSync = order, false }

// next returns the DTS of an access unit that is to be shown at pts, which is greater than the one before, and when the access
// unit is shown: at pts, unless that is before it can be decoded. Cameras repeat timestamps, and step back by some; such a
// picture follows one tick after the one before it.
func (d *decodeTimes) next(nalus [][]byte, pts int64) (dts, shown int64) {
	if d.started && pts <= d.last {
		if r, ok := d.order.(*reordering); ok {
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
			d.order, d.restartAtSync = nil, true
		}
	}
	dts = max(dts, pts-math.MaxInt32) // the distance is stored in 32 bits
	if d.started {
		dts = max(dts, d.last+1)
	}
	d.started, d.last = true, min(dts, pts)
	return d.last, pts
}
