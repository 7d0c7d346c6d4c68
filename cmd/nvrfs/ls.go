package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/playback"
)

func newLSCommand(env *environment) *cobra.Command {
	var from footageFlags
	var asJSON, reasons bool
	cmd := &cobra.Command{
		Use:   "ls [CAMERA [DAY]]",
		Short: "List what footage there is",
		Long: `Without arguments, list the cameras: first and last footage, bytes, days. With
a CAMERA, list its days. With a DAY such as 2026-11-20, today or yesterday,
list the spans of footage on it, the gaps between them, and why the recording
before a gap ended.

With --reasons, list the runs instead: of every camera, of a CAMERA, or of
those with footage of a DAY. A run is a session with a camera, or a part of
one, from when it began to the end of its footage, without a gap. It ends for
the reason that is shown.`,
		Example: `  nvrfs ls
  nvrfs ls front-door
  nvrfs ls front-door yesterday --json
  nvrfs ls --reasons front-door today`,
		Args: wantArgs(0, 2, "CAMERA DAY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			lib, err := from.open(ctx, env)
			if err != nil {
				return err
			}
			defer lib.Close() //nolint:errcheck // read only: nothing can be lost
			l := lister{env: env, view: lib.View(nil), json: asJSON, recorded: lib.Recorded()}
			switch {
			case reasons:
				return l.runs(ctx, args)
			case len(args) == 0:
				return l.cameras(ctx)
			case len(args) == 1:
				return l.days(ctx, args[0])
			default:
				return l.day(ctx, args[0], args[1])
			}
		},
	}
	from.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for scripts: times in RFC 3339, sizes in bytes")
	cmd.Flags().BoolVar(&reasons, "reasons", false, "list the runs, and why each ended")
	return cmd
}

type lister struct {
	env      *environment
	view     *playback.View
	json     bool
	recorded bool // something records now; looked at before anything is read
}

// The JSON of the listings.
type (
	cameraListing struct {
		Camera     string     `json:"camera"` // as in the mount: "front-door", "front-door.sub"
		First      *time.Time `json:"first"`  // null when there is nothing
		Last       *time.Time `json:"last"`
		Bytes      int64      `json:"bytes"`
		Recordings int64      `json:"recordings"`
		Days       int        `json:"days"`
	}
	dayListing struct {
		Day     string    `json:"day"`
		First   time.Time `json:"first"`
		Last    time.Time `json:"last"`
		Seconds float64   `json:"seconds"` // of footage
		Bytes   int64     `json:"bytes"`
		Gaps    int       `json:"gaps"`
	}
	spanListing struct {
		Start     time.Time `json:"start"`
		End       time.Time `json:"end"`
		Seconds   float64   `json:"seconds"`
		Bytes     int64     `json:"bytes"`
		Gap       float64   `json:"gap_before_seconds"` // since the span before; 0 for the first
		EndReason string    `json:"end_reason"`         // why the recording ended; empty while it goes on
	}
	runListing struct {
		Camera    string    `json:"camera"`
		Start     time.Time `json:"start"`
		End       time.Time `json:"end"` // of its footage
		Seconds   float64   `json:"seconds"`
		EndReason string    `json:"end_reason"` // "going on" while it does
	}
)

func (l *lister) cameras(ctx context.Context) error {
	sums, err := l.view.Summaries(ctx)
	if err != nil {
		return err
	}
	rows := []cameraListing{}
	for _, sum := range sums {
		row := cameraListing{Camera: sum.Label, Bytes: sum.Bytes, Recordings: sum.Recordings, Days: sum.Days}
		if sum.Recordings > 0 {
			row.First, row.Last = l.local(sum.First), l.local(sum.Last)
		}
		rows = append(rows, row)
	}
	return l.print(rows, "CAMERA\tFIRST\tLAST\tSIZE\tDAYS\t", func(w *tabwriter.Writer) {
		for _, r := range rows {
			first, last := "-", "-"
			if r.First != nil {
				first, last = r.First.Format(time.DateTime), r.Last.Format(time.DateTime)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t\n", r.Camera, first, last, humanBytes(r.Bytes), r.Days)
		}
	})
}

func (l *lister) days(ctx context.Context, label string) error {
	s, err := stream(ctx, l.view, label)
	if err != nil {
		return err
	}
	days, err := l.view.Days(ctx, s)
	if err != nil {
		return err
	}
	rows := []dayListing{}
	for _, d := range days {
		spans, err := l.view.RecordedSpans(ctx, s, d.From90k, d.To90k)
		if err != nil {
			return err
		}
		row := dayListing{Day: d.Name, First: *l.local(spans[0].Start), Last: *l.local(spans[len(spans)-1].End), Gaps: len(spans) - 1}
		for _, x := range spans {
			row.Seconds += x.End.Sub(x.Start).Seconds()
			row.Bytes += x.Bytes
		}
		rows = append(rows, row)
	}
	return l.print(rows, "DAY\tFIRST\tLAST\tFOOTAGE\tSIZE\tGAPS\t", func(w *tabwriter.Writer) {
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t%v\t%s\t%d\t\n", r.Day, r.First.Format(time.TimeOnly), r.Last.Format(time.TimeOnly), seconds(r.Seconds), humanBytes(r.Bytes), r.Gaps)
		}
	})
}

func (l *lister) day(ctx context.Context, label, name string) error {
	s, err := stream(ctx, l.view, label)
	if err != nil {
		return err
	}
	day, err := l.dayNamed(ctx, s, name)
	if err != nil {
		return err
	}
	spans, err := l.view.RecordedSpans(ctx, s, day.From90k, day.To90k)
	if err != nil {
		return err
	}
	rows := []spanListing{}
	for i, x := range spans {
		row := spanListing{Start: *l.local(x.Start), End: *l.local(x.End), Seconds: x.End.Sub(x.Start).Seconds(), Bytes: x.Bytes, EndReason: l.ended(x.EndReason)}
		if i > 0 {
			row.Gap = x.Start.Sub(spans[i-1].End).Seconds()
		}
		rows = append(rows, row)
	}
	return l.print(rows, "START\tEND\tFOOTAGE\tSIZE\tGAP BEFORE\tENDED\t", func(w *tabwriter.Writer) {
		for i, r := range rows {
			gap := "-"
			if i > 0 {
				gap = seconds(r.Gap).String()
			}
			fmt.Fprintf(w, "%s\t%s\t%v\t%s\t%s\t%s\t\n", r.Start.Format(time.TimeOnly), r.End.Format(time.TimeOnly), seconds(r.Seconds), humanBytes(r.Bytes), gap, cmp.Or(r.EndReason, goingOn))
		}
	})
}

// dayNamed returns the day of a stream that the user names.
func (l *lister) dayNamed(ctx context.Context, s playback.Stream, name string) (playback.Span, error) {
	at, err := parseTime(name, l.view.Location(), l.env.now())
	if err != nil {
		return playback.Span{}, err
	}
	day, err := l.view.Day(ctx, s, at.In(l.view.Location()).Format(time.DateOnly))
	if errors.Is(err, playback.ErrNotFound) {
		return day, usageErrorf("camera %s has no footage on %s; see its days with: nvrfs ls %s", s.Label, name, s.Label)
	}
	return day, err
}

// goingOn is the reason shown of a run that has not ended.
const goingOn = "going on"

// ended returns why a run ended, of which the rows say reason; empty while it goes on.
func (l *lister) ended(reason string) string {
	if reason == "" && !l.recorded {
		return "the recorder was cut off" // which is what the next one will say
	}
	return reason
}

// runs lists the runs of all cameras, of one, or of one on a day.
func (l *lister) runs(ctx context.Context, args []string) error {
	streams, err := l.view.Streams(ctx)
	if err != nil {
		return err
	}
	span := playback.Span{To90k: math.MaxInt64}
	if len(args) > 0 {
		s, err := stream(ctx, l.view, args[0])
		if err != nil {
			return err
		}
		streams = []playback.Stream{s}
		if len(args) > 1 {
			if span, err = l.dayNamed(ctx, s, args[1]); err != nil {
				return err
			}
		}
	}
	rows := []runListing{}
	for _, s := range streams {
		runs, err := l.view.Runs(ctx, s, span.From90k, span.To90k)
		if err != nil {
			return err
		}
		for _, r := range runs {
			rows = append(rows, runListing{s.Label, *l.local(r.Start), *l.local(r.End), r.End.Sub(r.Start).Seconds(), cmp.Or(l.ended(r.EndReason), goingOn)})
		}
	}
	return l.print(rows, "CAMERA\tSTART\tEND\tLENGTH\tENDED\t", func(w *tabwriter.Writer) {
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t%v\t%s\t\n", r.Camera, r.Start.Format(time.DateTime), r.End.Format(time.DateTime), seconds(r.Seconds), r.EndReason)
		}
	})
}

// print writes rows as JSON, or as the table that body writes below header.
func (l *lister) print(rows any, header string, body func(*tabwriter.Writer)) error {
	if l.json {
		enc := json.NewEncoder(l.env.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(rows)
	}
	w := tabwriter.NewWriter(l.env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, header)
	body(w)
	return w.Flush()
}

func (l *lister) local(t time.Time) *time.Time {
	t = t.In(l.view.Location())
	return &t
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}

// humanBytes rounds a size for people: "1.2 GB", in powers of 1000 as disks are sold.
func humanBytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		if f /= 1000; f < 999.95 {
			return fmt.Sprintf("%.1f %s", f, unit)
		}
	}
	return fmt.Sprintf("%.1f PB", f/1000)
}
