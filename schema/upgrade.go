package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Progress is told how an upgrade gets on.
type Progress struct {
	Total func(recordings int64) // once, before the first
	Done  func(recordings int64) // that were taken over since the last call
}

// Upgrade brings the database in dir to Version. It makes a new one beside the old one, which stays as it is under the name that is
// returned as backup; backup is empty when there was nothing to do. Nobody may have the database open. An upgrade that fails, or is
// cut off at any moment, leaves the old one in its place.
func Upgrade(ctx context.Context, dir string, p Progress) (from int, backup string, err error) {
	path, err := existing(dir)
	if err != nil {
		return 0, "", err
	}
	from, err = settle(ctx, path)
	if err != nil || from == Version {
		return from, "", err
	}
	tmp := path + ".upgrade"
	defer func() { err = errors.Join(err, removeDatabase(tmp)) }()
	if err := removeDatabase(tmp); err != nil { // of an upgrade that was cut off
		return from, "", err
	}
	if err := writeUpgraded(ctx, path, tmp, from, p); err != nil {
		return from, "", fmt.Errorf("upgrade database %s from version %d to %d: %w; it is as it was", path, from, Version, err)
	}
	backup = fmt.Sprintf("%s.v%d-%s", path, from, time.Now().UTC().Format("20060102T150405"))
	if err := link(path, backup); err != nil {
		return from, "", fmt.Errorf("keep the database %s as %s before the upgrade: %w", path, backup, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return from, backup, fmt.Errorf("put the upgraded database in its place: %w", err)
	}
	return from, backup, syncFile(dir)
}

// settle returns the version of a database that can be upgraded, or needs no upgrade. All of the former is in its own file then, and
// nothing in a WAL, which would be taken for that of the new one.
func settle(ctx context.Context, path string) (version int, err error) {
	db, err := open(path, url.Values{"_synchronous": {"FULL"}, "mode": {"rw"}})
	if err != nil {
		return 0, err
	}
	db.sql.SetMaxOpenConns(1)
	version, err = db.settle(ctx)
	if err = errors.Join(err, db.Close()); err != nil || version == Version {
		return version, err
	}
	if _, err := os.Stat(path + "-wal"); err == nil { // the last one to close the database removes it
		return version, errInUse(path)
	}
	return version, nil
}

func errInUse(path string) error {
	return fmt.Errorf("database %s is in use; stop whatever records or shows its footage", path)
}

func (db *DB) settle(ctx context.Context) (version int, err error) {
	version, err = db.version(ctx)
	if err != nil || version == Version {
		return version, err
	}
	if version > Version || version < 1 {
		return version, versionError(version)
	}
	var busy, frames, moved int
	if err := db.sql.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved); err != nil {
		return version, fmt.Errorf("finish what was written to database %s: %w", db.path, damaged(err))
	}
	if busy != 0 {
		return version, errInUse(db.path)
	}
	return version, nil
}

// removeDatabase removes a database, and what SQLite puts beside it, where they are there.
func removeDatabase(path string) (err error) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if e := os.Remove(path + suffix); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// link gives a file a second name, or, on a filesystem that knows no second names, a copy.
func link(path, name string) error {
	err := os.Link(path, name)
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only: nothing can be lost
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = shareAs(out, path)
	if err == nil {
		_, err = io.Copy(out, in)
	}
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// shareAs gives a file the owner and the mode of another one. Where this user may not give it that owner, it stays readable by
// this user alone.
func shareAs(f *os.File, other string) error {
	var theirs, ours unix.Stat_t
	if err := unix.Stat(other, &theirs); err != nil {
		return &os.PathError{Op: "stat", Path: other, Err: err}
	}
	if err := unix.Fstat(int(f.Fd()), &ours); err != nil {
		return &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	if (ours.Uid != theirs.Uid || ours.Gid != theirs.Gid) && f.Chown(int(theirs.Uid), int(theirs.Gid)) != nil {
		return nil
	}
	return f.Chmod(os.FileMode(theirs.Mode & 0o666))
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return errors.Join(f.Sync(), f.Close())
}

// writeUpgraded writes what the database old says, of a version, to a new one of this Version, and makes that durable.
func writeUpgraded(ctx context.Context, old, path string, version int, p Progress) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(shareAs(f, old), f.Close()); err != nil {
		return err
	}
	// Until it is whole nobody needs it, so that it is neither journaled nor synced before the end.
	db, err := open(path, url.Values{"_synchronous": {"OFF"}, "_journal_mode": {"OFF"}, "mode": {"rw"}})
	if err != nil {
		return err
	}
	db.sql.SetMaxOpenConns(1)
	u := upgrader{ctx: ctx, db: db.sql, version: version, p: p}
	err = u.run(old)
	if err == nil {
		err = db.useWAL(ctx)
	}
	return errors.Join(damaged(err), db.Close(), syncFile(path), syncFile(filepath.Dir(path)))
}

// upgrader fills a new database with what an old one says, which is attached to it as "old".
type upgrader struct {
	ctx     context.Context
	db      *sql.DB
	version int
	p       Progress
}

func (u *upgrader) run(old string) error {
	attached := url.URL{Scheme: "file", Opaque: (&url.URL{Path: old}).EscapedPath(), RawQuery: "mode=ro&immutable=1"}
	if _, err := u.db.ExecContext(u.ctx, `ATTACH ? AS old`, attached.String()); err != nil {
		return err
	}
	// Rows come before those that they refer to; check looks at all of them.
	if err := u.exec(`PRAGMA foreign_keys = OFF`); err != nil {
		return err
	}
	indexes, err := u.tables()
	if err != nil {
		return err
	}
	if err := u.exec(u.smallTables()...); err != nil {
		return err
	}
	if err := u.recordings(); err != nil {
		return err
	}
	if err := u.exec(indexes...); err != nil {
		return err
	}
	if err := u.check(); err != nil {
		return err
	}
	return u.exec(
		fmt.Sprintf(`PRAGMA application_id = %d`, applicationID),
		fmt.Sprintf(`PRAGMA user_version = %d`, Version),
		`DETACH old`,
	)
}

func (u *upgrader) exec(queries ...string) error {
	for _, q := range queries {
		if _, err := u.db.ExecContext(u.ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// tables makes the tables, and returns how to make their indexes: those are smaller, and made faster, when there are all rows.
func (u *upgrader) tables() (indexes []string, err error) {
	if err := u.exec(fmt.Sprintf(`PRAGMA page_size = %d`, pageBytes), tables); err != nil {
		return nil, err
	}
	rows, err := u.db.QueryContext(u.ctx, `SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name, q string
		if err := rows.Scan(&name, &q); err != nil {
			return nil, err
		}
		names, indexes = append(names, `DROP INDEX `+name), append(indexes, q)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	return indexes, u.exec(names...)
}

// smallTables copies all but recordings and their indexes. The journal starts anew, since nobody has the database open. Version 1
// had one sample directory, and knew neither sums of streams nor deletion nor holds. Up to version 3 changes of holds were not
// counted, and up to version 4 no picture was shown turned, and there were no marks.
func (u *upgrader) smallTables() []string {
	meta := `INSERT INTO meta (id, uuid) SELECT id, uuid FROM old.meta`
	if u.version > 3 {
		meta = `INSERT INTO meta (id, uuid, hold_changes) SELECT id, uuid, hold_changes FROM old.meta`
	}
	all := []string{
		meta,
		`INSERT INTO sample_entry (id, kind, codec, timescale, width, height, box)
			SELECT id, kind, codec, timescale, width, height, box FROM old.sample_entry ORDER BY id`,
		`INSERT INTO run (id, stream_id, uuid, start_90k, end_reason) SELECT id, stream_id, uuid, start_90k, end_reason FROM old.run ORDER BY id`,
	}
	if u.version == 1 {
		return append(
			all,
			`INSERT INTO stream (id, camera, name, next_number, recordings, bytes) SELECT id, camera, name, next_number,
				(SELECT count(*) FROM old.recording WHERE stream_id = stream.id),
				(SELECT coalesce(sum(bytes), 0) FROM old.recording WHERE stream_id = stream.id) FROM old.stream ORDER BY id`,
			`INSERT INTO sample_dir (id, path) VALUES (1, '`+DefaultSampleDir+`')`,
		)
	}
	return append(
		all,
		`INSERT INTO stream (id, camera, name, next_number, recordings, bytes)
			SELECT id, camera, name, next_number, recordings, bytes FROM old.stream ORDER BY id`,
		`INSERT INTO sample_dir (id, path) SELECT id, path FROM old.sample_dir ORDER BY id`,
		`INSERT INTO garbage (recording_id, dir_id, bytes, since_90k, samples)
			SELECT recording_id, dir_id, bytes, since_90k, samples FROM old.garbage ORDER BY recording_id`,
		`INSERT INTO hold (id, stream_id, from_90k, to_90k, why, created_90k)
			SELECT id, stream_id, from_90k, to_90k, why, created_90k FROM old.hold ORDER BY id`,
		// A number of a hold that was removed is not given to another one.
		`DELETE FROM sqlite_sequence WHERE name = 'hold'`,
		`INSERT INTO sqlite_sequence (name, seq) SELECT name, seq FROM old.sqlite_sequence WHERE name = 'hold'`,
	)
}

// upgradeBatch is how many recordings are taken over at once.
const upgradeBatch = 2000

// recordings takes over the recordings, by id, each with its packed index, which stays as it is.
func (u *upgrader) recordings() error {
	total := int64(0)
	if err := u.db.QueryRowContext(u.ctx, `SELECT count(*) FROM old.recording`).Scan(&total); err != nil {
		return err
	}
	u.p.Total(total)
	next := u.translate
	if u.version > 3 {
		next = u.copy
	}
	for after := RecordingID(0); ; {
		last, n, err := next(after)
		if err != nil || n == 0 {
			return err
		}
		u.p.Done(n)
		after = last
	}
}

// copy takes over the recordings behind one, as many as upgradeBatch, from a version whose rows are as they are now. It returns
// the last of them, and how many they are.
func (u *upgrader) copy(after RecordingID) (last RecordingID, n int64, err error) {
	var end sql.NullInt64
	err = u.db.QueryRowContext(u.ctx, `SELECT max(id), count(*) FROM (SELECT id FROM old.recording WHERE id > ? ORDER BY id LIMIT ?)`,
		after, upgradeBatch).Scan(&end, &n)
	if err != nil || n == 0 {
		return 0, 0, err
	}
	tx, err := u.db.BeginTx(u.ctx, nil)
	if err != nil {
		return 0, 0, err
	}
	defer tx.Rollback() //nolint:errcheck // no error after Commit
	_, err = tx.ExecContext(u.ctx, `INSERT INTO recording (id, run_id, dir_id, start_90k, bytes, sealed, listing, digest)
		SELECT id, run_id, dir_id, start_90k, bytes, sealed, listing, digest FROM old.recording WHERE id > ? AND id <= ? ORDER BY id`,
		after, end.Int64)
	if err != nil {
		return 0, 0, err
	}
	last = RecordingID(end.Int64)
	if err := u.copyIndexes(tx, after, last); err != nil {
		return 0, 0, err
	}
	return last, n, tx.Commit()
}

// translate is copy for the versions up to 3, whose rows had other columns.
func (u *upgrader) translate(after RecordingID) (last RecordingID, n int64, err error) {
	batch, err := u.read(after)
	if err != nil || len(batch) == 0 {
		return 0, 0, err
	}
	last = batch[len(batch)-1].ID
	return last, int64(len(batch)), u.write(batch, after)
}

// copyIndexes takes over the packed indexes of the recordings behind one, up to last.
func (u *upgrader) copyIndexes(tx *sql.Tx, after, last RecordingID) error {
	_, err := tx.ExecContext(u.ctx, `INSERT INTO recording_index (recording_id, samples)
		SELECT recording_id, samples FROM old.recording_index WHERE recording_id > ? AND recording_id <= ? ORDER BY recording_id`,
		after, last)
	return err
}

// read reads recordings of an old database of version 3 or less.
func (u *upgrader) read(after RecordingID) (batch []Recording, err error) {
	more := `dir_id, digest`
	if u.version == 1 {
		more = `1, NULL`
	}
	rows, err := u.db.QueryContext(u.ctx, `SELECT id, run_id, sequence, start_90k, wall_duration_90k, header_bytes, bytes, sealed, layout, `+more+`
		FROM old.recording WHERE id > ? ORDER BY id LIMIT ?`, after, upgradeBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r Recording
		var layout sql.RawBytes
		err := rows.Scan(&r.ID, &r.Run, &r.Sequence, &r.Start90k, &r.WallDuration90k, &r.HeaderBytes, &r.Bytes, &r.Sealed, &layout, &r.Dir, &r.Digest)
		if err == nil {
			r.Tracks, err = unpackLayout3(layout)
		}
		if err != nil {
			return nil, fmt.Errorf("recording %s: %w", r.ID, err)
		}
		batch = append(batch, r)
	}
	return batch, rows.Err()
}

func (u *upgrader) write(batch []Recording, after RecordingID) error {
	tx, err := u.db.BeginTx(u.ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // no error after Commit
	put, err := tx.PrepareContext(u.ctx, qPutRecording)
	if err != nil {
		return err
	}
	defer put.Close()
	for i := range batch {
		r := &batch[i]
		if _, err := put.Exec(r.ID, r.Run, r.Dir, r.Start90k, r.Bytes, r.Sealed, packListing(r), r.Digest); err != nil {
			return fmt.Errorf("recording %s: %w", r.ID, err)
		}
	}
	if err := u.copyIndexes(tx, after, batch[len(batch)-1].ID); err != nil {
		return err
	}
	return tx.Commit()
}

// check checks that every row is there to which others refer.
func (u *upgrader) check() error {
	var table sql.NullString
	err := u.db.QueryRowContext(u.ctx, `SELECT "table" FROM pragma_foreign_key_check WHERE schema = 'main' LIMIT 1`).Scan(&table)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("table %s refers to rows that are not there", table.String)
}
