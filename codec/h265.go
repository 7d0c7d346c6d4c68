package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"nvrfs/codec/nal"
	"nvrfs/media"
	"nvrfs/media/box"
)

// h265Codec is H.265 (ITU-T H.265, ISO/IEC 23008-2), which RTP carries by RFC 7798. A sample is an access unit whose NAL units have
// their lengths in front (ISO/IEC 14496-15 8.3.2).
var h265Codec = &Codec{
	Name: "H.265", Kind: media.Video,
	receive: receiveH265,
	boxes:   []string{"hvc1", "hev1"}, importEntry: importH265, isSync: h265SyncFinder,
	send: sendH265,
}

func receiveH265(f format.Format) (Receiver, error) {
	h, ok := f.(*format.H265)
	if !ok {
		return nil, nil
	}
	fresh := func() nalFormat { return &h265Format{H265: nal.NewH265(h.MaxDONDiff > 0)} }
	r := newNALReceiver(fresh, h.VPS, h.SPS, h.PPS)
	r.other = newNALReceiver(newH264Format)
	return r, nil
}

// h265Format implements nalFormat.
type h265Format struct {
	*nal.H265
	reordering *nal.Reordering // nil before the first sync sample
}

func newH265Format() nalFormat { return &h265Format{H265: nal.NewH265(false)} }

func (f *h265Format) entry(p *nal.Picture) media.SampleEntry {
	s, _ := f.Sequence(p.SPS)
	vps, sps, pps := f.Sets(p.SPS)
	return h265Entry(s, f.Parallelism(p.SPS), vps, sps, pps)
}

func (f *h265Format) order(p *nal.Picture) (o nal.Order, sets [][]byte, ok bool) {
	s, _ := f.Sequence(p.SPS)
	depth := int(s.Reordered)
	if f.reordering != nil && f.reordering.Depth >= depth {
		return nil, nil, false // it is in step, whatever was lost
	}
	f.reordering = &nal.Reordering{Depth: depth}
	return f.reordering, nil, true
}

func (f *h265Format) awaits() (picture, sets, do string) {
	return "IDR or CRA picture", "H.265 parameter sets (VPS, SPS and PPS)", "set its I-frame interval to a few seconds, and intra refresh off"
}

// h265Entry makes the hvc1 entry (ISO/IEC 14496-15 8.4) of a stream, of whose sequence parameter sets s is the first. hvc1 is the
// form that Apple's players take.
func h265Entry(s *nal.H265Sequence, parallelism uint8, vps, sps, pps [][]byte) media.SampleEntry {
	var w writer
	w.Box("hvc1", func() {
		w.visualFields(s.Width, s.Height)
		w.hvcC(s, parallelism, vps, sps, pps)
		if s.VUI.HasColour {
			c := s.VUI.Colour
			w.colr(uint16(c[0]), uint16(c[1]), uint16(c[2]), s.VUI.FullRange)
		}
		w.pasp(s.VUI.Aspect, s.VUI.AspectRatio)
	})
	c := hvcC{profile: s.Profile}
	return media.SampleEntry{
		Kind: media.Video, Codec: c.codec("hvc1"), Timescale: media.VideoTimescale,
		Width: s.Width, Height: s.Height, Box: w.B,
	}
}

// hvcC appends the HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 8.3.3.1).
func (w *writer) hvcC(s *nal.H265Sequence, parallelism uint8, sets ...[][]byte) {
	nested := uint8(0)
	if s.Nested {
		nested = 1
	}
	if s.VUI.MinSegmentation == 0 {
		parallelism = 0 // it says nothing then
	}
	w.Box("hvcC", func() {
		w.U8(1) // configurationVersion
		w.Bytes(s.Profile[:])
		w.U16(0xf000 | uint16(min(s.VUI.MinSegmentation, 4095)))
		w.U8(0xfc | parallelism)
		w.U8(0xfc | uint8(s.Chroma))
		w.U8(0xf8 | uint8(s.LumaDepth))
		w.U8(0xf8 | uint8(s.ChromaDepth))
		w.U16(0)                             // avgFrameRate: unspecified
		w.U8(s.SubLayers<<3 | nested<<2 | 3) // constantFrameRate unknown; NAL unit lengths of 4 bytes
		w.U8(uint8(len(sets)))
		for i, list := range sets {
			// array_completeness is 0: the samples may have more sets, because cameras change them between sync samples, too.
			w.U8(nal.H265VPS + uint8(i))
			w.U16(uint16(len(list)))
			w.nalUnits(list)
		}
	})
}

func importH265(entry []byte) (media.SampleEntry, error) {
	return copyVisual(entry, func(typ string, boxes []box.Child) (string, bool) {
		c, ok := parseHVCC(box.Find(boxes, "hvcC"))
		return c.codec(typ), ok
	})
}

// hvcC is what is of use in an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 8.3.3.1).
type hvcC struct {
	profile    [12]byte // from general_profile_space to general_level_idc, as in the SPS
	lengthSize int
	sets       map[h265.NALUType][]byte // the first of each type
}

// parseHVCC reports false when the parameter sets are not whole. There may be none: those of hev1 may be in the samples.
func parseHVCC(p []byte) (c hvcC, ok bool) {
	if len(p) < 23 || p[0] != 1 {
		return c, false
	}
	c = hvcC{profile: [12]byte(p[1:]), lengthSize: int(p[21]&3) + 1, sets: map[h265.NALUType][]byte{}}
	rest := p[23:]
	for range p[22] {
		if len(rest) < 3 {
			return c, false
		}
		typ := h265.NALUType(rest[0] & 0x3f)
		var units [][]byte
		if units, rest, ok = nal.ReadList(rest[3:], int(binary.BigEndian.Uint16(rest[1:]))); !ok {
			return c, false
		}
		if len(units) > 0 && c.sets[typ] == nil {
			c.sets[typ] = units[0]
		}
	}
	return c, true
}

// codec is the codecs parameter of ISO/IEC 14496-15 Annex E.
func (c *hvcC) codec(entry string) string {
	p := c.profile
	space, tier := []string{"", "A", "B", "C"}[p[0]>>6], "LH"[p[0]>>5&1]
	name := fmt.Sprintf("%s.%s%d.%X.%c%d", entry, space, p[0]&0x1f, bits.Reverse32(binary.BigEndian.Uint32(p[1:])), tier, p[11])
	for _, constraints := range bytes.TrimRight(p[5:11], "\x00") {
		name += fmt.Sprintf(".%X", constraints)
	}
	return name
}

func sendH265(e media.SampleEntry, payloadType uint8) (*Sender, error) {
	c, ok := parseHVCC(visualConfig(e, "hvcC"))
	f := &format.H265{
		PayloadTyp: payloadType,
		VPS:        c.sets[h265.NALUType_VPS_NUT], SPS: c.sets[h265.NALUType_SPS_NUT], PPS: c.sets[h265.NALUType_PPS_NUT],
	}
	if !ok {
		return nil, errors.New("the hvcC box is missing or damaged")
	}
	encoder, err := f.CreateEncoder()
	if err != nil {
		return nil, err
	}
	return &Sender{f, sendNALUnits(c.lengthSize, encoder.Encode)}, nil
}
