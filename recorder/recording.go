package recorder

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/schema"
)

// A run is what the recordings of one session share.
type run struct {
	uuid   string
	stream *schema.Stream // its NextNumber is the disk's, and counts on

	failed atomic.Pointer[error] // why the disk asks for its end

	// The disk's.
	start90k  int64  // as the row of its first recording says
	end90k    int64  // when what was appended of it ends, and its next file starts
	sequence  int    // of its next file
	held      bool   // what comes of it must wait for what could not be written
	failures  int    // how often in a row it could not be written
	known     bool   // a recording of it may be in the database
	endReason string // empty while it goes on
}

// failure returns why the disk asks for the end of the run, or nil.
func (r *run) failure() error {
	if err := r.failed.Load(); err != nil {
		return fmt.Errorf("cannot write: %w", *err)
	}
	return nil
}

// A recording is one that a session is making: it cuts the fragments, and the disk writes them.
type recording struct {
	run    *run
	tracks []media.SampleEntry

	// The session's.
	start90k     int64 // wall time of the first frame, as known so far
	startDTS     int64 // of the first video sample
	firstCTS     int32
	lastDuration []uint32 // by track
	fragments    uint32

	file *sampleFile // the disk's: where its next fragment goes; nil when that is a new file
}

// job is what a session hands to the disk: one fragment, and perhaps the end of its recording; or the end of its run
// alone, without data.
type job struct {
	rec             *recording
	data            []byte // the fragment
	index           schema.Fragment
	start90k        int64  // of the recording, as known so far
	wallDuration90k int64  // of the recording, this fragment included
	ends            bool   // it is the last of the recording
	endReason       string // why the run ends with it; empty when it goes on
}

// newRecording starts the next recording of a session, whose first fragment is of tracks.
func newRecording(sess *session, start90k int64, tracks [][]media.Sample) *recording {
	return &recording{
		run: sess.run, tracks: append([]media.SampleEntry(nil), sess.tracks...), lastDuration: make([]uint32, len(sess.tracks)),
		start90k: start90k, startDTS: tracks[video][0].DTS, firstCTS: tracks[video][0].CTS,
	}
}

// fragment packs the next fragment of the recording. The samples are its from now on.
func (r *recording) fragment(tracks [][]media.Sample) job {
	r.fragments++
	first := tracks[video][0].DTS
	f := mp4.Fragment{Sequence: r.fragments, Wall90k: r.start90k + first - r.startDTS - int64(r.firstCTS), Tracks: tracks}
	j := job{rec: r, start90k: r.start90k}
	bytes := 0
	for i, t := range tracks {
		for _, x := range t {
			bytes += len(x.Data) + 12
		}
		if n := len(t); n > 0 {
			r.lastDuration[i] = t[n-1].Duration
		}
	}
	buf := fragmentBuffers.Get().(*[]byte)
	j.data, j.index.HeaderLen = f.Append(slices.Grow((*buf)[:0], bytes+512))
	for _, t := range tracks {
		for i := range t {
			t[i].Data = nil // it is in the fragment now
		}
	}
	j.index.Tracks = tracks
	return j
}

// fragmentBuffers are those of fragments that are durable. A fragment is as large as a GOP, so that to make and to collect
// one each time would cost more than to fill it.
var fragmentBuffers = sync.Pool{New: func() any { return new([]byte) }}

// release gives back the fragment's buffer, when it is durable.
func (j *job) release() {
	if buf := j.data; buf != nil {
		fragmentBuffers.Put(&buf)
	}
}
