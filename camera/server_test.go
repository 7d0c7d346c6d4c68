package camera

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/format"

	"nvrfs/media"
	"nvrfs/mp4/demux"
)

const (
	tcp = gortsplib.ProtocolTCP
	udp = gortsplib.ProtocolUDP
)

// A reader of a clip that is played once gets each sample, and nothing else: B-frames
// in decoding order, both codecs, over TCP and UDP; and is told of the end.
func TestOnceSendsTheWholeClip(t *testing.T) {
	for _, name := range []string{"aligned.mp4", "bframes.mp4", "hevc.mp4"} {
		for _, protocol := range []gortsplib.Protocol{tcp, udp} {
			t.Run(name+" "+protocol.String(), func(t *testing.T) {
				t.Parallel()
				clip := loadClip(t, name)
				s := start(t, Options{Clip: clip, Once: true, StartOnPlay: true, UDP: true})
				c := dial(t, s.URL(), protocol)
				c.awaitEnd(t)
				for i, track := range clip.Tracks() {
					r := c.tracks[i]
					r.compare(t, track, 0, 0)
					if len(r.units) != track.Len() {
						t.Errorf("%s: %d units, want %d", track.Entry.Codec, len(r.units), track.Len())
					}
					if len(r.reports) != 1 || r.byes != 1 {
						t.Errorf("%s: %d sender reports, %d goodbyes, want 1 of each", track.Entry.Codec, len(r.reports), r.byes)
					}
				}
				select {
				case <-s.Done():
				case <-time.After(patience):
					t.Error("not done")
				}
				if _, err := tryDial(s.URL(), tcp); err == nil || !strings.Contains(err.Error(), "404") {
					t.Errorf("the path after its end: %v, want 404", err)
				}
			})
		}
	}
}

func TestSenderReportsTieTracksTogether(t *testing.T) {
	t.Parallel()
	clip := loadClip(t, "bframes.mp4")
	before := time.Now()
	s := start(t, Options{Clip: clip, StartOnPlay: true})
	c := dial(t, s.URL(), tcp)
	for _, r := range c.tracks {
		c.await(t, "a sender report", func() bool { return len(r.reports) > 0 && len(r.units) > 0 })
	}
	after := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	video, audio := c.tracks[0].zero(clip.Video), c.tracks[1].zero(clip.Audio)
	if apart := video.Sub(audio).Abs(); apart > time.Millisecond {
		t.Errorf("time 0 of video and audio are %v apart", apart)
	}
	if video.Before(before) || video.After(after.Add(time.Second)) {
		t.Errorf("time 0 at %v, played between %v and %v", video, before, after)
	}
}

func TestDescription(t *testing.T) {
	t.Parallel()
	clip := loadClip(t, "hevc.mp4")
	s := start(t, Options{Clip: clip, Path: "/main/", Others: map[string]*Clip{"sub": loadClip(t, "aligned.mp4")}})
	if !strings.HasSuffix(s.URL(), "/main") {
		t.Errorf("URL %s", s.URL())
	}
	h265 := dial(t, s.URL(), tcp).tracks[0].format.(*format.H265)
	if e := clip.Video.Entry.Box; !contains(e, h265.VPS) || !contains(e, h265.SPS) || !contains(e, h265.PPS) {
		t.Errorf("parameter sets %x, %x, %x", h265.VPS, h265.SPS, h265.PPS)
	}
	sub := dial(t, s.OtherURL("sub"), tcp)
	h264, aac := sub.tracks[0].format.(*format.H264), sub.tracks[1].format.(*format.MPEG4Audio)
	if e := loadClip(t, "aligned.mp4").Video.Entry.Box; !contains(e, h264.SPS) || !contains(e, h264.PPS) {
		t.Errorf("parameter sets %x, %x", h264.SPS, h264.PPS)
	}
	if aac.Config.SampleRate != 48000 || aac.ClockRate() != 48000 {
		t.Errorf("audio %+v", aac.Config)
	}
	if _, err := tryDial(s.OtherURL("other"), tcp); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("unknown path: %v, want 404", err)
	}
}

// Timestamps go on through the seams of a loop, and behind each comes the clip's first sample.
func TestLoopGoesOn(t *testing.T) {
	for _, name := range []string{"aligned.mp4", "bframes.mp4"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clip := loadClip(t, name)
			s := start(t, Options{Clip: clip, StartOnPlay: true})
			c := dial(t, s.URL(), tcp)
			for i, track := range clip.Tracks() {
				r := c.tracks[i]
				c.await(t, "the third lap", func() bool { return len(r.units) > 2*track.Len() })
			}
			c.Close()
			for i, track := range clip.Tracks() {
				c.tracks[i].compare(t, track, 0, clip.lapStart(1, track.Entry.Timescale))
			}
		})
	}
}

// A reader that comes later joins where the clip is, and gets from there all.
func TestJoinLate(t *testing.T) {
	t.Parallel()
	clip := loadClip(t, "aligned.mp4")
	s := start(t, Options{Clip: clip})
	dial(t, s.URL(), tcp).awaitUnits(t, 3)
	c := dial(t, s.URL(), tcp)
	c.awaitUnits(t, 10)
	c.Close()
	video := c.tracks[0]
	video.compare(t, clip.Video, find(t, clip.Video, video.units[0].data), clip.lapStart(1, 90000))
}

func find(t *testing.T, track *demux.Track, data [][]byte) int {
	t.Helper()
	for i := range track.Len() {
		if equal(unitsOf(t, track, i), data) {
			return i
		}
	}
	t.Fatalf("%x is no sample of the clip", data)
	return 0
}

func TestPlaysInRealTime(t *testing.T) {
	t.Parallel()
	clip := loadClip(t, "aligned.mp4")
	s := start(t, Options{Clip: clip, Once: true, StartOnPlay: true})
	begin := time.Now()
	dial(t, s.URL(), tcp).awaitEnd(t)
	if took := time.Since(begin); took < clip.Duration() {
		t.Errorf("a clip of %v took %v", clip.Duration(), took)
	}
}

func TestAuth(t *testing.T) {
	for name, way := range map[string]Auth{"any": AuthAny, "basic": AuthBasic, "digest": AuthDigest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &safeBuffer{}
			s := start(t, Options{
				Clip: loadClip(t, "aligned.mp4"), User: "viewer", Password: "s3cret/@", Auth: way,
				Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
			if strings.Contains(s.URL(), "viewer") || strings.Contains(s.URL(), "s3cret") {
				t.Errorf("URL with credentials: %s", s.URL())
			}
			dial(t, s.URLWithCredentials(), tcp).awaitUnits(t, 1)
			for _, url := range []string{
				s.URL(),
				strings.Replace(s.URL(), "//", "//viewer:wrong@", 1),
				strings.Replace(s.URL(), "//", "//other:s3cret@", 1),
			} {
				if _, err := tryDial(url, tcp); err == nil || !strings.Contains(err.Error(), "401") {
					t.Errorf("%s: %v, want 401", url, err)
				}
			}
			if strings.Contains(log.String(), "s3cret") {
				t.Errorf("the password is in the log: %s", log)
			}
		})
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Clip: loadClip(t, "aligned.mp4"), UDP: true})
	for _, protocol := range []gortsplib.Protocol{tcp, udp} {
		c := dial(t, s.URL(), protocol)
		c.awaitUnits(t, 1)
		if n := s.Readers(); n != 1 {
			t.Errorf("%d readers, want 1", n)
		}
		s.Drop()
		c.awaitEnd(t)
		eventually(t, "no reader", func() bool { return s.Readers() == 0 })
	}
}

func TestMute(t *testing.T) {
	t.Parallel()
	clip := loadClip(t, "aligned.mp4") // a sync sample every 8
	s := start(t, Options{Clip: clip, StartOnPlay: true})
	c := dial(t, s.URL(), tcp)
	c.awaitUnits(t, 2)
	s.Mute(true)
	quiet := c.quietFor(t, 300*time.Millisecond)
	if s.Readers() != 1 {
		t.Errorf("%d readers while muted, want 1", s.Readers())
	}
	s.Mute(false)
	video := c.tracks[0]
	c.await(t, "video after it", func() bool { return len(video.units) > quiet })
	c.mu.Lock()
	defer c.mu.Unlock()
	again := video.units[quiet]
	i := find(t, clip.Video, again.data)
	if !clip.Video.Sample(i).Sync {
		t.Errorf("video came back with sample %d, which is no sync sample", i)
	}
	if step := again.timestamp - video.units[quiet-1].timestamp; step < 90000/4 {
		t.Errorf("the clock went on by %d ticks only", step)
	}
}

// A reader that reads nothing must neither stop the camera nor the other readers.
func TestSlowReaderIsExpelled(t *testing.T) {
	t.Parallel()
	log := &safeBuffer{}
	clip := loadClip(t, "aligned.mp4")
	// The same clip, a thousand times as fast: its clock is not that of the wall any more.
	for _, track := range clip.Tracks() {
		track.Timescale *= 1000
	}
	s := start(t, Options{Clip: clip, Log: slog.New(slog.NewTextHandler(log, nil))})
	conn := playAndStall(t, s)
	defer conn.Close()
	eventually(t, "the slow reader to go", func() bool { return strings.Contains(log.String(), "does not keep up") && s.Readers() == 0 })
	if n := strings.Count(log.String(), "does not keep up"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// playAndStall plays by hand, and reads nothing behind the response to PLAY.
func playAndStall(t *testing.T, s *Server) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.address.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	_ = conn.SetDeadline(time.Now().Add(patience))
	request := func(lines string) string {
		if _, err := conn.Write([]byte(strings.ReplaceAll(lines, "\n", "\r\n"))); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1024)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	answer := request("SETUP " + s.URL() + "/trackID=0 RTSP/1.0\nCSeq: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\n\n")
	_, session, found := strings.Cut(answer, "Session: ")
	if !found {
		t.Fatalf("SETUP: %s", answer)
	}
	session, _, _ = strings.Cut(session, ";")
	request("PLAY " + s.URL() + " RTSP/1.0\nCSeq: 2\nSession: " + session + "\n\n")
	return conn
}

func TestStartRefuses(t *testing.T) {
	clip := loadClip(t, "aligned.mp4")
	taken := start(t, Options{Clip: clip})
	for name, o := range map[string]Options{
		"no clip":          {},
		"no other clip":    {Clip: clip, Others: map[string]*Clip{"sub": nil}},
		"path twice":       {Clip: clip, Path: "a", Others: map[string]*Clip{"/a": clip}},
		"password only":    {Clip: clip, Password: "x"},
		"digest for none":  {Clip: clip, Auth: AuthDigest},
		"unknown auth":     {Clip: clip, User: "x", Auth: 7},
		"colon in basic":   {Clip: clip, User: "x", Password: "a:b", Auth: AuthBasic},
		"no port":          {Clip: clip, Listen: "127.0.0.1"},
		"no port for UDP":  {Clip: clip, Listen: "127.0.0.1", UDP: true},
		"port is taken":    {Clip: clip, Listen: taken.address.String()},
		"taken, with UDP":  {Clip: clip, Listen: taken.address.String(), UDP: true},
		"codec is unknown": {Clip: &Clip{&demux.File{Video: &demux.Track{Entry: media.SampleEntry{Box: []byte("\x00\x00\x00\x08vp09")}}}}},
	} {
		if s, err := Start(o); err == nil {
			t.Errorf("%s: started", name)
			s.Close()
		}
	}
}

func TestCloseReleasesEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	s := start(t, Options{Clip: loadClip(t, "aligned.mp4"), UDP: true, Others: map[string]*Clip{"sub": loadClip(t, "hevc.mp4")}})
	a, b := dial(t, s.URL(), tcp), dial(t, s.OtherURL("sub"), udp)
	a.awaitUnits(t, 1)
	b.awaitUnits(t, 1)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second time: %v", err)
	}
	a.awaitEnd(t)
	b.awaitEnd(t)
	a.Close()
	b.Close()
	eventually(t, "all goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	for _, network := range []string{"tcp", "udp"} {
		addresses := []string{s.address.String()}
		if network == "udp" {
			addresses = []string{s.rtsp.UDPRTPAddress, s.rtsp.UDPRTCPAddress}
		}
		for _, address := range addresses {
			if err := canListen(network, address); err != nil {
				t.Errorf("still in use: %v", err)
			}
		}
	}
}

func TestCloseBeforeAnyReader(t *testing.T) {
	s := start(t, Options{Clip: loadClip(t, "aligned.mp4"), Once: true, StartOnPlay: true})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-s.Done():
		t.Error("done, though nothing was sent")
	default:
	}
}

func canListen(network, address string) error {
	if network == "udp" {
		c, err := net.ListenPacket(network, address)
		if err == nil {
			c.Close()
		}
		return err
	}
	l, err := net.Listen(network, address)
	if err == nil {
		l.Close()
	}
	return err
}

// quietFor waits until no video has come for so long, and says how many units had come by then.
func (c *client) quietFor(t *testing.T, d time.Duration) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		c.mu.Lock()
		n, changed := len(c.tracks[0].units), c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-time.After(d):
			return n
		case <-ctx.Done():
			t.Fatalf("never quiet for %v", d)
		}
	}
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// safeBuffer collects a log.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// contains reports whether a sample entry holds a parameter set.
func contains(entry, set []byte) bool { return len(set) > 2 && bytes.Contains(entry, set) }
