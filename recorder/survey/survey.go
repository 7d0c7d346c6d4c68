package survey

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"nvrfs/codec"
	"nvrfs/media"
)

// maxKept bounds each list of what was seen.
const maxKept = 1000

// A Survey is a media.Handler that measures. The zero value is ready to use, once.
type Survey struct {
	mu     sync.Mutex
	tracks []*track
	runs   []string // why another run began, for each one
	first  chan struct{}
	ahead  []float64 // seconds, of the camera's wall clock, by each sender report
}

// track is what was seen of one.
type track struct {
	entries  []media.SampleEntry // the first, and those that came later
	samples  int
	bytes    int64
	syncs    map[string]int // of each kind
	gops     []gop          // those that are whole
	open     gop
	openAt   int64 // DTS
	last     media.Sample
	longest  time.Duration // between the arrivals of two samples
	fit      fit
	firstRcv time.Time
}

// A gop is a sync sample with those that follow until the next.
type gop struct {
	seconds float64
	samples int
}

// Watch runs a session of the source, until d after its first sample. It fails where none came; where the session ended before
// its time, it returns why as early.
func (s *Survey) Watch(ctx context.Context, source media.Source, d time.Duration) (early, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.first = make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- source.Run(ctx, s) }()
	select {
	case err := <-ended:
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	case <-s.first:
	}
	enough := time.NewTimer(d)
	defer enough.Stop()
	select {
	case <-enough.C:
		cancel()
		<-ended
		return nil, nil
	case early = <-ended:
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return early, nil
	}
}

// Start implements media.Handler.
func (s *Survey) Start(tracks []media.SampleEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range tracks {
		s.tracks = append(s.tracks, &track{entries: []media.SampleEntry{e}, syncs: map[string]int{}})
	}
	return nil
}

// NewEntry implements media.Handler.
func (s *Survey) NewEntry(n int, e media.SampleEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tracks[n]; len(t.entries) < maxKept {
		t.entries = append(t.entries, e)
	}
	return nil
}

// NewRun implements media.Handler.
func (s *Survey) NewRun(tracks []media.SampleEntry, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.runs) < maxKept {
		s.runs = append(s.runs, reason)
	}
	for i, e := range tracks {
		if i >= len(s.tracks) {
			s.tracks = append(s.tracks, &track{entries: []media.SampleEntry{e}, syncs: map[string]int{}})
		} else if t := s.tracks[i]; len(t.entries) < maxKept {
			t.entries = append(t.entries, e)
		}
	}
	for _, t := range s.tracks {
		t.open, t.fit = gop{}, fit{} // times may step
	}
	return nil
}

// Sample implements media.Handler.
func (s *Survey) Sample(x media.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.Track >= len(s.tracks) {
		return fmt.Errorf("a sample of track %d, of which nothing was said", x.Track)
	}
	s.tracks[x.Track].take(x)
	if s.first != nil {
		select {
		case <-s.first:
		default:
			close(s.first)
		}
	}
	return nil
}

// Reports is for rtsp.Source: it takes the camera's wall clock.
func (s *Survey) Reports(wall, received time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ahead) < maxKept {
		s.ahead = append(s.ahead, wall.Sub(received).Seconds())
	}
}

func (t *track) take(x media.Sample) {
	e := t.entries[len(t.entries)-1]
	rate := float64(e.Timescale)
	if t.samples == 0 {
		t.firstRcv = x.Received
	} else {
		t.longest = max(t.longest, x.Received.Sub(t.last.Received))
	}
	if x.Sync && e.Kind == media.Video {
		t.syncs[codec.SyncWords(e, x.Data)]++
		if t.open.samples > 0 && len(t.gops) < maxKept {
			t.open.seconds = float64(x.DTS-t.openAt) / rate
			t.gops = append(t.gops, t.open)
		}
		t.open, t.openAt = gop{}, x.DTS
	}
	t.open.samples++
	t.samples++
	t.bytes += int64(len(x.Data))
	t.fit.add(x.Received.Sub(t.firstRcv).Seconds(), float64(x.DTS)/rate)
	x.Data = nil
	t.last = x
}

// entry returns the newest sample entry.
func (t *track) entry() media.SampleEntry { return t.entries[len(t.entries)-1] }

// longestGOP returns the longest one, of which the newest may not be over yet.
func (t *track) longestGOP() (longest float64, whole bool) {
	for _, g := range t.gops {
		longest = max(longest, g.seconds)
	}
	if open := float64(t.last.DTS-t.openAt) / float64(t.entry().Timescale); t.open.samples > 0 && open > longest {
		return open, false
	}
	return longest, len(t.gops) > 0
}

// medianGOP returns one in the middle.
func (t *track) medianGOP() (g gop, ok bool) {
	if len(t.gops) == 0 {
		return gop{}, false
	}
	sorted := slices.Clone(t.gops)
	slices.SortFunc(sorted, func(a, b gop) int { return a.samples - b.samples })
	return sorted[len(sorted)/2], true
}

// settle is how long times are not compared at first: many cameras begin with what they have kept since the last sync sample.
const settle = 2.0

// fit is the straight line through times of arrival and media times.
type fit struct{ n, x, y, xx, xy, from, to float64 }

func (f *fit) add(arrived, media float64) {
	if arrived < settle {
		return
	}
	if f.n == 0 {
		f.from = arrived
	}
	f.to = arrived
	f.n++
	f.x += arrived
	f.y += media
	f.xx += arrived * arrived
	f.xy += arrived * media
}

// slope returns how many seconds of media come in a second, and of how many seconds it is. It is not ok where the line is too short
// to tell.
func (f *fit) slope() (s, of float64, ok bool) {
	if f.n < 10 || f.to-f.from < settle {
		return 0, 0, false
	}
	return (f.n*f.xy - f.x*f.y) / (f.n*f.xx - f.x*f.x), f.to - f.from, true
}
