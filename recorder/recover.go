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
		x := newStreamRecovery(db, dirs, s, growing, log)
		if err := x.run(ctx); err != nil {
			return fmt.Errorf("stream %s: %w", s.Label(), err)
		}
	}
	return db.Write(ctx, func(tx *schema.Tx) error { return tx.EndRuns(cutOffReason) })
}

// streamRecovery mends the sample files of one stream. A disk that fails keeps no recorder from starting: what cannot be
// mended is left as it is, and looked at again by the next start.
type streamRecovery struct {
	db     *schema.DB
	dirs   map[int64]sampleDir
	stream schema.Stream
	log    *slog.Logger

	files []schema.Place // to be mended, by number
	next  int64          // the first number that no file has
}

// newStreamRecovery lists the sample files that were being written, by number whatever their directory: each row moves the
// number on from which the next start-up would look.
func newStreamRecovery(db *schema.DB, dirs map[int64]sampleDir, s schema.Stream, growing []schema.Place, log *slog.Logger) *streamRecovery {
	x := &streamRecovery{db: db, dirs: dirs, stream: s, log: log.With("stream", s.Label()), next: s.NextNumber}
	for _, g := range growing {
		if _, ok := dirs[g.Dir]; ok && g.ID.Stream() == s.ID {
			x.files = append(x.files, g)
		}
	}
	for dir, d := range dirs {
		unknown, err := d.store.Scan(s.Label(), s.NextNumber)
		if err != nil {
			x.log.Error("cannot look for sample files that were being written; those that there are have no row", "err", err)
		}
		x.add(dir, unknown)
		for _, n := range unknown {
			x.next = max(x.next, n+1)
		}
	}
	slices.SortFunc(x.files, func(a, b schema.Place) int { return cmp.Compare(a.ID, b.ID) })
	return x
}

func (x *streamRecovery) run(ctx context.Context) error {
	for len(x.files) > 0 {
		f := x.files[0]
		n := f.ID.Number()
		rec := recovery{
			db: x.db, dir: f.Dir, dirs: x.dirs, st: x.dirs[f.Dir].store, stream: x.stream.ID, key: store.Key{Stream: x.stream.Label(), Number: n},
			hasRow: n < x.stream.NextNumber, counted: f.Bytes, reason: cutOffReason, log: x.log.With("recording", n),
			next: &x.next,
		}
		err := rec.run(ctx)
		x.files = x.files[1:]
		x.add(f.Dir, rec.behind)
		var failed *fileError
		if errors.As(err, &failed) {
			rec.log.Error("cannot mend a sample file; it is left as it is, and the next start tries again", "err", err)
			err = rec.leave(ctx)
		}
		if err != nil {
			return fmt.Errorf("recording %d: %w", n, err)
		}
	}
	return nil
}

// add adds files to be mended.
func (x *streamRecovery) add(dir int64, numbers []int64) {
	for _, n := range numbers {
		x.files = append(x.files, schema.Place{ID: schema.MakeRecordingID(x.stream.ID, n), Dir: dir})
	}
}

// recovery mends one sample file.
type recovery struct {
	db      *schema.DB
	dir     int64
	dirs    map[int64]sampleDir // all there are; nil where no recording can follow in the same run
	st      store.Store
	stream  int64
	key     store.Key
	hasRow  bool
	counted int64  // bytes that its row counts, where that is known
	next    *int64 // as in salvage
	reason  string // why its run ended, where the file does not say
	log     *slog.Logger

	kept   bool      // its row counts what is whole
	ended  *readBack // what could not be made to end there
	behind []int64   // as in salvage
}

// A fileError says that a sample file could not be changed. What is to be done about it in the database can be done.
type fileError struct{ err error }

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

func fileFailed(err error) error {
	if err == nil {
		return nil
	}
	return &fileError{err}
}

func (r *recovery) run(ctx context.Context) error {
	found, err := r.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.log.Error("the sample file of a recording is missing", "err", err)
		return r.sealRow(ctx)
	case errors.Is(err, errUnreadable), errors.Is(err, mp4.ErrHeader):
		return r.nothingWhole(ctx, err)
	case err != nil:
		return fileFailed(err)
	case found.index == nil:
		return r.nothingWhole(ctx, found.damage)
	case found.damage != nil, found.Torn != nil && found.Bytes < r.counted && r.counted <= found.size:
		return r.salvage(ctx, found)
	}
	if found.Torn != nil {
		r.log.Info("cut off the torn end of a recording", "bytes", found.size-found.Bytes, "why", found.Torn)
	}
	if err := r.endFile(found); err != nil {
		r.ended = found
		return fileFailed(err)
	}
	return r.commit(ctx, found, true, found.Bytes < r.counted)
}

// commit writes the row of what was found, in place of one that counts something else.
func (r *recovery) commit(ctx context.Context, found *readBack, sealed, replace bool) error {
	err := r.db.Write(ctx, func(tx *schema.Tx) error {
		if replace {
			if err := tx.Forget(schema.MakeRecordingID(r.stream, r.key.Number)); err != nil {
				return err
			}
		}
		return r.put(tx, found, sealed)
	})
	r.kept = err == nil
	return err
}

// leave commits the row of a file that is whole, but could not be ended. It is not sealed, so that the next start looks at
// the file again.
func (r *recovery) leave(ctx context.Context) error {
	if r.ended == nil {
		return nil
	}
	return r.commit(ctx, r.ended, false, false)
}

// salvage keeps what is whole of a file that is damaged before its end. Nothing of it is lost: it is set aside as it was.
func (r *recovery) salvage(ctx context.Context, found *readBack) error {
	x := salvage{dirs: r.dirs, st: r.st, key: r.key, found: found, next: r.next}
	x.end(r.reason)
	aside, err := x.rewrite()
	r.behind = x.behind
	switch {
	case err != nil && aside != "": // the row has no file any more
		return fileFailed(errors.Join(err, r.forget(ctx)))
	case err != nil && !r.hasRow && found.First == found.HeaderBytes:
		r.ended = found
	}
	if err != nil {
		return fileFailed(err)
	}
	r.log.Error("the sample file of a recording is damaged: it was set aside, and what is whole of it written to new ones",
		"now", aside, "bytes", found.size, "whole", x.whole(), "files", len(x.stretches()), "why", found.Torn)
	return r.commit(ctx, found, true, true)
}

func (r *recovery) forget(ctx context.Context) error {
	return r.db.Write(ctx, func(tx *schema.Tx) error {
		return tx.Forget(schema.MakeRecordingID(r.stream, r.key.Number))
	})
}

// readBack is what a sample file alone tells.
type readBack struct {
	*mp4.SampleFile
	size     int64
	index    *schema.Index
	digest   []byte // of the header and the whole fragments
	start90k int64  // wall time of the first frame, as known when the last fragment was written
	media90k int64  // duration of the video

	damage error       // why the file is not only cut off: there are whole fragments behind what is not; or nil
	behind []*readBack // the stretches of them, as far as they can be shown, in order
}

// read reads a sample file back. Where its first fragment is damaged, what is found is the first stretch behind that.
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
	switch {
	case errors.Is(err, mp4.ErrHeader), err == nil && found.Torn == nil:
		return found, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	behind, damage := found.readBehind(src)
	if found.index == nil && len(behind) > 0 {
		torn := found.Torn
		found, behind = behind[0], behind[1:]
		found.Torn = torn
	}
	found.behind, found.damage = behind, damage
	return found, nil
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
	sealed := found.Seal != nil
	if !sealed {
		found.Seal = &mp4.Seal{Start90k: found.start90k, WallDuration90k: found.media90k, EndReason: r.reason}
	}
	w, err := r.st.Reopen(r.key)
	if err != nil {
		return err
	}
	if !sealed {
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
		return fileFailed(r.st.Remove(r.key))
	}
	name, err := r.st.SetAside(r.key)
	if err == nil {
		r.log.Warn("set aside a file that is no sample file, or a damaged one", "now", name, "why", why)
	}
	return fileFailed(err)
}

// sealRow ends a recording whose file cannot be read back, where it has a row.
func (r *recovery) sealRow(ctx context.Context) error {
	return r.db.Write(ctx, func(tx *schema.Tx) error {
		return tx.SealRow(schema.MakeRecordingID(r.stream, r.key.Number))
	})
}

func (r *recovery) put(tx *schema.Tx, found *readBack, sealed bool) error {
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
		HeaderBytes: found.HeaderBytes, Bytes: found.Bytes, Sealed: sealed, Tracks: found.index.Tracks(),
	}
	if sealed {
		row.Digest = found.digest
	}
	if err := tx.PutRecording(&row, found.index.Bytes()); err != nil {
		return err
	}
	if found.Seal.EndReason != "" {
		return tx.EndRun(runID, found.Seal.EndReason)
	}
	return nil
}
