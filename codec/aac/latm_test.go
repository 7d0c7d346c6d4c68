package aac

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/pion/rtp"
)

// FuzzLATM sends anything. What is kept of it is bounded, and what comes of it is no more than was sent.
func FuzzLATM(f *testing.F) {
	for _, seed := range []string{
		"200014081fe02b9b7bab7320",
		"4807f821280080a040ff2002028103fc1001014081ff400506005105902c00ee6dfdddddddddddddddddddceadcc9ffffe3002882c816007736feeeeeeeeeeeeeeeeeeee756e64fffff03002882c816007736feeeeeeeeeeeeeeeeeeee756e64fffff0",
	} {
		data, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add("40002420", data, true)
		f.Add("", data, false)
	}
	f.Fuzz(func(t *testing.T, config string, data []byte, marker bool) {
		l := &LATM{InBand: true}
		if c, err := hex.DecodeString(config); err == nil && len(c) > 0 {
			if l.Mux, err = ParseMuxConfig(c); err != nil {
				return
			}
		}
		for i, p := range slices.Collect(slices.Chunk(data, max(1, len(data)/3))) {
			frames, _ := l.Frames(&rtp.Packet{Header: rtp.Header{Marker: marker || i%2 == 1}, Payload: p})
			bytes := 0
			for _, f := range frames {
				bytes += len(f)
			}
			if bytes > len(data) {
				t.Errorf("%d bytes came of %d", bytes, len(data))
			}
			if kept := len(l.part); kept > MaxFrameBytes {
				t.Errorf("%d bytes are kept", kept)
			}
		}
	})
}
