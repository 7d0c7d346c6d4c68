package codec

import (
	"encoding/binary"
	"slices"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"nvrfs/codec/av1"
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

// av1SyncFinder needs no more than the sample.
func av1SyncFinder(media.SampleEntry) func([]byte) (sync, known bool) { return av1.IsSync }

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
