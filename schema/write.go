package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// keptChanges is how many rows of the journal stay: hours of footage of hundreds of streams, against readers that look
// twice a second.
const keptChanges = 50_000

// Tx is a transaction that writes.
type Tx struct {
	ctx context.Context
	tx  *sql.Tx
}

// Write runs f in one transaction, which is committed, and durable, when Write returns nil.
func (db *DB) Write(ctx context.Context, f func(*Tx) error) error {
	tx, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write to database %s: %w", db.path, err)
	}
	defer tx.Rollback() //nolint:errcheck // no error after Commit
	if err := f(&Tx{ctx, tx}); err != nil {
		return fmt.Errorf("write to database %s: %w", db.path, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write to database %s: commit: %w", db.path, err)
	}
	return nil
}

// Stream returns the stream of a camera, "main" or "sub", and adds it when it is new.
func (t *Tx) Stream(camera, name string) (Stream, error) {
	s := Stream{Camera: camera, Name: name}
	err := t.tx.QueryRowContext(t.ctx,
		`INSERT INTO stream (camera, name) VALUES (?, ?)
		 ON CONFLICT (camera, name) DO UPDATE SET camera = excluded.camera
		 RETURNING id, next_number`, camera, name).Scan(&s.ID, &s.NextNumber)
	if err != nil {
		return s, fmt.Errorf("add stream %s of camera %s: %w", name, camera, err)
	}
	return s, nil
}

// Run returns the id of a run, and adds it when it is new.
func (t *Tx) Run(stream int64, uuid string, start90k int64) (id int64, err error) {
	err = t.tx.QueryRowContext(t.ctx,
		`INSERT INTO run (stream_id, uuid, start_90k) VALUES (?, ?, ?)
		 ON CONFLICT (uuid) DO UPDATE SET uuid = excluded.uuid
		 RETURNING id`, stream, uuid, start90k).Scan(&id)
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

// SampleEntry returns the id of a sample entry, and adds it when it is new. e.ID is not used.
func (t *Tx) SampleEntry(e SampleEntry) (id int64, err error) {
	err = t.tx.QueryRowContext(t.ctx,
		`INSERT INTO sample_entry (kind, codec, timescale, width, height, box) VALUES (?, ?, ?, ?, ?, ?)
		 ON CONFLICT (box, timescale) DO UPDATE SET codec = excluded.codec
		 RETURNING id`, e.Kind, e.Codec, e.Timescale, e.Width, e.Height, e.Box).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("add sample entry %s: %w", e.Codec, err)
	}
	return id, nil
}

// SealRow ends a recording as its row says it is.
func (t *Tx) SealRow(id RecordingID) error {
	var start90k int64
	err := t.tx.QueryRowContext(t.ctx, `UPDATE recording SET sealed = 1 WHERE id = ? AND sealed = 0 RETURNING start_90k`, id).Scan(&start90k)
	if err == sql.ErrNoRows {
		return nil // it was sealed already
	}
	if err == nil {
		err = t.journal(id, start90k, false)
	}
	if err != nil {
		return fmt.Errorf("seal recording %s: %w", id, err)
	}
	return nil
}

// PutRecording adds a recording with its packed index, or replaces the row of one that has grown or been sealed.
func (t *Tx) PutRecording(r *Recording, index []byte) error {
	if err := t.putRecording(r, index); err != nil {
		return fmt.Errorf("put recording %s: %w", r.ID, err)
	}
	return nil
}

func (t *Tx) putRecording(r *Recording, index []byte) error {
	var was90k int64
	var sealed bool
	err := t.tx.QueryRowContext(t.ctx, `SELECT start_90k, sealed FROM recording WHERE id = ?`, r.ID).Scan(&was90k, &sealed)
	isNew := err == sql.ErrNoRows
	switch {
	case err != nil && !isNew:
		return err
	case sealed:
		return errors.New("it is sealed")
	}
	for _, q := range []struct {
		text string
		args []any
	}{
		{
			`INSERT INTO recording (id, stream_id, run_id, sequence, start_90k, wall_duration_90k, header_bytes, bytes, sealed, layout)
		  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		  ON CONFLICT (id) DO UPDATE SET start_90k = excluded.start_90k, wall_duration_90k = excluded.wall_duration_90k, bytes = excluded.bytes,
		  sealed = excluded.sealed, layout = excluded.layout`,
			[]any{r.ID, r.ID.Stream(), r.Run, r.Sequence, r.Start90k, r.WallDuration90k, r.HeaderBytes, r.Bytes, r.Sealed, packLayout(r.Tracks)},
		},
		{`INSERT INTO recording_index (recording_id, samples) VALUES (?, ?)
		  ON CONFLICT (recording_id) DO UPDATE SET samples = excluded.samples`, []any{r.ID, index}},
		{`UPDATE stream SET next_number = max(next_number, ?) WHERE id = ?`, []any{r.ID.Number() + 1, r.ID.Stream()}},
	} {
		if _, err := t.tx.ExecContext(t.ctx, q.text, q.args...); err != nil {
			return err
		}
	}
	moved := !isNew && was90k != r.Start90k
	if moved { // whoever lists by time has to look at both places
		if err := t.journal(r.ID, was90k, false); err != nil {
			return err
		}
	}
	return t.journal(r.ID, r.Start90k, isNew || moved)
}

// journal notes a change to a recording, and forgets old ones.
func (t *Tx) journal(id RecordingID, start90k int64, added bool) error {
	_, err := t.tx.ExecContext(t.ctx, `INSERT INTO change (stream_id, start_90k, added) VALUES (?, ?, ?)`, id.Stream(), start90k, added)
	if err == nil {
		_, err = t.tx.ExecContext(t.ctx, `DELETE FROM change WHERE rev <= (SELECT max(rev) FROM change) - ?`, keptChanges)
	}
	return err
}
