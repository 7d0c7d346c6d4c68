package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/pion/rtp"

	"nvrfs/media"
)

// How long after the newest sync sample, or after the first picture, a picture is taken for a sync sample although decoders show
// what is right only some pictures later.
const (
	refreshAfter   = 5 * time.Second  // for one where a refresh begins, because encoders that refresh gradually may send none better
	intraAfter     = 10 * time.Second // for one that needs no other picture, though those behind it may, while nothing can be recorded
	nextIntraAfter = time.Minute      // the same, later
)

// A startKind says how well decoding can start at a picture.
type startKind uint8

const (
	startNever   startKind = iota
	startIntra             // the picture needs no other, but nothing says that those behind it need none from before it
	startRefresh           // what is shown is right after some pictures
	startOpen              // but for pictures that are shown before it, all is right
	startIDR               // all is right
)

// A picture is what an access unit says of itself.
type picture struct {
	slices  int
	start   startKind
	leading bool   // where decoding starts at the sync sample before it, it cannot be decoded if it is shown before that one
	missing string // the parameter set that a slice refers to and that did not come, or ""
	sps     uint32 // the sequence parameter set that its slices refer to
	slice   []byte // its first one
}

// A nalReader knows the NAL units of a codec. It reads those of one track in the order in which they are sent, and keeps the parameter
// sets among them.
type nalReader interface {
	// unpack takes the NAL units out of an RTP payload, which is not empty.
	unpack(n *nalPackets, payload []byte) error
	// class says what a NAL unit is, which is not empty.
	class(unit []byte) nalClass
	// learn keeps a parameter set.
	learn(set []byte)
	// known returns the parameter sets.
	known() *parameterSets
	// slice reads the head of a slice.
	slice(unit []byte) slice
	// examine learns the parameter sets of an access unit, and says what picture it is.
	examine(parts [][]byte) picture

	// entry makes the sample entry for a sync sample.
	entry(p *picture) (media.SampleEntry, error)
	// order returns what tells the decoding order of the pictures from a sync sample on, or nil where they do not say it, and the sets
	// that it must read before. ok is false where it cannot begin with such a picture.
	order(p *picture) (o pictureOrder, sets [][]byte, ok bool)

	// awaits says what a first sample takes: the picture, the parameter sets, and how to have the camera send such a picture.
	awaits() (picture, sets, do string)
}

// nalReceiver turns the packets of an H.264 or H.265 stream into samples.
//
// Parameter sets belong in the sample entry. Those that the camera sends also stay in their samples, where decoders find them that do
// not follow a change of sample entries. The sample entry changes only at sync samples, where a reader can start anew.
type nalReceiver struct {
	packets  nalPackets
	pictures pictures
	lost     bool // before the next packet

	// other reads the packets as of the other codec, until a picture shows which of the two it is: the descriptions of some cameras
	// are wrong.
	other *nalReceiver

	reader   nalReader // what it knows lags behind what that of pictures does, because pictures are given out when they end
	entry    media.SampleEntry
	version  int    // of the parameter sets of entry
	sps      uint32 // that pictures of entry refer to
	times    decodeTimes
	inOrder  [][]byte  // lent to times
	lastSync time.Time // when the newest sync sample came, or else the first picture
	sawStart bool      // a picture came at which decoding can start
	missing  string    // the parameter set without which it cannot
	leadIn   bool      // decoding starts at a picture whose leading pictures it cannot show
	start    int64     // when that picture is shown
}

// newNALReceiver takes the parameter sets of a session description. Those in the stream take their place.
func newNALReceiver(fresh func() nalReader, sets ...[]byte) *nalReceiver {
	r := &nalReceiver{packets: newNALPackets(), pictures: pictures{reader: fresh()}, reader: fresh(), times: decodeTimes{restartAtSync: true}}
	for _, set := range sets {
		if len(set) > 0 && r.reader.class(set) == nalSet {
			r.reader.learn(set)
			r.pictures.reader.learn(set)
		}
	}
	return r
}

// Packet implements Receiver.
func (r *nalReceiver) Packet(pkt *rtp.Packet, received time.Time) ([]Unit, error) {
	units, err := r.receive(pkt, received)
	if r.other == nil {
		return units, err
	}
	others, _ := r.other.receive(pkt, received)
	return r.decide(units, others), nil // nothing can be recorded yet, and what is wrong may be the codec
}

// decide ends the search for the codec where a picture shows which it is.
func (r *nalReceiver) decide(units, others []Unit) []Unit {
	if slices.ContainsFunc(units, r.starts) {
		r.other = nil
	} else if slices.ContainsFunc(others, r.other.starts) {
		*r = *r.other
		return others
	}
	return units
}

func (r *nalReceiver) starts(u Unit) bool {
	p := r.reader.examine(u.Parts)
	return !u.Damaged && p.start >= startOpen && p.missing == ""
}

func (r *nalReceiver) receive(pkt *rtp.Packet, received time.Time) ([]Unit, error) {
	var first error
	if r.lost {
		r.lost = false
		r.packets.breakOff()
		first = r.addUnits()
		r.pictures.lost = true
	}
	r.packets.begin(pkt, received)
	if len(pkt.Payload) > 0 { // some cameras send empty ones
		if err := r.pictures.reader.unpack(&r.packets, pkt.Payload); err != nil {
			first = err
		}
	}
	if err := r.addUnits(); first == nil {
		first = err
	}
	if pkt.Marker && !r.packets.open() {
		r.pictures.mark()
	}
	return r.pictures.take(), first
}

func (r *nalReceiver) addUnits() (first error) {
	for _, u := range r.packets.take() {
		if err := r.pictures.add(u); first == nil {
			first = err
		}
	}
	return first
}

// Lost implements Receiver.
func (r *nalReceiver) Lost() {
	r.lost, r.times.restartAtSync = true, true
	if r.other != nil {
		r.other.Lost()
	}
}

// Flush implements Receiver.
func (r *nalReceiver) Flush() []Unit {
	units := r.flush()
	if r.other == nil {
		return units
	}
	return r.decide(units, r.other.flush())
}

func (r *nalReceiver) flush() []Unit {
	_ = r.packets.endFragments() // what is damaged of it is dropped
	_ = r.addUnits()
	r.pictures.flush()
	return r.pictures.take()
}

// Awaits implements Predictor.
func (r *nalReceiver) Awaits() (what, do string) {
	picture, sets, do := r.reader.awaits()
	switch {
	case !r.sawStart:
		return picture, do
	case r.missing != "" && len(r.reader.known().sets) == 0:
		return sets, ""
	case r.missing != "":
		return "parameter set " + r.missing + ", to which its pictures refer", ""
	}
	return picture + " of which no part is missing", ""
}

// Entry implements Receiver.
func (r *nalReceiver) Entry() media.SampleEntry { return r.entry }

// Samples implements Receiver. There is no sample before the first picture at which decoding can start with known parameter sets, nor
// for an access unit without slices.
func (r *nalReceiver) Samples(u Unit, pts int64) (samples []media.Sample, newEntry bool, err error) {
	p := r.reader.examine(u.Parts)
	if p.slices == 0 {
		return nil, false, nil
	}
	sync := r.isSync(&u, &p)
	if sync {
		if newEntry, err = r.renewEntry(&p); err != nil {
			return nil, false, err
		}
	}
	if r.entry.Box == nil || r.cannotFollow(&p, sync, pts) {
		return nil, false, nil
	}
	r.other = nil
	dts, shown := r.decodeTime(&p, sync, pts)
	data := r.join(u.Parts)
	return []media.Sample{{DTS: dts, CTS: int32(shown - dts), Duration: usualPicture, Sync: sync, Data: data}}, newEntry, nil
}

// isSync reports whether decoding can start at a picture.
func (r *nalReceiver) isSync(u *Unit, p *picture) bool {
	if r.lastSync.IsZero() {
		r.lastSync = u.Received
	}
	r.sawStart = r.sawStart || p.start >= startOpen
	if u.Damaged || p.start == startNever {
		return false
	}
	if r.missing = p.missing; p.missing != "" {
		return false
	}
	var wait time.Duration
	switch {
	case p.start == startRefresh:
		wait = refreshAfter
	case p.start == startIntra && r.entry.Box == nil:
		wait = intraAfter
	case p.start == startIntra:
		wait = nextIntraAfter
	}
	if u.Received.Sub(r.lastSync) < wait {
		return false
	}
	r.lastSync = u.Received
	return true
}

// renewEntry makes the sample entry for a sync sample, and reports whether it differs from the one before.
func (r *nalReceiver) renewEntry(p *picture) (changed bool, err error) {
	version := r.reader.known().version
	if r.entry.Box != nil && version == r.version && p.sps == r.sps {
		return false, nil
	}
	entry, err := r.reader.entry(p)
	if err != nil {
		return false, fmt.Errorf("the camera's parameter sets cannot be stored: %w", err)
	}
	r.version, r.sps = version, p.sps
	if bytes.Equal(entry.Box, r.entry.Box) {
		return false, nil
	}
	r.entry, r.times.restartAtSync = entry, true
	return true, nil
}

// cannotFollow reports whether a picture is to be left out because it needs some from before the first sample.
func (r *nalReceiver) cannotFollow(p *picture, sync bool, pts int64) bool {
	switch {
	case !r.times.started:
		r.leadIn, r.start = p.start != startIDR, pts
	case sync:
		r.leadIn = false
	}
	return r.leadIn && !sync && p.leading && pts < r.start
}

func (r *nalReceiver) decodeTime(p *picture, sync bool, pts int64) (dts, shown int64) {
	r.inOrder = r.inOrder[:0]
	if sync && r.times.restartAtSync {
		if order, sets, ok := r.reader.order(p); ok {
			r.times.restart(order)
			r.inOrder = append(r.inOrder, sets...)
		}
	}
	r.inOrder = append(r.inOrder, p.slice)
	return r.times.next(r.inOrder, pts)
}

// join makes a sample of NAL units, each behind its length in 4 bytes (ISO/IEC 14496-15 5.3.4.2).
func (r *nalReceiver) join(parts [][]byte) []byte {
	size := 0
	for _, p := range parts {
		size += 4 + len(p)
	}
	data := make([]byte, 0, size)
	for _, p := range parts {
		if len(p) > 0 && r.reader.class(p) > nalBroken {
			data = append(binary.BigEndian.AppendUint32(data, uint32(len(p))), p...)
		}
	}
	return data
}
