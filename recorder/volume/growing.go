package volume

import (
	"errors"
	"io/fs"

	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// A growing is a sample file as the Writer writes it. Its File has counted the durable fragments only.
type growing struct {
	*File
	rec   *recording
	run   *Run
	named bool // the file's directory is synced

	// Fragments and bytes that are not durable.
	since    []job // appended since the file was synced
	unsynced bool  // the file has bytes that are not synced
	cut      bool  // nobody knows which bytes follow the durable ones, so they must be cut off

	ended     bool   // no fragment follows, only the seal
	endReason string // why its run ended with this file
	gone      bool   // it was removed, since nothing of it is durable
}

// createFile makes the next file of a run for a recording that starts, or goes on, with a job.
func (w *Writer) createFile(j job) (*growing, error) {
	u, s := j.rec.run, j.rec.run.stream
	id := mp4.Identity{
		Camera: s.Camera, Stream: s.Name, Recording: s.take(), Run: u.uuid, Sequence: u.sequence, Start90k: j.fragment.Start90k,
	}
	if u.sequence > 0 {
		id.Start90k = u.end90k
	}
	file, err := NewFile(w.volume.ID, s.ID, id, j.tracks)
	if err == nil {
		err = file.Create(w.store().Create)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrExist) {
			s.giveBack(id.Recording)
		}
		return nil, err
	}
	u.sequence++
	return &growing{File: file, rec: j.rec, run: u}, nil
}

// append appends a fragment, with the seal when it is the last.
func (f *growing) append(j job) error {
	start90k, wallDuration90k := f.span(j.fragment)
	var seal *mp4.Seal
	if j.fragment.Last {
		seal = &mp4.Seal{Start90k: start90k, WallDuration90k: wallDuration90k, EndReason: j.fragment.EndReason}
	}
	if err := f.Append(j.fragment.Bytes(), seal); err != nil {
		return err
	}
	f.since, f.unsynced = append(f.since, j), true
	f.ended, f.endReason = j.fragment.Last, j.fragment.EndReason
	f.run.end90k = start90k + wallDuration90k
	if f.row.Sequence == 0 {
		f.run.start90k = start90k // it may have moved since
	}
	return nil
}

// span returns when the recording starts, and how long it lasts, with a fragment as the last. The first of a run starts when
// its session says so, as known by then; any other where the one before it ends. That may be within what its session takes for
// one recording, and the session may since have moved the start of that.
func (f *growing) span(x *Fragment) (start90k, wallDuration90k int64) {
	start90k = f.row.Start90k
	if f.row.Sequence == 0 {
		start90k = x.Start90k
	}
	return start90k, max(0, x.Start90k+x.WallDuration90k-start90k)
}

// seal ends a file that was ended without a last fragment. When that fails, it is tried again with the next commit.
func (f *growing) seal() {
	if !f.ended || f.sealed {
		return
	}
	seal := mp4.Seal{Start90k: f.row.Start90k, WallDuration90k: f.row.WallDuration90k, EndReason: f.endReason}
	if n := len(f.since); n > 0 {
		seal.Start90k, seal.WallDuration90k = f.span(f.since[n-1].fragment)
	}
	if f.Append(nil, &seal) == nil {
		f.unsynced = true
	}
}

// sync makes the bytes of a file and its name durable, and counts them in the row. It returns how many bytes of fragments became
// durable.
func (f *growing) sync(st store.Store) (bytes int, err error) {
	if f.unsynced {
		if err := f.Sync(); err != nil {
			return 0, err
		}
		f.unsynced = false
	}
	if !f.named {
		if err := st.SyncDir(f.Key); err != nil {
			return 0, err
		}
		f.named = true
	}
	for _, j := range f.since {
		x := j.fragment
		f.SetSpan(f.span(x))
		f.Count(x.Bytes(), schema.Fragment{HeaderLen: x.HeaderLen, Tracks: x.Tracks, Entries: x.Entries})
		bytes += len(x.Bytes())
		x.Release()
	}
	f.since = nil
	return bytes, nil
}

// record returns what the database is to have of the file.
func (f *growing) record() Record { return f.Record(f.run.uuid, f.run.start90k) }

// onlyEnds reports whether all fragments are durable, so that only the seal is to be written.
func (f *growing) onlyEnds() bool { return f.row.Bytes > 0 && len(f.since) == 0 }

// leave ends a file behind its durable bytes, so that its run goes on in another file, and returns the jobs for that one.
func (f *growing) leave() (jobs []job) {
	onlyEnds := f.onlyEnds()
	f.cut, f.sealed = true, false
	if onlyEnds {
		return nil
	}
	jobs = f.since
	if f.endReason != "" && !jobs[len(jobs)-1].last() {
		jobs = append(jobs, job{rec: f.rec, endReason: f.endReason})
	}
	f.since, f.ended, f.endReason, f.rec.file = nil, true, "", nil
	u := f.run
	u.sequence, u.end90k = f.row.Sequence, f.row.Start90k
	if f.row.Bytes > 0 {
		if f.row.Sequence == 0 {
			f.row.Start90k = u.start90k // as known by now, since it cannot move any more
		}
		u.sequence, u.end90k = u.sequence+1, f.row.End90k()
	}
	return jobs
}
