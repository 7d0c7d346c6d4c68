package rtsp

import "encoding/binary"

const (
	// senselessNumbers is from which score on the sequence numbers of a source say nothing.
	senselessNumbers = 32
	// usedTwice is what it counts for when a number comes twice, of different packets.
	usedTwice = 16
)

// numbers judges the sequence numbers of a source (RFC 3550 5.1). Some cameras send the same one with every packet, or one a picture,
// or others that do not count the packets. It keeps a score, which grows with what no network makes of numbers that count: one number
// of two packets, steps of other than 1 that are all the same, and numbers that are far from each other.
type numbers struct {
	senseless bool // the packets are to be taken as they come

	score int
	last  uint16
	step  uint16
	mark  uint64 // of the newest packet
}

// next takes in a packet whose number is that of the one before it, and 1.
func (n *numbers) next(number uint16, mark uint64) {
	n.last, n.step, n.mark, n.score = number, 1, mark, n.score/2
}

// add takes in any packet, and reports whether numbers say nothing. far says that the number is far from those before it.
func (n *numbers) add(number uint16, mark uint64, far bool) (senseless bool) {
	step := number - n.last
	switch {
	case step == 0 && mark == n.mark: // the same packet
	case step == 0:
		n.score += usedTwice
	case step == n.step && step != 1, far:
		n.score++
	case step == 1:
		n.score /= 2
	default:
		n.score = max(0, n.score-1)
	}
	n.last, n.step, n.mark = number, step, mark
	n.senseless = n.senseless || n.score >= senselessNumbers
	return n.senseless
}

// packetMark tells a packet from others, by its timestamp and a part of what is in it.
func packetMark(timestamp uint32, payload []byte) uint64 {
	mark := uint64(timestamp)<<16 ^ uint64(len(payload))
	if n := len(payload) - 8; n >= 0 {
		mark ^= binary.BigEndian.Uint64(payload) ^ binary.LittleEndian.Uint64(payload[n:])
	}
	return mark
}
