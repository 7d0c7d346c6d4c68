package codec

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/mediacommon/v2/pkg/bits"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/pion/rtp"

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

// h264Receiver turns the access units of an H.264 stream into samples.
//
// Parameter sets belong in the sample entry and not in the samples (ISO/IEC 14496-15 5.4.2), so they are taken out of
// the access units. They may change at any of them, but the sample entry only at an IDR picture, where a reader can start
// anew: sets that change in between stay in their sample, where decoders find them, until the next IDR picture.
type h264Receiver struct {
	decoder   *rtph264.Decoder
	assembly  assembly
	open      bool // an access unit is coming in
	timestamp uint32

	sps []byte
	pps map[uint32][]byte // by pic_parameter_set_id

	stale  bool              // sps or pps changed since entry was made
	entry  media.SampleEntry // Box is nil until an IDR picture came and both kinds of set are known
	times  decodeTimes
	sawIDR bool
}

func receiveH264(f format.Format) (Receiver, error) {
	h, ok := f.(*format.H264)
	if !ok {
		return nil, nil
	}
	d, err := h.CreateDecoder()
	if err != nil {
		return nil, err
	}
	return newH264Receiver(d, h.SPS, h.PPS), nil
}

// newH264Receiver takes the parameter sets of a session description, or nil. Those in the stream take their place.
func newH264Receiver(d *rtph264.Decoder, sets ...[]byte) *h264Receiver {
	t := &h264Receiver{decoder: d, times: decodeTimes{orderOf: h264Order, restartAtSync: true}}
	t.strip(sets, true)
	return t
}

// Packet implements Receiver.
func (t *h264Receiver) Packet(pkt *rtp.Packet, received time.Time) ([]Unit, error) {
	var before []Unit
	if t.open && pkt.Timestamp != t.timestamp {
		// The packet that was marked as the last of its access unit is lost, or the camera marks none.
		before = t.Flush()
	}
	t.open, t.timestamp = !pkt.Marker, pkt.Timestamp
	units, err := t.assembly.decode(pkt, received, t.decode)
	return append(before, units...), err
}

func (t *h264Receiver) decode(pkt *rtp.Packet) ([][]byte, error) {
	au, err := t.decoder.Decode(pkt)
	switch {
	case errors.Is(err, rtph264.ErrMorePacketsNeeded):
		return nil, errMore
	case errors.Is(err, rtph264.ErrNonStartingPacketAndNoPrevious):
		return nil, nil
	}
	return au, err
}

// Flush implements Receiver. The decoder gives out what it has of an access unit for a last packet, which holds a delimiter.
func (t *h264Receiver) Flush() []Unit {
	if !t.open {
		return nil
	}
	t.open = false
	units, _ := t.assembly.decode(&rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: true, Timestamp: t.timestamp},
		Payload: []byte{9, 0xf0}, // an access unit delimiter (ITU-T H.264 7.3.2.4)
	}, t.assembly.received, t.decode) // what is damaged of it is dropped
	return units
}

func (t *h264Receiver) isSync(au [][]byte) bool {
	idr := slices.ContainsFunc(au, func(n []byte) bool { return len(n) > 0 && naluType(n) == h264.NALUTypeIDR })
	t.sawIDR = t.sawIDR || idr
	return idr
}

// Lost implements Receiver.
func (t *h264Receiver) Lost() { t.times.restartAtSync = true }

// Awaits implements Predictor.
func (t *h264Receiver) Awaits() (what, do string) {
	if t.sawIDR {
		return "H.264 parameter sets (SPS and PPS)", ""
	}
	return "IDR picture", "set its I-frame interval to a few seconds, and intra refresh and open GOPs off"
}

// Entry implements Receiver.
func (t *h264Receiver) Entry() media.SampleEntry { return t.entry }

// Samples implements Receiver. There is no sample before the first IDR picture with known parameter sets, nor for an access
// unit without slices.
func (t *h264Receiver) Samples(u Unit, pts int64) (samples []media.Sample, newEntry bool, err error) {
	au := u.Parts
	idr := t.isSync(au)
	nalus, picture := t.strip(au, idr)
	if !picture {
		return nil, false, nil
	}
	if idr && t.stale {
		if newEntry, err = t.renewEntry(); err != nil {
			return nil, false, err
		}
	}
	if t.entry.Box == nil {
		return nil, false, nil
	}
	inOrder := nalus // what tells the order of pictures: the slices, and the SPS to read them by
	if idr {
		inOrder = append([][]byte{t.sps}, nalus...)
	}
	dts, err := t.times.next(inOrder, idr, pts)
	if err != nil {
		return nil, false, err
	}
	data, err := h264.AVCC(nalus).Marshal()
	if err != nil {
		return nil, false, fmt.Errorf("store an access unit of %d NAL units: %w", len(nalus), err)
	}
	return []media.Sample{{DTS: dts, CTS: int32(pts - dts), Duration: usualPicture, Sync: idr, Data: data}}, newEntry, nil
}

func naluType(nalu []byte) h264.NALUType { return h264.NALUType(nalu[0] & 0x1f) }

// strip learns the parameter sets of an access unit and returns the NAL units that its sample keeps, and whether a slice
// of a picture is among them.
func (t *h264Receiver) strip(au [][]byte, idr bool) (kept [][]byte, picture bool) {
	for _, nalu := range au {
		if len(nalu) == 0 {
			continue
		}
		switch naluType(nalu) {
		case h264.NALUTypeAccessUnitDelimiter, h264.NALUTypeFillerData:
			continue
		case h264.NALUTypeSPS, h264.NALUTypePPS:
			if changed := t.learn(nalu); idr || !changed {
				continue
			}
		case h264.NALUTypeNonIDR, h264.NALUTypeDataPartitionA, h264.NALUTypeIDR:
			picture = true
		}
		kept = append(kept, nalu)
	}
	return kept, picture
}

// learn keeps a parameter set and reports whether it says something new. It ignores what is longer than a sample entry takes
// (ISO/IEC 14496-15 5.3.3.1.2), so that no camera fills the memory with sets.
func (t *h264Receiver) learn(set []byte) bool {
	if len(set) > math.MaxUint16 {
		return false
	}
	if naluType(set) == h264.NALUTypeSPS {
		if bytes.Equal(set, t.sps) {
			return false
		}
		t.sps, t.stale = bytes.Clone(set), true
		return true
	}
	pos := 0
	id, err := bits.ReadGolombUnsigned(set[1:], &pos)
	if err != nil || id > math.MaxUint8 || bytes.Equal(set, t.pps[id]) {
		return false
	}
	if t.pps == nil {
		t.pps = make(map[uint32][]byte)
	}
	t.pps[id], t.stale = bytes.Clone(set), true
	return true
}

// renewEntry makes the sample entry of the parameter sets known, and reports whether it differs from the one before. It
// does nothing while a kind of set is missing.
func (t *h264Receiver) renewEntry() (changed bool, err error) {
	if t.sps == nil || len(t.pps) == 0 {
		return false, nil
	}
	var pps [][]byte
	for _, id := range slices.Sorted(maps.Keys(t.pps)) {
		pps = append(pps, t.pps[id])
	}
	entry, err := H264Entry(t.sps, pps...)
	if err != nil {
		return false, fmt.Errorf("the camera's H.264 parameter sets cannot be stored: %w", err)
	}
	t.stale = false
	if bytes.Equal(entry.Box, t.entry.Box) {
		return false, nil
	}
	t.entry = entry
	t.times.restartAtSync = true
	return true, nil
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
	width, height := croppedSize(s)
	if width < 1 || height < 1 || width > math.MaxUint16 || height > math.MaxUint16 {
		return media.SampleEntry{}, fmt.Errorf("SPS: a picture of %dx%d pixels cannot be stored", width, height)
	}

	var w writer
	w.Box("avc1", func() {
		w.visualFields(uint16(width), uint16(height))
		w.avcC(s, sps, pps)
		w.vui(s.VUI)
	})
	return media.SampleEntry{
		Kind:      media.Video,
		Codec:     fmt.Sprintf("avc1.%X", sps[1:4]),
		Timescale: media.VideoTimescale,
		Width:     uint16(width),
		Height:    uint16(height),
		Box:       w.B,
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

// avcC appends the AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1).
func (w *writer) avcC(s *h264.SPS, sps []byte, pps [][]byte) {
	w.Box("avcC", func() {
		w.U8(1) // configurationVersion
		w.Bytes(sps[1:4])
		w.U8(0xfc | 3) // NAL unit lengths of 4 bytes
		w.U8(0xe0 | 1) // one SPS
		w.U16(uint16(len(sps)))
		w.Bytes(sps)
		w.U8(uint8(len(pps)))
		for _, p := range pps {
			w.U16(uint16(len(p)))
			w.Bytes(p)
		}
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
		inBand := typ == "avc3" && c.lengthSize > 0 // then the parameter sets may be in the samples alone
		return fmt.Sprintf("%s.%X", typ, c.profile), ok || inBand
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

// h264Order returns what tells the decoding order of the pictures that follow an IDR picture, or nil where the count cannot be
// followed.
func h264Order(idr [][]byte) pictureOrder {
	var sps h264.SPS
	err := sps.Unmarshal(idr[0])
	if err != nil || sps.PicOrderCntType != 2 && (sps.PicOrderCntType != 0 || !sps.FrameMbsOnlyFlag) {
		return nil
	}
	order := new(h264.DTSExtractor)
	order.Initialize()
	return order
}
