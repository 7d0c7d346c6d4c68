package mp4

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"nvrfs/integration/mp4check"
	"nvrfs/media"
)

// rawPart is a recording of mu-law alone: packets of some sizes, some of which last longer than their bytes.
func rawPart(t *testing.T, rnd *rand.Rand) (p Part, s media.Samples, sound []byte) {
	t.Helper()
	s.Raw = true
	for range 3 + rnd.IntN(5) { // chunks
		n := 1 + rnd.IntN(4)
		s.ChunkOffsets, s.ChunkCounts = append(s.ChunkOffsets, int64(len(sound))), append(s.ChunkCounts, uint32(n))
		for range n {
			size := 1 + rnd.Uint32N(20)
			s.Sizes, s.Durations = append(s.Sizes, size), append(s.Durations, size+[]uint32{0, 0, rnd.Uint32N(9)}[rnd.IntN(3)])
			for range size {
				sound = append(sound, byte(rnd.Uint32()))
			}
		}
	}
	return Part{
		Name: "intercom/1", Run: 1, Extent: Extent{Object: bytes.NewReader(sound), Length: int64(len(sound))},
		Tracks: []TrackPart{{Entry: testG711(t, 8000), Sums: s.Sum(1000)}},
		Load:   lend(func() ([]media.Samples, error) { return []media.Samples{s}, nil }),
	}, s, sound
}

// heard returns the bytes of the only track of a File, and checks the file.
func heard(t *testing.T, f *File) (sound []byte, track *mp4check.Track) {
	t.Helper()
	whole, err := io.ReadAll(io.NewSectionReader(f, 0, math.MaxInt64))
	if err != nil {
		t.Fatal(err)
	}
	report, err := mp4check.Check(bytes.NewReader(whole), f.Size())
	if err != nil {
		t.Fatal(err)
	}
	track = report.Tracks[0]
	for _, x := range track.Samples {
		sound = append(sound, whole[x.Offset:x.Offset+int64(x.Size)]...)
	}
	return sound, track
}

// A clip of sound alone starts with the first packet in its range, and ends with the last byte in it.
func TestClipsOfRawSoundAlone(t *testing.T) {
	for seed := range uint64(20) {
		p, s, sound := rawPart(t, rand.New(rand.NewPCG(seed, 9)))
		if got, _ := heard(t, mustFile(t, []Part{p})); !bytes.Equal(got, sound) {
			t.Fatalf("seed %d: %d bytes are heard, want %d", seed, len(got), len(sound))
		}
		end := s.End()
		for from := int64(-1); from <= end; from += 3 {
			for to := from + 1; to <= end+1; to += 5 {
				var want []byte
				dts, at := int64(0), int64(0)
				for i, size := range s.Sizes {
					if dts >= from && dts < to {
						want = append(want, sound[at:at+min(int64(size), to-dts)]...)
					}
					dts, at = dts+int64(s.Durations[i]), at+int64(size)
				}
				q, err := p.Trim(1000+from, 1000+to)
				if len(want) == 0 {
					if !errors.Is(err, ErrNothingShown) {
						t.Fatalf("seed %d, [%d, %d): error is %v", seed, from, to, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				got, track := heard(t, mustFile(t, []Part{q}))
				if !bytes.Equal(got, want) || int64(track.MediaDuration) > to-from {
					t.Fatalf("seed %d, [%d, %d): %d bytes of %d ticks are heard, want %d", seed, from, to, len(got), track.MediaDuration, len(want))
				}
			}
		}
	}
}

// The tables of an hour of mu-law have no row a byte, nor one a packet.
func TestTablesOfRawSoundAreSmall(t *testing.T) {
	p, _, _ := rawPart(t, rand.New(rand.NewPCG(1, 1)))
	const packets, perChunk = 3600 * 50, 50
	s := media.Samples{Raw: true}
	for i := range packets {
		s.Sizes, s.Durations = append(s.Sizes, 160), append(s.Durations, 160)
		if i%perChunk == 0 {
			s.ChunkOffsets, s.ChunkCounts = append(s.ChunkOffsets, int64(i)*160), append(s.ChunkCounts, perChunk)
		}
	}
	p.Tracks[0].Sums, p.Length = s.Sum(0), packets*160
	if x := p.Tracks[0]; x.Samples != packets*160 || x.Duration != packets*160 || x.TimeRuns != 1 || x.LastDuration != 1 || x.ChunkRuns != 1 {
		t.Fatalf("the sums are %+v", x.Sums)
	}
	size, err := Size([]Part{p})
	if err != nil {
		t.Fatal(err)
	}
	if moov, most := size-p.Length, int64(1000+8*packets/perChunk); moov > most {
		t.Errorf("the tables of an hour take %d bytes, more than %d", moov, most)
	}
}

// The sample entries of a clip are those of its samples, the first of them first.
func TestClipOfSeveralEntries(t *testing.T) {
	clips := 0
	for seed := range uint64(30) {
		c := newTestCamera(t, seed)
		c.flips = c.levels(3)
		r := c.run(1)[0]
		last := r.tracks[0].samples[len(r.tracks[0].samples)-1]
		p, err := r.part.Trim(last.DTS, math.MaxInt32)
		if err != nil {
			t.Fatal(err)
		}
		s := show(t, mustFile(t, []Part{p}), []*recorded{r})
		s.checkSamples(t)
		if track := s.tracks[media.Video]; len(track.Entries) == 1 && len(r.tracks[0].used) > 1 {
			clips++
		}
	}
	if clips == 0 {
		t.Error("no clip left a sample entry out")
	}
}

// An index that names a sample entry which its row does not have is an error, not a file that nobody can decode.
func TestIndexOfAnEntryThatTheRowLacks(t *testing.T) {
	c := newTestCamera(t, 2)
	c.flips = c.levels(2)
	for range 20 {
		r := c.run(1)[0]
		if len(r.tracks[0].used) < 2 {
			continue
		}
		p := r.part
		first := p.Tracks[0].Entry.First()
		p.Tracks[0].Entry = &first
		if _, err := io.ReadAll(io.NewSectionReader(mustFile(t, []Part{p}), 0, math.MaxInt64)); err == nil {
			t.Error("the file is read without an error")
		}
		if _, err := p.Trim(r.tracks[0].samples[0].DTS, math.MaxInt32); err == nil {
			t.Error("a clip is made without an error")
		}
		return
	}
	t.Fatal("no recording has two sample entries")
}
