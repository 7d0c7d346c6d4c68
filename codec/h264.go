package codec

import (
	"errors"
	"fmt"
	"math"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"nvrfs/media"
	"nvrfs/media/box"
)

// h264Codec is H.264 (ITU-T H.264, ISO/IEC 14496-10), which RTP carries by RFC 6184. A sample is an access unit whose NAL units
// have their lengths in front (ISO/IEC 14496-15 5.3.4.2).
var h264Codec = &Codec{
	Name: "H.264", Kind: media.Video,
	receive: receiveH264,
	boxes:   []string{"avc1"}, importEntry: importH264, isSync: h264SyncFinder,
	send: sendH264,
}

func receiveH264(f format.Format) (Receiver, error) {
	h, ok := f.(*format.H264)
	if !ok {
		return nil, nil
	}
	r := newNALReceiver(newH264Reader, h.SPS, h.PPS)
	r.other = newNALReceiver(newH265Reader)
	return r, nil
}

// H264Entry makes the avc1 entry (ISO/IEC 14496-15 5.4.2) of an H.264 stream from its sequence parameter set and its one or
// more picture parameter sets, which are NAL units without start codes. The samples of the track are access units whose
// NAL units have a length of 4 bytes in front and which hold no parameter sets.
//
// It fails when a set is missing, too long, cut short, or has values that ITU-T H.264 does not allow.
func H264Entry(sps []byte, pps ...[]byte) (media.SampleEntry, error) {
	s, err := parseSPS(sps)
	if err != nil {
		return media.SampleEntry{}, err
	}
	if err := checkPPS(pps); err != nil {
		return media.SampleEntry{}, err
	}
	return h264Entry(s, [][]byte{sps}, pps), nil
}

// h264Entry makes the entry of a stream that has several sequence parameter sets, of which s is the first.
func h264Entry(s *h264.SPS, sps, pps [][]byte) media.SampleEntry {
	width, height := croppedSize(s)
	var w writer
	w.Box("avc1", func() {
		w.visualFields(uint16(width), uint16(height))
		w.avcC(s, sps, pps)
		w.vui(s.VUI)
	})
	return media.SampleEntry{
		Kind:      media.Video,
		Codec:     fmt.Sprintf("avc1.%X", sps[0][1:4]),
		Timescale: media.VideoTimescale,
		Width:     uint16(width),
		Height:    uint16(height),
		Box:       w.B,
	}
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
	width, height := croppedSize(&s)
	if width < 1 || height < 1 || width > math.MaxUint16 || height > math.MaxUint16 {
		return nil, fmt.Errorf("SPS: a picture of %dx%d pixels cannot be stored", width, height)
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

// avcC appends the AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1).
func (w *writer) avcC(s *h264.SPS, sps, pps [][]byte) {
	w.Box("avcC", func() {
		w.U8(1) // configurationVersion
		w.Bytes(sps[0][1:4])
		w.U8(0xfc | 3) // NAL unit lengths of 4 bytes
		sps, pps = sps[:min(len(sps), 31)], pps[:min(len(pps), math.MaxUint8)]
		w.U8(0xe0 | uint8(len(sps)))
		w.nalUnits(sps)
		w.U8(uint8(len(pps)))
		w.nalUnits(pps)
		switch s.ProfileIdc {
		case 66, 77, 88: // the profiles of the first edition have 4:2:0 and 8 bits
		default:
			w.U8(0xfc | uint8(s.ChromaFormatIdc))
			w.U8(0xf8 | uint8(s.BitDepthLumaMinus8))
			w.U8(0xf8 | uint8(s.BitDepthChromaMinus8))
			w.U8(0) // no SPS extensions
		}
	})
}

// vui appends what a stream says of its colours and of the shape of its pixels, where it does (ITU-T H.264 E.2.1).
func (w *writer) vui(v *h264.SPS_VUI) {
	if v == nil {
		return
	}
	if v.ColourDescriptionPresentFlag {
		w.colr(uint16(v.ColourPrimaries), uint16(v.TransferCharacteristics), uint16(v.MatrixCoefficients), v.VideoFullRangeFlag)
	}
	if v.AspectRatioInfoPresentFlag {
		w.pasp(v.AspectRatioIdc, [2]uint16{v.SarWidth, v.SarHeight})
	}
}

func importH264(entry []byte) (media.SampleEntry, error) {
	return copyVisual(entry, func(_ string, boxes []box.Child) (string, bool) {
		c, ok := parseAVCC(box.Find(boxes, "avcC"))
		return fmt.Sprintf("avc1.%X", c.profile), ok
	})
}

// avcC is what is of use in an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1).
type avcC struct {
	profile    [3]byte // as in the SPS
	lengthSize int
	sps, pps   []byte // the first of each
}

// parseAVCC reports false when the parameter sets are not whole, or none.
func parseAVCC(p []byte) (c avcC, ok bool) {
	if len(p) < 6 || p[0] != 1 {
		return c, false
	}
	c = avcC{profile: [3]byte(p[1:]), lengthSize: int(p[4]&3) + 1}
	sps, rest, ok := nalUnits(p[6:], int(p[5]&0x1f))
	if !ok || len(sps) == 0 || len(rest) < 1 {
		return c, false
	}
	pps, _, ok := nalUnits(rest[1:], int(rest[0]))
	if !ok || len(pps) == 0 {
		return c, false
	}
	c.sps, c.pps = sps[0], pps[0]
	return c, true
}

func sendH264(e media.SampleEntry, payloadType uint8) (*Sender, error) {
	c, ok := parseAVCC(visualConfig(e, "avcC"))
	if !ok {
		return nil, errors.New("no SPS and PPS in the avcC box")
	}
	f := &format.H264{PayloadTyp: payloadType, SPS: c.sps, PPS: c.pps, PacketizationMode: 1}
	encoder, err := f.CreateEncoder()
	if err != nil {
		return nil, err
	}
	return &Sender{f, sendNALUnits(c.lengthSize, encoder.Encode)}, nil
}
