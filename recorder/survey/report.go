package survey

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"nvrfs/codec"
	"nvrfs/media"
)

// A Report is what was seen, and what to change.
type Report struct {
	Stream    string    `json:"stream,omitempty"`
	URL       string    `json:"url"` // without its password
	Transport string    `json:"transport"`
	Seconds   float64   `json:"seconds"` // from the first sample to the last
	Tracks    []Track   `json:"tracks"`  // what would be recorded
	LeftOut   []LeftOut `json:"left_out,omitempty"`
	Clock     *float64  `json:"clock,omitempty"`
	WallAhead *float64  `json:"wall_clock_ahead,omitempty"` // seconds, of the camera's sender reports
	Lost      uint64    `json:"packets_lost"`
	Damaged   uint64    `json:"packets_damaged"`
	Notes     []string  `json:"notes,omitempty"` // what the source said meanwhile
	Ended     string    `json:"ended,omitempty"` // why the session ended before its time
	Advice    []string  `json:"advice"`

	drift float64 // seconds by which timestamps and arrivals went apart
}

// LeftOut is a track that the camera describes, and that is not recorded.
type LeftOut struct {
	Codec  string `json:"codec"`
	Reason string `json:"reason"`
}

// A Track is one that would be recorded.
type Track struct {
	Kind    string         `json:"kind"`
	Codec   string         `json:"codec"`  // of RFC 6381
	Words   string         `json:"words"`  // the codec for people
	Stored  string         `json:"stored"` // the type of its sample entry
	Width   int            `json:"width,omitempty"`
	Height  int            `json:"height,omitempty"`
	Hz      uint32         `json:"timescale"`
	Samples int            `json:"samples"`
	Rate    float64        `json:"samples_per_second"`
	Bits    float64        `json:"bits_per_second"`
	Syncs   map[string]int `json:"sync_samples,omitempty"` // how many of which kind
	GOP     *GOP           `json:"gop,omitempty"`
	Entries int            `json:"sample_entries"` // how often the camera said another one, and the first
	Pause   float64        `json:"longest_pause"`  // seconds without a sample

	advice string // about its codec
}

// GOP is how far sync samples are apart.
type GOP struct {
	Seconds float64 `json:"seconds"` // the median
	Samples int     `json:"samples"`
	Longest float64 `json:"longest"` // seconds
	Whole   bool    `json:"whole"`   // the longest has ended
}

// Report says what was seen.
func (s *Survey) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Report{Tracks: []Track{}, Advice: []string{}}
	for i, t := range s.tracks {
		if t.samples == 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("the camera described %s (%s) and sent none of it", t.entry().Kind, codec.Words(t.entry())))
			continue
		}
		r.Tracks = append(r.Tracks, t.report())
		if took := t.last.Received.Sub(t.firstRcv).Seconds(); i == 0 {
			r.Seconds = round(took, 3)
			if slope, of, ok := t.fit.slope(); ok {
				r.drift = (slope - 1) * of
				slope = round(slope, 4)
				r.Clock = &slope
			}
		}
	}
	if n := len(s.ahead); n > 0 {
		ahead := slices.Sorted(slices.Values(s.ahead))[n/2]
		ahead = round(ahead, 3)
		r.WallAhead = &ahead
	}
	for _, why := range s.runs {
		r.Notes = append(r.Notes, "another run began: "+why)
	}
	return r
}

func (t *track) report() Track {
	e := t.entry()
	took := t.last.Received.Sub(t.firstRcv).Seconds()
	r := Track{
		Kind: e.Kind.String(), Codec: e.Codec, Words: codec.Words(e), Stored: codec.BoxType(e), Width: int(e.Width), Height: int(e.Height),
		Hz: e.Timescale, Samples: t.samples, Entries: len(t.entries), Pause: round(t.longest.Seconds(), 3),
		advice: codec.Advice(e),
	}
	if took > 0 {
		r.Rate = round(float64(t.samples-1)/took, 2) // the last sample lasts beyond what was seen
		r.Bits = round(float64(t.bytes)*8/float64(t.samples)*r.Rate, 0)
	}
	if e.Kind != media.Video {
		return r
	}
	r.Syncs = t.syncs
	g, _ := t.medianGOP()
	longest, whole := t.longestGOP()
	r.GOP = &GOP{Seconds: round(g.seconds, 3), Samples: g.samples, Longest: round(longest, 3), Whole: whole}
	return r
}

func round(x float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(x*p)/p + 0 // which makes 0 of -0
}

// Text writes the report for people.
func (r Report) Text(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s%s\n", name, fmt.Sprintf(format, args...))
	}
	if r.Stream != "" {
		line("stream", "%s", r.Stream)
	}
	line("url", "%s", r.URL)
	line("measured", "%.1f s over %s", r.Seconds, r.Transport)
	for _, t := range r.Tracks {
		name := "sound"
		if t.Kind == media.Video.String() {
			name = "video"
		}
		line(name, "%s", t.text())
		if t.GOP != nil {
			line("", "%s", t.gopText())
		}
		line("", "recorded as it is sent, stored as %q", t.Stored)
	}
	for _, x := range r.LeftOut {
		line("left out", "%s: %s", x.Codec, x.Reason)
	}
	if len(r.Tracks) == 1 && r.Tracks[0].Kind == media.Video.String() {
		line("sound", "none that is recorded")
	}
	switch {
	case r.Clock != nil && r.clockIsOff():
		line("clock", "the camera's timestamps run at %.3f of this host's time", *r.Clock)
	case r.Clock != nil:
		line("clock", "the camera's timestamps run as fast as this host's clock")
	}
	if r.WallAhead != nil {
		line("clock", "the camera's date is %s", AheadText(*r.WallAhead))
	}
	line("packets", "%d lost, %d damaged", r.Lost, r.Damaged)
	for _, n := range r.Notes {
		line("note", "%s", n)
	}
	if r.Ended != "" {
		line("ended", "%s", r.Ended)
	}
	if len(r.Advice) == 0 {
		line("advice", "nothing is to be changed at the camera")
	}
	for _, a := range r.Advice {
		line("advice", "%s", a)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// AheadText says how a clock that is ahead by some seconds differs from this host's.
func AheadText(seconds float64) string {
	d := time.Duration(math.Abs(seconds) * float64(time.Second)).Round(100 * time.Millisecond)
	if d < time.Second {
		return "that of this host"
	}
	length := d.String()
	if days := d / (24 * time.Hour); days >= 2 { // hours of a clock that is years off say nothing
		length = fmt.Sprintf("%d days", days)
	}
	if seconds > 0 {
		return length + " ahead of this host's"
	}
	return length + " behind this host's"
}

func (t Track) text() string {
	words := t.Words
	if t.Width > 0 {
		words += fmt.Sprintf(", %dx%d, %.4g pictures a second", t.Width, t.Height, t.Rate)
	}
	unit, bits := "kbit/s", t.Bits/1e3
	if bits >= 1000 {
		unit, bits = "Mbit/s", bits/1e3
	}
	return fmt.Sprintf("%s, %.3g %s", words, bits, unit)
}

func (t Track) gopText() string {
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(t.Syncs)) {
		if kind != "" {
			kinds = append(kinds, kind)
		}
	}
	var with string
	if len(kinds) > 0 {
		with = " (" + strings.Join(kinds, ", ") + ")"
	}
	switch g := t.GOP; {
	case g.Samples == 0:
		return fmt.Sprintf("decoding can start at the first picture%s, and at none of the %.1f s after it", with, g.Longest)
	case t.everySync():
		return "decoding can start at every picture" + with
	case g.Longest > 1.5*g.Seconds:
		return fmt.Sprintf("decoding can start every %.1f s as a rule (%d pictures)%s, and at most %.1f s apart", g.Seconds, g.Samples, with, g.Longest)
	default:
		return fmt.Sprintf("decoding can start every %.1f s (%d pictures)%s", g.Seconds, g.Samples, with)
	}
}

func (t Track) everySync() bool {
	n := 0
	for _, k := range t.Syncs {
		n += k
	}
	return n == t.Samples
}
