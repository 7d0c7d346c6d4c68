package recorder

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

	"nvrfs/codec"
	"nvrfs/codec/codectest"
	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

func TestEverySampleComesBack(t *testing.T) {
	for name, c := range map[string]simCamera{
		"plain":                  {},
		"B-frames":               {bFrames: true},
		"sound":                  {audioRate: 48000},
		"sound of 44.1 kHz":      {audioRate: 44100, bFrames: true, origin90k: 1 << 35},
		"sound early":            {audioRate: 16000, audioLate: -700 * time.Millisecond},
		"sound late":             {audioRate: 48000, audioLate: 700 * time.Millisecond},
		"sound very late":        {audioRate: 48000, audioLate: 2500 * time.Millisecond},
		"sound from before":      {audioRate: 44100, audioFrom: -3 * time.Second},
		"sound after a while":    {audioRate: 44100, audioFrom: 35 * time.Second},
		"sound ends":             {audioRate: 48000, audioEnd: 31 * time.Second},
		"burst and jitter":       {audioRate: 48000, burst: 60, jitter: 150 * time.Millisecond},
		"all-intra":              {gop: 1, fps: 10, audioRate: 16000},
		"long GOP":               {gop: 500, audioRate: 16000},
		"slow":                   {fps: 1, gop: 3},
		"begins with no picture": {origin90k: 7},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 10*time.Second)
			given := b.record(c, 75*time.Second)
			b.checkShown(given, c.tracks())
			recs := b.recordings()
			if last := recs[len(recs)-1]; !last.Sealed {
				t.Error("the last recording is not sealed")
			}
			run, err := b.db.Run(t.Context(), recs[0].Run)
			if err != nil || run.EndReason != "stopped" {
				t.Errorf("run %+v, %v", run, err)
			}
		})
	}
}

// shape is what a fragment holds.
type shape struct {
	fragment *mp4.ScannedFragment
	rec      int64
}

// shapes reads back every fragment of the recordings.
func (b *bench) shapes() (all []shape) {
	b.t.Helper()
	for _, r := range b.recordings() {
		f, err := b.store.Open(store.Key{Stream: "cam", Number: r.ID.Number()})
		if err != nil {
			b.t.Fatal(err)
		}
		_, err = mp4.Scan(f, r.Bytes, func(_ *mp4.SampleFile, x *mp4.ScannedFragment) error {
			all = append(all, shape{x, r.ID.Number()})
			return nil
		})
		if err != nil {
			b.t.Fatal(err)
		}
		f.Close()
	}
	return all
}

// shown returns when the first and the last picture of a fragment are shown.
func (s shape) shown() (first, last int64) {
	v := s.fragment.Tracks[video]
	first = math.MaxInt64
	for _, x := range v {
		first, last = min(first, x.PTS()), max(last, x.PTS())
	}
	return first, last
}

func TestFragments(t *testing.T) {
	for name, c := range map[string]simCamera{
		"GOP of 2 s":   {audioRate: 48000},
		"GOP of 1 s":   {gop: 25, audioRate: 48000, audioLate: 300 * time.Millisecond},
		"GOP of 20 s":  {gop: 500, audioRate: 48000, audioLate: -300 * time.Millisecond},
		"GOP of 2.4 s": {gop: 60, bFrames: true},
		"GOP of 9 s":   {gop: 225, bFrames: true},
		"all-intra":    {gop: 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 10*time.Second)
			b.record(c, 60*time.Second)
			all := b.shapes()
			for i, s := range all {
				v := s.fragment.Tracks[video]
				dur := int64(0)
				for k, x := range v {
					dur += int64(x.Duration)
					if x.Sync && k > 0 {
						t.Errorf("fragment %d: sample %d is a sync sample", i, k)
					}
				}
				gop := int64(max(c.gop, 1)) * 3600
				if c.gop == 0 {
					gop = 50 * 3600
				}
				if dur > min(gop, maxFragment90k) {
					t.Errorf("fragment %d lasts %d ticks", i, dur)
				}
				if i > 0 {
					_, last := all[i-1].shown()
					if first, _ := s.shown(); first <= last {
						t.Errorf("fragment %d has a picture of %d, the one before it of %d", i, first, last)
					}
				}
				if len(s.fragment.Tracks) < 2 || i == len(all)-1 {
					continue
				}
				// Sound is in the fragment of its span, up to the sample that goes over its end.
				a := s.fragment.Tracks[1]
				from := v[0].DTS
				for _, x := range a {
					if x.DTS < media.Rescale(from, 90000, 48000) || x.DTS >= media.Rescale(from+dur, 90000, 48000) {
						t.Errorf("fragment %d from %d to %d has sound from %d of 1/48000 s", i, from, from+dur, x.DTS)
					}
				}
			}
			if first := all[0].fragment.Tracks[video][0]; !first.Sync {
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
					b := newBench(t, time.Minute)
					x := reorderedSource{shown: c.shown, uneven: c.uneven, start: stampStart()}
					pictures := seconds*25/len(c.shown)*len(c.shown) + cut
					x.run(b, pictures)
					x.start = x.start.Add(time.Duration(seconds+2) * time.Second)
					x.run(b, pictures)
					f := openDay(t, b.dir)
					report, err := mp4check.Check(f, f.Size())
					if err != nil && (c.uneven == 0 || !lastsTooLong(err)) {
						t.Fatal(err)
					}
					if n := len(picturesIn(t, f, report)); n != 2*pictures {
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
	b := newBench(t, time.Minute)
	x := reorderedSource{shown: pyramid, start: stampStart()}
	const pictures = 13 * 300 // 156 s
	x.run(b, pictures)
	lib, stream := openLibrary(t, b.dir)
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
		if shown := shownPictures(t, f); !slices.Equal(shown, []int64{n}) {
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
func (x *reorderedSource) run(b *bench, pictures int) {
	b.t.Helper()
	s, rnd := b.session(simCamera{}), rand.New(rand.NewPCG(3, 3))
	_, receiver, err := codec.Receive(&format.H264{PacketizationMode: 1, SPS: codectest.SPS(10, 0, false), PPS: codectest.PPS(0)})
	if err != nil {
		b.t.Fatal(err)
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
		samples, _, err := receiver.Samples([][]byte{codectest.Slice(i == 0, 2*x.shown[i])}, at)
		if err != nil || len(samples) != 1 {
			b.t.Fatalf("%d samples, %v", len(samples), err)
		}
		sample := samples[0]
		sample.Data, sample.Received = pictureOf(x.sent, i == 0), x.start.Add(time.Duration(last)*time.Second/90000)
		x.sent++
		if err := s.Sample(sample); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := s.finish("stopped"); err != nil {
		b.t.Fatal(err)
	}
	b.commit()
}

func TestFragmentWallTimes(t *testing.T) {
	b := newBench(t, 10*time.Second)
	b.record(simCamera{bFrames: true, ppm: 200}, 60*time.Second)
	recs := b.recordings()
	for _, s := range b.shapes() {
		r := recs[s.rec-1]
		v := r.Tracks[video]
		want := r.Start90k + s.fragment.Tracks[video][0].DTS - v.Start - int64(v.FirstCTS)
		if d := s.fragment.Wall90k - want; d < -10 || d > 2000 { // the first recording's start still moves
			t.Errorf("recording %d: a fragment says %d ticks after its row", s.rec, d)
		}
	}
}

func TestSoundThatNeverComesDelaysASecondAtMost(t *testing.T) {
	b := newBench(t, time.Minute)
	c := simCamera{audioRate: 48000, audioEnd: 9 * time.Second}
	s := b.session(c)
	for x := range c.samples(30 * time.Second) {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		if oldest := s.pending[video][0].DTS; x.Track == video && x.DTS-oldest > maxFragment90k+lateAudio90k {
			t.Fatalf("at %d, the picture of %d is not written", x.DTS, oldest)
		}
	}
}

func TestRotation(t *testing.T) {
	const length = 60 * time.Second
	for name, c := range map[string]struct {
		simCamera
		start   string
		stagger time.Duration
	}{
		"on the quarter":           {start: "14:00:00.1"},
		"staggered":                {start: "14:00:00.1", stagger: 17 * time.Second},
		"anywhere":                 {start: "13:53:11.2", stagger: 17 * time.Second},
		"just before the quarter":  {start: "13:59:58.5"},
		"a burst over the quarter": {start: "13:59:58.5", simCamera: simCamera{burst: 15}},
		"a fast clock":             {start: "13:59:59.99", simCamera: simCamera{ppm: 300, jitter: 20 * time.Millisecond}},
		"a slow clock":             {start: "14:07:00", simCamera: simCamera{ppm: -300, gop: 13}},
		"GOP of 7 s":               {start: "14:03:07", simCamera: simCamera{fps: 2, gop: 14}},
		"B-frames":                 {start: "14:09:59.99", simCamera: simCamera{bFrames: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock, err := time.Parse("15:04:05", c.start)
			if err != nil {
				t.Fatal(err)
			}
			c.simCamera.start = at(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC).Add(clock.Sub(clock.Truncate(24 * time.Hour))))
			if c.fps == 0 {
				c.fps, c.gop = 5, max(1, c.gop/5, 10)
			}
			b := newBench(t, length)
			b.stream.stagger90k = media.Ticks(c.stagger)
			b.record(c.simCamera, 35*time.Minute)
			recs := b.recordings()
			gop := int64(c.gop) * int64(90000/c.fps)
			for i := range recs[:len(recs)-1] {
				r := &recs[i]
				want := cutAfter(r.Start90k, media.Ticks(length), b.stream.stagger90k)
				end := r.End90k()
				slack := int64(0)
				if i == 0 {
					slack = gop + media.Ticks(settleTime) // it ends only when its start is known
				}
				if end < want || end >= want+gop+slack+100 {
					t.Errorf("recording %d from %v ends at %v, should at the first sync sample after %v", i, media.ToTime(r.Start90k), media.ToTime(end), media.ToTime(want))
				}
				if r.Start90k/quarter90k != (end-gop-slack-100)/quarter90k {
					t.Errorf("recording %d from %v to %v goes over a quarter of an hour", i, media.ToTime(r.Start90k), media.ToTime(end))
				}
			}
		})
	}
}

func TestStagger(t *testing.T) {
	seen := map[int64]bool{}
	for _, camera := range []string{"a", "b", "front-door", "garage"} {
		for _, name := range []string{"main", "sub"} {
			b := newBench(t, time.Minute)
			s := newStream(StreamOptions{}, schema.Stream{Camera: camera, Name: name}, b.disk, time.Minute, b.disk.log)
			if s.stagger90k < 0 || s.stagger90k >= 30*90000 {
				t.Errorf("%s: stagger %d", s.row.Label(), s.stagger90k)
			}
			seen[s.stagger90k] = true
		}
	}
	if len(seen) < 6 {
		t.Errorf("8 streams have only %d staggers", len(seen))
	}
}

func TestSoundBeforeTheFirstPicture(t *testing.T) {
	b := newBench(t, time.Minute)
	c := simCamera{audioRate: 48000}.withDefaults()
	s := b.session(c)
	feed := func(track int, dts int64, sync bool) {
		t.Helper()
		if err := s.Sample(media.Sample{Track: track, DTS: dts, Sync: sync, Received: c.start, Data: c.mark(track, int(dts))}); err != nil {
			t.Fatal(err)
		}
	}
	feed(1, 480_000, true)      // before any picture
	feed(video, 896_400, false) // a picture that cannot be decoded
	feed(video, 900_000, true)  // at 10 s
	feed(1, 479_000, true)      // before it
	feed(1, 480_100, true)      // after it
	feed(video, 903_600, false) //
	if s.pending[video][0].DTS != 0 || len(s.pending[video]) != 2 || len(s.pending[1]) != 1 || s.pending[1][0].DTS != 100 {
		t.Errorf("pending: %+v", s.pending)
	}
}

func TestNewParameters(t *testing.T) {
	b := newBench(t, time.Minute)
	c := simCamera{audioRate: 48000, bFrames: true}
	s := b.session(c)
	var given []media.Sample
	for x := range c.samples(20 * time.Second) {
		if x.Track == video && x.DTS == 6*90000 {
			if err := s.NewEntry(video, otherEntry()); err != nil {
				t.Fatal(err)
			}
		}
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.NewEntry(1, c.tracks()[1]); err == nil {
		t.Error("the parameters of sound may change")
	}
	if err := s.finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.commit()
	recs := b.recordings()
	if len(recs) != 2 || recs[0].Run != recs[1].Run || recs[0].Tracks[video].Duration != 6*90000 || recs[0].Tracks[video].Entry == recs[1].Tracks[video].Entry || recs[0].Tracks[1].Entry != recs[1].Tracks[1].Entry {
		t.Fatalf("recordings %+v", recs)
	}
	entry, err := b.db.SampleEntry(t.Context(), recs[1].Tracks[video].Entry)
	if err != nil || string(entry.Box) != string(otherEntry().Box) {
		t.Errorf("the second recording has entry %s, %v", entry.Codec, err)
	}
	// Before the first picture, the last parameters count.
	s = b.session(c)
	if err := s.NewEntry(video, otherEntry()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Sample(given[0]), s.finish("stopped")); err != nil {
		t.Fatal(err)
	}
	b.commit()
	if recs = b.recordings(); recs[2].Tracks[video].Entry != recs[1].Tracks[video].Entry || recs[2].Run == recs[1].Run {
		t.Errorf("recordings %+v", recs)
	}
}

// TestNewRun has a source begin another run, and then one with other parameters: no picture is lost, whatever waits to be
// written.
func TestNewRun(t *testing.T) {
	for name, c := range map[string]simCamera{
		"pictures":                 {},
		"B-frames":                 {bFrames: true},
		"GOPs of 10 s":             {gop: 250},
		"a burst":                  {burst: 100},
		"sound":                    {audioRate: 48000},
		"late sound and B-frames":  {audioRate: 48000, bFrames: true, audioLate: 700 * time.Millisecond},
		"sound that ends too soon": {audioRate: 48000, audioEnd: 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, time.Minute)
			s := b.session(c)
			var given []media.Sample
			for x := range c.samples(50 * time.Second) {
				if x.Track == video && x.DTS == 20*90000 {
					if err := s.NewRun("first reason"); err != nil {
						t.Fatal(err)
					}
				}
				if x.Track == video && x.DTS == 30*90000 {
					if err := errors.Join(s.NewEntry(video, otherEntry()), s.NewRun("second reason")); err != nil {
						t.Fatal(err)
					}
				}
				given = append(given, x)
				if err := s.Sample(x); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.finish("stopped"); err != nil {
				t.Fatal(err)
			}
			b.commit()
			b.wantRuns([]string{"first reason", "second reason", "stopped"})
			recs := b.recordings()
			for i, r := range recs {
				if same := r.Tracks[video].Entry == recs[0].Tracks[video].Entry; same != (i < 2) {
					t.Errorf("recording %d has sample entry %d", i+1, r.Tracks[video].Entry)
				}
				if r.Sequence != 0 || r.Tracks[video].Start != 0 || i < 2 && r.Tracks[video].Duration != []int64{20, 10}[i]*90000 {
					t.Errorf("recording %+v", r)
				}
			}
			tracks := playBack(t, b.dir)[0]
			var got, want []string
			for _, x := range tracks[video] {
				got = append(got, x.data)
			}
			for _, x := range given {
				if x.Track == video {
					want = append(want, string(x.Data))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d pictures are shown of %d", len(got), len(want))
			}
			noProblems(t, b.dir)
		})
	}
}

// TestNewRunThatTheDiskRefuses ends the old run where the disk refused, and leaves none to be ended again.
func TestNewRunThatTheDiskRefuses(t *testing.T) {
	b := newBench(t, time.Minute)
	s := b.session(simCamera{})
	for x := range (simCamera{}).samples(10 * time.Second) {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	b.commit()
	b.disk.backlog = MaxBacklog
	if err := s.NewRun("moved"); !errors.Is(err, errBacklog) {
		t.Errorf("error is %v", err)
	}
	b.disk.backlog = 0
	if err := s.finish("the disk is too slow"); err != nil {
		t.Fatal(err)
	}
	b.commit()
	b.wantRuns([]string{"moved"})
	noProblems(t, b.dir)
}

func TestStartRefuses(t *testing.T) {
	b := newBench(t, time.Minute)
	tracks := simCamera{audioRate: 48000}.tracks()
	slow := tracks[video]
	slow.Timescale = 1000
	for name, tracks := range map[string][]media.SampleEntry{"nothing": nil, "sound only": tracks[1:], "another timescale": {slow}} {
		if newSession(b.stream).Start(tracks) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestTimestampsThatDoNotRise(t *testing.T) {
	for _, c := range []struct {
		track int
		by    int64 // from the sample before
		want  string
	}{
		{video, 0, "the timestamps of the video stand still or go back"},
		{video, -1, "the timestamps of the video stand still or go back"},
		{video, -90000 * 3600, "the timestamps of the video stand still or go back"},
		{1, 0, "the timestamps of the audio stand still or go back"},
		{1, -48000 * 3600, "the timestamps of the audio stand still or go back"},
	} {
		t.Run(fmt.Sprint(c.track, c.by), func(t *testing.T) {
			b := newBench(t, time.Minute)
			cam := simCamera{audioRate: 48000, origin90k: 900_000}
			s := b.session(cam)
			var given []media.Sample
			var last media.Sample
			for x := range cam.samples(5 * time.Second) {
				given = append(given, x)
				if err := s.Sample(x); err != nil {
					t.Fatal(err)
				}
				if x.Track == c.track {
					last = x
				}
			}
			last.DTS += c.by
			err := s.Sample(last)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("the session goes on: %v", err)
			}
			if err := s.finish(err.Error()); err != nil {
				t.Fatal(err)
			}
			b.commit()
			b.checkShown(given, cam.tracks())
			if run, err := b.db.Run(t.Context(), 1); err != nil || !strings.Contains(run.EndReason, c.want) {
				t.Errorf("the run ended for %q, %v", run.EndReason, err)
			}
		})
	}
}

func TestClockStepEndsTheRun(t *testing.T) {
	b := newBench(t, time.Minute)
	c := simCamera{}
	s := b.session(c)
	var given []media.Sample
	var ended error
	for x := range c.samples(20 * time.Second) {
		switch {
		case x.DTS >= 12*90000:
			x.Received = stepped(x.Received, time.Hour)
		case x.DTS >= 6*90000:
			x.Received = stepped(x.Received, 3*time.Second) // no matter
		}
		if ended = s.Sample(x); ended != nil {
			break
		}
		given = append(given, x)
	}
	if ended == nil || !strings.Contains(ended.Error(), "the host's clock was set by 1h0m0s") {
		t.Fatalf("ended by: %v", ended)
	}
	if err := s.finish(ended.Error()); err != nil {
		t.Fatal(err)
	}
	b.commit()
	b.checkShown(given, c.tracks())
	if len(given) != 12*25 {
		t.Errorf("%d frames were recorded", len(given))
	}
	recs := b.recordings()
	if d := recs[0].Start90k - media.FromTime(c.withDefaults().start); d < -1 || d > 0 || recs[0].WallDuration90k != 12*90000 {
		t.Errorf("recording %+v starts %d ticks late", recs[0], d)
	}
}

// TestEndOfARunThatTheDiskRefuses fills the backlog: what is pending is lost, but not why the run ended.
func TestEndOfARunThatTheDiskRefuses(t *testing.T) {
	b := newBench(t, time.Minute)
	c := simCamera{}
	s := b.session(c)
	for x := range c.samples(11 * time.Second) {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	before := b.disk.backlog
	b.disk.backlog = MaxBacklog
	if err := s.finish("stopped"); !errors.Is(err, errBacklog) {
		t.Errorf("finish: %v", err)
	}
	b.disk.backlog = before
	b.commit()
	if run, err := b.db.Run(t.Context(), 1); err != nil || run.EndReason != "stopped" {
		t.Errorf("run %+v, %v", run, err)
	}
	if recs := b.recordings(); len(recs) != 1 || !recs[0].Sealed {
		t.Errorf("recordings %+v", recs)
	}
}

// TestRunStartsWithItsFirstRecording moves the start of a run that is in the database already.
func TestRunStartsWithItsFirstRecording(t *testing.T) {
	b := newBench(t, time.Minute)
	c := simCamera{burst: 100}
	b.record(c, time.Minute)
	recs := b.recordings()
	run, err := b.db.Run(t.Context(), recs[0].Run)
	if err != nil || run.Start90k != recs[0].Start90k {
		t.Errorf("the run starts at %d, its first recording at %d, %v", run.Start90k, recs[0].Start90k, err)
	}
}

func TestSessionsOfNothing(t *testing.T) {
	b := newBench(t, time.Minute)
	if err := newSession(b.stream).finish("away"); err != nil { // never started
		t.Error(err)
	}
	s := b.session(simCamera{audioRate: 48000})
	if err := s.finish("away"); err != nil {
		t.Error(err)
	}
	b.commit()
	if recs, keys := b.recordings(), b.store.keys(); len(recs) != 0 || len(keys) != 0 {
		t.Errorf("rows %v, files %v", recs, keys)
	}
	// One frame is a recording.
	one := slices.Collect(simCamera{}.samples(40 * time.Millisecond))
	s = b.session(simCamera{})
	if err := errors.Join(s.Sample(one[0]), s.finish("away")); err != nil {
		t.Fatal(err)
	}
	b.commit()
	b.checkShown(one, simCamera{}.tracks())
	if recs := b.recordings(); recs[0].WallDuration90k != 3600 {
		t.Errorf("a single frame lasts %d ticks", recs[0].WallDuration90k)
	}
}

func TestRunsOfAStream(t *testing.T) {
	b := newBench(t, 10*time.Second)
	c := simCamera{audioRate: 48000}.withDefaults()
	var want [][]media.Sample
	for range 3 {
		want = append(want, b.record(c, 25*time.Second))
		c.start, c.run = c.start.Add(40*time.Second), c.run+1
	}
	noProblems(t, b.dir)
	var got []string
	for _, x := range playBack(t, b.dir)[0][video] {
		got = append(got, x.data)
	}
	var given []string
	for _, run := range want {
		for _, x := range run {
			if x.Track == video {
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
