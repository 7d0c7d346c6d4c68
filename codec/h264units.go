package codec

import (
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"nvrfs/media"
)

// The types of NAL units of H.264 that have names of their own here (ITU-T H.264 Table 7-1, RFC 6184 Table 1).
const (
	h264Slice, h264PartitionA, h264IDR          = 1, 2, 5
	h264SEI, h264SPS, h264PPS                   = 6, 7, 8
	h264Delimiter, h264EndOfSequence            = 9, 10
	h264EndOfStream, h264Filler                 = 11, 12
	h264Prefix, h264LastBefore                  = 14, 18
	h264STAPA, h264STAPB                        = 24, 25
	h264MTAP16, h264MTAP24                      = 26, 27
	h264FUA, h264FUB                            = 28, 29
	h264ForbiddenBit, h264ImportanceMask        = 0x80, 0x60
	h264FragmentStart, h264FragmentEnd          = 0x80, 0x40
	h264MostSPS                          uint32 = 31
	h264MostPPS                          uint32 = 255
)

func h264Type(unit []byte) uint8 { return unit[0] & 0x1f }

// h264Reader reads NAL units of H.264.
type h264Reader struct{ sets parameterSets }

func newH264Reader() nalReader { return new(h264Reader) }

func (r *h264Reader) known() *parameterSets { return &r.sets }

// unpack implements RFC 6184 5.6 to 5.8.
func (r *h264Reader) unpack(n *nalPackets, p []byte) error {
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

// class implements nalReader.
func (r *h264Reader) class(unit []byte) nalClass {
	t := h264Type(unit)
	if unit[0]&h264ForbiddenBit != 0 {
		if t >= h264Slice && t <= h264IDR {
			return nalBroken
		}
		return nalIgnored
	}
	switch {
	case t == h264SPS, t == h264PPS:
		return nalSet
	case t == 0, t == h264Delimiter, t == h264Filler, t >= h264STAPA, len(unit) < 2 && t <= h264IDR:
		return nalIgnored
	case t == h264Slice, t == h264PartitionA, t == h264IDR:
		return nalSlice
	case t == h264SEI, t >= h264Prefix && t <= h264LastBefore:
		return nalLeading
	}
	return nalTrailing
}

// learn implements nalReader.
func (r *h264Reader) learn(set []byte) {
	b := nalBits{rest: set[1:]}
	if h264Type(set) == h264SPS {
		b.skip(24)
	}
	key := setKey{h264Type(set), b.ue()}
	if b.short || r.sets.has(key, set) {
		return
	}
	if key.kind == h264SPS {
		if s, err := parseSPS(set); err == nil {
			r.sets.keep(key, set, s)
		}
		return
	}
	if p, ok := parseH264PPS(&b); ok && key.id <= h264MostPPS {
		r.sets.keep(key, set, p)
	}
}

// h264Picture is what slices must know of a picture parameter set.
type h264Picture struct {
	sps          uint32
	bottomOrder  bool // bottom_field_pic_order_in_frame_present_flag
	hasRedundant bool // redundant_pic_cnt_present_flag
}

// parseH264PPS reads a picture parameter set behind its id (ITU-T H.264 7.3.2.2).
func parseH264PPS(b *nalBits) (p h264Picture, ok bool) {
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

// slice implements nalReader, by ITU-T H.264 7.3.3.
func (r *h264Reader) slice(unit []byte) slice {
	b := nalBits{rest: unit[1:]}
	s := slice{first: b.ue() == 0}
	kind := b.ue() % 5
	s.intra = kind == 2 || kind == 4
	if h264Type(unit) == h264IDR {
		s.of.kind = nalKindIDR
	}
	id := b.ue()
	p, ok := r.sets.sets[setKey{h264PPS, id}].parsed.(h264Picture)
	if !ok {
		s.missing = setName("PPS", id)
		return s
	}
	s.sps = p.sps
	sps, ok := r.sets.sets[setKey{h264SPS, p.sps}].parsed.(*h264.SPS)
	if !ok {
		s.missing = setName("SPS", p.sps)
		return s
	}
	r.key(&b, &s, sps, &p)
	return s
}

// key reads what a slice says of its picture.
func (r *h264Reader) key(b *nalBits, s *slice, sps *h264.SPS, p *h264Picture) {
	if sps.SeparateColourPlaneFlag {
		s.first = b.u(2) == 0 && s.first
	}
	k := &s.of
	k.frame = b.u(int(sps.Log2MaxFrameNumMinus4) + 4)
	if !sps.FrameMbsOnlyFlag && b.flag() {
		k.field = 1 + uint8(b.u(1))
	}
	if k.kind == nalKindIDR {
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

// examine implements nalReader.
func (r *h264Reader) examine(parts [][]byte) picture {
	p := picture{leading: true}
	intra, idr := true, false
	recovers, atOnce := false, false
	for _, unit := range parts {
		if len(unit) == 0 {
			continue
		}
		switch r.class(unit) {
		case nalSet:
			r.learn(unit)
		case nalLeading:
			if h264Type(unit) == h264SEI && !recovers {
				recovers, atOnce = recoveryPoint(&nalBits{rest: unit[1:]})
			}
		case nalSlice:
			s := r.slice(unit)
			if p.slices++; p.slices == 1 {
				p.slice, p.sps = unit, s.sps
			}
			if p.missing == "" {
				p.missing = s.missing
			}
			intra, idr = intra && s.intra, idr || s.of.kind == nalKindIDR
		}
	}
	p.start = startOf(idr, recovers, atOnce, intra)
	return p
}

// entry implements nalReader.
func (r *h264Reader) entry(p *picture) (media.SampleEntry, error) {
	sps := r.sets.sets[setKey{h264SPS, p.sps}].parsed.(*h264.SPS) // no part of the picture is missing
	return h264Entry(sps, r.sets.list(h264SPS, p.sps), r.sets.list(h264PPS, 0)), nil
}

// order implements nalReader.
func (r *h264Reader) order(p *picture) (o pictureOrder, sets [][]byte, ok bool) {
	if p.start != startIDR {
		return nil, nil, false
	}
	set := r.sets.sets[setKey{h264SPS, p.sps}]
	sps := set.parsed.(*h264.SPS)
	if sps.PicOrderCntType != 2 && (sps.PicOrderCntType != 0 || !sps.FrameMbsOnlyFlag) {
		return nil, nil, true // the library cannot count them
	}
	e := new(h264.DTSExtractor)
	e.Initialize()
	return e, [][]byte{set.data}, true
}

// awaits implements nalReader.
func (r *h264Reader) awaits() (picture, sets, do string) {
	return "IDR picture", "H.264 parameter sets (SPS and PPS)",
		"set its I-frame interval to a few seconds, and intra refresh and open GOPs off"
}
