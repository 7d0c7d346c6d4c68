package rtsp

import (
	"time"

	"github.com/pion/rtp"

	"nvrfs/codec"
	"nvrfs/recorder/rtpclock"
)

func (s *session) onAudio(pkt *rtp.Packet) {
	s.handle(s.audio.packets, func(now time.Time) error { return s.audioPacket(pkt, now) })
}

func (s *session) audioPacket(pkt *rtp.Packet, now time.Time) error {
	s.noteFirst(now)
	a := s.audio
	if ntp, ok := s.times.PacketNTP(a.media, pkt); ok {
		s.tie.Note(&s.tie.Audio, ntp, s.pts(a, pkt.Timestamp, now))
	}
	units, damage := a.receiver.Packet(pkt, now)
	if damage != nil {
		s.loss.add(now, 0, damage)
	}
	for _, u := range units {
		if err := s.audioUnit(u, now); err != nil {
			return err
		}
	}
	return nil
}

// audioUnit hands on the frames of an access unit.
func (s *session) audioUnit(u codec.Unit, now time.Time) error {
	a := s.audio
	samples, _, err := a.receiver.Samples(u, s.pts(a, u.Timestamp, u.Received))
	if err != nil {
		return err
	}
	for i := range samples {
		sample := &samples[i]
		sample.Track, sample.Received = 1, now
		if err := a.leap.Check("audio", sample, a.rate); err != nil {
			return err
		}
		c := rtpclock.Call{Audio: true, Received: now, Do: func(shift int64) error {
			if sample.DTS += shift; sample.DTS < 0 {
				return nil // sound from before the first picture
			}
			return s.h.Sample(*sample)
		}}
		if err := s.tie.Do(c, s.started, now); err != nil {
			return err
		}
	}
	return nil
}
