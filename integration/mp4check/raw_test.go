package mp4check

import (
	"slices"
	"testing"
)

func TestRawAudio(t *testing.T) {
	entry := Entry{Type: "ulaw", Channels: 1, SampleRate: 8000}
	for _, tt := range []struct {
		name      string
		entry     Entry
		size      uint32
		timescale uint32
		durations []uint32
		rules     []string
	}{
		{"a byte a sample", entry, 1, 8000, []uint32{1, 1, 1}, nil},
		{"a multiple of the rate", entry, 1, 16000, []uint32{2, 2, 2}, nil},
		{"sound is missing", entry, 1, 8000, []uint32{1, 90, 1}, nil},
		{"two channels", Entry{Type: "alaw", Channels: 2, SampleRate: 8000}, 2, 8000, []uint32{1, 1}, nil},
		{"two channels, a byte a sample", Entry{Type: "alaw", Channels: 2, SampleRate: 8000}, 1, 8000, []uint32{1}, []string{RuleRawSize}},
		{"packets", entry, 0, 8000, []uint32{160}, []string{RuleRawSize}},
		{"too fast", entry, 1, 16000, []uint32{2, 1, 2}, []string{RuleRawTime}},
		{"the last one is short", entry, 1, 16000, []uint32{2, 2, 1}, nil},
		{"no rate", Entry{Type: "ulaw", Channels: 1}, 1, 8000, []uint32{1, 1}, []string{RuleAudioRate}},
		{"AAC", Entry{Type: "mp4a", Channels: 1}, 0, 8000, []uint32{1024}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			track := &Track{Timescale: tt.timescale, SampleSize: tt.size, Entries: []*Entry{&tt.entry}}
			for _, d := range tt.durations {
				track.Samples = append(track.Samples, Sample{Duration: d, Entry: 1, Size: 1, Offset: int64(len(track.Samples))})
			}
			c := &checker{}
			c.rawAudio(track)
			var got []string
			for _, err := range c.errs {
				got = append(got, rules(err)...)
			}
			if !slices.Equal(got, tt.rules) {
				t.Errorf("broke %v, want %v", got, tt.rules)
			}
		})
	}
}
