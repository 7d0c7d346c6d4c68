package playback

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"nvrfs/media"
	"nvrfs/playback/marks"
)

// Marks returns the marks of a camera that have a part in [from, to), in the order of their starts; where camera is "", those of all
// cameras. They are read while the caller goes through them. It returns ErrNotFound if there is no such camera.
func (v *View) Marks(ctx context.Context, camera string, from, to time.Time) (iter.Seq2[marks.Mark, error], error) {
	rows, err := v.l.src.Streams(ctx)
	if err != nil {
		return nil, err
	}
	var cameras []string
	for i := range rows {
		s, _ := streamOf(&rows[i]) // also one that never had footage
		if (camera == "" || s.Camera == camera) && v.check(s) == nil && !slices.Contains(cameras, s.Camera) {
			cameras = append(cameras, s.Camera)
		}
	}
	if camera != "" && len(cameras) == 0 {
		return nil, fmt.Errorf("camera %s: %w", camera, ErrNotFound)
	}
	src, ok := v.l.src.(marks.Source)
	if !ok {
		cameras = nil
	}
	return marks.All(ctx, src, cameras, marks.Range{From: v.local(from), To: to}), nil
}

// PathAt returns the path, from the root of the tree, of the entry that shows a camera at a time, or "" where there is none. Where several
// streams show it, main comes first.
func (v *View) PathAt(ctx context.Context, camera string, t time.Time) (path string, err error) {
	streams, err := v.Streams(ctx)
	if err != nil {
		return "", err
	}
	for _, main := range []bool{true, false} {
		for _, s := range streams {
			if s.Camera != camera || (s.Label == camera) != main {
				continue
			}
			if path, err = v.pathIn(ctx, s, t); path != "" || err != nil {
				return path, err
			}
		}
	}
	return "", nil
}

// pathIn is PathAt for one stream. An entry is listed in the hour in which it starts, and may reach into the next.
func (v *View) pathIn(ctx context.Context, s Stream, t time.Time) (path string, err error) {
	hour := v.l.HourAt(media.FromTime(t))
	for range 2 {
		entries, err := v.Entries(ctx, s, hour)
		if err != nil {
			return "", err
		}
		for _, e := range entries {
			if !t.Before(e.Start) && t.Before(e.End) {
				return s.Label + "/" + v.l.DayAt(hour.From90k).Name + "/" + hour.Name + "/" + e.Name, nil
			}
		}
		hour = v.l.HourAt(hour.From90k - 1)
	}
	return "", nil
}
