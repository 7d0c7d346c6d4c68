package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
)

// A Hold is footage that retention must not delete.
type Hold struct {
	ID             int64
	Stream         int64
	From90k, To90k int64
	Why            string
	Created90k     int64
}

// Garbage is a sample file whose recording was deleted, and which is to be deleted too.
type Garbage struct {
	Recording RecordingID
	Dir       int64
	Bytes     int64
	Since90k  int64
}

// A Victim is a recording that may be deleted.
type Victim struct {
	ID       RecordingID
	Start90k int64
	End90k   int64
	Bytes    int64
}

const (
	qHolds = `SELECT id, stream_id, from_90k, to_90k, why, created_90k FROM hold ORDER BY id`
	// One row without a hold where there is none.
	qHeld = `SELECT hold_changes, hold.id, stream_id, from_90k, to_90k, why, created_90k, camera, name
		FROM meta LEFT JOIN (hold JOIN stream ON stream.id = stream_id) ORDER BY hold.id`
	qGarbage = `SELECT recording_id, dir_id, bytes, since_90k FROM garbage ORDER BY recording_id`
	qOldest  = `SELECT listing FROM recording
		WHERE stream_id = ? AND start_90k >= ? ORDER BY start_90k, id`
	qNewest    = `SELECT listing FROM recording WHERE stream_id = ? ORDER BY start_90k DESC, id DESC`
	qHasSealed = `SELECT EXISTS (SELECT 1 FROM recording WHERE dir_id = ? AND sealed = 1)`
)

// Holds lists the holds, oldest first.
func (db *DB) Holds(ctx context.Context) (holds []Hold, err error) {
	err = db.query(ctx, "holds", qHolds, func(rows *sql.Rows) error {
		h, err := scanHold(rows)
		holds = append(holds, h)
		return err
	})
	return holds, err
}

// A NamedHold is a hold with the names of its stream, which say the same in another database.
type NamedHold struct {
	Hold
	Camera, Name string
}

// NamedHolds lists the holds, and tells how often they were changed until then.
func (db *DB) NamedHolds(ctx context.Context) (held []NamedHold, changes int64, err error) {
	err = db.query(ctx, "holds", qHeld, func(rows *sql.Rows) error {
		var id, stream, from90k, to90k, created90k sql.NullInt64
		var why, camera, name sql.NullString
		err := rows.Scan(&changes, &id, &stream, &from90k, &to90k, &why, &created90k, &camera, &name)
		if id.Valid {
			h := Hold{id.Int64, stream.Int64, from90k.Int64, to90k.Int64, why.String, created90k.Int64}
			held = append(held, NamedHold{h, camera.String, name.String})
		}
		return err
	})
	return held, changes, err
}

func scanHold(rows *sql.Rows) (h Hold, err error) {
	err = rows.Scan(&h.ID, &h.Stream, &h.From90k, &h.To90k, &h.Why, &h.Created90k)
	return h, err
}

// Garbage lists the sample files that are to be deleted.
func (db *DB) Garbage(ctx context.Context) (files []Garbage, err error) {
	err = db.query(ctx, "garbage", qGarbage, func(rows *sql.Rows) error {
		var g Garbage
		err := rows.Scan(&g.Recording, &g.Dir, &g.Bytes, &g.Since90k)
		files = append(files, g)
		return err
	})
	return files, err
}

// Hold adds a hold and returns its id: a new one where h has none.
func (t *Tx) Hold(h Hold) (id int64, err error) {
	err = t.tx.QueryRowContext(t.ctx, `INSERT INTO hold (id, stream_id, from_90k, to_90k, why, created_90k) VALUES (nullif(?, 0), ?, ?, ?, ?, ?) RETURNING id`,
		h.ID, h.Stream, h.From90k, h.To90k, h.Why, h.Created90k).Scan(&id)
	if err == nil {
		t.marked(h.Stream, h.From90k)
		err = t.err
	}
	if err != nil {
		return 0, fmt.Errorf("add hold: %w", err)
	}
	return id, nil
}

// marked notes that a hold of a stream was added or removed.
func (t *Tx) marked(stream, from90k int64) {
	t.exec(`UPDATE meta SET hold_changes = hold_changes + 1`)
	t.journal(MakeRecordingID(stream, 0), from90k, Marked)
}

// HoldsChanged says that holds were changed so often before, when the database was another one, which was lost.
func (t *Tx) HoldsChanged(times int64) error {
	if t.exec(`UPDATE meta SET hold_changes = max(hold_changes, ?)`, times); t.err != nil {
		return fmt.Errorf("set how often holds were changed: %w", t.err)
	}
	return nil
}

// HasSealed reports whether a sample directory has a recording that has ended.
func (db *DB) HasSealed(ctx context.Context, dir int64) (has bool, err error) {
	if err := db.sql.QueryRowContext(ctx, qHasSealed, dir).Scan(&has); err != nil {
		return false, fmt.Errorf("look for recordings in sample directory %d: %w", dir, err)
	}
	return has, nil
}

// ErrNoHold says that there is no hold of that number.
var ErrNoHold = errors.New("there is no such hold")

// RemoveHold removes a hold, or returns ErrNoHold.
func (t *Tx) RemoveHold(id int64) error {
	var stream, from90k int64
	err := t.tx.QueryRowContext(t.ctx, `DELETE FROM hold WHERE id = ? RETURNING stream_id, from_90k`, id).Scan(&stream, &from90k)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("hold %d: %w", id, ErrNoHold)
	}
	if err == nil {
		t.marked(stream, from90k)
		err = t.err
	}
	if err != nil {
		return fmt.Errorf("remove hold %d: %w", id, err)
	}
	return nil
}

// Oldest returns up to most recordings of a stream that may be deleted, oldest first: sealed, and not held. dir limits
// them to one sample directory; 0 means any. Since it reads the holds in the transaction that deletes, a hold that was
// answered for is kept.
func (t *Tx) Oldest(stream, dir int64, most int) (victims []Victim, err error) {
	holds, err := t.holds(stream)
	if err != nil {
		return nil, err
	}
	for from := int64(0); len(victims) < most; {
		next, done, err := t.oldestFrom(stream, dir, from, most, holds, &victims)
		if err != nil {
			return nil, fmt.Errorf("find the oldest recordings: %w", err)
		}
		if done {
			break
		}
		from = next
	}
	return victims, nil
}

func (t *Tx) holds(stream int64) (holds []Hold, err error) {
	rows, err := t.tx.QueryContext(t.ctx, qHolds)
	if err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		h, err := scanHold(rows)
		if err != nil {
			return nil, fmt.Errorf("read holds: %w", err)
		}
		if h.Stream == stream {
			holds = append(holds, h)
		}
	}
	return holds, rows.Err()
}

// oldestFrom collects victims from a start on. Where it comes to held footage, it returns from when on to look again, so
// that a long hold costs no more than a short one.
func (t *Tx) oldestFrom(stream, dir, from90k int64, most int, holds []Hold, victims *[]Victim) (next int64, done bool, err error) {
	rows, err := t.tx.QueryContext(t.ctx, qOldest, stream, from90k)
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	for len(*victims) < most && rows.Next() {
		r, err := scanListing(rows, stream)
		if err != nil {
			return 0, false, err
		}
		if h := holding(holds, r.Start90k, max(r.Start90k+1, r.End90k())); h != nil {
			return max(h.To90k, r.Start90k+1), false, nil
		}
		if r.Sealed && (dir == 0 || dir == r.Dir) {
			*victims = append(*victims, Victim{r.ID, r.Start90k, r.End90k(), r.Bytes})
		}
	}
	return 0, true, rows.Err()
}

// NewestLasting returns when the first of the newest recordings of a stream starts that together last for a duration, or
// math.MinInt64 where all together last less.
func (t *Tx) NewestLasting(stream, duration90k int64) (start90k int64, err error) {
	rows, err := t.tx.QueryContext(t.ctx, qNewest, stream)
	if err != nil {
		return 0, fmt.Errorf("sum up the newest recordings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanListing(rows, stream)
		if err != nil {
			return 0, fmt.Errorf("sum up the newest recordings: %w", err)
		}
		if duration90k -= r.WallDuration90k; duration90k <= 0 {
			return r.Start90k, nil
		}
	}
	return math.MinInt64, rows.Err()
}

// holding returns the hold of footage in [from90k, to90k) that lasts longest, or nil.
func holding(holds []Hold, from90k, to90k int64) (found *Hold) {
	for i := range holds {
		if h := &holds[i]; h.From90k < to90k && h.To90k > from90k && (found == nil || h.To90k > found.To90k) {
			found = h
		}
	}
	return found
}

// Delete deletes the row of a recording; its sample file becomes garbage.
func (t *Tx) Delete(v Victim, now90k int64) error {
	var run, dir int64
	err := t.tx.QueryRowContext(t.ctx, `SELECT run_id, dir_id FROM recording WHERE id = ?`, v.ID).Scan(&run, &dir)
	if err != nil {
		return fmt.Errorf("delete recording %s: %w", v.ID, err)
	}
	t.exec(`INSERT INTO garbage (recording_id, dir_id, bytes, since_90k, samples)
		VALUES (?1, ?2, ?3, ?4, coalesce((SELECT samples FROM recording_index WHERE recording_id = ?1), x''))`, v.ID, dir, v.Bytes, now90k)
	t.forget(v.ID, run, v.Bytes, v.Start90k)
	if t.err != nil {
		return fmt.Errorf("delete recording %s: %w", v.ID, t.err)
	}
	return nil
}

// Unlinked says that a sample file of garbage is gone.
func (t *Tx) Unlinked(id RecordingID) error {
	if _, err := t.tx.ExecContext(t.ctx, `DELETE FROM garbage WHERE recording_id = ?`, id); err != nil {
		return fmt.Errorf("forget the deleted recording %s: %w", id, err)
	}
	return nil
}

// SampleDir returns the id of a sample directory, and adds it when it is new.
func (t *Tx) SampleDir(path string) (id int64, err error) {
	err = t.tx.QueryRowContext(t.ctx,
		`INSERT INTO sample_dir (path) VALUES (?) ON CONFLICT (path) DO UPDATE SET path = excluded.path RETURNING id`, path).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("add sample directory %s: %w", path, err)
	}
	return id, nil
}
