package codec

import (
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtp"
)

// TestAssemblyIsBounded has cameras send packets of an access unit that never ends.
func TestAssemblyIsBounded(t *testing.T) {
	lc := &mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 16000, ChannelConfig: 1}
	for name, c := range map[string]struct {
		format  format.Format
		payload []byte
		first   []byte
	}{
		"AAC": {
			&format.MPEG4Audio{PayloadTyp: 97, Config: lc, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3},
			[]byte{0, 16, 40 >> 5, 40 << 3 & 0xff},
			[]byte{0, 16, 40 >> 5, 40 << 3 & 0xff, 1}, // the same
		},
		"LATM": {
			&format.MPEG4AudioLATM{PayloadTyp: 97, StreamMuxConfig: &mpeg4audio.StreamMuxConfig{
				Programs: []*mpeg4audio.StreamMuxConfigProgram{{
					Layers: []*mpeg4audio.StreamMuxConfigLayer{{AudioSpecificConfig: lc, LatmBufferFullness: 255}},
				}},
			}},
			[]byte{1},
			[]byte{255, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, r, err := Receive(c.format)
			if err != nil {
				t.Fatal(err)
			}
			for n := range maxAssembly + 1 {
				payload := c.payload
				if n == 0 {
					payload = c.first
				}
				_, err = r.Packet(&rtp.Packet{
					Header:  rtp.Header{Version: 2, PayloadType: c.format.PayloadType(), SequenceNumber: uint16(n + 3), Timestamp: 5},
					Payload: payload,
				}, time.Time{})
			}
			if err == nil || !strings.Contains(err.Error(), "packets of one access unit, and not the last one") {
				t.Errorf("error is %v", err)
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
