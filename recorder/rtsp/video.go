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
	clock     rtpclock.Clock

	// The access unit that is coming in.
	open      bool
	timestamp uint32
	pts       int64
	ptsKnown  bool
	received  time.Time
}

func newVideoTrack(t track) *videoTrack {
	v := &videoTrack{track: t}
	v.predictor, _ = t.receiver.(codec.Predictor)
	return v
}

// lost says that packets were lost.
func (v *videoTrack) lost() {
	if v.predictor != nil {
		v.predictor.Lost()
	}
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
	if v.open && pkt.Timestamp != v.timestamp {
		// The packet that was marked as the last of its access unit is lost, or the camera marks none.
		if err := s.endAccessUnit(); err != nil {
			return err
		}
	}
	if !v.open {
		v.open, v.timestamp, v.received = true, pkt.Timestamp, now
	}
	v.pts, v.ptsKnown = v.clock.Extend(pkt.Timestamp)
	if !v.ptsKnown {
		v.pts, v.ptsKnown = s.times.PacketPTS(v.media, pkt) // called only after Decode, it never knows the time of some streams
	}
	if ntp, ok := s.times.PacketNTP(v.media, pkt); ok && v.ptsKnown {
		s.tie.Note(&s.tie.Video, ntp, v.pts)
	}
	accessUnit, damage, err := v.depacketize(pkt)
	if err == nil {
		err = s.accessUnit(accessUnit, damage)
	}
	if pkt.Marker {
		v.open = false
	}
	return err
}

// endAccessUnit takes what there is of an access unit whose last packet did not come.
func (s *session) endAccessUnit() error {
	v := s.video
	v.open = false
	if v.predictor == nil {
		return nil // the next packet drops what there is
	}
	return s.accessUnit(v.assembly.taken(v.predictor.Flush(v.timestamp)))
}

// accessUnit hands on a complete access unit, or notes that it is damaged.
func (s *session) accessUnit(unit [][]byte, damage error) error {
	if damage != nil {
		s.lostLocked(0, damage)
		return nil
	}
	if unit == nil {
		return nil
	}
	v := s.video
	s.lastVideo = time.Now()
	if !v.ptsKnown {
		if v.predictor != nil && !v.predictor.IsSync(unit) {
			return nil // PacketPTS gives times from the first sync sample on
		}
		// And this is one, but packed in a way that PacketPTS does not recognise: from here on, count by hand.
		v.pts = int64(v.received.Sub(s.firstPacket).Seconds() * float64(v.rate))
		v.clock.Start(v.timestamp, v.pts)
	}
	samples, newEntry, err := v.receiver.Samples(unit, v.pts)
	if err != nil {
		return err
	}
	for i := range samples {
		if err := s.videoSample(&samples[i], newEntry && i == 0); err != nil {
			return err
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
			if err := s.h.NewRun(why); err != nil {
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
