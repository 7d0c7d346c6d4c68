package nal

// Types of NAL units of H.265 (ITU-T H.265 Table 7-1, RFC 7798 4.4).
const (
	h265RADLN, h265RASLR      = 6, 9 // leading pictures
	h265BLAWLP, h265BLANLP    = 16, 18
	h265IDRNLP                = 20
	h265CRA, h265LastIRAP     = 21, 23
	h265LastSlice             = 31
	H265VPS, H265SPS, H265PPS = 32, 33, 34
	h265Delimiter             = 35
	h265EndOfSequence         = 36
	h265EndOfStream           = 37
	h265Filler                = 38
	h265PrefixSEI             = 39
	h265Reserved41            = 41 // these stand before the slices of a picture
	h265Reserved44            = 44
	h265Aggregation           = 48
	h265Fragment              = 49
	h265PACI                  = 50
)

const (
	h265MostSPS = 15 // the greatest ids
	h265MostPPS = 63

	h265FragmentStart = 0x80
	h265FragmentEnd   = 0x40
)

func h265Type(unit []byte) uint8 { return unit[0] >> 1 & 0x3f }

// H265 reads NAL units of H.265 (ITU-T H.265), which RTP carries by RFC 7798.
type H265 struct {
	sets     Sets
	numbered bool // packets have decoding order numbers (RFC 7798 7.1, sprop-max-don-diff)
}

// NewH265 returns a reader that knows no sets. The packets may have decoding order numbers.
func NewH265(numbered bool) *H265 { return &H265{numbered: numbered} }

// Known implements Reader.
func (r *H265) Known() *Sets { return &r.sets }

// unpack implements RFC 7798 4.4.
func (r *H265) unpack(n *packets, p []byte) error {
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
func (r *H265) unpackPACI(n *packets, p []byte) error {
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

// Class implements Reader.
func (r *H265) Class(unit []byte) Class {
	t := h265Type(unit)
	if len(unit) < 3 || unit[1]&7 == 0 || unit[0]&0x80 != 0 { // the last two: no temporal id, forbidden_zero_bit
		if t <= h265LastIRAP && unit[0]&0x80 != 0 {
			return Broken
		}
		if t == h265EndOfSequence || t == h265EndOfStream {
			return Trailing
		}
		return Ignored
	}
	layer := unit[0]&1<<5 | unit[1]>>3
	switch {
	case t <= h265RASLR && layer == 0, t >= h265BLAWLP && t <= h265CRA && layer == 0:
		return Slice
	case t <= h265LastSlice:
		return Trailing
	case t >= H265VPS && t <= H265PPS && layer == 0:
		return Set
	case t >= H265VPS && t <= H265PPS, t == h265PrefixSEI, t >= h265Reserved41 && t <= h265Reserved44:
		return Leading
	case t == h265Delimiter, t == h265Filler, t >= h265Aggregation:
		return Ignored
	}
	return Trailing
}

// Learn implements Reader.
func (r *H265) Learn(set []byte) {
	kind := h265Type(set)
	id, ok := h265SetID(set)
	key := setKey{kind, id}
	if !ok || r.sets.has(key, set) {
		return
	}
	switch kind {
	case H265VPS:
		r.sets.keep(key, set, nil)
	case H265SPS:
		if s, err := parseH265SPS(set); err == nil {
			r.sets.keep(key, set, s)
		}
	case H265PPS:
		if p, ok := parseH265PPS(set); ok {
			r.sets.keep(key, set, p)
		}
	}
}

// h265SetID reads the id of a parameter set.
func h265SetID(set []byte) (id uint32, ok bool) {
	b := bitReader{rest: set[2:]}
	switch h265Type(set) {
	case H265VPS:
		id = b.u(4)
	case H265SPS:
		b.skip(4)
		most := int(b.u(3))
		b.skip(1)
		new(H265Sequence).profileTierLevel(&b, most)
		id = b.ue()
	case H265PPS:
		id = b.ue()
	}
	return id, !b.short
}

// An h265PictureSet is what is of use in a picture parameter set (ITU-T H.265 7.3.2.3).
type h265PictureSet struct {
	sps       uint32
	dependent bool // dependent_slice_segments_enabled_flag
	extraBits int  // num_extra_slice_header_bits
	tiles     bool // tiles_enabled_flag
	wavefront bool // entropy_coding_sync_enabled_flag
}

func parseH265PPS(set []byte) (p h265PictureSet, ok bool) {
	b := bitReader{rest: set[2:]}
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

// slice implements Reader, by ITU-T H.265 7.3.6.1.
func (r *H265) slice(unit []byte) slice {
	t := h265Type(unit)
	b := bitReader{rest: unit[2:]}
	s := slice{first: b.flag(), of: pictureKey{kind: t}}
	if t >= h265BLAWLP && t <= h265LastIRAP {
		b.skip(1) // no_output_of_prior_pics_flag
	}
	id := b.ue()
	p, ok := r.sets.sets[setKey{H265PPS, id}].parsed.(h265PictureSet)
	if !ok {
		s.missing = setName("PPS", id)
		return s
	}
	s.sps = p.sps
	sps, ok := r.sets.sets[setKey{H265SPS, p.sps}].parsed.(*H265Sequence)
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

// Examine implements Reader.
func (r *H265) Examine(parts [][]byte) Picture {
	var p Picture
	intra, idr, open := true, false, false
	recovers, atOnce := false, false
	for _, unit := range parts {
		if len(unit) == 0 {
			continue
		}
		switch r.Class(unit) {
		case Set:
			r.Learn(unit)
		case Leading:
			if h265Type(unit) == h265PrefixSEI && !recovers {
				recovers, atOnce = recoveryPoint(&bitReader{rest: unit[2:]})
			}
		case Slice:
			s := r.slice(unit)
			if p.Slices++; p.Slices == 1 {
				p.First, p.SPS = unit, s.sps
				t := s.of.kind
				idr = t == h265IDRNLP || t == h265BLANLP
				open = t >= h265BLAWLP && t <= h265CRA
				// RASL pictures cannot be decoded where decoding starts, and RADL pictures have no time to be decoded there.
				p.Leading = t >= h265RADLN && t <= h265RASLR
			}
			if p.Missing == "" {
				p.Missing = s.missing
			}
			intra = intra && s.intra
		}
	}
	if s, _ := r.Sequence(p.SPS); p.Missing == "" && s != nil && !r.hasVPS(s.vps) {
		p.Missing = setName("VPS", s.vps)
	}
	p.Start = startOf(idr, recovers || open, atOnce || open, intra || open)
	return p
}

// Sets returns the parameter sets of a sample entry for pictures of a sequence parameter set, which comes first, and the video parameter
// set to which it refers. They have no sets without those to which these refer, because decoders refuse them.
func (r *H265) Sets(first uint32) (vps, sps, pps [][]byte) {
	whole := func(id uint32) bool {
		s, _ := r.Sequence(id)
		return s != nil && r.hasVPS(s.vps)
	}
	s, _ := r.Sequence(first)
	return r.sets.list(H265VPS, s.vps, nil),
		r.sets.list(H265SPS, first, func(s parameterSet) bool { return r.hasVPS(s.parsed.(*H265Sequence).vps) }),
		r.sets.list(H265PPS, 0, func(s parameterSet) bool { return whole(s.parsed.(h265PictureSet).sps) })
}

func (r *H265) hasVPS(id uint32) bool {
	_, ok := r.sets.sets[setKey{H265VPS, id}]
	return ok
}

// Sequence returns a sequence parameter set, and its NAL unit; nil where it is not known.
func (r *H265) Sequence(id uint32) (*H265Sequence, []byte) {
	set := r.sets.sets[setKey{H265SPS, id}]
	s, _ := set.parsed.(*H265Sequence)
	return s, set.data
}

// Parallelism is parallelismType of ISO/IEC 14496-15 8.3.3.1.3: how all pictures of a sequence can be decoded in parallel.
func (r *H265) Parallelism(sps uint32) uint8 {
	const mixed, slices, tiles, wavefronts = 0, 1, 2, 3
	kind := -1
	for _, s := range r.sets.sets {
		p, ok := s.parsed.(h265PictureSet)
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
