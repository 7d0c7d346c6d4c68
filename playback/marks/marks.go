// Package marks reads the marks of cameras, which are events such as motion. A database has them in ticks and gives them page by page;
// this package gives them in the order of time, with local times.
package marks

import (
	"context"
	"iter"
	"time"

	"nvrfs/media"
	"nvrfs/schema"
)

// A Mark is an event that a camera told of, such as motion.
type Mark struct {
	Camera string     `json:"camera,omitempty"`
	Start  time.Time  `json:"start"`
	End    *time.Time `json:"end"`  // null while it goes on
	Kind   string     `json:"kind"` // "motion", "person", "input"
	Text   string     `json:"text"` // in the words of the camera
}

// A Source is what marks are read from, such as a database.
type Source interface {
	// Marks lists the marks of a camera that have a part in [from90k, to90k), by start. It returns a page of those behind the cursor.
	Marks(ctx context.Context, camera string, from90k, to90k int64, after schema.MarkCursor, most int) ([]schema.Mark, error)
}

// A Range is a range of time, [From, To), whose zone is that of the times of the marks in it.
type Range struct{ From, To time.Time }

// mark turns a mark of the database into one with local times.
func (r Range) mark(m schema.Mark) Mark {
	local := func(t90k int64) time.Time { return media.ToTime(t90k).In(r.From.Location()) }
	x := Mark{Camera: m.Camera, Start: local(m.Start90k), Kind: m.Kind, Text: m.Text}
	if !m.GoesOn {
		end := local(m.End90k)
		x.End = &end
	}
	return x
}

// Some lists the first marks of a camera that have a part in a range, by start. It leaves out the camera's name. more says that there
// are further ones.
func Some(ctx context.Context, src Source, camera string, r Range, most int) (marks []Mark, more bool, err error) {
	rows, err := src.Marks(ctx, camera, media.FromTime(r.From), media.FromTime(r.To), schema.MarkCursor{}, most+1)
	marks = []Mark{}
	for _, m := range rows[:min(len(rows), most)] {
		m.Camera = ""
		marks = append(marks, r.mark(m))
	}
	return marks, len(rows) > most, err
}

// All yields the marks of cameras that have a part in a range, by start. They are read as they are asked for. It ends with the error
// that it yields, if any.
func All(ctx context.Context, src Source, cameras []string, r Range) iter.Seq2[Mark, error] {
	return func(yield func(Mark, error) bool) {
		lists := make([]list, len(cameras))
		for i, camera := range cameras {
			lists[i] = list{src: src, camera: camera, from90k: media.FromTime(r.From), to90k: media.FromTime(r.To)}
		}
		for {
			first, err := firstOf(ctx, lists)
			if err != nil {
				yield(Mark{}, err)
			}
			if first == nil {
				return
			}
			m := first.page[0]
			first.page = first.page[1:]
			if !yield(r.mark(m), nil) {
				return
			}
		}
	}
}

// atOnce is how many marks of a camera are read at once.
const atOnce = 1000

// A list reads the marks of a camera in a range, page by page.
type list struct {
	src            Source
	camera         string
	from90k, to90k int64

	after schema.MarkCursor
	ended bool
	page  []schema.Mark
}

// fill reads the next page if the last one was taken.
func (l *list) fill(ctx context.Context) (err error) {
	if len(l.page) > 0 || l.ended {
		return nil
	}
	l.page, err = l.src.Marks(ctx, l.camera, l.from90k, l.to90k, l.after, atOnce)
	l.ended = len(l.page) < atOnce
	if n := len(l.page); n > 0 {
		l.after = l.page[n-1].Cursor()
	}
	return err
}

// firstOf returns the list whose next mark starts first, or nil where all have ended.
func firstOf(ctx context.Context, lists []list) (first *list, err error) {
	for i := range lists {
		l := &lists[i]
		if err := l.fill(ctx); err != nil {
			return nil, err
		}
		if len(l.page) > 0 && (first == nil || l.page[0].Start90k < first.page[0].Start90k) {
			first = l
		}
	}
	return first, nil
}
