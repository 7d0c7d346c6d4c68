package local

import (
	"context"
	"errors"

	"nvrfs/schema"
)

// AddHold adds a hold and returns its id.
func (s *Source) AddHold(ctx context.Context, h schema.Hold) (id int64, err error) {
	err = s.write(ctx, func(tx *schema.Tx) error {
		id, err = tx.Hold(h)
		return err
	})
	return id, err
}

// RemoveHold removes a hold, or returns schema.ErrNoHold.
func (s *Source) RemoveHold(ctx context.Context, id int64) error {
	return s.write(ctx, func(tx *schema.Tx) error { return tx.RemoveHold(id) })
}

// write opens the database for one change, which is rare: everything else only reads.
func (s *Source) write(ctx context.Context, change func(*schema.Tx) error) error {
	db, err := schema.OpenExisting(ctx, s.data)
	if err != nil {
		return err
	}
	return errors.Join(db.Write(ctx, change), db.Close())
}
