package schema

import (
	"encoding/binary"
	"slices"

	"nvrfs/media"
)

// Fragment is what one append to a sample file held.
type Fragment struct {
	HeaderLen int              // bytes before the first sample
	Tracks    [][]media.Sample // each without its data, in the order of the recording's tracks, which is that of the bytes

	// Entries is nil, or has for each track the sample entry that holds from this fragment on, nil where that of before does.
	Entries []*media.SampleEntry
}

// Track sums up one track of a recording.
type Track struct {
	Entry int64 // id of its sample entry
	media.Sums
	Runs media.Runs // empty where the durations are steady, or their runs are not known
}

// The first byte of every packed index. A recording of one sample entry a track has version 1.
const (
	IndexVersion        = 1
	IndexVersionEntries = 2
)

// An Index packs the description of a recording's samples, and keeps the sums that its row needs.
//
// The packed form is, in unsigned varints of 7 bits a byte:
//
//	IndexVersion | number of tracks | kind of each track
//	then for each fragment: HeaderLen | for each track: number of samples | the samples
//
// A video sample is zigzag(size - size of the last sample of the same kind, sync or not) << 3 | CTS changed << 2 |
// duration changed << 1 | sync, then zigzag(change of duration) and zigzag(change of CTS) where the bits say so. An audio
// sample has only the bit "duration changed", and so has a packet of raw audio. Every change is against the track's sample before,
// at first against 0. So a frame of a steady camera takes two or three bytes, and an audio frame one or two.
//
// In version 2, a fragment may begin with changes of sample entries: each is 0, which no HeaderLen is, the index of the track, and
// the number of the sample entry that its samples have from this fragment on. So all that version 1 says is said in the same way,
// and an index that has grown begins with what it was, but for its first byte.
type Index struct {
	packed []byte
	tracks []indexTrack
	sums   []Track
}

// indexTrack is the state that the encoding of a track's next sample depends on.
type indexTrack struct {
	kind      media.Kind
	lastSize  [2]uint32 // of samples that are not, and that are, sync samples
	lastDur   uint32
	lastCTS   int32
	lastChunk media.ChunkRun
	entries   media.EntryList
	entry     int         // the number of the sample entry that holds
	runs      []media.Run // what TimeRuns counts: the newest sample is left out; one more than media.MaxRuns where there are more
}

// NewIndex starts the index of a recording with these tracks. Only video has sync samples and composition offsets.
func NewIndex(tracks []media.SampleEntry) *Index {
	x := &Index{tracks: make([]indexTrack, len(tracks)), sums: make([]Track, len(tracks))}
	x.packed = append(x.packed, IndexVersion)
	x.packed = binary.AppendUvarint(x.packed, uint64(len(tracks)))
	for i := range tracks {
		x.tracks[i].kind = tracks[i].Kind
		x.tracks[i].entries.Number(&tracks[i])
		x.packed = append(x.packed, byte(tracks[i].Kind))
	}
	return x
}

// Bytes is the packed index so far. It stays valid and unchanged when more is added.
func (x *Index) Bytes() []byte { return x.packed[:len(x.packed):len(x.packed)] }

// Tracks returns the sums so far.
func (x *Index) Tracks() []Track {
	tracks := slices.Clone(x.sums)
	for i := range tracks {
		if _, ok := tracks[i].Steady(); !ok {
			tracks[i].Runs = media.PackRuns(x.tracks[i].runs)
		}
	}
	return tracks
}

// Entries returns the sample entries of the row so far: each stands for all that its track uses.
func (x *Index) Entries() []media.SampleEntry {
	entries := make([]media.SampleEntry, len(x.tracks))
	for i := range entries {
		entries[i] = x.tracks[i].entries.Joined()
	}
	return entries
}

// SetEntry sets the id of a track's sample entry, which is known when the database has taken it in.
func (x *Index) SetEntry(track int, id int64) { x.sums[track].Entry = id }

// Add appends a fragment. The DTS of its samples are counted from the start of the run. A track must not get more than
// media.MaxEntries sample entries.
func (x *Index) Add(f Fragment) {
	for i, e := range f.Entries {
		if e != nil {
			x.changeEntry(i, e)
		}
	}
	x.packed = binary.AppendUvarint(x.packed, uint64(f.HeaderLen))
	for i, samples := range f.Tracks {
		t, sum := &x.tracks[i], &x.sums[i]
		if sum.Samples == 0 && len(samples) > 0 {
			sum.Start = samples[0].DTS
		}
		x.packed = binary.AppendUvarint(x.packed, uint64(len(samples)))
		before := sum.Samples
		for k := range samples {
			x.addSample(t, sum, &samples[k])
		}
		if len(samples) > 0 {
			sum.addChunk(t, sum.Samples-before)
		}
	}
}

// changeEntry says that a track has another sample entry from the next fragment on.
func (x *Index) changeEntry(track int, e *media.SampleEntry) {
	t := &x.tracks[track]
	if x.sums[track].Chunks == 0 { // that of the header was never used
		t.entries = media.EntryList{}
	}
	n, ok := t.entries.Number(e)
	if !ok {
		panic("schema: a recording has more sample entries than it may") // volume.Run and mp4.Scan refuse that
	}
	if n == t.entry {
		return
	}
	if x.packed[0] == IndexVersion {
		x.packed = slices.Clone(x.packed) // the bytes of before may be in use
		x.packed[0] = IndexVersionEntries
	}
	t.entry = n
	x.packed = append(x.packed, 0, byte(track), byte(n))
}

// addChunk counts a chunk of some samples, of raw audio of bytes.
func (sum *Track) addChunk(t *indexTrack, samples uint32) {
	c := media.ChunkRun{Samples: samples, Entry: uint8(t.entry)}
	if sum.Chunks == 0 || c != t.lastChunk {
		sum.ChunkRuns++
	}
	sum.Chunks++
	t.lastChunk = c
}

func (x *Index) addSample(t *indexTrack, sum *Track, s *media.Sample) {
	durDelta, ctsDelta := int64(s.Duration)-int64(t.lastDur), int64(s.CTS)-int64(t.lastCTS)
	sync := 0
	if s.Sync && t.kind == media.Video {
		sync = 1
	}
	token := media.Zigzag(int64(s.Size) - int64(t.lastSize[sync]))
	if t.kind == media.Video {
		token = token<<3 | bit(ctsDelta != 0)<<2 | bit(durDelta != 0)<<1 | uint64(sync)
	} else {
		token = token<<1 | bit(durDelta != 0)
	}
	x.packed = binary.AppendUvarint(x.packed, token)
	if durDelta != 0 {
		x.packed = binary.AppendUvarint(x.packed, media.Zigzag(durDelta))
	}
	if ctsDelta != 0 && t.kind == media.Video {
		x.packed = binary.AppendUvarint(x.packed, media.Zigzag(ctsDelta))
	}
	sum.add(t, s, sync)
	t.lastSize[sync], t.lastDur, t.lastCTS = s.Size, s.Duration, s.CTS
}

// add counts a sample. t describes the samples before it.
func (sum *Track) add(t *indexTrack, s *media.Sample, sync int) {
	if t.kind == media.RawAudio {
		for _, r := range media.PacketRuns(s.Size, s.Duration) {
			sum.addRun(t, r)
		}
		return
	}
	switch {
	case sum.Samples == 0:
		sum.FirstCTS = s.CTS
		if s.CTS != 0 {
			sum.CTSRuns = 1
		}
	case s.CTS != t.lastCTS:
		// The first sample that has an offset ends the run of those that had none, which is counted from now on.
		sum.CTSRuns = max(sum.CTSRuns, 1) + 1
	}
	sum.Syncs += uint32(sync)
	sum.addRun(t, media.Run{Samples: 1, Duration: s.Duration})
}

// addRun counts samples that last equally long. How long the newest one lasts is counted when another follows it.
func (sum *Track) addRun(t *indexTrack, r media.Run) {
	if r.Samples == 0 {
		return
	}
	if sum.Samples > 0 {
		sum.addTimes(t, media.Run{Samples: 1, Duration: sum.LastDuration})
	}
	if r.Samples > 1 {
		sum.addTimes(t, media.Run{Samples: r.Samples - 1, Duration: r.Duration})
	}
	sum.Samples += r.Samples
	sum.Duration += int64(r.Samples) * int64(r.Duration)
	sum.LastDuration = r.Duration
}

// addTimes counts how long samples last that are not the newest.
func (sum *Track) addTimes(t *indexTrack, r media.Run) {
	n := len(t.runs)
	if n > 0 && t.runs[n-1].Duration == r.Duration {
		t.runs[n-1].Samples += r.Samples
		return
	}
	sum.TimeRuns++
	if n > media.MaxRuns { // too many to be kept: only the last one counts
		t.runs = t.runs[:n-1]
	}
	t.runs = append(t.runs, r)
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
