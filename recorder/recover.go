package recorder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"

	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// cutOffReason is that of runs whose recorder did not live to end them.
const cutOffReason = "the recorder was cut off"

// recoverStreams mends what a crash left: it reads back every sample file that was being written, cuts off the fragment
// that is not whole, and commits what is. It looks at rows that are not sealed and at files that no row counts yet, so it
// takes no longer the more footage there is.
func recoverStreams(ctx context.Context, db *schema.DB, dirs map[int64]sampleDir, log *slog.Logger) error {
	streams, err := db.Streams(ctx)
	if err != nil {
		return err
	}
	growing, err := db.Growing(ctx)
	if err != nil {
		return err
	}
	for _, s := range streams {
		files, err := unfinished(s, growing, dirs)
		if err != nil {
			return err
		}
		for _, f := range files {
			n := f.ID.Number()
			rec := recovery{
				db: db, dir: f.Dir, st: dirs[f.Dir].store, stream: s.ID, key: store.Key{Stream: s.Label(), Number: n}, hasRow: n < s.NextNumber,
				reason: cutOffReason, log: log.With("stream", s.Label(), "recording", n),
			}
			if err := rec.run(ctx); err != nil {
				return fmt.Errorf("recording %s/%d: %w", s.Label(), n, err)
			}
		}
	}
	return db.Write(ctx, func(tx *schema.Tx) error { return tx.EndRuns(cutOffReason) })
}

// unfinished lists the sample files of a stream that were being written, by number whatever their directory: each row
// moves the number on from which the next start-up would look.
func unfinished(s schema.Stream, growing []schema.Place, dirs map[int64]sampleDir) (files []schema.Place, err error) {
	for _, g := range growing {
		if _, ok := dirs[g.Dir]; ok && g.ID.Stream() == s.ID {
			files = append(files, g)
		}
	}
	for dir, d := range dirs {
		unknown, err := d.store.Scan(s.Label(), s.NextNumber)
		if err != nil {
			return nil, err
		}
		for _, n := range unknown {
			files = append(files, schema.Place{ID: schema.MakeRecordingID(s.ID, n), Dir: dir})
		}
	}
	slices.SortFunc(files, func(a, b schema.Place) int { return cmp.Compare(a.ID, b.ID) })
	return files, nil
}

// recovery mends one sample file.
type recovery struct {
	db     *schema.DB
	dir    int64
	st     store.Store
	stream int64
	key    store.Key
	hasRow bool
	reason string // why its run ended, where the file does not say
	log    *slog.Logger

	kept bool // its row counts what is whole
}

func (r *recovery) run(ctx context.Context) error {
	found, err := r.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.log.Error("the sample file of a recording is missing", "err", err)
		return r.sealRow(ctx)
	case errors.Is(err, errUnreadable), errors.Is(err, mp4.ErrHeader), err == nil && found.Bytes == found.HeaderBytes:
		return r.nothingWhole(ctx, err)
	case err != nil:
		return err
	}
	if found.Torn != nil {
		r.log.Info("cut off the torn end of a recording", "bytes", found.size-found.Bytes, "why", found.Torn)
	}
	if err := r.endFile(found); err != nil {
		return err
	}
	err = r.db.Write(ctx, func(tx *schema.Tx) error { return r.put(tx, found) })
	r.kept = err == nil
	return err
}

// readBack is what a sample file alone tells.
type readBack struct {
	*mp4.SampleFile
	size     int64
	index    *schema.Index
	digest   []byte // of the header and the whole fragments
	start90k int64  // wall time of the first frame, as known when the last fragment was written
	media90k int64  // duration of the video
}

func (r *recovery) read() (*readBack, error) {
	size, err := r.st.Size(r.key)
	if err != nil {
		return nil, err
	}
	src, err := r.st.Open(r.key)
	if err != nil {
		return nil, err
	}
	defer src.Close() //nolint:errcheck // read only: nothing can be lost
	found, err := readSampleFile(src, size)
	if err != nil && !errors.Is(err, mp4.ErrHeader) {
		err = fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return found, err
}

// errUnreadable says that the disk does not give a sample file's bytes. One bad sector must not keep a recorder from
// starting.
var errUnreadable = errors.New("the disk cannot read it")

// readSampleFile makes the index and the digest of a sample file from the file alone. Where no fragment is whole, there is
// neither.
func readSampleFile(src io.ReaderAt, size int64) (*readBack, error) {
	h, digested := newDigest(), int64(0)
	found, err := scanSampleFile(src, size, mp4.Scan, func(end int64) error {
		from := digested
		digested = end
		return digestRange(h, src, from, end) // was just read, to verify its checksum: the kernel still has it
	})
	if err == nil && found.index != nil {
		found.digest = h.Sum(nil)
	}
	return found, err
}

// scanSampleFile makes the index of a sample file by mp4.Scan or mp4.ScanIndex. It says where each whole fragment ends.
func scanSampleFile(
	src io.ReaderAt, size int64,
	scan func(io.ReaderAt, int64, func(*mp4.SampleFile, *mp4.ScannedFragment) error) (*mp4.SampleFile, error),
	whole func(end int64) error,
) (*readBack, error) {
	var last *mp4.ScannedFragment
	found := &readBack{size: size}
	f, err := scan(src, size, func(f *mp4.SampleFile, x *mp4.ScannedFragment) error {
		if found.index == nil {
			found.index = newIndex(f.Tracks)
		}
		found.index.Add(indexed(x))
		last = x
		return whole(f.Bytes + x.Bytes)
	})
	if err != nil || last == nil {
		return &readBack{SampleFile: f, size: size}, err
	}
	v := found.index.Tracks()[video]
	found.SampleFile, found.media90k = f, v.Duration
	found.start90k = last.Wall90k - (last.Tracks[video].DTS - v.Start) + int64(v.FirstCTS)
	return found, nil
}

// indexed describes a fragment that was read back to the index.
func indexed(x *mp4.ScannedFragment) (f schema.Fragment, starts []int64) {
	f = schema.Fragment{HeaderLen: x.HeaderLen, Tracks: make([][]schema.Sample, len(x.Tracks))}
	for i, t := range x.Tracks {
		starts = append(starts, t.DTS)
		for _, s := range t.Samples {
			f.Tracks[i] = append(f.Tracks[i], schema.Sample(s))
		}
	}
	return f, starts
}

// endFile cuts a file off behind its last whole fragment and seals it, unless it is sealed, and makes it durable: whoever
// wrote it may have been cut off before that.
func (r *recovery) endFile(found *readBack) error {
	w, err := r.st.Reopen(r.key)
	if err != nil {
		return err
	}
	if found.Seal == nil {
		found.Seal = &mp4.Seal{Start90k: found.start90k, WallDuration90k: found.media90k, EndReason: r.reason}
		err = appendSeal(w, found)
	}
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close(), r.st.SyncDir(r.key))
}

func appendSeal(w store.Writer, found *readBack) error {
	seal, err := mp4.AppendSeal(nil, *found.Seal)
	if err != nil {
		return err
	}
	if err := w.Truncate(found.Bytes); err != nil {
		return err
	}
	return w.Append(seal)
}

// nothingWhole removes a file in which not one fragment had been written when the recorder was cut off. A file that is no
// torn sample file is not ours to remove: it is set aside.
func (r *recovery) nothingWhole(ctx context.Context, why error) error {
	if r.hasRow {
		r.log.Error("the sample file of a recording is damaged; it is left as it is", "err", why)
		return r.sealRow(ctx)
	}
	if why == nil || errors.Is(why, mp4.ErrTorn) {
		r.log.Info("removed a sample file without one whole fragment")
		return r.st.Remove(r.key)
	}
	name, err := r.st.SetAside(r.key)
	if err == nil {
		r.log.Warn("set aside a file that is no sample file, or a damaged one", "now", name, "why", why)
	}
	return err
}

// sealRow ends a recording whose file cannot be read back, where it has a row.
func (r *recovery) sealRow(ctx context.Context) error {
	return r.db.Write(ctx, func(tx *schema.Tx) error {
		return tx.SealRow(schema.MakeRecordingID(r.stream, r.key.Number))
	})
}

func (r *recovery) put(tx *schema.Tx, found *readBack) error {
	// A run's start is what was known of it when its first recording started.
	runID, err := tx.Run(r.stream, found.Identity.Run, found.Identity.Start90k)
	if err != nil {
		return err
	}
	for i, t := range found.Tracks {
		id, err := tx.SampleEntry(entryRow(t))
		if err != nil {
			return err
		}
		found.index.SetEntry(i, id)
	}
	row := schema.Recording{
		ID: schema.MakeRecordingID(r.stream, r.key.Number), Run: runID, Dir: r.dir, Sequence: found.Identity.Sequence,
		Start90k: found.Seal.Start90k, WallDuration90k: found.Seal.WallDuration90k,
		HeaderBytes: found.HeaderBytes, Bytes: found.Bytes, Sealed: true, Tracks: found.index.Tracks(), Digest: found.digest,
	}
	if err := tx.PutRecording(&row, found.index.Bytes()); err != nil {
		return err
	}
	if found.Seal.EndReason != "" {
		return tx.EndRun(runID, found.Seal.EndReason)
	}
	return nil
}
