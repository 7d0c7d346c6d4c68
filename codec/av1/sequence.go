package av1

import (
	"errors"
	"fmt"
	"math"

	"nvrfs/codec/bits"
)

// A Sequence is what is of use in a sequence header (AV1 specification 5.5).
type Sequence struct {
	Width, Height       uint16 // pixels
	ReducedStillPicture bool   // every picture is a key frame

	Described                   bool // Primaries, Transfer and Matrix are in the stream
	Primaries, Transfer, Matrix uint8
	FullRange                   bool

	profile, level, tier       uint8
	bitDepth                   uint8
	mono                       bool
	subsamplingX, subsamplingY uint8
	chromaPosition             uint8
	decoderModel               bool
	bufferDelayBits            int
}

// Codec is the codecs parameter of AV1 binding 5.
func (s *Sequence) Codec() string {
	name := fmt.Sprintf("av01.%d.%02d%c.%02d", s.profile, s.level, "MH"[s.tier], s.bitDepth)
	if s.Described || s.mono || s.subsamplingX&s.subsamplingY == 0 {
		mono, full := 0, 0
		if s.mono {
			mono = 1
		}
		if s.FullRange {
			full = 1
		}
		name += fmt.Sprintf(".%d.%d%d%d.%02d.%02d.%02d.%d", mono, s.subsamplingX, s.subsamplingY, s.chromaPosition, s.Primaries, s.Transfer, s.Matrix, full)
	}
	return name
}

var errSequence = errors.New("the AV1 sequence header is cut short")

// ParseSequence reads a sequence header OBU.
func ParseSequence(obu []byte) (s Sequence, err error) {
	typ, _, body, ok := splitOBU(obu)
	if !ok || typ != obuSequenceHeader {
		return s, errSequence
	}
	r := bits.NewReader(body)
	s.profile = uint8(r.U(3))
	r.U(1) // still_picture
	s.ReducedStillPicture = r.Flag()
	if s.ReducedStillPicture {
		s.level = uint8(r.U(5))
	} else {
		s.operatingPoints(r)
	}
	widthBits, heightBits := int(r.U(4))+1, int(r.U(4))+1
	width, height := r.U(widthBits)+1, r.U(heightBits)+1
	s.tools(r)
	s.colour(r)
	switch {
	case r.Short:
		return s, errSequence
	case s.profile > 2:
		return s, fmt.Errorf("the AV1 profile %d is not known", s.profile)
	case width > math.MaxUint16 || height > math.MaxUint16:
		return s, fmt.Errorf("an AV1 picture of %dx%d pixels cannot be stored", width, height)
	}
	s.Width, s.Height = uint16(width), uint16(height)
	return s, nil
}

// operatingPoints reads from timing_info_present_flag to the last operating point, of which the first one counts.
func (s *Sequence) operatingPoints(r *bits.Reader) {
	if r.Flag() { // timing_info_present_flag
		r.U(32)
		r.U(32)
		if r.Flag() { // equal_picture_interval
			skipUVLC(r)
		}
		if s.decoderModel = r.Flag(); s.decoderModel {
			s.bufferDelayBits = int(r.U(5)) + 1
			r.U(32)
			r.U(5)
			r.U(5)
		}
	}
	delays := r.Flag() // initial_display_delay_present_flag
	for i := range int(r.U(5)) + 1 {
		r.U(12) // operating_point_idc
		level, tier := uint8(r.U(5)), uint8(0)
		if level > 7 {
			tier = uint8(r.U(1))
		}
		if i == 0 {
			s.level, s.tier = level, tier
		}
		if s.decoderModel && r.Flag() {
			r.U(s.bufferDelayBits)
			r.U(s.bufferDelayBits)
			r.U(1) // low_delay_mode_flag
		}
		if delays && r.Flag() {
			r.U(4)
		}
	}
}

// tools reads from frame_id_numbers_present_flag to enable_restoration, none of which counts.
func (s *Sequence) tools(r *bits.Reader) {
	const selects = 2 // of seq_force_screen_content_tools
	if !s.ReducedStillPicture && r.Flag() {
		r.U(4)
		r.U(3)
	}
	r.U(3) // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
	if !s.ReducedStillPicture {
		r.U(4) // enable_interintra_compound, enable_masked_compound, enable_warped_motion, enable_dual_filter
		orderHint := r.Flag()
		if orderHint {
			r.U(2) // enable_jnt_comp, enable_ref_frame_mvs
		}
		screenContent := uint64(selects)
		if !r.Flag() { // seq_choose_screen_content_tools
			screenContent = r.U(1)
		}
		if screenContent > 0 && !r.Flag() { // seq_choose_integer_mv
			r.U(1)
		}
		if orderHint {
			r.U(3)
		}
	}
	r.U(3) // enable_superres, enable_cdef, enable_restoration
}

// colour reads color_config (5.5.2).
func (s *Sequence) colour(r *bits.Reader) {
	const unspecified, bt709, srgb, identity = 2, 1, 13, 0
	s.bitDepth = 8
	if r.Flag() { // high_bitdepth
		s.bitDepth = 10
		if s.profile == 2 && r.Flag() {
			s.bitDepth = 12
		}
	}
	s.mono = s.profile != 1 && r.Flag()
	s.Primaries, s.Transfer, s.Matrix = unspecified, unspecified, unspecified
	if s.Described = r.Flag(); s.Described {
		s.Primaries, s.Transfer, s.Matrix = uint8(r.U(8)), uint8(r.U(8)), uint8(r.U(8))
	}
	if !s.mono && s.Primaries == bt709 && s.Transfer == srgb && s.Matrix == identity {
		s.FullRange = true
		return // without subsampling
	}
	s.FullRange = r.Flag()
	switch {
	case s.mono || s.profile == 0:
		s.subsamplingX, s.subsamplingY = 1, 1
	case s.profile == 2 && s.bitDepth == 12:
		if s.subsamplingX = uint8(r.U(1)); s.subsamplingX == 1 {
			s.subsamplingY = uint8(r.U(1))
		}
	case s.profile == 2:
		s.subsamplingX = 1
	}
	if !s.mono && s.subsamplingX&s.subsamplingY == 1 {
		s.chromaPosition = uint8(r.U(2))
	}
}

// skipUVLC skips a number of variable length (AV1 specification 4.10.3).
func skipUVLC(r *bits.Reader) {
	zeros := 0
	for !r.Flag() && !r.Short {
		zeros++
	}
	if zeros < 32 {
		r.U(zeros)
	}
}
