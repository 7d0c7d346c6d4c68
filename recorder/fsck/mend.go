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

// cutOffReason is that of runs whose recorder did not live to end them.
const cutOffReason = "the recorder was cut off"

// Mend mends what a crash left in the volumes of a set, which are then ready, but for those that are absent: for their sake
// each stream leaves out numbers.
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

// MendFiles reads back every sample file that was being written, cuts off the fragment that is not whole, and commits what is.
// It looks at rows that are not sealed and at files that no row counts yet, so it takes no longer the more footage there is.
func MendFiles(ctx context.Context, db *schema.DB, volumes map[int64]*volume.Volume, log *slog.Logger) error {
	list := func(s schema.Stream) (*streamRecovery, error) { return newStreamRecovery(ctx, db, volumes, s, log) }
	if err := mendStreams(ctx, db, list, func(*streamRecovery) {}); err != nil {
		return err
	}
	return db.Write(ctx, func(tx *schema.Tx) error { return tx.EndRuns(cutOffReason) })
}

// MendVolume does that in one volume, which came when others were being recorded to already, so that it had to have its
// NextNumbers.
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

// NextNumber returns the number of the next recording of a stream: one that no file has, in no volume. For volumes that are
// absent it leaves some out.
func NextNumber(ctx context.Context, set *volume.Set, s schema.Stream, log *slog.Logger) (int64, error) {
	x, err := newStreamRecovery(ctx, set.DB, set.Present(), s, log)
	if err != nil {
		return 0, err
	}
	return x.next, nil
}

// NextOfMended is NextNumber of a stream that was not recorded since a set was mended. It asks no disk.
func NextOfMended(set *volume.Set, s schema.Stream) int64 {
	if len(set.Present()) < len(set.All()) {
		return s.NextNumber + numbersSkipped
	}
	return s.NextNumber
}

// streamRecovery mends the sample files of one stream. A disk that fails keeps no recorder from starting: what cannot be
// mended is left as it is, and looked at again by the next start.
type streamRecovery struct {
	db      *schema.DB
	volumes map[int64]*volume.Volume
	stream  schema.Stream
	log     *slog.Logger

	files []schema.RecordingFile // to be mended; Bytes is 0 of those without a row
	next  int64                  // a number that no file has, nor any from there on
}

// numbersSkipped is how many numbers are left out where a sample directory is not there: more than it may have files that no
// row counts yet, as each lasts a minute.
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

// known reports whether a number has a row, or had one and its file is about to be deleted.
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
	counted int64           // bytes that its row counts, where that is known
	next    *int64          // as in salvage
	reason  string          // why its run ended, where the file does not say
	header  *mp4.SampleFile // in place of one that is damaged; nil where it is not known
	log     *slog.Logger

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

// commit writes the row of what was found, in place of one that counts something else.
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

// salvage keeps what is whole of a file that is damaged before its end. Nothing of it is lost: it is set aside as it was.
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

// read reads a sample file back. Where its first fragment is damaged, what is found is the first range of whole fragments behind that.
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

// nothingWhole removes a file in which not one fragment had been written when the recorder was cut off. A file that is no
// torn sample file is not ours to remove: it is set aside.
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

// sealRow ends a recording whose file cannot be read back, where it has a row.
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
		Entries: found.Tracks, Index: found.index.Bytes(),
		// A run's start is what was known of it when its first recording started.
		Run: found.Identity.Run, RunStart90k: found.Identity.Start90k, EndReason: found.Seal.EndReason,
	}
	if sealed {
		x.Row.Digest = found.digest
	}
	return x.Put(tx, nil)
}
