package rtsp

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtcp"

	"nvrfs/codec"
	"nvrfs/media"
	"nvrfs/recorder/guard"
	"nvrfs/recorder/rtpclock"
)

const maxCodecName = 60 // bytes of a codec's name, which a camera chooses

// track is one that is recorded.
type track struct {
	media    *description.Media
	format   format.Format
	receiver codec.Receiver
	packets  string // what its packets are called in errors
	rate     uint32 // ticks a second of its samples
	clock    rtpclock.Clock
	leap     rtpclock.LeapCheck
}

// choose picks the tracks to be recorded and says in the log which are not.
func (s *session) choose(desc *description.Session) ([]*description.Media, error) {
	var chosen []*description.Media
	var codecs []string
	for _, m := range desc.Medias {
		codecs = append(codecs, codecName(m))
		if err := s.guard.Do(s.log, "a track that the camera describes", func() error { return s.take(m) }); err != nil {
			s.leaveOut(codecName(m), err)
			continue
		}
		chosen = append(chosen, m)
	}
	if s.video == nil {
		return nil, fmt.Errorf("there is no video to record: the camera offers %s; set it to %s",
			strings.Join(codecs, ", "), codec.Recorded("or", media.Video))
	}
	return chosen, nil
}

// leaveOut says in the log that a track is not recorded.
func (s *session) leaveOut(codec string, why error) {
	s.log.Warn("a track of the camera is not recorded; its other tracks are", "codec", codec, "reason", why)
}

// take makes m the video or the audio track. An error tells why it cannot be.
func (s *session) take(m *description.Media) error {
	if m.IsBackChannel {
		return errors.New("it is a back channel, which leads to the camera")
	}
	var why error
	for _, f := range m.Formats {
		c, receiver, err := codec.Receive(f)
		if c == nil {
			why = err
			continue
		}
		t := track{media: m, format: f, receiver: receiver, packets: "a packet of the camera's " + c.Name + " track"}
		switch {
		case c.Kind == media.Video && s.video != nil, c.Kind == media.Audio && s.audio != nil:
			return fmt.Errorf("one %s track is recorded, and there is another", c.Kind)
		case err != nil:
			return err
		case c.Kind == media.Video:
			t.rate = media.VideoTimescale
			s.video = newVideoTrack(t)
		default:
			t.rate = receiver.Entry().Timescale
			s.audio, s.tie.Rate = &t, float64(t.rate)
		}
		m.Formats = oneEach(m.Formats, f)
		return nil
	}
	return why
}

// codecName returns what the session description calls the format of a track: "H265", "PCMU".
func codecName(m *description.Media) string {
	f := m.Formats[0]
	name, _, _ := strings.Cut(f.RTPMap(), "/")
	if name == "" {
		return fmt.Sprintf("%s of RTP payload type %d", m.Type, f.PayloadType())
	}
	return guard.Shorten(name, maxCodecName)
}

// noteFirst keeps when the first RTP packet of the session came.
func (s *session) noteFirst(now time.Time) {
	if s.firstPacket.IsZero() {
		s.firstPacket = now
	}
}

// pts returns the time of an RTP timestamp, in ticks of the track since the first packet of the session. Tracks begin by when
// their first packets came.
func (s *session) pts(t *track, timestamp uint32, received time.Time) int64 {
	if pts, ok := t.clock.Extend(timestamp); ok {
		return pts
	}
	pts := int64(received.Sub(s.firstPacket).Seconds() * float64(t.rate))
	t.clock.Start(timestamp, pts)
	return pts
}

// lost counts packets that did not come, and what could not be used of those that did.
func (s *session) lost(packets uint64, damage error) {
	s.handle("a gap between packets of the camera", func(time.Time) error {
		s.lostLocked(packets, damage)
		return nil
	})
}

func (s *session) lostLocked(packets uint64, damage error) {
	s.video.lost()
	s.loss.add(time.Now(), packets, damage)
}

// onReport returns what takes the RTCP packets of a track.
func (s *session) onReport(m *rtpclock.Mark) func(rtcp.Packet) {
	return func(pkt rtcp.Packet) {
		s.handle("an RTCP packet of the camera", func(time.Time) error {
			if r, ok := pkt.(*rtcp.SenderReport); ok && r.NTPTime != 0 { // 0 is of a camera without a clock, RFC 3550 6.4.1
				m.Report()
			}
			return nil
		})
	}
}
