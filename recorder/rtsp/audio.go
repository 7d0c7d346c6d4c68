package rtsp

import (
	"bytes"
	"cmp"
	"time"

	"nvrfs/codec"
	"nvrfs/media"
	"nvrfs/recorder/rtpclock"
)

const (
	// mostSoundFailures is how many panics of what takes the sound of a session it takes for the rest to go without.
	mostSoundFailures = 10
	// mostSoundExcess is by how many seconds more sound may come than its clock has time for, before some is left out.
	mostSoundExcess = 0.5
)

// soundPacket takes a packet of sound. Whatever is wrong with the sound, the picture goes on.
func (s *session) soundPacket(p packet) error {
	a := s.audio
	if s.soundFailures >= mostSoundFailures {
		return nil
	}
	var samples []media.Sample
	newEntry, whole := false, false
	err := s.guard.Do(s.log, a.packets, func() (err error) {
		samples, newEntry, err = s.soundSamples(a, p)
		whole = true
		return err
	})
	switch {
	case err != nil && !whole:
		return s.renewSound(err)
	case err != nil:
		s.refuseSound(err)
		return nil
	}
	if newEntry || !s.runs.sound {
		if again, err := s.soundEntry(newEntry, p.received); again || err != nil {
			return err
		}
	}
	if len(samples) > 0 && s.video == nil {
		s.lastMaster, s.refused = time.Now(), nil
	}
	for i := range samples {
		if err := s.soundSample(&samples[i], newEntry && i == 0); err != nil {
			return err
		}
	}
	return nil
}

// soundSamples makes samples of the access units that are whole with a packet. Those whose times are taken by others are left out.
func (s *session) soundSamples(a *track, p packet) (all []media.Sample, newEntry bool, err error) {
	if p.lost > 0 {
		a.receiver.Lost()
	}
	units, damage := a.receiver.Packet(p.Packet, p.received)
	if damage != nil {
		s.loss.add(p.received, 0, damage)
	}
	for _, u := range units {
		samples, changed, why := s.soundUnit(a, u)
		if why != nil {
			err = why
			continue
		}
		newEntry = newEntry || changed
		if all == nil {
			all = samples
		} else {
			all = append(all, samples...)
		}
	}
	if len(all) > 0 {
		err = nil // the others are no less good
	}
	return all, newEntry, err
}

func (s *session) soundUnit(a *track, u codec.Unit) ([]media.Sample, bool, error) {
	if codec.ClockRate(a.receiver) != a.hz || a.receiver.Entry().Timescale != a.rate {
		s.beginSound()
	}
	pts := s.at(a, u.Timestamp, u.Received)
	if a.end-pts > int64(mostSoundExcess*float64(a.rate)) {
		s.say("more sound comes than the camera's clock has time for; what is too much is left out")
		return nil, false, nil
	}
	samples, newEntry, err := a.receiver.Samples(u, pts)
	lasts := int64(0)
	for i := range samples {
		samples[i].Received = u.Received
		lasts += int64(samples[i].Duration)
		a.end = samples[i].End()
	}
	if lasts > 0 {
		if f := a.times.Lasts(lasts); f.Kind != rtpclock.None {
			s.mended(a, f, u.Received)
		}
	}
	return samples, newEntry, err
}

// refuseSound counts sound that cannot be stored.
func (s *session) refuseSound(why error) {
	if s.video == nil {
		s.refuse(why)
		return
	}
	s.loss.add(time.Now(), 0, why)
}

// renewSound begins the sound anew after a panic.
func (s *session) renewSound(why error) error {
	a := s.audio
	s.soundFailures++
	_, receiver, err := codec.Receive(a.format)
	if err != nil || receiver == nil {
		s.soundFailures = mostSoundFailures
	} else {
		a.receiver, a.end = receiver, 0
	}
	if s.soundFailures == mostSoundFailures && s.video == nil {
		return why
	}
	s.say("the camera's sound cannot be taken, and begins anew; its picture goes on", "err", why)
	return nil
}

// soundEntry has the Handler know of a sample entry that came, or changed, within the stream. again says that the times of the
// sound begin anew, with the next packet.
func (s *session) soundEntry(changed bool, now time.Time) (again bool, err error) {
	a := s.audio
	e := a.receiver.Entry()
	if e.Box == nil {
		return false, nil
	}
	if again = e.Timescale != a.rate; again {
		s.beginSound()
	}
	before := s.runs.entry
	switch {
	case !s.runs.handed:
	case !s.runs.sound:
		s.runs.due = cmp.Or(s.runs.due, "the camera's sound began")
	case e.Kind != before.Kind || e.Timescale != before.Timescale:
		s.runs.sound, s.runs.due = false, "the camera's sound changed"
		if s.video == nil {
			s.runs.last = time.Time{} // nothing of it fits the run that goes on
		}
	case changed && s.video != nil && !bytes.Equal(e.Box, before.Box):
		s.runs.entry = e
		err = s.tie.Do(rtpclock.Call{Audio: true, Received: now, Do: func(int64) error { return s.h.NewEntry(1, e) }}, s.started, now)
	}
	return again, err
}

// soundSample hands on a sample of sound.
func (s *session) soundSample(sample *media.Sample, newEntry bool) error {
	if s.video == nil {
		return s.masterSample(sample, newEntry)
	}
	sample.Track = 1
	return s.tie.Do(rtpclock.Call{Audio: true, Received: sample.Received, Bytes: len(sample.Data), Do: func(shift int64) error {
		if sample.DTS += shift; sample.DTS < 0 || !s.runs.sound {
			return nil // sound from before the first picture, or of another kind than the run has
		}
		return s.h.Sample(*sample)
	}}, s.started, sample.Received)
}
