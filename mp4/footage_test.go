package mp4

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"nvrfs/codec"
	"nvrfs/media"
)

// The tests' footage: a camera whose every sample is known, and the sample files that its recordings become. What a File
// must show is computed from the samples one by one, never from tables.

// recorded is one recording: its samples, and the Part that describes its file.
type recorded struct {
	part      Part
	identity  Identity
	tracks    []recordedTrack
	fragments []Fragment
	ends      []int64 // bytes of the file up to the end of each fragment
	header    int64   // bytes of the file before the first fragment
	file      []byte
	seal      Seal
}

type recordedTrack struct {
	entry   media.SampleEntry   // that the recording starts with
	used    []media.SampleEntry // all, in order of first use
	row     media.SampleEntry   // stands for them
	samples []*recordedSample   // in decoding order
}

type recordedSample struct {
	media.Sample
	rec   *recorded
	entry media.SampleEntry
}

func (s *recordedSample) end() int64 { return s.PTS() + int64(s.Duration) }

// testCamera records runs. Its fields may be changed between them.
type testCamera struct {
	t       testing.TB
	rnd     *rand.Rand
	video   media.SampleEntry
	flips   []media.SampleEntry // the video changes between these from GOP to GOP; nil where it does not
	audio   *media.SampleEntry  // nil for none
	bFrames bool                // needs steady90k
	// steady90k is the duration of every frame; 0 is one that varies.
	steady90k uint32
	// startDTS is that of a run's first video sample, audioLate how many audio ticks after it the first audio sample is.
	startDTS, audioLate int64
	loses               bool // frames, now and then, between two recordings

	runs, recordings     int64
	sequence             int
	nextVideo, nextAudio int64 // DTS
	made                 uint32
}

func newTestCamera(t testing.TB, seed uint64) *testCamera {
	return &testCamera{t: t, rnd: rand.New(rand.NewPCG(seed, 0)), video: testAVC(t, 0), steady90k: 3600}
}

// randomize changes everything that may differ between runs of one camera.
func (c *testCamera) randomize() {
	c.flips = nil
	if c.video = testAVC(c.t, c.rnd.IntN(2)); c.rnd.IntN(3) == 0 {
		c.flips = c.levels(2 + c.rnd.IntN(3))
	}
	c.bFrames = c.rnd.IntN(2) == 0
	c.steady90k = []uint32{3600, 3003}[c.rnd.IntN(2)]
	if !c.bFrames && c.rnd.IntN(2) == 0 {
		c.steady90k = 0
	}
	c.startDTS, c.loses = c.rnd.Int64N(1_000_000), true
	c.audio, c.audioLate = nil, 0
	if c.rnd.IntN(3) > 0 {
		c.audio = testAAC(c.t, []string{"1210", "1190", "1408"}[c.rnd.IntN(3)]) // 44.1, 48 and 16 kHz
		if c.rnd.IntN(3) == 0 {
			c.audio = testG711(c.t, []uint32{8000, 16000}[c.rnd.IntN(2)])
		}
		c.audioLate = []int64{0, c.rnd.Int64N(2*1024+1) - 1024}[min(1, c.rnd.IntN(4))]
	}
}

// levels returns sample entries that differ from that of the video in nothing but their level_idc.
func (c *testCamera) levels(n int) (entries []media.SampleEntry) {
	i := 0
	if c.video.Width < 1000 {
		i = 1
	}
	for level := range n {
		sps := unhex(c.t, avcStreams[i][0])
		sps[3] += byte(level)
		e, err := codec.H264Entry(sps, unhex(c.t, avcStreams[i][1]))
		if err != nil {
			c.t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// avcStreams are SPS and PPS as libx264 (core 164) writes them: 1920x1080 of High profile, 640x360 of Baseline.
var avcStreams = [][2]string{
	{"67640028acd940780227e5c39a808080a0000003002000000641e30632c0", "68ebe3cb22c0"},
	{"6742c01ed900a02ff97011000003000100000300320f162e48", "68cb83cb20"},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testAVC(t testing.TB, i int) media.SampleEntry {
	t.Helper()
	e, err := codec.H264Entry(unhex(t, avcStreams[i][0]), unhex(t, avcStreams[i][1]))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func testAAC(t testing.TB, asc string) *media.SampleEntry {
	t.Helper()
	e, err := codec.AACEntry(unhex(t, asc))
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

// testG711 is mu-law, as a camera sends it.
func testG711(t testing.TB, rate uint32) *media.SampleEntry {
	t.Helper()
	e := media.SampleEntry{Kind: media.RawAudio, Codec: "ulaw", Timescale: rate}
	w := writer{}
	w.Box("ulaw", func() {
		w.Zeros(6)
		w.U16(1)
		w.Zeros(8)
		w.U16(1) // channel
		w.U16(16)
		w.Zeros(4)
		w.U32(rate << 16)
	})
	e.Box = w.B
	return &e
}

// run records a run. silent names the recordings of it in which no sound comes.
func (c *testCamera) run(recordings int, silent ...int) (out []*recorded) {
	c.runs++
	c.sequence, c.nextVideo = 0, c.startDTS
	if c.audio != nil {
		c.nextAudio = media.Rescale(c.startDTS, c.video.Timescale, c.audio.Timescale) + c.audioLate
	}
	for i := range recordings {
		if i > 0 && c.loses && c.rnd.IntN(3) == 0 {
			c.lose()
		}
		out = append(out, c.record(2+c.rnd.IntN(2), slices.Contains(silent, i)))
	}
	return out
}

// lose drops a few frames, and the sound of the same time, between two recordings of a run.
func (c *testCamera) lose() {
	c.gop(3)
	for c.audio != nil && c.soundIsDue() {
		c.nextAudio += int64(c.sound().Duration)
	}
}

func (c *testCamera) soundIsDue() bool {
	return c.nextAudio*int64(c.video.Timescale) < c.nextVideo*int64(c.audio.Timescale)
}

// record records a few GOPs, some of them in two fragments.
func (c *testCamera) record(gops int, mute bool) *recorded {
	c.recordings++
	c.flip()
	r := &recorded{tracks: []recordedTrack{{entry: c.video}}}
	if c.audio != nil {
		r.tracks = append(r.tracks, recordedTrack{entry: *c.audio})
	}
	for i := range gops {
		if i > 0 {
			c.flip()
		}
		frames := c.gop(1 + c.rnd.IntN(8))
		if n := len(frames); n > 4 && c.rnd.IntN(3) == 0 {
			c.fragment(r, frames[:n/2], mute)
			frames = frames[n/2:]
		}
		c.fragment(r, frames, mute)
	}
	c.write(r)
	c.sequence++
	return r
}

// flip has the camera send other parameter sets with the next GOP.
func (c *testCamera) flip() {
	if c.flips != nil {
		c.video = c.flips[c.rnd.IntN(len(c.flips))]
	}
}

// sound returns the next sample of sound.
func (c *testCamera) sound() *recordedSample {
	s := &recordedSample{entry: *c.audio}
	s.DTS, s.Sync, s.Data = c.nextAudio, true, c.unique()
	if s.Duration = 1024; c.audio.Kind == media.RawAudio {
		s.Duration = uint32(len(s.Data))
		if c.rnd.IntN(4) == 0 {
			s.Duration += uint32(c.rnd.IntN(300)) // some sound is missing
		}
	}
	return s
}

// gop returns the frames up to the next sync sample, in decoding order.
func (c *testCamera) gop(n int) (frames []*recordedSample) {
	for i, shown := range decodingOrder(n, c.bFrames) {
		s := &recordedSample{entry: c.video}
		s.DTS, s.Duration, s.Sync, s.Data = c.nextVideo, c.steady90k, i == 0, c.nal(i == 0)
		if s.Duration == 0 {
			s.Duration = uint32(2500 + 500*c.rnd.IntN(3))
		}
		if c.bFrames {
			s.CTS = int32(shown+1-i) * int32(s.Duration) // one frame of delay is enough for the pattern
		}
		c.nextVideo += int64(s.Duration)
		frames = append(frames, s)
	}
	return frames
}

// decodingOrder returns which frame, in order of showing, is decoded as the i-th: with B-frames I P b b P b b ...
func decodingOrder(n int, bFrames bool) (order []int) {
	group := 1
	if bFrames {
		group = 3
	}
	order = append(order, 0)
	for at := 1; at < n; {
		g := min(group, n-at)
		order = append(order, at+g-1)
		for i := range g - 1 {
			order = append(order, at+i)
		}
		at += g
	}
	return order
}

// nal returns an access unit of one NAL unit that is like no other.
func (c *testCamera) nal(idr bool) []byte {
	typ := byte(0x41)
	if idr {
		typ = 0x65
	}
	payload := append([]byte{typ}, c.unique()...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

func (c *testCamera) unique() []byte {
	c.made++
	p := make([]byte, 4+c.rnd.IntN(40))
	binary.BigEndian.PutUint32(p, c.made)
	return p
}

// fragment adds frames to a recording, and the sound that starts before they end.
func (c *testCamera) fragment(r *recorded, frames []*recordedSample, mute bool) {
	tracks := [][]*recordedSample{frames}
	if c.audio != nil {
		var sound []*recordedSample
		for c.soundIsDue() {
			s := c.sound()
			c.nextAudio += int64(s.Duration)
			sound = append(sound, s)
		}
		if mute {
			sound = nil
		}
		tracks = append(tracks, sound)
	}
	f := Fragment{Sequence: uint32(len(r.fragments) + 1), Wall90k: 160_000_000_000_000 + c.nextVideo}
	for i, samples := range tracks {
		if t := &r.tracks[i]; len(samples) > 0 {
			if e := &samples[0].entry; t.use(e) && len(t.samples) > 0 {
				f.Entries = make([]*media.SampleEntry, len(tracks))
				f.Entries[i] = e
			}
		}
		var track []media.Sample
		for _, s := range samples {
			s.rec, s.Size = r, uint32(len(s.Data))
			track = append(track, s.Sample)
		}
		r.tracks[i].samples = append(r.tracks[i].samples, samples...)
		f.Tracks = append(f.Tracks, track)
	}
	r.fragments = append(r.fragments, f)
}

// use notes a sample entry, and reports whether it is another than that of the newest sample.
func (t *recordedTrack) use(e *media.SampleEntry) (another bool) {
	if !slices.ContainsFunc(t.used, func(x media.SampleEntry) bool { return bytes.Equal(x.Box, e.Box) }) {
		t.used = append(t.used, *e)
	}
	return len(t.samples) == 0 || !bytes.Equal(t.samples[len(t.samples)-1].entry.Box, e.Box)
}

// write makes the sample file of a recording, and its Part.
func (c *testCamera) write(r *recorded) {
	entries := make([]media.SampleEntry, len(r.tracks))
	all := make([]media.Samples, len(r.tracks))
	for i, t := range r.tracks {
		entries[i] = t.entry
	}
	r.identity = Identity{
		Camera: "front-door", Stream: "main", Recording: c.recordings, Run: fmt.Sprintf("run-%d", c.runs),
		Sequence: c.sequence, Start90k: 160_000_000_000_000 + c.nextVideo,
	}
	file, err := AppendHeader(nil, r.identity, entries)
	if err != nil {
		c.t.Fatal(err)
	}
	r.header = int64(len(file))
	for i := range r.fragments {
		var headerLen int
		at := int64(len(file))
		file, headerLen = r.fragments[i].Append(file)
		describe(all, r, &r.fragments[i], at+int64(headerLen)-r.header)
		r.ends = append(r.ends, int64(len(file)))
	}
	bytes := int64(len(file))
	r.seal = Seal{Start90k: r.identity.Start90k, WallDuration90k: 1234567, EndReason: "the camera hung up"}
	if r.file, err = AppendSeal(file, r.seal); err != nil {
		c.t.Fatal(err)
	}
	r.part = Part{
		Name: fmt.Sprintf("front-door/%d", c.recordings), Run: c.runs, Sequence: c.sequence,
		Extent: Extent{Object: sourceOf(r), Offset: r.header, Length: bytes - r.header},
		Load:   lend(func() ([]media.Samples, error) { return all, nil }),
	}
	for i, t := range r.tracks {
		start := int64(0)
		if len(t.samples) > 0 {
			start = t.samples[0].DTS
		}
		row := &r.tracks[i].row
		if *row = t.entry; len(t.used) > 1 {
			row.Box = nil
			for _, e := range t.used {
				row.Box = append(row.Box, e.Box...)
			}
		}
		r.part.Tracks = append(r.part.Tracks, TrackPart{Entry: row, Sums: all[i].Sum(start)})
	}
}

// lend makes a Part's Load of what returns the samples: it takes them back when their use ends, by spoiling them.
func lend(load func() ([]media.Samples, error)) func(func([]media.Samples) error) error {
	return func(use func([]media.Samples) error) error {
		all, err := load()
		if err != nil {
			return err
		}
		lent := slices.Clone(all)
		for i := range lent {
			s := &lent[i]
			s.Durations, s.Sizes, s.Syncs = slices.Clone(s.Durations), slices.Clone(s.Sizes), slices.Clone(s.Syncs)
			s.CTS, s.ChunkOffsets, s.ChunkCounts = slices.Clone(s.CTS), slices.Clone(s.ChunkOffsets), slices.Clone(s.ChunkCounts)
			s.ChunkEntries = slices.Clone(s.ChunkEntries)
		}
		err = use(lent)
		for _, s := range lent {
			clear(s.Durations)
			clear(s.Sizes)
			clear(s.Syncs)
			clear(s.CTS)
			clear(s.ChunkOffsets)
			clear(s.ChunkCounts)
			for c := range s.ChunkEntries {
				s.ChunkEntries[c] = 0xff
			}
		}
		return err
	}
}

// indexOf returns what a part's index says.
func indexOf(t testing.TB, p *Part) (all []media.Samples) {
	t.Helper()
	err := p.Load(func(lent []media.Samples) error {
		for i := range lent {
			all = append(all, lent[i].Slice(0, len(lent[i].Sizes)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sourceOf(r *recorded) *bytes.Reader { return bytes.NewReader(r.file) }

// describe adds a fragment whose first sample lies at an offset to the description of each track.
func describe(all []media.Samples, r *recorded, f *Fragment, at int64) {
	for i, t := range f.Tracks {
		s := &all[i]
		s.Raw = r.tracks[i].entry.Kind == media.RawAudio
		if len(t) == 0 {
			continue
		}
		if used := r.tracks[i].used; len(used) > 1 {
			first := r.tracks[i].samples[len(s.Sizes)]
			n := slices.IndexFunc(used, func(e media.SampleEntry) bool { return bytes.Equal(e.Box, first.entry.Box) })
			s.ChunkEntries = append(s.ChunkEntries, uint8(n))
		}
		s.ChunkOffsets, s.ChunkCounts = append(s.ChunkOffsets, at), append(s.ChunkCounts, uint32(len(t)))
		for _, x := range t {
			if x.Sync && i == 0 {
				s.Syncs = append(s.Syncs, uint32(len(s.Sizes)))
			}
			s.Durations, s.Sizes = append(s.Durations, x.Duration), append(s.Sizes, uint32(len(x.Data)))
			if i == 0 {
				s.CTS = append(s.CTS, x.CTS)
			}
			at += int64(len(x.Data))
		}
	}
}

// parts returns the Parts of recordings.
func parts(recs []*recorded) (out []Part) {
	for _, r := range recs {
		out = append(out, r.part)
	}
	return out
}

func mustFile(t testing.TB, parts []Part) *File {
	t.Helper()
	f, err := NewFile(parts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if size, err := Size(parts); err != nil || size != f.Size() {
		t.Fatalf("the size is said to be %d, and is %d: %v", size, f.Size(), err)
	}
	return f
}
