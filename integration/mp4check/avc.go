package mp4check

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// avcC checks an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3).
func (c *checker) avcC(t *Track, e *Entry, b box) {
	e.nal = h264()
	f := &fields{b: b.body}
	c.require(f.u8() == 1, RuleConfigVersion, "%s: avcC is not of version 1", t.name())
	profile := f.bytes(3)
	c.require(f.u8()&3 == 3, RuleConfigLength, "%s: avcC has no NAL lengths of 4 bytes", t.name())
	sps := f.nals(int(f.u8() & 0x1f))
	pps := f.nals(int(f.u8()))
	if !c.require(!f.short && len(sps) > 0 && len(pps) > 0, RuleConfigParams,
		"%s: avcC holds %d SPS, %d PPS, and may be cut short", t.name(), len(sps), len(pps)) {
		return
	}
	if e.Type == "avc1" {
		e.nal.sets = slices.Concat(sps, pps)
	}
	says := bytes.Clone(sps[0][:min(4, len(sps[0]))])
	for _, nal := range sps[1:] { // the level is the highest of all
		if len(nal) >= 4 && len(says) == 4 {
			says[3] = max(says[3], nal[3])
		}
	}
	if len(says) == 4 {
		c.require(bytes.Equal(says[1:], profile), RuleConfigProfile,
			"%s: avcC says profile, compatibility, level %x, its SPS say %x", t.name(), profile, says[1:])
	}
	width, height, err := parseAVCSPS(sps[0])
	if c.require(err == nil, RuleConfigParams, "%s: avcC: SPS: %v", t.name(), err) {
		c.spsSize(t, e, width, height)
	}
}

// nals reads as many NAL units, each after its length in 16 bits.
func (f *fields) nals(count int) [][]byte {
	var all [][]byte
	for range count {
		nal := f.bytes(int(f.u16()))
		if f.short {
			break
		}
		all = append(all, nal)
	}
	return all
}

// Profiles whose SPS says more about chroma (ITU-T H.264 7.3.2.1.1).
var avcHighProfiles = []uint{100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}

// parseAVCSPS returns the dimensions of the cropped picture in pixels (ITU-T
// H.264 7.3.2.1.1, 7.4.2.1.1).
func parseAVCSPS(nal []byte) (width, height int, err error) {
	if len(nal) < 4 || nal[0]&0x1f != 7 {
		return 0, 0, errors.New("the NAL unit is no SPS")
	}
	r := &bitReader{b: unescape(nal[1:])}
	profile := r.bits(8)
	r.skip(16) // constraints, level
	r.ue()     // seq_parameter_set_id
	chroma := uint(1)
	if slices.Contains(avcHighProfiles, profile) {
		chroma = r.avcHigh()
	}
	r.ue() // log2_max_frame_num_minus4
	r.avcPictureOrder()
	r.ue()  // max_num_ref_frames
	r.bit() // gaps_in_frame_num_value_allowed_flag
	mbWidth, mapHeight := r.ue()+1, r.ue()+1
	fieldsPerMap := 2 - r.bit() // frame_mbs_only_flag
	if fieldsPerMap == 2 {
		r.bit() // mb_adaptive_frame_field_flag
	}
	r.bit() // direct_8x8_inference_flag
	unitX, unitY := chromaUnits(chroma)
	return r.cropped(mbWidth*16, mapHeight*16*fieldsPerMap, unitX, unitY*fieldsPerMap)
}

// avcHigh reads what only high profiles have, and returns ChromaArrayType.
func (r *bitReader) avcHigh() (chroma uint) {
	chroma = r.ue()
	lists := 8
	if chroma == 3 {
		lists = 12
		if r.bit() == 1 { // separate_colour_plane_flag
			chroma = 0
		}
	}
	r.ue()  // bit_depth_luma_minus8
	r.ue()  // bit_depth_chroma_minus8
	r.bit() // qpprime_y_zero_transform_bypass_flag
	if r.bit() == 0 {
		return chroma
	}
	for i := range lists {
		if r.bit() == 0 {
			continue
		}
		if i < 6 {
			r.scalingList(16)
		} else {
			r.scalingList(64)
		}
	}
	return chroma
}

// scalingList skips a scaling list (7.3.2.1.1.1).
func (r *bitReader) scalingList(size int) {
	last, next := 8, 8
	for range size {
		if next != 0 {
			next = (last + r.se() + 256) % 256
		}
		if next != 0 {
			last = next
		}
	}
}

// avcPictureOrder skips the fields of pic_order_cnt_type.
func (r *bitReader) avcPictureOrder() {
	switch r.ue() {
	case 0:
		r.ue() // log2_max_pic_order_cnt_lsb_minus4
	case 1:
		r.bit()                       // delta_pic_order_always_zero_flag
		r.se()                        // offset_for_non_ref_pic
		r.se()                        // offset_for_top_to_bottom_field
		for range min(r.ue(), 1<<8) { // num_ref_frames_in_pic_order_cnt_cycle is at most 255
			r.se()
		}
	}
}

// chromaUnits returns SubWidthC and SubHeightC of a ChromaArrayType (6.2).
func chromaUnits(chroma uint) (x, y uint) {
	switch chroma {
	case 1:
		return 2, 2
	case 2:
		return 2, 1
	default:
		return 1, 1
	}
}

// cropped reads the cropping flag and window, which is in units of unitX by
// unitY pixels, and applies it.
func (r *bitReader) cropped(width, height, unitX, unitY uint) (int, int, error) {
	var cutX, cutY uint
	if r.bit() == 1 {
		left, right, top, bottom := r.ue(), r.ue(), r.ue(), r.ue()
		cutX, cutY = (left+right)*unitX, (top+bottom)*unitY
	}
	switch {
	case r.short:
		return 0, 0, errors.New("the SPS is cut short")
	case cutX >= width || cutY >= height:
		return 0, 0, fmt.Errorf("the SPS crops %dx%d off %dx%d pixels", cutX, cutY, width, height)
	}
	return int(width - cutX), int(height - cutY), nil
}
