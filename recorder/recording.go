package recorder

import (
	"fmt"
	"hash"
	"sync/atomic"

	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// A run is what the recordings of one session share.
type run struct {
	uuid   string
	stream int64

	// Why the disk takes no more of it. A recording that is cut short must not be followed by another of the same run,
	// which has no gaps.
	failed atomic.Pointer[error]

	// The disk's.
	start90k  int64  // as the row of its first recording says
	known     bool   // a recording of it may be in the database
	endReason string // empty while it goes on
}

// failure returns why the disk takes no more of the run, or nil.
func (r *run) failure() error {
	if err := r.failed.Load(); err != nil {
		return fmt.Errorf("cannot write: %w", *err)
	}
	return nil
}

// A recording is one that is being written. The session that makes it cuts its fragments; the disk writes them.
type recording struct {
	// Set when it is made.
	key      store.Key
	id       schema.RecordingID
	run      *run
	sequence int
	tracks   []mp4.SampleEntry
	header   []byte

	// The session's.
	start90k     int64 // wall time of the first frame, as known so far
	startDTS     int64 // of the first video sample
	firstCTS     int32
	lastDuration []uint32 // by track
	fragments    uint32

	// The disk's.
	file     store.Writer
	index    *schema.Index // nil before the file was made
	row      schema.Recording
	digest   hash.Hash // of the bytes that row counts
	seal     *mp4.Seal // not nil when it has ended
	sealed   bool      // the seal is in the file
	unsynced bool      // the file has bytes that are not synced
	named    bool      // the file's directory is synced
	hasRow   bool
	mending  bool // it was not possible yet to read it back
}

// job is what a session hands to the disk: one fragment, and perhaps the end of its recording; or the end of its run
// alone.
type job struct {
	rec             *recording
	endReason       string // not empty when the run ends without another fragment
	data            []byte // the fragment
	index           schema.Fragment
	starts          []int64 // by track, the DTS of its first sample in the fragment
	start90k        int64   // of the recording, as known so far
	wallDuration90k int64   // of the recording, this fragment included
	seal            *mp4.Seal
}

// newRecording starts the next recording of a session with its first fragment.
func (s *stream) newRecording(sess *session, start90k int64, tracks []mp4.FragmentTrack) (*recording, error) {
	number := s.row.NextNumber
	s.row.NextNumber++
	r := &recording{
		key: store.Key{Stream: s.row.Label(), Number: number}, id: schema.MakeRecordingID(s.row.ID, number),
		run: sess.run, sequence: sess.recorded,
		tracks: append([]mp4.SampleEntry(nil), sess.tracks...), lastDuration: make([]uint32, len(sess.tracks)),
		start90k: start90k, startDTS: tracks[video].DTS, firstCTS: tracks[video].Samples[0].CTS,
	}
	var err error
	r.header, err = mp4.AppendHeader(nil, mp4.Identity{
		Camera: s.row.Camera, Stream: s.row.Name, Recording: number,
		Run: r.run.uuid, Sequence: r.sequence, Start90k: start90k,
	}, r.tracks)
	return r, err
}

// fragment packs the next fragment of the recording.
func (r *recording) fragment(tracks []mp4.FragmentTrack) job {
	r.fragments++
	first := tracks[video].DTS
	f := mp4.Fragment{Sequence: r.fragments, Wall90k: r.start90k + first - r.startDTS - int64(r.firstCTS), Tracks: tracks}
	j := job{rec: r, start90k: r.start90k, index: schema.Fragment{Tracks: make([][]schema.Sample, len(tracks))}}
	bytes := 0
	for i, t := range tracks {
		j.starts = append(j.starts, t.DTS)
		for _, x := range t.Samples {
			j.index.Tracks[i] = append(j.index.Tracks[i], schema.Sample{Duration: x.Duration, Size: uint32(len(x.Data)), CTS: x.CTS, Sync: x.Sync})
			bytes += len(x.Data) + 12
		}
		if n := len(t.Samples); n > 0 {
			r.lastDuration[i] = t.Samples[n-1].Duration
		}
	}
	j.data, j.index.HeaderLen = f.Append(make([]byte, 0, bytes+512))
	return j
}
