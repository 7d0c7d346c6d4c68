package volume_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/codec"
	"nvrfs/codec/codectest"
	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// levels are sample entries that differ in level_idc alone.
func levels(t *testing.T, n int) (entries []*media.SampleEntry) {
	t.Helper()
	for i := range n {
		sps := codectest.SPS(4, 0, false)
		sps[3] = byte(10 + i)
		e, err := codec.H264Entry(sps, codectest.PPS(0))
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, &e)
	}
	return entries
}

// flipping hands fragments of one GOP over, of which each may have another sample entry.
type flipping struct {
	b      *bench.Bench
	run    *volume.Run
	holds  media.SampleEntry
	began  bool
	of     map[uint32]*media.SampleEntry // by number of the picture
	number int
}

const gop = 3

func (f *flipping) append(e *media.SampleEntry, last bool, reason string) error {
	c := bench.Camera{GOP: gop, Run: 1}.WithDefaults()
	x := &mp4.Fragment{Sequence: uint32(1 + f.number), Wall90k: media.FromTime(c.Start), Tracks: make([][]media.Sample, 1)}
	if !f.began {
		f.holds, f.began = *e, true
		f.run.Begin([]media.SampleEntry{*e})
	}
	if !bytes.Equal(f.holds.Box, e.Box) {
		f.holds, x.Entries = *e, []*media.SampleEntry{e}
	}
	for range gop {
		p := c.Picture(f.number, c.Start)
		p.Size = uint32(len(p.Data))
		x.Tracks[0] = append(x.Tracks[0], p)
		f.of[uint32(f.number)] = e
		f.number++
	}
	frag := volume.NewFragment(x)
	defer frag.Release()
	frag.Start90k, frag.WallDuration90k, frag.Last, frag.EndReason = media.FromTime(c.Start), int64(f.number)*3600, last, reason
	if last {
		f.began = false
	}
	return f.run.Append(frag)
}

// check finds every picture with the sample entry with which it was handed over, and returns how many there are.
func (f *flipping) check(t *testing.T) (pictures int) {
	t.Helper()
	for _, r := range f.b.Recordings() {
		e, err := f.b.DB.SampleEntry(t.Context(), r.Tracks[0].Entry)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := f.b.DB.PackedIndex(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		all, err := schema.DecodeIndex(packed, r.Tracks)
		if err != nil {
			t.Fatal(err)
		}
		file, err := f.b.Store.Open(store.Key{Stream: "cam", Number: r.ID.Number()})
		if err != nil {
			t.Fatal(err)
		}
		boxes, s := slices.Collect(e.Boxes), all[0]
		for c, at := range s.ChunkOffsets {
			n := 0
			if s.ChunkEntries != nil {
				n = int(s.ChunkEntries[c])
			}
			const mark = 4 + 1 + 4 + 1 // length, header of the NAL unit, run, track
			var head [mark + 4]byte
			if _, err := file.ReadAt(head[:], r.HeaderBytes+at); err != nil {
				t.Fatal(err)
			}
			if want := f.of[binary.BigEndian.Uint32(head[mark:])]; want == nil || !bytes.Equal(boxes[n], want.Box) {
				t.Errorf("chunk %d of %s has sample entry %d, which is not that of its pictures", c, r.ID, n)
			}
		}
		pictures += len(s.Sizes)
		file.Close()
	}
	return pictures
}

// TestChangingEntries has parameter sets change from one fragment to the next, while the disk fails now and then, so that a recording
// goes on in another file. Each picture keeps its sample entry, in the database and in one that is made anew.
func TestChangingEntries(t *testing.T) {
	for name, fail := range map[string]func(string, store.Key) error{
		"nothing fails":       func(string, store.Key) error { return nil },
		"an append fails":     bench.Fails("append", 7, 1, unix.ENOSPC),
		"a sync fails":        bench.Fails("sync", 4, 1, unix.EIO),
		"no file can be made": bench.Fails("create", 2, 1, unix.EACCES),
	} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, time.Minute)
			b.Store.Failing(fail)
			f := &flipping{b: b, run: b.Writer.NewRun(b.Stream.Row), of: map[uint32]*media.SampleEntry{}}
			entries, rnd := levels(t, 4), rand.New(rand.NewPCG(1, 1))
			const fragments = 40
			for i := range fragments {
				reason := ""
				if i == fragments-1 {
					reason = "the end"
				}
				if err := f.append(entries[rnd.IntN(1+i/10)], i%13 == 12 || reason != "", reason); err != nil {
					t.Fatal(err)
				}
				if i%3 == 0 {
					b.Commit()
					f.check(t)
				}
			}
			b.Commit()
			b.Commit()
			if n := f.check(t); n != fragments*gop {
				t.Errorf("%d pictures, want %d", n, fragments*gop)
			}
			bench.NoProblems(t, b.Dir)
			bench.SameAfterRebuild(t, b.Dir)
		})
	}
}

// A recording refuses what it cannot go on with, before anything of it is written.
func TestEntriesThatARecordingCannotHave(t *testing.T) {
	entries := levels(t, media.MaxEntries+1)
	larger := *entries[0]
	larger.Width, larger.Box = 2*larger.Width, append(slices.Clone(larger.Box), 0)
	for name, e := range map[string]*media.SampleEntry{"one too many": entries[media.MaxEntries], "another size": &larger} {
		b := bench.New(t, time.Minute)
		f := &flipping{b: b, run: b.Writer.NewRun(b.Stream.Row), of: map[uint32]*media.SampleEntry{}}
		for range 3 { // again and again the same ones
			for _, e := range entries[:media.MaxEntries] {
				if err := f.append(e, false, ""); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := f.append(e, false, ""); !errors.Is(err, volume.ErrEntries) {
			t.Errorf("%s: error is %v", name, err)
		}
		if err := f.run.End("refused"); err != nil {
			t.Fatal(err)
		}
		b.Commit()
		if n := f.check(t); n != 3*media.MaxEntries*gop {
			t.Errorf("%s: %d pictures are there", name, n)
		}
		bench.NoProblems(t, b.Dir)
	}
}

// TestDamageAmongChangingEntries damages fragments. What is whole behind them keeps the sample entries that it had, because each
// sync sample that comes with another says so in its fragment.
func TestDamageAmongChangingEntries(t *testing.T) {
	b := bench.New(t, time.Minute)
	f := &flipping{b: b, run: b.Writer.NewRun(b.Stream.Row), of: map[uint32]*media.SampleEntry{}}
	entries := levels(t, 3)
	const fragments = 30
	for i := range fragments {
		reason := ""
		if i == fragments-1 {
			reason = "the end"
		}
		if err := f.append(entries[i%3], reason != "", reason); err != nil {
			t.Fatal(err)
		}
	}
	b.Commit()
	b.DB.Close()
	d := bench.Damage{T: t, Dir: b.Dir}
	for _, n := range []int{0, 4, 5, 17} {
		d.Flip(1, "mdat", n, 12)
	}
	if _, left, err := bench.RepairAt(t, b.Dir, fsck.Hash); left > 0 || err != nil {
		t.Fatal(left, err)
	}
	bench.NoProblems(t, b.Dir)
	var err error
	if f.b.DB, err = schema.OpenReadOnly(t.Context(), b.Dir); err != nil {
		t.Fatal(err)
	}
	if n := f.check(t); n != (fragments-4)*gop {
		t.Errorf("%d pictures are there, want %d", n, (fragments-4)*gop)
	}
	f.b.DB.Close()
	bench.SameAfterRebuild(t, b.Dir)
}

// A damaged header is made anew from the row, which names all sample entries of the recording: the new one has the first of them.
func TestDamagedHeaderOfChangingEntries(t *testing.T) {
	b := bench.New(t, time.Minute)
	f := &flipping{b: b, run: b.Writer.NewRun(b.Stream.Row), of: map[uint32]*media.SampleEntry{}}
	for i, e := range levels(t, 3) {
		reason := []string{"", "", "the end"}[i]
		if err := f.append(e, reason != "", reason); err != nil {
			t.Fatal(err)
		}
	}
	b.Commit()
	b.DB.Close()
	d := bench.Damage{T: t, Dir: b.Dir}
	d.Flip(1, "moov", 0, 20)
	if _, left, err := bench.RepairAt(t, b.Dir, fsck.Hash); left > 0 || err != nil {
		t.Fatal(left, err)
	}
	bench.NoProblems(t, b.Dir)
	bench.SameAfterRebuild(t, b.Dir)
}
