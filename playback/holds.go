package playback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nvrfs/media"
	"nvrfs/schema"
)

// ErrNoHold says that there is no hold of that number.
var ErrNoHold = errors.New("there is no such hold")

// errHoldsElsewhere says that the source does not keep holds itself.
var errHoldsElsewhere = errors.New("this footage is held where it is recorded")

// A Hold keeps the footage of a stream from being deleted.
type Hold struct {
	ID         int64
	Stream     string    // label
	Start, End time.Time // footage in [Start, End) is held
	Why        string
	Created    time.Time
}

// A holdingSource is a Source that keeps holds.
type holdingSource interface {
	Holds(ctx context.Context) ([]schema.Hold, error)
	AddHold(ctx context.Context, h schema.Hold) (id int64, err error)
	RemoveHold(ctx context.Context, id int64) error
}

// holding returns the source, which keeps holds, and the streams that may be seen, including streams that never had footage.
func (v *View) holding(ctx context.Context) (src holdingSource, streams []Stream, err error) {
	src, ok := v.l.src.(holdingSource)
	if !ok {
		return nil, nil, errHoldsElsewhere
	}
	rows, err := v.l.src.Streams(ctx)
	if err != nil {
		return nil, nil, err
	}
	for i := range rows {
		if s, _ := streamOf(&rows[i]); v.check(s) == nil {
			streams = append(streams, s)
		}
	}
	return src, streams, nil
}

// Holds lists the holds, oldest first.
func (v *View) Holds(ctx context.Context) ([]Hold, error) {
	src, streams, err := v.holding(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := src.Holds(ctx)
	if err != nil {
		return nil, err
	}
	label := map[int64]string{}
	for _, s := range streams {
		label[s.id] = s.Label
	}
	var holds []Hold
	for _, h := range rows {
		if l, ok := label[h.Stream]; ok {
			holds = append(holds, Hold{h.ID, l, media.ToTime(h.From90k), media.ToTime(h.To90k), h.Why, media.ToTime(h.Created90k)})
		}
	}
	return holds, nil
}

// AddHold adds a hold, and returns it with the ID that it was given. It returns ErrNotFound if there is no such stream.
func (v *View) AddHold(ctx context.Context, h Hold) (Hold, error) {
	src, streams, err := v.holding(ctx)
	if err != nil {
		return h, err
	}
	for _, s := range streams {
		if s.Label != h.Stream {
			continue
		}
		row := schema.Hold{Stream: s.id, From90k: media.FromTime(h.Start), To90k: media.FromTime(h.End), Why: h.Why, Created90k: media.FromTime(h.Created)}
		h.Start, h.End, h.Created = media.ToTime(row.From90k), media.ToTime(row.To90k), media.ToTime(row.Created90k)
		h.ID, err = src.AddHold(ctx, row)
		return h, err
	}
	return h, fmt.Errorf("stream %s: %w", h.Stream, ErrNotFound)
}

// RemoveHold removes a hold. It returns ErrNoHold if there is no hold with that ID, or its stream may not be seen.
func (v *View) RemoveHold(ctx context.Context, id int64) error {
	holds, err := v.Holds(ctx)
	if err != nil {
		return err
	}
	for _, h := range holds {
		if h.ID != id {
			continue
		}
		src, _ := v.l.src.(holdingSource)
		if err := src.RemoveHold(ctx, id); !errors.Is(err, schema.ErrNoHold) {
			return err
		}
	}
	return fmt.Errorf("hold %d: %w", id, ErrNoHold)
}
