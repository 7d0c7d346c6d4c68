package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"iter"
	"math/rand/v2"
	"time"
	"unsafe"

	"nvrfs/camera"
	"nvrfs/codec"
	"nvrfs/codec/codectest"
	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/recorder/volume"
)

// A Camera is a camera whose every sample, and the time at which each comes, is computed.
type Camera struct {
	Start     time.Time // when the first frame is taken, by a perfect clock; with a monotonic reading
	FPS       int       // 0 means 25
	GOP       int       // frames; 0 means 50
	BFrames   bool
	AudioRate int           // ticks a second; 0 for no audio
	AudioLate time.Duration // how much later than the picture of the same time the sound comes
	AudioFrom time.Duration // when the first sound is made
	AudioEnd  time.Duration // when the last is; 0 means never
	Burst     int           // frames that were buffered when the session began, and come at once
	Jitter    time.Duration // the most by which packets are delayed on their way
	PPM       float64       // by how much the camera's clock is fast
	Origin90k int64         // DTS of the first frame
	Run       uint32        // stands in the samples, with their numbers
}

func (c Camera) WithDefaults() Camera {
	if c.Start.IsZero() {
		c.Start = At(time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC))
	}
	if c.FPS == 0 {
		c.FPS = 25
	}
	if c.GOP == 0 {
		c.GOP = 50
	}
	return c
}

// At returns t with a monotonic reading that fits.
func At(t time.Time) time.Time {
	now := time.Now()
	return now.Add(t.Sub(now))
}

// Stepped returns t as a host would have read it whose wall clock was set by d before.
func Stepped(t time.Time, d time.Duration) time.Time {
	t = t.Add(d)
	// The layout of time.Time with a monotonic reading: flags and wall time, then nanoseconds of the monotonic clock.
	(*struct {
		wall uint64
		mono int64
		loc  *time.Location
	})(unsafe.Pointer(&t)).mono -= int64(d)
	return t
}

// Tracks returns the sample entries of the camera.
func (c Camera) Tracks() []media.SampleEntry {
	e, err := camera.SentEntry(camera.DemoClip().Video)
	if err != nil {
		panic(err)
	}
	tracks := []media.SampleEntry{e}
	if c.AudioRate > 0 {
		config := map[int][]byte{44100: {0x12, 0x10}, 48000: {0x11, 0x90}, 16000: {0x14, 0x08}}[c.AudioRate]
		a, err := codec.AACEntry(config)
		if err != nil {
			panic(err)
		}
		tracks = append(tracks, a)
	}
	return tracks
}

// OtherEntry is a sample entry of video that differs from that of tracks.
func OtherEntry() media.SampleEntry {
	e, err := codec.H264Entry(codectest.SPS(4, 0, false), codectest.PPS(0))
	if err != nil {
		panic(err)
	}
	return e
}

// Samples yields what the camera sends in the first d of its clock, as it comes. It never ends when d is 0.
func (c Camera) Samples(d time.Duration) iter.Seq[media.Sample] {
	c = c.WithDefaults()
	return func(yield func(media.Sample) bool) {
		rnd := rand.New(rand.NewPCG(7, 7))
		delay := func() time.Duration {
			if c.Jitter == 0 {
				return 0
			}
			return time.Duration(rnd.Int64N(int64(c.Jitter)))
		}
		var lastVideo, lastAudio time.Time
		videoAt := func(i int) time.Time { return c.Taken(float64(max(i, c.Burst-1)) / float64(c.FPS)) }
		audioTime := func(i int) float64 { return c.AudioFrom.Seconds() + float64(i)*1024/float64(c.AudioRate) }
		for v, a := 0, 0; ; {
			if d > 0 && time.Duration(float64(v)/float64(c.FPS)*1e9) >= d {
				return
			}
			if c.AudioRate > 0 && (c.AudioEnd == 0 || audioTime(a) < c.AudioEnd.Seconds()) {
				if t := c.Taken(audioTime(a)).Add(c.AudioLate); t.Before(videoAt(v)) {
					lastAudio = Latest(lastAudio, t.Add(delay()))
					if !yield(c.Sound(a, lastAudio)) {
						return
					}
					a++
					continue
				}
			}
			lastVideo = Latest(lastVideo, videoAt(v).Add(delay()))
			if !yield(c.Picture(v, lastVideo)) {
				return
			}
			v++
		}
	}
}

func Latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Taken is when something that is s seconds into the run by the camera's clock happens.
func (c Camera) Taken(s float64) time.Time {
	return c.Start.Add(time.Duration(s / (1 + c.PPM/1e6) * 1e9))
}

// Picture is frame i, in decoding order. With B-frames, threes are decoded last first.
func (c Camera) Picture(i int, received time.Time) media.Sample {
	frame := int64(90000 / c.FPS)
	s := media.Sample{DTS: c.Origin90k + int64(i)*frame, Duration: 3600, Sync: i%c.GOP == 0, Received: received}
	if k := i % c.GOP; c.BFrames {
		switch group := (k - 1) / 3 * 3; {
		case k == 0 || group+3 >= c.GOP:
			s.CTS = int32(frame)
		case k == group+1:
			s.CTS = int32(3 * frame)
		}
	}
	nal := byte(0x41)
	if s.Sync {
		nal = 0x65
	}
	body := append([]byte{nal}, c.Mark(volume.Video, i)...)
	s.Data = append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	return s
}

func (c Camera) Sound(i int, received time.Time) media.Sample {
	from := int64(c.AudioFrom.Seconds()*float64(c.AudioRate)) + media.Rescale(c.Origin90k, 90000, uint32(c.AudioRate))
	return media.Sample{Track: 1, DTS: from + int64(i)*1024, Duration: 1024, Sync: true, Received: received, Data: c.Mark(1, i)}
}

// Mark is a content that no other sample has, of a length that varies.
func (c Camera) Mark(track, i int) []byte {
	b := binary.BigEndian.AppendUint32(nil, c.Run)
	b = binary.BigEndian.AppendUint32(append(b, byte(track)), uint32(i))
	return append(b, bytes.Repeat([]byte{byte(i) | 1}, i*31%97)...)
}

// PictureOf is a NAL unit with the number of its picture.
func PictureOf(i int64, sync bool) []byte {
	b := []byte{0, 0, 0, 9, 0x41}
	if sync {
		b[4] = 0x65
	}
	return binary.BigEndian.AppendUint64(b, uint64(i)|1<<40)
}

// NumberOf is the number of a picture.
func NumberOf[T string | []byte](picture T) int64 {
	return int64(binary.BigEndian.Uint64([]byte(picture[5:])) &^ (1 << 40))
}

var Dawn = time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)

// SourceFunc is a Source.
type SourceFunc func(ctx context.Context, h media.Handler) error

func (f SourceFunc) Run(ctx context.Context, h media.Handler) error { return f(ctx, h) }

// NewFragment returns a fragment of one picture, which the caller holds.
func NewFragment() *volume.Fragment {
	c := Camera{}.WithDefaults()
	x := c.Picture(0, c.Start)
	return volume.NewFragment(&mp4.Fragment{Sequence: 1, Tracks: [][]media.Sample{{x}}})
}
