package schema_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/media"
	"nvrfs/schema"
)

// recording is what an index is made of, and what it must give back.
type recording struct {
	kinds     []media.Kind
	entries   [][]media.SampleEntry // of each track, those that fragments may change to
	starts    []int64               // of each track
	fragments []schema.Fragment
}

// randomRecording has one to three tracks, each of them at times missing from a fragment.
func randomRecording(rnd *rand.Rand) *recording {
	r := &recording{kinds: []media.Kind{media.Video}}
	for range rnd.IntN(3) {
		r.kinds = append(r.kinds, []media.Kind{media.Video, media.Audio, media.Audio, media.RawAudio}[rnd.IntN(4)])
	}
	steady, cts, flips := rnd.IntN(2) == 0, rnd.IntN(3), rnd.IntN(3) == 0
	for range r.kinds {
		r.entries = append(r.entries, testEntries(1+rnd.IntN(media.MaxEntries)))
	}
	next := make([]int64, len(r.kinds))
	for i := range next {
		next[i] = rnd.Int64N(1 << 40)
	}
	r.starts = slices.Clone(next)
	for range 1 + rnd.IntN(12) {
		f := schema.Fragment{HeaderLen: 1 + rnd.IntN(1<<rnd.IntN(20)), Tracks: make([][]media.Sample, len(r.kinds))}
		for k, kind := range r.kinds {
			video := kind == media.Video
			if rnd.IntN(4) == 0 {
				continue
			}
			if flips && rnd.IntN(2) == 0 {
				if f.Entries == nil {
					f.Entries = make([]*media.SampleEntry, len(r.kinds))
				}
				f.Entries[k] = &r.entries[k][rnd.IntN(len(r.entries[k]))]
			}
			for i := range 1 + rnd.IntN(20) {
				s := media.Sample{DTS: next[k], Duration: 3600, Size: rnd.Uint32N(1 << rnd.IntN(32)), Sync: !video || i == 0}
				if !steady && rnd.IntN(3) > 0 {
					s.Duration = rnd.Uint32() >> rnd.IntN(32)
				}
				if video && (cts == 1 || cts == 2 && rnd.IntN(10) == 0) {
					s.CTS = int32(rnd.Uint32()) >> rnd.IntN(32)
				}
				if kind == media.RawAudio {
					s.Size = rnd.Uint32N(1 << rnd.IntN(10))
					s.Duration = s.Size
					if !steady && rnd.IntN(3) == 0 { // sound is missing, or a packet is shorter than its bytes, as none should be
						s.Duration = rnd.Uint32N(1 << rnd.IntN(16))
					}
				}
				f.Tracks[k] = append(f.Tracks[k], s)
				next[k] += int64(s.Duration)
			}
		}
		r.fragments = append(r.fragments, f)
	}
	return r
}

// tracks describes the tracks as far as an index needs that.
func (r *recording) tracks() (tracks []media.SampleEntry) {
	for i, kind := range r.kinds {
		e := media.SampleEntry{}
		if r.entries != nil {
			e = r.entries[i][0]
		}
		e.Kind = kind
		tracks = append(tracks, e)
	}
	return tracks
}

// testEntries are as many sample entries, of which each is another.
func testEntries(n int) (entries []media.SampleEntry) {
	for i := range n {
		entries = append(entries, media.SampleEntry{Codec: fmt.Sprintf("avc1.%06x", i), Box: []byte{0, 0, 0, 9, 'a', 'v', 'c', '1', byte(i)}})
	}
	return entries
}

// index packs the recording, and returns the sums of the row after each fragment.
func (r *recording) index() (x *schema.Index, rows [][]schema.Track) {
	x = schema.NewIndex(r.tracks())
	for _, f := range r.fragments {
		x.Add(f)
		rows = append(rows, x.Tracks())
	}
	return x, rows
}

// samples describes the first n fragments of the recording, by a way of its own.
func (r *recording) samples(n int) []media.Samples {
	out := make([]media.Samples, len(r.kinds))
	holds, used := make([][]byte, len(r.kinds)), make([][][]byte, len(r.kinds))
	for k := range holds {
		out[k].Raw = r.kinds[k] == media.RawAudio
		holds[k] = r.tracks()[k].Box
	}
	at := int64(0)
	for _, f := range r.fragments[:n] {
		for k, e := range f.Entries {
			if e != nil {
				holds[k] = e.Box
			}
		}
		at += int64(f.HeaderLen)
		for k, samples := range f.Tracks {
			t := &out[k]
			if len(samples) > 0 {
				t.ChunkOffsets, t.ChunkCounts = append(t.ChunkOffsets, at), append(t.ChunkCounts, uint32(len(samples)))
				n := slices.IndexFunc(used[k], func(b []byte) bool { return bytes.Equal(b, holds[k]) })
				if n < 0 {
					n, used[k] = len(used[k]), append(used[k], holds[k])
				}
				t.ChunkEntries = append(t.ChunkEntries, uint8(n))
			}
			for _, s := range samples {
				if s.Sync && r.kinds[k] == media.Video {
					t.Syncs = append(t.Syncs, uint32(len(t.Sizes)))
				}
				t.Durations, t.Sizes, t.CTS = append(t.Durations, s.Duration), append(t.Sizes, s.Size), append(t.CTS, s.CTS)
				at += int64(s.Size)
			}
		}
	}
	for k := range out {
		if !slices.ContainsFunc(out[k].CTS, func(v int32) bool { return v != 0 }) {
			out[k].CTS = nil
		}
		if len(used[k]) < 2 {
			out[k].ChunkEntries = nil
		}
	}
	return out
}

// An index gives back every sample, for the row of any moment of its growth, and its sums are those that package mp4
// counts.
func TestIndexGivesBackWhatWasAdded(t *testing.T) {
	for seed := range uint64(300) {
		r := randomRecording(rand.New(rand.NewPCG(seed, 0)))
		x, rows := r.index()
		for i, row := range rows {
			got, err := schema.DecodeIndex(x.Bytes(), row)
			if err != nil {
				t.Fatalf("seed %d, row after fragment %d: %v", seed, i+1, err)
			}
			want := r.samples(i + 1)
			for k := range want {
				if !reflect.DeepEqual(canonical(media.Samples(got[k])), canonical(want[k])) {
					t.Fatalf("seed %d, row after fragment %d, track %d:\n%+v, want\n%+v", seed, i+1, k+1, got[k], want[k])
				}
				checkSums(t, fmt.Sprintf("seed %d, row after fragment %d, track %d", seed, i+1, k+1), &row[k], &want[k], r.starts[k])
			}
		}
		several := false
		for k, s := range r.samples(len(r.fragments)) {
			entries := slices.Collect(x.Entries()[k].Boxes)
			used := 1
			if s.ChunkEntries != nil {
				used, several = 1+int(slices.Max(s.ChunkEntries)), true
			}
			if row := x.Tracks()[k]; len(entries) < used || row.Chunks > 0 && r.starts[k] != row.Start {
				t.Fatalf("seed %d, track %d: %d sample entries, of which %d are used", seed, k+1, len(entries), used)
			}
		}
		if !several && x.Bytes()[0] != schema.IndexVersion && !r.announced() {
			t.Fatalf("seed %d: an index of one sample entry a track has version %d", seed, x.Bytes()[0])
		}
	}
}

// announced reports whether a fragment changes a sample entry.
func (r *recording) announced() bool {
	return slices.ContainsFunc(r.fragments, func(f schema.Fragment) bool { return f.Entries != nil })
}

// canonical makes empty slices equal.
func canonical(s media.Samples) media.Samples {
	return media.Samples{
		Durations: slices.Concat(s.Durations), Sizes: slices.Concat(s.Sizes), CTS: slices.Concat(s.CTS),
		Syncs: slices.Concat(s.Syncs), ChunkOffsets: slices.Concat(s.ChunkOffsets), ChunkCounts: slices.Concat(s.ChunkCounts),
		Raw: s.Raw, ChunkEntries: slices.Concat(s.ChunkEntries),
	}
}

func checkSums(t *testing.T, name string, row *schema.Track, s *media.Samples, start int64) {
	t.Helper()
	if row.Samples == 0 {
		start = row.Start // of nothing
	}
	if got, want := row.Sums, s.Sum(start); got != want {
		t.Fatalf("%s: the row says\n%+v, package mp4 counts\n%+v", name, got, want)
	}
	var runs []media.Run
	durations := s.Durations
	if s.Raw {
		durations = byteDurations(s)
	}
	for _, d := range durations[:max(0, len(durations)-1)] {
		if n := len(runs); n > 0 && runs[n-1].Duration == d {
			runs[n-1].Samples++
		} else {
			runs = append(runs, media.Run{Samples: 1, Duration: d})
		}
	}
	want := media.PackRuns(runs)
	if _, steady := row.Steady(); steady {
		want = ""
	}
	if row.Runs != want {
		got, _ := row.Runs.Unpack(nil)
		t.Fatalf("%s: the row has the runs %v, the samples %v", name, got, runs)
	}
}

// byteDurations is how long each byte of packets lasts.
func byteDurations(s *media.Samples) (all []uint32) {
	for i, n := range s.Sizes {
		d := s.Durations[i]
		for k := range n {
			switch {
			case k < n-1 && k < d:
				all = append(all, 1)
			case k < d:
				all = append(all, d-k)
			default:
				all = append(all, 0)
			}
		}
	}
	return all
}

// What Bytes returned is a reader's, whatever is added later.
func TestIndexBytesStay(t *testing.T) {
	r := randomRecording(rand.New(rand.NewPCG(77, 0)))
	x := schema.NewIndex(r.tracks())
	var got, copies [][]byte
	for _, f := range r.fragments {
		x.Add(f)
		got, copies = append(got, x.Bytes()), append(copies, slices.Clone(x.Bytes()))
	}
	for i := range got {
		if !slices.Equal(got[i], copies[i]) {
			t.Errorf("the bytes after fragment %d changed", i+1)
		}
		_ = append(got[i], 0xff) // a reader's append must not reach the index
	}
	if !slices.Equal(x.Bytes(), copies[len(copies)-1]) {
		t.Error("the index shares room with what it gave away")
	}
}

func TestDecodeIndexOfADamagedIndex(t *testing.T) {
	for seed := range uint64(60) {
		r := randomRecording(rand.New(rand.NewPCG(seed, 1)))
		x, rows := r.index()
		packed, row := x.Bytes(), rows[len(rows)-1]
		whole, err := schema.DecodeIndex(packed, row)
		if err != nil {
			t.Fatal(err)
		}
		for n := range packed {
			if got, err := schema.DecodeIndex(packed[:n], row); !errors.Is(err, schema.ErrIndex) && !reflect.DeepEqual(got, whole) {
				t.Fatalf("seed %d, cut at %d of %d: error is %v", seed, n, len(packed), err)
			}
		}
		for n := range packed {
			bad := slices.Clone(packed)
			bad[n] ^= 0x80 // joins or splits numbers
			if _, err := schema.DecodeIndex(bad, row); err != nil && !errors.Is(err, schema.ErrIndex) {
				t.Fatalf("seed %d, byte %d: %v", seed, n, err)
			}
		}
	}
	r := randomRecording(rand.New(rand.NewPCG(3, 3)))
	x, rows := r.index()
	row := rows[len(rows)-1]
	bFrames, itsRows := minute(50, 25, true, false).index()
	forgetful := slices.Clone(itsRows[len(itsRows)-1])
	forgetful[0].CTSRuns = 0
	for name, c := range map[string]struct {
		packed []byte
		row    []schema.Track
	}{
		"nothing":                           {nil, row},
		"a row that knows of no B-frames":   {bFrames.Bytes(), forgetful},
		"another version":                   {append([]byte{schema.IndexVersionEntries + 1}, x.Bytes()[1:]...), row},
		"a track more":                      {x.Bytes(), append(slices.Clone(row), schema.Track{})},
		"a kind of track that there is not": {append([]byte{x.Bytes()[0], byte(len(row)), 9}, x.Bytes()[3:]...), row},
		"a row of more samples than bytes":  {x.Bytes(), append([]schema.Track{{Sums: media.Sums{Samples: 1 << 26, Chunks: 1}}}, row[1:]...)},
		"raw sound of more bytes than the row can count": {
			schema.NewIndex([]media.SampleEntry{{Kind: media.RawAudio}}).Bytes(),
			[]schema.Track{{Sums: media.Sums{Samples: 1 << 31, CTSRuns: 9, Chunks: 1}}},
		},
		"packets of raw sound that are not there": {
			binary.AppendUvarint([]byte{schema.IndexVersion, 1, byte(media.RawAudio), 9}, 1<<40),
			[]schema.Track{{Sums: media.Sums{Samples: 1 << 31, Chunks: 1}}},
		},
		"a sample entry beyond those that there may be": {
			[]byte{schema.IndexVersionEntries, 1, byte(media.Video), 0, 0, media.MaxEntries, 9, 1, 8},
			[]schema.Track{{Sums: media.Sums{Samples: 1, Chunks: 1}}},
		},
		"a sample entry of a track that there is not": {
			[]byte{schema.IndexVersionEntries, 1, byte(media.Video), 0, 1, 0, 9, 1, 8},
			[]schema.Track{{Sums: media.Sums{Samples: 1, Chunks: 1}}},
		},
		"a row of more chunks than bytes": {x.Bytes(), append([]schema.Track{{Sums: media.Sums{Samples: 1, Chunks: 1 << 26}}}, row[1:]...)},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := schema.DecodeIndex(c.packed, c.row)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, schema.ErrIndex) {
			t.Errorf("%s: error is %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
}

// The fast way gives what the slow one gives, or fails where that fails, whatever was decoded into the same memory before.
func TestDecodeIndexAsTheSlowWay(t *testing.T) {
	var d schema.Decoder
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		r := randomRecording(rnd)
		if seed%4 == 0 {
			r = minute(1+rnd.IntN(60), 25, seed%8 == 0, seed%3 == 0)
		}
		x, rows := r.index()
		packed, row := slices.Clone(x.Bytes()), rows[len(rows)-1]
		for range rnd.IntN(3) {
			packed[rnd.IntN(len(packed))] = byte(rnd.Uint32())
		}
		sameAsSlow(t, &d, packed, row)
	}
}

func sameAsSlow(t *testing.T, d *schema.Decoder, packed []byte, row []schema.Track) []media.Samples {
	t.Helper()
	got, err := d.Decode(packed, row)
	want, slowErr := slowDecode(packed, row)
	if (err == nil) != (slowErr == nil) || err != nil && !errors.Is(err, schema.ErrIndex) {
		t.Fatalf("error is %v, of the slow way %v", err, slowErr)
	}
	if err != nil {
		return nil
	}
	for i := range want {
		if !reflect.DeepEqual(canonical(media.Samples(got[i])), canonical(media.Samples(want[i]))) {
			t.Fatalf("track %d:\n%+v, the slow way has\n%+v", i+1, got[i], want[i])
		}
	}
	return got
}

// FuzzDecodeIndex: whatever the bytes and the row, decoding gives samples as the row says, and as the slow way does, or
// ErrIndex.
func FuzzDecodeIndex(f *testing.F) {
	for seed := range uint64(16) { // some with raw sound, some with several sample entries
		r := randomRecording(rand.New(rand.NewPCG(seed, 2)))
		x, rows := r.index()
		row := rows[len(rows)-1][0]
		f.Add(x.Bytes(), len(r.kinds), row.Samples, row.Chunks, row.CTSRuns)
	}
	many := binary.AppendUvarint([]byte{schema.IndexVersion, 1, 1, 0}, 1<<63|5) // samples, a negative number of them
	f.Add(many, 1, uint32(0), uint32(1), uint32(0))
	// A row that has runs of CTS, but no sample: the CTS are nil in one way, and empty in the other.
	f.Add(schema.NewIndex([]media.SampleEntry{{Kind: media.Video}}).Bytes(), 1, uint32(0), uint32(0), uint32(1))
	f.Fuzz(func(t *testing.T, packed []byte, tracks int, samples, chunks, ctsRuns uint32) {
		row := make([]schema.Track, min(max(0, tracks), 8))
		for i := range row {
			row[i] = schema.Track{Sums: media.Sums{Samples: samples, Chunks: chunks, CTSRuns: ctsRuns}}
		}
		var d schema.Decoder
		for i, s := range sameAsSlow(t, &d, packed, row) {
			n := 0
			for _, c := range s.ChunkCounts {
				n += int(c)
			}
			if s.Raw && media.SumSizes(s.Sizes) != int64(samples) || !s.Raw && len(s.Durations) != int(samples) || len(s.Durations) != n || s.ChunkEntries != nil && len(s.ChunkEntries) != len(s.ChunkCounts) || len(s.Sizes) != n || s.CTS != nil && len(s.CTS) != n || len(s.ChunkOffsets) != len(s.ChunkCounts) {
				t.Errorf("track %d does not add up: %+v", i+1, s)
			}
		}
	})
}

// minute is a recording of a minute as cameras make them.
func minute(gop int, fps uint32, bFrames, sound bool) *recording {
	rnd := rand.New(rand.NewPCG(5, 5))
	r := &recording{kinds: []media.Kind{media.Video}, starts: []int64{0}}
	if sound {
		r.kinds, r.starts = append(r.kinds, media.Audio), append(r.starts, 0)
	}
	size := func(typical uint32) uint32 { return typical*3/4 + rnd.Uint32N(typical/2) }
	for range 60 * int(fps) / gop {
		f := schema.Fragment{HeaderLen: 700, Tracks: make([][]media.Sample, len(r.kinds))}
		for i := range gop {
			s := media.Sample{Duration: 90000 / fps, Size: size(12_000), Sync: i == 0}
			if i == 0 {
				s.Size = size(90_000)
			}
			if bFrames {
				s.CTS = []int32{1, 3, 0, 0}[min(i, 1+(i-1+3)%3)] * int32(s.Duration)
			}
			f.Tracks[0] = append(f.Tracks[0], s)
		}
		if sound {
			for range gop * 44100 / 1024 / int(fps) {
				f.Tracks[1] = append(f.Tracks[1], media.Sample{Duration: 1024, Size: size(180), Sync: true})
			}
		}
		r.fragments = append(r.fragments, f)
	}
	return r
}

func (r *recording) count() (samples int) {
	for _, f := range r.fragments {
		for _, t := range f.Tracks {
			samples += len(t)
		}
	}
	return samples
}

// BenchmarkDecodeIndex also says how large an index is.
func BenchmarkDecodeIndex(b *testing.B) {
	for _, c := range []struct {
		name           string
		bFrames, sound bool
	}{{"video", false, false}, {"video with sound", false, true}, {"B-frames", true, false}} {
		b.Run(c.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			r := minute(50, 25, c.bFrames, c.sound)
			x, rows := r.index()
			packed, row := x.Bytes(), rows[len(rows)-1]
			b.ReportAllocs()
			var fast, slow time.Duration
			var d schema.Decoder
			for b.Loop() {
				start := cpuTime(b)
				for range 20 {
					if _, err := d.Decode(packed, row); err != nil {
						b.Fatal(err)
					}
				}
				mid := cpuTime(b)
				for range 20 {
					if _, err := slowDecode(packed, row); err != nil {
						b.Fatal(err)
					}
				}
				fast, slow = fast+mid-start, slow+cpuTime(b)-mid
			}
			n := float64(20 * b.N * r.count())
			b.ReportMetric(float64(fast.Nanoseconds())/n, "ns/sample")
			b.ReportMetric(float64(slow.Nanoseconds())/n, "slow-ns/sample")
			b.ReportMetric(float64(len(packed))/float64(r.count()), "bytes/sample")
		})
	}
}

// cpuTime is what this thread has used.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkAddToIndex(b *testing.B) {
	r := minute(50, 25, false, true)
	for b.Loop() {
		r.index()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(r.count()), "ns/sample")
}
