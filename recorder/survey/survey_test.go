package survey

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/media"
)

// entry is one of a codec as far as a survey looks: the type of its box, and the codecs parameter.
func entry(box, codecs string) media.SampleEntry {
	e := media.SampleEntry{Kind: media.Video, Codec: codecs, Timescale: 90000, Width: 1920, Height: 1080, Box: make([]byte, 100)}
	copy(e.Box[4:], box)
	return e
}

// nalu is a sample of one NAL unit.
func nalu(header byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, 100)
	return append(append(b, header), make([]byte, 99)...)
}

// A sender is a source of video: rate pictures a second, of which every gopth is a sync sample, by a clock that runs at a speed.
type sender struct {
	entry       media.SampleEntry
	rate        float64
	gop         func(i int) bool
	speed       float64
	sync, other []byte
	ends        int // pictures; 0 for none
}

func (s sender) Run(ctx context.Context, h media.Handler) error {
	if err := h.Start([]media.SampleEntry{s.entry}); err != nil {
		return err
	}
	began := time.Now()
	for i := 0; ; i++ {
		if s.ends > 0 && i == s.ends {
			return errors.New("the camera closed the connection")
		}
		at := float64(i) / s.rate
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(began.Add(time.Duration(at * float64(time.Second))))):
		}
		x := media.Sample{DTS: int64(at * s.speed * 90000), Sync: s.gop(i), Data: s.other, Received: time.Now()}
		if x.Sync {
			x.Data = s.sync
		}
		if err := h.Sample(x); err != nil {
			return err
		}
	}
}

func every(n int) func(int) bool { return func(i int) bool { return i%n == 0 } }

func TestSurvey(t *testing.T) {
	avc, hevc := entry("avc1", "avc1.640028"), entry("hvc1", "hvc1.1.6.L120.B0")
	for _, tt := range []struct {
		name string
		s    sender
		d    time.Duration
		text string   // in the report
		want []string // the beginning of each advice
	}{
		{"as it should be", sender{avc, 25, every(50), 1, nalu(0x65), nalu(0x61), 0}, 10 * time.Second, "H.264 High, level 4.0, 1920x1080, 25 pictures a second, 20.8 kbit/s\n          decoding can start every 2.0 s (50 pictures) (IDR)\n          recorded as it is sent, stored as \"avc1\"", nil},
		{"a long GOP", sender{avc, 25, every(300), 1, nalu(0x65), nalu(0x61), 0}, 30 * time.Second, "every 12.0 s (300 pictures)", []string{"set the I-frame interval (GOP, key frame interval) to 2 s, which is 50 pictures"}},
		{"one sync sample only", sender{avc, 10, every(1 << 30), 1, nalu(0x65), nalu(0x61), 0}, 10 * time.Second, "at none of the 10.0 s after it", []string{"set the I-frame interval (GOP, key frame interval) to 2 s, which is 20 pictures"}},
		{"smart codec", sender{avc, 25, func(i int) bool { return i < 150 && i%25 == 0 || i == 350 }, 1, nalu(0x65), nalu(0x61), 0}, 16 * time.Second, "and at most 9.0 s apart", []string{"switch off the smart codec"}},
		{"recovery points", sender{avc, 25, every(25), 1, nalu(0x06), nalu(0x61), 0}, 5 * time.Second, "(recovery point)", nil},
		{"every picture", sender{avc, 25, every(1), 1, nalu(0x65), nil, 0}, 5 * time.Second, "at every picture (IDR)", nil},
		{"H.265", sender{hevc, 25, every(50), 1, nalu(0x2a), nalu(0x02), 0}, 5 * time.Second, "H.265 Main, level 4.0, 1920x1080, 25 pictures a second, 20.8 kbit/s\n          decoding can start every 2.0 s (50 pictures) (CRA)", []string{"H.265 plays"}},
		{"a slow clock", sender{avc, 25, every(50), 0.84, nalu(0x65), nalu(0x61), 0}, 10 * time.Second, "run at 0.840 of", []string{"the camera's timestamps run at 0.840"}},
		{"it ends early", sender{avc, 25, every(50), 1, nalu(0x65), nalu(0x61), 120}, time.Minute, "2.0 s (50 pictures)", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s Survey
				early, err := s.Watch(t.Context(), tt.s, tt.d)
				if err != nil || (early != nil) != (tt.s.ends > 0) {
					t.Fatalf("got %v, %v", early, err)
				}
				r := s.Report()
				r.Advise()
				var text bytes.Buffer
				if err := r.Text(&text); err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(text.String(), tt.text) {
					t.Errorf("want %s in\n%s", tt.text, &text)
				}
				if len(r.Advice) != len(tt.want) {
					t.Fatalf("advice %q, want %q", r.Advice, tt.want)
				}
				for i, want := range tt.want {
					if !strings.HasPrefix(r.Advice[i], want) {
						t.Errorf("advice %q, want %q", r.Advice[i], want)
					}
				}
			})
		})
	}
}

func TestWatchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		if early, err := new(Survey).Watch(t.Context(), failing{refused}, time.Minute); early != nil || !errors.Is(err, refused) {
			t.Errorf("got %v, %v", early, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := new(Survey).Watch(ctx, sender{entry("avc1", ""), 25, every(1), 1, nalu(0x65), nil, 0}, time.Minute)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

type failing struct{ err error }

func (f failing) Run(context.Context, media.Handler) error { return f.err }

// Sender reports, another run, and more entries than one are told.
func TestWhatElseIsSeen(t *testing.T) {
	var s Survey
	now := time.Now()
	sound := media.SampleEntry{Kind: media.Audio, Codec: "mp4a.40.2", Timescale: 16000, Box: make([]byte, 100)}
	copy(sound.Box[4:], "mp4a")
	sound.Box[25] = 1
	_ = s.Start([]media.SampleEntry{entry("avc1", "avc1.42C01E"), sound})
	for i := range 10 {
		_ = s.NewEntry(0, entry("avc1", "avc1.42C01E"))
		_ = s.Sample(media.Sample{DTS: int64(i) * 3600, Sync: true, Data: nalu(0x65), Received: now.Add(time.Duration(i) * 40 * time.Millisecond)})
		s.Reports(now.Add(-3*time.Hour), now)
	}
	_ = s.NewRun(nil, "the clock stepped")
	if err := s.Sample(media.Sample{Track: 7}); err == nil {
		t.Error("a sample of a track that was not described was taken")
	}
	r := s.Report()
	r.Advise()
	all := strings.Join(append(r.Notes, r.Advice...), "\n")
	for _, want := range []string{
		"the camera described audio (AAC, 16000 Hz, mono) and sent none of it", "another run began: the clock stepped",
		"3h0m0s behind", "changed its parameter sets 10 times",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("want %q in\n%s", want, all)
		}
	}
	if r.WallAhead == nil || math.Abs(*r.WallAhead+3*3600) > 1 {
		t.Errorf("the clock is ahead by %v", r.WallAhead)
	}
	if r.Tracks[0].Words != "H.264 Constrained Baseline, level 3.0" {
		t.Errorf("it is %s", r.Tracks[0].Words)
	}
}
