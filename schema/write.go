package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"

	"nvrfs/media"
)

// keptChanges is how many rows of the journal stay: hours of footage of hundreds of streams, against readers that look
// twice a second.
const keptChanges = 50_000

// Tx is a transaction that writes.
//
// What is the same for each of many recordings is done once: a statement is prepared when it is first executed, and the sums
// of streams and the pruning of the journal wait for the end of the transaction.
type Tx struct {
	ctx      context.Context
	tx       *sql.Tx
	err      error                // of exec
	prepared map[string]*sql.Stmt // by query
	sums     map[int64]*sums      // by stream: what its row does not have yet
	changed  bool                 // the journal has new rows
}

// sums says how a stream changes.
type sums struct{ recordings, bytes, nextNumber int64 }

// Write runs f in one transaction, which is committed, and durable, when Write returns nil.
func (db *DB) Write(ctx context.Context, f func(*Tx) error) error {
	tx, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write to database %s: %w", db.path, err)
	}
	defer tx.Rollback() //nolint:errcheck // no error after Commit
	t := &Tx{ctx: ctx, tx: tx, prepared: map[string]*sql.Stmt{}, sums: map[int64]*sums{}}
	if err := t.run(f); err != nil {
		return fmt.Errorf("write to database %s: %w", db.path, damaged(err))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write to database %s: commit: %w", db.path, err)
	}
	return nil
}

func (t *Tx) run(f func(*Tx) error) error {
	err := f(t)
	if err == nil {
		err = t.finish()
	}
	if ended := t.ctx.Err(); err != nil && ended != nil {
		return ended // it was rolled back, which is all that the statement after that can say
	}
	return err
}

// finish does what was left for the end of the transaction.
func (t *Tx) finish() error {
	t.addUp()
	if t.changed {
		t.exec(qPrune, keptChanges)
	}
	return t.err
}

// addUp brings the sums of streams up to date.
func (t *Tx) addUp() {
	for stream, s := range t.sums {
		t.exec(qSum, s.recordings, s.bytes, s.nextNumber, stream)
	}
	clear(t.sums)
}

// ErrRefused says that the database refuses a row for what it says, and will again.
var ErrRefused = errors.New("the database refuses the row")

// Try runs f, and undoes what f wrote when it returns an error; the rest of the transaction stands. The error is ErrRefused
// where it is the row's own, and not that of a database that is busy, full or damaged.
func (t *Tx) Try(f func() error) error {
	t.addUp() // so that what is not added up behind f is what f did
	t.exec(`SAVEPOINT try`)
	if t.err != nil {
		return fmt.Errorf("begin to write a row: %w", t.err)
	}
	err := f()
	if err != nil {
		t.err = nil
		clear(t.sums)
		if t.exec(`ROLLBACK TO try`); t.err != nil {
			return fmt.Errorf("%w; undo that: %w", err, t.err) // the database has ended the transaction
		}
	}
	if t.exec(`RELEASE try`); t.err != nil {
		return fmt.Errorf("write a row: %w", t.err)
	}
	var e sqlite3.Error
	if errors.Is(err, errSealed) || errors.Is(err, errImpossible) || errors.As(err, &e) && (e.Code == sqlite3.ErrConstraint || e.Code == sqlite3.ErrMismatch || e.Code == sqlite3.ErrTooBig) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// CheckStreamName reports why a stream cannot be called name, which becomes a part of names of files and directories. It has no
// dot, so that a label whose camera has none says which stream of which camera it is.
func CheckStreamName(name string) error {
	const most, form = 64, "letters, digits, - and _, at most 64"
	if name == "" || len(name) > most {
		return fmt.Errorf("%.80q is no name of a stream; want %s", name, form)
	}
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return fmt.Errorf("%q is no name of a stream, because of %q; want %s", name, c, form)
		}
	}
	return nil
}

// Stream returns a stream of a camera, and adds it when it is new. It refuses one whose label is that of another stream.
func (t *Tx) Stream(camera, name string) (Stream, error) {
	if err := CheckStreamName(name); err != nil {
		return Stream{}, fmt.Errorf("add a stream of camera %s: %w", camera, err)
	}
	t.addUp()
	if t.err != nil {
		return Stream{}, fmt.Errorf("add up the streams: %w", t.err)
	}
	s := Stream{Camera: camera, Name: name}
	err := t.tx.QueryRowContext(t.ctx,
		`INSERT INTO stream (camera, name) VALUES (?, ?)
		 ON CONFLICT (camera, name) DO UPDATE SET camera = excluded.camera
		 RETURNING id, next_number, recordings, bytes`, camera, name).Scan(&s.ID, &s.NextNumber, &s.Recordings, &s.Bytes)
	if err != nil {
		return s, fmt.Errorf("add stream %s of camera %s: %w", name, camera, err)
	}
	return s, nil
}

// Run returns the id of a run, and adds it when it is new. The start of one that is there may move, to earlier only. A row
// that says so already is left alone: writing it again would write its pages again.
func (t *Tx) Run(stream int64, uuid string, start90k int64) (id int64, err error) {
	known := t.prepare(qRunByUUID)
	if err = t.err; err == nil {
		err = known.QueryRow(uuid, start90k).Scan(&id)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = t.tx.QueryRowContext(t.ctx, qPutRun, stream, uuid, start90k).Scan(&id)
	}
	if err != nil {
		return 0, fmt.Errorf("add run %s: %w", uuid, err)
	}
	return id, nil
}

// EndRun says why a run ended.
func (t *Tx) EndRun(id int64, reason string) error {
	if _, err := t.tx.ExecContext(t.ctx, `UPDATE run SET end_reason = ? WHERE id = ?`, reason, id); err != nil {
		return fmt.Errorf("end run %d: %w", id, err)
	}
	return nil
}

// EndRuns gives every run that still goes on the same reason for its end.
func (t *Tx) EndRuns(reason string) error {
	if _, err := t.tx.ExecContext(t.ctx, `UPDATE run SET end_reason = ? WHERE end_reason IS NULL`, reason); err != nil {
		return fmt.Errorf("end runs: %w", err)
	}
	return nil
}

// EndRunsIn is EndRuns for the runs that have recordings in a sample directory.
func (t *Tx) EndRunsIn(dir int64, reason string) error {
	_, err := t.tx.ExecContext(t.ctx, `UPDATE run SET end_reason = ? WHERE end_reason IS NULL
		AND EXISTS (SELECT 1 FROM recording WHERE run_id = run.id AND dir_id = ?)`, reason, dir)
	if err != nil {
		return fmt.Errorf("end runs in sample directory %d: %w", dir, err)
	}
	return nil
}

// SampleEntry returns the id of a sample entry, and adds it when it is new.
func (t *Tx) SampleEntry(e media.SampleEntry) (id int64, err error) {
	err = t.tx.QueryRowContext(t.ctx,
		`INSERT INTO sample_entry (kind, codec, timescale, width, height, box, rotation) VALUES (?, ?, ?, ?, ?, ?, ?)
		 ON CONFLICT (box, timescale, rotation) DO UPDATE SET codec = excluded.codec
		 RETURNING id`, e.Kind, e.Codec, e.Timescale, e.Width, e.Height, e.Box, e.Rotation).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("add sample entry %s: %w", e.Codec, err)
	}
	return id, nil
}

// SealRow ends a recording as its row says it is.
func (t *Tx) SealRow(id RecordingID) error {
	err := t.change(id, Grown, func(r *Recording) (changed bool) {
		changed, r.Sealed = !r.Sealed, true
		return changed
	})
	if err != nil {
		return fmt.Errorf("seal recording %s: %w", id, err)
	}
	return nil
}

// Move says that the sample file of a recording lies in another sample directory from now on.
func (t *Tx) Move(id RecordingID, dir int64) error {
	err := t.change(id, Moved, func(r *Recording) (changed bool) {
		changed, r.Dir = r.Dir != dir, dir
		return changed
	})
	if err != nil {
		return fmt.Errorf("move recording %s to sample directory %d: %w", id, dir, err)
	}
	return nil
}

// change changes what the row of a recording says of sealed and directory, unless f reports false or there is none.
func (t *Tx) change(id RecordingID, kind ChangeKind, f func(*Recording) bool) error {
	r, err := scanRecording(t.tx.QueryRowContext(t.ctx, qByID, id), id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil || !f(&r) {
		return err
	}
	t.exec(`UPDATE recording SET dir_id = ?, sealed = ?, listing = ? WHERE id = ?`, r.Dir, r.Sealed, packListing(&r), id)
	t.journal(id, r.Start90k, kind)
	return t.err
}

// PutRecording adds a recording with its packed index, or replaces the row of one that has grown or been sealed.
func (t *Tx) PutRecording(r *Recording, index []byte) error {
	if err := t.putRecording(r, index); err != nil {
		return fmt.Errorf("put recording %s: %w", r.ID, err)
	}
	return nil
}

// What a change of a recording, or of its run, consists of.
const (
	qWas          = `SELECT sealed, bytes, start_90k FROM recording WHERE id = ?`
	qPutRecording = `INSERT INTO recording (id, run_id, dir_id, start_90k, bytes, sealed, listing, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET start_90k = excluded.start_90k,
		bytes = excluded.bytes, sealed = excluded.sealed, listing = excluded.listing, digest = excluded.digest`
	// Of one that grows, most of the time neither the start changes nor whether it is sealed: then no index does.
	qGrow     = `UPDATE recording SET bytes = ?, listing = ? WHERE id = ?`
	qPutIndex = `INSERT INTO recording_index (recording_id, samples) VALUES (?, ?)
		ON CONFLICT (recording_id) DO UPDATE SET samples = excluded.samples`
	qRunByUUID = `SELECT id FROM run WHERE uuid = ? AND start_90k <= ?`
	qPutRun    = `INSERT INTO run (stream_id, uuid, start_90k) VALUES (?, ?, ?)
		ON CONFLICT (uuid) DO UPDATE SET start_90k = min(start_90k, excluded.start_90k)
		RETURNING id`
	qSum    = `UPDATE stream SET recordings = recordings + ?, bytes = bytes + ?, next_number = max(next_number, ?) WHERE id = ?`
	qChange = `INSERT INTO change (recording_id, start_90k, kind) VALUES (?, ?, ?)`
	qPrune  = `DELETE FROM change WHERE rev <= (SELECT max(rev) FROM change) - ?`
)

var (
	errSealed     = errors.New("it is sealed")
	errImpossible = errors.New("no recording can be like that")
)

func (t *Tx) putRecording(r *Recording, index []byte) error {
	if r.ID.Number() == 0 || r.Sequence < 0 || r.WallDuration90k < 0 || r.HeaderBytes < 0 || r.Bytes < r.HeaderBytes || len(r.Tracks) > maxTracks {
		return fmt.Errorf("%w: number %d, sequence %d, %d ticks long, %d bytes with a header of %d, %d tracks", errImpossible,
			r.ID.Number(), r.Sequence, r.WallDuration90k, r.Bytes, r.HeaderBytes, len(r.Tracks))
	}
	var sealed bool
	var bytes, was90k int64
	kind, added := Grown, int64(0)
	was := t.prepare(qWas)
	if t.err != nil {
		return t.err
	}
	err := was.QueryRow(r.ID).Scan(&sealed, &bytes, &was90k)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		kind, added = Added, 1
	case err != nil:
		return err
	case sealed:
		return errSealed
	case was90k != r.Start90k: // whoever lists by time has to look at both times
		t.journal(r.ID, was90k, Grown)
		kind = Added
	}
	if kind == Grown && !r.Sealed {
		t.exec(qGrow, r.Bytes, packListing(r), r.ID)
	} else {
		t.exec(qPutRecording, r.ID, r.Run, r.Dir, r.Start90k, r.Bytes, r.Sealed, packListing(r), r.Digest)
	}
	t.exec(qPutIndex, r.ID, index)
	t.count(r.ID, added, r.Bytes-bytes)
	t.journal(r.ID, r.Start90k, kind)
	return t.err
}

// count adds to the sums of a recording's stream, whose next number is behind that of the recording.
func (t *Tx) count(id RecordingID, recordings, bytes int64) {
	s := t.sums[id.Stream()]
	if s == nil {
		s = new(sums)
		t.sums[id.Stream()] = s
	}
	s.recordings += recordings
	s.bytes += bytes
	s.nextNumber = max(s.nextNumber, id.Number()+1)
}

// journal notes a change to a recording.
func (t *Tx) journal(id RecordingID, start90k int64, kind ChangeKind) {
	t.exec(qChange, id, start90k, kind)
	t.changed = true
}

// Forget removes the row of a recording, and makes no garbage of its sample file. It does nothing where there is no row.
// PutRecording may then make another one of what the file really holds.
func (t *Tx) Forget(id RecordingID) error {
	var run, bytes, start90k int64
	err := t.tx.QueryRowContext(t.ctx, `SELECT run_id, bytes, start_90k FROM recording WHERE id = ?`, id).Scan(&run, &bytes, &start90k)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if t.err = err; err == nil {
		t.forget(id, run, bytes, start90k)
	}
	if t.err != nil {
		return fmt.Errorf("forget recording %s: %w", id, t.err)
	}
	return nil
}

// forget deletes the row of a recording, and what was there for its sake.
func (t *Tx) forget(id RecordingID, run, bytes, start90k int64) {
	t.exec(`DELETE FROM recording WHERE id = ?`, id)
	t.exec(`DELETE FROM run WHERE id = ? AND end_reason IS NOT NULL AND NOT EXISTS (SELECT 1 FROM recording WHERE run_id = run.id)`, run)
	t.count(id, -1, -bytes)
	t.journal(id, start90k, Deleted)
}

// Recount sets the sums of a stream to what its recordings sum up to.
func (t *Tx) Recount(stream int64) error {
	t.addUp()
	t.exec(`UPDATE stream SET (recordings, bytes) =
		(SELECT count(*), coalesce(sum(bytes), 0) FROM recording WHERE stream_id = stream.id) WHERE id = ?`, stream)
	if t.err != nil {
		return fmt.Errorf("count the recordings of stream %d: %w", stream, t.err)
	}
	return nil
}

// exec executes a statement, unless one before it failed; t.err keeps the first error.
func (t *Tx) exec(q string, args ...any) {
	stmt := t.prepare(q)
	if t.err == nil {
		_, t.err = stmt.Exec(args...)
	}
}

// prepare returns a prepared statement. It is executed without the context of the transaction, for whose sake each of many
// short statements would start a goroutine; the end of that context rolls back all the same.
func (t *Tx) prepare(q string) *sql.Stmt {
	stmt := t.prepared[q]
	if stmt == nil && t.err == nil {
		stmt, t.err = t.tx.PrepareContext(t.ctx, q)
		t.prepared[q] = stmt
	}
	return stmt
}
