package main

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/config"
	"nvrfs/media"
	"nvrfs/playback"
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
		some, err := parseTimes(value, loc, now)
		if err != nil {
			return err
		}
		times = append(times, some...)
	}
	table := tabwriter.NewWriter(env.stdout, 0, 8, 2, ' ', 0)
	for _, t := range times {
		t90k := media.FromTime(t)
		t = media.ToTime(t90k)
		fmt.Fprintf(table, "%d\t%s\t%s\n", t90k, t.Format(time.RFC3339Nano), withOffset(t.In(loc)))
	}
	return table.Flush()
}

// withOffset formats t as RFC 3339 with a number for its offset, even in UTC, and with no more digits than it has.
func withOffset(t time.Time) string {
	return t.Format("2006-01-02T15:04:05.999999999-07:00")
}

// parseTime returns the time that s says, as someone in loc would mean it at the time now; the help of ts lists the
// forms. What s says must lie in the years 1 to 9999 and, in loc, happen once. Errors are usageErrors.
func parseTime(s string, loc *time.Location, now time.Time) (time.Time, error) {
	times, err := parseTimes(s, loc, now)
	if err != nil {
		return time.Time{}, err
	}
	if len(times) > 1 {
		return time.Time{}, usageErrorf("%q happens twice %s, since the clocks are set back; want %s or %s",
			s, inZone(loc), withOffset(times[0]), withOffset(times[1]))
	}
	return times[0], nil
}

// parseTimes is parseTime that returns both of the times, in their order, of one that happens twice.
func parseTimes(s string, loc *time.Location, now time.Time) ([]time.Time, error) {
	times, err := readTimes(strings.TrimSpace(s), loc, now)
	if err != nil {
		return nil, err
	}
	for _, t := range times {
		if year := t.UTC().Year(); year < 1 || year > 9999 {
			return nil, usageErrorf("%q lies outside of the years 0001 to 9999", s)
		}
	}
	return times, nil
}

func readTimes(s string, loc *time.Location, now time.Time) ([]time.Time, error) {
	if t90k, err := strconv.ParseInt(s, 10, 64); err == nil {
		return []time.Time{media.ToTime(t90k)}, nil
	}
	if s == "now" {
		return []time.Time{now}, nil
	}
	if ago, ok := parseAgo(s); ok {
		return []time.Time{now.Add(-ago)}, nil
	}
	day, clock, ok := cutDay(s, now.In(loc))
	if !ok {
		return nil, notATime(s)
	}
	if clock == "" {
		return []time.Time{startOfDay(day, loc)}, nil
	}
	clock, letter := cutPassage(clock)
	wall, zone, ok := parseClock(day, clock)
	if !ok {
		return nil, notATime(s)
	}
	if zone != nil {
		return inPassage(timesOf(wall, zone), letter, s, loc)
	}
	times := timesOf(wall, loc)
	if len(times) == 0 {
		before, after := skipped(wall, loc)
		return nil, usageErrorf("%q does not exist %s: the clocks are set from %s to %s; want a time before or after",
			s, inZone(loc), before.Format(time.TimeOnly), after.Format(time.TimeOnly))
	}
	return inPassage(times, letter, s, loc)
}

var passageForm = regexp.MustCompile(`^(\d\d)([AB])(\d\d)?`)

// cutPassage takes the letter of an hour that a clock change repeats out of a time of day: "02A:30", "02B-30-00". Where there is
// an hour behind the letter, as in some names of entries, it is that one: "02B01-30-00".
func cutPassage(clock string) (without, letter string) {
	m := passageForm.FindStringSubmatch(clock)
	if m == nil {
		return clock, ""
	}
	return cmp.Or(m[3], m[1]) + clock[len(m[0]):], m[2]
}

// inPassage returns those of times that are in the passage of their hour with a letter; all where there is no letter.
func inPassage(times []time.Time, letter, s string, loc *time.Location) ([]time.Time, error) {
	if letter == "" {
		return times, nil
	}
	times = slices.DeleteFunc(times, func(t time.Time) bool { return playback.Passage(t, loc) != letter })
	if len(times) == 0 {
		return nil, usageErrorf("%q: no clock change %s makes an hour %s of it; leave the letter out", s, inZone(loc), letter)
	}
	return times, nil
}

func notATime(s string) error {
	return usageErrorf(`%q is not a time; want one such as 2026-11-20T14:05:30Z, "2026-11-20 14:05:30", `+
		`"today 14:05", now, -10m, or 90 kHz ticks since 1970`, s)
}

// inZone says where local times were looked up.
func inZone(loc *time.Location) string {
	if loc == time.Local {
		return "in this host's time zone"
	}
	return "in " + loc.String()
}

var ago = regexp.MustCompile(`^-(?:([0-9]{1,6})d)?((?:[0-9.]+(?:h|m|s|ms))*)$`)

// parseAgo parses -10m, -2d or -1d12h.
func parseAgo(s string) (time.Duration, bool) {
	parts := ago.FindStringSubmatch(s)
	if parts == nil || parts[1]+parts[2] == "" {
		return 0, false
	}
	const day = 24 * time.Hour
	days, _ := strconv.ParseInt("0"+parts[1], 10, 64) // at most 6 digits
	if days > int64(math.MaxInt64/2/day) {
		return 0, false
	}
	rest, err := time.ParseDuration("0s" + parts[2])
	if err != nil || rest > math.MaxInt64/2 {
		return 0, false
	}
	return time.Duration(days)*day + rest, true
}

// cutDay cuts the day from the front of s and returns its midnight in UTC, which stands for that day in any zone, and
// what follows: a time of day, or "" if there is none. Without a day it is that of now.
func cutDay(s string, now time.Time) (day time.Time, clock string, ok bool) {
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	word, clock, cut := strings.Cut(s, " ")
	switch {
	case word == "today":
		return today, strings.TrimSpace(clock), true
	case word == "yesterday":
		return today.AddDate(0, 0, -1), strings.TrimSpace(clock), true
	case !cut && len(s) <= len("15:04:05.999999999") && strings.IndexByte(s, ':') == 2:
		return today, s, true
	case len(s) < len(time.DateOnly):
		return time.Time{}, "", false
	}
	day, err := time.Parse(time.DateOnly, s[:len(time.DateOnly)])
	rest := s[len(time.DateOnly):]
	if err != nil || rest != "" && (len(rest) == 1 || !strings.ContainsRune(" _Tt", rune(rest[0]))) {
		return time.Time{}, "", false
	}
	return day, strings.TrimLeft(rest, " _Tt"), true
}

// A time of day with : or with -, then perhaps an offset.
var clockForm = regexp.MustCompile(
	`^(?:(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?|(\d\d)-(\d\d)(?:-(\d\d)(?:[.,](\d+))?)?) ?([Zz]|[+-]\d\d:?\d\d)?$`)

// parseClock returns the wall time, as if in UTC, of the time of day s on day, and its zone if s has an offset.
func parseClock(day time.Time, s string) (wall time.Time, zone *time.Location, ok bool) {
	parts := clockForm.FindStringSubmatch(s)
	if parts == nil {
		return time.Time{}, nil, false
	}
	part := func(i int) int { // one of both forms is empty
		n, _ := strconv.Atoi("0" + parts[i] + parts[i+4])
		return n
	}
	hour, minute, second := part(1), part(2), part(3)
	if hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, nil, false
	}
	nanoseconds, _ := strconv.Atoi((parts[4] + parts[8] + "000000000")[:9])
	wall = time.Date(day.Year(), day.Month(), day.Day(), hour, minute, second, nanoseconds, time.UTC)
	if parts[9] == "" {
		return wall, nil, true
	}
	zone, ok = parseOffset(strings.ReplaceAll(parts[9], ":", ""))
	return wall, zone, ok
}

// parseOffset parses Z or +0200.
func parseOffset(s string) (*time.Location, bool) {
	if s == "Z" || s == "z" {
		return time.UTC, true
	}
	hours, _ := strconv.Atoi(s[1:3])
	minutes, _ := strconv.Atoi(s[3:5])
	seconds := (hours*60 + minutes) * 60
	if s[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone("", seconds), hours < 24 && minutes < 60
}

// timesOf returns the times, none, one or two in order, at which clocks in loc show what wall shows in UTC.
func timesOf(wall time.Time, loc *time.Location) []time.Time {
	var times []time.Time
	for _, offset := range offsetsNear(wall, loc) {
		t := wall.Add(-offset).In(loc)
		if _, seconds := t.Zone(); time.Duration(seconds)*time.Second == offset {
			times = append(times, t)
		}
	}
	return times
}

// offsetsNear returns the offset of loc around the time at which its clocks show wall or, near a clock change, those
// before and after it; the greater first, since of a time that happens twice that is the earlier.
func offsetsNear(wall time.Time, loc *time.Location) []time.Duration {
	// No offset is longer than a day, and no zone changes twice in two.
	offsetAt := func(t time.Time) time.Duration {
		_, seconds := t.In(loc).Zone()
		return time.Duration(seconds) * time.Second
	}
	before, after := offsetAt(wall.AddDate(0, 0, -1)), offsetAt(wall.AddDate(0, 0, 1))
	if before == after {
		return []time.Duration{before}
	}
	return []time.Duration{max(before, after), min(before, after)}
}

// skipped returns what the clocks in loc show right before and right after the change that skips wall.
func skipped(wall time.Time, loc *time.Location) (before, after time.Time) {
	_, change := wall.AddDate(0, 0, -1).In(loc).ZoneBounds()
	after = change.In(loc)
	_, offset := change.Add(-time.Nanosecond).In(loc).Zone()
	return change.In(time.FixedZone("", offset)), after
}

// startOfDay returns the first moment of day in loc, which a clock change may have moved from midnight.
func startOfDay(day time.Time, loc *time.Location) time.Time {
	if times := timesOf(day, loc); len(times) > 0 {
		return times[0]
	}
	_, after := skipped(day, loc)
	return after
}
