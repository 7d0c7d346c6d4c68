package flac

import "encoding/binary"

// What STREAMINFO and the header of a frame have room for (RFC 9639).
const (
	MaxChannels = 8         // 9.1.3
	MaxBlock    = 1<<16 - 1 // moments in a frame, 9.1.6
	MaxRate     = 1<<20 - 1 // moments a second, 8.2
	maxPosition = 1<<36 - 1 // 9.1.5
)

const (
	streamInfoBytes = 34 // 8.2
	streamInfoHead  = 4  // the header of a metadata block, 8.1
)

// A StreamInfo is what the metadata block STREAMINFO says (RFC 9639 8.2).
type StreamInfo struct {
	Rate     uint32 // moments a second
	Channels uint16
	Depth    uint16 // bits of a value
}

// ParseStreamInfo reads the first of some metadata blocks, with its header.
func ParseStreamInfo(blocks []byte) (s StreamInfo, ok bool) {
	if len(blocks) < streamInfoHead+streamInfoBytes || blocks[0]&0x7f != 0 || blocks[3] != streamInfoBytes {
		return s, false
	}
	packed := binary.BigEndian.Uint64(blocks[streamInfoHead+10:])
	return StreamInfo{Rate: uint32(packed >> 44), Channels: uint16(packed>>41&7 + 1), Depth: uint16(packed>>36&31 + 1)}, true
}

// StreamInfo makes the metadata block STREAMINFO of the frames, with its header. How many there are and what they add up to is not
// known, which is said by zeros.
func (f *Encoder) StreamInfo() []byte {
	blocks := make([]byte, streamInfoHead+streamInfoBytes)
	blocks[0], blocks[3] = 0x80, streamInfoBytes // the last block
	info := blocks[streamInfoHead:]
	binary.BigEndian.PutUint16(info, 16) // the shortest and longest frame that may be
	binary.BigEndian.PutUint16(info[2:], MaxBlock)
	binary.BigEndian.PutUint64(info[10:], uint64(f.rate)<<44|uint64(f.channels-1)<<41|uint64(f.depth-1)<<36)
	return blocks
}
