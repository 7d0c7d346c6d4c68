package nal

import (
	"errors"
	"fmt"
)

const (
	// maxPictureBytes and maxPictureUnits bound what is kept of a picture. The largest pictures of the highest levels have 600 slices,
	// and less than 12 MiB (ITU-T H.265 A.4).
	maxPictureBytes = 16 << 20
	maxPictureUnits = 4096
	// maxBeforeBytes bounds what is kept of the NAL units before the first slice of a picture: parameter sets and messages.
	maxBeforeBytes = 1 << 20
	// provenMarks is after how many pictures the marker bits of a camera are believed.
	provenMarks = 8
)

// Class says where a NAL unit stands among those of a picture (ITU-T H.264 7.4.1.2.3, H.265 7.4.2.4.4).
type Class uint8

const (
	Ignored  Class = iota // it has no place in mp4, or is none of the codec's
	Broken                // a slice that says of itself that it is damaged
	Set                   // a parameter set
	Leading               // it stands before the slices of a picture
	Slice                 // a slice, or the most important part of one
	Trailing              // it stands behind a slice
)

// A slice is what the head of a slice says.
type slice struct {
	first     bool   // it is the one at the top left of its picture
	redundant bool   // it is a copy, for decoders that lack the other
	intra     bool   // it needs no other picture
	missing   string // the parameter set that it refers to and that did not come, or ""
	sps       uint32 // the sequence parameter set that it refers to
	of        pictureKey
}

// A pictureKey is what the slices of a picture have in common. Slices of which it differs are of different pictures.
type pictureKey struct {
	known     bool // the parameter sets are known, without which only kind can be read
	kind      uint8
	frame     uint32 // frame_num
	field     uint8  // 1 for a top and 2 for a bottom field, 0 for a frame
	idr       uint32
	order     uint32 // what it says of the picture order count
	orderDiff [2]int32
}

// complements reports whether two slices are of the two fields of one frame (ITU-T H.264 3.30).
func (k *pictureKey) complements(first *pictureKey) bool {
	return k.known && first.known && k.field != 0 && k.field+first.field == 3 && k.frame == first.frame &&
		(k.kind == first.kind || k.kind != kindIDR)
}

// kindIDR is the kind of the slices of IDR pictures of H.264.
const kindIDR = 5

// pictures makes access units of NAL units. The slices tell where a picture begins, because cameras mark the last packet of a
// picture as they like, and send several pictures with one timestamp. Two fields of a frame are one access unit, as mp4 has them.
//
// A picture is given out when the next one begins, or, where the camera's marks have been right for some pictures, at its mark.
type pictures struct {
	reader Reader

	before      []unit // what stands before the next slice
	beforeBytes int

	open   bool       // a picture is coming in
	unit   AccessUnit // what came of it
	bytes  int        // of unit
	last   pictureKey // of its newest slice
	first  bool       // its first slice came
	second bool       // its second field has begun
	marked bool       // the packet of its newest NAL unit is marked
	full   bool       // it, or before, exceeded a bound

	lost     bool // packets were lost since the newest NAL unit
	proven   int  // pictures whose marks were right
	lying    bool // a mark was wrong
	atMark   bool // the newest picture was given out at its mark
	parts    int  // how many NAL units the newest picture had
	complete []AccessUnit
}

// add takes the next NAL unit.
func (p *pictures) add(u unit) error {
	class := Ignored
	if len(u.data) > 0 {
		class = p.reader.Class(u.data)
	}
	if u.partial {
		p.partial(u, class)
		return nil
	}
	switch class {
	case Broken:
		p.lost = true
		return errors.New("a slice of a picture says of itself that it is damaged")
	case Set:
		p.reader.Learn(u.data)
		return p.hold(u)
	case Leading:
		return p.hold(u)
	case Trailing:
		if p.open && len(p.before) == 0 {
			return p.put(u.data)
		}
		return p.hold(u)
	case Slice:
		return p.slice(u)
	}
	return nil
}

// partial takes what came of a NAL unit of which a fragment is missing.
func (p *pictures) partial(u unit, class Class) {
	if class == Slice && p.open {
		if s := p.reader.slice(u.data); p.begins(u.timestamp, &s) {
			p.end()
		} else {
			p.unit.Damaged = true
		}
	}
	p.lost = true
}

// hold keeps a NAL unit until the next slice.
func (p *pictures) hold(u unit) error {
	if p.beforeBytes+len(u.data) > maxBeforeBytes || len(p.before) == maxPictureUnits {
		p.release()
		return p.exceeds()
	}
	p.before, p.beforeBytes = append(p.before, u), p.beforeBytes+len(u.data)
	return nil
}

// release lets go of the NAL units before the next slice.
func (p *pictures) release() {
	clear(p.before)
	p.before, p.beforeBytes = p.before[:0], 0
}

// put adds a NAL unit to the picture.
func (p *pictures) put(data []byte) error {
	if p.bytes+len(data) > maxPictureBytes || len(p.unit.Parts) == maxPictureUnits {
		p.unit.Damaged = true
		return p.exceeds()
	}
	p.unit.Parts, p.bytes = append(p.unit.Parts, data), p.bytes+len(data)
	return nil
}

// exceeds returns an error for the first NAL unit of a picture that is left out.
func (p *pictures) exceeds() error {
	if p.full {
		return nil
	}
	p.full = true
	return fmt.Errorf("a picture has more than %d NAL units or %d bytes; the rest of it is left out", maxPictureUnits, maxPictureBytes)
}

func (p *pictures) slice(u unit) error {
	s := p.reader.slice(u.data)
	switch {
	case !p.open:
		p.lying = p.lying || p.atMark && !p.lost && !s.first && !s.redundant
		p.begin(u)
	case p.begins(u.timestamp, &s):
		p.end()
		p.begin(u)
	default:
		p.goOn(&s)
	}
	p.lost, p.marked, p.last, p.first = false, false, s.of, p.first || s.first
	for _, b := range p.before {
		if err := p.put(b.data); err != nil {
			return err
		}
	}
	p.release()
	return p.put(u.data)
}

// begins reports whether a slice that comes while a picture is coming in is of another picture.
func (p *pictures) begins(timestamp uint32, s *slice) bool {
	other := timestamp != p.unit.Timestamp
	switch {
	case s.redundant, !p.second && s.of.complements(&p.last):
		return false
	case s.first: // it is not the first to come of its picture where an encoder sends slices in an order of its own
		return p.first || other || !s.of.known || s.of != p.last
	case p.lost && other:
		return true
	case s.of.known && p.last.known:
		return s.of != p.last
	}
	return s.of.kind != p.last.kind
}

func (p *pictures) begin(u unit) {
	p.unit = AccessUnit{Parts: make([][]byte, 0, max(p.parts, len(p.before)+1)), Timestamp: u.timestamp, Received: u.received}
	for _, b := range p.before {
		if b.timestamp == u.timestamp {
			p.unit.Received = b.received
			break
		}
	}
	p.open, p.bytes, p.full, p.atMark = true, 0, false, false
}

// goOn says that another slice of the picture comes.
func (p *pictures) goOn(s *slice) {
	if !p.second && s.of.complements(&p.last) {
		p.second = true
		p.unit.Damaged = p.unit.Damaged || !s.first
	} else if p.marked {
		p.lying = true
	}
	p.unit.Damaged = p.unit.Damaged || p.lost
}

// mark says that the packet whose NAL units were added last is marked as the last one of its picture.
func (p *pictures) mark() {
	if !p.open || len(p.before) > 0 || p.lost {
		return
	}
	p.marked = true
	if p.lying || p.proven < provenMarks || p.last.field != 0 && !p.second {
		return
	}
	p.end()
	p.atMark = true
}

// end gives out the picture.
func (p *pictures) end() {
	right := p.marked && !p.lying
	if right {
		p.proven++
	}
	p.unit.Damaged = p.unit.Damaged || !p.first || p.lost && !right
	p.parts = len(p.unit.Parts)
	p.complete = append(p.complete, p.unit)
	p.open, p.unit, p.first, p.second, p.marked = false, AccessUnit{}, false, false, false
}

// take returns the pictures that are complete.
func (p *pictures) take() []AccessUnit {
	units := p.complete
	p.complete = nil
	return units
}

// flush gives out the picture that is coming in.
func (p *pictures) flush() {
	if p.open {
		p.end()
	}
	p.release()
}
