package session_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/codec"
	"nvrfs/codec/codectest"
	"nvrfs/integration/mp4check"
	"nvrfs/media"
	"nvrfs/mp4/demux"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/session"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
)

// feed hands samples to a session of these tracks, which it ends, and commits what comes of them.
func feed(b *bench.Bench, tracks []media.SampleEntry, samples []media.Sample) {
	b.T.Helper()
	s := b.Stream.Session()
	if err := s.Start(tracks); err != nil {
		b.T.Fatal(err)
	}
	for i, x := range samples {
		if err := s.Sample(x); err != nil {
			b.T.Fatalf("sample %d: %v", i, err)
		}
		if i%500 == 0 {
			b.Commit()
		}
	}
	if err := s.Finish("stopped"); err != nil {
		b.T.Fatal(err)
	}
	b.Commit()
}

// soundOf is what a camera sends that has no picture: frames of AAC.
func soundOf(frames [][]byte, rate int64, start time.Time) (samples []media.Sample) {
	for i, data := range frames {
		at := int64(i) * 1024
		samples = append(samples, media.Sample{
			DTS: at, Duration: 1024, Data: data, Received: start.Add(time.Duration(at+1024) * time.Second / time.Duration(rate)),
		})
	}
	return samples
}

// TestSoundAlone records sound without a picture: frames of AAC that ffmpeg has made come back through the mount's readers, and
// decode to what ffmpeg makes of its own file.
func TestSoundAlone(t *testing.T) {
	for _, rate := range []int64{16000, 44100} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			adts := encodeAAC(t, rate, 100*time.Second)
			frames, entry := parseADTS(t, adts)
			b := bench.New(t, 30*time.Second)
			start := bench.At(time.Date(2026, 5, 1, 13, 59, 30, 0, time.UTC))
			given := soundOf(frames, rate, start)
			feed(b, []media.SampleEntry{entry}, given)
			bench.NoProblems(t, b.Dir)
			checkSoundRows(b, rate, given)
			tracks := bench.PlayBack(t, b.Dir)[0]
			if len(tracks) != 1 || len(tracks[0]) != len(given) {
				t.Fatalf("%d tracks, the first of %d frames, want %d", len(tracks), len(tracks[0]), len(given))
			}
			for i, x := range tracks[0] {
				if x.DTS != given[i].DTS || x.Data != string(given[i].Data) || !x.Sync {
					t.Fatalf("frame %d comes back as %d bytes at %d", i, len(x.Data), x.DTS)
				}
			}
			whole := decode(t, contents(t, b))
			if want := decode(t, adts); !bytes.Equal(whole, want) {
				t.Errorf("the whole day decodes to %d bytes, which are not the %d of what was sent", len(whole), len(want))
			}
			checkSoundClip(b, rate, start)
			bench.SameAfterRebuild(t, b.Copy())
			checkSoundAfterCrash(t, entry, given)
		})
	}
}

// checkSoundAfterCrash kills a recorder of sound, and holds what the next start makes of the file against what was recorded.
func checkSoundAfterCrash(t *testing.T, e media.SampleEntry, given []media.Sample) {
	t.Helper()
	b := bench.New(t, 30*time.Second)
	s := b.Stream.Session()
	if err := s.Start([]media.SampleEntry{e}); err != nil {
		t.Fatal(err)
	}
	for _, x := range given {
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	b.Writer.Drain()
	dir := b.Copy()
	bench.Reopen(t, dir)
	bench.NoProblems(t, dir)
	db, err := schema.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	recs := bench.RowsOf(t, db, 1)
	for i := range recs {
		lasts := media.Rescale(recs[i].Tracks[0].Duration, e.Timescale, 90000)
		if off := recs[i].WallDuration90k - lasts; off > 2000 || off < -2000 {
			t.Errorf("recording %d lasts %d ticks, its sound %d", i+1, recs[i].WallDuration90k, lasts)
		}
		if i > 0 {
			bench.CheckJoin(t, &recs[i-1], &recs[i])
		}
	}
	last := recs[len(recs)-1].End90k() - recs[0].Start90k - media.Rescale(given[len(given)-1].DTS, e.Timescale, 90000)
	if last < -90000 || last > 9000 {
		t.Errorf("what is kept ends %d ticks late", last)
	}
}

func encodeAAC(t *testing.T, rate int64, d time.Duration) []byte {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	source := fmt.Sprintf("sine=frequency=300:beep_factor=7:sample_rate=%d:duration=%g", rate, d.Seconds())
	adts, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:a", "aac", "-b:a", "48k", "-f", "adts", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return adts
}

// parseADTS splits a file of AAC in ADTS (ISO/IEC 14496-3 1.A.2.2) into frames.
func parseADTS(t *testing.T, b []byte) (frames [][]byte, e media.SampleEntry) {
	t.Helper()
	profile, rate, channels := b[2]>>6+1, b[2]>>2&15, b[2]<<2&4|b[3]>>6
	e, err := codec.AACEntry([]byte{profile<<3 | rate>>1, rate<<7 | channels<<3})
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		n := int(binary.BigEndian.Uint32(append([]byte{0}, b[3:6]...))>>5) & 0x1fff
		frames, b = append(frames, b[7:n]), b[n:]
	}
	return frames, e
}

// decode decodes what is heard of a file.
func decode(t *testing.T, file []byte) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c := exec.CommandContext(t.Context(), "ffmpeg", "-v", "warning", "-i", path, "-f", "s16le", "-")
	c.Stderr = &said
	pcm, err := c.Output()
	if err != nil || strings.Contains(said.String(), "Error") {
		t.Fatalf("ffmpeg: %v: %s", err, said.String())
	}
	return pcm
}

// contents reads the file of the first day.
func contents(t *testing.T, b *bench.Bench) []byte {
	t.Helper()
	f := bench.OpenDay(t, b.Dir)
	file := make([]byte, f.Size())
	if _, err := f.ReadAt(file, 0); err != nil {
		t.Fatal(err)
	}
	return file
}

// checkSoundRows checks that recordings of sound end as those of pictures do, and last as long as their sound.
func checkSoundRows(b *bench.Bench, rate int64, given []media.Sample) {
	t := b.T
	t.Helper()
	recs := b.Recordings()
	if len(recs) != 4 { // 30 s up to the hour, 2 × 30 s, the rest
		t.Errorf("%d recordings", len(recs))
	}
	for i := range recs {
		r := &recs[i]
		got := float64(r.WallDuration90k) / 90000
		want := float64(r.Tracks[0].Duration) / float64(rate)
		if off := got - want; off > 0.03 || off < -0.03 {
			t.Errorf("recording %d lasts %.3f s, its sound %.3f s", i+1, got, want)
		}
	}
	shapes := b.Shapes()
	for i, s := range shapes {
		lasts := int64(0)
		for _, x := range s.Fragment.Tracks[0] {
			lasts += int64(x.Duration)
		}
		if ends := i+1 == len(shapes) || shapes[i+1].Rec != s.Rec; !ends && lasts < rate/2 || lasts > rate/2+1024 {
			t.Errorf("fragment %d lasts %d of 1/%d s", i, lasts, rate)
		}
	}
	end := media.FromTime(given[0].Received) + media.Rescale(int64(len(given))*1024, uint32(rate), 90000)
	if off := recs[len(recs)-1].End90k() - end; off > 3000 || off < -3000 {
		t.Errorf("the footage ends %d ticks late", off)
	}
}

// checkSoundClip cuts ten seconds across the end of a recording.
func checkSoundClip(b *bench.Bench, rate int64, start time.Time) {
	t := b.T
	t.Helper()
	lib, stream := bench.OpenLibrary(t, b.Dir)
	from := start.Add(25 * time.Second)
	e, err := lib.Clip(t.Context(), stream, from, from.Add(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	f, err := lib.Open(t.Context(), e, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tracks := bench.ReadSamples(t, f)
	if want := int(10 * rate / 1024); len(tracks[0]) < want || len(tracks[0]) > want+2 {
		t.Errorf("a clip of ten seconds has %d frames, want %d", len(tracks[0]), want)
	}
	if d := media.Duration(f.Duration90k()); d < 9900*time.Millisecond || d > 10*time.Second {
		t.Errorf("a clip of ten seconds lasts %v", d)
	}
}

// TestEndlessGOP has a camera send a sync sample at the start of a session, and no other.
func TestEndlessGOP(t *testing.T) {
	for name, c := range map[string]bench.Camera{
		"pictures":       {FPS: 5},
		"B-frames":       {FPS: 5, BFrames: true, AudioRate: 16000},
		"one in seconds": {FPS: 1, AudioRate: 16000},
	} {
		t.Run(name, func(t *testing.T) {
			c.GOP = 1 << 30
			b := bench.New(t, time.Minute)
			given := b.Record(c, 31*time.Minute)
			recs := b.Recordings()
			if len(recs) != 7 {
				t.Errorf("%d recordings", len(recs))
			}
			for i := range recs {
				if r := &recs[i]; r.WallDuration90k > media.Ticks(5*time.Minute+4*time.Second) || r.Sequence != i || (r.Tracks[0].Syncs > 0) != (i == 0) {
					t.Errorf("recording %+v", r)
				}
			}
			b.CheckShown(given, c.Tracks())
			if n := strings.Count(b.Log.String(), "I-frame interval"); n != 1 {
				t.Errorf("the log says %d times what to set: %s", n, b.Log.String())
			}
			for i := 1; i < len(recs); i++ {
				checkClipWithoutSync(b, media.ToTime(recs[i].Start90k))
			}
			bench.SameAfterRebuild(t, b.Copy())
			b.Kill()
		})
	}
}

// checkClipWithoutSync opens a clip that starts within a recording without a sync sample, shortly after its start.
func checkClipWithoutSync(b *bench.Bench, start time.Time) {
	t := b.T
	t.Helper()
	lib, stream := bench.OpenLibrary(t, b.Dir)
	e, err := lib.Clip(t.Context(), stream, start.Add(20*time.Second), start.Add(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	f, err := lib.Open(t.Context(), e, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	report, err := mp4check.Check(f, f.Size())
	for _, v := range mp4check.Violations(err) {
		if v.Rule != mp4check.RuleStssFirst {
			t.Error(v)
		}
	}
	x := report.Tracks[0]
	if d := media.Duration(f.Duration90k()); d < 9*time.Second || d > 10*time.Second || x.Samples[0].Sync {
		t.Errorf("it lasts %v", d)
	}
	// What a decoder needs to find a picture may be anywhere before it.
	if lead := time.Duration(x.Edits[0].MediaTime) * time.Second / 90000; lead < 18*time.Second {
		t.Errorf("it starts %v before what it shows", lead)
	}
}

// TestIntraRefreshIsDecoded records what x264 makes with intra refresh: pictures without a sync sample but the first, which are whole
// again every two seconds. ffmpeg shows a clip of the middle of a recording that starts without one.
func TestIntraRefreshIsDecoded(t *testing.T) {
	entry, given := encodeIntraRefresh(t, 11*time.Minute)
	b := bench.New(t, time.Minute)
	feed(b, []media.SampleEntry{entry}, given)
	recs := b.Recordings()
	if len(recs) != 3 || recs[1].Tracks[0].Syncs != 0 {
		t.Fatalf("recordings %+v", recs)
	}
	lib, stream := bench.OpenLibrary(t, b.Dir)
	from := media.ToTime(recs[1].Start90k).Add(100 * time.Second)
	e, err := lib.Clip(t.Context(), stream, from, from.Add(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	f, err := lib.Open(t.Context(), e, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file := make([]byte, f.Size())
	if _, err := f.ReadAt(file, 0); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	frames, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", path, "-f", "framemd5", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for line := range strings.Lines(string(frames)) {
		if !strings.HasPrefix(line, "#") {
			shown[line[strings.LastIndex(line, ",")+1:]] = true
		}
	}
	if len(shown) < 45 || len(shown) > 51 {
		t.Errorf("ffmpeg shows %d pictures of ten seconds, 5 a second", len(shown))
	}
}

func encodeIntraRefresh(t *testing.T, d time.Duration) (e media.SampleEntry, samples []media.Sample) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	path := filepath.Join(t.TempDir(), "refresh.mp4")
	c := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("testsrc=size=128x96:rate=5:duration=%g", d.Seconds()),
		"-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "intra-refresh=1:keyint=10:bframes=0", "-pix_fmt", "yuv420p", "-video_track_timescale", "90000", path)
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := demux.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	track, start := f.Tracks()[0], bench.At(time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC))
	for i := range track.Len() {
		x := track.Sample(i)
		if x.Data, err = track.Read(i); err != nil {
			t.Fatal(err)
		}
		x.Sync, x.Received = i == 0, start.Add(time.Duration(i)*time.Second/5)
		samples = append(samples, x)
	}
	return track.Entry, samples
}

// TestPictureInSeconds has a smart codec: a picture in 15 s, of which each fourth is a sync sample, and sound all the time. What
// waits for a fragment is handed over with the next picture.
func TestPictureInSeconds(t *testing.T) {
	b := bench.New(t, time.Minute)
	c := bench.Camera{AudioRate: 16000}.WithDefaults()
	s := b.Session(c)
	last, pictures := 0, 0
	for a, v := 0, 0; v < 60; {
		at := time.Duration(v) * 15 * time.Second
		if sound := time.Duration(a) * 1024 * time.Second / 16000; sound < at {
			if err := s.Sample(c.Sound(a, c.Start.Add(sound))); err != nil {
				t.Fatal(err)
			}
			a++
			continue
		}
		x := c.Picture(v, c.Start.Add(at))
		x.DTS, x.Sync = int64(v)*15*90000, v%4 == 0
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		v++
		b.Commit()
		pictures = 0
		for _, r := range b.Recordings() {
			pictures += int(r.Tracks[0].Samples)
		}
		if pictures < last || pictures < v-3 {
			t.Fatalf("%d pictures of %d are safe", pictures, v)
		}
		last = pictures
	}
	if err := s.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	for i, r := range b.Recordings() {
		if r.Tracks[0].Syncs == 0 || r.Tracks[0].Samples > 8 {
			t.Errorf("recording %d: %+v", i+1, r.Tracks[0])
		}
	}
	bench.NoProblems(t, b.Dir)
}

// TestClockThatStands has a camera that counts milliseconds, so that two seconds of its clock are three minutes: a fragment waits
// for seconds all the same.
func TestClockThatStands(t *testing.T) {
	b := bench.New(t, time.Minute)
	c := bench.Camera{GOP: 1 << 30}
	s := b.Session(c)
	for x := range c.Samples(3 * time.Minute) {
		x.DTS /= 90
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		if waited := x.Received.Sub(s.Pending()[0][0].Received); waited > 7*time.Second {
			t.Fatalf("a picture waits for %v", waited)
		}
	}
	if err := s.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	recs := b.Recordings()
	if off := recs[len(recs)-1].End90k() - media.FromTime(c.WithDefaults().Start.Add(3*time.Minute)); off > 2*90000 || off < -2*90000 {
		t.Errorf("three minutes of footage end %d ticks late", off)
	}
	bench.NoProblems(t, b.Dir)
}

// entriesOf returns sample entries that differ in nothing but their parameter sets.
func entriesOf(t *testing.T, n int) (all []media.SampleEntry) {
	t.Helper()
	for i := range n {
		e, err := codec.H264Entry(codectest.SPS(10, 0, false), codectest.PPS(i))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// TestParameterSetsThatFlip has parameter sets change with every sync sample: a recording goes on, as long as it has room for them.
func TestParameterSetsThatFlip(t *testing.T) {
	for _, c := range []struct{ entries, recordings int }{{2, 4}, {media.MaxEntries, 4}, {media.MaxEntries + 1, 5}, {60, 5}} {
		t.Run(fmt.Sprint(c.entries), func(t *testing.T) {
			b := bench.New(t, time.Minute)
			entries := entriesOf(t, c.entries)
			cam := bench.Camera{FPS: 5, GOP: 10, AudioRate: 16000}
			tracks := cam.Tracks()
			tracks[0] = entries[0]
			s := b.Stream.Session()
			if err := s.Start(tracks); err != nil {
				t.Fatal(err)
			}
			var given []media.Sample
			gop := 0
			for x := range cam.Samples(2 * time.Minute) {
				if x.Track == volume.Video && x.Sync {
					if err := errors.Join(s.NewEntry(0, entries[gop%c.entries]), s.NewEntry(0, entries[gop%c.entries])); err != nil {
						t.Fatal(err)
					}
					gop++
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
			if recs := b.Recordings(); len(recs) > c.recordings {
				t.Errorf("%d recordings", len(recs))
			}
			b.WantRuns([]string{"stopped"})
			b.CheckShown(given, tracks)
			hours := bench.OpenHours(t, b.Dir)
			if len(hours) != 1 {
				t.Errorf("%d entries", len(hours))
			}
			checkEntries(t, b, entries)
			bench.SameAfterRebuild(t, b.Copy())
		})
	}
}

// checkEntries checks that the picture of each GOP has the parameter sets that came before it.
func checkEntries(t *testing.T, b *bench.Bench, entries []media.SampleEntry) {
	t.Helper()
	gop, now := 0, -1
	rec := int64(0)
	for _, s := range b.Shapes() {
		if s.Rec != rec {
			rec, now = s.Rec, -1
			first := b.ReadBack(rec).Tracks[0]
			for i := range entries {
				if bytes.Equal(entries[i].Box, first.Box) {
					now = i
				}
			}
		}
		if e := s.Fragment.Entries; e != nil && e[0] != nil {
			for i := range entries {
				if bytes.Equal(entries[i].Box, e[0].Box) {
					now = i
				}
			}
		}
		if s.Fragment.Tracks[0][0].Sync {
			if now != gop%len(entries) {
				t.Fatalf("GOP %d has sample entry %d", gop, now)
			}
			gop++
		}
	}
}

// TestSoundThatChanges has the sound of a camera change its rate: the pictures go on, and the sound with them from the next sync
// sample on.
func TestSoundThatChanges(t *testing.T) {
	b := bench.New(t, time.Minute)
	before := bench.Camera{AudioRate: 48000, AudioLate: 100 * time.Millisecond}
	after := bench.Camera{AudioRate: 16000, AudioLate: -100 * time.Millisecond, AudioFrom: 21 * time.Second}
	s := b.Session(before)
	changed := false
	var pictures []string
	sounds := 0
	give := func(x media.Sample) {
		if x.Track == 1 && x.Received.Sub(before.WithDefaults().Start) >= 21*time.Second != changed {
			return
		}
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		if x.Track == 0 {
			pictures = append(pictures, string(x.Data))
		} else {
			sounds++
		}
	}
	for x := range before.Samples(40 * time.Second) {
		if !changed && x.Track == 0 && x.DTS >= 21*90000 {
			changed = true
			if err := s.NewEntry(1, after.Tracks()[1]); err != nil {
				t.Fatal(err)
			}
			for y := range after.Samples(40 * time.Second) {
				if y.Track == 1 && y.Received.Before(x.Received) {
					give(y)
				}
			}
		}
		if x.Track == 0 {
			give(x)
			if !changed {
				continue
			}
			for y := range after.Samples(40 * time.Second) { // the sound that comes until the next picture
				if y.Track == 1 && !y.Received.Before(x.Received) && y.Received.Before(x.Received.Add(40*time.Millisecond)) {
					give(y)
				}
			}
		} else if !changed {
			give(x)
		}
	}
	if err := s.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	b.WantRuns([]string{"stopped"})
	bench.NoProblems(t, b.Dir)
	recs := b.Recordings()
	if len(recs) != 2 || recs[0].Tracks[0].Duration != 22*90000 || recs[0].Tracks[1].Entry == recs[1].Tracks[1].Entry {
		t.Fatalf("recordings %+v", recs)
	}
	if start, d := recs[1].Tracks[1].Start, recs[1].Tracks[1].Duration; start < 22*16000 || start > 22*16000+1024 || d < 17*16000 || d > 19*16000 {
		t.Errorf("the new sound starts at %d and lasts %d", start, d)
	}
	if d := recs[0].Tracks[1].Duration; d < 20*48000 || d > 22*48000 {
		t.Errorf("the old sound lasts %d", d)
	}
	if got := bench.Pictures(t, b.Dir); !slices.Equal(got, pictures) {
		t.Errorf("%d pictures of %d", len(got), len(pictures))
	}
}

// TestRunOfOtherTracks has the sound of a camera begin later, then its picture go, and come again.
func TestRunOfOtherTracks(t *testing.T) {
	b := bench.New(t, time.Minute)
	c := bench.Camera{FPS: 5, GOP: 5, AudioRate: 16000}
	tracks := c.Tracks()
	s := b.Stream.Session()
	if err := s.Start(tracks[:1]); err != nil {
		t.Fatal(err)
	}
	phase, counts := 0, [4][2]int{}
	for x := range c.Samples(40 * time.Second) {
		if next := int(x.Received.Sub(c.WithDefaults().Start) / (10 * time.Second)); next != phase && x.Track == 0 && x.Sync {
			phase = next
			if err := s.NewRun([][]media.SampleEntry{nil, tracks, tracks[1:], tracks}[phase], fmt.Sprint("phase ", phase)); err != nil {
				t.Fatal(err)
			}
		}
		counts[phase][x.Track]++
		switch {
		case phase == 0 && x.Track == 1, phase == 2 && x.Track == 0:
			continue
		case phase == 2:
			x.Track = 0
		}
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	b.WantRuns([]string{"phase 1", "phase 2", "phase 3", "stopped"})
	bench.NoProblems(t, b.Dir)
	recs := b.Recordings()
	for i, want := range []int{1, 2, 1, 2} {
		if len(recs) != 4 || len(recs[i].Tracks) != want || int(recs[i].Tracks[0].Samples) < counts[i][i%4/2*(1-i%2)]-2 {
			t.Fatalf("recordings %+v of %v", recs, counts)
		}
	}
	if hours := bench.OpenHours(t, b.Dir); len(hours) != 4 {
		t.Errorf("%d entries", len(hours))
	}
	// The day shows what can be shown in one file: all that has pictures.
	if tracks := bench.PlayBack(t, b.Dir)[0]; len(tracks[0]) != counts[0][0]+counts[1][0]+counts[3][0] {
		t.Errorf("the day has %d pictures", len(tracks[0]))
	}
}

// TestSoundThatRunsAway has sound whose clock has nothing to do with that of the picture: all pictures are recorded in one run, and
// what waits of the sound is bounded.
func TestSoundThatRunsAway(t *testing.T) {
	for name, at := range map[string]func(dts, n int64) int64{
		"six times as fast": func(dts, _ int64) int64 { return dts * 6 },
		"slow":              func(dts, _ int64) int64 { return dts / 6 },
		"stands":            func(int64, int64) int64 { return 48000 },
		"to and fro":        func(dts, n int64) int64 { return dts + n%7*480_000 },
		"far ahead":         func(dts, _ int64) int64 { return dts + 1<<40 },
		"starts anew":       func(dts, n int64) int64 { return n % 200 * 1024 },
	} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, time.Minute)
			c := bench.Camera{AudioRate: 48000}
			s := b.Session(c)
			var pictures []string
			n := int64(0)
			for x := range c.Samples(3 * time.Minute) {
				if x.Track == 0 {
					pictures = append(pictures, string(x.Data))
				} else {
					x.DTS = at(x.DTS, n)
					n++
				}
				if err := s.Sample(x); err != nil {
					t.Fatal(err)
				}
				if waits := len(s.Pending()[1]); waits > 2000 {
					t.Fatalf("%d sounds wait", waits)
				}
			}
			if err := s.Finish("stopped"); err != nil {
				t.Fatal(err)
			}
			b.Commit()
			b.WantRuns([]string{"stopped"})
			bench.NoProblems(t, b.Dir)
			if got := bench.Pictures(t, b.Dir); !slices.Equal(got, pictures) {
				t.Errorf("%d pictures of %d", len(got), len(pictures))
			}
			if log := b.Log.String(); strings.Count(log, "\n") > 3 {
				t.Errorf("the log:\n%.3000s", log)
			}
		})
	}
}

// TestWhatWaitsIsBounded hands over pictures that are too large for two seconds of them to wait, and then sound without pictures.
func TestWhatWaitsIsBounded(t *testing.T) {
	b := bench.New(t, time.Minute)
	c := bench.Camera{FPS: 100, AudioRate: 48000, GOP: 1 << 30}.WithDefaults()
	s := b.Session(c)
	big := make([]byte, 2<<20) // shared, so that the test takes less
	waits := func() (bytes int) {
		for _, p := range s.Pending() {
			for _, x := range p {
				bytes += len(x.Data)
			}
		}
		return bytes
	}
	for i := range 70 {
		x := c.Picture(i, c.Taken(float64(i)/100))
		x.DTS, x.Data = int64(i)*900, big
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		if n := waits(); n > session.MaxWaiting+len(big) {
			t.Fatalf("%d MB wait", n>>20)
		}
		b.Writer.Drain()
	}
	for i := range 1500 {
		x := c.Sound(i+33, c.Taken(0.7+float64(i)/47))
		x.Data = big[:1<<16]
		if err := s.Sample(x); err != nil {
			t.Fatal(err)
		}
		if n := waits(); n > session.MaxWaiting+len(big) {
			t.Fatalf("%d MB wait", n>>20)
		}
	}
	if err := s.Finish("stopped"); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	pictures := uint32(0)
	for _, r := range b.Recordings() {
		pictures += r.Tracks[0].Samples
	}
	if pictures != 70 {
		t.Errorf("%d pictures of 70", pictures)
	}
}

// TestRawSoundThatOverlaps has packets of G.711 whose times overlap: each begins where the one before it ends.
func TestRawSoundThatOverlaps(t *testing.T) {
	b := bench.New(t, time.Minute)
	e := media.SampleEntry{Kind: media.RawAudio, Codec: "ulaw", Timescale: 8000, Box: rawEntry()}
	start := bench.At(time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC))
	var given []media.Sample
	for i := range 500 {
		given = append(given, media.Sample{
			DTS: int64(i*160 - i%3*20), Duration: 160, Data: bytes.Repeat([]byte{byte(i)}, 160), Received: start.Add(time.Duration(i) * 20 * time.Millisecond),
		})
	}
	feed(b, []media.SampleEntry{e}, given)
	bench.NoProblems(t, b.Dir)
	bytesGiven := uint32(0)
	for _, s := range b.Shapes() {
		for _, x := range s.Fragment.Tracks[0] {
			if x.Duration < x.Size {
				t.Fatalf("%d bytes last %d ticks", x.Size, x.Duration)
			}
			bytesGiven += x.Size
		}
	}
	if bytesGiven != 500*160 {
		t.Errorf("%d bytes", bytesGiven)
	}
}

// rawEntry is a sample entry of mu-law (ISO/IEC 14496-12 12.2.3).
func rawEntry() []byte {
	b := append([]byte{0, 0, 0, 36}, "ulaw\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x10\x00\x00\x00\x00"...)
	return binary.BigEndian.AppendUint32(b, 8000<<16)
}
