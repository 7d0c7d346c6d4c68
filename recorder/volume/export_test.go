package volume

import (
	"time"

	"nvrfs/schema"
)

// SetDB has a Writer commit to a database, and returns the one before.
func (w *Writer) SetDB(db *schema.DB) (before *schema.DB) {
	before, w.db = w.db, db
	return before
}

// SetBacklog has a Writer take so many bytes for its backlog, and returns what it had.
func (w *Writer) SetBacklog(bytes int) (before int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before, w.backlog = w.backlog, bytes
	return before
}

// SetInterval sets how often Run commits.
func (w *Writer) SetInterval(d time.Duration) { w.interval = d }

// Done is closed when Run has returned.
func (w *Writer) Done() <-chan struct{} { return w.done }

// Left counts the files and runs that are not committed, and which of the files are open.
func (w *Writer) Left() (files, open, runs int) {
	for _, f := range w.dirty {
		if f.w != nil {
			open++
		}
	}
	return len(w.dirty), open, len(w.ended)
}
