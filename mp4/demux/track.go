package demux

import (
	"fmt"
	"io"
	"sort"

	"nvrfs/codec"
	"nvrfs/media"
)

// A File is what is read of an mp4 file. It does not change and is safe for concurrent use.
type File struct {
	// Either is nil where the file has none, but never both.
	Video, Audio *Track

	// LeftOut says which tracks of the file are not there, and why, in words.
	LeftOut []string
}

// Tracks lists the tracks that there are, video first.
func (f *File) Tracks() (tracks []*Track) {
	for _, t := range []*Track{f.Video, f.Audio} {
		if t != nil {
			tracks = append(tracks, t)
		}
	}
	return tracks
}

// A Track is one track of a file. Its times are on the file's timeline, which all tracks share: the edit list (ISO/IEC 14496-12
// 8.6.6) has been applied, so that the first times of a track may be negative.
type Track struct {
	Entry     media.SampleEntry   // of its first sample, as codec.Import makes it, with the timescale that recordings have
	Entries   []media.SampleEntry // all that its samples have: more than one where it changes its parameters on the way
	Timescale uint32              // in which the file counts: that of all times below
	End       int64               // when the last sample ends: its DTS plus its duration

	source  io.ReaderAt
	dts     []int64
	cts     []int32 // nil where all are 0
	sizes   []uint32
	offsets []int64
	syncs   []bool // nil where every sample is a sync sample
	changes []change

	transcoded []byte // the sample entry of the file, where its samples are not stored as they are
}

// A change says from which sample on another sample entry holds.
type change struct{ first, entry int }

// EntryOf returns the index in Entries of the sample entry of sample i, from 0.
func (t *Track) EntryOf(i int) int {
	n := sort.Search(len(t.changes), func(n int) bool { return t.changes[n].first > i })
	return t.changes[n-1].entry
}

// Transcoder returns what makes samples of Entry of those of the file, in their order, or nil where they are stored as they are.
func (t *Track) Transcoder() *codec.Transcoder {
	if t.transcoded == nil {
		return nil
	}
	x, err := codec.Transcode(t.transcoded)
	if err != nil {
		panic(err) // it was made once, when the file was read
	}
	return x
}

// Len is how many samples there are, which is never none.
func (t *Track) Len() int { return len(t.dts) }

// Sample describes sample i, from 0, in decoding order. Its Data is nil.
func (t *Track) Sample(i int) media.Sample {
	s := media.Sample{DTS: t.dts[i], Size: t.sizes[i], Sync: t.syncs == nil || t.syncs[i]}
	if t.cts != nil {
		s.CTS = t.cts[i]
	}
	end := t.End
	if i+1 < len(t.dts) {
		end = t.dts[i+1]
	}
	s.Duration = uint32(end - s.DTS)
	return s
}

// Offset is where in the file the bytes of sample i are, from 0.
func (t *Track) Offset(i int) int64 { return t.offsets[i] }

// Read reads the bytes of sample i, from 0.
func (t *Track) Read(i int) ([]byte, error) {
	data := make([]byte, t.sizes[i])
	if _, err := t.source.ReadAt(data, t.offsets[i]); err != nil {
		return nil, fmt.Errorf("read sample %d of the %s track, %d bytes at %d: %w", i, t.Entry.Kind, len(data), t.offsets[i], err)
	}
	return data, nil
}

// Duration is how long the track lasts, in its timescale.
func (t *Track) Duration() int64 { return t.End - t.dts[0] }
