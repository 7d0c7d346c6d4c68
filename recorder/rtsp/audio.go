package rtsp

import (
	"time"

	"github.com/pion/rtp"

	"nvrfs/recorder/rtpclock"
)

func (s *session) onAudio(pkt *rtp.Packet) {
	s.handle(s.audio.packets, func(now time.Time) error { return s.audioPacket(pkt, now) })
}

func (s *session) audioPacket(pkt *rtp.Packet, now time.Time) error {
	s.noteFirst(now)
	a := s.audio
	pts, ok := s.times.PacketPTS(a.media, pkt)
	if ntp, reported := s.times.PacketNTP(a.media, pkt); ok && reported {
		s.tie.Note(&s.tie.Audio, ntp, pts)
	}
	frames, damage, err := a.depacketize(pkt)
	switch {
	case err != nil:
		return err
	case damage != nil:
		s.loss.add(now, 0, damage)
		return nil
	case frames == nil || !ok:
		return nil
	}
	samples, _, err := a.receiver.Samples(frames, pts)
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
