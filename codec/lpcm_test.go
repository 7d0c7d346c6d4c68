package codec

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/codec/flac/flactest"
	"nvrfs/media"
)

// tone is a value of 24 bits of a channel.
func tone(i, channel int) int32 {
	return int32(3e6 * math.Sin(float64(i)*2*math.Pi*440*float64(channel+1)/16000))
}

// store writes values as a camera or a file does.
func (p *pcm) store(moments int) (data []byte, values []int32) {
	for i := range moments {
		for c := range p.channels {
			v := tone(i, c)
			switch {
			case p.table != nil:
				b := byte(i * (c + 1))
				data, v = append(data, b), int32(p.table[b])
			case p.bytes == 1 && p.offset:
				data, v = append(data, byte(v>>16)+128), v>>16<<8
			case p.bytes == 1:
				data, v = append(data, byte(v>>16)), v>>16<<8
			case p.bytes == 2 && p.little:
				data, v = binary.LittleEndian.AppendUint16(data, uint16(v>>8)), v>>8
			case p.bytes == 2:
				data, v = binary.BigEndian.AppendUint16(data, uint16(v>>8)), v>>8
			case p.little:
				data = append(data, byte(v), byte(v>>8), byte(v>>16))
			default:
				data = append(data, byte(v>>16), byte(v>>8), byte(v))
			}
			values = append(values, v)
		}
	}
	return data, values
}

func TestLPCM(t *testing.T) {
	for name, c := range map[string]struct {
		f   format.Format
		pcm pcm
	}{
		"L16 mono":               {&format.LPCM{BitDepth: 16, SampleRate: 16000, ChannelCount: 1}, pcm{channels: 1, bytes: 2}},
		"L16 stereo":             {&format.LPCM{BitDepth: 16, SampleRate: 16000, ChannelCount: 2}, pcm{channels: 2, bytes: 2}},
		"L16 of the wrong order": {&format.LPCM{BitDepth: 16, SampleRate: 16000, ChannelCount: 2}, pcm{channels: 2, bytes: 2, little: true}},
		"L8":                     {&format.LPCM{BitDepth: 8, SampleRate: 16000, ChannelCount: 1}, pcm{channels: 1, bytes: 1, offset: true}},
		"L24 of 8 channels":      {&format.LPCM{BitDepth: 24, SampleRate: 16000, ChannelCount: 8}, pcm{channels: 8, bytes: 3}},
		"A-law stereo":           {&format.G711{SampleRate: 16000, ChannelCount: 2}, pcm{channels: 2, bytes: 1, table: &aLawValues}},
		"mu-law stereo":          {&format.G711{MULaw: true, SampleRate: 16000, ChannelCount: 2}, pcm{channels: 2, bytes: 1, table: &muLawValues}},
	} {
		t.Run(name, func(t *testing.T) {
			codec, r, err := Receive(c.f)
			if err != nil || codec != lpcmCodec || r.Entry().Kind != media.Audio || r.Entry().Timescale != 16000 {
				t.Fatalf("received as %+v, %v", r, err)
			}
			data, want := c.pcm.store(8000)
			var got []int32
			next := int64(1 << 40)
			take := func(units []Unit, err error) {
				if err != nil {
					t.Fatal(err)
				}
				for _, u := range units {
					samples, newEntry, err := r.Samples(u, 1<<40+int64(u.Timestamp-1<<31)+int64((u.Timestamp-1<<31)%7))
					if err != nil || newEntry || len(samples) != 1 || samples[0].DTS != next || !samples[0].Sync {
						t.Fatalf("%d samples, %v, want one with a DTS of %d", len(samples), err, next)
					}
					values, at := flactest.Decode(t, samples[0].Data, 16000, c.pcm.channels, c.pcm.depth())
					if at != uint64(next-1<<40) || int(samples[0].Duration) != len(values)/c.pcm.channels || samples[0].Duration < 1600 && next+int64(samples[0].Duration) < 1<<40+8000 {
						t.Errorf("%d values at %d last %d", len(values), at, samples[0].Duration)
					}
					next += int64(samples[0].Duration)
					got = append(got, values...)
				}
			}
			at := uint32(1 << 31)
			for p := range slices.Chunk(data, 320*c.pcm.frame()) {
				take(r.Packet(&rtp.Packet{Header: rtp.Header{Timestamp: at}, Payload: p}, time.Time{}))
				clear(p) // its memory is the caller's
				at += uint32(len(p) / c.pcm.frame())
			}
			take(r.Flush(), nil)
			if !slices.Equal(got, want) {
				t.Errorf("%d values came, of %d", len(got), len(want))
			}
		})
	}
}

// TestLPCMGaps has samples end where packets were lost, and where the camera's clock leaps, but not where it jitters.
func TestLPCMGaps(t *testing.T) {
	_, r, err := Receive(&format.LPCM{BitDepth: 16, SampleRate: 8000, ChannelCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	type block struct {
		dts      int64
		duration uint32
	}
	var got []block
	take := func(units []Unit) {
		for _, u := range units {
			samples, _, err := r.Samples(u, int64(u.Timestamp))
			if err != nil || len(samples) != 1 {
				t.Fatal(len(samples), err)
			}
			got = append(got, block{samples[0].DTS, samples[0].Duration})
			if !u.Received.Equal(time.Unix(int64(u.Timestamp), 0)) {
				t.Errorf("the unit at %d came at %v", u.Timestamp, u.Received)
			}
		}
	}
	for _, p := range []struct {
		at    uint32
		n     int
		lost  bool
		empty bool
	}{
		{at: 1000, n: 400},
		{at: 1390, n: 400}, // early by 10
		{at: 1900, n: 300}, // late by 100, of which nothing was lost
		{at: 2300, n: 100, lost: true},
		{at: 2400, n: 50},
		{at: 9000, n: 800}, // a pause
		{at: 100, n: 900},  // a clock that began anew
		{at: 1000, n: 1},
	} {
		if p.lost {
			r.Lost()
		}
		payload := make([]byte, 2*p.n+1) // the odd byte is of no value
		units, err := r.Packet(&rtp.Packet{Header: rtp.Header{Timestamp: p.at}, Payload: payload}, time.Unix(int64(p.at), 0))
		if err != nil {
			t.Fatal(err)
		}
		take(units)
	}
	take(r.Flush())
	take(r.Flush())
	want := []block{{1000, 800}, {1800, 300}, {2300, 150}, {9000, 800}, {9800, 900}, {10700, 1}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if units, err := r.Packet(&rtp.Packet{Payload: []byte{1}}, time.Time{}); err != nil || len(units) > 0 {
		t.Errorf("half a value: %v, %v", units, err)
	}
	if _, _, err := r.Samples(Unit{Parts: [][]byte{make([]byte, 1<<18)}}, 0); err == nil {
		t.Error("no error for more than a frame of FLAC has room for")
	}
}

func TestLPCMRefuses(t *testing.T) {
	for want, f := range map[string]format.Format{
		"9 channels":             &format.LPCM{BitDepth: 16, SampleRate: 8000, ChannelCount: 9},
		"0 samples a second":     &format.LPCM{BitDepth: 16, SampleRate: math.MaxInt32, ChannelCount: 1},
		"192001 samples":         &format.LPCM{BitDepth: 16, SampleRate: 192001, ChannelCount: 1},
		"2147483647 channels":    &format.G711{SampleRate: 8000, ChannelCount: math.MaxInt32},
		"7 samples a second; 1,": &format.G711{SampleRate: 7, ChannelCount: 2},
	} {
		if c, r, err := Receive(f); c != lpcmCodec || r != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, %v, want %q", c, r, err, want)
		}
	}
}

func TestTranscode(t *testing.T) {
	entry := func(typ string, channels, bits, rate int, inside ...byte) []byte {
		var w writer
		w.Box(typ, func() {
			w.audioFields(uint16(channels), uint32(rate))
			w.Bytes(inside)
		})
		binary.BigEndian.PutUint16(w.B[audioVersion+10:], uint16(bits))
		return w.B
	}
	lpcm := func(channels, bits, flags uint32) []byte {
		var w writer
		w.U32(72)
		w.U64(math.Float64bits(16000))
		w.U32s(channels, 0x7f000000, bits, flags, channels*bits/8, 1)
		b := entry("lpcm", 3, 16, 1, w.B...)
		b[audioVersion+1] = 2
		return b
	}
	for name, c := range map[string]struct {
		box []byte
		pcm pcm
	}{
		"sowt":        {entry("sowt", 2, 16, 16000), pcm{channels: 2, bytes: 2, little: true}},
		"twos":        {entry("twos", 1, 16, 16000), pcm{channels: 1, bytes: 2}},
		"twos of 8":   {entry("twos", 1, 8, 16000), pcm{channels: 1, bytes: 1}},
		"raw":         {entry("raw ", 1, 8, 16000), pcm{channels: 1, bytes: 1, offset: true}},
		"in24":        {entry("in24", 2, 24, 16000), pcm{channels: 2, bytes: 3}},
		"in24 little": {entry("in24", 2, 24, 16000, boxed("wave", boxed("enda", []byte{0, 1}))...), pcm{channels: 2, bytes: 3, little: true}},
		"lpcm":        {lpcm(2, 24, signedFlag), pcm{channels: 2, bytes: 3, little: true}},
		"lpcm big":    {lpcm(6, 16, signedFlag|bigFlag), pcm{channels: 6, bytes: 2}},
		"ipcm":        {entry("ipcm", 1, 16, 16000, boxed("pcmC", []byte{0, 0, 0, 0, 1, 16})...), pcm{channels: 1, bytes: 2, little: true}},
		"ipcm of 24":  {entry("ipcm", 1, 24, 16000, boxed("pcmC", []byte{0, 0, 0, 0, 0, 24})...), pcm{channels: 1, bytes: 3}},
		"stereo ulaw": {entry("ulaw", 2, 16, 16000), pcm{channels: 2, bytes: 1, table: &muLawValues}},
	} {
		x, err := Transcode(c.box)
		if err != nil || x.Moment != c.pcm.frame() || x.Entry.Timescale != 16000 || x.Entry.Codec != "flac" {
			t.Errorf("%s: %+v, %v", name, x, err)
			continue
		}
		data, want := c.pcm.store(1600)
		sample, err := x.Sample(data)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := flactest.Decode(t, sample, 16000, c.pcm.channels, c.pcm.depth()); !slices.Equal(got, want) {
			t.Errorf("%s: it came back changed", name)
		}
		for _, bad := range [][]byte{nil, make([]byte, (x.Most+1)*x.Moment)} {
			if _, err := x.Sample(bad); err == nil {
				t.Errorf("%s: no error for %d bytes", name, len(bad))
			}
		}
	}
	for want, box := range map[string][]byte{
		"stored as they are":        opusEntry(opusConfig(1)).Box,
		"values of 32 bits":         entry("twos", 1, 32, 16000),
		"values of 12 bits":         lpcm(1, 12, 0),
		"fractions":                 lpcm(1, 32, floatFlag),
		"configuration is missing":  entry("ipcm", 1, 16, 16000),
		"0 channels":                entry("sowt", 0, 16, 16000),
		"it has 0 samples a second": entry("sowt", 1, 16, 0),
		"not one whole box":         entry("sowt", 1, 16, 0)[:30],
	} {
		if _, err := Transcode(box); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
}
