package clock

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"time"
)

// A day and a time of day, with the separators that recorders put in the names of files, or in those of directories and files.
// In UTC it ends in Z; a name of ours has, in the hour that a clock change repeats, the letter of the passage and the offset.
var timeForm = regexp.MustCompile(
	`(?:^|\D)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)[-_. Tt/]{0,2}(\d\d)(?:([AB])(\d\d)?)?[-_.:]?(\d\d)[-_.:]?(\d\d)(?:([Zz])|([+-]\d{4}))?(?:\D|$)`)

// InName returns the time that the name of a file says, as a local one. Where the file's name alone has none, that of its
// directory may have the day.
func InName(path string, loc *time.Location) (time.Time, error) {
	times, err := AllInName(path, loc)
	if err != nil {
		return time.Time{}, err
	}
	if len(times) > 1 {
		return time.Time{}, fmt.Errorf("%s: the time in its name happens twice %s, since the clocks are set back; "+
			"say when it begins, with: --start %s, or %s",
			path, InZone(loc), WithOffset(times[0]), WithOffset(times[1]))
	}
	return times[0], nil
}

// ErrNoTime says that there is no time in the name of a file.
var ErrNoTime = errors.New("there is no time in its name, such as 2026-11-20_14-03-10")

// AllInName is InName that returns both of the times of one that happens twice.
func AllInName(path string, loc *time.Location) ([]time.Time, error) {
	name := filepath.Base(path)
	parts := timeForm.FindStringSubmatch(name)
	if parts == nil {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		name = filepath.Join(filepath.Base(filepath.Dir(abs)), name)
		parts = timeForm.FindStringSubmatch(name)
	}
	if parts == nil {
		return nil, fmt.Errorf("%s: %w; say when it begins, with: --start TIME", path, ErrNoTime)
	}
	day, hour, letter, utc, offset := parts[1]+"-"+parts[2]+"-"+parts[3], parts[4], parts[5], parts[9], parts[10]
	if parts[6] != "" { // as in 02B01: the hour itself
		hour = parts[6]
	}
	text := day + " " + hour + letter + ":" + parts[7] + ":" + parts[8] + utc
	if letter != "" && offset != "" { // then it is ours, and what looks like an offset is one, whatever zone we are in
		text = day + " " + hour + ":" + parts[7] + ":" + parts[8] + offset
	}
	times, err := ParseAll(text, loc, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("%s: the time in its name: %w", path, err)
	}
	for _, t := range times {
		if t.In(loc).Format("-0700") == offset {
			return []time.Time{t}, nil
		}
	}
	return times, nil
}
