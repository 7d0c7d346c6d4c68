package rtsp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v5/pkg/rtcpunmarshaler"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"nvrfs/codec/codectest"
	"nvrfs/recorder/guard"
	"nvrfs/recorder/rtpclock"
)

// fuzzSession is a session without a connection: it is given answers, packets and reports, as gortsplib would.
type fuzzSession struct {
	*session
	t   *testing.T
	h   *collector
	log *logBuffer
}

// newFuzzSession describes tracks to a session. It returns nil where they are refused.
func newFuzzSession(t *testing.T, sdp []byte) *fuzzSession {
	t.Helper()
	f := &fuzzSession{t: t, h: &collector{t: t}, log: new(logBuffer)}
	f.session = newSession(&Source{Log: newTestLog(f.log)}, f.h)
	res := &base.Response{StatusCode: base.StatusOK, Header: base.Header{"Content-Type": {"application/sdp"}}, Body: sdp}
	f.onResponse(res)
	if why := f.reason(nil); (why != nil) != (res.StatusCode != base.StatusOK) {
		t.Fatalf("the session fails for %v, and gortsplib gets %v", why, res.StatusCode)
	}
	if res.StatusCode != base.StatusOK {
		return nil
	}
	desc, err := describedSession(res.Body) // as gortsplib does, with nobody to recover
	if err != nil {
		t.Fatalf("gortsplib gets what cannot be read: %v", err)
	}
	*f.guard = guard.Guard{}
	medias, err := f.choose(desc)
	if f.guard.Logged() || len(f.log.String()) > 2*guard.MaxStack+maxTracks*1000 {
		t.Fatalf("choosing from %q: %v\n%s", res.Body, err, f.log)
	}
	if err != nil {
		return nil
	}
	for _, m := range medias {
		_, _ = m.URL(&base.URL{Scheme: "rtsp", Host: "camera", Path: "/live"})
	}
	return f
}

// begin gives the session a first picture.
func (f *fuzzSession) begin() {
	for i, nalu := range [][]byte{codectest.SPS(10, 0, false), codectest.PPS(0), codectest.Slice(true, 0)} {
		f.onPacket(f.video, f.video.format, &rtp.Packet{
			Header:  rtp.Header{Version: 2, PayloadType: f.video.format.PayloadType(), SequenceNumber: uint16(i), Marker: i == 2},
			Payload: nalu,
		})
	}
	if err := f.videoUnits(f.video.receiver.Flush()); err != nil {
		f.t.Fatal(err)
	}
	none := rtpclock.Call{Do: func(int64) error { return nil }}
	if err := f.tie.Do(none, f.started, time.Now().Add(time.Hour)); err != nil || !f.tie.Tied() { // no report is waited for any more
		f.t.Fatalf("tied %v, %v", f.tie.Tied(), err)
	}
}

// check looks how the session ends.
func (f *fuzzSession) check() {
	f.t.Helper()
	f.end()
	if f.guard.Logged() {
		f.t.Fatalf("the session ends for %v\n%s", f.reason(nil), f.log)
	}
	for _, s := range f.h.samples[0] {
		var au h264.AVCC
		if err := au.Unmarshal(s.Data); err != nil {
			f.t.Fatalf("a sample %x: %v", s.Data, err)
		}
	}
}

// fuzzPacket writes a packet as fuzzPackets reads it.
func fuzzPacket(flags byte, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{flags}, uint16(len(payload))), payload...)
}

// fuzzPackets reads packets: flags (1: the marker, 2 and 4: how the timestamp goes on, 8: one is lost before, 16: another
// payload type), the length of the payload in 2 bytes, and the payload.
func fuzzPackets(data []byte, payloadType uint8, step uint32) (packets []*rtp.Packet) {
	seq, timestamp := uint16(2), uint32(0)
	for len(data) >= 3 {
		flags, n := data[0], int(binary.BigEndian.Uint16(data[1:]))
		data = data[3:]
		n = min(n, len(data))
		seq += 1 + uint16(flags>>3&1)
		timestamp += []uint32{step, 0, -step, 20 * step}[flags>>1&3]
		packets = append(packets, &rtp.Packet{
			Header:  rtp.Header{Version: 2, PayloadType: payloadType + flags>>4&1, SequenceNumber: seq, Timestamp: timestamp, Marker: flags&1 != 0},
			Payload: data[:n:n],
		})
		data = data[n:]
	}
	return packets
}

func FuzzSessionDescription(f *testing.F) {
	video := describeVideo(f)
	f.Add([]byte(video))
	f.Add([]byte(video + describeAAC(13)))
	f.Add([]byte(video + describeAAC(64)))
	f.Add([]byte(video + describeLATM(twoLayers()))) // gortsplib panics
	f.Add([]byte(describeLATM(twoLayers())))
	f.Add([]byte("m=video 0")) // the port was taken for a payload type
	f.Add([]byte("v=0\r\nm=video 0 RTP/AVP 96 97\r\na=rtpmap:96 H265/90000\r\na=rtpmap:97 H264/90000\r\na=sendonly\r\na=key-mgmt:mikey AQAVdQ==\r\n" + describeAAC(13)))
	f.Fuzz(func(t *testing.T, sdp []byte) {
		if s := newFuzzSession(t, sdp); s != nil && (len(s.tracks()) == 0 || s.video == nil && s.left.has("video")) {
			t.Fatal("nothing is recorded, or sound in place of a picture")
		}
	})
}

// FuzzSound describes AAC, by RFC 3640 or as LATM, and sends packets of it.
func FuzzSound(f *testing.F) {
	frame := bytes.Repeat([]byte{0xab}, 20)
	f.Add(false, []byte{0x14, 0x08}, uint8(13), uint8(3), uint8(3), bytes.Join([][]byte{
		fuzzPacket(1, append([]byte{0, 16, 0, 20 << 3}, frame...)),
		fuzzPacket(0, append([]byte{0, 16, 0, 40 << 3 & 0xff, 40 >> 5}, frame...)),
		fuzzPacket(5, append([]byte{0, 32, 0, 10 << 3, 0, 10 << 3}, frame...)),
	}, nil))
	f.Add(false, []byte{0x14, 0x08}, uint8(64), uint8(3), uint8(3), fuzzPacket(1, hugeAU())) // gortsplib panics on its packet
	f.Add(false, []byte{0x14, 0x08}, uint8(31), uint8(0), uint8(0), fuzzPacket(1, []byte{0, 31, 0xff, 0xff, 0xff, 0xff, 1}))
	f.Add(true, twoLayers(), uint8(0), uint8(0), uint8(0), []byte{}) // gortsplib panics on its description
	f.Add(true, []byte{0x40, 0x00, 0x28, 0x10, 0x3f, 0xc0}, uint8(0), uint8(0), uint8(0), bytes.Join([][]byte{
		fuzzPacket(1, append([]byte{20}, frame...)), fuzzPacket(0, append([]byte{40}, frame...)), fuzzPacket(3, frame),
	}, nil))
	f.Fuzz(func(t *testing.T, latm bool, config []byte, size, index, delta uint8, data []byte) {
		track := describeLATM(config)
		if !latm {
			track = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/16000/1\r\n" +
				fmt.Sprintf("a=fmtp:97 config=%x;sizelength=%d;indexlength=%d;indexdeltalength=%d\r\n", config, size, index, delta)
		}
		s := newFuzzSession(t, []byte(describeVideo(t)+track))
		if s == nil || s.audio == nil {
			return
		}
		s.begin()
		for _, p := range fuzzPackets(data, 97, 1024) {
			s.onPacket(s.audio, s.audio.format, p)
		}
		s.check()
		total := 0
		for _, x := range s.h.samples[1] {
			total += len(x.Data)
		}
		if total > len(data) {
			t.Fatalf("%d bytes of sound from packets of %d", total, len(data))
		}
	})
}

func FuzzVideoPackets(f *testing.F) {
	enc := &rtph264.Encoder{PayloadType: 96, PacketizationMode: 1, PayloadMaxSize: 200}
	if err := enc.Init(); err != nil {
		f.Fatal(err)
	}
	var pictures []byte
	for n := range 6 {
		packets, err := enc.Encode([][]byte{testAccessUnit(n)[0][:min(6, len(testAccessUnit(n)[0]))], bytes.Repeat([]byte{6}, 300)})
		if err != nil {
			f.Fatal(err)
		}
		for i, p := range packets {
			flags := byte(2) // the same timestamp
			if i == 0 {
				flags = 0
			}
			if p.Marker {
				flags |= 1
			}
			pictures = append(pictures, fuzzPacket(flags, p.Payload)...)
		}
	}
	f.Add(pictures)
	annexB, err := h264.AnnexB{codectest.SPS(20, 2, false), codectest.PPS(0), codectest.Slice(true, 0)}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(fuzzPacket(1, annexB), fuzzPacket(1, codectest.Slice(false, 2))...))
	f.Add(bytes.Join([][]byte{
		fuzzPacket(0, []byte{24, 0, 1, 0x41, 0, 2, 0x41, 1}), fuzzPacket(1, []byte{28, 0x85}), fuzzPacket(9, []byte{28, 0x45, 1}),
		fuzzPacket(1, []byte{}), fuzzPacket(6, []byte{0x65}), fuzzPacket(17, []byte{0x41, 0x9a}),
	}, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newFuzzSession(t, []byte(describeVideo(t)))
		s.begin()
		for _, p := range fuzzPackets(data, 96, codectest.Frame90k) {
			s.onPacket(s.video, s.video.format, p)
		}
		s.check()
	})
}

// FuzzReports sends RTCP packets between pictures and sounds.
func FuzzReports(f *testing.F) {
	for _, at := range []uint64{1, 1 << 63, 1<<64 - 1} {
		report, err := rtcp.Marshal([]rtcp.Packet{
			&rtcp.SenderReport{NTPTime: at, RTPTime: uint32(at)},
			&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "cam"}}}}},
		})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(fuzzPacket(0, report), fuzzPacket(1, report)...))
	}
	f.Add(fuzzPacket(1, []byte{0x81, 203, 0, 1, 0, 0, 0, 1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newFuzzSession(t, []byte(describeVideo(t)+describeAAC(13)))
		s.begin()
		for i, p := range fuzzPackets(data, 0, 0) {
			track := s.video
			if p.Marker {
				track = s.audio
			}
			reports, err := rtcpunmarshaler.Unmarshal(p.Payload)
			if err != nil {
				s.onStranger(err)
				continue
			}
			for _, r := range reports {
				s.onReport(track, r)
			}
			n := uint32(i + 1)
			s.onPacket(s.video, s.video.format, &rtp.Packet{
				Header:  rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: uint16(n + 2), Timestamp: n * codectest.Frame90k, Marker: true},
				Payload: codectest.Slice(true, 0),
			})
			s.onPacket(s.audio, s.audio.format, &rtp.Packet{
				Header:  rtp.Header{Version: 2, PayloadType: 97, SequenceNumber: uint16(n + 2), Timestamp: n * 1024, Marker: true},
				Payload: []byte{0, 16, 0, 2 << 3, 1, 2},
			})
		}
		s.check()
	})
}
