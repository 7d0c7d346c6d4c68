package fsck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"

	"nvrfs/mp4"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// cutOffReason is the reason why a run ended whose recorder was killed, or lost its power.
const cutOffReason = "the recorder was cut off"

// Mend mends what a crash left in the volumes of a set, and makes them ready. If some volumes are absent, every stream skips numbers,
// because the absent ones may have files of the next numbers.
func Mend(ctx context.Context, set *volume.Set, log *slog.Logger) error {
	if err := MendFiles(ctx, set.DB, set.Present(), log); err != nil {
		return fmt.Errorf("mend what the last run left: %w", err)
	}
	streams, err := set.DB.Streams(ctx) // mending may have taken numbers
	if err != nil {
		return err
	}
	for _, v := range set.All() {
		v.SetReady()
		if v.State() != volume.Absent {
			continue
		}
		v.NextNumbers = map[int64]int64{}
		for _, s := range streams {
			v.NextNumbers[s.ID] = s.NextNumber
		}
	}
	return nil
}

// MendFiles reads back every sample file that was being written, cuts off a fragment that is not whole, and commits the rest. It looks
// only at recordings that are not sealed and at files that have no row yet, so that it takes no longer the more footage there is.
func MendFiles(ctx context.Context, db *schema.DB, volumes map[int64]*volume.Volume, log *slog.Logger) error {
	list := func(s schema.Stream) (*streamRecovery, error) { return newStreamRecovery(ctx, db, volumes, s, log) }
	if err := mendStreams(ctx, db, list, func(*streamRecovery) {}); err != nil {
		return err
	}
	return db.Write(ctx, func(tx *schema.Tx) error { return tx.EndRuns(cutOffReason) })
}

// MendVolume is like MendFiles, for one volume that became available while others were being recorded to. Its streams have skipped
// the numbers that its files may have (NextNumber).
func MendVolume(ctx context.Context, db *schema.DB, v *volume.Volume, log *slog.Logger) error {
	list := func(s schema.Stream) (*streamRecovery, error) {
		next, ok := v.NextNumbers[s.ID]
		if !ok {
			next = s.NextNumber // the stream is new, and has no files there
		}
		return listRowless(ctx, db, map[int64]*volume.Volume{v.ID: v}, s, next, log)
	}
	mended := func(x *streamRecovery) { v.NextNumbers[x.stream.ID] = x.next }
	if err := mendStreams(ctx, db, list, mended); err != nil {
		return err
	}
	return db.Write(ctx, func(tx *schema.Tx) error { return tx.EndRunsIn(v.ID, cutOffReason) })
}

// mendStreams mends what list finds of each stream.
func mendStreams(ctx context.Context, db *schema.DB, list func(schema.Stream) (*streamRecovery, error), mended func(*streamRecovery)) error {
	streams, err := db.Streams(ctx)
	if err != nil {
		return err
	}
	growing, err := db.Growing(ctx)
	if err != nil {
		return err
	}
	for _, s := range streams {
		x, err := list(s)
		if err == nil {
			x.addGrowing(growing)
			err = x.run(ctx)
			mended(x)
		}
		if err != nil {
			return fmt.Errorf("stream %s: %w", s.Label(), err)
		}
	}
	return nil
}

// NextNumber returns the number of the next recording of a stream: a number that no file has in any volume. It skips the numbers that
// files in absent volumes may have.
func NextNumber(ctx context.Context, set *volume.Set, s schema.Stream, log *slog.Logger) (int64, error) {
	x, err := newStreamRecovery(ctx, set.DB, set.Present(), s, log)
	if err != nil {
		return 0, err
	}
	return x.next, nil
}

// NextOfMended is like NextNumber, for a stream that was not recorded since Mend. It asks no disk.
func NextOfMended(set *volume.Set, s schema.Stream) int64 {
	if len(set.Present()) < len(set.All()) {
		return s.NextNumber + numbersSkipped
	}
	return s.NextNumber
}

// streamRecovery mends the sample files of one stream. A file that cannot be mended stays as it is, and the next start tries again,
// because a disk that fails must not keep the recorder from starting.
type streamRecovery struct {
	db      *schema.DB
	volumes map[int64]*volume.Volume
	stream  schema.Stream
	log     *slog.Logger

	files []schema.RecordingFile // files to be mended; Bytes is 0 if a file has no row
	next  int64                  // no file has this number or a higher one
}

// numbersSkipped is how many numbers a stream skips while a sample directory is absent: more than the number of files without a row
// that may lie there, because a file lasts a minute and gets its row within seconds.
const numbersSkipped = 1000

// newStreamRecovery lists the sample files of a stream that have no row.
func newStreamRecovery(ctx context.Context, db *schema.DB, volumes map[int64]*volume.Volume, s schema.Stream, log *slog.Logger) (*streamRecovery, error) {
	x, err := listRowless(ctx, db, volumes, s, s.NextNumber, log)
	if err != nil {
		return nil, err
	}
	known, err := db.SampleDirs(ctx)
	if len(volumes) < len(known) {
		x.next += numbersSkipped
	}
	return x, err
}

// listRowless is like newStreamRecovery, but does not skip numbers for directories that are away. The caller passes next, a number
// that no file of the stream has in any other directory.
func listRowless(
	ctx context.Context, db *schema.DB, volumes map[int64]*volume.Volume, s schema.Stream, next int64, log *slog.Logger,
) (*streamRecovery, error) {
	x := &streamRecovery{db: db, volumes: volumes, stream: s, log: log.With("stream", s.Label()), next: next}
	for dir := range volumes {
		rowless, err := x.rowless(ctx, dir)
		if err != nil {
			return nil, err
		}
		x.add(dir, rowless)
		for _, n := range rowless {
			x.next = max(x.next, n+1)
		}
	}
	return x, nil
}

// rowless lists the files in a directory that have no row: where the stream is recorded, those from its next number on; in
// others, the last ones, which were being written when the recorder was cut off, and looked for while their disk was away.
func (x *streamRecovery) rowless(ctx context.Context, dir int64) (numbers []int64, err error) {
	from := x.stream.NextNumber
	newest, ok, err := x.db.Recording(ctx, schema.MakeRecordingID(x.stream.ID, from-1))
	if err != nil {
		return nil, err
	}
	if ok && newest.Dir != dir {
		from = 1
	}
	files, err := x.volumes[dir].Store().Scan(x.stream.Label(), from)
	if err != nil {
		x.log.Error("cannot look for sample files that a crash left without a row, so their footage is not shown", "path", x.volumes[dir].Path, "err", err)
		return nil, nil
	}
	for _, n := range slices.Backward(files) {
		if n < x.stream.NextNumber {
			if known, err := x.known(ctx, n); err != nil || known {
				return numbers, err
			}
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// known reports whether there is a row for a number, or there was one and its file is about to be deleted.
func (x *streamRecovery) known(ctx context.Context, number int64) (bool, error) {
	id := schema.MakeRecordingID(x.stream.ID, number)
	if _, ok, err := x.db.Recording(ctx, id); err != nil || ok {
		return ok, err
	}
	garbage, err := x.db.Garbage(ctx)
	return slices.ContainsFunc(garbage, func(g schema.Garbage) bool { return g.Recording == id }), err
}

// addGrowing adds the files whose rows are not sealed.
func (x *streamRecovery) addGrowing(growing []schema.RecordingFile) {
	for _, g := range growing {
		if _, ok := x.volumes[g.Dir]; ok && g.ID.Stream() == x.stream.ID {
			x.files = append(x.files, g)
		}
	}
}

// run mends files by number, whatever their directory: each row moves the number on from which the next start-up would look.
func (x *streamRecovery) run(ctx context.Context) error {
	slices.SortFunc(x.files, func(a, b schema.RecordingFile) int { return cmp.Compare(a.ID, b.ID) })
	for len(x.files) > 0 {
		f := x.files[0]
		x.files = x.files[1:]
		if err := x.mend(ctx, f); err != nil {
			return fmt.Errorf("recording %d: %w", f.ID.Number(), err)
		}
	}
	return nil
}

func (x *streamRecovery) mend(ctx context.Context, f schema.RecordingFile) error {
	d, n := x.volumes[f.Dir], f.ID.Number()
	log := x.log.With("recording", n)
	if f.Bytes == 0 {
		if known, err := x.known(ctx, n); err != nil || known {
			log.Warn("two sample files have the same number; the one that has no row is not shown", "path", d.Path, "do", "stop the recorder, then run nvrfs check --repair, which sets it aside")
			return err
		}
	}
	rec := recovery{
		db: x.db, dir: f.Dir, volumes: x.volumes, st: d.Store(), stream: x.stream.ID, key: store.Key{Stream: x.stream.Label(), Number: n},
		hasRow: f.Bytes > 0, counted: f.Bytes, next: &x.next, reason: cutOffReason, log: log,
	}
	err := rec.run(ctx)
	x.add(f.Dir, rec.behind)
	var failed *fileError
	if errors.As(err, &failed) {
		log.Error("cannot mend a sample file that a crash left; it stays as it is, and the next start tries again", "err", err)
		err = rec.leave(ctx)
	}
	if errors.Is(err, schema.ErrRefused) {
		log.Error("the database refuses the row of a sample file that a crash left; the file stays as it is, and the next start tries again", "err", err)
		err = nil // one recording keeps no recorder from starting
	}
	return err
}

// add adds files to be mended.
func (x *streamRecovery) add(dir int64, numbers []int64) {
	for _, n := range numbers {
		x.files = append(x.files, schema.RecordingFile{ID: schema.MakeRecordingID(x.stream.ID, n), Dir: dir})
	}
}

// recovery mends one sample file.
type recovery struct {
	db      *schema.DB
	dir     int64
	volumes map[int64]*volume.Volume // all there are; nil where no recording can follow in the same run
	st      store.Store
	stream  int64
	key     store.Key
	hasRow  bool
	counted int64           // bytes that the row counts, if that is known
	next    *int64          // as in salvage
	reason  string          // why the run ended, if the file does not say
	header  *mp4.SampleFile // the header as the row tells it, for a file whose own is damaged; nil if not known
	log     *slog.Logger

	ended  *readBack // the content of a file that could not be cut off or sealed
	behind []int64   // as in salvage
}

// A fileError says that a sample file could not be changed. The database can be, so that mending goes on.
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
	case errors.Is(err, errUnreadable), errors.Is(err, mp4.ErrHeader), errors.Is(err, store.ErrNotRegular):
		return r.nothingWhole(ctx, err)
	case err != nil:
		return fileFailed(err)
	case found.index == nil:
		return r.nothingWhole(ctx, found.damage)
	case found.damage != nil, found.Torn != nil && found.Bytes < r.counted && r.counted <= found.size:
		return r.salvage(ctx, found)
	}
	if found.Torn != nil {
		r.log.Info("cut off the end of a recording, which a crash had torn", "bytes", found.size-found.Bytes, "reason", found.Torn)
	}
	if err := r.endFile(found); err != nil {
		r.ended = found
		return fileFailed(err)
	}
	return r.commit(ctx, found, true, found.Bytes < r.counted)
}

// commit writes a row that counts what was found in the file. With replace, it replaces the row that is there.
func (r *recovery) commit(ctx context.Context, found *readBack, sealed, replace bool) error {
	return r.db.Write(ctx, func(tx *schema.Tx) error {
		if replace {
			if err := tx.Forget(schema.MakeRecordingID(r.stream, r.key.Number)); err != nil {
				return err
			}
		}
		return tx.Try(func() error { return r.put(tx, found, sealed) })
	})
}

// leave commits the row of a file that is whole, but could not be ended. It is not sealed, so that the next start looks at
// the file again.
func (r *recovery) leave(ctx context.Context) error {
	if r.ended == nil {
		return nil
	}
	return r.commit(ctx, r.ended, false, false)
}

// salvage keeps the whole fragments of a file that is damaged before its end. The damaged file is set aside, so nothing is lost.
func (r *recovery) salvage(ctx context.Context, found *readBack) error {
	x := salvage{volumes: r.volumes, st: r.st, key: r.key, found: found, next: r.next}
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
	r.log.Error("the sample file of a recording is damaged: it was set aside, and its whole fragments were written to new files",
		"path", aside, "bytes", x.whole(), "reason", found.Torn)
	return r.commit(ctx, found, true, true)
}

func (r *recovery) forget(ctx context.Context) error {
	return r.db.Write(ctx, func(tx *schema.Tx) error {
		return tx.Forget(schema.MakeRecordingID(r.stream, r.key.Number))
	})
}

// read reads a sample file back. If its first fragment is damaged, it returns the first range of whole fragments behind it.
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
	lost := errors.Is(err, mp4.ErrHeader)
	switch {
	case lost && r.header != nil:
		found = &readBack{SampleFile: r.header, size: size}
		found.Torn = err
	case lost, err == nil && found.Torn == nil:
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
	found.behind, found.damage, found.headerLost = behind, damage, lost
	return found, nil
}

// endFile ends a file behind its last whole fragment, unless it is sealed.
func (r *recovery) endFile(found *readBack) error {
	if found.Seal != nil {
		return volume.EndFile(r.st, r.key, found.Bytes, nil)
	}
	found.Seal = &mp4.Seal{Start90k: found.start90k, WallDuration90k: found.media90k, EndReason: r.reason}
	return volume.EndFile(r.st, r.key, found.Bytes, found.Seal)
}

// nothingWhole removes a sample file in which no fragment was whole when the recorder was cut off. Any other file is set aside, because
// it may not be ours to remove.
func (r *recovery) nothingWhole(ctx context.Context, why error) error {
	if r.hasRow {
		r.log.Error("the sample file of a recording is damaged, and stays as it is", "err", why)
		return r.sealRow(ctx)
	}
	if why == nil || errors.Is(why, mp4.ErrTorn) {
		r.log.Info("removed a sample file that a crash left without one whole fragment")
		return fileFailed(r.st.Remove(r.key))
	}
	name, err := r.st.SetAside(r.key)
	if err == nil {
		r.log.Warn("set aside a damaged sample file, or a file that is none", "path", name, "reason", why)
	}
	return fileFailed(err)
}

// sealRow ends a recording whose file cannot be read back, if the recording has a row.
func (r *recovery) sealRow(ctx context.Context) error {
	return r.db.Write(ctx, func(tx *schema.Tx) error {
		return tx.SealRow(schema.MakeRecordingID(r.stream, r.key.Number))
	})
}

func (r *recovery) put(tx *schema.Tx, found *readBack, sealed bool) error {
	x := volume.Record{
		Row: schema.Recording{
			ID: schema.MakeRecordingID(r.stream, r.key.Number), Dir: r.dir, Sequence: found.Identity.Sequence,
			Start90k: found.Seal.Start90k, WallDuration90k: found.Seal.WallDuration90k,
			HeaderBytes: found.HeaderBytes, Bytes: found.Bytes, Sealed: sealed, Tracks: found.index.Tracks(),
		},
		Entries: found.index.Entries(), Index: found.index.Bytes(),
		// A run's start is what was known of it when its first recording started.
		Run: found.Identity.Run, RunStart90k: found.Identity.Start90k, EndReason: found.Seal.EndReason,
	}
	if sealed {
		x.Row.Digest = found.digest
	}
	return x.Put(tx, nil)
}
