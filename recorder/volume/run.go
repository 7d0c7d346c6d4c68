package volume

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/google/uuid"

	"nvrfs/media"
)

// A Run takes the fragments of one session, which are written as recordings without gaps. Its methods never wait for the disk.
// They are for one goroutine.
type Run struct {
	writer *Writer
	uuid   string
	stream *Stream
	rec    *recording // that the next fragment belongs to; nil before the first

	failed atomic.Pointer[error] // why the Writer asks for the end of the run

	// The Writer's.
	start90k  int64  // as the row of its first recording says
	end90k    int64  // when the footage that was appended ends, and its next file starts
	sequence  int    // of its next file
	held      bool   // some of its fragments could not be written yet, so that those that follow wait
	failures  int    // how many writes of the run failed in a row
	known     bool   // a recording of the run may be in the database
	endReason string // empty while it goes on
}

// recording is one that a session is making.
type recording struct {
	run     *Run
	tracks  []media.SampleEntry // that hold for the newest fragment; never changed, but replaced
	entries []media.EntryList   // by track, all that were used
	file    *growing            // the Writer's: where its next fragment goes; nil when that is a new file
}

// NewRun starts a run of a stream.
func (w *Writer) NewRun(s *Stream) *Run {
	return &Run{writer: w, uuid: uuid.NewString(), stream: s}
}

// Begin says that the next fragment starts another recording, of these tracks.
func (r *Run) Begin(tracks []media.SampleEntry) {
	r.rec = &recording{run: r, tracks: slices.Clone(tracks), entries: make([]media.EntryList, len(tracks))}
	for i := range tracks {
		r.rec.entries[i].Number(&tracks[i])
	}
}

// ErrEntries says that a recording cannot go on with another sample entry: its track has media.MaxEntries of them already, or samples
// of the new one are of another kind. Another recording has to begin, which whoever makes fragments sees to.
var ErrEntries = errors.New("the recording cannot go on with another sample entry")

// hold takes in the sample entries that hold from a fragment on.
func (r *recording) hold(f *Fragment) error {
	if f.Entries == nil {
		return nil
	}
	tracks := slices.Clone(r.tracks)
	for i, e := range f.Entries {
		if e == nil {
			continue
		}
		if len(f.Tracks[i]) == 0 || !tracks[i].Alike(e) {
			return fmt.Errorf("%w: the %s changes from %s to %s", ErrEntries, e.Kind, tracks[i].Codec, e.Codec)
		}
		if _, ok := r.entries[i].Number(e); !ok {
			return fmt.Errorf("%w: the %s has %d", ErrEntries, e.Kind, media.MaxEntries)
		}
		tracks[i] = *e
	}
	r.tracks = tracks
	return nil
}

// Append takes the next fragment of the recording, and holds it until it is durable. After an error, no other fragment of the run may
// be appended.
func (r *Run) Append(f *Fragment) error {
	if err := r.rec.hold(f); err != nil {
		return err
	}
	f.Retain()
	if err := r.writer.enqueue(job{rec: r.rec, fragment: f, tracks: r.rec.tracks}); err != nil {
		f.Release()
		return err
	}
	return nil
}

// End ends the run behind the last fragment that was appended, for a reason. A run whose last fragment has an EndReason has ended
// already.
func (r *Run) End(reason string) error {
	if r.rec == nil {
		return nil // nothing was recorded
	}
	return r.writer.enqueue(job{rec: r.rec, endReason: reason})
}

// Failed returns why the run is to end, or nil while its fragments can be written.
func (r *Run) Failed() error {
	if err := r.failed.Load(); err != nil {
		return fmt.Errorf("cannot write: %w", *err)
	}
	return nil
}

// job is what the Writer is to do next for a run: append a fragment, or end it.
type job struct {
	rec       *recording
	fragment  *Fragment           // nil where the run only ends
	tracks    []media.SampleEntry // that hold for the fragment, of which a new file starts
	endReason string              // of the run that only ends
}

func (j *job) bytes() int {
	if j.fragment == nil {
		return 0
	}
	return len(j.fragment.Bytes())
}

// last reports whether the recording ends with the job.
func (j *job) last() bool { return j.fragment != nil && j.fragment.Last }

// ends says why the run ends with the job; empty when it goes on.
func (j *job) ends() string {
	if j.fragment == nil {
		return j.endReason
	}
	return j.fragment.EndReason
}
