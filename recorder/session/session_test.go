package session_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"

	"nvrfs/integration/mp4check"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/session"
	"nvrfs/recorder/volume"

	"nvrfs/codec"
	"nvrfs/codec/codectest"
	"nvrfs/media"
)

func TestEverySampleComesBack(t *testing.T) {
	for name, c := range map[string]bench.Camera{
		"plain":                  {},
		"B-frames":               {BFrames: true},
		"sound":                  {AudioRate: 48000},
		"sound of 44.1 kHz":      {AudioRate: 44100, BFrames: true, Origin90k: 1 << 35},
		"sound early":            {AudioRate: 16000, AudioLate: -700 * time.Millisecond},
		"sound late":             {AudioRate: 48000, AudioLate: 700 * time.Millisecond},
		"sound very late":        {AudioRate: 48000, AudioLate: 2500 * time.Millisecond},
		"sound from before":      {AudioRate: 44100, AudioFrom: -3 * time.Second},
		"sound after a while":    {AudioRate: 44100, AudioFrom: 35 * time.Second},
		"sound ends":             {AudioRate: 48000, AudioEnd: 31 * time.Second},
		"burst and jitter":       {AudioRate: 48000, Burst: 60, Jitter: 150 * time.Millisecond},
		"all-intra":              {GOP: 1, FPS: 10, AudioRate: 16000},
		"long GOP":               {GOP: 500, AudioRate: 16000},
		"slow":                   {FPS: 1, GOP: 3},
		"begins with no picture": {Origin90k: 7},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, 10*time.Second)
			given := b.Record(c, 75*time.Second)
			b.CheckShown(given, c.Tracks())
			recs := b.Recordings()
			if last := recs[len(recs)-1]; !last.Sealed {
				t.Error("the last recording is not sealed")
			}
			run, err := b.DB.Run(t.Context(), recs[0].Run)
			if err != nil || run.EndReason != "stopped" {
				t.Errorf("run %+v, %v", run, err)
			}
		})
	}
}

func TestFragments(t *testing.T) {
	for name, c := range map[string]bench.Camera{
		"GOP of 2 s":   {AudioRate: 48000},
		"GOP of 1 s":   {GOP: 25, AudioRate: 48000, AudioLate: 300 * time.Millisecond},
		"GOP of 20 s":  {GOP: 500, AudioRate: 48000, AudioLate: -300 * time.Millisecond},
		"GOP of 2.4 s": {GOP: 60, BFrames: true},
		"GOP of 9 s":   {GOP: 225, BFrames: true},
		"all-intra":    {GOP: 1},
		"GOP of 0.2 s": {GOP: 5, AudioRate: 48000},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, 10*time.Second)
			b.Record(c, 60*time.Second)
			all := b.Shapes()
			for i, s := range all {
				v := s.Fragment.Tracks[volume.Video]
				dur := int64(0)
				for k, x := range v {
					if x.Sync && k > 0 && dur >= session.LeastFragment90k {
						t.Errorf("fragment %d: sample %d is a sync sample", i, k)
					}
					dur += int64(x.Duration)
				}
				gop := int64(max(c.GOP, 1)) * 3600
				if c.GOP == 0 {
					gop = 50 * 3600
				}
				gop *= (session.LeastFragment90k + gop - 1) / gop // those that are short are joined
				if dur > min(gop, volume.MaxFragment90k) {
					t.Errorf("fragment %d lasts %d ticks", i, dur)
				}
				if ends := i == len(all)-1 || all[i+1].Rec != s.Rec; dur < min(gop, volume.MaxFragment90k) && !c.BFrames && !ends && gop < volume.MaxFragment90k {
					t.Errorf("fragment %d lasts only %d ticks", i, dur)
				}
				if i > 0 {
					_, last := all[i-1].Shown()
					if first, _ := s.Shown(); first <= last {
						t.Errorf("fragment %d has a picture of %d, the one before it of %d", i, first, last)
					}
				}
				if len(s.Fragment.Tracks) < 2 || i == len(all)-1 {
					continue
				}
				// Sound is in the fragment of its span, up to the sample that goes over its end.
				a := s.Fragment.Tracks[1]
				from := v[0].DTS
				for _, x := range a {
					if x.DTS < media.Rescale(from, 90000, 48000) || x.DTS >= media.Rescale(from+dur, 90000, 48000) {
						t.Errorf("fragment %d from %d to %d has sound from %d of 1/48000 s", i, from, from+dur, x.DTS)
					}
				}
			}
			if first := all[0].Fragment.Tracks[volume.Video][0]; !first.Sync {
				t.Error("the first sample is no sync sample")
			}
		})
	}
}

// TestEveryPictureIsShown ends runs at every picture of a GOP with B-frames, where the camera has sent some that are shown
// later than others that it has not, and joins each with another run. A player that keeps to edit lists shows all pictures.
func TestEveryPictureIsShown(t *testing.T) {
	for name, c := range map[string]struct {
		shown  []int // when each picture of a GOP is, in decoding order
		uneven int64 // by how many ticks the time between pictures varies
	}{
		"no B-frames":    {[]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 900},
		"B-frames":       {[]int{0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11}, 0},
		"pyramid":        {pyramid, 0},
		"uneven":         {[]int{0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11}, 300},
		"uneven pyramid": {pyramid, 300},
	} {
		for _, seconds := range []int{2, 62} { // in the first recording of a run, and in the next
			for cut := range 6 { // more than pictures lead up to each other
				t.Run(fmt.Sprintf("%s/%d s/%d", name, seconds, cut), func(t *testing.T) {
					b := bench.New(t, time.Minute)
					x := reorderedSource{shown: c.shown, uneven: c.uneven, start: stampStart()}
					pictures := seconds*25/len(c.shown)*len(c.shown) + cut
					x.run(b, pictures)
					x.start = x.start.Add(time.Duration(seconds+2) * time.Second)
					x.run(b, pictures)
					f := bench.OpenDay(t, b.Dir)
					report, err := mp4check.Check(f, f.Size())
					if err != nil && (c.uneven == 0 || !lastsTooLong(err)) {
						t.Fatal(err)
					}
					if n := len(bench.PicturesIn(t, f, report)); n != 2*pictures {
						t.Errorf("%d pictures are shown of %d", n, 2*pictures)
					}
				})
			}
		}
	}
}

// lastsTooLong reports whether all that is wrong with a file is that its last picture is shown for a little longer than it
// lasts, as design/virtual-mp4.md has it.
func lastsTooLong(err error) bool {
	v := mp4check.Violations(err)
	return len(v) == 1 && v[0].Rule == mp4check.RuleEditRange
}

// TestClipsOfBFrames asks for single pictures of recordings with B-frames, whose DTS pass at another rate at first.
func TestClipsOfBFrames(t *testing.T) {
	b := bench.New(t, time.Minute)
	x := reorderedSource{shown: pyramid, start: stampStart()}
	const pictures = 13 * 300 // 156 s
	x.run(b, pictures)
	lib, stream := bench.OpenLibrary(t, b.Dir)
	for n := int64(0); n < pictures; n += 7 {
		gop := n / 13 * 13
		taken := x.start.Add(time.Duration(gop+int64(pyramid[n-gop])) * time.Second / 25)
		e, err := lib.Clip(t.Context(), stream, taken.Add(-20*time.Millisecond), taken.Add(20*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		f, err := lib.Open(t.Context(), e, "test")
		if err != nil {
			t.Fatal(err)
		}
		if shown := bench.ShownPictures(t, f); !slices.Equal(shown, []int64{n}) {
			t.Fatalf("pictures %v are shown of %v, want %d", shown, taken, n)
		}
		f.Close()
	}
}

// A reorderedSource sends pictures in another order than that in which they are shown.
type reorderedSource struct {
	shown  []int
	uneven int64
	start  time.Time
	sent   int64
}

// run records a run of some pictures.
func (x *reorderedSource) run(b *bench.Bench, pictures int) {
	b.T.Helper()
	s, rnd := b.Session(bench.Camera{}), rand.New(rand.NewPCG(3, 3))
	_, receiver, err := codec.Receive(&format.H264{PacketizationMode: 1, SPS: codectest.SPS(10, 0, false), PPS: codectest.PPS(0)})
	if err != nil {
		b.T.Fatal(err)
	}
	pts := make([]int64, pictures+len(x.shown))
	for i := 1; i < len(pts); i++ {
		pts[i] = pts[i-1] + 3600 + rnd.Int64N(x.uneven+1)
	}
	last := int64(0) // that was taken
	for n := range pictures {
		gop, i := n/len(x.shown)*len(x.shown), n%len(x.shown)
		at := pts[gop+x.shown[i]]
		last = max(last, at)
		samples, _, err := receiver.Samples(codec.Unit{Parts: [][]byte{codectest.Slice(i == 0, 2*x.shown[i])}}, at)
		if err != nil || len(samples) != 1 {
			b.T.Fatalf("%d samples, %v", len(samples), err)
		}
		sample := samples[0]
		sample.Data, sample.Received = bench.PictureOf(x.sent, i == 0), x.start.Add(time.Duration(last)*time.Second/90000)
		x.sent++
		if err := s.Sample(sample); err != nil {
			b.T.Fatal(err)
		}
	}
	if err := s.Finish("stopped"); err != nil {
		b.T.Fatal(err)
	}
	b.Commit()
}

func TestFragmentWallTimes(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Record(bench.Camera{BFrames: true, PPM: 200}, 60*time.Second)
	recs := b.Recordings()
	for _, s := range b.Shapes() {
		r := recs[s.Rec-1]
		v := r.Tracks[volume.Video]
		want := r.Start90k + s.Fragment.Tracks[volume.Video][0].DTS - v.Start - int64(v.FirstCTS)
		if d := s.Fragment.Wall90k - want; d < -10 || d > 2000 { // the first recording's start still moves
			t.Errorf("recording %d: a fragment says %d ticks after its row", s.Rec, d)
		}
	}
}

func TestSoundThatNeverComesDelaysASecondAtMost(t *testing.T) {
	b := bench.New(t, time.Minute)
	c := bench.Camera{AudioRate: 48000, AudioEnd: 9 * time.Second}
	s := b.Session(c)
	for x := range c.Samples(30 * time.Second) {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		if oldest := s.Pending()[volume.Video][0].DTS; x.Track == volume.Video && x.DTS-oldest > volume.MaxFragment90k+session.LateAudio90k {
			t.Fatalf("at %d, the picture of %d is not written", x.DTS, oldest)
		}
	}
}

func TestRotation(t *testing.T) {
	const length = 60 * time.Second
	for name, c := range map[string]struct {
		bench.Camera
		start   string
		stagger time.Duration
	}{
		"on the quarter":           {start: "14:00:00.1"},
		"staggered":                {start: "14:00:00.1", stagger: 17 * time.Second},
		"anywhere":                 {start: "13:53:11.2", stagger: 17 * time.Second},
		"just before the quarter":  {start: "13:59:58.5"},
		"a burst over the quarter": {start: "13:59:58.5", Camera: bench.Camera{Burst: 15}},
		"a fast clock":             {start: "13:59:59.99", Camera: bench.Camera{PPM: 300, Jitter: 20 * time.Millisecond}},
		"a slow clock":             {start: "14:07:00", Camera: bench.Camera{PPM: -300, GOP: 13}},
		"GOP of 7 s":               {start: "14:03:07", Camera: bench.Camera{FPS: 2, GOP: 14}},
		"B-frames":                 {start: "14:09:59.99", Camera: bench.Camera{BFrames: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock, err := time.Parse("15:04:05", c.start)
			if err != nil {
				t.Fatal(err)
			}
			c.Camera.Start = bench.At(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC).Add(clock.Sub(clock.Truncate(24 * time.Hour))))
			if c.FPS == 0 {
				c.FPS, c.GOP = 5, max(1, c.GOP/5, 10)
			}
			b := bench.New(t, length)
			b.Stream.Stagger90k = media.Ticks(c.stagger)
			b.Record(c.Camera, 35*time.Minute)
			recs := b.Recordings()
			gop := int64(c.GOP) * int64(90000/c.FPS)
			for i := range recs[:len(recs)-1] {
				r := &recs[i]
				want := volume.EndAfter(r.Start90k, media.Ticks(length), b.Stream.Stagger90k)
				end := r.End90k()
				slack := int64(0)
				if i == 0 {
					slack = gop + media.Ticks(session.SettleTime) // it ends only when its start is known
				}
				if end < want || end >= want+gop+slack+100 {
					t.Errorf("recording %d from %v ends at %v, should at the first sync sample after %v", i, media.ToTime(r.Start90k), media.ToTime(end), media.ToTime(want))
				}
				if r.Start90k/volume.Quarter90k != (end-gop-slack-100)/volume.Quarter90k {
					t.Errorf("recording %d from %v to %v goes over a quarter of an hour", i, media.ToTime(r.Start90k), media.ToTime(end))
				}
			}
		})
	}
}

func TestSoundBeforeTheFirstPicture(t *testing.T) {
	b := bench.New(t, time.Minute)
	c := bench.Camera{AudioRate: 48000}.WithDefaults()
	s := b.Session(c)
	feed := func(track int, dts int64, sync bool) {
		t.Helper()
		if err := s.Sample(media.Sample{Track: track, DTS: dts, Sync: sync, Received: c.Start, Data: c.Mark(track, int(dts))}); err != nil {
			t.Fatal(err)
		}
	}
	feed(1, 480_000, true)             // before any picture
	feed(volume.Video, 896_400, false) // a picture that cannot be decoded
	feed(volume.Video, 900_000, true)  // at 10 s
	feed(1, 479_000, true)             // before it
	feed(1, 480_100, true)             // after it
	feed(volume.Video, 903_600, false) //
	if s.Pending()[volume.Video][0].DTS != 0 || len(s.Pending()[volume.Video]) != 2 || len(s.Pending()[1]) != 1 || s.Pending()[1][0].DTS != 100 {
		t.Errorf("pending: %+v", s.Pending())
	}
}

func TestNewParameters(t *testing.T) {
	b := bench.New(t, time.Minute)
	c := bench.Camera{AudioRate: 48000, BFrames: true}
	s := b.Session(c)
	var given []media.Sample
	for x := range c.Samples(20 * time.Second) {
		if x.Track == volume.Video && x.DTS == 6*90000 {
			if err := s.NewEntry(volume.Video, bench.OtherEntry()); err != nil {
				t.Fatal(err)
			}
		}
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	recs := b.Recordings()
	if len(recs) != 2 || recs[0].Run != recs[1].Run || recs[0].Tracks[volume.Video].Duration != 6*90000 || recs[0].Tracks[volume.Video].Entry == recs[1].Tracks[volume.Video].Entry || recs[0].Tracks[1].Entry != recs[1].Tracks[1].Entry {
		t.Fatalf("recordings %+v", recs)
	}
	entry, err := b.DB.SampleEntry(t.Context(), recs[1].Tracks[volume.Video].Entry)
	if err != nil || string(entry.Box) != string(bench.OtherEntry().Box) {
		t.Errorf("the second recording has entry %s, %v", entry.Codec, err)
	}
	// Before the first picture, the last parameters count.
	s = b.Session(c)
	if err := s.NewEntry(volume.Video, bench.OtherEntry()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Sample(given[0]), s.Finish("stopped")); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	if recs = b.Recordings(); recs[2].Tracks[volume.Video].Entry != recs[1].Tracks[volume.Video].Entry || recs[2].Run == recs[1].Run {
		t.Errorf("recordings %+v", recs)
	}
}

// TestNewRun has a source begin another run, and then one with other parameters: no picture is lost, whatever waits to be
// written.
func TestNewRun(t *testing.T) {
	for name, c := range map[string]bench.Camera{
		"pictures":                 {},
		"B-frames":                 {BFrames: true},
		"GOPs of 10 s":             {GOP: 250},
		"a burst":                  {Burst: 100},
		"sound":                    {AudioRate: 48000},
		"late sound and B-frames":  {AudioRate: 48000, BFrames: true, AudioLate: 700 * time.Millisecond},
		"sound that ends too soon": {AudioRate: 48000, AudioEnd: 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, time.Minute)
			s := b.Session(c)
			var given []media.Sample
			for x := range c.Samples(50 * time.Second) {
				if x.Track == volume.Video && x.DTS == 20*90000 {
					if err := s.NewRun(nil, "first reason"); err != nil {
						t.Fatal(err)
					}
				}
				if x.Track == volume.Video && x.DTS == 30*90000 {
					if err := errors.Join(s.NewEntry(volume.Video, bench.OtherEntry()), s.NewRun(nil, "second reason")); err != nil {
						t.Fatal(err)
					}
				}
				given = append(given, x)
				if err := s.Sample(x); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Finish("stopped"); err != nil {
				t.Fatal(err)
			}
			b.Commit()
			b.WantRuns([]string{"first reason", "second reason", "stopped"})
			recs := b.Recordings()
			for i, r := range recs {
				if same := r.Tracks[volume.Video].Entry == recs[0].Tracks[volume.Video].Entry; same != (i < 2) {
					t.Errorf("recording %d has sample entry %d", i+1, r.Tracks[volume.Video].Entry)
				}
				if r.Sequence != 0 || r.Tracks[volume.Video].Start != 0 || i < 2 && r.Tracks[volume.Video].Duration != []int64{20, 10}[i]*90000 {
					t.Errorf("recording %+v", r)
				}
			}
			tracks := bench.PlayBack(t, b.Dir)[0]
			var got, want []string
			for _, x := range tracks[volume.Video] {
				got = append(got, x.Data)
			}
			for _, x := range given {
				if x.Track == volume.Video {
					want = append(want, string(x.Data))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d pictures are shown of %d", len(got), len(want))
			}
			bench.NoProblems(t, b.Dir)
		})
	}
}

var errRefused = errors.New("refused")

// refusingSink takes no fragments while it refuses them.
type refusingSink struct {
	session.Sink
	refuse *bool
}

func (s refusingSink) Append(f *volume.Fragment) error {
	if *s.refuse {
		return errRefused
	}
	return s.Sink.Append(f)
}

// refusable starts a session of a camera on a bench, whose fragments can be refused.
func refusable(b *bench.Bench, c bench.Camera) (s *session.Session, refuse *bool) {
	b.T.Helper()
	refuse = new(bool)
	s = session.New(session.Options{
		NewRun:    func() session.Sink { return refusingSink{b.Writer.NewRun(b.Stream.Row), refuse} },
		Length90k: b.Stream.Length90k, Log: b.Stream.Log,
	})
	if err := s.Start(c.Tracks()); err != nil {
		b.T.Fatal(err)
	}
	return s, refuse
}

// TestNewRunThatTheDiskRefuses ends the old run where the disk refused, and leaves none to be ended again.
func TestNewRunThatTheDiskRefuses(t *testing.T) {
	b := bench.New(t, time.Minute)
	s, refuse := refusable(b, bench.Camera{})
	for x := range (bench.Camera{}).Samples(10 * time.Second) {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	b.Commit()
	*refuse = true
	if err := s.NewRun(nil, "moved"); !errors.Is(err, errRefused) {
		t.Errorf("error is %v", err)
	}
	*refuse = false
	if err := s.Finish("the disk is too slow"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	b.WantRuns([]string{"moved"})
	bench.NoProblems(t, b.Dir)
}

func TestStartRefuses(t *testing.T) {
	b := bench.New(t, time.Minute)
	tracks := bench.Camera{AudioRate: 48000}.Tracks()
	slow, timeless := tracks[volume.Video], tracks[1]
	slow.Timescale, timeless.Timescale = 1000, 0
	for name, tracks := range map[string][]media.SampleEntry{
		"nothing": nil, "sound first": {tracks[1], tracks[0]}, "another timescale": {slow}, "sound without a clock": {tracks[0], timeless}, "two pictures": {tracks[0], tracks[0]},
	} {
		if b.Stream.Session().Start(tracks) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestTimestampsThatDoNotRise has one timestamp of a track repeated, step back, or leap: every picture and every sound is recorded,
// in one run, and one line of the log says so.
func TestTimestampsThatDoNotRise(t *testing.T) {
	for _, c := range []struct {
		track int
		by    int64 // from where it should be
		left  bool  // the sound is left out
	}{
		{volume.Video, -3600, false},
		{volume.Video, -4050, false},
		{volume.Video, -90000 * 3600, false},
		{volume.Video, 90000 * 3600, false},
		{volume.Video, 1 << 40, false},
		{1, -1024, false},
		{1, -1500, false},
		{1, -3 * 48000, true},
		{1, -48000 * 3600, false},
		{1, 48000 * 3600, false},
	} {
		t.Run(fmt.Sprint(c.track, c.by), func(t *testing.T) {
			b := bench.New(t, time.Minute)
			cam := bench.Camera{AudioRate: 48000, Origin90k: 1 << 42}
			s := b.Session(cam)
			want, wrong := make([][]string, 2), 0
			for x := range cam.Samples(20 * time.Second) {
				if at := []int64{90000, 48000}[x.Track]; wrong == 0 && x.Track == c.track && x.DTS-media.Rescale(1<<42, 90000, uint32(at)) >= 5*at {
					wrong = len(want[x.Track])
					x.DTS += c.by
				}
				if err := s.Sample(x); err != nil {
					t.Fatal(err)
				}
				if x.Track == volume.Video || len(want[0]) > 0 {
					want[x.Track] = append(want[x.Track], string(x.Data))
				}
			}
			if err := s.Finish("stopped"); err != nil {
				t.Fatal(err)
			}
			b.Commit()
			b.WantRuns([]string{"stopped"})
			bench.NoProblems(t, b.Dir)
			if c.left {
				want[1] = slices.Delete(want[1], wrong, wrong+1)
			}
			for track, samples := range bench.PlayBack(t, b.Dir)[0] {
				var got []string
				for _, x := range samples {
					got = append(got, x.Data)
				}
				if !slices.Equal(got, want[track]) {
					t.Errorf("track %d has %d samples of %d", track, len(got), len(want[track]))
				}
				second, at := []int64{90000, 48000}[track], func(i int) int64 { return samples[i].DTS }
				for i := range samples {
					if i > 0 && at(i) <= at(i-1) || math.Abs(float64(at(i))-float64(i)*float64(at(len(samples)-1))/float64(len(samples)-1)) > float64(second)/10 {
						t.Fatalf("sample %d of track %d is at %d of 1/%d s", i, track, at(i), second)
					}
				}
			}
			if n := strings.Count(b.Log.String(), "timestamps of the camera's"); n != 1 {
				t.Errorf("the log says it %d times: %s", n, b.Log.String())
			}
		})
	}
}

func TestClockStepEndsTheRun(t *testing.T) {
	b := bench.New(t, time.Minute)
	c := bench.Camera{}
	s := b.Session(c)
	var given []media.Sample
	var ended error
	for x := range c.Samples(20 * time.Second) {
		switch {
		case x.DTS >= 12*90000:
			x.Received = bench.Stepped(x.Received, time.Hour)
		case x.DTS >= 6*90000:
			x.Received = bench.Stepped(x.Received, 3*time.Second) // no matter
		}
		if ended = s.Sample(x); ended != nil {
			break
		}
		given = append(given, x)
	}
	if ended == nil || !strings.Contains(ended.Error(), "the host's clock was set by 1h0m0s") {
		t.Fatalf("ended by: %v", ended)
	}
	if err := s.Finish(ended.Error()); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	b.CheckShown(given, c.Tracks())
	if len(given) != 12*25 {
		t.Errorf("%d frames were recorded", len(given))
	}
	recs := b.Recordings()
	if d := recs[0].Start90k - media.FromTime(c.WithDefaults().Start); d < -1 || d > 0 || recs[0].WallDuration90k != 12*90000 {
		t.Errorf("recording %+v starts %d ticks late", recs[0], d)
	}
}

// TestEndOfARunThatTheDiskRefuses fills the backlog: what is pending is lost, but not why the run ended.
func TestEndOfARunThatTheDiskRefuses(t *testing.T) {
	b := bench.New(t, time.Minute)
	c := bench.Camera{}
	s, refuse := refusable(b, c)
	for x := range c.Samples(11 * time.Second) {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	*refuse = true
	if err := s.Finish("stopped"); !errors.Is(err, errRefused) {
		t.Errorf("finish: %v", err)
	}
	b.Commit()
	if run, err := b.DB.Run(t.Context(), 1); err != nil || run.EndReason != "stopped" {
		t.Errorf("run %+v, %v", run, err)
	}
	if recs := b.Recordings(); len(recs) != 1 || !recs[0].Sealed {
		t.Errorf("recordings %+v", recs)
	}
}

// TestRunStartsWithItsFirstRecording moves the start of a run that is in the database already.
func TestRunStartsWithItsFirstRecording(t *testing.T) {
	b := bench.New(t, time.Minute)
	c := bench.Camera{Burst: 100}
	b.Record(c, time.Minute)
	recs := b.Recordings()
	run, err := b.DB.Run(t.Context(), recs[0].Run)
	if err != nil || run.Start90k != recs[0].Start90k {
		t.Errorf("the run starts at %d, its first recording at %d, %v", run.Start90k, recs[0].Start90k, err)
	}
}

func TestSessionsOfNothing(t *testing.T) {
	b := bench.New(t, time.Minute)
	if err := b.Stream.Session().Finish("away"); err != nil { // never started
		t.Error(err)
	}
	s := b.Session(bench.Camera{AudioRate: 48000})
	if err := s.Finish("away"); err != nil {
		t.Error(err)
	}
	b.Commit()
	if recs, keys := b.Recordings(), b.Store.Keys(); len(recs) != 0 || len(keys) != 0 {
		t.Errorf("rows %v, files %v", recs, keys)
	}
	// One frame is a recording.
	one := slices.Collect(bench.Camera{}.Samples(40 * time.Millisecond))
	s = b.Session(bench.Camera{})
	if err := errors.Join(s.Sample(one[0]), s.Finish("away")); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	b.CheckShown(one, bench.Camera{}.Tracks())
	if recs := b.Recordings(); recs[0].WallDuration90k != 3600 {
		t.Errorf("a single frame lasts %d ticks", recs[0].WallDuration90k)
	}
}

func TestRunsOfAStream(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	c := bench.Camera{AudioRate: 48000}.WithDefaults()
	var want [][]media.Sample
	for range 3 {
		want = append(want, b.Record(c, 25*time.Second))
		c.Start, c.Run = c.Start.Add(40*time.Second), c.Run+1
	}
	bench.NoProblems(t, b.Dir)
	var got []string
	for _, x := range bench.PlayBack(t, b.Dir)[0][volume.Video] {
		got = append(got, x.Data)
	}
	var given []string
	for _, run := range want {
		for _, x := range run {
			if x.Track == volume.Video {
				given = append(given, string(x.Data))
			}
		}
	}
	if !slices.Equal(got, given) {
		t.Errorf("%d pictures of %d came back, or not in order", len(got), len(given))
	}
}

// pyramid is a GOP with B-frames in decoding order: when each picture is shown, in pictures.
var pyramid = []int{0, 4, 2, 1, 3, 8, 6, 5, 7, 12, 10, 9, 11}
