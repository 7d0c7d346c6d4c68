package camera

import (
	"math/rand/v2"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/ntp"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// sender makes the packets of one track.
type sender struct {
	track  *Track
	media  *description.Media
	encode func([][]byte) ([]*rtp.Packet, error)
	ssrc   uint32
	offset uint32 // of the RTP timestamps
	// What sender reports count, RFC 3550 6.4.1.
	packets, octets uint32
}

func newSender(track *Track, payloadType uint8) (*sender, error) {
	s := &sender{track: track, offset: rand.Uint32()}
	var err error
	switch track.Codec {
	case H264:
		err = s.useH264(payloadType)
	case H265:
		err = s.useH265(payloadType)
	default:
		err = s.useAAC(payloadType)
	}
	return s, err
}

func (s *sender) useH264(payloadType uint8) error {
	f := &format.H264{PayloadTyp: payloadType, SPS: s.track.SPS, PPS: s.track.PPS, PacketizationMode: 1}
	encoder, err := f.CreateEncoder()
	if err != nil {
		return err
	}
	s.encode = encoder.Encode
	s.media = &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{f}}
	return nil
}

func (s *sender) useH265(payloadType uint8) error {
	f := &format.H265{PayloadTyp: payloadType, VPS: s.track.VPS, SPS: s.track.SPS, PPS: s.track.PPS}
	encoder, err := f.CreateEncoder()
	if err != nil {
		return err
	}
	s.encode = encoder.Encode
	s.media = &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{f}}
	return nil
}

// useAAC sends one frame a packet, in the AAC-hbr mode of RFC 3640 3.3.6.
func (s *sender) useAAC(payloadType uint8) error {
	var config mpeg4audio.AudioSpecificConfig
	if err := config.Unmarshal(s.track.AudioConfig); err != nil {
		return err
	}
	f := &format.MPEG4Audio{PayloadTyp: payloadType, Config: &config, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3}
	encoder, err := f.CreateEncoder()
	if err != nil {
		return err
	}
	s.encode = encoder.Encode
	s.media = &description.Media{Type: description.MediaTypeAudio, Formats: []format.Format{f}}
	return nil
}

// packetize reads a sample and cuts it into packets.
func (s *sender) packetize(e event) ([]*rtp.Packet, error) {
	units, err := e.track.AccessUnit(e.index)
	if err != nil {
		return nil, err
	}
	packets, err := s.encode(units)
	if err != nil {
		return nil, err
	}
	for _, packet := range packets {
		packet.Timestamp = s.offset + uint32(e.rtp)
		s.packets++
		s.octets += uint32(len(packet.Payload))
	}
	return packets, nil
}

// report says which RTP time goes with which wall time: those of the tick of the
// RTP clock that is nearest to now, which is at media on the clip's timeline.
func (s *sender) report(now time.Time, media time.Duration) *rtcp.SenderReport {
	tick := rescale(int64(media), s.track.ClockRate, uint32(time.Second))
	off := time.Duration(rescale(tick, uint32(time.Second), s.track.ClockRate)) - media
	return &rtcp.SenderReport{
		SSRC:        s.ssrc,
		NTPTime:     ntp.Encode(now.Add(off)),
		RTPTime:     s.offset + uint32(tick),
		PacketCount: s.packets,
		OctetCount:  s.octets,
	}
}
