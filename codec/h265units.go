package codec

import (
	"nvrfs/media"
)

// Types of NAL units of H.265 (ITU-T H.265 Table 7-1, RFC 7798 4.4).
const (
	h265RASLN, h265RASLR      = 8, 9
	h265BLAWLP, h265BLANLP    = 16, 18
	h265IDRWRADL, h265IDRNLP  = 19, 20
	h265CRA, h265LastIRAP     = 21, 23
	h265LastSlice             = 31
	h265VPS, h265SPS, h265PPS = 32, 33, 34
	h265Delimiter             = 35
	h265EndOfSequence         = 36
	h265EndOfStream           = 37
	h265Filler                = 38
	h265PrefixSEI             = 39
	h265SuffixSEI             = 40
	h265Aggregation           = 48
	h265Fragment              = 49
	h265PACI                  = 50
	h265MostVPS, h265MostSPS  = 15, 15
	h265MostPPS               = 63
	h265FragmentStart         = 0x80
	h265FragmentEnd           = 0x40
)

func h265Type(unit []byte) uint8 { return unit[0] >> 1 & 0x3f }

// h265Reader reads NAL units of H.265.
type h265Reader struct {
	sets       parameterSets
	numbered   bool        // packets have decoding order numbers (RFC 7798 7.1, sprop-max-don-diff)
	reordering *reordering // nil before the first sync sample
}

func (r *h265Reader) known() *parameterSets { return &r.sets }

// unpack implements RFC 7798 4.4.
func (r *h265Reader) unpack(n *nalPackets, p []byte) error {
	number := 0
	if r.numbered {
		number = 2
	}
	if len(p) < 2+number {
		return errShortUnit
	}
	switch h265Type(p) {
	case h265Aggregation:
		return n.aggregate(p[2+number:], number/2, 0, 0) // all but the first have a difference of one byte
	case h265Fragment:
		if len(p) < 3 {
			return errShortUnit
		}
		start, rest := p[2]&h265FragmentStart != 0, p[3:]
		if start {
			rest = rest[min(number, len(rest)):]
		}
		return n.fragment([]byte{p[0]&^0x7e | p[2]&0x3f<<1, p[1]}, rest, start, p[2]&h265FragmentEnd != 0)
	case h265PACI:
		return r.unpackPACI(n, p)
	}
	if number == 0 {
		return n.unit(p, 0)
	}
	return n.unit(append(p[:2:2], p[2+number:]...), 0)
}

// unpackPACI implements RFC 7798 4.4.4: a packet of another type, with an extension behind its header.
func (r *h265Reader) unpackPACI(n *nalPackets, p []byte) error {
	if len(p) < 4 {
		return errShortUnit
	}
	fields := uint16(p[2])<<8 | uint16(p[3])
	kind, extension := uint8(fields>>9&0x3f), int(fields>>4&0x1f)
	if kind == h265PACI || len(p) < 4+extension {
		return errShortUnit
	}
	header := []byte{p[0]&1 | kind<<1 | p[2]&0x80, p[1]}
	return r.unpack(n, append(header, p[4+extension:]...))
}

// class implements nalReader.
func (r *h265Reader) class(unit []byte) nalClass {
	t := h265Type(unit)
	if len(unit) < 3 || unit[1]&7 == 0 || unit[0]&0x80 != 0 { // the last two: no temporal id, forbidden_zero_bit
		if t <= h265LastIRAP && unit[0]&0x80 != 0 {
			return nalBroken
		}
		if t == h265EndOfSequence || t == h265EndOfStream {
			return nalTrailing
		}
		return nalIgnored
	}
	layer := unit[0]&1<<5 | unit[1]>>3
	switch {
	case t <= h265RASLR && layer == 0, t >= h265BLAWLP && t <= h265CRA && layer == 0:
		return nalSlice
	case t <= h265LastSlice:
		return nalTrailing
	case t >= h265VPS && t <= h265PPS && layer == 0:
		return nalSet
	case t >= h265VPS && t <= h265PPS, t == h265PrefixSEI, t >= 41 && t <= 44:
		return nalLeading
	case t == h265Delimiter, t == h265Filler, t >= h265Aggregation:
		return nalIgnored
	}
	return nalTrailing
}

// learn implements nalReader.
func (r *h265Reader) learn(set []byte) {
	kind := h265Type(set)
	id, ok := h265SetID(set)
	key := setKey{kind, id}
	if !ok || r.sets.has(key, set) {
		return
	}
	switch kind {
	case h265VPS:
		r.sets.keep(key, set, nil)
	case h265SPS:
		if s, err := parseH265SPS(set); err == nil {
			r.sets.keep(key, set, s)
		}
	case h265PPS:
		if p, ok := parseH265PPS(set); ok {
			r.sets.keep(key, set, p)
		}
	}
}

// h265SetID reads the id of a parameter set.
func h265SetID(set []byte) (id uint32, ok bool) {
	b := nalBits{rest: set[2:]}
	switch h265Type(set) {
	case h265VPS:
		id = b.u(4)
	case h265SPS:
		b.skip(4)
		most := int(b.u(3))
		b.skip(1)
		new(h265Sequence).profileTierLevel(&b, most)
		id = b.ue()
	case h265PPS:
		id = b.ue()
	}
	return id, !b.short
}

// An h265Picture is what is of use in a picture parameter set (ITU-T H.265 7.3.2.3).
type h265Picture struct {
	sps       uint32
	dependent bool // dependent_slice_segments_enabled_flag
	extraBits int  // num_extra_slice_header_bits
	tiles     bool // tiles_enabled_flag
	wavefront bool // entropy_coding_sync_enabled_flag
}

func parseH265PPS(set []byte) (p h265Picture, ok bool) {
	b := nalBits{rest: set[2:]}
	id := b.ue()
	p.sps = b.ue()
	p.dependent = b.flag()
	b.skip(1)
	p.extraBits = int(b.u(3))
	b.skip(2)
	b.ue()
	b.ue()
	b.se()
	b.skip(2)
	if b.flag() { // cu_qp_delta_enabled_flag
		b.ue()
	}
	b.se()
	b.se()
	b.skip(4)
	p.tiles, p.wavefront = b.flag(), b.flag()
	return p, !b.short && id <= h265MostPPS && p.sps <= h265MostSPS
}

// slice implements nalReader, by ITU-T H.265 7.3.6.1.
func (r *h265Reader) slice(unit []byte) slice {
	t := h265Type(unit)
	b := nalBits{rest: unit[2:]}
	s := slice{first: b.flag(), of: pictureKey{kind: t}}
	if t >= h265BLAWLP && t <= h265LastIRAP {
		b.skip(1) // no_output_of_prior_pics_flag
	}
	id := b.ue()
	p, ok := r.sets.sets[setKey{h265PPS, id}].parsed.(h265Picture)
	if !ok {
		s.missing = setName("PPS", id)
		return s
	}
	s.sps = p.sps
	sps, ok := r.sets.sets[setKey{h265SPS, p.sps}].parsed.(*h265Sequence)
	if !ok {
		s.missing = setName("SPS", p.sps)
		return s
	}
	if !s.first {
		dependent := p.dependent && b.flag()
		b.skip(sps.addressBits)
		if s.intra = dependent; dependent { // it is as the slice before it
			return s
		}
	}
	b.skip(p.extraBits)
	s.intra = b.ue() == 2 && !b.short
	return s
}

// examine implements nalReader.
func (r *h265Reader) examine(parts [][]byte) picture {
	var p picture
	intra, idr, open := true, false, false
	recovers, atOnce := false, false
	for _, unit := range parts {
		if len(unit) == 0 {
			continue
		}
		switch r.class(unit) {
		case nalSet:
			r.learn(unit)
		case nalLeading:
			if h265Type(unit) == h265PrefixSEI && !recovers {
				recovers, atOnce = recoveryPoint(&nalBits{rest: unit[2:]})
			}
		case nalSlice:
			s := r.slice(unit)
			if p.slices++; p.slices == 1 {
				p.slice, p.sps = unit, s.sps
				t := s.of.kind
				idr = t == h265IDRWRADL || t == h265IDRNLP || t == h265BLANLP
				open = t >= h265BLAWLP && t <= h265CRA
				p.leading = t == h265RASLN || t == h265RASLR
			}
			if p.missing == "" {
				p.missing = s.missing
			}
			intra = intra && s.intra
		}
	}
	if p.missing == "" && len(r.sets.list(h265VPS, 0)) == 0 {
		p.missing = "VPS"
	}
	p.start = startOf(idr, recovers || open, atOnce || open, intra || open)
	return p
}

// awaits implements nalReader.
func (r *h265Reader) awaits() (picture, sets, do string) {
	return "IDR or CRA picture", "H.265 parameter sets (VPS, SPS and PPS)", "set its I-frame interval to a few seconds, and intra refresh off"
}

// entry implements nalReader.
func (r *h265Reader) entry(p *picture) (media.SampleEntry, error) {
	set := r.sets.sets[setKey{h265SPS, p.sps}]
	vps := uint32(set.data[2] >> 4)
	return h265Entry(set.parsed.(*h265Sequence), r.parallelism(p.sps),
		r.sets.list(h265VPS, vps), r.sets.list(h265SPS, p.sps), r.sets.list(h265PPS, 0)), nil
}

// parallelism is parallelismType of ISO/IEC 14496-15 8.3.3.1.3: how all pictures of a sequence can be decoded in parallel.
func (r *h265Reader) parallelism(sps uint32) uint8 {
	const mixed, slices, tiles, wavefronts = 0, 1, 2, 3
	kind := -1
	for _, s := range r.sets.sets {
		p, ok := s.parsed.(h265Picture)
		if !ok || p.sps != sps {
			continue
		}
		this := slices
		switch {
		case p.tiles && p.wavefront:
			this = mixed
		case p.tiles:
			this = tiles
		case p.wavefront:
			this = wavefronts
		}
		if kind >= 0 && kind != this {
			this = mixed
		}
		kind = this
	}
	return uint8(max(kind, mixed))
}

// order implements nalReader.
func (r *h265Reader) order(p *picture) (o pictureOrder, sets [][]byte, ok bool) {
	if p.missing != "" {
		return nil, nil, false
	}
	depth := int(r.sets.sets[setKey{h265SPS, p.sps}].parsed.(*h265Sequence).reordered)
	if r.reordering != nil && r.reordering.depth >= depth {
		return nil, nil, false // it is in step, whatever was lost
	}
	r.reordering = &reordering{depth: depth}
	return r.reordering, nil, true
}
