package camera

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/ntp"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"nvrfs/codec"
	"nvrfs/media"
	"nvrfs/mp4/demux"
)

// sender makes the packets of one track.
type sender struct {
	track  *demux.Track
	codec  *codec.Sender
	media  *description.Media
	ssrc   uint32
	offset uint32 // of the RTP timestamps
	// What sender reports count, RFC 3550 6.4.1.
	packets, octets uint32
}

func newSender(track *demux.Track, payloadType uint8) (*sender, error) {
	c, err := codec.Send(track.Entry, payloadType)
	if err != nil {
		return nil, err
	}
	typ := description.MediaTypeVideo
	if track.Entry.Kind.Sound() {
		typ = description.MediaTypeAudio
	}
	return &sender{
		track: track, codec: c, offset: rand.Uint32(),
		media: &description.Media{Type: typ, Formats: []format.Format{c.Format}},
	}, nil
}

// packetize reads a sample and cuts it into packets.
func (s *sender) packetize(e event) ([]*rtp.Packet, error) {
	data, err := e.track.Read(e.index)
	if err != nil {
		return nil, err
	}
	packets, err := s.codec.Packets(data)
	if err != nil {
		return nil, err
	}
	for _, packet := range packets {
		packet.Timestamp = s.offset + uint32(e.rtp)
		packet.PayloadType = s.codec.Format.PayloadType() // because that of Motion JPEG is fixed, whichever was asked for
		s.packets++
		s.octets += uint32(len(packet.Payload))
	}
	return packets, nil
}

// report says which RTP time goes with which wall time: those of the tick of the
// RTP clock that is nearest to now, which is at an instant on the clip's timeline.
func (s *sender) report(now time.Time, instant time.Duration) *rtcp.SenderReport {
	rate := s.track.Entry.Timescale
	tick := media.Rescale(int64(instant), uint32(time.Second), rate)
	off := time.Duration(media.Rescale(tick, rate, uint32(time.Second))) - instant
	return &rtcp.SenderReport{
		SSRC:        s.ssrc,
		NTPTime:     ntp.Encode(now.Add(off)),
		RTPTime:     s.offset + uint32(tick),
		PacketCount: s.packets,
		OctetCount:  s.octets,
	}
}

// SentEntry returns the sample entry of a track as who receives it makes it, which knows less than the file.
func SentEntry(track *demux.Track) (media.SampleEntry, error) {
	c, err := codec.Send(track.Entry, 96)
	if err != nil {
		return media.SampleEntry{}, err
	}
	_, receiver, err := codec.Receive(c.Format)
	if err != nil {
		return media.SampleEntry{}, err
	}
	data, err := track.Read(0)
	if err != nil {
		return media.SampleEntry{}, err
	}
	packets, err := c.Packets(data)
	if err != nil {
		return media.SampleEntry{}, err
	}
	var units []codec.Unit
	for _, packet := range packets {
		whole, err := receiver.Packet(packet, time.Time{})
		if err != nil {
			return media.SampleEntry{}, err
		}
		units = append(units, whole...)
	}
	for _, u := range append(units, receiver.Flush()...) {
		if _, _, err := receiver.Samples(u, 0); err != nil {
			return media.SampleEntry{}, err
		}
	}
	e := receiver.Entry()
	if e.Box == nil {
		return e, errors.New("the clip does not start with a sync sample that says what a decoder must know")
	}
	return e, nil
}
