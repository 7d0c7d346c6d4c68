package codec

import "math"

// A pictureOrder tells when pictures are decoded by what they say of their order.
type pictureOrder interface {
	// Extract returns the DTS of an access unit that is to be shown at pts, or an error where it cannot follow.
	Extract(accessUnit [][]byte, pts int64) (int64, error)
}

// decodeTimes finds when each access unit is to be decoded: in the order in which they come, none later than it is to be
// shown. Where pictures are sent in the order in which they are shown, that is when they are shown; where there are
// B-frames, it takes the picture order count (ITU-T H.264 8.2.1).
//
// Where the count cannot be followed (fields, the rare pic_order_cnt_type 1, pictures that were lost), each access unit
// takes an eighth of the time from the one before it to when it is to be shown. That settles about seven pictures behind,
// more than B-frames ever need.
type decodeTimes struct {
	// orderOf returns what tells the order of the pictures from a sync sample on, or nil where they do not say it.
	orderOf func(accessUnit [][]byte) pictureOrder

	order         pictureOrder // nil where it is not in step with the stream
	restartAtSync bool         // order is unset, or may have been misled

	started bool
	last    int64 // what next returned last
}

// next returns the DTS of an access unit that is to be shown at pts, which is greater than the one before, and when the access
// unit is shown: at pts, unless that is before it can be decoded. Cameras repeat timestamps, and step back by some; such a
// picture follows one tick after the one before it. The SPS comes before the other NAL units of a sync sample.
func (d *decodeTimes) next(nalus [][]byte, sync bool, pts int64) (dts, shown int64) {
	if d.started {
		pts = max(pts, d.last+1)
	}
	if sync && d.restartAtSync {
		d.order, d.restartAtSync = d.orderOf(nalus), false
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
