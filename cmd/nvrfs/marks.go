package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/playback/marks"
)

func newMarksCommand(env *environment) *cobra.Command {
	var of footageFlags
	var from, to string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "marks [CAMERA]",
		Short: "List the events that cameras told of, such as motion",
		Long: `List the marks of CAMERA, or of all cameras. A mark is an event that a camera
told of by ONVIF, such as motion, or an input that was closed. Each line says
when it began, how long it lasted, and which file in the mount shows the
beginning; - where there is no footage of it, or not yet.

Cameras that have onvif in the configuration are asked for their events while
nvrfs run records. Marks are kept as long as the footage of their camera.

For the forms of times, see: nvrfs ts --help`,
		Example: `  nvrfs marks
  nvrfs marks front-door --from "yesterday 22:00" --to "today 06:00"
  nvrfs marks --from=-1h --json`,
		Args: wantArgs(0, 1, "CAMERA"),
		RunE: func(cmd *cobra.Command, args []string) error {
			lib, err := of.open(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer lib.Close() //nolint:errcheck // read only: nothing can be lost
			l := markLister{env: env, view: lib.View(nil), recorded: lib.Recorded(), from: media.ToTime(0), to: media.ToTime(math.MaxInt64 / 2)}
			if len(args) > 0 {
				l.camera = args[0]
			}
			if err := l.between(from, to); err != nil {
				return err
			}
			list := l.table
			if asJSON {
				list = l.json
			}
			return list(cmd.Context())
		},
	}
	of.add(cmd)
	cmd.Flags().StringVar(&from, "from", "", "leave out what ended before this `TIME`")
	cmd.Flags().StringVar(&to, "to", "", "leave out what started at this `TIME`, or later")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for scripts: times in RFC 3339")
	return cmd
}

// markLister lists marks.
type markLister struct {
	env      *environment
	view     *playback.View
	recorded bool   // something records now; looked at before anything is read
	camera   string // "" for all
	from, to time.Time
}

// markListing is a mark in JSON. Its end is null while the mark goes on, and where the recorder was killed before it ended.
type markListing struct {
	marks.Mark
	Path string `json:"path"` // of the entry that shows its start, from the root of the mount; empty where none does
}

// between sets the range, of which each bound may be empty.
func (l *markLister) between(from, to string) (err error) {
	for _, b := range []struct {
		text string
		to   *time.Time
	}{{from, &l.from}, {to, &l.to}} {
		if b.text == "" {
			continue
		}
		if *b.to, err = parseTime(b.text, l.view.Location(), l.env.now()); err != nil {
			return err
		}
	}
	if !l.from.Before(l.to) {
		return usageErrorf("--to %s is not after --from %s", to, from)
	}
	return nil
}

// each calls f with each mark. They are read as they are printed, because there may be a million.
func (l *markLister) each(ctx context.Context, f func(markListing) error) error {
	all, err := l.view.Marks(ctx, l.camera, l.from, l.to)
	if errors.Is(err, playback.ErrNotFound) {
		_, err = stream(ctx, l.view, l.camera) // which names those that there are
	}
	if err != nil {
		return err
	}
	for m, err := range all {
		if err != nil {
			return err
		}
		path, err := l.view.PathAt(ctx, m.Camera, m.Start)
		if err == nil {
			err = f(markListing{m, path})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rowsAtOnce is after how many rows of a table the widths of its columns are settled anew.
const rowsAtOnce = 1000

func (l *markLister) table(ctx context.Context) error {
	w := tabwriter.NewWriter(l.env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "START\tLENGTH\tCAMERA\tKIND\tTEXT\tENTRY\t")
	n := 0
	err := l.each(ctx, func(m markListing) error {
		path := m.Path
		if path == "" {
			path = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t\n", m.Start.Format(time.DateTime), l.length(m), m.Camera, m.Kind, m.Text, path)
		if n++; n%rowsAtOnce == 0 {
			return w.Flush()
		}
		return nil
	})
	return errors.Join(err, w.Flush())
}

func (l *markLister) length(m markListing) string {
	switch {
	case m.End != nil:
		return seconds(m.End.Sub(m.Start).Seconds()).String()
	case l.recorded:
		return goingOn
	default:
		return "cut off" // the next recorder says when
	}
}

// json prints an array, a mark a line.
func (l *markLister) json(ctx context.Context) error {
	before := "[\n  "
	err := l.each(ctx, func(m markListing) error {
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(l.env.stdout, "%s%s", before, text)
		before = ",\n  "
		return err
	})
	if err != nil {
		return err
	}
	if before[0] == '[' {
		_, err = io.WriteString(l.env.stdout, "[]\n")
	} else {
		_, err = io.WriteString(l.env.stdout, "\n]\n")
	}
	return err
}
