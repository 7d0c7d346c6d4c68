package rtsp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

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
	sound    bool
	packets  string // what its packets are called in errors
	rate     uint32 // ticks a second of its samples
	hz       uint32 // of its RTP clock

	sources  sources[packet]
	sequence sequence
	times    *rtpclock.Timeline
	end      int64 // of the newest sample of sound
	mark     *rtpclock.Mark
	report   *rtcp.SenderReport // the newest, until it is known when its timestamp was
	reported time.Time          // when that came
}

// begin begins the times of the track, or begins them anew where its receiver has come to know how they count.
func (t *track) begin() {
	rate, hz, reorder := t.receiver.Entry().Timescale, codec.ClockRate(t.receiver), rtpclock.SoundReorder
	if !t.sound {
		rate, hz, reorder = media.VideoTimescale, media.VideoTimescale, rtpclock.PictureReorder
	}
	t.rate, t.hz, t.end = rate, hz, 0
	t.times = rtpclock.NewTimeline(max(1, rate), max(1, hz), reorder)
}

// awaits says what the first sample waits for.
func (t *track) awaits() (what, do string) {
	if p, ok := t.receiver.(codec.Predictor); ok {
		return p.Awaits()
	}
	return t.unit() + " that can be stored", ""
}

// unit is what an access unit is called.
func (t *track) unit() string {
	if t.sound {
		return "frame of sound"
	}
	return "video picture"
}

// name is what the track is called in the log.
func (t *track) name() string {
	if t.sound {
		return "sound"
	}
	return "picture"
}

// master is the track that decides where a run may begin: video, or sound where there is no video.
func (s *session) master() *track {
	if s.video == nil {
		return s.audio
	}
	return s.video
}

// choose picks the tracks to be recorded, the one that the others go by first, and notes which are not.
func (s *session) choose(desc *description.Session) ([]*description.Media, error) {
	var codecs []string
	for _, m := range desc.Medias {
		codecs = append(codecs, codecName(m))
		if err := s.guard.Do(s.log, "a track that the camera describes", func() error { return s.take(m) }); err != nil {
			s.left.lost = append(s.left.lost, lostTrack{string(m.Type), codecName(m), err})
		}
	}
	// Sound is recorded alone where there is nothing else, but not in place of a picture that somebody waits for.
	if s.video == nil && (s.audio == nil || s.left.has("video")) {
		return nil, s.left.noVideo(codecs)
	}
	var chosen []*description.Media
	for _, t := range s.tracks() {
		chosen = append(chosen, t.media)
	}
	return chosen, nil
}

// take makes m the video or the audio track. An error tells why it cannot be.
func (s *session) take(m *description.Media) error {
	var why error
	for _, f := range m.Formats {
		c, receiver, err := codec.Receive(f)
		if g, ok := f.(*format.Generic); ok && g.RTPMa != "" && g.PayloadTyp < 96 {
			why = wronglyDescribed(string(m.Type), fmt.Errorf("%s has the RTP payload type %d, of 96 to 127 (RFC 3551 6)", codecName(m), g.PayloadTyp))
			continue
		}
		if c == nil {
			why = cmp.Or(why, err)
			continue
		}
		t := &track{media: m, format: f, receiver: receiver, packets: packetName(c)}
		switch {
		case c.Kind == media.Video && s.video != nil, c.Kind.Sound() && s.audio != nil:
			s.left.data = append(s.left.data, fmt.Sprintf("a second %s track (%s)", m.Type, codecName(m)))
			return nil
		case err != nil:
			return wronglyDescribed(string(m.Type), err)
		case c.Kind == media.Video:
			s.takeVideo(t)
		default:
			s.takeSound(t)
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
	if name = strings.TrimSpace(name); name == "" {
		return fmt.Sprintf("%s of RTP payload type %d", m.Type, f.PayloadType())
	}
	return guard.Shorten(name, maxCodecName)
}

func (s *session) takeVideo(t *track) {
	t.mark = &s.tie.Video
	t.begin()
	s.video = t
}

func (s *session) takeSound(t *track) {
	t.sound, t.mark = true, &s.tie.Audio
	s.audio = t
	s.beginSound()
}

// beginSound begins the times of the sound, or begins them anew.
func (s *session) beginSound() {
	s.audio.begin()
	s.tie.Rate = float64(s.audio.rate)
	s.tie.Forget()
}

// listen has the packets of the tracks come to the session.
func (s *session) listen() {
	for _, t := range s.tracks() {
		for _, f := range t.media.Formats {
			s.client.OnPacketRTP(t.media, f, func(pkt *rtp.Packet) { s.onPacket(t, f, pkt) })
		}
		s.client.OnPacketRTCP(t.media, func(pkt rtcp.Packet) { s.onReport(t, pkt) })
	}
}

// goesBy reports whether packets of a format are those of a track, which has several. The camera chooses among them with its first
// packet.
func (s *session) goesBy(t *track, f format.Format) bool {
	if f == t.format || t.sources.known {
		return f == t.format
	}
	c, receiver, err := codec.Receive(f)
	if c == nil || err != nil || c.Kind.Sound() != t.sound {
		return false
	}
	t.format, t.receiver, t.packets = f, receiver, packetName(c)
	if t.sound {
		s.beginSound()
	} else {
		t.begin()
	}
	return true
}

func packetName(c *codec.Codec) string { return "a packet of the camera's " + c.Name + " track" }

// tracks are those that are recorded, the master first.
func (s *session) tracks() []*track {
	return slices.DeleteFunc([]*track{s.video, s.audio}, func(t *track) bool { return t == nil })
}
