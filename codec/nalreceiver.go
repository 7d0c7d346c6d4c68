package codec

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/pion/rtp"

	"nvrfs/codec/nal"
	"nvrfs/media"
)

// How long after the newest sync sample, or after the first picture, a picture is taken for a sync sample although decoders show
// what is right only some pictures later.
const (
	refreshAfter   = 5 * time.Second  // for one where a refresh begins, because encoders that refresh gradually may send none better
	intraAfter     = 10 * time.Second // for one that needs no other picture, though those behind it may, while nothing can be recorded
	nextIntraAfter = time.Minute      // the same, later
)

// A nalFormat is what H.264 and H.265 have different in mp4.
type nalFormat interface {
	nal.Reader

	// entry makes the sample entry for a sync sample, whose parameter sets are known.
	entry(p *nal.Picture) media.SampleEntry
	// order returns what tells the decoding order of the pictures from a sync sample on, or nil where they do not say it, and the sets
	// that it must read before. ok is false where the one that is in use goes on.
	order(p *nal.Picture) (o nal.Order, sets [][]byte, ok bool)
	// awaits says what a first sample takes: the picture, the parameter sets, and how to have the camera send such a picture.
	awaits() (picture, sets, do string)
}

// nalReceiver turns the packets of an H.264 or H.265 stream into samples.
//
// Parameter sets belong in the sample entry. Those that the camera sends also stay in their samples, where decoders find them that do
// not follow a change of sample entries. The sample entry changes only at sync samples, where a reader can start anew.
type nalReceiver struct {
	assembler *nal.Assembler

	// other reads the packets as of the other codec, until a picture shows which of the two it is: the descriptions of some cameras
	// are wrong.
	other *nalReceiver

	format   nalFormat // what it knows lags behind what the assembler does, because pictures are given out when they end
	entry    media.SampleEntry
	version  int    // of the parameter sets of entry
	sps      uint32 // that pictures of entry refer to
	times    nal.DecodeTimes
	inOrder  [][]byte  // lent to times
	lastSync time.Time // when the newest sync sample came, or else the first picture
	sawStart bool      // a picture came at which decoding can start
	missing  string    // the parameter set without which it cannot
	leadIn   bool      // decoding starts at a picture whose leading pictures it cannot show
	start    int64     // when that picture is shown
}

// newNALReceiver takes the parameter sets of a session description. Those in the stream take their place.
func newNALReceiver(fresh func() nalFormat, sets ...[]byte) *nalReceiver {
	ahead, format := fresh(), fresh()
	for _, set := range sets {
		for _, unit := range nal.Split(set) {
			if format.Class(unit) == nal.Set {
				ahead.Learn(unit)
				format.Learn(unit)
			}
		}
	}
	return &nalReceiver{assembler: nal.NewAssembler(ahead), format: format, times: nal.NewDecodeTimes()}
}

// Packet implements Receiver.
func (r *nalReceiver) Packet(pkt *rtp.Packet, received time.Time) ([]Unit, error) {
	access, err := r.assembler.Packet(pkt, received)
	units := asUnits(access)
	if r.other == nil {
		return units, err
	}
	others, _ := r.other.Packet(pkt, received)
	return r.decide(units, others), nil // nothing can be recorded yet, and what is wrong may be the codec
}

func asUnits(access []nal.AccessUnit) (units []Unit) {
	for _, a := range access {
		units = append(units, Unit(a))
	}
	return units
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

// starts reports whether a recording can start at an access unit.
func (r *nalReceiver) starts(u Unit) bool {
	p := r.format.Examine(u.Parts)
	return !u.Damaged && p.Start >= nal.StartOpen && p.Missing == ""
}

// Lost implements Receiver.
func (r *nalReceiver) Lost() {
	r.assembler.Lost()
	r.times.RestartAtSync = true
	if r.other != nil {
		r.other.Lost()
	}
}

// Flush implements Receiver.
func (r *nalReceiver) Flush() []Unit {
	units := asUnits(r.assembler.Flush())
	if r.other == nil {
		return units
	}
	return r.decide(units, r.other.Flush())
}

// Awaits implements Predictor.
func (r *nalReceiver) Awaits() (what, do string) {
	picture, sets, do := r.format.awaits()
	switch {
	case !r.sawStart:
		return picture, do
	case r.missing != "" && r.format.Known().Empty():
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
	p := r.format.Examine(u.Parts)
	if p.Slices == 0 {
		return nil, false, nil
	}
	sync := r.isSync(&u, &p)
	if sync {
		newEntry = r.renewEntry(&p)
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
func (r *nalReceiver) isSync(u *Unit, p *nal.Picture) bool {
	if r.lastSync.IsZero() {
		r.lastSync = u.Received
	}
	r.sawStart = r.sawStart || p.Start >= nal.StartOpen
	if u.Damaged || p.Start == nal.StartNever {
		return false
	}
	if r.missing = p.Missing; p.Missing != "" {
		return false
	}
	var wait time.Duration
	switch {
	case p.Start == nal.StartRefresh:
		wait = refreshAfter
	case p.Start == nal.StartIntra && r.entry.Box == nil:
		wait = intraAfter
	case p.Start == nal.StartIntra:
		wait = nextIntraAfter
	}
	if u.Received.Sub(r.lastSync) < wait {
		return false
	}
	r.lastSync = u.Received
	return true
}

// renewEntry makes the sample entry for a sync sample, and reports whether it differs from the one before.
func (r *nalReceiver) renewEntry(p *nal.Picture) (changed bool) {
	version := r.format.Known().Version()
	if r.entry.Box != nil && version == r.version && p.SPS == r.sps {
		return false
	}
	entry := r.format.entry(p)
	r.version, r.sps = version, p.SPS
	if bytes.Equal(entry.Box, r.entry.Box) {
		return false
	}
	r.entry, r.times.RestartAtSync = entry, true
	return true
}

// cannotFollow reports whether a picture is to be left out because it needs some from before the first sample.
func (r *nalReceiver) cannotFollow(p *nal.Picture, sync bool, pts int64) bool {
	switch {
	case !r.times.Started():
		r.leadIn, r.start = p.Start != nal.StartIDR, pts
	case sync:
		r.leadIn = false
	}
	return r.leadIn && !sync && p.Leading && pts < r.start
}

func (r *nalReceiver) decodeTime(p *nal.Picture, sync bool, pts int64) (dts, shown int64) {
	r.inOrder = r.inOrder[:0]
	if sync && r.times.RestartAtSync {
		if order, sets, ok := r.format.order(p); ok {
			r.times.Restart(order)
			r.inOrder = append(r.inOrder, sets...)
		}
	}
	r.inOrder = append(r.inOrder, p.First)
	return r.times.Next(r.inOrder, pts)
}

// join makes a sample of NAL units, each behind its length in 4 bytes (ISO/IEC 14496-15 5.3.4.2).
func (r *nalReceiver) join(parts [][]byte) []byte {
	size := 0
	for _, p := range parts {
		size += 4 + len(p)
	}
	data := make([]byte, 0, size)
	for _, p := range parts {
		if len(p) > 0 && r.format.Class(p) > nal.Broken {
			data = append(binary.BigEndian.AppendUint32(data, uint32(len(p))), p...)
		}
	}
	return data
}
