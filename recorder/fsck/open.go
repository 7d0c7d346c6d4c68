package fsck

import (
	"context"
	"errors"

	"nvrfs/recorder/volume"
	"nvrfs/schema"
)

// Open opens the volumes of a data directory for recording, and mends what a crash left in those that are there. It returns the
// rows of the streams that are needed, in their order, each with the number of its next recording.
func Open(ctx context.Context, o volume.Options) (*volume.Set, []schema.Stream, error) {
	set, err := volume.Open(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	if _, err = Rows(ctx, set.DB, o.Needed); err == nil { // before mending, which skips numbers for the sake of those that are absent
		err = Mend(ctx, set, o.Log)
	}
	var rows []schema.Stream
	if err == nil {
		rows, err = Rows(ctx, set.DB, o.Needed)
	}
	for i := 0; i < len(rows) && err == nil; i++ {
		rows[i].NextNumber, err = NextNumber(ctx, set, rows[i], o.Log)
	}
	if err != nil {
		return nil, nil, errors.Join(err, set.Close())
	}
	return set, rows, nil
}

// Rows returns the rows of streams, in their order. Those that the database does not know are new.
func Rows(ctx context.Context, db *schema.DB, needed []volume.Needed) ([]schema.Stream, error) {
	rows := make([]schema.Stream, len(needed))
	err := db.Write(ctx, func(tx *schema.Tx) (err error) {
		for i, n := range needed {
			if rows[i], err = tx.Stream(n.Camera, n.Stream); err != nil {
				return err
			}
		}
		return nil
	})
	return rows, err
}
