package importer

import (
	"nvrfs/media"
	"nvrfs/store"
)

// BlockBytes is how much of a file is read at once.
const BlockBytes = blockBytes

// A Cursor walks through the samples of a track, lap after lap.
type Cursor struct{ c *cursor }

// NewCursor returns a cursor at the first sample of a track of a file.
func NewCursor(f *File, track int) (*Cursor, error) {
	l, err := f.lapping()
	if err != nil {
		return nil, err
	}
	return &Cursor{newCursor(f, l, track)}, nil
}

func (c *Cursor) DTS() int64 { return c.c.dts }
func (c *Cursor) Over() bool { return c.c.over }
func (c *Cursor) Take() (media.Sample, int32, uint32) {
	x, cts, d := c.c.take()
	return x.Sample, cts, d
}
func (c *Cursor) LapStart(lap int64, rate uint32) int64 { return c.c.start(lap, rate) }

// SetBulk has an importer write by another Bulk, commit when half of most recordings wait, and tell another function of it.
func (im *Importer) SetBulk(other func(store.Bulk) store.Bulk, most int, committed func(int64)) {
	im.queue.mu.Lock() // the committer waits for the queue
	defer im.queue.mu.Unlock()
	im.bulk = other(im.bulk)
	im.committer.bulk, im.queue.most, im.committer.committed = im.bulk, most, committed
}
