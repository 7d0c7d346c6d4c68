package rtsp

import (
	"time"

	"nvrfs/codec"
	"nvrfs/media"
	"nvrfs/recorder/rtpclock"
)

func (s *session) videoPacket(p packet) error {
	if p.lost > 0 {
		s.video.receiver.Lost()
	}
	units, damage := s.video.receiver.Packet(p.Packet, p.received)
	if damage != nil {
		s.loss.add(p.received, 0, damage)
	}
	return s.videoUnits(units)
}

// videoUnits hands on access units. One that cannot be stored is left out.
func (s *session) videoUnits(units []codec.Unit) error {
	v := s.video
	for _, u := range units {
		samples, newEntry, err := v.receiver.Samples(u, s.at(v, u.Timestamp, u.Received))
		if err != nil {
			s.refuse(err)
			continue
		}
		if len(samples) > 0 || !s.started {
			s.lastMaster, s.refused = time.Now(), nil
		}
		for i := range samples {
			samples[i].Received = u.Received
			if err := s.masterSample(&samples[i], newEntry && i == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// refuse counts an access unit of the first track that cannot be stored.
func (s *session) refuse(why error) {
	s.refused = why
	s.loss.add(time.Now(), 0, why)
}

// masterSample hands on a sample of the first track, which is kept as it is.
func (s *session) masterSample(sample *media.Sample, newEntry bool) error {
	received := sample.Received
	hand := rtpclock.Call{Received: received, Bytes: len(sample.Data), Do: func(int64) error { return s.h.Sample(*sample) }}
	if !s.started {
		s.started = true
		hand.Do = func(int64) error {
			if err := s.begin(); err != nil {
				return err
			}
			return s.h.Sample(*sample)
		}
		return s.tie.Do(hand, true, received)
	}
	if sample.Sync {
		if why := s.another(received); why != "" {
			if err := s.newRun(why, received); err != nil {
				return err
			}
		}
	}
	if newEntry {
		entry := s.master().receiver.Entry()
		if err := s.call(received, func() error { return s.h.NewEntry(0, entry) }); err != nil {
			return err
		}
	}
	return s.tie.Do(hand, true, received)
}

// call calls the Handler when the turn of a picture has come that was received now.
func (s *session) call(received time.Time, f func() error) error {
	return s.tie.Do(rtpclock.Call{Received: received, Do: func(int64) error { return f() }}, true, received)
}
