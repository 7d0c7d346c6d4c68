package codec

import (
	"errors"
	"fmt"
	"math"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"nvrfs/codec/nal"
	"nvrfs/media"
	"nvrfs/media/box"
)

// h264Codec is H.264 (ITU-T H.264, ISO/IEC 14496-10), which RTP carries by RFC 6184. A sample is an access unit whose NAL units
// have their lengths in front (ISO/IEC 14496-15 5.3.4.2).
var h264Codec = &Codec{
	Name: "H.264", Kind: media.Video,
	receive: receiveH264,
	boxes:   []string{"avc1", "avc3"}, importEntry: importH264, isSync: h264SyncFinder,
	send: sendH264,
}

func receiveH264(f format.Format) (Receiver, error) {
	h, ok := f.(*format.H264)
	if !ok {
		return nil, nil
	}
	r := newNALReceiver(newH264Format, h.SPS, h.PPS)
	r.other = newNALReceiver(newH265Format)
	return r, nil
}

// h264Format implements nalFormat.
type h264Format struct{ *nal.H264 }

func newH264Format() nalFormat { return h264Format{nal.NewH264()} }

func (f h264Format) entry(p *nal.Picture) media.SampleEntry {
	s, _ := f.Sequence(p.SPS)
	sps, pps := f.Sets(p.SPS)
	return h264Entry(s, sps, pps)
}

func (f h264Format) order(p *nal.Picture) (o nal.Order, sets [][]byte, ok bool) {
	if p.Start != nal.StartIDR {
		return nil, nil, false
	}
	s, set := f.Sequence(p.SPS)
	if s.PicOrderCntType != 2 && (s.PicOrderCntType != 0 || !s.FrameMbsOnlyFlag) {
		return nil, nil, true // the library cannot count them
	}
	e := new(h264.DTSExtractor)
	e.Initialize()
	return e, [][]byte{set}, true
}

func (f h264Format) awaits() (picture, sets, do string) {
	return "IDR picture", "H.264 parameter sets (SPS and PPS)",
		"set its I-frame interval to a few seconds, and intra refresh and open GOPs off"
}

// H264Entry makes the avc1 entry (ISO/IEC 14496-15 5.4.2) of an H.264 stream from its sequence parameter set and its one or
// more picture parameter sets, which are NAL units without start codes. The samples of the track are access units whose
// NAL units have a length of 4 bytes in front and which hold no parameter sets.
//
// It fails when a set is missing, too long, cut short, or has values that ITU-T H.264 does not allow.
func H264Entry(sps []byte, pps ...[]byte) (media.SampleEntry, error) {
	s, err := nal.ParseH264SPS(sps)
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
	sps, pps = sps[:min(len(sps), 31)], pps[:min(len(pps), math.MaxUint8)]
	profile := [3]byte(sps[0][1:])
	for _, other := range sps[1:] {
		profile[2] = max(profile[2], other[3]) // the level is the highest of all
	}
	width, height := nal.CroppedSize(s)
	var w writer
	w.Box("avc1", func() {
		w.visualFields(uint16(width), uint16(height))
		w.avcC(s, profile, sps, pps)
		w.vui(s.VUI)
	})
	return media.SampleEntry{
		Kind:      media.Video,
		Codec:     fmt.Sprintf("avc1.%X", profile),
		Timescale: media.VideoTimescale,
		Width:     uint16(width),
		Height:    uint16(height),
		Box:       w.B,
	}
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

// avcC appends the AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1).
func (w *writer) avcC(s *h264.SPS, profile [3]byte, sps, pps [][]byte) {
	w.Box("avcC", func() {
		w.U8(1) // configurationVersion
		w.Bytes(profile[:])
		w.U8(0xfc | 3) // NAL unit lengths of 4 bytes
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
	return copyVisual(entry, func(typ string, boxes []box.Child) (string, bool) {
		c, ok := parseAVCC(box.Find(boxes, "avcC"))
		return fmt.Sprintf("%s.%X", typ, c.profile), ok && (typ == "avc3" || c.sps != nil && c.pps != nil)
	})
}

// avcC is what is of use in an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1).
type avcC struct {
	profile    [3]byte // as in the SPS
	lengthSize int
	sps, pps   []byte // the first of each
}

// parseAVCC reports false when the parameter sets are not whole. There may be none: those of avc3 may be in the samples.
func parseAVCC(p []byte) (c avcC, ok bool) {
	if len(p) < 6 || p[0] != 1 {
		return c, false
	}
	c = avcC{profile: [3]byte(p[1:]), lengthSize: int(p[4]&3) + 1}
	sps, rest, ok := nal.ReadList(p[6:], int(p[5]&0x1f))
	if !ok || len(rest) < 1 {
		return c, false
	}
	pps, _, ok := nal.ReadList(rest[1:], int(rest[0]))
	if len(sps) > 0 && len(pps) > 0 {
		c.sps, c.pps = sps[0], pps[0]
	}
	return c, ok
}

func sendH264(e media.SampleEntry, payloadType uint8) (*Sender, error) {
	c, ok := parseAVCC(visualConfig(e, "avcC"))
	if !ok {
		return nil, errors.New("the avcC box is missing or damaged")
	}
	f := &format.H264{PayloadTyp: payloadType, SPS: c.sps, PPS: c.pps, PacketizationMode: 1}
	encoder, err := f.CreateEncoder()
	if err != nil {
		return nil, err
	}
	return &Sender{f, sendNALUnits(c.lengthSize, encoder.Encode)}, nil
}
