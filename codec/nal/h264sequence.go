package nal

import (
	"fmt"
	"math"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// ParseH264SPS reads a sequence parameter set and refuses values that ITU-T H.264 7.4.2.1.1 does not allow, which readers of
// the slices would stumble over.
func ParseH264SPS(sps []byte) (*h264.SPS, error) {
	if len(sps) < 4 {
		return nil, fmt.Errorf("SPS: %d bytes are too short", len(sps))
	}
	if len(sps) > math.MaxUint16 {
		return nil, fmt.Errorf("SPS: %d bytes do not fit in avcC", len(sps))
	}
	var s h264.SPS
	if err := s.Unmarshal(sps); err != nil {
		return nil, fmt.Errorf("SPS: %w", err)
	}
	for _, field := range []struct {
		name       string
		value, max uint32
	}{
		{"seq_parameter_set_id", s.ID, 31},
		{"chroma_format_idc", s.ChromaFormatIdc, 3},
		{"bit_depth_luma_minus8", s.BitDepthLumaMinus8, 6},
		{"bit_depth_chroma_minus8", s.BitDepthChromaMinus8, 6},
		{"log2_max_frame_num_minus4", s.Log2MaxFrameNumMinus4, 12},
		{"log2_max_pic_order_cnt_lsb_minus4", s.Log2MaxPicOrderCntLsbMinus4, 12},
	} {
		if field.value > field.max {
			return nil, fmt.Errorf("SPS: %s is %d, the most is %d", field.name, field.value, field.max)
		}
	}
	width, height := CroppedSize(&s)
	if width < 1 || height < 1 || width > math.MaxUint16 || height > math.MaxUint16 {
		return nil, fmt.Errorf("SPS: a picture of %dx%d pixels cannot be stored", width, height)
	}
	return &s, nil
}

// CroppedSize returns the size of the pictures that are to be shown (ITU-T H.264 7.4.2.1.1, frame_crop_left_offset). It is
// not positive when more is cropped than there is.
func CroppedSize(s *h264.SPS) (width, height int64) {
	fields := int64(1) // map units are rows of macroblocks of a frame, or of one of its two fields
	if !s.FrameMbsOnlyFlag {
		fields = 2
	}
	width = 16 * (int64(s.PicWidthInMbsMinus1) + 1)
	height = 16 * (int64(s.PicHeightInMapUnitsMinus1) + 1) * fields
	if s.FrameCropping == nil {
		return width, height
	}
	unitX, unitY := int64(1), fields // Table 6-1; 1 where there is no chroma, or as much as luma
	if s.ChromaFormatIdc == 1 || s.ChromaFormatIdc == 2 {
		unitX = 2
	}
	if s.ChromaFormatIdc == 1 {
		unitY = 2 * fields
	}
	width -= unitX * (int64(s.FrameCropping.LeftOffset) + int64(s.FrameCropping.RightOffset))
	height -= unitY * (int64(s.FrameCropping.TopOffset) + int64(s.FrameCropping.BottomOffset))
	return width, height
}
