package playback

import (
	"context"
	"fmt"
	"time"
)

// A View is the footage of a Library as one viewer may see it. Streams that the viewer may not see do not exist in it: they are
// not listed, and naming such a stream, or an Entry of one, gets ErrNotFound. Every question about footage is asked through a
// View. It is safe for concurrent use.
type View struct {
	l    *Library
	sees func(Stream) bool // nil where the viewer sees everything
	made time.Time

	status keptStatus
}

// View returns the footage of the streams for which sees is true; nil means all of them. sees is asked at every question, so its
// answer may change. It must be quick, and safe for concurrent use.
func (l *Library) View(sees func(Stream) bool) *View {
	return &View{l: l, sees: sees, made: time.Now(), status: keptStatus{busy: make(chan struct{}, 1)}}
}

// check returns ErrNotFound for a stream that is not to be seen.
func (v *View) check(s Stream) error {
	if v.sees == nil || v.sees(s) {
		return nil
	}
	return fmt.Errorf("stream %s: %w", s.Label, ErrNotFound)
}

// Version is the version of the program.
func (v *View) Version() string { return v.l.o.Version }

// Data is the data directory.
func (v *View) Data() string { return v.l.Data() }

// Location is the time zone of the days and hours.
func (v *View) Location() *time.Location { return v.l.o.Location }

// Recorded reports whether a process records into the data directory now, or mends it.
func (v *View) Recorded() bool { return v.l.Recorded() }

// Ready returns an error if the database does not answer.
func (v *View) Ready(ctx context.Context) error {
	_, err := v.l.src.Rev(ctx)
	return err
}

// Subscribe has f called with the changes, one call at a time, until cancel is called. f is called with nil when changes were missed,
// so that anything may have changed. f must not wait for anything that reads from the Library.
func (v *View) Subscribe(f func([]Change)) (cancel func()) {
	return v.l.Subscribe(func(all []Change) {
		if all == nil || v.sees == nil {
			f(all)
			return
		}
		var seen []Change
		for _, c := range all {
			if v.check(c.Stream) == nil {
				seen = append(seen, c)
			}
		}
		if len(seen) > 0 {
			f(seen)
		}
	})
}

// Streams lists the streams that have footage, or had, by label. The slice must not be changed.
func (v *View) Streams(ctx context.Context) ([]Stream, error) {
	all, err := v.l.Streams(ctx)
	if err != nil || v.sees == nil {
		return all, err
	}
	seen := []Stream{}
	for _, s := range all {
		if v.sees(s) {
			seen = append(seen, s)
		}
	}
	return seen, nil
}

// Stream returns the stream with a label, or ErrNotFound.
func (v *View) Stream(ctx context.Context, label string) (Stream, error) {
	return v.seen(v.l.Stream(ctx, label))
}

// StreamByID returns the stream with an id, or ErrNotFound.
func (v *View) StreamByID(ctx context.Context, id int32) (Stream, error) {
	return v.seen(v.l.StreamByID(ctx, id))
}

func (v *View) seen(s Stream, err error) (Stream, error) {
	if err == nil {
		err = v.check(s)
	}
	if err != nil {
		return Stream{}, err
	}
	return s, nil
}

// Days lists the local days on which a recording of a stream starts. The slice must not be changed.
func (v *View) Days(ctx context.Context, s Stream) ([]Span, error) {
	if err := v.check(s); err != nil {
		return nil, err
	}
	return v.l.Days(ctx, s)
}

// Day returns the day with a name on which a recording starts, or ErrNotFound.
func (v *View) Day(ctx context.Context, s Stream, name string) (Span, error) {
	if err := v.check(s); err != nil {
		return Span{}, err
	}
	return v.l.Day(ctx, s, name)
}

// Hours lists the hours of a day in which a recording of a stream starts. The slice must not be changed.
func (v *View) Hours(ctx context.Context, s Stream, day Span) ([]Span, error) {
	if err := v.check(s); err != nil {
		return nil, err
	}
	return v.l.Hours(ctx, s, day)
}

// Hour returns the hour of a day with a name in which a recording starts, or ErrNotFound.
func (v *View) Hour(ctx context.Context, s Stream, day Span, name string) (Span, error) {
	if err := v.check(s); err != nil {
		return Span{}, err
	}
	return v.l.Hour(ctx, s, day, name)
}

// Entries lists the entries of an hour by start. The slice must not be changed.
func (v *View) Entries(ctx context.Context, s Stream, hour Span) ([]*Entry, error) {
	if err := v.check(s); err != nil {
		return nil, err
	}
	return v.l.Entries(ctx, s, hour)
}

// WholeDay returns the entry that joins all recordings that start on a day.
func (v *View) WholeDay(ctx context.Context, s Stream, day Span) (*Entry, error) {
	if err := v.check(s); err != nil {
		return nil, err
	}
	return v.l.WholeDay(ctx, s, day)
}

// Clip returns the entry that shows exactly the frames of a stream in [from, to), joined across recordings and gaps. It
// returns ErrNotFound when there are none.
func (v *View) Clip(ctx context.Context, s Stream, from, to time.Time) (*Entry, error) {
	if err := v.check(s); err != nil {
		return nil, err
	}
	return v.l.Clip(ctx, s, from, to)
}

// Open opens an entry for a reader, whose name is for the log. The caller must close the File. Open returns ErrStale if the footage of
// the entry has changed since it was listed. The newest entry of a stream, which only grows, opens as it was listed.
func (v *View) Open(ctx context.Context, e *Entry, reader string) (*File, error) {
	if err := v.check(*e.stream); err != nil {
		return nil, err
	}
	return v.l.Open(ctx, e, reader)
}

// Info describes an entry. It returns ErrStale if the footage of the entry has changed since it was listed.
func (v *View) Info(ctx context.Context, e *Entry) (*Info, error) {
	if err := v.check(*e.stream); err != nil {
		return nil, err
	}
	return v.l.Info(ctx, e)
}

// RecordedSpans lists when a stream was recorded in [from90k, to90k), by start.
func (v *View) RecordedSpans(ctx context.Context, s Stream, from90k, to90k int64) ([]RecordedSpan, error) {
	if err := v.check(s); err != nil {
		return nil, err
	}
	return v.l.RecordedSpans(ctx, s, from90k, to90k)
}

// Runs lists the runs of a stream of which a recording starts in [from90k, to90k), by start, each in full.
func (v *View) Runs(ctx context.Context, s Stream, from90k, to90k int64) ([]Run, error) {
	if err := v.check(s); err != nil {
		return nil, err
	}
	return v.l.Runs(ctx, s, from90k, to90k)
}

// Summaries sums up all streams, by label.
func (v *View) Summaries(ctx context.Context) ([]Summary, error) {
	return v.l.summaries(ctx, func(s Stream) bool { return v.sees == nil || v.sees(s) })
}
