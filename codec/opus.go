package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"
	"github.com/pion/rtp"

	"nvrfs/media"
	"nvrfs/media/box"
)

// opusCodec is Opus (RFC 6716), which RTP carries by RFC 7587. A sample is an Opus packet, as the Encapsulation of Opus in ISO
// Base Media File Format has it.
var opusCodec = &Codec{
	Name: "Opus", Kind: media.Audio,
	receive: receiveOpus,
	boxes:   []string{"Opus"}, importEntry: importOpus,
	send: sendOpus,
}

const (
	opusRate    = 48000               // of its clock, whatever the sound was sampled with (RFC 7587 4.1)
	maxOpusTime = opusRate * 12 / 100 // of a packet (RFC 6716 3.2.5)
)

type opusReceiver struct {
	entry media.SampleEntry
	times soundTimes
}

func receiveOpus(f format.Format) (Receiver, error) {
	o, ok := f.(*format.Opus)
	if !ok {
		return nil, nil
	}
	if o.ChannelCount > 2 {
		return nil, fmt.Errorf("it has %d channels; mono and stereo are supported", o.ChannelCount)
	}
	return &opusReceiver{entry: opusEntry(opusConfig(o.ChannelCount)), times: soundTimes{rate: opusRate}}, nil
}

// Packet implements Receiver.
func (r *opusReceiver) Packet(pkt *rtp.Packet, received time.Time) ([]Unit, error) {
	if n := opus.PacketDuration2(pkt.Payload); n == 0 || n > maxOpusTime {
		return nil, fmt.Errorf("an Opus packet of %d bytes says that it lasts %d ms", len(pkt.Payload), n*1000/opusRate)
	}
	return []Unit{{Parts: [][]byte{pkt.Payload}, Timestamp: pkt.Timestamp, Received: received}}, nil
}

// Lost implements Receiver.
func (r *opusReceiver) Lost() {}

// Flush implements Receiver.
func (r *opusReceiver) Flush() []Unit { return nil }

// Samples implements Receiver.
func (r *opusReceiver) Samples(u Unit, pts int64) ([]media.Sample, bool, error) {
	return r.times.samples(u.Parts, pts, func(p []byte) uint32 { return uint32(opus.PacketDuration2(p)) }), false, nil
}

// Entry implements Receiver.
func (r *opusReceiver) Entry() media.SampleEntry { return r.entry }

// opusConfig is the content of the dOps box (Encapsulation of Opus 4.3.2) of sound that is joined at any time, so that there
// is no start of which something is to be skipped.
func opusConfig(channels int) []byte {
	c := []byte{0, byte(channels), 0, 0} // version, OutputChannelCount, PreSkip
	c = binary.BigEndian.AppendUint32(c, opusRate)
	return append(c, 0, 0, 0) // OutputGain, ChannelMappingFamily
}

// opusEntry makes the sample entry of a dOps box.
func opusEntry(config []byte) media.SampleEntry {
	var w writer
	w.Box("Opus", func() {
		w.audioFields(uint16(config[1]), opusRate)
		w.Box("dOps", func() { w.Bytes(config) })
	})
	return media.SampleEntry{Kind: media.Audio, Codec: "opus", Timescale: opusRate, Box: w.B}
}

func importOpus(entry []byte) (media.SampleEntry, error) {
	c, err := readOpus(entry)
	if err != nil {
		return media.SampleEntry{}, err
	}
	return opusEntry(c), nil
}

// readOpus returns the content of the dOps box of a sample entry.
func readOpus(entry []byte) ([]byte, error) {
	boxes, err := audioChildren(entry)
	if err != nil {
		return nil, err
	}
	c := box.Find(boxes, "dOps")
	if len(c) < 11 || c[0] != 0 || c[1] == 0 {
		return nil, errors.New("sample entry Opus: its decoder configuration is missing or damaged")
	}
	if want := 11 + 2 + int(c[1]); c[10] != 0 && len(c) < want { // StreamCount, CoupledCount, ChannelMapping
		return nil, fmt.Errorf("sample entry Opus: its decoder configuration has %d bytes, want %d", len(c), want)
	}
	return bytes.Clone(c), nil
}

// sendOpus sends one Opus packet in each RTP packet.
func sendOpus(e media.SampleEntry, payloadType uint8) (*Sender, error) {
	c, err := readOpus(e.Box)
	if err != nil {
		return nil, err
	}
	f := &format.Opus{PayloadTyp: payloadType, ChannelCount: int(c[1])}
	encoder, err := f.CreateEncoder()
	if err != nil {
		return nil, err
	}
	return &Sender{f, func(sample []byte) ([]*rtp.Packet, error) {
		packet, err := encoder.Encode(sample)
		return []*rtp.Packet{packet}, err
	}}, nil
}
