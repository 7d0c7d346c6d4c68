package schema

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/mattn/go-sqlite3"
	"golang.org/x/sys/unix"
)

// Version is that of the tables. A database of another version is refused.
const Version = 5

// applicationID marks the file as ours in SQLite's header: "nvrf".
const applicationID = 0x6e767266

//go:embed schema.sql
var tables string

// pageBytes is the size of the pages of a new database. A commit writes each page that it changes whole, a dozen of them for a
// stream, and comes every few seconds: with pages of 4 KiB that is 2 % of the bytes of a stream of 4 Mbit/s. Reading takes no
// longer with pages of 1 KiB.
const pageBytes = 1024

// walPages is how far the WAL grows before its pages are written to the database: what a recording changes of them while it
// grows is then written once.
const walPages = 16 << 10

// driver is SQLite's, with what each of its connections is to be told.
const driver = "nvrfs-sqlite3"

func init() {
	sql.Register(driver, &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		_, err := c.Exec(fmt.Sprintf(`PRAGMA wal_autocheckpoint = %d`, walPages), nil)
		return err
	}})
}

// FileName is the database's name in a data directory.
const FileName = "nvrfs.db"

// ErrNotThere says that a data directory has no database.
var ErrNotThere = errors.New("there is no nvrfs database")

// DB is an open database. It is safe for concurrent use.
type DB struct {
	sql  *sql.DB
	uuid string
	path string

	queries  atomic.Int64
	mu       sync.Mutex
	prepared map[string]*sql.Stmt // by query
}

// Stats says what a DB has done.
type Stats struct {
	Queries int64 `json:"queries"` // that read
}

// Stats returns what the database has done since it was opened.
func (db *DB) Stats() Stats { return Stats{Queries: db.queries.Load()} }

// Create opens the database in dir for recording, and makes it when there is none. A file that is no database of nvrfs is
// left as it is.
func Create(ctx context.Context, dir string) (*DB, error) {
	return CreateWithUUID(ctx, dir, uuid.NewString())
}

// CreateWithUUID is Create; where there is no database, the one it makes has the UUID, so that sample directories which
// belonged to another one belong to it.
func CreateWithUUID(ctx context.Context, dir, uuid string) (*DB, error) {
	path := filepath.Join(dir, FileName)
	if err := errors.Join(onlyRegular(path), touch(path)); err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}
	db, err := open(path, url.Values{
		"_synchronous": {"FULL"}, // a committed row survives a power cut
		"_txlock":      {"immediate"},
	})
	if err != nil {
		return nil, err
	}
	db.sql.SetMaxOpenConns(1)
	if err := db.create(ctx, uuid); err != nil {
		return nil, errors.Join(fmt.Errorf("create database %s: %w", path, damaged(err)), db.Close())
	}
	if err := db.identify(ctx); err != nil {
		return nil, err
	}
	if err := db.useWAL(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
	}
	return db, nil
}

// touch makes an empty file, which is an empty database, where there is none. SQLite gives the files that it puts beside it
// the same mode.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// useWAL lets readers read while we write. The file remembers it.
func (db *DB) useWAL(ctx context.Context) error {
	var mode string
	if err := db.sql.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("its journal is %q and cannot be changed to a WAL; keep it on a local disk", mode)
	}
	return nil
}

// OpenExisting opens the database in dir for writing, also while another process records into it. It returns ErrNotThere
// when there is none.
func OpenExisting(ctx context.Context, dir string) (*DB, error) {
	path, err := existing(dir)
	if err != nil {
		return nil, err
	}
	db, err := open(path, url.Values{"mode": {"rw"}, "_synchronous": {"FULL"}, "_txlock": {"immediate"}})
	if err != nil {
		return nil, err
	}
	db.sql.SetMaxOpenConns(1)
	return db, db.identify(ctx)
}

// Exists reports whether dir has a database.
func Exists(dir string) (bool, error) {
	_, err := existing(dir)
	if errors.Is(err, ErrNotThere) {
		return false, nil
	}
	return err == nil, err
}

// existing returns the path of the database in dir, or ErrNotThere.
func existing(dir string) (string, error) {
	path := filepath.Join(dir, FileName)
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w in %s", ErrNotThere, dir)
	}
	if err == nil {
		err = onlyRegular(path)
	}
	if err != nil {
		return "", fmt.Errorf("open database: %w", err)
	}
	return path, nil
}

// onlyRegular refuses something else than files under the names of the database and of what SQLite puts beside it, because
// SQLite opens what is there, and would wait for ever for the other end of a FIFO.
func onlyRegular(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		info, err := os.Stat(path + suffix)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is not a regular file; move it away", path+suffix)
		}
	}
	return nil
}

// OpenReadOnly opens the database in dir for reading, also while another process records into it. It returns ErrNotThere
// when there is none.
func OpenReadOnly(ctx context.Context, dir string) (*DB, error) {
	path, err := existing(dir)
	if err != nil {
		return nil, err
	}
	options := url.Values{"mode": {"ro"}, "_query_only": {"1"}}
	if atRest(path) {
		options.Set("immutable", "1")
	}
	db, err := open(path, options)
	if err != nil {
		return nil, err
	}
	db.sql.SetMaxOpenConns(4)
	db.sql.SetMaxIdleConns(4)
	return db, db.identify(ctx)
}

// atRest reports whether the database lies where we may not write and nobody records: then there is no WAL to read, and
// SQLite could not make the index of one.
func atRest(path string) bool {
	if unix.Access(filepath.Dir(path), unix.W_OK) == nil {
		return false
	}
	wal, err := os.Stat(path + "-wal")
	return errors.Is(err, fs.ErrNotExist) || err == nil && wal.Size() == 0
}

func open(path string, options url.Values) (*DB, error) {
	options.Set("_foreign_keys", "1")
	options.Set("_busy_timeout", "10000")
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options.Encode()}
	s, err := sql.Open(driver, u.String())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return &DB{sql: s, path: path, prepared: map[string]*sql.Stmt{}}, nil
}

// create makes the tables in an empty database.
func (db *DB) create(ctx context.Context, uuid string) error {
	if _, err := db.sql.ExecContext(ctx, fmt.Sprintf(`PRAGMA page_size = %d`, pageBytes)); err != nil {
		return err
	}
	tx, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // no error after Commit
	var objects int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&objects); err != nil || objects > 0 {
		return err
	}
	for _, q := range []string{
		tables,
		fmt.Sprintf(`PRAGMA application_id = %d`, applicationID),
		fmt.Sprintf(`PRAGMA user_version = %d`, Version),
	} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO meta (id, uuid) VALUES (1, ?)`, uuid); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO sample_dir (id, path) VALUES (1, 'samples')`); err != nil {
		return err
	}
	return tx.Commit()
}

// identify reads who the database is, and closes it when it is not ours to read.
func (db *DB) identify(ctx context.Context) error {
	err := db.checkVersion(ctx)
	if err == nil {
		err = db.sql.QueryRowContext(ctx, `SELECT uuid FROM meta`).Scan(&db.uuid)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open database %s: %w", db.path, damaged(err)), db.Close())
	}
	return nil
}

func (db *DB) checkVersion(ctx context.Context) error {
	version, err := db.version(ctx)
	if err != nil || version == Version {
		return err
	}
	return versionError(version)
}

// ErrOld says that a database was written by an older nvrfs, and Upgrade can bring it up to date.
var ErrOld = errors.New("it was written by an older nvrfs")

func versionError(version int) error {
	if version < Version {
		return fmt.Errorf("%w (version %d, not %d)", ErrOld, version, Version)
	}
	return fmt.Errorf("it has version %d, of a newer nvrfs; this one knows versions up to %d", version, Version)
}

// version returns the version of the tables, or an error when they are not ours.
func (db *DB) version(ctx context.Context) (version int, err error) {
	var app int
	if err := db.sql.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&app); err != nil {
		return 0, err
	}
	if app != applicationID {
		return 0, errors.New("it is no database of nvrfs; choose another data directory")
	}
	err = db.sql.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version)
	return version, err
}

// damaged adds what to do to an error that says that the database is.
func damaged(err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) && e.Code == sqlite3.ErrCorrupt {
		return fmt.Errorf("%w; the footage is in the sample files: move the database away, and make a new one from them with nvrfs rebuild", err)
	}
	return err
}

// UUID tells this database from every other.
func (db *DB) UUID() string { return db.uuid }

// Close closes the database.
func (db *DB) Close() error { return db.sql.Close() }
