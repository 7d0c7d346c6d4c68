package recorder

import (
	"errors"
	"hash"
	"io/fs"
	"slices"

	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// A sampleFile is a recording as the disk writes it: its file, and the row that is to say what of the file is durable.
type sampleFile struct {
	key    store.Key
	rec    *recording
	run    *run
	header []byte
	file   store.Writer // nil when it is closed

	// What is durable.
	row    schema.Recording
	index  *schema.Index
	digest hash.Hash
	named  bool // the file's directory is synced

	// What is not.
	since    []job // appended since the file was synced
	unsynced bool  // the file has bytes that are not synced
	cut      bool  // it is not known what follows the durable bytes: it must be cut off

	ended     bool   // nothing follows but the seal
	endReason string // why its run ended with it
	sealed    bool   // the seal is in the file
	gone      bool   // it was removed, since nothing of it is durable
}

// createFile makes the next file of a run for a recording that starts, or goes on, with a job.
func (d *disk) createFile(j job) (*sampleFile, error) {
	u, s := j.rec.run, j.rec.run.stream
	id := mp4.Identity{
		Camera: s.Camera, Stream: s.Name, Recording: s.NextNumber, Run: u.uuid, Sequence: u.sequence, Start90k: j.start90k,
	}
	if u.sequence > 0 {
		id.Start90k = u.end90k
	}
	header, err := mp4.AppendHeader(nil, id, j.rec.tracks)
	if err != nil {
		return nil, err
	}
	f := &sampleFile{key: store.Key{Stream: s.Label(), Number: id.Recording}, rec: j.rec, run: u, header: header}
	f.index, f.digest = schema.NewIndex(j.rec.tracks), newDigest()
	f.row = schema.Recording{
		ID: schema.MakeRecordingID(s.ID, id.Recording), Dir: d.dir, Sequence: id.Sequence, Start90k: id.Start90k, HeaderBytes: int64(len(header)),
	}
	f.file, err = d.store.Create(f.key)
	if err == nil || errors.Is(err, fs.ErrExist) {
		s.NextNumber++
	}
	if err != nil {
		return nil, err
	}
	u.sequence++
	return f, nil
}

// append appends a fragment, with the seal when it is the last.
func (f *sampleFile) append(j job) (err error) {
	data := j.data
	if f.row.Bytes == 0 && len(f.since) == 0 {
		data = slices.Concat(f.header, data)
	}
	start90k, wallDuration90k := f.span(j)
	if j.ends {
		seal := mp4.Seal{Start90k: start90k, WallDuration90k: wallDuration90k, EndReason: j.endReason}
		if data, err = mp4.AppendSeal(data, seal); err != nil {
			return err
		}
	}
	if err := f.file.Append(data); err != nil {
		return err
	}
	f.since, f.unsynced = append(f.since, j), true
	f.ended, f.sealed, f.endReason = j.ends, j.ends, j.endReason
	f.run.end90k = start90k + wallDuration90k
	if f.row.Sequence == 0 {
		f.run.start90k = start90k // which may have moved
	}
	return nil
}

// span returns when the recording starts, and how long it lasts, with a job as the last. The first of a run starts when its
// session says so, as known by then; any other where the one before it ends. That may be within what its session takes for
// one recording, and the session may since have moved the start of that.
func (f *sampleFile) span(j job) (start90k, wallDuration90k int64) {
	start90k = f.row.Start90k
	if f.row.Sequence == 0 {
		start90k = j.start90k
	}
	return start90k, max(0, j.start90k+j.wallDuration90k-start90k)
}

// seal ends a file that was ended without a last fragment. When that fails, it is tried again with the next commit.
func (f *sampleFile) seal() {
	if !f.ended || f.sealed {
		return
	}
	seal := mp4.Seal{Start90k: f.row.Start90k, WallDuration90k: f.row.WallDuration90k, EndReason: f.endReason}
	if n := len(f.since); n > 0 {
		seal.Start90k, seal.WallDuration90k = f.span(f.since[n-1])
	}
	if text, err := mp4.AppendSeal(nil, seal); err == nil && f.file.Append(text) == nil {
		f.sealed, f.unsynced = true, true
	}
}

// sync makes the bytes of a file and its name durable, and has the row count them. It returns how many bytes of fragments
// that were.
func (f *sampleFile) sync(st store.Store) (bytes int, err error) {
	if f.unsynced {
		if err := f.file.Sync(); err != nil {
			return 0, err
		}
		f.unsynced = false
	}
	if !f.named {
		if err := st.SyncDir(f.key); err != nil {
			return 0, err
		}
		f.named = true
	}
	for _, j := range f.since {
		f.count(j)
		bytes += len(j.data)
		j.release()
	}
	f.since = nil
	return bytes, nil
}

func (f *sampleFile) count(j job) {
	if f.row.Bytes == 0 {
		f.digest.Write(f.header) //nolint:errcheck // never fails
		f.row.Bytes = f.row.HeaderBytes
	}
	f.digest.Write(j.data) //nolint:errcheck // never fails
	f.index.Add(j.index)
	f.row.Bytes += int64(len(j.data))
	f.row.Start90k, f.row.WallDuration90k = f.span(j)
}

// onlyEnds reports whether nothing but the seal is not durable.
func (f *sampleFile) onlyEnds() bool { return f.row.Bytes > 0 && len(f.since) == 0 }

// leave ends a file where it is durable, so that its run goes on in another one, and returns what that is to be given.
func (f *sampleFile) leave() (jobs []job) {
	onlyEnds := f.onlyEnds()
	f.cut, f.sealed = true, false
	if onlyEnds {
		return nil
	}
	jobs = f.since
	if f.endReason != "" && !jobs[len(jobs)-1].ends {
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
