package playback

import (
	"context"
	"strings"
	"time"

	"nvrfs/media"
	"nvrfs/playback/marks"
)

// Info says what an entry is made of. Times are in the Library's zone.
type Info struct {
	Camera          string          `json:"camera"`
	Stream          string          `json:"stream"`
	Start           time.Time       `json:"start"`
	End             time.Time       `json:"end"`
	DurationSeconds float64         `json:"duration_seconds"` // how long the entry plays; gaps are left out
	Bytes           int64           `json:"bytes"`
	ETag            string          `json:"etag"`
	Growing         bool            `json:"growing"` // the last recording of the entry is not sealed
	Codecs          []string        `json:"codecs"`  // RFC 6381
	Gaps            []InfoGap       `json:"gaps"`
	Recordings      []InfoRecording `json:"recordings"`
	Marks           []marks.Mark    `json:"marks"`                // what the camera told of meanwhile, by start
	MoreMarks       bool            `json:"more_marks,omitempty"` // than are listed; nvrfs marks lists all
}

// mostInfoMarks is more marks than nvrfs keeps of an hour.
const mostInfoMarks = 5000

// InfoGap is a span of wall time that an entry leaves out.
type InfoGap struct {
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Reason string    `json:"reason,omitempty"` // why the run before it ended
}

// InfoRecording is one recording of an entry.
type InfoRecording struct {
	Number int64     `json:"number"` // of the recording, which the name of its sample file has too
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Bytes  int64     `json:"bytes"`
}

// Info describes an entry. It returns ErrStale if the footage of the entry has changed since it was listed.
func (l *Library) Info(ctx context.Context, e *Entry) (*Info, error) {
	recs, err := l.recordings(ctx, e)
	if err != nil {
		return nil, err
	}
	f, err := l.Open(ctx, e, "info")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	local := func(t90k int64) time.Time { return media.ToTime(t90k).In(l.o.Location) }
	info := &Info{
		Camera: e.stream.Camera, Stream: e.stream.Name,
		Start: e.Start.In(l.o.Location), End: e.End.In(l.o.Location),
		DurationSeconds: float64(f.Duration90k()) / 90000, Bytes: e.Size, ETag: e.ETag,
		Gaps: []InfoGap{},
	}
	codecs := map[string]bool{}
	for i := range recs {
		r := &recs[i]
		for _, t := range r.Tracks {
			entry, err := l.sampleEntry(ctx, t.Entry)
			if err != nil {
				return nil, err
			}
			for c := range strings.SplitSeq(entry.Codec, ",") {
				if !codecs[c] {
					codecs[c] = true
					info.Codecs = append(info.Codecs, c)
				}
			}
		}
		if i > 0 && r.Run != recs[i-1].Run && r.Start90k > recs[i-1].End90k() {
			run, err := l.src.Run(ctx, recs[i-1].Run)
			if err != nil {
				return nil, err
			}
			info.Gaps = append(info.Gaps, InfoGap{local(recs[i-1].End90k()), local(r.Start90k), run.EndReason})
		}
		info.Growing = !r.Sealed
		info.Recordings = append(info.Recordings, InfoRecording{r.ID.Number(), local(r.Start90k), local(r.End90k()), r.Bytes})
	}
	info.Marks = []marks.Mark{}
	if src, ok := l.src.(marks.Source); ok {
		info.Marks, info.MoreMarks, err = marks.Some(ctx, src, info.Camera, marks.Range{From: info.Start, To: info.End}, mostInfoMarks)
	}
	return info, err
}
