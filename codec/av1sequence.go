package codec

import (
	"errors"
	"fmt"
	"math"
)

// av1Sequence is what is of use in a sequence header (AV1 specification 5.5).
type av1Sequence struct {
	profile, level, tier        uint8
	reducedStillPicture         bool
	width, height               uint16
	bitDepth                    uint8
	mono                        bool
	described                   bool // primaries, transfer and matrix are in the stream
	primaries, transfer, matrix uint8
	fullRange                   bool
	subsamplingX, subsamplingY  uint8
	chromaPosition              uint8
	decoderModel                bool
	bufferDelayBits             int
}

// flags are those of av1C (AV1 binding 2.3.3).
func (s *av1Sequence) flags() uint8 {
	f := s.subsamplingX<<3 | s.subsamplingY<<2 | s.chromaPosition
	if s.bitDepth > 8 {
		f |= 1 << 6
	}
	if s.bitDepth == 12 {
		f |= 1 << 5
	}
	if s.mono {
		f |= 1 << 4
	}
	return f
}

// codec is the codecs parameter of AV1 binding 5.
func (s *av1Sequence) codec() string {
	name := fmt.Sprintf("av01.%d.%02d%c.%02d", s.profile, s.level, "MH"[s.tier], s.bitDepth)
	if s.described || s.mono || s.subsamplingX&s.subsamplingY == 0 {
		mono, full := 0, 0
		if s.mono {
			mono = 1
		}
		if s.fullRange {
			full = 1
		}
		name += fmt.Sprintf(".%d.%d%d%d.%02d.%02d.%02d.%d", mono, s.subsamplingX, s.subsamplingY, s.chromaPosition, s.primaries, s.transfer, s.matrix, full)
	}
	return name
}

var errAV1Sequence = errors.New("the AV1 sequence header is cut short")

// parseAV1Sequence reads a sequence header OBU.
func parseAV1Sequence(obu []byte) (s av1Sequence, err error) {
	typ, _, body, ok := splitOBU(obu)
	if !ok || typ != obuSequenceHeader {
		return s, errAV1Sequence
	}
	r := bitReader{p: body}
	s.profile = uint8(r.u(3))
	r.u(1) // still_picture
	s.reducedStillPicture = r.flag()
	if s.reducedStillPicture {
		s.level = uint8(r.u(5))
	} else {
		s.operatingPoints(&r)
	}
	widthBits, heightBits := int(r.u(4))+1, int(r.u(4))+1
	width, height := r.u(widthBits)+1, r.u(heightBits)+1
	s.tools(&r)
	s.colour(&r)
	switch {
	case r.short:
		return s, errAV1Sequence
	case s.profile > 2:
		return s, fmt.Errorf("the AV1 profile %d is not known", s.profile)
	case width > math.MaxUint16 || height > math.MaxUint16:
		return s, fmt.Errorf("an AV1 picture of %dx%d pixels cannot be stored", width, height)
	}
	s.width, s.height = uint16(width), uint16(height)
	return s, nil
}

// operatingPoints reads from timing_info_present_flag to the last operating point, of which the first one counts.
func (s *av1Sequence) operatingPoints(r *bitReader) {
	if r.flag() { // timing_info_present_flag
		r.u(32)
		r.u(32)
		if r.flag() { // equal_picture_interval
			r.uvlc()
		}
		if s.decoderModel = r.flag(); s.decoderModel {
			s.bufferDelayBits = int(r.u(5)) + 1
			r.u(32)
			r.u(5)
			r.u(5)
		}
	}
	delays := r.flag() // initial_display_delay_present_flag
	for i := range int(r.u(5)) + 1 {
		r.u(12) // operating_point_idc
		level, tier := uint8(r.u(5)), uint8(0)
		if level > 7 {
			tier = uint8(r.u(1))
		}
		if i == 0 {
			s.level, s.tier = level, tier
		}
		if s.decoderModel && r.flag() {
			r.u(s.bufferDelayBits)
			r.u(s.bufferDelayBits)
			r.u(1) // low_delay_mode_flag
		}
		if delays && r.flag() {
			r.u(4)
		}
	}
}

// tools reads from frame_id_numbers_present_flag to enable_restoration, none of which counts.
func (s *av1Sequence) tools(r *bitReader) {
	const selects = 2 // of seq_force_screen_content_tools
	if !s.reducedStillPicture && r.flag() {
		r.u(4)
		r.u(3)
	}
	r.u(3) // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
	if !s.reducedStillPicture {
		r.u(4) // enable_interintra_compound, enable_masked_compound, enable_warped_motion, enable_dual_filter
		orderHint := r.flag()
		if orderHint {
			r.u(2) // enable_jnt_comp, enable_ref_frame_mvs
		}
		screenContent := uint64(selects)
		if !r.flag() { // seq_choose_screen_content_tools
			screenContent = r.u(1)
		}
		if screenContent > 0 && !r.flag() { // seq_choose_integer_mv
			r.u(1)
		}
		if orderHint {
			r.u(3)
		}
	}
	r.u(3) // enable_superres, enable_cdef, enable_restoration
}

// colour reads color_config (5.5.2).
func (s *av1Sequence) colour(r *bitReader) {
	const unspecified, bt709, srgb, identity = 2, 1, 13, 0
	s.bitDepth = 8
	if r.flag() { // high_bitdepth
		s.bitDepth = 10
		if s.profile == 2 && r.flag() {
			s.bitDepth = 12
		}
	}
	s.mono = s.profile != 1 && r.flag()
	s.primaries, s.transfer, s.matrix = unspecified, unspecified, unspecified
	if s.described = r.flag(); s.described {
		s.primaries, s.transfer, s.matrix = uint8(r.u(8)), uint8(r.u(8)), uint8(r.u(8))
	}
	if !s.mono && s.primaries == bt709 && s.transfer == srgb && s.matrix == identity {
		s.fullRange = true
		return // without subsampling
	}
	s.fullRange = r.flag()
	switch {
	case s.mono || s.profile == 0:
		s.subsamplingX, s.subsamplingY = 1, 1
	case s.profile == 2 && s.bitDepth == 12:
		if s.subsamplingX = uint8(r.u(1)); s.subsamplingX == 1 {
			s.subsamplingY = uint8(r.u(1))
		}
	case s.profile == 2:
		s.subsamplingX = 1
	}
	if !s.mono && s.subsamplingX&s.subsamplingY == 1 {
		s.chromaPosition = uint8(r.u(2))
	}
}

// uvlc skips a number of variable length (AV1 specification 4.10.3).
func (r *bitReader) uvlc() {
	zeros := 0
	for !r.flag() && !r.short {
		zeros++
	}
	if zeros < 32 {
		r.u(zeros)
	}
}
