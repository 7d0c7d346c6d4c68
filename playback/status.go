package playback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Status is the content of status.json.
type Status struct {
	Version string         `json:"version"`
	Time    time.Time      `json:"time"`
	Streams []StreamStatus `json:"streams"`
}

// StreamStatus says how much footage there is of a stream, and what is being recorded.
type StreamStatus struct {
	Stream     string         `json:"stream"` // label
	Camera     string         `json:"camera"`
	First      time.Time      `json:"first,omitzero"`
	Last       time.Time      `json:"last,omitzero"` // end of the newest footage
	Days       int            `json:"days"`
	Recordings int64          `json:"recordings"`
	Bytes      int64          `json:"bytes"`
	Growing    *GrowingStatus `json:"growing"` // the entry that is being recorded, or null
}

// GrowingStatus describes an entry that is being recorded.
type GrowingStatus struct {
	Path  string    `json:"path"` // from the root of the tree
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Bytes int64     `json:"bytes"`
}

// Status says what footage there is, and what is being recorded. Times are in the Library's zone.
func (v *View) Status(ctx context.Context) (st Status, err error) {
	st = Status{Version: v.l.o.Version, Time: v.local(time.Now()), Streams: []StreamStatus{}}
	sums, err := v.Summaries(ctx)
	for _, x := range sums {
		one, err := v.streamStatus(ctx, x)
		if err != nil {
			return st, err
		}
		st.Streams = append(st.Streams, one)
	}
	return st, err
}

func (v *View) streamStatus(ctx context.Context, sum Summary) (st StreamStatus, err error) {
	st = StreamStatus{Stream: sum.Label, Camera: sum.Camera, Days: sum.Days, Recordings: sum.Recordings, Bytes: sum.Bytes}
	if sum.Recordings > 0 {
		st.First, st.Last = v.local(sum.First), v.local(sum.Last)
	}
	st.Growing, err = v.growing(ctx, sum.Stream)
	if errors.Is(err, ErrStale) { // it grew meanwhile
		st.Growing, err = v.growing(ctx, sum.Stream)
	}
	return st, err
}

// growing describes the newest entry of a stream if it is being recorded.
func (v *View) growing(ctx context.Context, x Stream) (*GrowingStatus, error) {
	if !v.Recorded() {
		return nil, nil
	}
	days, err := v.Days(ctx, x)
	if err != nil || len(days) == 0 {
		return nil, err
	}
	day := days[len(days)-1]
	hours, err := v.Hours(ctx, x, day)
	if err != nil || len(hours) == 0 {
		return nil, err
	}
	hour := hours[len(hours)-1]
	entries, err := v.Entries(ctx, x, hour)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	e := entries[len(entries)-1]
	info, err := v.Info(ctx, e)
	if err != nil {
		return nil, err
	}
	if !info.Growing { // or only between two recordings, of which the next one has no row yet
		if goesOn, err := v.l.goesOn(ctx, e); err != nil || !goesOn {
			return nil, err
		}
	}
	return &GrowingStatus{x.Label + "/" + day.Name + "/" + hour.Name + "/" + e.Name, info.Start, info.End, info.Bytes}, nil
}

// goesOn reports whether the run that an entry ends with has not ended.
func (l *Library) goesOn(ctx context.Context, e *Entry) (bool, error) {
	recs, err := l.recordings(ctx, e)
	if err != nil {
		return false, err
	}
	run, err := l.src.Run(ctx, recs[len(recs)-1].Run)
	return run.EndReason == "", err
}

func (v *View) local(t time.Time) time.Time { return t.In(v.l.o.Location) }

// encode writes v as JSON for people.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// statusKept is how long status.json stays the same, so that the size that was asked for is that of what is read.
const statusKept = time.Second

// keptStatus is the status.json that was made last.
type keptStatus struct {
	busy chan struct{} // has a value while someone looks at what follows, or makes it
	text []byte
	made time.Time
}

// statusText is status.json as it is now, or was a moment ago. Whoever asks while it is made waits for it.
func (v *View) statusText(ctx context.Context) (*Text, error) {
	k := &v.status
	select {
	case k.busy <- struct{}{}:
		defer func() { <-k.busy }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if time.Since(k.made) >= statusKept {
		st, err := v.Status(ctx)
		if err != nil {
			return nil, err
		}
		text, err := encode(st)
		if err != nil {
			return nil, err
		}
		k.text, k.made = text, time.Now() // it may have taken a while
	}
	return &Text{Bytes: k.text, ModTime: k.made, Changes: true, ref: Ref{kind: statusFile}}, nil
}
