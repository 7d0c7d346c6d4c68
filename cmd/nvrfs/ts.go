package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/cmd/nvrfs/clock"
	"nvrfs/config"
	"nvrfs/media"
)

func newTSCommand(env *environment) *cobra.Command {
	var zone string
	cmd := &cobra.Command{
		Use:   "ts VALUE...",
		Short: "Convert between 90 kHz ticks, UTC and local time",
		Long: `Print each VALUE three ways: as ticks of 1/90000 s since 1970 UTC, which is how
the database and the sample files count time; in UTC; and in local time with its
offset. Fractions are rounded to the nearest tick and shown to the nanosecond.

A VALUE is one of
  161566517700000                   ticks
  2026-11-20T14:05:30.5+01:00       RFC 3339, with any offset
  "2026-11-20 14:05:30"             local time; the seconds may be left out
  2026-11-20_14-05-30               local time, as in the names of entries
  2026-11-20, today, yesterday      the start of the day
  14:05, "yesterday 14:05"          local time
  now, -10m, -2d                    now, or so long ago, in d (of 24 h), h, m, s

A local time that happens twice, as clocks are set back, is printed twice; A or
B behind the hour says which is meant: "2026-10-25 02A:30" is the first.
Values that start with - stand after --.`,
		Example: `  nvrfs ts now
  nvrfs ts 161566517700000 2026-11-20T14:05:30Z
  nvrfs ts --timezone Europe/Berlin "2026-10-25 02:30"
  nvrfs ts -- -10m`,
		Args:              wantArgs(1, -1, "VALUE, such as 161566517700000, 2026-11-20T14:05:30Z or now"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error {
			loc := env.local
			if zone != "" {
				var err error
				if loc, err = config.LoadTimezone(zone); err != nil {
					return usageErrorf("--timezone: %w", err)
				}
			}
			return env.printTimes(args, loc)
		},
	}
	cmd.Flags().StringVar(&zone, "timezone", "", "the `ZONE` of local times, such as Europe/Berlin (default the host's)")
	return cmd
}

func (env *environment) printTimes(values []string, loc *time.Location) error {
	var times []time.Time
	now := env.now()
	for _, value := range values {
		some, err := clock.ParseAll(value, loc, now)
		if err != nil {
			return &usageError{err}
		}
		times = append(times, some...)
	}
	table := tabwriter.NewWriter(env.stdout, 0, 8, 2, ' ', 0)
	for _, t := range times {
		t90k := media.FromTime(t)
		t = media.ToTime(t90k)
		fmt.Fprintf(table, "%d\t%s\t%s\n", t90k, t.Format(time.RFC3339Nano), clock.WithOffset(t.In(loc)))
	}
	return table.Flush()
}

// parseTime returns the time that s says, as someone in loc would mean it at the time now; the help of ts lists the forms. Errors
// are usageErrors.
func parseTime(s string, loc *time.Location, now time.Time) (time.Time, error) {
	t, err := clock.Parse(s, loc, now)
	if err != nil {
		return t, &usageError{err}
	}
	return t, nil
}
