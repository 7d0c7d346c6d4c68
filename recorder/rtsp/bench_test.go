package rtsp

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/codec/codectest"
	"nvrfs/media"
)

// sink takes samples and forgets them.
type sink struct{ bytes int }

func (*sink) Start([]media.SampleEntry) error          { return nil }
func (*sink) NewEntry(int, media.SampleEntry) error    { return nil }
func (*sink) NewRun([]media.SampleEntry, string) error { return nil }
func (k *sink) Sample(s media.Sample) error            { k.bytes += len(s.Data); return nil }

// BenchmarkReceive takes a second of a camera of 4 Mbit/s: 25 pictures in 375 packets, and 47 frames of sound.
func BenchmarkReceive(b *testing.B) {
	k := &sink{}
	s := newSession(&Source{Log: slog.New(slog.DiscardHandler)}, k)
	video, audio := h264Media(codectest.SPS(10, 0, false), codectest.PPS(0)), aacMedia()
	if _, err := s.choose(&description.Session{Medias: []*description.Media{video, audio}}); err != nil {
		b.Fatal(err)
	}
	enc, err := video.Formats[0].(*format.H264).CreateEncoder()
	if err != nil {
		b.Fatal(err)
	}
	sound, err := audio.Formats[0].(*format.MPEG4Audio).CreateEncoder()
	if err != nil {
		b.Fatal(err)
	}
	var pictures, frames []*rtp.Packet
	add := func(to *[]*rtp.Packet, timestamp uint32, packets []*rtp.Packet, err error) {
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range packets {
			p.Timestamp = timestamp
			*to = append(*to, p)
		}
	}
	for n := range 25 {
		picture := append(codectest.Slice(n == 0, 2*n), bytes.Repeat([]byte{0x77}, 20_000)...)
		packets, err := enc.Encode([][]byte{picture})
		add(&pictures, uint32(n)*3600, packets, err)
	}
	for n := range 47 {
		packets, err := sound.Encode([][]byte{bytes.Repeat([]byte{0x55}, 300)})
		add(&frames, uint32(n)*1024, packets, err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	s.tie.Rate = 0 // nothing waits for reports
	start := time.Now()
	send := func(t *track, packets []*rtp.Packet, lap, ticks int) {
		for i, p := range packets {
			x := *p
			x.SequenceNumber, x.Timestamp = uint16(lap*len(packets)+i), p.Timestamp+uint32(lap*ticks)
			stamp := int64(lap*ticks) + int64(p.Timestamp)
			came := start.Add(time.Duration(stamp) * time.Second / time.Duration(t.rate))
			s.handle(t.packets, func(time.Time) error { return s.packet(t, packet{Packet: &x, received: came}) })
		}
	}
	for i := range b.N {
		send(s.video, pictures, i, 90_000)
		send(s.audio, frames, i, 47*1024)
	}
	b.StopTimer()
	if err := s.reason(nil); err != nil || k.bytes < (b.N-10)*500_000 {
		b.Fatalf("%d bytes, %v", k.bytes, err)
	}
}
