package codec

import (
	"encoding/binary"
	"slices"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"nvrfs/media"
)

// SyncFinder returns what tells from the first bytes of a sample, whose sample entry has this box, whether decoding can start
// there; known is false where these do not tell. It returns nil where the codec has no way to.
func SyncFinder(box []byte) func(start []byte) (sync, known bool) {
	for _, c := range registry {
		if c.isSync != nil && slices.Contains(c.boxes, boxType(box)) {
			return c.isSync(media.SampleEntry{Box: box})
		}
	}
	return nil
}

func h264SyncFinder(e media.SampleEntry) func([]byte) (sync, known bool) {
	c, _ := parseAVCC(visualConfig(e, "avcC"))
	return findSlice(c.lengthSize, func(nal []byte) (sync, picture bool) {
		switch h264.NALUType(nal[0] & 0x1f) {
		case h264.NALUTypeIDR:
			return true, true
		case h264.NALUTypeNonIDR, h264.NALUTypeDataPartitionA:
			return false, true
		}
		return false, false
	})
}

func h265SyncFinder(e media.SampleEntry) func([]byte) (sync, known bool) {
	c, _ := parseHVCC(visualConfig(e, "hvcC"))
	return findSlice(c.lengthSize, func(nal []byte) (sync, picture bool) {
		typ := h265.NALUType(nal[0] >> 1 & 0x3f)
		// The types of intra random access points, and of all slices (ITU-T H.265 Table 7-1).
		return typ >= 16 && typ <= 23, typ < 32
	})
}

// av1SyncFinder returns what looks for a key frame that is shown at once behind a sequence header.
func av1SyncFinder(media.SampleEntry) func([]byte) (sync, known bool) {
	return func(p []byte) (bool, bool) {
		sequence, reducedStillPicture := false, false
		for len(p) > 0 && p[0]&0x82 == 2 { // obu_has_size_field
			typ, head := p[0]>>3&0xf, 1+int(p[0]>>2&1)
			if len(p) < head {
				return false, false
			}
			size, n, ok := readLEB128(p[head:])
			body := p[min(head+n, len(p)):]
			if !ok || len(body) == 0 {
				return false, false
			}
			switch typ {
			case obuSequenceHeader:
				sequence, reducedStillPicture = true, body[0]&8 != 0
			case obuFrame, obuFrameHeader:
				return sequence && (reducedStillPicture || body[0]&0xf0 == 0x10), true // as in readTemporalUnit
			}
			if size > len(body) {
				return false, false
			}
			p = body[size:]
		}
		return false, false
	}
}

// findSlice returns what looks for the first slice in a sample whose NAL units have lengths of so many bytes in front.
func findSlice(lengthSize int, look func(nal []byte) (sync, picture bool)) func([]byte) (sync, known bool) {
	if lengthSize == 0 {
		return nil
	}
	return func(p []byte) (bool, bool) {
		for len(p) > lengthSize {
			var length [8]byte
			copy(length[8-lengthSize:], p[:lengthSize])
			n := binary.BigEndian.Uint64(length[:])
			p = p[lengthSize:]
			if n > 0 {
				if sync, picture := look(p); picture {
					return sync, true
				}
			}
			if n > uint64(len(p)) {
				return false, false
			}
			p = p[n:]
		}
		return false, false
	}
}
