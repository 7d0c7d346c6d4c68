package footage

import (
	"math/rand/v2"

	"nvrfs/media"
	"nvrfs/media/box"
)

const (
	muLawRate   = 8000
	muLawPacket = 160 // bytes, and ticks: 20 ms
)

// MuLaw returns the sound of a lap: noise, since every byte is a sound.
func MuLaw(bytes int) []byte {
	rnd := rand.New(rand.NewPCG(711, 0))
	b := make([]byte, bytes)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// muLawSource makes packets of MuLaw that fill a lap.
func muLawSource(l lap) *source {
	s := &source{lap: l, entry: media.SampleEntry{Kind: media.RawAudio, Codec: "ulaw", Timescale: muLawRate, Box: muLawEntry()}}
	rest := MuLaw(int(l.ticks * muLawRate / int64(l.timescale)))
	for at := int64(0); len(rest) > 0; {
		n := min(muLawPacket, len(rest))
		s.samples = append(s.samples, media.Sample{DTS: at, Sync: true, Size: uint32(n), Data: rest[:n:n]})
		at, rest = at+int64(n), rest[n:]
	}
	return s
}

// muLawEntry is the AudioSampleEntry of mu-law (ISO/IEC 14496-12 12.2.3).
func muLawEntry() []byte {
	var w box.Writer
	w.Box("ulaw", func() {
		w.Zeros(6)
		w.U16(1) // data_reference_index
		w.Zeros(8)
		w.U16(1)  // channelcount
		w.U16(16) // samplesize, of what is decoded
		w.Zeros(4)
		w.U32(muLawRate << 16)
	})
	return w.B
}
