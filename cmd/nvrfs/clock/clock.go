// Package clock reads times as people write them, and as recorders put them in the names of files: local ones, of which a clock
// change makes some happen twice, and others never.
package clock

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"nvrfs/media"
	"nvrfs/playback"
)

// WithOffset formats t as RFC 3339 with a number for its offset, even in UTC, and with no more digits than it has.
func WithOffset(t time.Time) string {
	return t.Format("2006-01-02T15:04:05.999999999-07:00")
}

// Parse returns the time that s says, as someone in loc would mean it at the time now; the help of ts lists the
// forms. What s says must lie in the years 1 to 9999 and, in loc, happen once.
func Parse(s string, loc *time.Location, now time.Time) (time.Time, error) {
	times, err := ParseAll(s, loc, now)
	if err != nil {
		return time.Time{}, err
	}
	if len(times) > 1 {
		return time.Time{}, fmt.Errorf("%q happens twice %s, since the clocks are set back; want %s or %s",
			s, InZone(loc), WithOffset(times[0]), WithOffset(times[1]))
	}
	return times[0], nil
}

// ParseAll is Parse that returns both of the times, in their order, of one that happens twice.
func ParseAll(s string, loc *time.Location, now time.Time) ([]time.Time, error) {
	times, err := readTimes(strings.TrimSpace(s), loc, now)
	if err != nil {
		return nil, err
	}
	for _, t := range times {
		if year := t.UTC().Year(); year < 1 || year > 9999 {
			return nil, fmt.Errorf("%q lies outside of the years 0001 to 9999", s)
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
		return inPassage(TimesOf(wall, zone), letter, s, loc)
	}
	times := TimesOf(wall, loc)
	if len(times) == 0 {
		before, after := skipped(wall, loc)
		return nil, fmt.Errorf("%q does not exist %s: the clocks are set from %s to %s; want a time before or after",
			s, InZone(loc), before.Format(time.TimeOnly), after.Format(time.TimeOnly))
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
		return nil, fmt.Errorf("%q: no clock change %s makes an hour %s of it; leave the letter out", s, InZone(loc), letter)
	}
	return times, nil
}

func notATime(s string) error {
	return fmt.Errorf(`%q is not a time; want one such as 2026-11-20T14:05:30Z, "2026-11-20 14:05:30", `+
		`"today 14:05", now, -10m, or 90 kHz ticks since 1970`, s)
}

// InZone says where local times were looked up.
func InZone(loc *time.Location) string {
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

// TimesOf returns the times, none, one or two in order, at which clocks in loc show what wall shows in UTC.
func TimesOf(wall time.Time, loc *time.Location) []time.Time {
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
	if times := TimesOf(day, loc); len(times) > 0 {
		return times[0]
	}
	_, after := skipped(day, loc)
	return after
}
