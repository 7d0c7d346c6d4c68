package schema

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"nvrfs/media"
)

// A Stream is one of the streams of a camera.
type Stream struct {
	ID         int64
	Camera     string
	Name       string // "main", "sub" or any other
	NextNumber int64  // of the stream's next recording
	Recordings int64  // that there are
	Bytes      int64  // of them
}

// Label names a stream as the mount does: "front-door" where its name is main, and "front-door.sub" where it is another.
func (s Stream) Label() string { return Label(s.Camera, s.Name) }

// Label is Stream.Label for a stream that is not in the database yet.
func Label(camera, name string) string {
	if name == "main" {
		return camera
	}
	return camera + "." + name
}

// RecordingID is stream id << 32 | number.
type RecordingID int64

// MakeRecordingID joins a stream and a number of a recording in it.
func MakeRecordingID(stream, number int64) RecordingID { return RecordingID(stream<<32 | number) }

// Stream is the id of the recording's stream.
func (id RecordingID) Stream() int64 { return int64(id) >> 32 }

// Number counts the stream's recordings, from 1.
func (id RecordingID) Number() int64 { return int64(id) & math.MaxUint32 }

func (id RecordingID) String() string { return fmt.Sprintf("%d/%d", id.Stream(), id.Number()) }

// A Recording is about a minute of a stream.
type Recording struct {
	ID              RecordingID
	Run             int64
	Dir             int64 // the sample directory
	Sequence        int
	Start90k        int64 // wall time of the first frame shown
	WallDuration90k int64
	HeaderBytes     int64 // of the sample file before its first fragment
	Bytes           int64 // header and whole fragments
	Sealed          bool
	Tracks          []Track
	Digest          []byte // BLAKE3 of the header and the fragments; nil while it grows. Listings leave it out
}

// End90k is the wall time at which the recording ends.
func (r *Recording) End90k() int64 { return r.Start90k + r.WallDuration90k }

// Every query that a listing or an opening runs. A test reads the plan of each: an index, no scan, no sort.
const (
	qStreams    = `SELECT id, camera, name, next_number, recordings, bytes FROM stream ORDER BY camera, name`
	qStartingIn = `SELECT group_concat(listing, ' ') FROM (SELECT listing FROM recording
		WHERE stream_id = ? AND (start_90k, id) > (?, ?) AND start_90k < ? ORDER BY start_90k, id LIMIT ?)`
	qFirst = `SELECT start_90k FROM recording WHERE stream_id = ? AND start_90k >= ? ORDER BY start_90k LIMIT 1`
	qLast  = `SELECT listing FROM recording WHERE stream_id = ? AND start_90k < ? ORDER BY start_90k DESC LIMIT 1`
	qIndex = `SELECT samples FROM recording_index WHERE recording_id = ?1
		UNION ALL SELECT samples FROM garbage WHERE recording_id = ?1 LIMIT 1`
	qEntry = `SELECT kind, codec, timescale, width, height, box, rotation FROM sample_entry WHERE id = ?`
	qRev   = `SELECT rev FROM change ORDER BY rev DESC LIMIT 1`
	qSince = `SELECT rev, recording_id, start_90k, kind FROM change WHERE rev > ? ORDER BY rev`
	qRuns  = `SELECT id, stream_id, '', start_90k, coalesce(end_reason, '') FROM run WHERE stream_id = ? AND start_90k >= ? AND start_90k < ? ORDER BY start_90k, id`
	qByID  = `SELECT run_id, dir_id, start_90k, bytes, sealed, listing, digest FROM recording WHERE id = ?`
	// The last recording of a run is that of the highest number.
	qRunsWith = `SELECT id, stream_id, start_90k, coalesce(end_reason, ''),
		(SELECT listing FROM recording WHERE run_id = run.id ORDER BY id DESC LIMIT 1)
		FROM run WHERE id IN (SELECT run_id FROM recording WHERE stream_id = ? AND start_90k >= ? AND start_90k < ?)
		ORDER BY start_90k, id`
	qDirs = `SELECT id, path FROM sample_dir ORDER BY id`
	qOpen = `SELECT id, dir_id, bytes FROM recording WHERE sealed = 0`
	qRun  = `SELECT id, stream_id, uuid, start_90k, coalesce(end_reason, '') FROM run WHERE id = ?`
)

// query runs q and hands each row to scan.
func (db *DB) query(ctx context.Context, what, q string, scan func(*sql.Rows) error, args ...any) error {
	db.queries.Add(1)
	stmt, err := db.prepare(ctx, q)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, damaged(err))
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, damaged(err))
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read %s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", what, damaged(err))
	}
	return nil
}

// queryRow reads the only row of q, or returns sql.ErrNoRows.
func (db *DB) queryRow(ctx context.Context, q string, args []any, to ...any) error {
	db.queries.Add(1)
	stmt, err := db.prepare(ctx, q)
	if err != nil {
		return damaged(err)
	}
	return damaged(stmt.QueryRowContext(ctx, args...).Scan(to...))
}

// prepare returns the prepared statement of a query, which is prepared once, and closed with the database.
func (db *DB) prepare(ctx context.Context, q string) (*sql.Stmt, error) {
	db.mu.Lock()
	stmt := db.prepared[q]
	db.mu.Unlock()
	if stmt != nil {
		return stmt, nil
	}
	stmt, err := db.sql.PrepareContext(ctx, q)
	if err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if other := db.prepared[q]; other != nil { // another goroutine was faster
		stmt.Close() //nolint:errcheck // nobody uses it
		return other, nil
	}
	db.prepared[q] = stmt
	return stmt, nil
}

// Streams lists all streams, by camera and name.
func (db *DB) Streams(ctx context.Context) (streams []Stream, err error) {
	err = db.query(ctx, "streams", qStreams, func(rows *sql.Rows) error {
		var s Stream
		err := rows.Scan(&s.ID, &s.Camera, &s.Name, &s.NextNumber, &s.Recordings, &s.Bytes)
		streams = append(streams, s)
		return err
	})
	return streams, err
}

// listedAtOnce is how many recordings are read as one value: more than a day of them.
const listedAtOnce = 2000

// StartingIn lists the recordings of a stream that start in [from90k, to90k), by start.
func (db *DB) StartingIn(ctx context.Context, stream, from90k, to90k int64) ([]Recording, error) {
	var room Room
	err := db.startingIn(ctx, &room, stream, from90k, to90k, math.MaxInt)
	return room.recs, err
}

// A Room is memory for recordings, which are listed in it until it is used again.
type Room struct {
	recs   []Recording
	tracks []Track // behind those of recs
}

// Copy lists copies of recordings in the room, for whoever has recordings that are not read from a database.
func (room *Room) Copy(recs []Recording) []Recording {
	room.recs, room.tracks = append(room.recs[:0], recs...), room.tracks[:0]
	for i := range recs {
		first := len(room.tracks)
		room.tracks = append(room.tracks, recs[i].Tracks...)
		room.recs[i].Tracks = room.tracks[first:len(room.tracks):len(room.tracks)]
	}
	return room.recs
}

// SomeStartingIn is StartingIn as far as there are fewer than most. ok is false, and the list is not complete, where there are
// as many or more.
func (db *DB) SomeStartingIn(ctx context.Context, room *Room, stream, from90k, to90k int64, most int) (recs []Recording, ok bool, err error) {
	err = db.startingIn(ctx, room, stream, from90k, to90k, most)
	return room.recs, len(room.recs) < most, err
}

// startingIn lists up to most recordings.
func (db *DB) startingIn(ctx context.Context, room *Room, stream, from90k, to90k int64, most int) error {
	room.recs, room.tracks = room.recs[:0], room.tracks[:0]
	after := RecordingID(0) // all have a greater id
	for len(room.recs) < most {
		had, n := len(room.recs), min(listedAtOnce, most-len(room.recs))
		err := db.query(ctx, "recordings", qStartingIn, func(rows *sql.Rows) error {
			var packed sql.NullString
			if err := rows.Scan(&packed); err != nil {
				return err
			}
			return room.unpackListing(stream, packed.String)
		}, stream, from90k, after, to90k, n)
		if err != nil || len(room.recs)-had < n {
			return err
		}
		last := &room.recs[len(room.recs)-1]
		from90k, after = last.Start90k, last.ID
	}
	return nil
}

// Recording returns a recording, with its digest. ok is false when there is none.
func (db *DB) Recording(ctx context.Context, id RecordingID) (r Recording, ok bool, err error) {
	err = db.query(ctx, "recording", qByID, func(rows *sql.Rows) (err error) {
		r, err = scanRecording(rows, id)
		ok = err == nil
		return err
	}, id)
	if err != nil {
		err = fmt.Errorf("recording %s: %w", id, err)
	}
	return r, ok, err
}

// scanRecording reads what qByID returns.
func scanRecording(rows interface{ Scan(...any) error }, id RecordingID) (r Recording, err error) {
	var listing string
	c := Recording{ID: id} // as its columns say
	if err := rows.Scan(&c.Run, &c.Dir, &c.Start90k, &c.Bytes, &c.Sealed, &listing, &c.Digest); err != nil {
		return r, err
	}
	r, err = unpackRecording(id.Stream(), listing)
	if err == nil && (r.ID != c.ID || r.Run != c.Run || r.Dir != c.Dir || r.Start90k != c.Start90k || r.Bytes != c.Bytes || r.Sealed != c.Sealed) {
		err = errListing
	}
	r.Digest = c.Digest
	return r, err
}

// scanListing reads a row that has a listing alone, of a recording of a stream.
func scanListing(rows *sql.Rows, stream int64) (r Recording, err error) {
	var listing string
	if err := rows.Scan(&listing); err != nil {
		return r, err
	}
	return unpackRecording(stream, listing)
}

// qSums reads every row, which only a close check does.
const qSums = `SELECT id, camera, name, next_number, (SELECT count(*) FROM recording WHERE stream_id = stream.id),
		(SELECT coalesce(sum(bytes), 0) FROM recording WHERE stream_id = stream.id) FROM stream
		WHERE (recordings, bytes) != (SELECT count(*), coalesce(sum(bytes), 0) FROM recording WHERE stream_id = stream.id)`

// WrongSums lists the streams whose sums differ from their recordings, with what they should be.
func (db *DB) WrongSums(ctx context.Context) (streams []Stream, err error) {
	err = db.query(ctx, "sums of streams", qSums, func(rows *sql.Rows) error {
		var s Stream
		err := rows.Scan(&s.ID, &s.Camera, &s.Name, &s.NextNumber, &s.Recordings, &s.Bytes)
		streams = append(streams, s)
		return err
	})
	return streams, err
}

// FirstStart returns when the first recording of a stream starts that starts at from90k or later. ok is false when none
// does.
func (db *DB) FirstStart(ctx context.Context, stream, from90k int64) (start90k int64, ok bool, err error) {
	err = db.query(ctx, "first recording", qFirst, func(rows *sql.Rows) error {
		ok = true
		return rows.Scan(&start90k)
	}, stream, from90k)
	return start90k, ok, err
}

// LastSpan returns start and end of the last recording of a stream that starts before before90k. ok is false when none
// does.
func (db *DB) LastSpan(ctx context.Context, stream, before90k int64) (start90k, end90k int64, ok bool, err error) {
	err = db.query(ctx, "last recording", qLast, func(rows *sql.Rows) error {
		r, err := scanListing(rows, stream)
		start90k, end90k, ok = r.Start90k, r.End90k(), err == nil
		return err
	}, stream, before90k)
	return start90k, end90k, ok, err
}

// PackedIndex returns the packed index of a recording, also of one that was deleted while its file is still there.
func (db *DB) PackedIndex(ctx context.Context, id RecordingID) (packed []byte, err error) {
	err = db.WithPackedIndex(ctx, id, func(lent []byte) error {
		packed = bytes.Clone(lent)
		return nil
	})
	return packed, err
}

// WithPackedIndex is PackedIndex without a copy: the index is only use's, and only until it returns.
func (db *DB) WithPackedIndex(ctx context.Context, id RecordingID, use func(packed []byte) error) error {
	found := false
	var failed error
	err := db.query(ctx, "index", qIndex, func(rows *sql.Rows) error {
		var packed sql.RawBytes
		if err := rows.Scan(&packed); err != nil {
			return err
		}
		found, failed = true, use(packed)
		return nil
	}, id)
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	if err != nil {
		return fmt.Errorf("read index of recording %s: %w", id, err)
	}
	return failed
}

// SampleEntry returns a sample entry.
func (db *DB) SampleEntry(ctx context.Context, id int64) (media.SampleEntry, error) {
	var e media.SampleEntry
	if err := db.queryRow(ctx, qEntry, []any{id}, &e.Kind, &e.Codec, &e.Timescale, &e.Width, &e.Height, &e.Box, &e.Rotation); err != nil {
		return e, fmt.Errorf("read sample entry %d: %w", id, err)
	}
	return e, nil
}

// RunSpan is a run with when its footage ends.
type RunSpan struct {
	Run
	End90k int64
}

// RunsWith lists the runs of a stream of which a recording starts in [from90k, to90k), by start, without their UUIDs.
func (db *DB) RunsWith(ctx context.Context, stream, from90k, to90k int64) (runs []RunSpan, err error) {
	err = db.query(ctx, "runs", qRunsWith, func(rows *sql.Rows) error {
		var r RunSpan
		var listing string
		if err := rows.Scan(&r.ID, &r.Stream, &r.Start90k, &r.EndReason, &listing); err != nil {
			return err
		}
		last, err := unpackRecording(stream, listing)
		r.End90k = last.End90k()
		runs = append(runs, r)
		return err
	}, stream, from90k, to90k)
	return runs, err
}

// Growing lists the recordings that are not sealed: those being recorded, or cut off when the recorder was.
func (db *DB) Growing(ctx context.Context) (growing []RecordingFile, err error) {
	err = db.query(ctx, "growing recordings", qOpen, func(rows *sql.Rows) error {
		var p RecordingFile
		err := rows.Scan(&p.ID, &p.Dir, &p.Bytes)
		growing = append(growing, p)
		return err
	})
	return growing, err
}

// A RecordingFile says in which sample directory the sample file of a recording lies.
type RecordingFile struct {
	ID    RecordingID
	Dir   int64
	Bytes int64 // that its row counts
}

// A Run is one session with a camera, without a gap.
type Run struct {
	ID        int64
	Stream    int64
	UUID      string
	Start90k  int64
	EndReason string // empty while it goes on
}

// Run returns a run.
func (db *DB) Run(ctx context.Context, id int64) (Run, error) {
	var r Run
	if err := db.queryRow(ctx, qRun, []any{id}, &r.ID, &r.Stream, &r.UUID, &r.Start90k, &r.EndReason); err != nil {
		return r, fmt.Errorf("read run %d: %w", id, err)
	}
	return r, nil
}

// A Change says what became of a recording. One whose start was corrected is two changes: where it was, and, as added, where it
// is.
type Change struct {
	Rev       int64
	Recording RecordingID // its number is 0 where Kind is Marked
	Start90k  int64       // of the recording, or of the mark
	Kind      ChangeKind
}

// ChangeKind says what happened to a recording. The numbers stand in databases.
type ChangeKind uint8

// The kinds of change, and what a reader does who has cached something.
const (
	Grown   ChangeKind = iota // or sealed: it lists the hour again
	Added                     // the hour, and which hours and days there are
	Deleted                   // the same, and it lets go of the sample file
	Moved                     // to another sample directory: it asks where, and lets go of the file where that was
	Marked                    // a hold of the stream was added or removed: it reads the holds again; no entry changes
)

// Runs lists the runs of a stream that start in [from90k, to90k), by start, without their UUIDs.
func (db *DB) Runs(ctx context.Context, stream, from90k, to90k int64) (runs []Run, err error) {
	err = db.query(ctx, "runs", qRuns, func(rows *sql.Rows) error {
		var r Run
		err := rows.Scan(&r.ID, &r.Stream, &r.UUID, &r.Start90k, &r.EndReason)
		runs = append(runs, r)
		return err
	}, stream, from90k, to90k)
	return runs, err
}

// SampleDirPath says where a sample directory lies whose path in the database is path.
func SampleDirPath(data, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(data, path)
}

// DefaultSampleDir is the path of directory 1.
const DefaultSampleDir = "samples"

// SampleDirs returns the paths of the sample directories by id. Relative ones start from the data directory.
func (db *DB) SampleDirs(ctx context.Context) (map[int64]string, error) {
	dirs := map[int64]string{}
	err := db.query(ctx, "sample directories", qDirs, func(rows *sql.Rows) error {
		var id int64
		var path string
		err := rows.Scan(&id, &path)
		dirs[id] = path
		return err
	})
	return dirs, err
}

// Rev returns the number of the newest change; 0 before the first.
func (db *DB) Rev(ctx context.Context) (rev int64, err error) {
	err = db.queryRow(ctx, qRev, nil, &rev)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read newest change: %w", err)
	}
	return rev, nil
}

// ChangesSince lists the changes after rev. complete is false when the journal no longer reaches back that far, so that
// anything may have changed.
func (db *DB) ChangesSince(ctx context.Context, rev int64) (changes []Change, complete bool, err error) {
	err = db.query(ctx, "changes", qSince, func(rows *sql.Rows) error {
		var c Change
		err := rows.Scan(&c.Rev, &c.Recording, &c.Start90k, &c.Kind)
		changes = append(changes, c)
		return err
	}, rev)
	return changes, len(changes) == 0 || changes[0].Rev == rev+1, err
}
