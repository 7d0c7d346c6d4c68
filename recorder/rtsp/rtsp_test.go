package rtsp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/auth"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"github.com/bluenviron/gortsplib/v5/pkg/ntp"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"nvrfs/codec/codectest"
	"nvrfs/media"
)

const (
	testUser     = "viewer"
	testPassword = "p@ss/w#rd%?" // as hard as they come
	testPeriod   = 4 * time.Millisecond
	testTimeout  = 2 * time.Minute
)

// testCamera is an RTSP server on the loopback. Every testPeriod it calls send, if set, with a count from 0.
type testCamera struct {
	t        *testing.T
	server   *gortsplib.Server
	stream   *gortsplib.ServerStream
	listener net.Listener
	locked   bool // asks for testUser and testPassword
	send     func(n int)
}

// startCamera serves medias until the test ends.
func startCamera(t *testing.T, c *testCamera, medias ...*description.Media) {
	t.Helper()
	c.t = t
	c.start()
	c.stream = &gortsplib.ServerStream{Server: c.server, Desc: &description.Session{Medias: medias}}
	if err := c.stream.Initialize(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(testPeriod)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				if c.send != nil {
					c.send(n)
				}
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		wg.Wait()
		c.stream.Close()
		c.server.Close()
	})
}

// start finds a pair of UDP ports, which have to be neighbours.
func (c *testCamera) start() {
	var methods []auth.VerifyMethod
	var encrypted *tls.Config
	if c.server != nil {
		methods, encrypted = c.server.AuthMethods, c.server.TLSConfig
	}
	for range 50 {
		port := 20000 + 2*rand.IntN(20000)
		c.server = &gortsplib.Server{
			Handler:        c,
			RTSPAddress:    "127.0.0.1:0",
			UDPRTPAddress:  fmt.Sprintf("127.0.0.1:%d", port),
			UDPRTCPAddress: fmt.Sprintf("127.0.0.1:%d", port+1),
			AuthMethods:    methods,
			TLSConfig:      encrypted,

			DisableRTCPSenderReports: true, // a test sends its own
			Listen: func(network, address string) (l net.Listener, err error) {
				c.listener, err = net.Listen(network, address)
				return c.listener, err
			},
		}
		if c.server.Start() == nil {
			return
		}
	}
	c.t.Fatal("found no two neighbouring UDP ports")
}

func (c *testCamera) url(path string) string {
	userinfo := ""
	if c.locked {
		userinfo = testUser + ":p%40ss%2Fw%23rd%25%3F@"
	}
	scheme := "rtsp://"
	if c.server.TLSConfig != nil {
		scheme = "rtsps://"
	}
	return scheme + userinfo + c.listener.Addr().String() + path
}

func (c *testCamera) answer(conn *gortsplib.ServerConn, req *base.Request) (*base.Response, *gortsplib.ServerStream, error) {
	if c.locked && !conn.VerifyCredentials(req, testUser, testPassword) {
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	}
	if !strings.HasPrefix(req.URL.Path, "/live") {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

func (c *testCamera) OnDescribe(x *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return c.answer(x.Conn, x.Request)
}

func (c *testCamera) OnSetup(x *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return c.answer(x.Conn, x.Request)
}

func (c *testCamera) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// write sends packets with a timestamp. Readers that just left are no failure.
func (c *testCamera) write(m *description.Media, timestamp uint32, pkts ...*rtp.Packet) {
	for _, p := range pkts {
		p.Timestamp = timestamp
		_ = c.stream.WritePacketRTP(m, p)
	}
}

func h264Media(sps, pps []byte) *description.Media {
	return &description.Media{
		Type:    description.MediaTypeVideo,
		Formats: []format.Format{&format.H264{PayloadTyp: 96, PacketizationMode: 1, SPS: sps, PPS: pps}},
	}
}

func aacMedia() *description.Media {
	return &description.Media{Type: description.MediaTypeAudio, Formats: []format.Format{&format.MPEG4Audio{
		PayloadTyp: 97, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3,
		Config: &mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 16000, ChannelConfig: 1, ChannelCount: 1},
	}}}
}

func g726Media() *description.Media {
	return &description.Media{
		Type:    description.MediaTypeAudio,
		Formats: []format.Format{&format.G726{PayloadTyp: 98, BitRate: 32}},
	}
}

// sendH264 returns a function that sends picture n of GOPs of five. The first NAL units of an IDR picture are sets.
func (c *testCamera) sendH264(m *description.Media, sets ...[]byte) func(n int) {
	pictures := c.encoder(m, sets...)
	return func(n int) { c.write(m, testTimestamp(n), pictures(n)...) }
}

// encoder returns what makes the packets of a picture.
func (c *testCamera) encoder(m *description.Media, sets ...[]byte) func(n int) []*rtp.Packet {
	enc, err := m.Formats[0].(*format.H264).CreateEncoder()
	if err != nil {
		c.t.Fatal(err)
	}
	return func(n int) []*rtp.Packet {
		pkts, err := enc.Encode(testAccessUnit(n, sets...))
		if err != nil {
			c.t.Error(err)
		}
		return pkts
	}
}

// report sends a sender report that puts a timestamp at some time since the camera was switched on, or at none.
func (c *testCamera) report(m *description.Media, timestamp uint32, at time.Duration, timeless bool) {
	sr := &rtcp.SenderReport{SSRC: c.stream.Stats().Medias[m].Formats[m.Formats[0]].LocalSSRC, RTPTime: timestamp}
	if !timeless {
		sr.NTPTime = ntp.Encode(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(at))
	}
	_ = c.stream.WritePacketRTCP(m, sr)
}

// testAccessUnit is picture n of GOPs of five. One in five is large enough for several packets.
func testAccessUnit(n int, sets ...[]byte) [][]byte {
	if n%5 != 0 {
		return [][]byte{codectest.Slice(false, 2*(n%5))}
	}
	return append(append([][]byte{}, sets...), append(codectest.Slice(true, 0), bytes.Repeat([]byte{0x77}, 4000)...))
}

// testTimestamp wraps soon.
func testTimestamp(n int) uint32 { return 0xffff0000 + uint32(n)*codectest.Frame90k }

func (c *testCamera) sendAAC(m *description.Media) func(n int) {
	enc, err := m.Formats[0].(*format.MPEG4Audio).CreateEncoder()
	if err != nil {
		c.t.Fatal(err)
	}
	return func(n int) {
		pkts, err := enc.Encode([][]byte{{1, byte(n)}, {2, byte(n)}})
		if err != nil {
			c.t.Error(err)
			return
		}
		c.write(m, uint32(n)*2048, pkts...)
	}
}

// collector is a media.Handler that checks what every Source has to keep to, and calls onSample without holding its lock.
type collector struct {
	t        *testing.T
	onSample func(media.Sample) error

	mu         sync.Mutex
	tracks     []media.SampleEntry
	newEntries []media.SampleEntry
	newRuns    []string // the reasons
	samples    [2][]media.Sample
	soundFrom  int   // sample of the sound that the newest run starts with
	syncNext   bool  // the next sample of video has to be a sync sample
	dropped    int64 // udpDrops, when it started
}

// udpDrops is how many datagrams the kernel has dropped because the programs of this host did not take them in time (UdpRcvbufErrors
// of proc_net(5)).
func udpDrops() int64 {
	text, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		return 0
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] != "Udp:":
		case names == nil:
			names = f
		default:
			if i := slices.Index(names, "RcvbufErrors"); i > 0 && i < len(f) {
				n, _ := strconv.ParseInt(f[i], 10, 64)
				return n
			}
		}
	}
	return 0
}

// needDatagrams skips the test where the kernel has dropped some since it started, which tells nothing of nvrfs.
func (c *collector) needDatagrams(t *testing.T) {
	t.Helper()
	if n := udpDrops() - c.dropped; n > 0 {
		t.Skipf("the kernel dropped %d datagrams, since this host is too busy", n)
	}
}

func (c *collector) Start(tracks []media.SampleEntry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tracks != nil {
		c.t.Error("Start was called twice")
	}
	c.tracks, c.syncNext, c.dropped = tracks, true, udpDrops()
	return nil
}

func (c *collector) NewEntry(track int, e media.SampleEntry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tracks == nil || track != 0 {
		c.t.Errorf("NewEntry of track %d, started with %d", track, len(c.tracks))
	}
	c.newEntries, c.syncNext = append(c.newEntries, e), true
	return nil
}

func (c *collector) NewRun(_ []media.SampleEntry, reason string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newRuns, c.soundFrom, c.syncNext = append(c.newRuns, reason), len(c.samples[1]), true
	return nil
}

func (c *collector) Sample(s media.Sample) error {
	c.mu.Lock()
	before := c.samples[s.Track]
	if s.Track == 1 {
		before = before[c.soundFrom:]
	}
	switch {
	case c.tracks == nil || s.Track >= len(c.tracks):
		c.t.Errorf("a sample of track %d, started with %d", s.Track, len(c.tracks))
	case s.DTS < 0 || s.CTS < 0 || len(s.Data) == 0 || s.Received.IsZero():
		c.t.Errorf("bad sample %+v", s)
	case len(before) > 0 && s.DTS <= before[len(before)-1].DTS:
		c.t.Errorf("DTS %d of track %d after %d", s.DTS, s.Track, before[len(before)-1].DTS)
	case c.syncNext && (s.Track != 0 || !s.Sync):
		c.t.Errorf("a sample of track %d (sync %v) where one of video with an IDR picture is due", s.Track, s.Sync)
	}
	c.syncNext = false
	c.samples[s.Track] = append(c.samples[s.Track], s)
	c.mu.Unlock()
	if c.onSample == nil {
		return nil
	}
	return c.onSample(s)
}

// logBuffer is a log to look into.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// runRTSP runs r until h has n samples of each of so many tracks, or the session ends. It returns the log and the error, in
// neither of which a password may stand.
func runRTSP(t *testing.T, r *Source, h *collector, tracks, n int) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	log := new(logBuffer)
	r.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.t = t
	then := h.onSample
	enough := false
	h.onSample = func(s media.Sample) error {
		if then != nil {
			if err := then(s); err != nil {
				return err
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		enough = true
		for _, samples := range h.samples[:tracks] {
			enough = enough && len(samples) >= n
		}
		if enough {
			cancel()
		}
		return nil
	}
	err := r.Run(ctx, h)
	if ctx.Err() != nil && !enough {
		t.Errorf("timed out with %d and %d samples", len(h.samples[0]), len(h.samples[1]))
	}
	for _, secret := range []string{testPassword, "p%40ss", "p@ss", "rd%25"} {
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the password stands in the error: %v", err)
		}
		if strings.Contains(log.String(), secret) {
			t.Errorf("the password stands in the log: %s", log)
		}
	}
	return log.String(), err
}

func TestRTSPRecords(t *testing.T) {
	basic, digest, sha := auth.VerifyMethodBasic, auth.VerifyMethodDigestMD5, auth.VerifyMethodDigestSHA256
	for _, c := range []struct {
		transport Transport
		methods   []auth.VerifyMethod
	}{
		{"", nil},
		{TCP, []auth.VerifyMethod{basic}},
		{UDP, []auth.VerifyMethod{digest}},
		{Auto, []auth.VerifyMethod{sha, digest}},
	} {
		t.Run(fmt.Sprintf("%s %v", c.transport, c.methods), func(t *testing.T) {
			t.Parallel()
			sps, pps := codectest.SPS(10, 0, false), codectest.PPS(0)
			cam := &testCamera{locked: c.methods != nil, server: &gortsplib.Server{AuthMethods: c.methods}}
			video, audio := h264Media(sps, pps), aacMedia()
			startSending := make(chan struct{})
			var sendVideo, sendAudio func(int)
			cam.send = func(n int) {
				select {
				case <-startSending:
					sendVideo(n)
					sendAudio(n)
				default:
				}
			}
			startCamera(t, cam, g726Media(), video, audio)
			sendVideo, sendAudio = cam.sendH264(video), cam.sendAAC(audio)
			close(startSending)

			h := new(collector)
			log, err := runRTSP(t, &Source{URL: cam.url("/live"), Transport: c.transport}, h, 2, 30)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(log, "not recorded"); n != 1 || !strings.Contains(log, "codec=G726-32") {
				t.Errorf("the log does not tell once that G726-32 is left out: %s", log)
			}
			if len(h.tracks) != 2 || h.tracks[0].Width != 160 || h.tracks[1].Timescale != 16000 || len(h.newEntries) > 0 {
				t.Errorf("tracks are %+v, then %+v", h.tracks, h.newEntries)
			}
			checkVideo(t, h.samples[0])
			for i, s := range h.samples[1] {
				if !s.Sync || s.CTS != 0 || len(s.Data) != 2 || i > 0 && s.DTS-h.samples[1][i-1].DTS != 1024 {
					t.Errorf("audio sample %d is %+v", i, s)
				}
			}
		})
	}
}

// TestRTSPSenderReports has a camera whose first report has the picture 660 ms early: the sound follows it, and another run
// begins when later reports agree with each other. A report without a time says nothing.
func TestRTSPSenderReports(t *testing.T) {
	for name, c := range map[string]struct {
		transport Transport
		timeless  bool
		moved     []string
	}{
		"over TCP":     {TCP, false, []string{"the camera's sender reports moved the sound by -660 ms"}},
		"over UDP":     {UDP, false, []string{"the camera's sender reports moved the sound by -660 ms"}},
		"without time": {TCP, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const step, rtp90k = 128 * time.Millisecond, 11520 // between pictures, which come faster
			var settled atomic.Bool                            // the camera's encoder
			cam, video, audio := new(testCamera), h264Media(codectest.SPS(10, 0, false), codectest.PPS(0)), aacMedia()
			startSending(t, cam, func() func(int) {
				sendAudio, enc := cam.sendAAC(audio), cam.encoder(video)
				return func(n int) {
					cam.write(video, uint32(n)*rtp90k, enc(n)...)
					sendAudio(n)
					at, early := time.Duration(n)*step, 660*time.Millisecond
					if settled.Load() {
						early = 0
					}
					switch n % 20 { // the reports of the tracks come at different times
					case 0:
						cam.report(video, uint32(n)*rtp90k, at-early, c.timeless)
					case 10:
						cam.report(audio, uint32(n)*2048, at, c.timeless)
					}
				}
			}, video, audio)
			h := &collector{onSample: func(media.Sample) error { settled.Store(true); return nil }}
			if _, err := runRTSP(t, &Source{URL: cam.url("/live"), Transport: c.transport}, h, 2, 400); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(h.newRuns, c.moved) {
				t.Errorf("runs begin for %q, want %q", h.newRuns, c.moved)
			}
		})
	}
}

// checkVideo checks samples that began as sendH264 sent them.
// checkVideo checks samples from an IDR picture on, which have such parameter sets in band.
func checkVideo(t *testing.T, samples []media.Sample, sets ...[]byte) {
	t.Helper()
	for i, s := range samples {
		var au h264.AVCC
		if err := au.Unmarshal(s.Data); err != nil {
			t.Fatal(err)
		}
		if s.Sync != (i%5 == 0) || s.CTS != 0 || !slices.EqualFunc(au, testAccessUnit(i, sets...), bytes.Equal) {
			t.Errorf("video sample %d: sync %v, CTS %d, %d NAL units", i, s.Sync, s.CTS, len(au))
		}
		if i > 0 && s.DTS-samples[i-1].DTS != codectest.Frame90k {
			t.Errorf("video sample %d comes %d after the one before", i, s.DTS-samples[i-1].DTS)
		}
	}
}

// startVideo serves one H.264 track that is sent by what makeSend returns.
func startVideo(t *testing.T, cam *testCamera, m *description.Media, makeSend func() func(int)) {
	t.Helper()
	startSending(t, cam, makeSend, m)
}

// startSending serves tracks that are sent by what makeSend returns.
func startSending(t *testing.T, cam *testCamera, makeSend func() func(int), medias ...*description.Media) {
	t.Helper()
	ready := make(chan func(int), 1)
	var send func(int)
	cam.send = func(n int) {
		if send == nil {
			select {
			case send = <-ready:
			default:
				return
			}
		}
		send(n)
	}
	startCamera(t, cam, medias...)
	ready <- makeSend()
}

func TestRTSPTakesParameterSetsFromTheStream(t *testing.T) {
	t.Parallel()
	sps, pps := codectest.SPS(20, 2, false), codectest.PPS(0)
	for name, m := range map[string]*description.Media{
		"none described":   h264Media(nil, nil),
		"others described": h264Media(codectest.SPS(10, 2, false), pps),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cam := new(testCamera)
			startVideo(t, cam, m, func() func(int) { return cam.sendH264(m, sps, pps) })
			h := new(collector)
			if _, err := runRTSP(t, &Source{URL: cam.url("/live")}, h, 1, 20); err != nil {
				t.Fatal(err)
			}
			if len(h.tracks) != 1 || h.tracks[0].Width != 320 || len(h.newEntries) > 0 {
				t.Errorf("tracks are %+v, then %+v", h.tracks, h.newEntries)
			}
			checkVideo(t, h.samples[0], sps, pps)
		})
	}
}

func TestRTSPParameterChange(t *testing.T) {
	t.Parallel()
	pps := codectest.PPS(0)
	m := h264Media(codectest.SPS(10, 2, false), pps)
	cam := new(testCamera)
	startVideo(t, cam, m, func() func(int) {
		enc, err := m.Formats[0].(*format.H264).CreateEncoder()
		if err != nil {
			t.Fatal(err)
		}
		return func(n int) {
			sps := codectest.SPS(10+n/50, 2, false)
			if pkts, err := enc.Encode(testAccessUnit(n, sps, pps)); err == nil {
				cam.write(m, testTimestamp(n), pkts...)
			}
		}
	})
	h := new(collector)
	if _, err := runRTSP(t, &Source{URL: cam.url("/live")}, h, 1, 100); err != nil {
		t.Fatal(err)
	}
	if len(h.newEntries) == 0 || h.newEntries[0].Width != h.tracks[0].Width+16 {
		t.Errorf("started with %+v, then %+v", h.tracks, h.newEntries)
	}
	entry := h.tracks[0]
	for i, s := range h.samples[0] {
		var au h264.AVCC
		if err := au.Unmarshal(s.Data); err != nil {
			t.Fatal(err)
		}
		if i%5 > 0 {
			continue
		}
		if !bytes.Contains(entry.Box, au[0]) && len(h.newEntries) > 0 {
			entry, h.newEntries = h.newEntries[0], h.newEntries[1:]
		}
		if !bytes.Contains(entry.Box, au[0]) {
			t.Errorf("sample %d has another SPS than its entry", i)
		}
	}
}

// Some cameras put start codes into RTP. gortsplib takes them out, but tells no times of such a stream.
func TestRTSPCountsTheClockByHand(t *testing.T) {
	t.Parallel()
	sps, pps := codectest.SPS(10, 0, false), codectest.PPS(0)
	m := h264Media(nil, nil)
	cam := new(testCamera)
	startVideo(t, cam, m, func() func(int) {
		return func(n int) {
			au := testAccessUnit(n, sps, pps)
			last := len(au) - 1
			au[last] = au[last][:min(len(au[last]), 1000)]
			payload, err := h264.AnnexB(au).Marshal()
			if err != nil {
				t.Error(err)
				return
			}
			cam.write(m, testTimestamp(n), &rtp.Packet{
				Header:  rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: uint16(n), Marker: true},
				Payload: payload,
			})
		}
	})
	h := new(collector)
	if _, err := runRTSP(t, &Source{URL: cam.url("/live")}, h, 1, 40); err != nil { // beyond where the timestamp wraps
		t.Fatal(err)
	}
	for i, s := range h.samples[0] {
		if s.Sync != (i%5 == 0) || i > 0 && s.DTS-h.samples[0][i-1].DTS != codectest.Frame90k {
			t.Errorf("sample %d is %+v", i, s)
		}
	}
}

// Some cameras mark no packet as the last of its access unit.
func TestRTSPWithoutMarkers(t *testing.T) {
	t.Parallel()
	m := h264Media(codectest.SPS(10, 0, false), codectest.PPS(0))
	cam := new(testCamera)
	startVideo(t, cam, m, func() func(int) {
		enc, err := m.Formats[0].(*format.H264).CreateEncoder()
		if err != nil {
			t.Fatal(err)
		}
		return func(n int) {
			pkts, err := enc.Encode(testAccessUnit(n))
			if err != nil {
				t.Error(err)
			}
			for _, p := range pkts {
				p.Marker = false
			}
			cam.write(m, testTimestamp(n), pkts...)
		}
	})
	h := new(collector)
	if _, err := runRTSP(t, &Source{URL: cam.url("/live")}, h, 1, 20); err != nil {
		t.Fatal(err)
	}
	checkVideo(t, h.samples[0])
}

func TestRTSPLogsLossSeldom(t *testing.T) {
	t.Parallel()
	m := h264Media(codectest.SPS(10, 0, false), codectest.PPS(0))
	cam := new(testCamera)
	startVideo(t, cam, m, func() func(int) {
		send := cam.sendH264(m)
		enc, err := m.Formats[0].(*format.H264).CreateEncoder()
		if err != nil {
			t.Fatal(err)
		}
		return func(n int) {
			if n%10 != 8 {
				send(n)
				return
			}
			pkts, err := enc.Encode(testAccessUnit(0)) // an IDR picture out of sequence, without its second packet
			if err != nil {
				t.Error(err)
			}
			cam.write(m, testTimestamp(n), append(pkts[:1:1], pkts[2:]...)...)
		}
	})
	h := new(collector)
	log, err := runRTSP(t, &Source{URL: cam.url("/live")}, h, 1, 60)
	if err != nil {
		t.Fatal(err)
	}
	// Once at the first, and once with the rest when the session ended.
	if n := strings.Count(log, "lost or damaged"); n != 2 {
		t.Errorf("%d lines in the log tell of loss:\n%s", n, log)
	}
}

func TestRTSPEndsWithAReason(t *testing.T) {
	sps, pps := codectest.SPS(10, 0, false), codectest.PPS(0)
	nothing := func(*testCamera, *description.Media) func(int) { return func(int) {} }
	for _, c := range []struct {
		name      string
		transport Transport
		media     *description.Media
		path      string
		makeSend  func(*testCamera, *description.Media) func(int)
		want      string
	}{
		{"silence", TCP, h264Media(sps, pps), "/live", nothing, "no complete video picture came for 300ms"},
		{"silence over UDP", UDP, h264Media(sps, pps), "/live", nothing, "no complete video picture came for 300ms"},
		{"no IDR picture", TCP, h264Media(sps, pps), "/live", func(cam *testCamera, m *description.Media) func(int) {
			send := cam.sendH264(m)
			return func(n int) { send(1 + n*5) }
		}, "sent no IDR picture within 500ms"},
		{"no parameter sets", TCP, h264Media(nil, nil), "/live", func(cam *testCamera, m *description.Media) func(int) {
			return cam.sendH264(m)
		}, "no H.264 parameter sets (SPS and PPS) within 500ms"},
		{"sound alone, and silent", TCP, aacMedia(), "/live", nothing, "no complete frame of sound came for 300ms"},
		{"VP8 only", TCP, &description.Media{
			Type: description.MediaTypeVideo, Formats: []format.Format{&format.VP8{PayloadTyp: 98}},
		}, "/live", nothing, "the camera offers VP8; set it to H.264"},
		{"no such stream", TCP, h264Media(sps, pps), "/other", nothing, "knows no stream of that path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cam := &testCamera{locked: true}
			startVideo(t, cam, c.media, func() func(int) { return c.makeSend(cam, c.media) })
			r := &Source{URL: cam.url(c.path), Transport: c.transport, SilenceTimeout: 300 * time.Millisecond, SyncTimeout: 500 * time.Millisecond}
			_, err := runRTSP(t, r, new(collector), 1, 1<<30)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestRTSPRefusedPassword(t *testing.T) {
	t.Parallel()
	cam := &testCamera{locked: true}
	startCamera(t, cam, h264Media(codectest.SPS(10, 0, false), codectest.PPS(0)))
	for url, want := range map[string]string{
		strings.Replace(cam.url("/live"), "viewer", "guest", 1): "refuses the user name or password",
		"rtsp://" + cam.listener.Addr().String() + "/live":      "asks for a user and a password; write them into the URL",
	} {
		_, err := runRTSP(t, &Source{URL: url}, new(collector), 1, 1)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v", err)
		}
	}
}

func TestRTSPNobodyThere(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"rtsp://" + address + "/live":  "nothing listens at " + address + " (connection refused); see whether",
		"rtsp://camera.invalid/live":   "the host camera.invalid is not found (",
		"rtsps://" + address + "/live": "nothing listens at " + address,
	} {
		_, err := runRTSP(t, &Source{URL: url}, new(collector), 1, 1)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
}

func TestRTSPCameraGoesAway(t *testing.T) {
	t.Parallel()
	m := h264Media(codectest.SPS(10, 0, false), codectest.PPS(0))
	cam := new(testCamera)
	startVideo(t, cam, m, func() func(int) { return cam.sendH264(m) })
	h := &collector{onSample: func(media.Sample) error {
		go cam.server.Close() // which waits for the connection, and so for this function
		return nil
	}}
	_, err := runRTSP(t, &Source{URL: cam.url("/live")}, h, 1, 1<<30)
	if err == nil || !strings.Contains(err.Error(), "the camera closed the connection") {
		t.Errorf("error is %v", err)
	}
}

func TestRTSPHandlerFails(t *testing.T) {
	t.Parallel()
	m := h264Media(codectest.SPS(10, 0, false), codectest.PPS(0))
	cam := &testCamera{locked: true}
	startVideo(t, cam, m, func() func(int) { return cam.sendH264(m) })
	full := errors.New("the disk is full")
	n := 0
	h := &collector{onSample: func(media.Sample) error {
		if n++; n == 3 {
			return fmt.Errorf("append: %w", full)
		}
		return nil
	}}
	_, err := runRTSP(t, &Source{URL: cam.url("/live")}, h, 1, 1<<30)
	if !errors.Is(err, full) || n != 3 {
		t.Errorf("error is %v after %d samples", err, n)
	}
}

// A server that takes connections and never answers must not hold up Run when it is told to stop.
func TestRTSPCancelled(t *testing.T) {
	for _, scheme := range []string{"rtsp", "rtsps"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			accepted := make(chan net.Conn, 1)
			go func() {
				if conn, err := l.Accept(); err == nil {
					accepted <- conn
					cancel()
				}
			}()
			r := &Source{URL: scheme + "://" + l.Addr().String() + "/", Log: slog.New(slog.DiscardHandler)}
			start := time.Now()
			if err := r.Run(ctx, &collector{t: t}); err != nil {
				t.Errorf("error is %v after the context was cancelled", err)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
			(<-accepted).Close()
		})
	}
}

func TestRTSPInvalidURL(t *testing.T) {
	for _, url := range []string{
		"rtsp://viewer:p@ss/w#rd%?@127.0.0.1/live",
		"rtsp://viewer:" + testPassword, "http://viewer:p%40ss@127.0.0.1/live", "viewer:p@ss", "", "rtsp://", "rtsp:///live",
	} {
		_, err := runRTSP(t, &Source{URL: url}, new(collector), 1, 1)
		if err == nil || !strings.Contains(err.Error(), "is not valid; write rtsp://") {
			t.Errorf("%q: error is %v", url, err)
		}
	}
}

func TestRTSPBackChannel(t *testing.T) {
	s := newFuzzSession(t, []byte(describeVideo(t)+describeAAC(13)+"a=sendonly\r\n"))
	if s == nil || s.audio != nil || len(s.left.data) != 1 || !strings.Contains(s.left.data[0], "back channel") {
		t.Errorf("a back channel is taken, or not told of: %+v", s)
	}
	s = newFuzzSession(t, []byte(describeVideo(t)+describeAAC(13)+describeAAC(13)))
	if s == nil || s.audio == nil || !slices.Equal(s.left.data, []string{"a second audio track (mpeg4-generic)"}) {
		t.Errorf("want one audio track taken, and the second told of: %+v", s)
	}
}

func newTestLog(b *logBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
