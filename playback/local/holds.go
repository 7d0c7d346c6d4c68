package local

import (
	"context"
	"sync"

	"nvrfs/holds"
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

// writer is the database, opened for writing when a hold is first changed.
type writer struct {
	mu sync.Mutex
	db *schema.DB
}

func (s *Source) write(ctx context.Context, change func(*schema.Tx) error) error {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	if s.writer.db == nil {
		db, err := schema.OpenExisting(ctx, s.Dir())
		if err != nil {
			return err
		}
		s.writer.db = db
	}
	if err := s.writer.db.Write(ctx, change); err != nil {
		return err
	}
	s.writeBeside(ctx)
	return nil
}

// writeBeside has the sample directories say what is held. The database says so already: the change is made, and what could not be
// written is written later.
func (s *Source) writeBeside(ctx context.Context) {
	const later = "the list of holds could not be written beside the sample files; the recorder writes it once the disk is there"
	failed, err := holds.Write(ctx, s.writer.db, s.Dir())
	if err != nil {
		s.dirs.log.Warn(later, "err", err)
	}
	for path, err := range failed {
		s.dirs.log.Warn(later, "path", path, "err", err)
	}
}

func (w *writer) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.db == nil {
		return nil
	}
	return w.db.Close()
}
