package session_test

import (
	"slices"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/rtpclock"
	"nvrfs/recorder/session"
	"nvrfs/recorder/volume"
)

// A soundSource makes a picture and a sound every 64 ms, each with the milliseconds of when it was made. The sound comes
// before its picture, since the camera takes longer to encode pictures. The clocks of the tracks start when the first packet
// of each comes, as rtptime.GlobalDecoder has it.
type soundSource struct {
	early time.Duration // by how much the sound comes before its picture
	// reports says what a track reports after a while: by how much too late, and nothing where not ok.
	reports func(audio bool, after time.Duration) (late time.Duration, ok bool)

	tie rtpclock.Tie
	off [][]time.Duration // by run, by how much each sound comes before its picture
}

const soundRate = 16000

// run yields a while, in order of coming, to a session.
func (x *soundSource) run(t *testing.T, s *session.Session, while time.Duration) {
	t.Helper()
	x.tie.Rate, x.off = soundRate, make([][]time.Duration, 1)
	start := stampStart()
	for after := time.Duration(0); after < while; after += 64 * time.Millisecond {
		made := start.Add(after)
		if err := x.yield(s, true, made, after, int64(after.Milliseconds()*soundRate/1000)); err != nil {
			t.Fatal(err)
		}
		if err := x.yield(s, false, made, after, media.Ticks(after+x.early)); err != nil {
			t.Fatal(err)
		}
	}
}

func (x *soundSource) yield(s *session.Session, audio bool, made time.Time, after time.Duration, pts int64) error {
	received, mark := made.Add(x.early), &x.tie.Video
	if audio {
		received, mark = made, &x.tie.Audio
	}
	if late, ok := x.reports(audio, after); ok {
		x.tie.Note(mark, made.Add(late), pts, received)
	}
	ms := after.Milliseconds()
	sample := media.Sample{DTS: pts, Sync: ms%1024 == 0, Received: received, Data: bench.PictureOf(ms, ms%1024 == 0)}
	if audio {
		sample.Track, sample.Sync = 1, true
	} else if sample.Sync {
		if why := x.tie.Again(received); why != "" {
			x.off = append(x.off, nil)
			if err := s.NewRun(nil, why); err != nil {
				return err
			}
		}
	}
	return x.tie.Do(rtpclock.Call{Audio: audio, Received: received, Do: func(shift int64) error {
		if audio {
			if sample.DTS += shift; sample.DTS < 0 {
				return nil
			}
			i := len(x.off) - 1
			x.off[i] = append(x.off[i], after+x.early-time.Duration(sample.DTS)*time.Second/soundRate)
		}
		return s.Sample(sample)
	}}, true, received)
}

// TestSenderReports records sound that comes before its picture. Reports of both tracks put it in place, and without them it
// is off by no more than it came early. Reports that are wrong at first, or late, cost a run, but no picture.
func TestSenderReports(t *testing.T) {
	const early, wrong = 300 * time.Millisecond, 660 * time.Millisecond
	type times []time.Duration // when reports come; 64 ms is the step of the source
	every5s := times{1024, 4992, 9984, 15040, 20032, 25024}
	from5s := every5s[1:]
	for name, c := range map[string]struct {
		video, audio times
		wrong        int   // reports of the video at first
		off          times // of the sound in each run
		reason       string
	}{
		"both":                {every5s, every5s, 0, times{0}, ""},
		"none":                {nil, nil, 0, times{early}, ""},
		"the picture's":       {every5s, nil, 0, times{early}, ""},
		"the sound's":         {nil, every5s, 0, times{early}, ""},
		"at the last moment":  {times{3648}, times{3648}, 0, times{0}, ""},
		"too late, and once":  {times{5056}, times{5056}, 0, times{early}, ""},
		"once":                {times{512}, times{1024}, 0, times{0}, ""},
		"both late":           {from5s, from5s, 0, times{early, 0}, "the camera's sender reports moved the sound by +300 ms"},
		"the sound's late":    {every5s, from5s, 0, times{early, 0}, "the camera's sender reports moved the sound by +300 ms"},
		"the first is wrong":  {every5s, every5s, 1, times{wrong, 0}, "the camera's sender reports moved the sound by +660 ms"},
		"two are wrong":       {every5s, every5s, 2, times{wrong, 0}, "the camera's sender reports moved the sound by +660 ms"},
		"wrong, then dropped": {every5s[:3], every5s[:3], 1, times{wrong}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, time.Minute)
			s := b.Session(bench.Camera{AudioRate: soundRate})
			x := soundSource{early: early, reports: func(audio bool, after time.Duration) (late time.Duration, ok bool) {
				at := c.video
				if audio {
					at = c.audio
				} else if c.wrong > 0 && after < c.video[c.wrong]*time.Millisecond {
					late = wrong
				}
				return late, slices.Contains(at, after/time.Millisecond)
			}}
			const while = 40 * time.Second
			x.run(t, s, while)
			if err := s.Finish("stopped"); err != nil {
				t.Fatal(err)
			}
			b.Commit()
			for i, off := range x.off {
				if i < len(c.off) && (off[0]-c.off[i]).Abs() > time.Millisecond {
					t.Errorf("run %d: the sound is off by %v, want %v", i, off[0], c.off[i])
				}
				if least, most := slices.Min(off), slices.Max(off); most-least > time.Millisecond {
					t.Errorf("run %d: the sound is off by %v to %v", i, least, most)
				}
			}
			b.WantRuns(slices.DeleteFunc([]string{c.reason, "stopped"}, func(s string) bool { return s == "" }))
			x.checkShown(t, b, while)
			bench.NoProblems(t, b.Dir)
		})
	}
}

// checkShown checks that every picture is shown once, and every sound once but for those at the borders of runs.
func (x *soundSource) checkShown(t *testing.T, b *bench.Bench, while time.Duration) {
	t.Helper()
	tracks := bench.PlayBack(t, b.Dir)[0]
	var made [2][]int64
	for k := range made {
		for _, s := range tracks[k] {
			made[k] = append(made[k], bench.NumberOf(s.Data))
		}
	}
	all := int((while + 63*time.Millisecond) / (64 * time.Millisecond))
	for i, ms := range made[volume.Video] {
		if ms != int64(i)*64 {
			t.Fatalf("picture %d is of %d ms", i, ms)
		}
	}
	for i, ms := range made[1] {
		if i > 0 && ms <= made[1][i-1] {
			t.Fatalf("sound of %d ms after that of %d ms", ms, made[1][i-1])
		}
	}
	// Each run but the first loses what the sound is moved by, and the end loses what is still on its way.
	lost, most := all-len(made[1]), len(x.off)*int(time.Second/(64*time.Millisecond))
	if len(made[volume.Video]) != all || lost > most {
		t.Errorf("%d pictures of %d, %d sounds lost", len(made[volume.Video]), all, lost)
	}
	t.Logf("%d of %d sounds are lost", lost, all)
}
