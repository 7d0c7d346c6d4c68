package recorder

import (
	"strings"
	"testing"

	"github.com/pion/rtp"
)

// TestAssemblyIsBounded has cameras send packets of an access unit that never ends.
func TestAssemblyIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		sound   bool
		payload []byte
	}{
		"H.264": {false, []byte{28, 0x05}},                      // a fragment of nothing
		"AAC":   {true, []byte{0, 16, 40 >> 5, 40 << 3 & 0xff}}, // the same
		"LATM":  {true, []byte{1}},
	} {
		t.Run(name, func(t *testing.T) {
			track := describeAAC(13)
			if name == "LATM" {
				track = describeLATM([]byte{0x40, 0x00, 0x28, 0x10, 0x3f, 0xc0})
			}
			s := newFuzzSession(t, []byte(describeVideo(t)+track))
			media, to, payloadType := s.video.media, s.onVideo, uint8(96)
			first := []byte{28, 0x85, 1}
			if c.sound {
				media, to, payloadType = s.audio.media, s.onAudio, 97
				first = append(c.payload[:len(c.payload):len(c.payload)], 1)
			}
			s.begin()
			for n := range maxAssembly + 1 {
				payload := c.payload
				if n == 0 {
					payload = first
				}
				s.receive(media, &rtp.Packet{
					Header:  rtp.Header{Version: 2, PayloadType: payloadType, SequenceNumber: uint16(n + 3), Timestamp: 5},
					Payload: payload,
				}, to)
			}
			if err := s.reason(nil); err == nil || !strings.Contains(err.Error(), "packets of one access unit, and not the last one") {
				t.Errorf("error is %v\n%s", err, s.log)
			}
		})
	}
}

func TestAssemblyKeepsNoPackets(t *testing.T) {
	packet := make([]byte, 1500)
	var a assembly
	for _, c := range []struct {
		payload []byte
		clones  bool
	}{
		{packet[12:13], true},
		{packet[12:1412], false},
	} {
		pkt := &rtp.Packet{Header: rtp.Header{Version: 2}, Payload: c.payload}
		if err := a.add(pkt); err != nil {
			t.Fatal(err)
		}
		if clones := &pkt.Payload[0] != &c.payload[0]; clones != c.clones {
			t.Errorf("payload of %d bytes: cloned %v", len(c.payload), clones)
		}
	}
}
