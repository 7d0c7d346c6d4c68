package rtsp

import (
	"time"

	"github.com/pion/rtp"

	"nvrfs/codec"
	"nvrfs/media"
	"nvrfs/recorder/rtpclock"
)

// videoTrack is the track of video of a session.
type videoTrack struct {
	track
	predictor codec.Predictor // the receiver; nil where its pictures do not depend on each other
	received  time.Time       // when the first packet of the newest access unit came
}

func newVideoTrack(t track) *videoTrack {
	v := &videoTrack{track: t}
	v.predictor, _ = t.receiver.(codec.Predictor)
	return v
}

// lost says that packets were lost.
func (v *videoTrack) lost() {
	v.receiver.Lost()
}

// awaits says what the first sample waits for.
func (v *videoTrack) awaits() (what, do string) {
	if v.predictor == nil {
		return "picture that can be stored", ""
	}
	return v.predictor.Awaits()
}

func (s *session) onVideo(pkt *rtp.Packet) {
	s.handle(s.video.packets, func(now time.Time) error { return s.videoPacket(pkt, now) })
}

func (s *session) videoPacket(pkt *rtp.Packet, now time.Time) error {
	s.noteFirst(now)
	v := s.video
	pts := s.pts(&v.track, pkt.Timestamp, now) // of each packet, because pictures are known to be whole some packets later
	if ntp, ok := s.times.PacketNTP(v.media, pkt); ok {
		s.tie.Note(&s.tie.Video, ntp, pts)
	}
	units, damage := v.receiver.Packet(pkt, now)
	if damage != nil {
		s.lostLocked(0, damage)
	}
	return s.videoUnits(units)
}

// videoUnits hands on complete access units.
func (s *session) videoUnits(units []codec.Unit) error {
	v := s.video
	for _, u := range units {
		s.lastVideo = time.Now()
		v.received = u.Received
		samples, newEntry, err := v.receiver.Samples(u, s.pts(&v.track, u.Timestamp, u.Received))
		if err != nil {
			return err
		}
		for i := range samples {
			if err := s.videoSample(&samples[i], newEntry && i == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// videoSample hands on a sample, which is kept as it is.
func (s *session) videoSample(sample *media.Sample, newEntry bool) error {
	v := s.video
	sample.Received = v.received
	if err := v.leap.Check("video", sample, v.rate); err != nil {
		return err
	}
	if sample.Sync {
		if why := s.tie.Again(v.received); why != "" {
			if err := s.h.NewRun(nil, why); err != nil {
				return err
			}
		}
	}
	if err := s.announce(newEntry); err != nil {
		return err
	}
	return s.tie.Do(rtpclock.Call{Received: v.received, Do: func(int64) error { return s.h.Sample(*sample) }}, s.started, v.received)
}

// announce calls h.Start before the first sample of video, and h.NewEntry where its sample entry changed later.
func (s *session) announce(newEntry bool) error {
	if s.started {
		if !newEntry {
			return nil
		}
		entry := s.video.receiver.Entry()
		return s.tie.Do(rtpclock.Call{Do: func(int64) error { return s.h.NewEntry(0, entry) }}, true, time.Now())
	}
	tracks := []media.SampleEntry{s.video.receiver.Entry()}
	if s.audio != nil {
		tracks = append(tracks, s.audio.receiver.Entry())
	}
	s.started = true
	return s.h.Start(tracks)
}
