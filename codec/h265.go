package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"nvrfs/media"
	"nvrfs/media/box"
)

// h265Codec is H.265 (ITU-T H.265, ISO/IEC 23008-2). It is read from files, and sent by RFC 7798. A sample is an access unit
// whose NAL units have their lengths in front (ISO/IEC 14496-15 8.3.2).
var h265Codec = &Codec{
	Name: "H.265", Kind: media.Video,
	boxes: []string{"hvc1", "hev1"}, importEntry: importH265, isSync: h265SyncFinder,
	send: sendH265,
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
		if units, rest, ok = nalUnits(rest[3:], int(binary.BigEndian.Uint16(rest[1:]))); !ok {
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
	if !ok || f.VPS == nil || f.SPS == nil || f.PPS == nil {
		return nil, errors.New("no VPS, SPS and PPS in the hvcC box")
	}
	encoder, err := f.CreateEncoder()
	if err != nil {
		return nil, err
	}
	return &Sender{f, sendNALUnits(c.lengthSize, encoder.Encode)}, nil
}
