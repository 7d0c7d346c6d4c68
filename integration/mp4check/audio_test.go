package mp4check

import (
	"slices"
	"testing"
)

func TestAudioSpecificConfig(t *testing.T) {
	for _, tt := range []struct {
		name      string
		config    *bitWriter
		entry     Entry
		timescale uint32
		rules     []string
	}{
		{"AAC-LC", (&bitWriter{}).bits(5, 2).bits(4, 3).bits(4, 2), Entry{Channels: 2, SampleRate: 48000}, 48000, nil},
		{"timescale a multiple", (&bitWriter{}).bits(5, 2).bits(4, 8).bits(4, 2), Entry{Channels: 2, SampleRate: 16000}, 48000, nil},
		{"timescale no multiple", (&bitWriter{}).bits(5, 2).bits(4, 4).bits(4, 2), Entry{Channels: 2, SampleRate: 44100}, 90000, []string{RuleAudioRate}},
		{"SBR", (&bitWriter{}).bits(5, 5).bits(4, 6).bits(4, 1).bits(4, 3), Entry{Channels: 1, SampleRate: 48000}, 24000, nil},
		{"PS", (&bitWriter{}).bits(5, 29).bits(4, 6).bits(4, 1).bits(4, 3), Entry{Channels: 2, SampleRate: 24000}, 48000, nil},
		{"rate in full, 7.1", (&bitWriter{}).bits(5, 2).bits(4, 15).bits(24, 96000).bits(4, 7), Entry{Channels: 8}, 96000, nil},
		{"type beyond 31", (&bitWriter{}).bits(5, 31).bits(6, 10).bits(4, 3).bits(4, 1), Entry{Channels: 1, SampleRate: 48000}, 48000, nil},
		{"reserved rate", (&bitWriter{}).bits(5, 2).bits(4, 13).bits(4, 1), Entry{Channels: 1, SampleRate: 48000}, 48000, []string{RuleConfigParams}},
		{"reserved channels", (&bitWriter{}).bits(5, 2).bits(4, 3).bits(4, 9), Entry{Channels: 2, SampleRate: 48000}, 48000, []string{RuleAudioChannels}},
		{"cut short", (&bitWriter{}).bits(5, 2).bits(3, 0), Entry{Channels: 2}, 48000, []string{RuleConfigParams}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &checker{}
			tt.entry.Config = tt.config.b
			c.asc(&Track{Timescale: tt.timescale}, &tt.entry)
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
