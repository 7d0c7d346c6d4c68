package mp4

import (
	"errors"
	"fmt"
	"math"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"nvrfs/media"
)

// NewAVC makes the avc1 entry (ISO/IEC 14496-15 5.4.2) of an H.264 stream from its sequence parameter set and its one or
// more picture parameter sets, which are NAL units without start codes. The samples of the track are access units whose
// NAL units have a length of 4 bytes in front and which hold no parameter sets.
//
// It fails when a set is missing, too long, cut short, or has values that ITU-T H.264 does not allow.
func NewAVC(sps []byte, pps ...[]byte) (media.SampleEntry, error) {
	s, err := parseSPS(sps)
	if err != nil {
		return media.SampleEntry{}, err
	}
	if err := checkPPS(pps); err != nil {
		return media.SampleEntry{}, err
	}
	width, height := croppedSize(s)
	if width < 1 || height < 1 || width > math.MaxUint16 || height > math.MaxUint16 {
		return media.SampleEntry{}, fmt.Errorf("SPS: a picture of %dx%d pixels cannot be stored", width, height)
	}

	var w writer
	w.box("avc1", func() {
		w.visualFields(uint16(width), uint16(height))
		w.avcC(s, sps, pps)
		w.colr(s.VUI)
		w.pasp(s.VUI)
	})
	return media.SampleEntry{
		Kind:      media.Video,
		Codec:     fmt.Sprintf("avc1.%X", sps[1:4]),
		Timescale: media.VideoTimescale,
		Width:     uint16(width),
		Height:    uint16(height),
		Box:       w.b,
	}, nil
}

// parseSPS parses a sequence parameter set and refuses values that ITU-T H.264 7.4.2.1.1 does not allow, which readers of
// the slices would stumble over.
func parseSPS(sps []byte) (*h264.SPS, error) {
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
	return &s, nil
}

func checkPPS(pps [][]byte) error {
	if len(pps) < 1 || len(pps) > math.MaxUint8 {
		return fmt.Errorf("PPS: %d of them, want 1 to %d", len(pps), math.MaxUint8)
	}
	for _, p := range pps {
		if len(p) < 2 || len(p) > math.MaxUint16 {
			return fmt.Errorf("PPS: %d bytes, want 2 to %d", len(p), math.MaxUint16)
		}
		if h264.NALUType(p[0]&0x1f) != h264.NALUTypePPS {
			return errors.New("PPS: the NAL unit is of another type")
		}
	}
	return nil
}

// croppedSize returns the size of the pictures that are to be shown (ITU-T H.264 7.4.2.1.1, frame_crop_left_offset). It is
// not positive when more is cropped than there is.
func croppedSize(s *h264.SPS) (width, height int64) {
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

// visualFields appends what every VisualSampleEntry starts with (ISO/IEC 14496-12 12.1.3).
func (w *writer) visualFields(width, height uint16) {
	w.zeros(6)
	w.u16(1) // data_reference_index
	w.zeros(16)
	w.u16(width)
	w.u16(height)
	w.u32s(0x480000, 0x480000) // 72 dpi
	w.u32(0)
	w.u16(1)    // frame_count
	w.zeros(32) // compressorname
	w.u16(0x18) // depth: colour without alpha
	w.u16(0xffff)
}

// avcC appends the AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1).
func (w *writer) avcC(s *h264.SPS, sps []byte, pps [][]byte) {
	w.box("avcC", func() {
		w.u8(1) // configurationVersion
		w.bytes(sps[1:4])
		w.u8(0xfc | 3) // NAL unit lengths of 4 bytes
		w.u8(0xe0 | 1) // one SPS
		w.u16(uint16(len(sps)))
		w.bytes(sps)
		w.u8(uint8(len(pps)))
		for _, p := range pps {
			w.u16(uint16(len(p)))
			w.bytes(p)
		}
		switch s.ProfileIdc {
		case 66, 77, 88: // the profiles of the first edition have 4:2:0 and 8 bits
		default:
			w.u8(0xfc | uint8(s.ChromaFormatIdc))
			w.u8(0xf8 | uint8(s.BitDepthLumaMinus8))
			w.u8(0xf8 | uint8(s.BitDepthChromaMinus8))
			w.u8(0) // no SPS extensions
		}
	})
}

// colr appends the colour description, where there is one (ISO/IEC 14496-12 12.1.5).
func (w *writer) colr(vui *h264.SPS_VUI) {
	if vui == nil || !vui.ColourDescriptionPresentFlag {
		return
	}
	w.box("colr", func() {
		w.str("nclx")
		w.u16(uint16(vui.ColourPrimaries))
		w.u16(uint16(vui.TransferCharacteristics))
		w.u16(uint16(vui.MatrixCoefficients))
		if vui.VideoFullRangeFlag {
			w.u8(0x80)
		} else {
			w.u8(0)
		}
	})
}

// sampleAspectRatios is indexed by aspect_ratio_idc (ITU-T H.264 Table E-1); 0 is unspecified.
var sampleAspectRatios = [...][2]uint16{
	{},
	{1, 1},
	{12, 11},
	{10, 11},
	{16, 11},
	{40, 33},
	{24, 11},
	{20, 11},
	{32, 11},
	{80, 33},
	{18, 11},
	{15, 11},
	{64, 33},
	{160, 99},
	{4, 3},
	{3, 2},
	{2, 1},
}

const extendedSAR = 255 // the aspect_ratio_idc of a ratio that is spelled out

// pasp appends the shape of the pixels, where it is known (ISO/IEC 14496-12 12.1.4).
func (w *writer) pasp(vui *h264.SPS_VUI) {
	if vui == nil || !vui.AspectRatioInfoPresentFlag {
		return
	}
	var sar [2]uint16
	switch idc := int(vui.AspectRatioIdc); {
	case idc == extendedSAR:
		sar = [2]uint16{vui.SarWidth, vui.SarHeight}
	case idc < len(sampleAspectRatios):
		sar = sampleAspectRatios[idc]
	}
	if sar[0] == 0 || sar[1] == 0 {
		return
	}
	w.box("pasp", func() { w.u32s(uint32(sar[0]), uint32(sar[1])) })
}

// maxASCBytes keeps every length in esds below 128, where one byte holds it.
const maxASCBytes = 64

// NewAAC makes the mp4a entry (ISO/IEC 14496-14 5.6) of an AAC-LC stream from its AudioSpecificConfig (ISO/IEC 14496-3
// 1.6.2.1), which is stored as given. The samples of the track are raw AAC frames, without ADTS or LATM.
//
// It fails when the configuration is cut short or is one that a track of AAC frames cannot carry: another object type than
// AAC-LC, signalled SBR or PS, channels that only the stream describes, or a sampling rate of 0.
func NewAAC(asc []byte) (media.SampleEntry, error) {
	if len(asc) > maxASCBytes {
		return media.SampleEntry{}, fmt.Errorf("AudioSpecificConfig: %d bytes, the most is %d", len(asc), maxASCBytes)
	}
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(asc); err != nil {
		return media.SampleEntry{}, fmt.Errorf("AudioSpecificConfig: %w", err)
	}
	switch {
	case c.ExtensionType != 0:
		// Its RTP clock may count at either of two rates, and the session description does not tell which.
		return media.SampleEntry{}, errors.New("AudioSpecificConfig: HE-AAC is not supported; set the camera to AAC-LC")
	case c.ChannelConfig == 0:
		return media.SampleEntry{}, errors.New("AudioSpecificConfig: a channel layout described in the stream is not supported")
	case c.SampleRate < 1 || c.SampleRate > 192000:
		return media.SampleEntry{}, fmt.Errorf("AudioSpecificConfig: %d samples a second are out of range", c.SampleRate)
	}
	channels := uint16(c.ChannelConfig)
	if channels == 7 {
		channels = 8
	}

	var w writer
	w.box("mp4a", func() {
		w.audioFields(channels, uint32(c.SampleRate))
		w.esds(asc)
	})
	return media.SampleEntry{
		Kind:      media.Audio,
		Codec:     fmt.Sprintf("mp4a.40.%d", c.Type),
		Timescale: uint32(c.SampleRate),
		Box:       w.b,
	}, nil
}

// audioFields appends what every AudioSampleEntry starts with (ISO/IEC 14496-12 12.2.3).
func (w *writer) audioFields(channels uint16, rate uint32) {
	w.zeros(6)
	w.u16(1) // data_reference_index
	w.zeros(8)
	w.u16(channels)
	w.u16(16) // samplesize
	w.zeros(4)
	if rate > math.MaxUint16 { // 16.16 has no room for it: readers take it from esds
		rate = 0
	}
	w.u32(rate << 16)
}

// esds appends the elementary stream descriptor (ISO/IEC 14496-1 7.2.6.5, ISO/IEC 14496-14 3.1.2).
func (w *writer) esds(asc []byte) {
	w.fullBox("esds", 0, 0, func() {
		w.descriptor(3, func() { // ES_Descriptor
			w.u16(0) // ES_ID, 0 in files
			w.u8(0)
			w.descriptor(4, func() { // DecoderConfigDescriptor
				w.u8(0x40)      // ISO/IEC 14496-3
				w.u8(5<<2 | 1)  // an audio stream
				w.zeros(3)      // buffer size: unknown
				w.u32s(0, 0)    // greatest and average bit rate: unknown
				w.descriptor(5, // DecoderSpecificInfo
					func() { w.bytes(asc) })
			})
			w.descriptor(6, // SLConfigDescriptor
				func() { w.u8(2) }) // the predefined one for mp4 files
		})
	})
}

// descriptor appends a descriptor (ISO/IEC 14496-1 8.3.3) whose body takes less than 128 bytes.
func (w *writer) descriptor(tag uint8, body func()) {
	w.u8(tag)
	at := len(w.b)
	w.u8(0)
	body()
	w.b[at] = uint8(len(w.b) - at - 1)
}
