package recorder

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpfragmented"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpmpeg4audio"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"nvrfs/media"
	"nvrfs/redact"
)

// Transport is how RTP packets travel.
type Transport string

// The transports.
const (
	TCP  Transport = "tcp"  // interleaved with RTSP in one connection, where nothing is lost on the way
	UDP  Transport = "udp"  // unicast
	Auto Transport = "auto" // UDP, or TCP where the camera or the network refuses UDP
)

const (
	defaultSilenceTimeout = 10 * time.Second
	defaultSyncTimeout    = 30 * time.Second

	setUpTimeout   = 30 * time.Second // for all requests up to PLAY, redirections included
	ticksInSilence = 10               // how often overdue looks
	responseSlack  = 2 * time.Second  // how much longer than a silence gortsplib waits before it gives up by itself
	udpReadBuffer  = 1 << 20          // bytes
	maxCodecName   = 60               // bytes of a codec's name, which a camera chooses
)

// RTSP is a camera, or another server of RTSP (RFC 2326), as a Source. It records one H.264 track and, where there is one,
// one AAC track, and says in its log which other tracks are left out. Only URL and Log must be set.
type RTSP struct {
	URL       string      // rtsp:// or rtsps://, with user name and password, for basic or digest authentication
	Transport Transport   // TCP where empty
	UserAgent string      // "nvrfs" where empty
	TLSConfig *tls.Config // for rtsps://; where nil, the camera needs a certificate that the host trusts

	// SilenceTimeout is how long a session goes on without a whole access unit of video; 10 s where 0.
	SilenceTimeout time.Duration
	// SyncTimeout is how long a session waits for its first IDR picture; 30 s where 0, since encoders that save bits send
	// one as seldom as every 20 s, and not every server sends one first.
	SyncTimeout time.Duration

	Log *slog.Logger

	guard guard
}

// Run implements Source. The errors and log lines of a session never hold the password of the URL.
func (r *RTSP) Run(ctx context.Context, h media.Handler) error {
	err := r.run(ctx, h)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (r *RTSP) run(ctx context.Context, h media.Handler) error {
	u, err := base.ParseURL(r.URL)
	if err != nil || u.Host == "" { // what err says may quote the password
		return fmt.Errorf("the camera's URL %s is not valid; write rtsp://user:password@host:port/path, with %%40, %%2F, %%3A, %%23, %%25 for @, /, :, #, %% in the password", redact.URL(r.URL))
	}
	s := newRTSPSession(r, h)
	s.client.Scheme, s.client.Host = u.Scheme, u.Host
	if err := s.client.Start(); err != nil {
		return fmt.Errorf("start an RTSP client: %w", err)
	}
	if err := s.guard.do(s.log, "the start of the camera's session", func() error { return s.setUp(ctx, u) }); err != nil {
		s.close()
		return fmt.Errorf("connect to %s: %w", redact.URL(r.URL), s.secrets.Error(explain(err)))
	}
	return s.watch(ctx)
}

// rtspSession is one connection to a camera, from DESCRIBE to TEARDOWN.
type rtspSession struct {
	h              media.Handler
	secrets        *redact.Secrets // of the URL: the camera may send them back
	log            *slog.Logger
	guard          *guard
	client         *gortsplib.Client
	times          packetTimes // the client
	silenceTimeout time.Duration
	syncTimeout    time.Duration
	failed         chan error // gets the first error of a packet or of h

	// mu serialises the packets, since over UDP every track has a goroutine of its own. It guards all that follows.
	mu          sync.Mutex
	conn        *batchConn // the one in use
	video       *videoTrack
	audio       *audioTrack // nil where there is none
	firstPacket time.Time
	playing     time.Time // when PLAY was answered
	lastVideo   time.Time // when the last access unit was complete
	started     bool      // h.Start was called
	ended       bool      // h is to be called no more
	loss        lossLog
	tie         tie
}

func newRTSPSession(r *RTSP, h media.Handler) *rtspSession {
	secrets := redact.Of(r.URL)
	log := secrets.Logger(r.Log)
	s := &rtspSession{
		h:              h,
		secrets:        secrets,
		log:            log,
		guard:          &r.guard,
		silenceTimeout: cmp.Or(r.SilenceTimeout, defaultSilenceTimeout),
		syncTimeout:    cmp.Or(r.SyncTimeout, defaultSyncTimeout),
		failed:         make(chan error, 1),
		loss:           lossLog{log: log},
	}
	s.client = &gortsplib.Client{
		Protocol:     r.Transport.protocol(),
		UserAgent:    cmp.Or(r.UserAgent, "nvrfs"),
		ReadTimeout:  s.silenceTimeout + responseSlack,
		WriteTimeout: s.silenceTimeout,
		ListenPacket: listenUDP,
		DialContext:  s.dial,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return s.dialTLS(ctx, network, address, r.TLSConfig)
		},
		OnTransportSwitch: func(reason error) {
			s.log.Info("the RTP transport changed", "reason", reason)
		},
		OnResponse:    s.onResponse,
		OnPacketsLost: func(n uint64) { s.lost(n, nil) },
		OnDecodeError: func(err error) { s.lost(0, err) },
	}
	s.times = s.client
	return s
}

// packetTimes tells the times of RTP packets, by the clock of their track and by the camera's wall clock.
type packetTimes interface {
	PacketPTS(*description.Media, *rtp.Packet) (int64, bool)
	PacketNTP(*description.Media, *rtp.Packet) (time.Time, bool)
}

// protocol returns gortsplib's name of t; nil is automatic.
func (t Transport) protocol() *gortsplib.Protocol {
	p := gortsplib.ProtocolTCP
	switch t {
	case Auto:
		return nil
	case UDP:
		p = gortsplib.ProtocolUDP
	}
	return &p
}

// listenUDP opens a socket that holds the packets of a large picture. The kernel may grant less, which is no error.
func listenUDP(network, address string) (net.PacketConn, error) {
	conn, err := net.ListenPacket(network, address)
	if udp, ok := conn.(*net.UDPConn); ok {
		_ = udp.SetReadBuffer(udpReadBuffer)
	}
	return conn, err
}

// dial connects for gortsplib, which does so again where a camera redirects, or refuses UDP.
func (s *rtspSession) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := dialBatched(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	return conn, nil
}

// dialTLS is dial for rtsps. gortsplib's own way leaves the handshake without a deadline.
func (s *rtspSession) dialTLS(ctx context.Context, network, address string, config *tls.Config) (net.Conn, error) {
	conn, err := s.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

// setUp sends DESCRIBE, SETUP for the tracks to be recorded, and PLAY.
func (s *rtspSession) setUp(ctx context.Context, u *base.URL) error {
	ctx, cancel := context.WithTimeoutCause(ctx, setUpTimeout, fmt.Errorf("it did not start to play within %v", setUpTimeout))
	defer cancel()
	stop := context.AfterFunc(ctx, s.client.Close)
	defer stop()

	err := s.requests(u)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		err = s.reason(err)
	}
	return err
}

// reason returns why the session failed, where onResponse or a packet has said so, and else what gortsplib says.
func (s *rtspSession) reason(err error) error {
	select {
	case why := <-s.failed:
		return why
	default:
		return err
	}
}

func (s *rtspSession) requests(u *base.URL) error {
	desc, _, err := s.client.Describe(u)
	if err != nil {
		return fmt.Errorf("DESCRIBE: %w", err)
	}
	medias, err := s.choose(desc)
	if err != nil {
		return err
	}
	for _, m := range medias {
		// A control attribute that makes no URL would have gortsplib send a request to nowhere.
		if u, err := m.URL(desc.BaseURL); err != nil || u == nil {
			return fmt.Errorf("the camera describes its %s track with an invalid control URL", m.Type)
		}
		if _, err := s.client.Setup(desc.BaseURL, m, 0, 0); err != nil {
			return fmt.Errorf("SETUP of the %s track: %w", m.Type, err)
		}
	}
	s.client.OnPacketRTP(s.video.media, s.video.format, s.onVideo)
	s.client.OnPacketRTCP(s.video.media, s.onReport(&s.tie.video))
	if s.audio != nil {
		s.client.OnPacketRTP(s.audio.media, s.audio.format, s.onAudio)
		s.client.OnPacketRTCP(s.audio.media, s.onReport(&s.tie.audio))
	}
	if _, err := s.client.Play(nil); err != nil {
		return fmt.Errorf("PLAY: %w", err)
	}
	return nil
}

// choose picks the tracks to be recorded and says in the log which are not.
func (s *rtspSession) choose(desc *description.Session) ([]*description.Media, error) {
	var chosen []*description.Media
	var codecs []string
	for _, m := range desc.Medias {
		codecs = append(codecs, codecName(m))
		if err := s.guard.do(s.log, "a track that the camera describes", func() error { return s.take(m) }); err != nil {
			s.leaveOut(codecName(m), err)
			continue
		}
		chosen = append(chosen, m)
	}
	if s.video == nil {
		return nil, fmt.Errorf("there is no video to record: the camera offers %s; set it to H.264", strings.Join(codecs, ", "))
	}
	return chosen, nil
}

// leaveOut says in the log that a track is not recorded.
func (s *rtspSession) leaveOut(codec string, why error) {
	s.log.Warn("a track of the camera is not recorded, the rest is", "codec", codec, "reason", why)
}

// take makes m the video or the audio track. An error tells why it cannot be.
func (s *rtspSession) take(m *description.Media) error {
	if m.IsBackChannel {
		return errors.New("it is a back channel, which leads to the camera")
	}
	for _, f := range m.Formats {
		switch f := f.(type) {
		case *format.H264:
			if s.video != nil {
				return errors.New("one video track is recorded, and there is another")
			}
			v, err := newVideoTrack(m, f)
			if err == nil {
				s.video = v
			}
			return err
		case *format.MPEG4Audio, *format.MPEG4AudioLATM:
			if s.audio != nil {
				return errors.New("one audio track is recorded, and there is another")
			}
			a, err := newAudioTrack(m, f)
			if err == nil {
				s.audio, s.tie.rate = a, float64(a.aac.entry.Timescale)
			}
			return err
		}
	}
	return errors.New("only H.264 and AAC are supported")
}

// codecName returns what the session description calls the format of a track: "H265", "PCMU".
func codecName(m *description.Media) string {
	f := m.Formats[0]
	name, _, _ := strings.Cut(f.RTPMap(), "/")
	if name == "" {
		return fmt.Sprintf("%s of RTP payload type %d", m.Type, f.PayloadType())
	}
	return shorten(name, maxCodecName)
}

// watch waits for the end of the session, closes it, and returns its reason.
func (s *rtspSession) watch(ctx context.Context) error {
	s.mu.Lock()
	s.playing = time.Now()
	s.mu.Unlock()

	closed := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { closed <- s.client.Wait() })
	defer wg.Wait()
	defer s.close()
	tick := time.NewTicker(s.silenceTimeout / ticksInSilence)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.failed:
			return s.secrets.Error(err)
		case err := <-closed:
			return s.reason(fmt.Errorf("the RTSP session ended: %w", s.secrets.Error(explain(err))))
		case now := <-tick.C:
			if err := s.overdue(now); err != nil {
				return err
			}
		}
	}
}

// overdue returns an error when what the session waits for should have come.
func (s *rtspSession) overdue(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loss.flush(now)
	if s.tie.tied { // until then, the tracks may be tied by when their packets come
		s.conn.adjust(s.silenceTimeout / ticksInSilence)
	}
	since := s.playing
	if s.lastVideo.After(since) {
		since = s.lastVideo
	}
	switch {
	case now.Sub(since) > s.silenceTimeout:
		return fmt.Errorf("the camera was silent: no complete video picture came for %v", s.silenceTimeout)
	case s.started || now.Sub(s.playing) <= s.syncTimeout:
		return nil
	case s.video.sawIDR:
		return fmt.Errorf("the camera sent no H.264 parameter sets (SPS and PPS) within %v", s.syncTimeout)
	}
	return fmt.Errorf("the camera sent no IDR picture within %v: set its I-frame interval to a few seconds, and intra refresh and open GOPs off", s.syncTimeout)
}

// close ends the session and its goroutines. h gets the samples that still wait, and is then called no more.
func (s *rtspSession) close() {
	s.end()
	s.client.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loss.report()
}

func (s *rtspSession) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && s.started {
		_ = s.guard.do(s.log, "the last samples of the camera", s.tie.flush) // the session ends anyway, for a reason that came first
	}
	s.ended = true
}

// handle calls f with the time of arrival of what the camera sent, unless the session is over, and ends the session when f
// fails or panics. The reason calls it what.
func (s *rtspSession) handle(what string, f func(now time.Time) error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if err := s.guard.do(s.log, what, func() error { return f(now) }); err != nil {
		s.failLocked(err)
	}
}

// noteFirst keeps when the first RTP packet of the session came.
func (s *rtspSession) noteFirst(now time.Time) {
	if s.firstPacket.IsZero() {
		s.firstPacket = now
	}
}

// failLocked ends the session for a reason, unless it has ended for another.
func (s *rtspSession) failLocked(err error) {
	if !s.ended {
		s.ended = true
		s.failed <- err
	}
}

// lost counts packets that did not come, and what could not be used of those that did.
func (s *rtspSession) lost(packets uint64, damage error) {
	s.handle("a gap between packets of the camera", func(time.Time) error {
		s.lostLocked(packets, damage)
		return nil
	})
}

func (s *rtspSession) lostLocked(packets uint64, damage error) {
	s.video.avc.times.restartAtIDR = true
	s.loss.add(time.Now(), packets, damage)
}

// onReport returns what takes the RTCP packets of a track.
func (s *rtspSession) onReport(m *tieMark) func(rtcp.Packet) {
	return func(pkt rtcp.Packet) {
		s.handle("an RTCP packet of the camera", func(time.Time) error {
			if r, ok := pkt.(*rtcp.SenderReport); ok && r.NTPTime != 0 { // 0 is of a camera without a clock, RFC 3550 6.4.1
				m.report()
			}
			return nil
		})
	}
}

// videoTrack is the H.264 track of a session.
type videoTrack struct {
	media    *description.Media
	format   *format.H264
	decoder  *rtph264.Decoder
	assembly assembly
	avc      avcTrack
	clock    rtpClock
	leap     leapCheck
	sawIDR   bool

	// The access unit that is coming in.
	open      bool
	timestamp uint32
	pts       int64
	ptsKnown  bool
	received  time.Time
}

func newVideoTrack(m *description.Media, f *format.H264) (*videoTrack, error) {
	d, err := f.CreateDecoder()
	if err != nil {
		return nil, err
	}
	v := &videoTrack{media: m, format: f, decoder: d}
	v.avc.times.restartAtIDR = true
	v.avc.strip([][]byte{f.SPS, f.PPS}, true) // those in the stream take their place before the first IDR picture
	return v, nil
}

func (s *rtspSession) onVideo(pkt *rtp.Packet) {
	s.handle("an H.264 packet of the camera", func(now time.Time) error { return s.videoPacket(pkt, now) })
}

func (s *rtspSession) videoPacket(pkt *rtp.Packet, now time.Time) error {
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
	v.pts, v.ptsKnown = v.clock.extend(pkt.Timestamp)
	if !v.ptsKnown {
		v.pts, v.ptsKnown = s.times.PacketPTS(v.media, pkt) // called only after Decode, it never knows the time of some streams
	}
	if ntp, ok := s.times.PacketNTP(v.media, pkt); ok && v.ptsKnown {
		s.tie.mark(&s.tie.video, ntp, v.pts)
	}
	err := s.decodeVideo(pkt)
	if pkt.Marker {
		v.open = false
	}
	return err
}

// endAccessUnit has the decoder give out what it has of an access unit, by a last packet that holds a delimiter.
func (s *rtspSession) endAccessUnit() error {
	v := s.video
	v.open = false
	return s.decodeVideo(&rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: true, Timestamp: v.timestamp},
		Payload: []byte{9, 0xf0}, // an access unit delimiter (ITU-T H.264 7.3.2.4)
	})
}

func (s *rtspSession) decodeVideo(pkt *rtp.Packet) error {
	v := s.video
	if err := v.assembly.add(pkt); err != nil {
		return err
	}
	au, err := v.decoder.Decode(pkt)
	if errors.Is(err, rtph264.ErrMorePacketsNeeded) {
		return nil
	}
	v.assembly.done()
	switch {
	case errors.Is(err, rtph264.ErrNonStartingPacketAndNoPrevious):
		return nil
	case err != nil:
		s.lostLocked(0, err)
		return nil
	}
	return s.accessUnit(au)
}

// accessUnit hands on a complete access unit.
func (s *rtspSession) accessUnit(au [][]byte) error {
	v := s.video
	s.lastVideo = time.Now()
	idr := hasIDR(au)
	v.sawIDR = v.sawIDR || idr
	if !v.ptsKnown {
		if !idr {
			return nil // PacketPTS gives times from the first IDR picture on
		}
		// And this is one, but packed in a way that PacketPTS does not recognise: from here on, count by hand.
		v.pts = int64(v.received.Sub(s.firstPacket).Seconds() * float64(v.format.ClockRate()))
		v.clock.start(v.timestamp, v.pts)
	}
	sample, changed, err := v.avc.accessUnit(au, v.pts)
	if err != nil || sample == nil {
		return err
	}
	sample.Received = v.received
	if err := v.leap.check("video", sample, v.avc.entry.Timescale); err != nil {
		return err
	}
	if sample.Sync {
		if why := s.tie.again(v.received); why != "" {
			if err := s.h.NewRun(why); err != nil {
				return err
			}
		}
	}
	if err := s.announce(changed); err != nil {
		return err
	}
	return s.tie.do(heldCall{received: v.received, call: func(int64) error { return s.h.Sample(*sample) }}, s.started, v.received)
}

// announce calls h.Start before the first sample of video, and h.NewEntry where its sample entry changed later.
func (s *rtspSession) announce(changed bool) error {
	if s.started {
		if !changed {
			return nil
		}
		entry := s.video.avc.entry
		return s.tie.do(heldCall{call: func(int64) error { return s.h.NewEntry(0, entry) }}, true, time.Now())
	}
	tracks := []media.SampleEntry{s.video.avc.entry}
	if s.audio != nil {
		tracks = append(tracks, s.audio.aac.entry)
	}
	s.started = true
	return s.h.Start(tracks)
}

// audioTrack is the AAC track of a session.
type audioTrack struct {
	media    *description.Media
	format   format.Format
	decode   func(*rtp.Packet) ([][]byte, error)
	assembly assembly
	aac      *aacTrack
	leap     leapCheck
}

// maxAUHeaderBits is the longest that sizelength, indexlength and indexdeltalength (RFC 3640 4.1) may be: a length of more
// bits overflows in the depacketizer. Cameras have 13 bits and 3.
const maxAUHeaderBits = 31

func newAudioTrack(m *description.Media, f format.Format) (*audioTrack, error) {
	t := &audioTrack{media: m, format: f}
	var config *mpeg4audio.AudioSpecificConfig
	switch f := f.(type) {
	case *format.MPEG4Audio:
		if n := max(f.SizeLength, f.IndexLength, f.IndexDeltaLength); n > maxAUHeaderBits {
			return nil, fmt.Errorf("a field of its AU headers is said to have %d bits, of %d at most", n, maxAUHeaderBits)
		}
		d, err := f.CreateDecoder()
		if err != nil {
			return nil, err
		}
		config, t.decode = f.Config, d.Decode
	case *format.MPEG4AudioLATM:
		layer, ok := onlyLayer(f)
		if !ok {
			return nil, errors.New("of LATM, only one layer of AAC with a plain configuration in the session description is supported")
		}
		d, err := f.CreateDecoder()
		if err != nil {
			return nil, err
		}
		config = layer.AudioSpecificConfig
		t.decode = func(pkt *rtp.Packet) ([][]byte, error) { return decodeLATM(d, f.StreamMuxConfig, pkt) }
	}
	asc, err := config.Marshal()
	if err != nil {
		return nil, fmt.Errorf("AudioSpecificConfig: %w", err)
	}
	t.aac, err = newAACTrack(asc)
	return t, err
}

// onlyLayer returns the one layer of a LATM stream whose frames tell their length.
func onlyLayer(f *format.MPEG4AudioLATM) (*mpeg4audio.StreamMuxConfigLayer, bool) {
	if f.CPresent || len(f.StreamMuxConfig.Programs) != 1 || len(f.StreamMuxConfig.Programs[0].Layers) != 1 {
		return nil, false
	}
	layer := f.StreamMuxConfig.Programs[0].Layers[0]
	return layer, layer.FrameLengthType == 0
}

// decodeLATM takes the AAC frames out of AudioMuxElements (ISO/IEC 14496-3 1.7.3).
func decodeLATM(d *rtpfragmented.Decoder, config *mpeg4audio.StreamMuxConfig, pkt *rtp.Packet) ([][]byte, error) {
	buf, err := d.Decode(pkt)
	if err != nil {
		return nil, err
	}
	element := mpeg4audio.AudioMuxElement{StreamMuxConfig: config}
	if err := element.Unmarshal(buf); err != nil {
		return nil, fmt.Errorf("LATM: %w", err)
	}
	var frames [][]byte
	for _, subframe := range element.Payloads {
		frames = append(frames, subframe[0][0])
	}
	return frames, nil
}

func (s *rtspSession) onAudio(pkt *rtp.Packet) {
	s.handle("an AAC packet of the camera", func(now time.Time) error { return s.audioPacket(pkt, now) })
}

func (s *rtspSession) audioPacket(pkt *rtp.Packet, now time.Time) error {
	s.noteFirst(now)
	a := s.audio
	pts, ok := s.times.PacketPTS(a.media, pkt)
	if ntp, reported := s.times.PacketNTP(a.media, pkt); ok && reported {
		s.tie.mark(&s.tie.audio, ntp, pts)
	}
	if err := a.assembly.add(pkt); err != nil {
		return err
	}
	frames, err := a.decode(pkt)
	if errors.Is(err, rtpmpeg4audio.ErrMorePacketsNeeded) || errors.Is(err, rtpfragmented.ErrMorePacketsNeeded) {
		return nil
	}
	a.assembly.done()
	switch {
	case err != nil:
		s.loss.add(now, 0, err)
		return nil
	case !ok:
		return nil
	}
	samples, err := a.aac.frames(frames, pts)
	if err != nil {
		return err
	}
	for _, sample := range samples {
		sample.Track, sample.Received = 1, now
		if err := a.leap.check("audio", &sample, a.aac.entry.Timescale); err != nil {
			return err
		}
		c := heldCall{audio: true, received: now, call: func(shift int64) error {
			if sample.DTS += shift; sample.DTS < 0 {
				return nil // sound from before the first picture
			}
			return s.h.Sample(sample)
		}}
		if err := s.tie.do(c, s.started, now); err != nil {
			return err
		}
	}
	return nil
}

// explain adds to an error of gortsplib what it means for a camera.
func explain(err error) error {
	var status liberrors.ErrClientBadStatusCode
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the camera closed the connection")
	case !errors.As(err, &status):
		return err
	}
	switch status.Code {
	case base.StatusUnauthorized, base.StatusForbidden:
		return fmt.Errorf("the camera refuses the user name or password: %w", err)
	case base.StatusNotFound:
		return fmt.Errorf("the camera knows no stream of that path: %w", err)
	case base.StatusNotEnoughBandwidth, base.StatusServiceUnavailable:
		return fmt.Errorf("the camera cannot serve the stream now, maybe since too many clients watch it: %w", err)
	}
	return err
}
