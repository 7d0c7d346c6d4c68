package codec

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	mediaav1 "github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/pion/rtp"

	"nvrfs/codec/av1"
	"nvrfs/media"
	"nvrfs/media/box"
)

// av1Codec is AV1 (AV1 Bitstream & Decoding Process Specification), which RTP carries by the RTP Payload Format For AV1. A sample is a
// temporal unit whose OBUs have their sizes in them (AV1 Codec ISO Media File Format Binding 2.4).
var av1Codec = &Codec{
	Name: "AV1", Kind: media.Video,
	receive: receiveAV1,
	boxes:   []string{"av01"}, importEntry: importAV1, isSync: av1SyncFinder,
	send: sendAV1,
}

// av1Receiver puts temporal units together. What a camera sends of the order of pictures needs no working out: a temporal unit has
// exactly one shown picture, so that units come in the order in which they are shown.
type av1Receiver struct {
	units av1.Assembler

	sequence []byte // the sequence header OBU, with its size, of the newest sync sample
	header   av1.Sequence
	entry    media.SampleEntry
	started  bool
	last     int64 // the DTS of the last unit
}

func receiveAV1(f format.Format) (Receiver, error) {
	if _, ok := f.(*format.AV1); !ok {
		return nil, nil
	}
	return new(av1Receiver), nil
}

// Packet implements Receiver.
func (r *av1Receiver) Packet(pkt *rtp.Packet, received time.Time) ([]Unit, error) {
	units, err := r.units.Packet(pkt, received)
	return av1Units(units), err
}

// Lost implements Receiver.
func (r *av1Receiver) Lost() { r.units.Lost() }

// Flush implements Receiver.
func (r *av1Receiver) Flush() []Unit { return av1Units(r.units.Flush()) }

// Awaits implements Predictor.
func (r *av1Receiver) Awaits() (what, do string) {
	return "AV1 key frame with a sequence header", "set its key frame interval to a few seconds"
}

// Entry implements Receiver.
func (r *av1Receiver) Entry() media.SampleEntry { return r.entry }

func av1Units(came []av1.Unit) (units []Unit) {
	for _, u := range came {
		units = append(units, Unit(u))
	}
	return units
}

// Samples implements Receiver. There is none before the first key frame with a sequence header, and none of a unit of which a part did
// not come, since decoders refuse it.
func (r *av1Receiver) Samples(u Unit, pts int64) (samples []media.Sample, newEntry bool, err error) {
	if u.Damaged {
		return nil, false, nil
	}
	unit := av1.ReadTemporalUnit(u.Parts, r.header.ReducedStillPicture)
	if !unit.Picture {
		return nil, false, nil
	}
	if unit.Key && unit.Sequence != nil && !bytes.Equal(unit.Sequence, r.sequence) {
		if newEntry, err = r.renew(unit.Sequence); err != nil {
			return nil, false, err
		}
	}
	if r.entry.Box == nil {
		return nil, false, nil
	}
	if r.started && pts <= r.last {
		pts = r.last + 1
	}
	r.started, r.last = true, pts
	sync := unit.Key && unit.Sequence != nil
	return []media.Sample{{DTS: pts, Duration: usualPicture, Sync: sync, Data: unit.Data}}, newEntry && sync, nil
}

// renew takes in another sequence header.
func (r *av1Receiver) renew(sequence []byte) (newEntry bool, err error) {
	header, err := av1.ParseSequence(sequence)
	if err != nil {
		return false, err
	}
	entry, err := av1Entry(header, sequence)
	if err != nil {
		return false, err
	}
	r.sequence, r.header = bytes.Clone(sequence), header
	if bytes.Equal(entry.Box, r.entry.Box) {
		return false, nil
	}
	r.entry = entry
	return true, nil
}

// av1Entry makes the av01 entry (AV1 binding 2.2) of a sequence header OBU, which has its size.
func av1Entry(s av1.Sequence, sequence []byte) (media.SampleEntry, error) {
	if len(sequence) > maxEntryBytes/2 {
		return media.SampleEntry{}, fmt.Errorf("an AV1 sequence header of %d bytes cannot be stored", len(sequence))
	}
	var w writer
	w.Box("av01", func() {
		w.visualFields(s.Width, s.Height)
		w.Box("av1C", func() { w.Bytes(s.Config(sequence)) })
		if s.Described {
			w.colr(uint16(s.Primaries), uint16(s.Transfer), uint16(s.Matrix), s.FullRange)
		}
	})
	return media.SampleEntry{
		Kind: media.Video, Codec: s.Codec(), Timescale: media.VideoTimescale,
		Width: s.Width, Height: s.Height, Box: w.B,
	}, nil
}

func importAV1(entry []byte) (media.SampleEntry, error) {
	return copyVisual(entry, func(_ string, boxes []box.Child) (string, bool) {
		s, ok := av1.ParseConfig(box.Find(boxes, "av1C"))
		return s.Codec(), ok
	})
}

// sendAV1 sends temporal units as gortsplib cuts them.
func sendAV1(_ media.SampleEntry, payloadType uint8) (*Sender, error) {
	f := &format.AV1{PayloadTyp: payloadType}
	encoder, err := f.CreateEncoder()
	if err != nil {
		return nil, err
	}
	return &Sender{f, func(sample []byte) ([]*rtp.Packet, error) {
		var unit mediaav1.Bitstream
		if err := unit.Unmarshal(sample); err != nil {
			return nil, err
		}
		if len(unit) == 0 {
			return nil, errors.New("no OBU in it")
		}
		return encoder.Encode(unit)
	}}, nil
}
