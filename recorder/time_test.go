package recorder

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/playback"
	"nvrfs/schema"
)

// A rtpSource is a camera as seen through RTP: its clock has 32 bits and runs as its crystal does, and its pictures come as
// the network brings them. It knows when each was really taken.
type rtpSource struct {
	start     time.Time // when picture 0 is taken; with a monotonic reading
	fps       float64
	gop       int64
	ppm       float64       // by how much its clock is fast
	jitter    time.Duration // mean of the delays, which are exponential and four times that at most
	burst     time.Duration // what it has buffered when a session begins, and sends at once
	timestamp uint32        // of picture 0
	until     time.Duration // by its own clock, when it goes away

	steps  []clockStep                     // of the host's clock, by time
	glitch func(i int64, ts uint32) uint32 // what it sends for the timestamp of a picture; nil for the truth

	next int64 // picture that the next session begins with
	rnd  *rand.Rand
}

// clockStep sets the host's clock.
type clockStep struct {
	after time.Duration // since start
	by    time.Duration
}

func (s *rtpSource) frame90k() int64 { return int64(90000 / s.fps) }

// taken is when a picture is really taken.
func (s *rtpSource) taken(i int64) time.Time {
	return s.start.Add(time.Duration(float64(i) / s.fps / (1 + s.ppm/1e6) * 1e9))
}

// step is by how much the host's clock has been set until t.
func (s *rtpSource) step(t time.Time) (by time.Duration) {
	for _, x := range s.steps {
		if t.Sub(s.start) >= x.after {
			by += x.by
		}
	}
	return by
}

func (s *rtpSource) delay() time.Duration {
	if s.jitter == 0 {
		return 0
	}
	return min(4*s.jitter, time.Duration(s.rnd.ExpFloat64()*float64(s.jitter)))
}

var errSourceGone = fmt.Errorf("the camera went away")

// Run implements Source.
func (s *rtpSource) Run(_ context.Context, h Handler) error {
	if s.rnd == nil {
		s.rnd = rand.New(rand.NewPCG(11, 13))
	}
	if err := h.Start(simCamera{}.tracks()); err != nil {
		return err
	}
	var clock rtpClock
	var leap leapCheck
	begun, last := s.taken(s.next).Add(s.burst), time.Time{}
	for n := int64(0); ; n++ {
		i := s.next
		if float64(i)/s.fps >= s.until.Seconds() {
			return errSourceGone
		}
		s.next++
		ts := s.timestamp + uint32(i*s.frame90k())
		if s.glitch != nil {
			ts = s.glitch(i, ts)
		}
		if n == 0 {
			clock.start(ts, 0)
		}
		pts, _ := clock.extend(ts)
		last = latest(latest(last, begun), s.taken(i).Add(s.delay()))
		x := Sample{DTS: pts, Sync: n%s.gop == 0, Data: pictureOf(i, n%s.gop == 0), Received: stepped(last, s.step(last))}
		err := leap.check("video", &x, 90000)
		if err == nil {
			err = h.Sample(x)
		}
		if err != nil {
			s.next += int64(s.fps) // it takes a second to connect again
			return err
		}
	}
}

// pictureOf is a NAL unit with the number of its picture.
func pictureOf(i int64, sync bool) []byte {
	b := []byte{0, 0, 0, 9, 0x41}
	if sync {
		b[4] = 0x65
	}
	return binary.BigEndian.AppendUint64(b, uint64(i)|1<<40)
}

// A timeline follows what sessions hand to a disk, in place of the disk, and holds each picture against when it was taken.
type timeline struct {
	t      *testing.T
	source *rtpSource
	disk   *disk

	runs    []*run
	picture int64           // that the next recording begins with
	rec     *recording      // that is being made
	dts     []int64         // of its pictures
	end     int64           // DTS of its end so far
	wallEnd int64           // of the recording before it
	step    time.Duration   // of the host's clock, when the run began
	worst   time.Duration   // by which a picture is off
	errs    []time.Duration // at the end of each recording
}

// follow takes what was enqueued.
func (l *timeline) follow() {
	l.t.Helper()
	d := l.disk
	d.mu.Lock()
	jobs := d.jobs
	d.jobs, d.backlog = nil, 0
	d.mu.Unlock()
	for _, j := range jobs {
		l.take(j)
	}
}

func (l *timeline) take(j job) {
	l.t.Helper()
	if j.rec != l.rec {
		if len(l.runs) == 0 || l.runs[len(l.runs)-1] != j.rec.run {
			l.runs = append(l.runs, j.rec.run)
			l.end, l.step = 0, l.source.step(l.source.taken(l.picture).Add(l.source.burst))
		} else if j.start90k != l.wallEnd || j.starts[video] != l.end {
			l.t.Fatalf("a recording ends at %v and %d, the next starts at %v and %d", schema.ToTime(l.wallEnd), l.end, schema.ToTime(j.start90k), j.starts[video])
		}
		l.rec, l.dts = j.rec, l.dts[:0]
	}
	for _, x := range j.index.Tracks[video] {
		if int64(x.Duration) != l.source.frame90k() {
			l.t.Fatalf("a picture of %d ticks lasts %d", l.source.frame90k(), x.Duration)
		}
		l.dts = append(l.dts, l.end)
		l.end += int64(x.Duration)
	}
	if j.seal != nil {
		l.finish(j)
	}
}

// finish looks at a recording that has ended.
func (l *timeline) finish(j job) {
	l.t.Helper()
	media := l.end - l.dts[0]
	if by := math.Abs(float64(j.wallDuration90k-media)) / float64(media) * 1e6; by > maxCorrectionPPM {
		l.t.Fatalf("a recording is corrected by %.0f ppm", by)
	}
	off := time.Duration(0)
	for _, dts := range l.dts {
		wall := j.start90k + int64(float64(dts-l.dts[0])*float64(j.wallDuration90k)/float64(media))
		off = schema.ToTime(wall).Sub(l.source.taken(l.picture).Add(l.step))
		l.worst = max(l.worst, off.Abs())
		l.picture++
	}
	l.errs, l.wallEnd = append(l.errs, off), j.start90k+j.wallDuration90k
	if j.seal.EndReason != "" {
		l.picture += int64(l.source.fps) + 1 // the one that ended the run, and those until the next session
	}
}

// newTimeline makes a stream whose disk it is.
func newTimeline(t *testing.T, s *rtpSource, length time.Duration) (*timeline, *stream) {
	d := newDisk(1, nil, nil, time.Hour, slog.New(slog.DiscardHandler))
	st := newStream(StreamOptions{}, schema.Stream{ID: 1, Camera: "cam", Name: "main", NextNumber: 1}, d, length, d.log)
	return &timeline{t: t, source: s, disk: d}, st
}

// followed has a timeline follow each sample.
type followed struct {
	*session
	line *timeline
}

func (f followed) Sample(x Sample) error {
	err := f.session.Sample(x)
	if x.Sync {
		f.line.follow()
	}
	return err
}

// record has a source recorded until it goes away, session after session, and returns why each ended.
func (l *timeline) record(st *stream) (reasons []string) {
	l.t.Helper()
	for {
		s := newSession(st)
		err := l.source.Run(l.t.Context(), followed{s, l})
		reasons = append(reasons, err.Error())
		if err := s.finish(err.Error()); err != nil {
			l.t.Fatal(err)
		}
		l.follow()
		if err == errSourceGone {
			return reasons
		}
	}
}

// mostOff is by how much a picture's wall time may be off.
const mostOff = 100 * time.Millisecond

// TestWallTimes records a month of cameras whose clocks are off as crystals are, over networks that delay, and holds the
// wall time of every picture against when it was taken.
func TestWallTimes(t *testing.T) {
	const month = 30 * 24 * time.Hour
	for name, c := range map[string]struct {
		rtpSource
		length time.Duration
	}{
		"300 ppm fast":                {rtpSource: rtpSource{ppm: 300, fps: 0.1, gop: 2}},
		"300 ppm slow":                {rtpSource: rtpSource{ppm: -300, fps: 0.1, gop: 2}},
		"jitter":                      {rtpSource: rtpSource{jitter: 50 * time.Millisecond, fps: 0.2}},
		"jitter, 5 pictures a second": {rtpSource: rtpSource{jitter: 50 * time.Millisecond, fps: 5, gop: 10, until: 24 * time.Hour}},
		"a burst of 5 s":              {rtpSource: rtpSource{burst: 5 * time.Second, until: 24 * time.Hour, timestamp: 1<<32 - 100}},
		"490 ppm fast, burst, jitter": {rtpSource: rtpSource{ppm: 490, jitter: 50 * time.Millisecond, burst: 5 * time.Second, until: 2 * 24 * time.Hour}},
		"490 ppm slow, burst, jitter": {rtpSource: rtpSource{ppm: -490, jitter: 50 * time.Millisecond, burst: 5 * time.Second, until: 2 * 24 * time.Hour}},
		"recordings of 10 min, fast":  {rtpSource: rtpSource{ppm: 300, until: 2 * 24 * time.Hour}, length: 10 * time.Minute},
		"recordings of 10 min, slow":  {rtpSource: rtpSource{ppm: -300, until: 2 * 24 * time.Hour}, length: 10 * time.Minute},
		"recordings of 1 s":           {rtpSource: rtpSource{ppm: 300, gop: 1, jitter: 50 * time.Millisecond, until: 24 * time.Hour}, length: time.Second},
		"5 pictures a second, slow":   {rtpSource: rtpSource{ppm: -300, jitter: 50 * time.Millisecond, fps: 5, gop: 10, until: 12 * time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &c.rtpSource
			s.start = at(time.Date(2026, 2, 10, 23, 59, 58, 0, time.UTC))
			if s.fps == 0 {
				s.fps = 1
			}
			if s.until == 0 {
				s.until = month
			}
			if s.gop == 0 {
				s.gop = 4
			}
			if c.length == 0 {
				c.length = time.Minute
			}
			line, st := newTimeline(t, s, c.length)
			reasons := line.record(st)
			want := int64(s.until.Seconds() * s.fps)
			if len(reasons) != 1 || line.end != want*s.frame90k() || len(line.runs) != 1 {
				t.Errorf("%d ticks of %d in %d runs: %v", line.end, want*s.frame90k(), len(line.runs), reasons)
			}
			t.Logf("%v, %d recordings: a picture is off by %.1f ms at most", s.until, len(line.errs), float64(line.worst)/1e6)
			if line.worst > mostOff {
				t.Errorf("a picture is off by %v", line.worst)
			}
		})
	}
}

// TestBurstAtAQuarter begins a session just behind a quarter of an hour with what the camera took before it: the quarter
// must not cut the first recording before it is known when it started.
func TestBurstAtAQuarter(t *testing.T) {
	for sinceQuarter := -6 * time.Second; sinceQuarter < 6*time.Second; sinceQuarter += 500 * time.Millisecond {
		s := &rtpSource{
			start: at(time.Date(2026, 2, 10, 14, 0, 0, 0, time.UTC).Add(sinceQuarter)), fps: 5, gop: 5,
			burst: 5 * time.Second, jitter: 50 * time.Millisecond, until: 10 * time.Minute,
		}
		line, st := newTimeline(t, s, time.Minute)
		line.record(st)
		if line.worst > mostOff {
			t.Errorf("begun %v from the quarter: off by %v", sinceQuarter, line.worst)
		}
	}
}

// TestClockBeyondCorrection records a clock that is off by more than is corrected: nothing fails, and the drift grows as the
// difference.
func TestClockBeyondCorrection(t *testing.T) {
	for _, ppm := range []float64{2000, -2000} {
		s := &rtpSource{start: at(time.Date(2026, 2, 10, 8, 0, 0, 0, time.UTC)), fps: 2, gop: 4, ppm: ppm, until: 24 * time.Hour}
		line, st := newTimeline(t, s, time.Minute)
		if reasons := line.record(st); len(reasons) != 1 {
			t.Fatalf("%v ppm: %v", ppm, reasons)
		}
		got, want := line.errs[len(line.errs)-1].Seconds(), (math.Abs(ppm)-maxCorrectionPPM)/1e6*24*3600
		if ppm < 0 {
			want = -want
		}
		t.Logf("%v ppm: off by %.1f s after a day", ppm, got)
		if math.Abs(got-want) > 1 {
			t.Errorf("%v ppm: off by %.1f s after a day, want %.1f", ppm, got, want)
		}
	}
}

// TestHostClockSteps sets the host's clock: by 2 s, which moves no footage and ends nothing, and by an hour, which starts a
// new run by the new clock.
func TestHostClockSteps(t *testing.T) {
	s := &rtpSource{
		start: at(time.Date(2026, 2, 10, 8, 10, 0, 0, time.UTC)), fps: 2, gop: 4, ppm: 100, jitter: 20 * time.Millisecond, until: 5 * time.Hour,
		steps: []clockStep{
			{30 * time.Minute, 2 * time.Second},
			{50 * time.Minute, -2 * time.Second},
			{70 * time.Minute, -2 * time.Second},
			{2 * time.Hour, time.Hour},
			{3 * time.Hour, -time.Hour},
			{4 * time.Hour, 2 * time.Second},
		},
	}
	line, st := newTimeline(t, s, time.Minute)
	reasons := line.record(st)
	want := []string{"the host's clock was set by 59m58s", "the host's clock was set by -1h0m0s", errSourceGone.Error()}
	if !slices.Equal(reasons, want) {
		t.Errorf("runs ended for %q, want %q", reasons, want)
	}
	t.Logf("a picture is off by %.1f ms at most", float64(line.worst)/1e6)
	if line.worst > mostOff {
		t.Errorf("a picture is off by %v", line.worst)
	}
}

// benchRecord records a source on a disk, session after session, as line.record does.
func benchRecord(b *bench, s *rtpSource) (reasons []string) {
	b.t.Helper()
	for {
		x := newSession(b.stream)
		err := s.Run(b.t.Context(), x)
		reasons = append(reasons, err.Error())
		if err := x.finish(err.Error()); err != nil {
			b.t.Fatal(err)
		}
		b.commit()
		if err == errSourceGone {
			return reasons
		}
	}
}

// TestOverlappingRuns sets the clock back by an hour twice, so that an hour was recorded three times: every picture is
// shown exactly once by the entries of the hours, and once by the whole day.
func TestOverlappingRuns(t *testing.T) {
	for name, steps := range map[string][]clockStep{
		"an hour":    {{time.Hour, -time.Hour}, {2 * time.Hour, -time.Hour}},
		"a minute":   {{time.Hour, -time.Minute}, {2 * time.Hour, time.Minute}},
		"6 s":        {{time.Hour, -6 * time.Second}, {90 * time.Minute, 6 * time.Second}},
		"to and fro": {{20 * time.Minute, -10 * time.Minute}, {40 * time.Minute, 10 * time.Minute}, {time.Hour, -30 * time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 5*time.Minute)
			s := &rtpSource{start: at(time.Date(2026, 2, 10, 8, 10, 0, 0, time.UTC)), fps: 1, gop: 4, until: 3 * time.Hour, steps: steps}
			reasons := benchRecord(b, s)
			if len(reasons) != len(steps)+1 {
				t.Fatalf("runs ended for %q", reasons)
			}
			// Each step costs the picture that shows it, and those of a second.
			want := int(s.until.Seconds()) - len(steps)*2
			perHour := map[string]int{}
			for _, f := range openHours(t, b.dir) {
				for _, x := range readSamples(t, f)[video] {
					perHour[x.data]++
				}
			}
			whole := map[string]int{}
			for _, x := range playBack(t, b.dir)[0][video] {
				whole[x.data]++
			}
			for what, shown := range map[string]map[string]int{"the hours": perHour, "the day": whole} {
				if len(shown) != want {
					t.Errorf("%s show %d pictures of %d", what, len(shown), want)
				}
				for _, n := range shown {
					if n != 1 {
						t.Fatalf("%s show a picture %d times", what, n)
					}
				}
			}
			noProblems(t, b.dir)
		})
	}
}

// openHours opens every entry of every hour of the camera.
func openHours(t *testing.T, dir string) (files []*playback.File) {
	t.Helper()
	lib, err := playback.Open(t.Context(), playback.Options{Data: dir, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lib.Close() })
	stream, err := lib.Stream(t.Context(), "cam")
	if err != nil {
		t.Fatal(err)
	}
	days, err := lib.Days(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range days {
		hours, err := lib.Hours(t.Context(), stream, day)
		if err != nil {
			t.Fatal(err)
		}
		for _, hour := range hours {
			entries, err := lib.Entries(t.Context(), stream, hour)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				f, err := lib.Open(t.Context(), e, "test")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(f.Close)
				files = append(files, f)
			}
		}
	}
	return files
}

// TestTimestampGlitches has a camera repeat a timestamp, go back, and leap: the recording ends with that reason, the next
// run goes on, and what was kept plays.
func TestTimestampGlitches(t *testing.T) {
	const at = 600 // picture
	for name, c := range map[string]struct {
		glitch func(i int64, ts uint32) uint32
		want   string
	}{
		"stands still":  {func(_ int64, ts uint32) uint32 { return ts - 18000 }, "the timestamps of the video stand still or go back"},
		"goes back":     {func(_ int64, ts uint32) uint32 { return ts - 18000*50 }, "the timestamps of the video stand still or go back"},
		"starts anew":   {func(int64, uint32) uint32 { return 0 }, "the timestamps of the video stand still or go back"},
		"leaps 20 s":    {func(_ int64, ts uint32) uint32 { return ts + 20*90000 }, "the camera's video clock leapt 20.2 s ahead"},
		"leaps 6 hours": {func(_ int64, ts uint32) uint32 { return ts + 6*3600*90000 }, "the camera's video clock leapt 21600.2 s ahead"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, time.Minute)
			s := &rtpSource{
				start: stampStart(), fps: 5, gop: 10, until: 5 * time.Minute, timestamp: 1<<32 - 500*18000,
				glitch: func(i int64, ts uint32) uint32 {
					if i == at {
						return c.glitch(i, ts)
					}
					return ts
				},
			}
			reasons := benchRecord(b, s)
			if len(reasons) != 2 || !strings.Contains(reasons[0], c.want) {
				t.Fatalf("runs ended for %q", reasons)
			}
			seen := map[int64]string{}
			for _, r := range b.recordings() {
				run, err := b.db.Run(t.Context(), r.Run)
				if err != nil {
					t.Fatal(err)
				}
				seen[r.Run] = run.EndReason
			}
			if len(seen) != 2 || !strings.Contains(seen[1], c.want) || seen[2] != errSourceGone.Error() {
				t.Errorf("rows say %v", seen)
			}
			var shown []int64
			for _, x := range playBack(t, b.dir)[0][video] { // which runs mp4check over it
				shown = append(shown, int64(binary.BigEndian.Uint64([]byte(x.data[5:]))&^(1<<40)))
			}
			var want []int64
			for i := range int64(5 * 60 * 5) {
				if i < at || i > at+5 {
					want = append(want, i)
				}
			}
			if !slices.Equal(shown, want) {
				t.Errorf("%d pictures are shown of %d", len(shown), len(want))
			}
			noProblems(t, b.dir)
		})
	}
}

// stampStart is when tests begin whose time of day plays no part.
func stampStart() time.Time { return at(time.Date(2026, 2, 10, 8, 3, 0, 0, time.UTC)) }

func TestRTPClockWraps(t *testing.T) {
	for _, step := range []uint32{1, 3600, 90000, 90000 * 10, 1<<31 - 1} {
		var c rtpClock
		if _, ok := c.extend(7); ok {
			t.Error("a clock that was not started knows the time")
		}
		first := uint32(1<<32 - 5)
		c.start(first, 100)
		want := int64(100)
		for i := range uint32(100_000) {
			want += int64(step)
			if i%7 == 3 { // two that changed places, as around B-frames
				ahead, ok := c.extend(first + (i+2)*step)
				if wantAhead := want + int64(step); step < 1<<29 && (ahead != wantAhead || !ok) {
					t.Fatalf("step %d, %d: %d, want %d", step, i, ahead, wantAhead)
				}
			}
			got, ok := c.extend(first + (i+1)*step)
			if step >= 1<<29 && i%7 == 3 {
				continue // one that is half the range away is of no known side
			}
			if got != want && step < 1<<29 || !ok {
				t.Fatalf("step %d, %d: %d, want %d", step, i, got, want)
			}
		}
		if wraps := want >> 32; step == 90000*10 && wraps < 20 {
			t.Errorf("only %d wraps", wraps)
		}
	}
}

// TestSenderReportsThatAreMissing records sound that comes before its picture, since the camera takes longer to encode
// pictures: reports of both tracks put it in place, and without them it is off by no more than it came early.
func TestSenderReportsThatAreMissing(t *testing.T) {
	const early, rate = 300 * time.Millisecond, 16000
	for name, c := range map[string]struct {
		video, audio time.Duration // when the first report of the track comes; 0 for never
		off          time.Duration
	}{
		"both":       {500 * time.Millisecond, time.Second, 0},
		"none":       {0, 0, early},
		"picture's":  {500 * time.Millisecond, 0, early},
		"sound's":    {0, 500 * time.Millisecond, early},
		"one late":   {500 * time.Millisecond, 5 * time.Second, early},
		"at the end": {2500 * time.Millisecond, 2500 * time.Millisecond, 0},
	} {
		t.Run(name, func(t *testing.T) {
			start, b := stampStart(), newBench(t, time.Minute)
			s := b.session(simCamera{audioRate: rate})
			var got [2][]int64
			x := tie{rate: rate}
			// A sound and a picture are made every 64 ms; each carries the milliseconds of when it was made. The clocks of
			// the tracks start when the first packet of each comes, as rtptime.GlobalDecoder has it.
			for ms := int64(0); ms < 10_000; ms += 64 {
				made := start.Add(time.Duration(ms) * time.Millisecond)
				for _, audio := range []bool{true, false} {
					received, pts := made.Add(early), ms*90+int64(early/time.Millisecond)*90
					if audio {
						received, pts = made, ms*rate/1000
					}
					if c.video > 0 && !audio && made.Sub(start) >= c.video {
						x.video.mark(made, pts)
					}
					if c.audio > 0 && audio && made.Sub(start) >= c.audio {
						x.audio.mark(made, pts)
					}
					call := func(shift int64) error {
						sample := Sample{DTS: pts, Sync: ms%1024 == 0, Received: received, Data: pictureOf(ms, ms%1024 == 0)}
						if audio {
							sample.Track, sample.Sync, sample.DTS = 1, true, pts+shift
							if sample.DTS < 0 {
								return nil
							}
							got[1] = append(got[1], sample.DTS*90000/rate-ms*90)
						} else {
							got[0] = append(got[0], sample.DTS-ms*90)
						}
						return s.Sample(sample)
					}
					if err := x.do(heldCall{audio: audio, received: received, call: call}, true, received); err != nil {
						t.Fatal(err)
					}
				}
			}
			off := time.Duration(got[0][0]-got[1][0]) * time.Second / 90000
			if (off - c.off).Abs() > time.Millisecond {
				t.Errorf("sound is off by %v, want %v", off, c.off)
			}
			for i := range got[1] {
				if got[1][i] != got[1][0] {
					t.Fatalf("sound %d moves by %d ticks", i, got[1][i]-got[1][0])
				}
			}
			if err := s.finish("stopped"); err != nil {
				t.Fatal(err)
			}
			b.commit()
			playBack(t, b.dir)
			noProblems(t, b.dir)
		})
	}
}

var _ Source = (*rtpSource)(nil)
