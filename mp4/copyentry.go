package mp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"nvrfs/media"
)

// maxVideoEntryBytes is far more than parameter sets take.
const maxVideoEntryBytes = 1 << 16

// Where in a VisualSampleEntry (ISO/IEC 14496-12 12.1.3) something stands.
const (
	visualDataRef = 8 + 6
	visualSize    = 8 + 24
	visualBoxes   = 8 + 78
)

// CopyVideoEntry makes the entry of a track from the sample entry box of another file: avc1 of H.264, hvc1 or hev1 of H.265
// (ISO/IEC 14496-15 5.4.2 and 8.4.1). What the box says is kept, so that the samples of the track are those of that file,
// byte for byte.
//
// It fails when the box is another one, is cut short, or does not say what a decoder must know.
func CopyVideoEntry(box []byte) (media.SampleEntry, error) {
	h, ok := parseBoxHeader(box)
	if !ok || h.head != 8 || h.size != int64(len(box)) || len(box) < visualBoxes || len(box) > maxVideoEntryBytes {
		return media.SampleEntry{}, errors.New("sample entry: it is not one whole box of a picture's")
	}
	e := media.SampleEntry{
		Kind: media.Video, Timescale: media.VideoTimescale,
		Width:  binary.BigEndian.Uint16(box[visualSize:]),
		Height: binary.BigEndian.Uint16(box[visualSize+2:]),
	}
	if e.Width == 0 || e.Height == 0 {
		return media.SampleEntry{}, fmt.Errorf("sample entry %s: a picture of %dx%d pixels", h.typ, e.Width, e.Height)
	}
	inside := withoutTerminator(box[visualBoxes:])
	boxes, ok := children(inside)
	if !ok {
		return media.SampleEntry{}, fmt.Errorf("sample entry %s: the boxes in it do not fill it", h.typ)
	}
	switch h.typ {
	case "avc1":
		e.Codec, ok = avcCodec(find(boxes, "avcC"))
	case "hvc1", "hev1":
		e.Codec, ok = hevcCodec(h.typ, find(boxes, "hvcC"))
	default:
		return media.SampleEntry{}, fmt.Errorf("sample entry %s: not of H.264 or H.265", h.typ)
	}
	if !ok {
		return media.SampleEntry{}, fmt.Errorf("sample entry %s: its decoder configuration is missing or damaged", h.typ)
	}
	var w writer
	w.box(h.typ, func() {
		w.bytes(box[8:visualBoxes])
		w.bytes(inside)
	})
	binary.BigEndian.PutUint16(w.b[visualDataRef:], 1) // the only one that our files have
	e.Box = w.b
	return e, nil
}

// withoutTerminator leaves out the zeros with which QuickTime ends a list of boxes.
func withoutTerminator(p []byte) []byte {
	if n := len(p) - 4; n >= 0 && binary.BigEndian.Uint32(p[n:]) == 0 {
		if _, whole := children(p); !whole {
			return p[:n]
		}
	}
	return p
}

// avcCodec names what an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1) configures, as RFC 6381 3.3 says. ok is
// false when its parameter sets are not whole, or none.
func avcCodec(c []byte) (codec string, ok bool) {
	if len(c) < 6 || c[0] != 1 {
		return "", false
	}
	sps, rest, ok := skipNALUnits(c[6:], int(c[5]&0x1f))
	if !ok || sps == 0 || len(rest) < 1 {
		return "", false
	}
	pps, _, ok := skipNALUnits(rest[1:], int(rest[0]))
	return fmt.Sprintf("avc1.%X", c[1:4]), ok && pps > 0
}

// hevcCodec names what an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 8.3.3.1) configures, as ISO/IEC 14496-15 Annex E
// says. ok is false when its parameter sets are not whole. There may be none: those of hev1 may be in the samples.
func hevcCodec(entry string, c []byte) (codec string, ok bool) {
	if len(c) < 23 || c[0] != 1 {
		return "", false
	}
	rest := c[23:]
	for range c[22] {
		if len(rest) < 3 {
			return "", false
		}
		if _, rest, ok = skipNALUnits(rest[3:], int(binary.BigEndian.Uint16(rest[1:]))); !ok {
			return "", false
		}
	}
	p := c[1:] // from general_profile_space to general_level_idc, as in the SPS
	space, tier := []string{"", "A", "B", "C"}[p[0]>>6], "LH"[p[0]>>5&1]
	codec = fmt.Sprintf("%s.%s%d.%X.%c%d", entry, space, p[0]&0x1f, bits.Reverse32(binary.BigEndian.Uint32(p[1:])), tier, p[11])
	for _, constraints := range bytes.TrimRight(p[5:11], "\x00") {
		codec += fmt.Sprintf(".%X", constraints)
	}
	return codec, true
}

// skipNALUnits steps over a number of NAL units, each behind its length in 2 bytes.
func skipNALUnits(p []byte, count int) (skipped int, rest []byte, ok bool) {
	for ; skipped < count; skipped++ {
		if len(p) < 2 || len(p)-2 < int(binary.BigEndian.Uint16(p)) {
			return skipped, nil, false
		}
		p = p[2+int(binary.BigEndian.Uint16(p)):]
	}
	return skipped, p, true
}
