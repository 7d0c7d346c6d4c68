package rtsp

// routedHead is how many bytes of an interleaved frame a route takes: its head, and where RTP has the payload type.
const routedHead = 4 + 2

// routes lead RTP packets to the channels of their tracks by their payload types, because some cameras send on other channels than they
// agreed to, or on one channel for all tracks.
type routes struct {
	channels [128]int16 // by payload type: 1 more than the channel, 0 where no track has the type, and manyTracks
}

const manyTracks = -1 // have the payload type, so that it does not tell one

// add has packets of some payload types go to a channel.
func (r *routes) add(payloadTypes []uint8, channel int) {
	for _, pt := range payloadTypes {
		if c := &r.channels[pt&0x7f]; *c == 0 {
			*c = int16(channel) + 1
		} else {
			*c = manyTracks
		}
	}
}

// route changes the channel of a frame, of which head is the beginning.
func (r *routes) route(head []byte) {
	if to := r.channels[head[5]&0x7f]; to > 0 && head[4]>>6 == 2 && (head[5] < 192 || head[5] > 223) { // no RTCP (RFC 5761 4)
		head[1] = byte(to - 1)
	}
}
