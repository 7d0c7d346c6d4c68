package nal

// A Start says how well decoding can start at a picture.
type Start uint8

const (
	StartNever   Start = iota
	StartIntra         // the picture needs no other, but nothing says that those behind it need none from before it
	StartRefresh       // what is shown is right after some pictures
	StartOpen          // but for pictures that are shown before it, all is right
	StartIDR           // all is right
)

// A Picture is what an access unit says of itself.
type Picture struct {
	Slices  int
	Start   Start
	Leading bool   // where decoding starts at the sync sample before it, it cannot be decoded if it is shown before that one
	Missing string // the parameter set that a slice refers to and that did not come, or ""
	SPS     uint32 // the sequence parameter set that its slices refer to
	First   []byte // its first slice
}

// A Reader knows the NAL units of a codec. It reads those of one track in the order in which they are sent, and keeps the parameter
// sets among them.
type Reader interface {
	// Class says what a NAL unit is, which is not empty.
	Class(unit []byte) Class
	// Learn keeps a parameter set, which is of that class.
	Learn(set []byte)
	// Known returns the parameter sets.
	Known() *Sets
	// Examine learns the parameter sets of an access unit, and says what picture it is.
	Examine(parts [][]byte) Picture

	// unpack takes the NAL units out of an RTP payload, which is not empty.
	unpack(n *packets, payload []byte) error
	// slice reads the head of a slice.
	slice(unit []byte) slice
}

// startOf says how well decoding can start at a picture.
func startOf(anew, recovers, atOnce, intra bool) Start {
	switch {
	case anew:
		return StartIDR
	case recovers && atOnce && intra:
		return StartOpen
	case recovers:
		return StartRefresh
	case intra:
		return StartIntra
	}
	return StartNever
}
