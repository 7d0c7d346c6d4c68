package nal

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// An H265Sequence is what is of use in a sequence parameter set of H.265 (ITU-T H.265 7.3.2.2).
type H265Sequence struct {
	vps           uint32
	Profile       [12]byte // from general_profile_space to general_level_idc
	SubLayers     uint8
	Nested        bool // sps_temporal_id_nesting_flag
	Chroma        uint32
	separate      bool   // separate_colour_plane_flag
	Width, Height uint16 // that are to be shown
	LumaDepth     uint32 // above 8
	ChromaDepth   uint32
	orderBits     int    // of slice_pic_order_cnt_lsb
	Reordered     uint32 // how many pictures can come before one that is shown before them (sps_max_num_reorder_pics)
	addressBits   int    // of slice_segment_address
	VUI           H265VUI
}

// An H265VUI is what a sequence says of how it is to be shown (ITU-T H.265 E.2.1).
type H265VUI struct {
	HasColour       bool
	Colour          [3]uint8 // primaries, transfer, matrix
	FullRange       bool
	Aspect          uint8 // aspect_ratio_idc
	AspectRatio     [2]uint16
	MinSegmentation uint32 // min_spatial_segmentation_idc
}

// extendedSAR is the aspect_ratio_idc of a ratio that is spelled out.
const extendedSAR = 255

var errH265SPS = errors.New("SPS: it is cut short, or has values that are not allowed")

// parseH265SPS reads a sequence parameter set, and refuses what ITU-T H.265 7.4.3.2.1 does not allow, as far as readers of slices
// would stumble over it.
func parseH265SPS(set []byte) (*H265Sequence, error) {
	b := &bitReader{rest: set[2:]}
	s := new(H265Sequence)
	s.vps = b.u(4)
	most := int(b.u(3)) // sps_max_sub_layers_minus1
	s.SubLayers, s.Nested = uint8(most)+1, b.flag()
	s.profileTierLevel(b, most)
	id := b.ue()
	width, height, err := s.size(b)
	if err != nil {
		return nil, err
	}
	s.LumaDepth, s.ChromaDepth = b.ue(), b.ue()
	order := b.ue()
	layers := 1
	if b.flag() { // sps_sub_layer_ordering_info_present_flag
		layers = most + 1
	}
	for range layers { // the last is the one of all layers
		b.ue()
		s.Reordered = b.ue()
		b.ue()
	}
	smallest, more := b.ue(), b.ue()
	if b.short || id > h265MostSPS || most > 6 || s.LumaDepth > 8 || s.ChromaDepth > 8 || order > 12 || s.Reordered > 15 || smallest > 3 || more > 3 {
		return nil, errH265SPS
	}
	s.orderBits = int(order) + 4
	block := 3 + smallest + more // log2 of the size of a coding tree block
	blocks := (uint64(width) + 1<<block - 1) >> block * ((uint64(height) + 1<<block - 1) >> block)
	s.addressBits = bits.Len64(blocks - 1)
	if !s.skipTools(b) {
		return nil, errH265SPS
	}
	if b.flag() {
		// The set is good without it.
		if v := readH265VUI(b, most); !b.short {
			s.VUI = v
		}
	}
	return s, nil
}

// profileTierLevel reads ITU-T H.265 7.3.3.
func (s *H265Sequence) profileTierLevel(b *bitReader, most int) {
	for i := range s.Profile {
		s.Profile[i] = byte(b.u(8))
	}
	if most == 0 {
		return
	}
	flags := b.u(16) // two for each of 8 layers
	for i := range most {
		if flags>>(15-2*i)&1 != 0 {
			b.skip(88)
		}
		if flags>>(14-2*i)&1 != 0 {
			b.skip(8)
		}
	}
}

// size reads the sizes of the coded pictures, which it returns, and of those that are to be shown.
func (s *H265Sequence) size(b *bitReader) (width, height uint32, err error) {
	if s.Chroma = b.ue(); s.Chroma == 3 {
		s.separate = b.flag()
	}
	width, height = b.ue(), b.ue()
	unitX, unitY := int64(1), int64(1) // ITU-T H.265 Table 6-1
	if s.Chroma == 1 || s.Chroma == 2 {
		unitX = 2
	}
	if s.Chroma == 1 {
		unitY = 2
	}
	w, h := int64(width), int64(height)
	if b.flag() { // conformance_window_flag
		w -= unitX * (int64(b.ue()) + int64(b.ue()))
		h -= unitY * (int64(b.ue()) + int64(b.ue()))
	}
	if s.Chroma > 3 || w < 1 || h < 1 || w > math.MaxUint16 || h > math.MaxUint16 {
		return 0, 0, fmt.Errorf("SPS: a picture of %dx%d pixels cannot be stored", w, h)
	}
	s.Width, s.Height = uint16(w), uint16(h)
	return width, height, nil
}

// skipTools reads what stands between the sizes of the blocks and the VUI. It reports whether that is whole.
func (s *H265Sequence) skipTools(b *bitReader) bool {
	for range 4 {
		b.ue()
	}
	if b.flag() { // scaling_list_enabled_flag
		if b.flag() { // sps_scaling_list_data_present_flag
			skipScalingLists(b)
		}
	}
	b.skip(2)
	if b.flag() { // pcm_enabled_flag
		b.skip(8)
		b.ue()
		b.ue()
		b.skip(1)
	}
	sets := b.ue()
	if sets > 64 || !skipShortRefs(b, int(sets)) {
		return false
	}
	if b.flag() { // long_term_ref_pics_present_flag
		long := b.ue()
		if long > 32 {
			return false
		}
		b.skip(int(long) * (s.orderBits + 1))
	}
	b.skip(2)
	return !b.short
}

// skipScalingLists reads ITU-T H.265 7.3.4.
func skipScalingLists(b *bitReader) {
	for size := range 4 {
		step := 1
		if size == 3 {
			step = 3
		}
		for matrix := 0; matrix < 6 && !b.short; matrix += step {
			if !b.flag() { // scaling_list_pred_mode_flag
				b.ue()
				continue
			}
			if size > 1 {
				b.se()
			}
			for range min(64, 1<<(4+2*size)) {
				b.se()
			}
		}
	}
}

// skipShortRefs reads the short-term reference picture sets of a sequence (ITU-T H.265 7.3.7).
func skipShortRefs(b *bitReader, sets int) bool {
	pictures := 0 // of the set before
	for i := range sets {
		if i > 0 && b.flag() { // inter_ref_pic_set_prediction_flag
			b.skip(1)
			b.ue()
			kept := 0
			for range pictures + 1 {
				used := b.flag()      // used_by_curr_pic_flag
				if used || b.flag() { // use_delta_flag
					kept++
				}
			}
			pictures = kept
			continue
		}
		before, behind := b.ue(), b.ue()
		if b.short || before > 16 || behind > 16 {
			return false
		}
		pictures = int(before + behind)
		for range pictures {
			b.ue()
			b.skip(1)
		}
	}
	return !b.short
}

// readH265VUI reads ITU-T H.265 E.2.1.
func readH265VUI(b *bitReader, most int) (v H265VUI) {
	if b.flag() {
		if v.Aspect = uint8(b.u(8)); v.Aspect == extendedSAR {
			v.AspectRatio = [2]uint16{uint16(b.u(16)), uint16(b.u(16))}
		}
	}
	if b.flag() { // overscan_info_present_flag
		b.skip(1)
	}
	if b.flag() { // video_signal_type_present_flag
		b.skip(3)
		v.FullRange = b.flag()
		if v.HasColour = b.flag(); v.HasColour {
			v.Colour = [3]uint8{uint8(b.u(8)), uint8(b.u(8)), uint8(b.u(8))}
		}
	}
	if b.flag() { // chroma_loc_info_present_flag
		b.ue()
		b.ue()
	}
	b.skip(3)
	if b.flag() { // default_display_window_flag
		for range 4 {
			b.ue()
		}
	}
	if b.flag() { // vui_timing_info_present_flag
		b.skip(64)
		if b.flag() {
			b.ue()
		}
		if b.flag() {
			skipHRD(b, most)
		}
	}
	if b.flag() { // bitstream_restriction_flag
		b.skip(3)
		v.MinSegmentation = b.ue()
	}
	return v
}

// skipHRD reads ITU-T H.265 E.2.2.
func skipHRD(b *bitReader, most int) {
	nal, vcl := b.flag(), b.flag()
	subPictures := false
	if nal || vcl {
		if subPictures = b.flag(); subPictures {
			b.skip(19)
		}
		b.skip(8)
		if subPictures {
			b.skip(4)
		}
		b.skip(15)
	}
	for range most + 1 {
		lowDelay, count := false, uint32(1)
		fixed := b.flag()      // fixed_pic_rate_general_flag
		if fixed || b.flag() { // fixed_pic_rate_within_cvs_flag
			b.ue()
		} else {
			lowDelay = b.flag()
		}
		if !lowDelay {
			count += b.ue()
		}
		for _, present := range []bool{nal, vcl} {
			for range min(count, 32) {
				if !present {
					break
				}
				b.ue()
				b.ue()
				if subPictures {
					b.ue()
					b.ue()
				}
				b.skip(1)
			}
		}
	}
}
