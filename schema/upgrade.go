package schema

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed upgrade1.sql
var upgrade1 string

//go:embed upgrade2.sql
var upgrade2 string

// upgrades[v] turns the tables of version v into those of version v+1.
var upgrades = map[int]string{1: upgrade1, 2: upgrade2}

// Upgrade brings the database in dir to Version. Before it changes anything, it copies the database beside itself, and
// returns the path of the copy; backup is empty when there was nothing to do. Nobody may have the database open. A failed
// upgrade leaves it as it was.
func Upgrade(ctx context.Context, dir string) (from int, backup string, err error) {
	path, err := existing(dir)
	if err != nil {
		return 0, "", err
	}
	db, err := open(path, url.Values{"_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "mode": {"rw"}})
	if err != nil {
		return 0, "", err
	}
	defer db.Close() //nolint:errcheck // what was committed is durable
	db.sql.SetMaxOpenConns(1)
	from, err = db.version(ctx)
	if err != nil || from == Version {
		return from, "", err
	}
	if from > Version || upgrades[from] == "" {
		return from, "", versionError(from)
	}
	backup = fmt.Sprintf("%s.v%d-%s", path, from, time.Now().UTC().Format("20060102T150405"))
	if err := db.copyTo(ctx, backup); err != nil {
		return from, "", fmt.Errorf("copy database %s to %s before the upgrade: %w", path, backup, err)
	}
	for v := from; v < Version; v++ {
		if err := db.step(ctx, v); err != nil {
			return from, backup, fmt.Errorf("upgrade database %s from version %d: %w; it is as it was", path, v, err)
		}
	}
	return from, backup, nil
}

// copyTo copies the database to a new file that the same users may read. Where it fails, it leaves none.
func (db *DB) copyTo(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = shareAs(f, db.path)
	if err == nil {
		_, err = db.sql.ExecContext(ctx, `VACUUM INTO ?`, path) // which takes a file that is there, if it is empty
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		return syncFile(filepath.Dir(path)) // its name
	}
	return errors.Join(err, os.Remove(path))
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

// step does one upgrade in one transaction. Tables that others refer to are made anew, so the references are checked at
// the end rather than at each statement (https://www.sqlite.org/lang_altertable.html).
func (db *DB) step(ctx context.Context, from int) error {
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `PRAGMA foreign_keys = OFF`); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // no error after Commit
	if _, err := tx.ExecContext(ctx, upgrades[from]); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, from+1)); err != nil {
		return err
	}
	var table sql.NullString
	err = tx.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return tx.Commit()
	case err != nil:
		return err
	}
	return fmt.Errorf("table %s refers to rows that are not there", table.String)
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return errors.Join(f.Sync(), f.Close())
}
