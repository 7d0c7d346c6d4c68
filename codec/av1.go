package codec

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/pion/rtp"

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

// Types of OBU (AV1 specification 6.2.2).
const (
	obuSequenceHeader    = 1
	obuTemporalDelimiter = 2
	obuFrameHeader       = 3
	obuTileGroup         = 4
	obuFrame             = 6
	obuTileList          = 8
	obuPadding           = 15
)

// av1Receiver puts temporal units together. What a camera sends of the order of pictures needs no working out: a temporal unit has
// exactly one shown picture, so that units come in the order in which they are shown.
type av1Receiver struct {
	obus obuAssembly

	sequence []byte // the sequence header OBU, with its size, of the newest sync sample
	header   av1Sequence
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
	return r.obus.packet(pkt, received)
}

// Lost implements Receiver.
func (r *av1Receiver) Lost() { r.obus.damaged() }

// Flush implements Receiver.
func (r *av1Receiver) Flush() []Unit { return r.obus.flush() }

// Awaits implements Predictor.
func (r *av1Receiver) Awaits() (what, do string) {
	return "AV1 key frame with a sequence header", "set its key frame interval to a few seconds"
}

// Entry implements Receiver.
func (r *av1Receiver) Entry() media.SampleEntry { return r.entry }

// Samples implements Receiver. There is none before the first key frame with a sequence header, and none of a unit of which a part did
// not come, since decoders refuse it.
func (r *av1Receiver) Samples(u Unit, pts int64) (samples []media.Sample, newEntry bool, err error) {
	if u.Damaged {
		return nil, false, nil
	}
	unit := readTemporalUnit(u.Parts, r.header.reducedStillPicture)
	if !unit.picture {
		return nil, false, nil
	}
	if unit.key && unit.sequence != nil && !bytes.Equal(unit.sequence, r.sequence) {
		if newEntry, err = r.renew(unit.sequence); err != nil {
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
	sync := unit.key && unit.sequence != nil
	return []media.Sample{{DTS: pts, Duration: usualPicture, Sync: sync, Data: unit.data}}, newEntry && sync, nil
}

// renew takes in another sequence header.
func (r *av1Receiver) renew(sequence []byte) (newEntry bool, err error) {
	header, err := parseAV1Sequence(sequence)
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

// A temporalUnit is what a sample keeps of a temporal unit.
type temporalUnit struct {
	data     []byte // its OBUs, each with its size
	sequence []byte // the first sequence header of data
	picture  bool
	key      bool // the first picture is a key frame that is shown at once, where decoding can start
}

// readTemporalUnit makes a sample of OBUs. Delimiters, padding and tile lists do not belong into files (AV1 binding 2.4).
func readTemporalUnit(obus [][]byte, reducedStillPicture bool) (u temporalUnit) {
	size := 0
	for _, o := range obus {
		size += len(o) + 8
	}
	u.data = make([]byte, 0, size)
	for _, o := range obus {
		typ, head, body, ok := splitOBU(o)
		if !ok || typ == obuTemporalDelimiter || typ == obuPadding || typ == obuTileList {
			continue
		}
		at := len(u.data)
		u.data = append(u.data, head[0]|2) // has_size_field
		u.data = append(u.data, head[1:]...)
		u.data = appendLEB128(u.data, len(body))
		u.data = append(u.data, body...)
		switch {
		case typ == obuSequenceHeader && u.sequence == nil:
			u.sequence = u.data[at:len(u.data):len(u.data)]
			reducedStillPicture = len(body) > 0 && body[0]&8 != 0
		case (typ == obuFrame || typ == obuFrameHeader) && !u.picture && len(body) > 0:
			u.picture = true
			u.key = reducedStillPicture || body[0]&0xf0 == 0x10 // not show_existing_frame, KEY_FRAME, show_frame
		}
	}
	return u
}

// splitOBU splits an OBU (AV1 specification 5.3) into its header of one byte or two, and what follows its size, where it has one.
func splitOBU(o []byte) (typ uint8, head, body []byte, ok bool) {
	if len(o) == 0 || o[0]&0x80 != 0 { // obu_forbidden_bit
		return 0, nil, nil, false
	}
	typ, n := o[0]>>3&0xf, 1
	if o[0]&4 != 0 {
		n = 2 // an extension
	}
	if len(o) < n {
		return 0, nil, nil, false
	}
	head, body = o[:n:n], o[n:]
	if o[0]&2 == 0 {
		return typ, head, body, true
	}
	size, m, ok := readLEB128(body)
	if !ok || size > len(body)-m {
		return 0, nil, nil, false
	}
	return typ, head, body[m : m+size], true
}

func appendLEB128(b []byte, v int) []byte {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// readLEB128 reads a number of at most 32 bits (AV1 specification 4.10.5), and returns how many bytes it takes.
func readLEB128(p []byte) (v, n int, ok bool) {
	for i := range min(len(p), 8) {
		v |= int(p[i]&0x7f) << (7 * i)
		if p[i]&0x80 == 0 {
			return v, i + 1, v < 1<<32
		}
	}
	return 0, 0, false
}

// av1Entry makes the av01 entry (AV1 binding 2.2) of a sequence header OBU, which has its size.
func av1Entry(s av1Sequence, sequence []byte) (media.SampleEntry, error) {
	if len(sequence) > maxEntryBytes/2 {
		return media.SampleEntry{}, fmt.Errorf("an AV1 sequence header of %d bytes cannot be stored", len(sequence))
	}
	var w writer
	w.Box("av01", func() {
		w.visualFields(s.width, s.height)
		w.Box("av1C", func() {
			w.U8(0x81) // marker, version
			w.U8(s.profile<<5 | s.level)
			w.U8(s.tier<<7 | s.flags())
			w.U8(0) // no initial_presentation_delay
			w.Bytes(sequence)
		})
		if s.described {
			w.colr(uint16(s.primaries), uint16(s.transfer), uint16(s.matrix), s.fullRange)
		}
	})
	return media.SampleEntry{
		Kind: media.Video, Codec: s.codec(), Timescale: media.VideoTimescale,
		Width: s.width, Height: s.height, Box: w.B,
	}, nil
}

func importAV1(entry []byte) (media.SampleEntry, error) {
	return copyVisual(entry, func(_ string, boxes []box.Child) (string, bool) {
		s, ok := configuredAV1(box.Find(boxes, "av1C"))
		return s.codec(), ok
	})
}

// configuredAV1 reads the sequence header in the content of an av1C box. Where there is none, as in files that were begun before the
// first picture, each key frame has it; the box has only what tells the codecs parameter (AV1 binding 2.3.3).
func configuredAV1(config []byte) (s av1Sequence, ok bool) {
	if len(config) < 4 || config[0] != 0x81 { // marker and version
		return s, false
	}
	if len(config) == 4 {
		flags := config[2]
		s = av1Sequence{
			profile: config[1] >> 5, level: config[1] & 0x1f, tier: flags >> 7, bitDepth: 8 + flags>>6&1<<1 + flags>>5&1<<1,
			mono: flags>>4&1 == 1, subsamplingX: flags >> 3 & 1, subsamplingY: flags >> 2 & 1, chromaPosition: flags & 3,
			primaries: 2, transfer: 2, matrix: 2, // unspecified
		}
		return s, true
	}
	for rest := config[4:]; len(rest) > 0; {
		typ, head, body, ok := splitOBU(rest)
		if !ok || rest[0]&2 == 0 {
			return s, false
		}
		if typ == obuSequenceHeader {
			s, err := parseAV1Sequence(rest)
			return s, err == nil
		}
		rest = rest[len(head)+len(appendLEB128(nil, len(body)))+len(body):]
	}
	return s, false
}

// sendAV1 sends temporal units as gortsplib cuts them.
func sendAV1(_ media.SampleEntry, payloadType uint8) (*Sender, error) {
	f := &format.AV1{PayloadTyp: payloadType}
	encoder, err := f.CreateEncoder()
	if err != nil {
		return nil, err
	}
	return &Sender{f, func(sample []byte) ([]*rtp.Packet, error) {
		var unit av1.Bitstream
		if err := unit.Unmarshal(sample); err != nil {
			return nil, err
		}
		if len(unit) == 0 {
			return nil, errors.New("no OBU in it")
		}
		return encoder.Encode(unit)
	}}, nil
}
