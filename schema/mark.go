package schema

import (
	"context"
	"database/sql"
	"fmt"
	"math"
)

// A Mark is an event that a camera told of. Marks lie beside the recordings, and belong to all streams of a camera.
type Mark struct {
	ID       int64
	Camera   string
	Start90k int64
	End90k   int64 // where GoesOn is false
	GoesOn   bool
	Kind     string // "motion", "person", "input"
	Text     string // in the words of the camera
}

// A MarkCursor is where a list of marks goes on: behind the mark with this start and id. The zero value is before the first.
type MarkCursor struct{ Start90k, ID int64 }

// Cursor is behind the mark.
func (m *Mark) Cursor() MarkCursor { return MarkCursor{m.Start90k, m.ID} }

// longMark90k is the duration beyond which the index mark_long has a mark.
const longMark90k = 3600 * 90000

const (
	qMarks = `SELECT id, start_90k, end_90k, kind, text FROM mark
		WHERE camera = ? AND (start_90k, id) > (?, ?) AND start_90k < ? AND max(coalesce(end_90k, 1 << 62), start_90k + 1) > ?
		ORDER BY start_90k, id LIMIT ?`
	// With the condition of the index in its own words.
	qLongMarks = `SELECT id, start_90k, end_90k, kind, text FROM mark
		WHERE camera = ? AND (start_90k, id) > (?, ?) AND start_90k < ? AND max(coalesce(end_90k, 1 << 62), start_90k + 1) > ?
		AND (end_90k IS NULL OR end_90k - start_90k > 324000000)
		ORDER BY start_90k, id LIMIT ?`
	qOpenMarks   = `SELECT DISTINCT camera FROM mark WHERE end_90k IS NULL`
	qDeleteMarks = `DELETE FROM mark WHERE id IN
		(SELECT id FROM mark WHERE camera = ?1 AND start_90k < ?2 AND end_90k < ?2 ORDER BY start_90k LIMIT ?3)`
	qNewestOfCamera = `SELECT stream.id, (SELECT listing FROM recording WHERE stream_id = stream.id ORDER BY start_90k DESC LIMIT 1)
		FROM stream WHERE camera = ?`
	qOldestOfCameras = `SELECT camera, min((SELECT start_90k FROM recording WHERE stream_id = stream.id ORDER BY start_90k LIMIT 1))
		FROM stream GROUP BY camera`
)

// Marks lists the marks of a camera that have a part in [from90k, to90k), by start and id: at most so many behind the cursor.
func (db *DB) Marks(ctx context.Context, camera string, from90k, to90k int64, after MarkCursor, most int) (marks []Mark, err error) {
	scan := func(rows *sql.Rows) error {
		m := Mark{Camera: camera}
		var end90k sql.NullInt64
		err := rows.Scan(&m.ID, &m.Start90k, &end90k, &m.Kind, &m.Text)
		m.End90k, m.GoesOn = end90k.Int64, !end90k.Valid
		marks = append(marks, m)
		return err
	}
	// Those that began an hour and more before the range come first, and only long ones of them reach into it.
	near90k := min(max(from90k, math.MinInt64+longMark90k)-longMark90k, to90k)
	err = db.query(ctx, "marks", qLongMarks, scan, camera, after.Start90k, after.ID, near90k, from90k, most)
	if err != nil || len(marks) == most {
		return marks, err
	}
	if after.Start90k < near90k {
		after = MarkCursor{near90k - 1, math.MaxInt64}
	}
	err = db.query(ctx, "marks", qMarks, scan, camera, after.Start90k, after.ID, to90k, from90k, most-len(marks))
	return marks, err
}

// PutMark adds a mark, and returns its id, or changes the one with the id of m to when that ends. A mark that was deleted
// meanwhile stays so.
func (t *Tx) PutMark(m Mark) (id int64, err error) {
	end90k := sql.NullInt64{Int64: m.End90k, Valid: !m.GoesOn}
	if m.ID != 0 {
		t.exec(`UPDATE mark SET end_90k = ? WHERE id = ?`, end90k, m.ID)
		id, err = m.ID, t.err
	} else {
		err = t.tx.QueryRowContext(t.ctx, `INSERT INTO mark (camera, start_90k, end_90k, kind, text) VALUES (?, ?, ?, ?, ?) RETURNING id`,
			m.Camera, m.Start90k, end90k, m.Kind, m.Text).Scan(&id)
	}
	if err != nil {
		return 0, fmt.Errorf("write a mark of camera %s: %w", m.Camera, err)
	}
	return id, nil
}

// EndMarks ends the marks that go on, of which nobody knows when they ended: with the newest footage of their camera, because that
// was written until the process was cut off that would have ended them.
func (t *Tx) EndMarks() error {
	cameras, err := t.openMarks()
	if err != nil {
		return fmt.Errorf("end marks: %w", err)
	}
	for _, camera := range cameras {
		end90k, err := t.newestOfCamera(camera)
		if err != nil {
			return fmt.Errorf("end marks of camera %s: %w", camera, err)
		}
		t.exec(`UPDATE mark SET end_90k = max(start_90k, ?) WHERE camera = ? AND end_90k IS NULL`, end90k, camera)
	}
	return t.err
}

// openMarks lists the cameras of which a mark goes on.
func (t *Tx) openMarks() (cameras []string, err error) {
	rows, err := t.tx.QueryContext(t.ctx, qOpenMarks)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var camera string
		if err := rows.Scan(&camera); err != nil {
			return nil, err
		}
		cameras = append(cameras, camera)
	}
	return cameras, rows.Err()
}

// newestOfCamera returns when the newest footage of a camera ends; 0 where there is none.
func (t *Tx) newestOfCamera(camera string) (end90k int64, err error) {
	rows, err := t.tx.QueryContext(t.ctx, qNewestOfCamera, camera)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var stream int64
		var listing sql.NullString
		if err := rows.Scan(&stream, &listing); err != nil {
			return 0, err
		}
		if !listing.Valid {
			continue
		}
		r, err := unpackRecording(stream, listing.String)
		if err != nil {
			return 0, err
		}
		end90k = max(end90k, r.End90k())
	}
	return end90k, rows.Err()
}

// DeleteMarks deletes marks of each camera that ended before its oldest footage; of a camera without footage, those that ended
// before without90k. At most so many of a camera are deleted at once, so that no transaction lasts.
func (t *Tx) DeleteMarks(without90k int64, most int) error {
	oldest, err := t.oldestOfCameras()
	if err != nil {
		return fmt.Errorf("find the oldest footage of each camera: %w", err)
	}
	for camera, start90k := range oldest {
		if !start90k.Valid {
			start90k.Int64 = without90k
		}
		if t.exec(qDeleteMarks, camera, start90k.Int64, most); t.err != nil {
			return fmt.Errorf("delete old marks of camera %s: %w", camera, t.err)
		}
	}
	return nil
}

// oldestOfCameras returns when the oldest footage of each camera starts, where it has any.
func (t *Tx) oldestOfCameras() (map[string]sql.NullInt64, error) {
	rows, err := t.tx.QueryContext(t.ctx, qOldestOfCameras)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	oldest := map[string]sql.NullInt64{}
	for rows.Next() {
		var camera string
		var start90k sql.NullInt64
		if err := rows.Scan(&camera, &start90k); err != nil {
			return nil, err
		}
		oldest[camera] = start90k
	}
	return oldest, rows.Err()
}
