package nal

import "github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

// Types of NAL units of H.264 (ITU-T H.264 Table 7-1, RFC 6184 Table 1).
const (
	h264Slice, h264PartitionA  = 1, 2
	h264IDR                    = kindIDR
	h264SEI, H264SPS, H264PPS  = 6, 7, 8
	h264Delimiter              = 9
	h264Filler                 = 12
	h264Prefix, h264Reserved18 = 14, 18 // these stand before the slices of a picture
	h264STAPA, h264STAPB       = 24, 25
	h264MTAP16, h264MTAP24     = 26, 27
	h264FUA, h264FUB           = 28, 29
)

const (
	h264MostSPS = 31 // the greatest ids
	h264MostPPS = 255

	h264ForbiddenBit  = 0x80
	h264FragmentStart = 0x80
	h264FragmentEnd   = 0x40
)

func h264Type(unit []byte) uint8 { return unit[0] & 0x1f }

// H264 reads NAL units of H.264 (ITU-T H.264), which RTP carries by RFC 6184.
type H264 struct{ sets Sets }

// NewH264 returns a reader that knows no sets.
func NewH264() *H264 { return new(H264) }

// Known implements Reader.
func (r *H264) Known() *Sets { return &r.sets }

// unpack implements RFC 6184 5.6 to 5.8.
func (r *H264) unpack(n *packets, p []byte) error {
	switch h264Type(p) {
	case h264STAPA:
		return n.aggregate(p[1:], 0, 0, 0)
	case h264STAPB:
		return n.aggregate(p[min(3, len(p)):], 0, 0, 0)
	case h264MTAP16:
		return n.aggregate(p[min(3, len(p)):], 0, 3, 2)
	case h264MTAP24:
		return n.aggregate(p[min(3, len(p)):], 0, 4, 3)
	case h264FUA, h264FUB:
		if len(p) < 2 {
			return errShortUnit
		}
		header := []byte{p[0]&^0x1f | p[1]&0x1f}
		rest := p[2:]
		if h264Type(p) == h264FUB { // the decoding order number
			rest = rest[min(2, len(rest)):]
		}
		return n.fragment(header, rest, p[1]&h264FragmentStart != 0, p[1]&h264FragmentEnd != 0)
	}
	return n.unit(p, 0)
}

// Class implements Reader.
func (r *H264) Class(unit []byte) Class {
	t := h264Type(unit)
	if unit[0]&h264ForbiddenBit != 0 {
		if t >= h264Slice && t <= h264IDR {
			return Broken
		}
		return Ignored
	}
	switch {
	case t == H264SPS, t == H264PPS:
		return Set
	case t == 0, t == h264Delimiter, t == h264Filler, t >= h264STAPA, len(unit) < 2 && t <= h264IDR:
		return Ignored
	case t == h264Slice, t == h264PartitionA, t == h264IDR:
		return Slice
	case t == h264SEI, t >= h264Prefix && t <= h264Reserved18:
		return Leading
	}
	return Trailing
}

// Learn implements Reader.
func (r *H264) Learn(set []byte) {
	b := bitReader{rest: set[1:]}
	if h264Type(set) == H264SPS {
		b.skip(24)
	}
	key := setKey{h264Type(set), b.ue()}
	if b.short || r.sets.has(key, set) {
		return
	}
	if key.kind == H264SPS {
		if s, err := ParseH264SPS(set); err == nil {
			r.sets.keep(key, set, s)
		}
		return
	}
	if p, ok := parseH264PPS(&b); ok && key.id <= h264MostPPS {
		r.sets.keep(key, set, p)
	}
}

// h264PictureSet is what slices must know of a picture parameter set.
type h264PictureSet struct {
	sps          uint32
	bottomOrder  bool // bottom_field_pic_order_in_frame_present_flag
	hasRedundant bool // redundant_pic_cnt_present_flag
}

// parseH264PPS reads a picture parameter set behind its id (ITU-T H.264 7.3.2.2).
func parseH264PPS(b *bitReader) (p h264PictureSet, ok bool) {
	p.sps = b.ue()
	b.skip(1) // entropy_coding_mode_flag
	p.bottomOrder = b.flag()
	if b.short || p.sps > h264MostSPS {
		return p, false
	}
	if b.ue() > 0 { // slice groups, which no camera has; they go with redundant slices, and stand in the way
		return p, true
	}
	b.ue()
	b.ue()
	b.skip(3)
	b.se()
	b.se()
	b.se()
	b.skip(2)
	p.hasRedundant = b.flag()
	return p, true
}

// slice implements Reader, by ITU-T H.264 7.3.3.
func (r *H264) slice(unit []byte) slice {
	b := bitReader{rest: unit[1:]}
	s := slice{first: b.ue() == 0}
	kind := b.ue() % 5
	s.intra = kind == 2 || kind == 4
	if h264Type(unit) == h264IDR {
		s.of.kind = kindIDR
	}
	id := b.ue()
	p, ok := r.sets.sets[setKey{H264PPS, id}].parsed.(h264PictureSet)
	if !ok {
		s.missing = setName("PPS", id)
		return s
	}
	s.sps = p.sps
	sps, ok := r.sets.sets[setKey{H264SPS, p.sps}].parsed.(*h264.SPS)
	if !ok {
		s.missing = setName("SPS", p.sps)
		return s
	}
	r.key(&b, &s, sps, &p)
	return s
}

// key reads what a slice says of its picture.
func (r *H264) key(b *bitReader, s *slice, sps *h264.SPS, p *h264PictureSet) {
	if sps.SeparateColourPlaneFlag {
		s.first = b.u(2) == 0 && s.first
	}
	k := &s.of
	k.frame = b.u(int(sps.Log2MaxFrameNumMinus4) + 4)
	if !sps.FrameMbsOnlyFlag && b.flag() {
		k.field = 1 + uint8(b.u(1))
	}
	if k.kind == kindIDR {
		k.idr = b.ue()
	}
	both := p.bottomOrder && k.field == 0
	switch {
	case sps.PicOrderCntType == 0:
		k.order = b.u(int(sps.Log2MaxPicOrderCntLsbMinus4) + 4)
		if both {
			k.orderDiff[0] = b.se()
		}
	case sps.PicOrderCntType == 1 && !sps.DeltaPicOrderAlwaysZeroFlag:
		k.orderDiff[0] = b.se()
		if both {
			k.orderDiff[1] = b.se()
		}
	}
	k.known = !b.short
	s.redundant = p.hasRedundant && b.ue() > 0
}

// Examine implements Reader.
func (r *H264) Examine(parts [][]byte) Picture {
	p := Picture{Leading: true}
	intra, idr := true, false
	recovers, atOnce := false, false
	for _, unit := range parts {
		if len(unit) == 0 {
			continue
		}
		switch r.Class(unit) {
		case Set:
			r.Learn(unit)
		case Leading:
			if h264Type(unit) == h264SEI && !recovers {
				recovers, atOnce = recoveryPoint(&bitReader{rest: unit[1:]})
			}
		case Slice:
			s := r.slice(unit)
			if p.Slices++; p.Slices == 1 {
				p.First, p.SPS = unit, s.sps
			}
			if p.Missing == "" {
				p.Missing = s.missing
			}
			intra, idr = intra && s.intra, idr || s.of.kind == kindIDR
		}
	}
	p.Start = startOf(idr, recovers, atOnce, intra)
	return p
}

// Sets returns the parameter sets of a sample entry for pictures of a sequence parameter set, which comes first. They have no picture
// parameter sets without the sequence parameter set to which these refer, because decoders refuse them.
func (r *H264) Sets(first uint32) (sps, pps [][]byte) {
	return r.sets.list(H264SPS, first, nil), r.sets.list(H264PPS, 0, func(s parameterSet) bool {
		_, known := r.sets.sets[setKey{H264SPS, s.parsed.(h264PictureSet).sps}]
		return known
	})
}

// Sequence returns a sequence parameter set, and its NAL unit; nil where it is not known.
func (r *H264) Sequence(id uint32) (*h264.SPS, []byte) {
	set := r.sets.sets[setKey{H264SPS, id}]
	s, _ := set.parsed.(*h264.SPS)
	return s, set.data
}
