package rtsp

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/pion/rtp"

	"nvrfs/codec/codectest"
	"nvrfs/media"
	"nvrfs/recorder/guard"
)

// hostileCamera is an RTSP server on the loopback that says what no server library would say.
type hostileCamera struct {
	sdp     string
	headers map[string]string            // by method, a header line more
	frames  func(n int) map[int][][]byte // by channel, the packets that it sends in turn n
	url     string
}

// startHostile serves until the test ends.
func startHostile(t *testing.T, c *hostileCamera) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.url = "rtsp://" + l.Addr().String() + "/live"
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Go(func() { c.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range conns {
			conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
}

func (c *hostileCamera) serve(conn net.Conn) {
	defer conn.Close()
	in := textproto.NewReader(bufio.NewReader(conn))
	for {
		request, err := in.ReadLine()
		if err != nil {
			return
		}
		header, err := in.ReadMIMEHeader()
		if err != nil {
			return
		}
		method, _, _ := strings.Cut(request, " ")
		lines, body := "CSeq: "+header.Get("Cseq")+"\r\n", ""
		switch method {
		case "DESCRIBE":
			lines, body = lines+"Content-Type: application/sdp\r\n", c.sdp
		case "SETUP":
			lines += "Session: 1\r\nTransport: " + header.Get("Transport") + "\r\n"
		}
		if extra := c.headers[method]; extra != "" {
			lines += extra + "\r\n"
		}
		fmt.Fprintf(conn, "RTSP/1.0 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", lines, len(body), body)
		if method == "PLAY" {
			c.send(conn)
			return
		}
	}
}

func (c *hostileCamera) send(conn net.Conn) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn)
	}()
	defer func() { conn.Close(); <-gone }()
	tick := time.NewTicker(testPeriod)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-gone:
			return
		case <-tick.C:
		}
		for channel, packets := range c.frames(n) {
			for _, p := range packets {
				frame := append([]byte{'$', byte(channel)}, binary.BigEndian.AppendUint16(nil, uint16(len(p)))...)
				if _, err := conn.Write(append(frame, p...)); err != nil {
					return
				}
			}
		}
	}
}

// describeVideo returns the description of an H.264 track, to which tests add others.
func describeVideo(t testing.TB) string {
	t.Helper()
	desc, err := description.Session{Medias: []*description.Media{h264Media(codectest.SPS(10, 0, false), codectest.PPS(0))}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(desc), "a=control\r\n", "", 1) + "a=control:trackID=0\r\n"
}

func describeAAC(sizeLength int) string {
	return "m=audio 0 RTP/AVP 97\r\na=control:trackID=1\r\na=rtpmap:97 mpeg4-generic/16000/1\r\n" +
		fmt.Sprintf("a=fmtp:97 streamtype=5;mode=AAC-hbr;config=1408;sizelength=%d;indexlength=3;indexdeltalength=3\r\n", sizeLength)
}

func describeLATM(config []byte) string {
	return "m=audio 0 RTP/AVP 97\r\na=control:trackID=1\r\na=rtpmap:97 MP4A-LATM/16000/1\r\n" +
		"a=fmtp:97 cpresent=0;config=" + hex.EncodeToString(config) + "\r\n"
}

// twoLayers is a LATM StreamMuxConfig (ISO/IEC 14496-3 1.7.3) whose second layer has the configuration of the first.
func twoLayers() []byte {
	w := new(codectest.BitWriter)
	w.U(1, 0) // audioMuxVersion
	w.U(1, 1) // allStreamsSameTimeFraming
	w.U(6, 0) // numSubFrames
	w.U(4, 0) // numProgram
	w.U(3, 1) // numLayer
	w.U(5, 2) // AAC-LC
	w.U(4, 8) // 16 kHz
	w.U(4, 1) // mono
	w.U(3, 0) // GASpecificConfig
	w.U(3, 0) // frameLengthType
	w.U(8, 255)
	w.U(1, 1) // useSameConfig
	w.U(3, 0)
	w.U(8, 255)
	w.U(2, 0) // otherDataPresent, crcCheckPresent
	return w.B
}

// hugeAU is the payload of one AAC packet whose AU is said to have 2^63 bytes, where sizelength is 64.
func hugeAU() []byte {
	p := make([]byte, 2+9+4)
	binary.BigEndian.PutUint16(p, 64+3) // AU-headers-length, in bits
	p[2] = 0x80
	return p
}

// hostileFrames sends pictures on channel 0 and what audio returns on channel 2.
func hostileFrames(t *testing.T, audio []byte) func(n int) map[int][][]byte {
	t.Helper()
	enc := &rtph264.Encoder{PayloadType: 96, PacketizationMode: 1}
	if err := enc.Init(); err != nil {
		t.Fatal(err)
	}
	return func(n int) map[int][][]byte {
		packets, err := enc.Encode(testAccessUnit(n))
		if err != nil {
			t.Error(err)
		}
		var video [][]byte
		for _, p := range packets {
			p.Timestamp = testTimestamp(n)
			video = append(video, marshalRTP(t, p))
		}
		sound := marshalRTP(t, &rtp.Packet{
			Header:  rtp.Header{Version: 2, PayloadType: 97, Marker: true, SequenceNumber: uint16(n), Timestamp: uint32(n) * 1024},
			Payload: audio,
		})
		return map[int][][]byte{0: video, 2: {sound}}
	}
}

func marshalRTP(t *testing.T, p *rtp.Packet) []byte {
	t.Helper()
	b, err := p.Marshal()
	if err != nil {
		t.Error(err)
	}
	return b
}

// TestHostileSound has cameras describe and send sound that gortsplib panics on: the picture is recorded without it.
func TestHostileSound(t *testing.T) {
	const notRecorded = "is not recorded; its other tracks are"
	for name, c := range map[string]struct{ track, message, codec, why string }{
		"AAC lengths of 64 bits":      {describeAAC(64), notRecorded, "codec=mpeg4-generic", "64 bits, of 31 at most"},
		"LATM of two layers":          {describeLATM(twoLayers()), "were lost or damaged", "lost=0 damaged=1 ", "an element of LATM is cut short"},
		"AAC without a configuration": {strings.Replace(describeAAC(13), "config=1408;", "", 1), notRecorded, "codec=mpeg4-generic", "config is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cam := &hostileCamera{sdp: describeVideo(t) + c.track, frames: hostileFrames(t, hugeAU())}
			startHostile(t, cam)
			h := new(collector)
			log, err := runRTSP(t, &Source{URL: cam.url}, h, 1, 30)
			if err != nil {
				t.Fatal(err)
			}
			checkVideo(t, h.samples[0])
			line := ""
			for l := range strings.Lines(log) {
				if strings.Contains(l, c.message) && strings.Contains(l, c.codec) {
					line += l
				}
			}
			if strings.Count(line, "\n") != 1 || !strings.Contains(line, c.why) {
				t.Errorf("want one line that tells of %s: %s\nin %s", c.codec, c.why, log)
			}
		})
	}
}

// TestHostileCameras has cameras that nothing can be recorded from, while another camera is recorded by the same process.
func TestHostileCameras(t *testing.T) {
	good := new(testCamera)
	m := h264Media(codectest.SPS(10, 0, false), codectest.PPS(0))
	startVideo(t, good, m, func() func(int) { return good.sendH264(m) })
	goodSample := make(chan struct{})
	stop := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := runRTSP(t, &Source{URL: good.url("/live")}, &collector{onSample: func(media.Sample) error {
			select {
			case goodSample <- struct{}{}:
				return nil
			case <-stop:
				return errors.New("the test is over")
			}
		}}, 1, 1<<30)
		ended <- err
	}()
	head, _, _ := strings.Cut(describeVideo(t), "m=")
	for name, c := range map[string]struct {
		cam  hostileCamera
		want string
	}{
		"sound alone, without its setup": {hostileCamera{sdp: head + strings.Replace(describeAAC(13), "config=1408;", "", 1)}, "the camera describes its sound wrongly: config is missing"},
		"no tracks":                      {hostileCamera{sdp: head}, "the camera answers DESCRIBE, but describes no track: it sends \"v=0\" of type \"application/sdp\""},
		"one long line":                  {hostileCamera{sdp: strings.Repeat("x", 100000)}, "the camera answers DESCRIBE, but describes no track: it sends \"xxx"},
		"many tracks":                    {hostileCamera{sdp: head + strings.Repeat(describeAAC(13), 500)}, "the camera describes more than 32 tracks"},
		"an answer without end":          {hostileCamera{sdp: describeVideo(t), headers: map[string]string{"SETUP": "Content-Length: 999999"}}, "SETUP of the video track: the camera sent a message of 999999 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			cam := &c.cam
			startHostile(t, cam)
			log, err := runRTSP(t, &Source{URL: cam.url}, new(collector), 1, 1)
			if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 || len(log) > 2*guard.MaxStack {
				t.Errorf("error is %.2000v, want %q in it, and the log has %d bytes", err, c.want, len(log))
			}
			for range 5 {
				select {
				case <-goodSample:
				case err := <-ended:
					t.Fatalf("the other camera's session ended: %v", err)
				case <-time.After(testTimeout):
					t.Fatal("the other camera is not recorded any more")
				}
			}
		})
	}
	close(stop)
	<-ended
}

// TestHandlingPanics has a packet panic somewhere below: the session ends with a reason, holding no lock.
func TestHandlingPanics(t *testing.T) {
	m := h264Media(codectest.SPS(10, 0, false), codectest.PPS(0))
	cam := new(testCamera)
	startVideo(t, cam, m, func() func(int) { return cam.sendH264(m) })
	n := 0
	log, err := runRTSP(t, &Source{URL: cam.url("/live")}, &collector{onSample: func(media.Sample) error {
		if n++; n == 3 {
			var none []byte
			return fmt.Errorf("%d", none[n])
		}
		return nil
	}}, 1, 1<<30)
	if want := "nvrfs failed on a packet of the camera's H.264 track: runtime error: index out of range [3] with length 0"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	if n != 3 || strings.Count(log, "a bug in nvrfs") != 1 || !strings.Contains(log, "hostile_test.go") {
		t.Errorf("%d samples; want the stack once in the log: %s", n, log)
	}
}

// TestAACPacketPanics has the depacketizer panic, which the limit on sizelength keeps from happening today.
func TestAACPacketPanics(t *testing.T) {
	r := &Source{Log: newTestLog(new(logBuffer))}
	s := newSession(r, nil)
	d, err := (&format.MPEG4Audio{SizeLength: 64, IndexLength: 3, IndexDeltaLength: 3}).CreateDecoder()
	if err != nil {
		t.Fatal(err)
	}
	s.handle("an AAC packet of the camera", func(time.Time) error {
		_, err := d.Decode(&rtp.Packet{Header: rtp.Header{Marker: true}, Payload: hugeAU()})
		return err
	})
	if err := s.reason(nil); err == nil || !strings.Contains(err.Error(), "nvrfs failed on an AAC packet of the camera: runtime error: slice bounds out of range") {
		t.Errorf("error is %v", err)
	}
}
