package recorder

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/bluenviron/mediacommon/v2/pkg/bits"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"nvrfs/media"
	"nvrfs/mp4"
)

// avcTrack turns the access units of an H.264 stream into samples. The zero value is ready to use.
//
// Parameter sets belong in the sample entry and not in the samples (ISO/IEC 14496-15 5.4.2), so they are taken out of
// the access units. They may change at any of them, but the sample entry only at an IDR picture, where a reader can start
// anew: sets that change in between stay in their sample, where decoders find them, until the next IDR picture.
type avcTrack struct {
	sps []byte
	pps map[uint32][]byte // by pic_parameter_set_id

	stale bool              // sps or pps changed since entry was made
	entry media.SampleEntry // Box is nil until an IDR picture came and both kinds of set are known
	times decodeTimes
}

// accessUnit returns the sample of an access unit that is to be shown at pts, in 90 kHz ticks, and whether t.entry changed
// for it. There is none before the first IDR picture with known parameter sets, nor for an access unit without slices.
func (t *avcTrack) accessUnit(au [][]byte, pts int64) (s *media.Sample, changed bool, err error) {
	idr := hasIDR(au)
	nalus, picture := t.strip(au, idr)
	if !picture {
		return nil, false, nil
	}
	if idr && t.stale {
		if changed, err = t.renewEntry(); err != nil {
			return nil, false, err
		}
	}
	if t.entry.Box == nil {
		return nil, false, nil
	}
	inOrder := nalus // what tells the order of pictures: the slices, and the SPS to read them by
	if idr {
		inOrder = append([][]byte{t.sps}, nalus...)
	}
	dts, err := t.times.next(inOrder, idr, pts)
	if err != nil {
		return nil, false, err
	}
	data, err := h264.AVCC(nalus).Marshal()
	if err != nil {
		return nil, false, fmt.Errorf("store an access unit of %d NAL units: %w", len(nalus), err)
	}
	return &media.Sample{DTS: dts, CTS: int32(pts - dts), Sync: idr, Data: data}, changed, nil
}

func naluType(nalu []byte) h264.NALUType { return h264.NALUType(nalu[0] & 0x1f) }

func hasIDR(au [][]byte) bool {
	return slices.ContainsFunc(au, func(n []byte) bool { return len(n) > 0 && naluType(n) == h264.NALUTypeIDR })
}

// strip learns the parameter sets of an access unit and returns the NAL units that its sample keeps, and whether a slice
// of a picture is among them.
func (t *avcTrack) strip(au [][]byte, idr bool) (kept [][]byte, picture bool) {
	for _, nalu := range au {
		if len(nalu) == 0 {
			continue
		}
		switch naluType(nalu) {
		case h264.NALUTypeAccessUnitDelimiter, h264.NALUTypeFillerData:
			continue
		case h264.NALUTypeSPS, h264.NALUTypePPS:
			if changed := t.learn(nalu); idr || !changed {
				continue
			}
		case h264.NALUTypeNonIDR, h264.NALUTypeDataPartitionA, h264.NALUTypeIDR:
			picture = true
		}
		kept = append(kept, nalu)
	}
	return kept, picture
}

// learn keeps a parameter set and reports whether it says something new. It ignores what is longer than a sample entry takes
// (ISO/IEC 14496-15 5.3.3.1.2), so that no camera fills the memory with sets.
func (t *avcTrack) learn(set []byte) bool {
	if len(set) > math.MaxUint16 {
		return false
	}
	if naluType(set) == h264.NALUTypeSPS {
		if bytes.Equal(set, t.sps) {
			return false
		}
		t.sps, t.stale = bytes.Clone(set), true
		return true
	}
	pos := 0
	id, err := bits.ReadGolombUnsigned(set[1:], &pos)
	if err != nil || id > math.MaxUint8 || bytes.Equal(set, t.pps[id]) {
		return false
	}
	if t.pps == nil {
		t.pps = make(map[uint32][]byte)
	}
	t.pps[id], t.stale = bytes.Clone(set), true
	return true
}

// renewEntry makes the sample entry of the parameter sets known, and reports whether it differs from the one before. It
// does nothing while a kind of set is missing.
func (t *avcTrack) renewEntry() (changed bool, err error) {
	if t.sps == nil || len(t.pps) == 0 {
		return false, nil
	}
	var pps [][]byte
	for _, id := range slices.Sorted(maps.Keys(t.pps)) {
		pps = append(pps, t.pps[id])
	}
	entry, err := mp4.NewAVC(t.sps, pps...)
	if err != nil {
		return false, fmt.Errorf("the camera's H.264 parameter sets cannot be stored: %w", err)
	}
	t.stale = false
	if bytes.Equal(entry.Box, t.entry.Box) {
		return false, nil
	}
	t.entry = entry
	t.times.restartAtIDR = true
	return true, nil
}

// decodeTimes finds when each access unit is to be decoded: in the order in which they come, none later than it is to be
// shown. Where pictures are sent in the order in which they are shown, that is when they are shown; where there are
// B-frames, it takes the picture order count (ITU-T H.264 8.2.1).
//
// Where the count cannot be followed (fields, the rare pic_order_cnt_type 1, pictures that were lost), each access unit
// takes an eighth of the time from the one before it to when it is to be shown. That settles about seven pictures behind,
// more than B-frames ever need.
type decodeTimes struct {
	order        h264.DTSExtractor
	followed     bool // order is in step with the stream
	restartAtIDR bool // order is unset, or may have been misled

	started bool
	last    int64 // what next returned last
}

// next returns the DTS of an access unit that is to be shown at pts: at most pts, and greater than the one before. It
// fails when pts is too early for that. The SPS comes before the other NAL units of an IDR picture.
func (d *decodeTimes) next(nalus [][]byte, idr bool, pts int64) (int64, error) {
	if d.started && pts <= d.last {
		return 0, fmt.Errorf("the camera's video timestamps went back: a picture is to be shown at %d, but the one before it is decoded at %d (90 kHz)", pts, d.last)
	}
	if idr && d.restartAtIDR {
		d.restart(nalus)
	}
	dts := pts
	if d.started {
		dts = d.last + (pts-d.last)/8
	}
	if d.followed {
		x, err := d.order.Extract(nalus, pts)
		if err == nil {
			dts = x
		}
		d.followed, d.restartAtIDR = err == nil, d.restartAtIDR || err != nil
	}
	dts = max(dts, pts-math.MaxInt32) // the distance is stored in 32 bits
	if d.started {
		dts = max(dts, d.last+1)
	}
	d.started, d.last = true, min(dts, pts)
	return d.last, nil
}

// restart forgets what was learnt about the order of pictures.
func (d *decodeTimes) restart(nalus [][]byte) {
	var sps h264.SPS
	err := sps.Unmarshal(nalus[0])
	d.order = h264.DTSExtractor{}
	d.order.Initialize()
	d.followed = err == nil && (sps.PicOrderCntType == 2 || sps.PicOrderCntType == 0 && sps.FrameMbsOnlyFlag)
	d.restartAtIDR = false
}
