package rtsp

import (
	"errors"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"nvrfs/recorder/rtpclock"
)

// onPacket takes a packet of a track as it came, in one of the formats of the track.
func (s *session) onPacket(t *track, f format.Format, pkt *rtp.Packet) {
	s.handle(t.packets, func(now time.Time) error {
		if s.goesBy(t, f) {
			return s.packet(t, packet{Packet: pkt, received: now})
		}
		if t.sources.known && pkt.SSRC == t.sources.ssrc {
			return s.packet(t, packet{Packet: pkt, received: now, other: true})
		}
		return nil
	})
}

func (s *session) packet(t *track, p packet) error {
	pkt, now := p.Packet, p.received
	if s.firstPacket.IsZero() {
		s.firstPacket = now
	}
	if t.sources.follow(pkt.SSRC, pkt.Timestamp, pkt.SequenceNumber, now) {
		if t.sequence.follow(&p) {
			return s.ordered(t, p)
		}
		return s.inOrder(t, t.sequence.add(p))
	}
	foreign, ssrc := t.sources.foreign, t.sources.ssrc
	packets := t.sources.add(pkt.SSRC, pkt.Timestamp, pkt.SequenceNumber, len(pkt.Payload), p, now)
	if t.sources.ssrc != ssrc && !t.sources.fickle && !s.started {
		t.begin() // what came of another source is of no use
	}
	for _, p := range packets {
		if err := s.inOrder(t, t.sequence.add(p)); err != nil {
			return err
		}
	}
	if t.sources.foreign > foreign {
		s.sayForeign()
	}
	return nil
}

// inOrder takes packets of a track in the order in which they were sent.
func (s *session) inOrder(t *track, packets []packet) error {
	if t.sequence.strays > 0 {
		t.sequence.strays = 0
		s.loss.add(time.Now(), 0, errStray)
	}
	for _, p := range packets {
		if err := s.ordered(t, p); err != nil {
			return err
		}
	}
	return nil
}

// errStray is the damage that a packet is which fits in nowhere.
var errStray = errors.New("a packet of the camera has a number that is far from those before and after it")

// ordered takes the next packet of a track in the order in which they were sent.
func (s *session) ordered(t *track, p packet) error {
	if p.lost > 0 {
		s.loss.add(p.received, uint64(p.lost), nil)
	}
	switch {
	case p.other && p.lost > 0:
		t.receiver.Lost()
		return nil
	case p.other:
		return nil
	case t.sound:
		return s.soundPacket(p)
	}
	return s.videoPacket(p)
}

// late takes the packets that have waited long enough for others that were sent before them.
func (s *session) late(now time.Time) error {
	for _, t := range s.tracks() {
		if err := s.inOrder(t, t.sequence.overdue(now)); err != nil {
			return err
		}
	}
	return nil
}

// trySources goes on to other sources of packets, every few seconds, while none of those that are followed gives a picture.
func (s *session) trySources(now time.Time) {
	const patience = 3 * time.Second
	if s.tried.IsZero() {
		s.tried = now
	}
	if s.started || now.Sub(s.tried) < patience {
		return
	}
	s.tried = now
	s.master().sources.instead()
	for _, c := range s.udp {
		c.instead.Store(true)
	}
}

// flush hands on all that waits, because nothing follows.
func (s *session) flush() error {
	if err := s.late(time.Now().Add(time.Hour)); err != nil {
		return err
	}
	if s.video != nil {
		if err := s.videoUnits(s.video.receiver.Flush()); err != nil {
			return err
		}
	}
	if !s.started {
		return nil
	}
	return s.tie.Flush()
}

// onStranger takes what came on a channel of the camera, and is no packet of a track.
func (s *session) onStranger(err error) {
	s.handle("a packet of the camera", func(now time.Time) error {
		var unknown liberrors.ErrClientRTPPacketUnknownPayloadType
		if errors.As(err, &unknown) {
			s.sayForeign()
		} else {
			s.loss.add(now, 0, err)
		}
		return nil
	})
}

func (s *session) sayForeign() {
	s.say("the camera sends packets of another stream or of another kind on the channel of a track; they are left out")
}

// onReport takes an RTCP packet of a track.
func (s *session) onReport(t *track, pkt rtcp.Packet) {
	s.handle("an RTCP packet of the camera", func(now time.Time) error {
		// A time of 0 is of a camera without a clock, RFC 3550 6.4.1.
		if r, ok := pkt.(*rtcp.SenderReport); ok && r.NTPTime != 0 && (!t.sources.known || r.SSRC == t.sources.ssrc) {
			t.report, t.reported = r, now
			s.noteReport(t, now)
			if s.reports != nil {
				s.reports(rtpclock.NTP(r.NTPTime), now)
			}
		}
		return nil
	})
}

// noteReport takes the newest sender report of a track, once it is known when its timestamp was.
func (s *session) noteReport(t *track, now time.Time) {
	r := t.report
	if r == nil || !t.sources.known {
		return
	}
	if r.SSRC != t.sources.ssrc {
		t.report = nil
		return
	}
	if pts, ok := t.times.Of(r.RTPTime); ok {
		t.report = nil
		if !t.sound { // which no encoder falls behind with
			t.times.Report(r.RTPTime, t.reported.Sub(s.firstPacket).Seconds())
		}
		s.tie.Note(t.mark, rtpclock.NTP(r.NTPTime), pts, now)
	}
}

// at returns the time of an access unit of a track, and says what is wrong with its clock.
func (s *session) at(t *track, timestamp uint32, received time.Time) (pts int64) {
	pts, fault := t.times.At(timestamp, received.Sub(s.firstPacket).Seconds())
	if fault.Kind != rtpclock.None {
		s.mended(t, fault, received)
	}
	if t.report != nil {
		s.noteReport(t, received)
	}
	return pts
}
