package mp4check

import (
	"bytes"
	"errors"
	"slices"
)

// hvcC checks an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 8.3.3.1).
func (c *checker) hvcC(t *Track, e *Entry, b box) {
	e.nal = h265()
	f := &fields{b: b.body}
	c.require(f.u8() == 1, RuleConfigVersion, "%s: hvcC is not of version 1", t.name())
	profile := f.bytes(12) // from general_profile_space to general_level_idc
	f.skip(8)              // segmentation, parallelism, chroma, bit depths, frame rate
	c.require(f.u8()&3 == 3, RuleConfigLength, "%s: hvcC has no NAL lengths of 4 bytes", t.name())
	sets := make(map[uint8][][]byte) // by NAL type
	for range f.u8() {
		kind := f.u8() & 0x3f
		sets[kind] = append(sets[kind], f.nals(int(f.u16()))...)
	}
	vps, sps, pps := sets[32], sets[33], sets[34]
	if !c.require(!f.short && len(vps) > 0 && len(sps) > 0 && len(pps) > 0, RuleConfigParams,
		"%s: hvcC holds %d VPS, %d SPS, %d PPS, and may be cut short", t.name(), len(vps), len(sps), len(pps)) {
		return
	}
	if e.Type == "hvc1" {
		e.nal.sets = slices.Concat(vps, sps, pps)
	}
	width, height, general, err := parseHEVCSPS(sps[0])
	if c.require(err == nil, RuleConfigParams, "%s: hvcC: SPS: %v", t.name(), err) {
		c.spsSize(t, e, width, height)
		c.require(bytes.Equal(general, profile), RuleConfigProfile,
			"%s: hvcC says profile to level %x, its SPS says %x", t.name(), profile, general)
	}
}

// parseHEVCSPS returns the dimensions of the cropped picture in pixels, and the
// 12 bytes from general_profile_space to general_level_idc (ITU-T H.265
// 7.3.2.2.1, 7.3.3).
func parseHEVCSPS(nal []byte) (width, height int, general []byte, err error) {
	if len(nal) < 2 || nal[0]>>1&0x3f != 33 {
		return 0, 0, nil, errors.New("the NAL unit is no SPS")
	}
	rbsp := unescape(nal[2:])
	if len(rbsp) < 13 {
		return 0, 0, nil, errors.New("the SPS is cut short")
	}
	r := &bitReader{b: rbsp}
	r.skip(4) // sps_video_parameter_set_id
	subLayers := int(r.bits(3))
	r.skip(1 + 12*8) // temporal nesting, general profile, tier and level
	r.subLayers(subLayers)
	r.ue() // sps_seq_parameter_set_id
	chroma := r.ue()
	if chroma == 3 && r.bit() == 1 { // separate_colour_plane_flag
		chroma = 0
	}
	unitX, unitY := chromaUnits(chroma)
	lumaWidth, lumaHeight := r.ue(), r.ue()
	width, height, err = r.cropped(lumaWidth, lumaHeight, unitX, unitY)
	return width, height, rbsp[1:13], err
}

// subLayers skips the profiles and levels of n lower temporal layers (7.3.3).
func (r *bitReader) subLayers(n int) {
	if n == 0 {
		return
	}
	flags := make([]uint, n) // sub_layer_profile_present_flag, sub_layer_level_present_flag
	for i := range flags {
		flags[i] = r.bits(2)
	}
	r.skip(2 * (8 - n)) // reserved
	for _, f := range flags {
		r.skip(int(f>>1)*88 + int(f&1)*8)
	}
}
