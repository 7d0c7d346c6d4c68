package playback

import (
	"context"
	"fmt"
	"time"

	"nvrfs/media"
	"nvrfs/schema"
)

// longest90k is more than a recording lasts.
const longest90k = 2 * 15 * 60 * 90000

// Clip returns the entry that shows exactly the frames of a stream in [from, to), joined across recordings and gaps. It
// returns ErrNotFound when there are none.
func (l *Library) Clip(ctx context.Context, s Stream, from, to time.Time) (*Entry, error) {
	e := &Entry{
		stream: &s, kind: clipEntry, from90k: media.FromTime(from), to90k: media.FromTime(to),
		Name: clipName(from, to, l.o.Location),
	}
	newest90k, err := l.newest90k(ctx, s)
	if err != nil {
		return nil, err
	}
	recs, err := l.overlapping(ctx, s, e.from90k, e.to90k)
	if err != nil {
		return nil, err
	}
	if len(recs) == 0 {
		return nil, fmt.Errorf("%s from %s to %s: %w", s.Label, from.Format(time.RFC3339), to.Format(time.RFC3339), ErrNotFound)
	}
	return l.entry(ctx, e, recs, newest90k)
}

func clipName(from, to time.Time, loc *time.Location) string {
	b := appendLocal(nil, from, hourOf(from, loc), loc)
	b = appendLocal(append(b, "--"...), to, hourOf(to, loc), loc)
	return string(append(b, ".mp4"...))
}

// overlapping lists the recordings that have a part in [from90k, to90k), by start.
func (l *Library) overlapping(ctx context.Context, s Stream, from90k, to90k int64) ([]schema.Recording, error) {
	earliest := from90k - longest90k
	if start, _, ok, err := l.src.LastSpan(ctx, s.id, from90k); err != nil {
		return nil, err
	} else if ok {
		earliest = min(earliest, start)
	}
	recs, err := l.startingIn(ctx, s.id, earliest, to90k)
	if err != nil {
		return nil, err
	}
	kept := recs[:0]
	for _, r := range recs {
		if r.End90k() > from90k {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// A RecordedSpan is footage without a gap longer than two seconds.
type RecordedSpan struct {
	Start, End time.Time
	Bytes      int64
	EndReason  string // why the last run in the span ended; empty while that run goes on
}

// RecordedSpans lists when a stream was recorded in [from90k, to90k), by start. Recordings that follow each other within two seconds
// are one span.
func (l *Library) RecordedSpans(ctx context.Context, s Stream, from90k, to90k int64) ([]RecordedSpan, error) {
	recs, err := l.startingIn(ctx, s.id, from90k, to90k)
	if err != nil {
		return nil, err
	}
	var out []RecordedSpan
	end := int64(0)
	var run schema.Run
	for i := range recs {
		r := &recs[i]
		if i == 0 || r.Start90k-end > joinGap90k {
			out = append(out, RecordedSpan{Start: media.ToTime(r.Start90k)})
			end = r.End90k()
		}
		if r.Run != run.ID {
			if run, err = l.src.Run(ctx, r.Run); err != nil {
				return nil, err
			}
		}
		x := &out[len(out)-1]
		end = max(end, r.End90k())
		x.End, x.Bytes, x.EndReason = media.ToTime(end), x.Bytes+r.Bytes, run.EndReason
	}
	return out, nil
}

// A Run is one session with a camera: footage without a gap.
type Run struct {
	Start, End time.Time
	EndReason  string // why it ended; empty while it goes on
}

// Runs lists the runs of a stream of which a recording starts in [from90k, to90k), by start, each in full. Start stays
// where the run began when the first of its footage was deleted.
func (l *Library) Runs(ctx context.Context, s Stream, from90k, to90k int64) ([]Run, error) {
	rows, err := l.src.RunsWith(ctx, s.id, from90k, to90k)
	if err != nil {
		return nil, err
	}
	runs := make([]Run, len(rows))
	for i, r := range rows {
		runs[i] = Run{media.ToTime(r.Start90k), media.ToTime(r.End90k), r.EndReason}
	}
	return runs, nil
}

// A Summary says what there is of a stream.
type Summary struct {
	Stream
	First, Last time.Time // start of the first and end of the last recording; zero when there is none
	Recordings  int64
	Bytes       int64
	Days        int
}

// summaries sums up the streams for which sees is true, by label.
func (l *Library) summaries(ctx context.Context, sees func(Stream) bool) ([]Summary, error) {
	rows, err := l.src.Streams(ctx)
	if err != nil {
		return nil, err
	}
	sums := []Summary{}
	for i := range rows {
		s, ok := streamOf(&rows[i])
		if !ok || !sees(s) {
			continue
		}
		sum, err := l.summary(ctx, Summary{Stream: s, Recordings: rows[i].Recordings, Bytes: rows[i].Bytes})
		if err != nil {
			return nil, err
		}
		sums = append(sums, sum)
	}
	return sums, nil
}

// summary adds the times to a Summary.
func (l *Library) summary(ctx context.Context, sum Summary) (Summary, error) {
	if sum.Recordings == 0 {
		return sum, nil
	}
	first, _, err := l.src.FirstStart(ctx, sum.id, 0)
	if err != nil {
		return sum, err
	}
	_, end, _, err := l.src.LastSpan(ctx, sum.id, 1<<62)
	if err != nil {
		return sum, err
	}
	days, err := l.Days(ctx, sum.Stream)
	sum.First, sum.Last, sum.Days = media.ToTime(first), media.ToTime(end), len(days)
	return sum, err
}
