package playback

import (
	"context"
	"fmt"
	"iter"
	"time"

	"nvrfs/media"
	"nvrfs/schema"
)

// A Mark is an event that a camera told of, such as motion.
type Mark struct {
	Camera string
	Start  time.Time
	End    time.Time // the zero time while it goes on
	Kind   string    // "motion", "person", "input"
	Text   string    // in the words of the camera
}

// A markedSource is a Source that has marks.
type markedSource interface {
	// Marks lists the marks of a camera that have a part in [from90k, to90k), by start: at most so many behind the cursor.
	Marks(ctx context.Context, camera string, from90k, to90k int64, after schema.MarkCursor, most int) ([]schema.Mark, error)
}

// marksAtOnce is how many marks are read at once.
const marksAtOnce = 1000

// Marks yields the marks that have a part in [from, to), by start: those of one camera or, where that is "", of all. They are read
// as they are asked for, a page at a time. It yields ErrNotFound, with which it ends, if there is no such camera.
func (v *View) Marks(ctx context.Context, camera string, from, to time.Time) iter.Seq2[Mark, error] {
	return func(yield func(Mark, error) bool) {
		lists, err := v.markLists(ctx, camera, media.FromTime(from), media.FromTime(to))
		for err == nil {
			var first *markList
			if first, err = firstOf(ctx, lists); err != nil || first == nil {
				break
			}
			m := first.page[0]
			first.page = first.page[1:]
			if !yield(v.mark(m), nil) {
				return
			}
		}
		if err != nil {
			yield(Mark{}, err)
		}
	}
}

func (v *View) mark(m schema.Mark) Mark {
	x := Mark{Camera: m.Camera, Start: v.local(media.ToTime(m.Start90k)), Kind: m.Kind, Text: m.Text}
	if !m.GoesOn {
		x.End = v.local(media.ToTime(m.End90k))
	}
	return x
}

// markLists returns the marks of one camera that may be seen, or of all.
func (v *View) markLists(ctx context.Context, camera string, from90k, to90k int64) (lists []*markList, err error) {
	src, ok := v.l.src.(markedSource)
	rows, err := v.l.src.Streams(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i := range rows {
		s, _ := streamOf(&rows[i]) // also of one that never had footage
		if camera != "" && s.Camera != camera || seen[s.Camera] || v.check(s) != nil {
			continue
		}
		seen[s.Camera] = true
		if ok {
			lists = append(lists, &markList{src: src, camera: s.Camera, from90k: from90k, to90k: to90k})
		}
	}
	if camera != "" && !seen[camera] {
		return nil, fmt.Errorf("camera %s: %w", camera, ErrNotFound)
	}
	return lists, nil
}

// A markList reads the marks of a camera in a range, page by page.
type markList struct {
	src            markedSource
	camera         string
	from90k, to90k int64

	after schema.MarkCursor
	ended bool
	page  []schema.Mark
}

// fill reads the next page if the last one was taken.
func (l *markList) fill(ctx context.Context) (err error) {
	if len(l.page) > 0 || l.ended {
		return nil
	}
	l.page, err = l.src.Marks(ctx, l.camera, l.from90k, l.to90k, l.after, marksAtOnce)
	l.ended = len(l.page) < marksAtOnce
	if n := len(l.page); n > 0 {
		l.after = l.page[n-1].Cursor()
	}
	return err
}

// firstOf returns the list whose next mark starts first, or nil where all have ended.
func firstOf(ctx context.Context, lists []*markList) (first *markList, err error) {
	for _, l := range lists {
		if err := l.fill(ctx); err != nil {
			return nil, err
		}
		if len(l.page) > 0 && (first == nil || l.page[0].Start90k < first.page[0].Start90k) {
			first = l
		}
	}
	return first, nil
}

// PathAt returns the path, from the root of the tree, of the entry of a camera that shows a time; "" where there is none. Of the
// camera's streams, main is looked at first.
func (v *View) PathAt(ctx context.Context, camera string, t time.Time) (path string, err error) {
	all, err := v.Streams(ctx)
	if err != nil {
		return "", err
	}
	var streams []Stream
	for _, s := range all {
		switch {
		case s.Camera != camera:
		case s.Label == camera:
			streams = append([]Stream{s}, streams...)
		default:
			streams = append(streams, s)
		}
	}
	for _, s := range streams {
		if path, err = v.pathIn(ctx, s, t); path != "" || err != nil {
			return path, err
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
