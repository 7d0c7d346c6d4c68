package mp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"nvrfs/integration/mp4check"

	"nvrfs/media"
)

// shownFile is a File as a reader that knows nothing of it sees it, each sample beside the one that the camera sent.
type shownFile struct {
	whole  []byte
	report *mp4check.Report
	tracks map[media.Kind]*shownTrack
}

type shownTrack struct {
	*mp4check.Track
	source []*recordedSample // of each of Samples
}

// show reads the whole File, has it checked against the standard, and finds each of its samples in recs.
func show(t *testing.T, f *File, recs []*recorded) *shownFile {
	t.Helper()
	whole, err := io.ReadAll(io.NewSectionReader(f, 0, math.MaxInt64))
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(whole)) != f.Size() {
		t.Fatalf("read %d bytes, Size is %d", len(whole), f.Size())
	}
	report, err := mp4check.Check(bytes.NewReader(whole), f.Size())
	if err != nil {
		t.Fatal(err)
	}
	s := &shownFile{whole: whole, report: report, tracks: map[media.Kind]*shownTrack{}}
	known := map[string]*recordedSample{}
	for _, r := range recs {
		for _, track := range r.tracks {
			for _, x := range track.samples {
				known[string(x.Data)] = x
			}
		}
	}
	for _, track := range report.Tracks {
		kind := map[string]media.Kind{"vide": media.Video, "soun": media.Audio}[track.Handler]
		if track.Handler == "soun" && track.Entries[0].Type == "ulaw" {
			kind = media.RawAudio
			joinPackets(t, track, whole, recs)
		}
		st := &shownTrack{Track: track}
		for i, x := range track.Samples {
			src := known[string(whole[x.Offset:x.Offset+int64(x.Size)])]
			if src == nil {
				t.Fatalf("%s sample %d is none that was recorded", kind, i+1)
			}
			st.source = append(st.source, src)
		}
		s.tracks[kind] = st
	}
	return s
}

// joinPackets makes one sample of the bytes of each packet of raw sound, which the track has one by one.
func joinPackets(t *testing.T, track *mp4check.Track, whole []byte, recs []*recorded) {
	t.Helper()
	packets := map[string]*recordedSample{} // each starts with a number of its own
	for _, r := range recs {
		for _, track := range r.tracks {
			for _, x := range track.samples {
				if x.entry.Kind == media.RawAudio {
					packets[string(x.Data[:4])] = x
				}
			}
		}
	}
	var joined []mp4check.Sample
	for rest := track.Samples; len(rest) > 0; {
		x := rest[0]
		packet := packets[string(whole[x.Offset:x.Offset+4])]
		if packet == nil || len(packet.Data) > len(rest) {
			t.Fatalf("at byte %d is no packet that was recorded, or not all of it", x.Offset)
		}
		tick := track.Timescale / packet.entry.Timescale
		x.Duration = 0
		for i := range packet.Data {
			y := &rest[i]
			if y.Size != 1 || y.Offset != x.Offset+int64(i) || y.Entry != x.Entry || i < len(packet.Data)-1 && y.Duration != tick {
				t.Fatalf("byte %d of %d of a packet is %+v", i, len(packet.Data), y)
			}
			x.Duration += y.Duration
		}
		x.Size = uint32(len(packet.Data))
		joined, rest = append(joined, x), rest[len(packet.Data):]
	}
	track.Samples = joined
}

// edit returns the time on the movie's line, in seconds, of a track's media time 0, and the media time shown last.
func (st *shownTrack) edit() (zero float64, first, end int64) {
	e := st.Edits[len(st.Edits)-1]
	first = e.MediaTime
	zero = -float64(first) / float64(st.Timescale)
	if len(st.Edits) == 2 {
		zero += float64(st.Edits[0].Duration) / movieTimescale
	}
	return zero, first, first + media.Rescale(int64(e.Duration), movieTimescale, st.Timescale)
}

// at returns when, in seconds of the movie, sample i is decoded.
func (st *shownTrack) at(i int) float64 {
	zero, _, _ := st.edit()
	return zero + float64(st.Samples[i].DTS)/float64(st.Timescale)
}

// follows reports whether r is the next recording of the same run.
func (r *recorded) follows(prev *recorded) bool {
	return r.identity.Run == prev.identity.Run && r.identity.Sequence == prev.identity.Sequence+1
}

// checkSamples checks of each track what holds for every File: samples are in the order in which they were recorded,
// none is missing in between, and each is what it was; within a run they are as far apart as they were.
func (s *shownFile) checkSamples(t *testing.T) {
	t.Helper()
	for kind, st := range s.tracks {
		for i, src := range st.source {
			x, e := &st.Samples[i], &src.entry
			scale := int64(st.Timescale / e.Timescale)
			if x.Sync != src.Sync || x.CTS-x.DTS != int64(src.CTS)*scale || !bytes.Contains(e.Box, st.Entries[x.Entry-1].Config) {
				t.Fatalf("%s sample %d is %+v, recorded as %+v", kind, i+1, x, src.Sample)
			}
			if i == 0 {
				continue
			}
			prev := st.source[i-1]
			if src.rec != prev.rec && !src.rec.follows(prev.rec) {
				continue
			}
			if got, want := x.DTS-st.Samples[i-1].DTS, (src.DTS-prev.DTS)*scale; got != want {
				t.Fatalf("%s samples %d and %d are %d ticks apart, were recorded %d apart", kind, i, i+1, got, want)
			}
			if src.rec == prev.rec && src.DTS != prev.DTS+int64(prev.Duration) {
				t.Fatalf("%s samples %d and %d did not follow on each other", kind, i, i+1)
			}
		}
	}
}

// checkWhole checks that every sample of recs is there, in order.
func (s *shownFile) checkWhole(t *testing.T, recs []*recorded) {
	t.Helper()
	want := map[media.Kind][]*recordedSample{}
	for _, r := range recs {
		for _, track := range r.tracks {
			if len(track.samples) > 0 {
				want[track.entry.Kind] = append(want[track.entry.Kind], track.samples...)
			}
		}
	}
	if len(want) != len(s.tracks) {
		t.Fatalf("%d tracks, want %d", len(s.tracks), len(want))
	}
	for kind, st := range s.tracks {
		if !slices.Equal(st.source, want[kind]) {
			t.Fatalf("the %s track has %d samples, or in another order than the %d recorded", kind, len(st.source), len(want[kind]))
		}
	}
}

// checkInStep checks that in every recording sound and picture are as far apart as they were recorded, to a tick.
func (s *shownFile) checkInStep(t *testing.T) {
	t.Helper()
	for _, audio := range s.sounds() {
		s.checkSoundInStep(t, audio)
	}
}

func (s *shownFile) checkSoundInStep(t *testing.T, audio *shownTrack) {
	t.Helper()
	video := s.tracks[media.Video]
	firstFrame := map[*recorded]int{}
	for i, src := range video.source {
		if _, ok := firstFrame[src.rec]; !ok {
			firstFrame[src.rec] = i
		}
	}
	for i, src := range audio.source {
		k := firstFrame[src.rec]
		frame, e := video.source[k], &src.entry
		want := float64(src.DTS)/float64(e.Timescale) - float64(frame.DTS)/float64(frame.entry.Timescale)
		tick := 1/float64(min(e.Timescale, movieTimescale)) + 1e-9
		if got := audio.at(i) - video.at(k); math.Abs(got-want) > tick {
			t.Fatalf("%s: sound comes %.6f s after the picture, was recorded %.6f s after it", src.rec.part.Name, got, want)
		}
	}
}

// checkJoins checks that the first frame behind a gap is shown when the last frame before it ends, or later by the delay
// of its B-frames or by the time that sound needs to rise.
func (s *shownFile) checkJoins(t *testing.T) {
	t.Helper()
	video := s.tracks[media.Video]
	ends, delay := int64(0), int64(0)
	for i, src := range video.source {
		x := &video.Samples[i]
		if i == 0 {
			delay = x.CTS - x.DTS
		}
		if i > 0 && src.rec != video.source[i-1].rec && !src.rec.follows(video.source[i-1].rec) {
			late := x.CTS - ends - max(0, x.CTS-x.DTS-delay)
			delay = x.CTS - x.DTS
			if late < 0 || late > movieTimescale*2048/16000 {
				t.Fatalf("%s starts %d ticks after the recording before it ends", src.rec.part.Name, late)
			}
			if late > 0 && !s.soundNeedsIt(src.rec) {
				t.Fatalf("%s starts %d ticks late, more than its sound needs", src.rec.part.Name, late)
			}
		}
		ends = max(ends, x.CTS+int64(src.Duration))
	}
}

// sounds are the tracks that are heard.
func (s *shownFile) sounds() (all []*shownTrack) {
	for _, kind := range []media.Kind{media.Audio, media.RawAudio} {
		if st := s.tracks[kind]; st != nil {
			all = append(all, st)
		}
	}
	return all
}

// soundNeedsIt reports whether sound of a recording comes no later than it must behind that of the recording before it.
func (s *shownFile) soundNeedsIt(r *recorded) bool {
	for _, audio := range s.sounds() {
		k := slices.IndexFunc(audio.source, func(a *recordedSample) bool { return a.rec == r })
		if k < 1 {
			continue
		}
		last := int64(0) // from the sample before to the last time in it that has to rise: of raw sound that of the last byte
		if prev := audio.source[k-1]; prev.entry.Kind == media.RawAudio {
			last = int64(len(prev.Data)-1) * int64(audio.Timescale/prev.entry.Timescale)
		}
		if audio.Samples[k].DTS-audio.Samples[k-1].DTS-last <= int64(audio.Timescale)/movieTimescale*2+2 {
			return true
		}
	}
	return false
}

// checkEdits checks what an uncut File shows: from its first frame to the end of its last, and all of the sound from there.
func (s *shownFile) checkEdits(t *testing.T, f *File) {
	t.Helper()
	video := s.tracks[media.Video]
	first, end := int64(math.MaxInt64), int64(0)
	for _, x := range video.Samples {
		first, end = min(first, x.CTS), max(end, x.End())
	}
	want := mp4check.Edit{Duration: uint64(end - first), MediaTime: first, Rate: 1 << 16}
	if len(video.Edits) != 1 || video.Edits[0] != want {
		t.Fatalf("video edits are %+v, want %+v", video.Edits, want)
	}
	if f.Duration90k() != end-first {
		t.Fatalf("the file lasts %d, its edit %d", f.Duration90k(), end-first)
	}
	for _, audio := range s.sounds() {
		audio.checkSoundEdits(t)
	}
}

func (audio *shownTrack) checkSoundEdits(t *testing.T) {
	t.Helper()
	zero, from, to := audio.edit()
	begins, tick := zero+float64(from)/float64(audio.Timescale), int64(audio.Timescale)/movieTimescale+1
	if len(audio.Edits) > 2 || begins < 0 || begins > 1e-9 && from != 0 || int64(audio.MediaDuration)-to > tick || to-int64(audio.MediaDuration) > tick {
		t.Fatalf("audio edits are %+v of %d ticks, at 1/%d s", audio.Edits, audio.MediaDuration, audio.Timescale)
	}
}

func checkUncut(t *testing.T, recs []*recorded) {
	t.Helper()
	f := mustFile(t, parts(recs))
	s := show(t, f, recs)
	s.checkSamples(t)
	s.checkWhole(t, recs)
	s.checkInStep(t)
	s.checkJoins(t)
	s.checkEdits(t, f)
}

func TestFileOfRandomFootage(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c := newTestCamera(t, seed)
			var recs []*recorded
			for range 1 + c.rnd.IntN(3) {
				c.randomize()
				var silent []int
				if c.rnd.IntN(3) == 0 {
					silent = append(silent, c.rnd.IntN(3))
				}
				run := c.run(1+c.rnd.IntN(3), silent...)
				if len(run) == 3 && c.rnd.IntN(3) == 0 { // retention, or a damaged recording, left a hole in the run
					run = slices.Delete(run, 1, 2)
				}
				recs = append(recs, run...)
			}
			checkUncut(t, recs)
		})
	}
}

// The shapes that a random one might miss, each by name.
func TestFileOfFootageOnPurpose(t *testing.T) {
	const frameOfSound = 1024
	for name, record := range map[string]func(c *testCamera) []*recorded{
		"one recording": func(c *testCamera) []*recorded { return c.run(1) },
		"sound falls silent in the middle": func(c *testCamera) []*recorded {
			c.audio = testAAC(t, "1210")
			return c.run(3, 1)
		},
		"sound starts in the second recording": func(c *testCamera) []*recorded {
			c.audio = testAAC(t, "1210")
			return c.run(2, 0)
		},
		"sound ends late, then starts early": func(c *testCamera) []*recorded {
			c.audio = testAAC(t, "1210")
			c.audioLate = frameOfSound - 1
			a := c.run(1)
			c.audioLate = -frameOfSound
			return append(a, c.run(1)...)
		},
		"44.1 kHz joins 48 kHz joins 16 kHz": func(c *testCamera) (recs []*recorded) {
			for _, asc := range []string{"1210", "1190", "1408"} {
				c.audio = testAAC(t, asc)
				recs = append(recs, c.run(2)...)
			}
			return recs
		},
		"B-frames join none": func(c *testCamera) []*recorded {
			a := c.run(2)
			c.bFrames = true
			return append(a, append(c.run(2), a[:0]...)...)
		},
		"parameter sets change within a recording, and from one to the next": func(c *testCamera) []*recorded {
			c.flips = c.levels(3)
			a := c.run(3)
			c.video, c.flips = c.flips[1], nil
			return append(a, c.run(1)...)
		},
		"mu-law that stops, and comes again": func(c *testCamera) []*recorded {
			c.audio = testG711(t, 8000)
			return append(c.run(3, 1), c.run(1)...)
		},
		"mu-law joins AAC": func(c *testCamera) []*recorded {
			c.audio = testG711(t, 8000)
			a := c.run(2)
			c.audio = testAAC(t, "1210")
			return append(a, c.run(2)...)
		},
		"mu-law of 8 kHz joins that of 16 kHz": func(c *testCamera) []*recorded {
			c.audio = testG711(t, 8000)
			a := c.run(2)
			c.audio = testG711(t, 16000)
			return append(a, c.run(2)...)
		},
		"parameter sets change": func(c *testCamera) []*recorded {
			a := c.run(1)
			c.video = testAVC(t, 1)
			b := c.run(1)
			c.video = testAVC(t, 0)
			return append(append(a, b...), c.run(1)...)
		},
	} {
		t.Run(name, func(t *testing.T) { checkUncut(t, record(newTestCamera(t, 7))) })
	}
}

func TestNewFileRefuses(t *testing.T) {
	c := newTestCamera(t, 3)
	c.audio = testAAC(t, "1210")
	recs := c.run(2)
	soundless, noPicture := recs[0].part, recs[1].part
	noPicture.Tracks = noPicture.Tracks[1:]

	odd := func(rate uint32) Part { // no common timescale below 2^31
		p := recs[0].part
		p.Tracks = slices.Clone(p.Tracks)
		e := *p.Tracks[1].Entry
		e.Timescale = rate
		p.Tracks[1].Entry = &e
		return p
	}
	late := recs[1].part
	late.Tracks = slices.Clone(late.Tracks)
	late.Tracks[0].Start += math.MaxUint32
	for name, c := range map[string]struct {
		parts []Part
		want  string
	}{
		"nothing":            {nil, "no recordings"},
		"no picture":         {[]Part{soundless, noPicture}, "front-door/2 has no video"},
		"rates without GCD":  {[]Part{odd(44101), odd(50021)}, "no common timescale"},
		"13 hours of silent": {[]Part{recs[0].part, late}, "too long after"},
	} {
		if _, err := NewFile(c.parts, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %q", name, err, c.want)
		}
		if _, err := Size(c.parts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the size gives error %v, want %q", name, err, c.want)
		}
	}
}

// A day is laid out by arithmetic: no index is decoded, and what is allocated does not depend on the number of recordings.
func TestNewFileOfADayTouchesNoIndex(t *testing.T) {
	c := newTestCamera(t, 4)
	c.bFrames, c.audio = true, testAAC(t, "1210")
	model := c.run(1)[0].part
	model.Load = func(func([]media.Samples) error) error { panic("an index was decoded") }
	day := func(n int) []Part {
		ps := make([]Part, n)
		for i := range ps {
			ps[i] = model
			ps[i].Sequence = i
			ps[i].Tracks = slices.Clone(model.Tracks)
			ps[i].Tracks[0].Start += int64(i) * model.Tracks[0].Duration
			ps[i].Tracks[1].Start += int64(i) * model.Tracks[1].Duration
		}
		return ps
	}
	one, all := mustFile(t, day(1)), mustFile(t, day(1500))
	v, a := model.Tracks[0], model.Tracks[1]
	perPart := 8*int64(v.TimeRuns+1) + 8*int64(v.CTSRuns) + 4*int64(v.Syncs) + 12*int64(v.ChunkRuns) + 4*int64(v.Samples) + 8*int64(v.Chunks) +
		8*int64(a.TimeRuns+1) + 12*int64(a.ChunkRuns) + 4*int64(a.Samples) + 8*int64(a.Chunks) + model.Length
	if got, want := all.Size()-one.Size(), 1499*perPart; got != want {
		t.Errorf("1499 more recordings take %d bytes, want %d", got, want)
	}
	var head [16]byte
	if _, err := all.ReadAt(head[:], all.mdatAt-16); err != nil {
		t.Fatal(err)
	}
	if size := binary.BigEndian.Uint64(head[8:]); string(head[4:8]) != "mdat" || int64(size) != 16+1500*model.Length {
		t.Errorf("the mdat header is %x, want one of %d bytes", head, 16+1500*model.Length)
	}
	ps := day(1500)
	if n := testing.AllocsPerRun(5, func() { _, _ = NewFile(ps, nil) }); n > 120 {
		t.Errorf("NewFile makes %v allocations", n)
	}
}

// load does not believe an index that disagrees with its row: every table is as long as it was computed to be.
func TestFileOfAnIndexThatDisagrees(t *testing.T) {
	recs := newTestCamera(t, 5).run(2)
	good := indexOf(t, &recs[1].part)
	boom := errors.New("boom")
	for name, load := range map[string]func() ([]media.Samples, error){
		"it cannot be read": func() ([]media.Samples, error) { return nil, boom },
		"a track too few":   func() ([]media.Samples, error) { return nil, nil },
		"a sample too few": func() ([]media.Samples, error) {
			return []media.Samples{good[0].Slice(0, len(good[0].Sizes)-1)}, nil
		},
		"another duration": func() ([]media.Samples, error) {
			s := good[0]
			s.Durations = slices.Clone(s.Durations)
			s.Durations[0]++
			return []media.Samples{s}, nil
		},
		"a sync sample less": func() ([]media.Samples, error) { s := good[0]; s.Syncs = s.Syncs[1:]; return []media.Samples{s}, nil },
	} {
		ps := parts(recs)
		ps[1].Load = lend(load)
		_, err := io.ReadAll(io.NewSectionReader(mustFile(t, ps), 0, math.MaxInt64))
		if err == nil || !strings.Contains(err.Error(), ps[1].Name) {
			t.Errorf("%s: error is %v, want one that names %s", name, err, ps[1].Name)
		}
	}
}
