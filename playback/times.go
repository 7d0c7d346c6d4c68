package playback

import (
	"fmt"
	"strings"
	"time"

	"nvrfs/schema"
)

// A Span is a local day or hour: a directory.
type Span struct {
	Name           string // "2026-11-20", "14"; "02+0200" in an hour that a clock change repeats
	From90k, To90k int64  // [From90k, To90k)
}

const dayFormat = "2006-01-02"

// quarter is the step at which local hours and days can begin: every UTC offset in use is a multiple of it.
const quarter = 15 * time.Minute

// dayOf returns the local day that holds t.
func dayOf(t time.Time, loc *time.Location) Span {
	y, m, d := t.In(loc).Date()
	return Span{
		Name:    t.In(loc).Format(dayFormat),
		From90k: schema.FromTime(midnight(y, m, d, loc)),
		To90k:   schema.FromTime(midnight(y, m, d+1, loc)),
	}
}

// midnight returns when a local day begins, which is later than 0:00 where a clock change skips that.
func midnight(y int, m time.Month, d int, loc *time.Location) time.Time {
	day := time.Date(y, m, d, 12, 0, 0, 0, loc).Format(dayFormat)
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	for t.Format(dayFormat) < day {
		t = t.Add(quarter)
	}
	for t.Add(-quarter).Format(dayFormat) == day {
		t = t.Add(-quarter)
	}
	return t
}

// parseDay returns the day with a name.
func parseDay(name string, loc *time.Location) (Span, bool) {
	t, err := time.ParseInLocation(dayFormat, name, loc)
	if err != nil {
		return Span{}, false
	}
	d := dayOf(t.Add(12*time.Hour), loc)
	return d, d.Name == name
}

// hoursOf splits a day into its hours: the stretches with one hand of the clock and one UTC offset. An hour that occurs
// with two offsets has them in its names.
func hoursOf(day Span, loc *time.Location) []Span {
	type hand struct{ hour, offset int }
	var hours []Span
	var hands []hand
	count := map[int]int{}
	for t := schema.ToTime(day.From90k).In(loc); schema.FromTime(t) < day.To90k; t = t.Add(quarter) {
		_, offset := t.Zone()
		h := hand{t.Hour(), offset}
		if n := len(hands); n == 0 || hands[n-1] != h {
			hands = append(hands, h)
			hours = append(hours, Span{Name: t.Format("15-0700"), From90k: schema.FromTime(t)})
			count[h.hour]++
		}
		hours[len(hours)-1].To90k = min(day.To90k, schema.FromTime(t.Add(quarter)))
	}
	for i := range hours {
		if count[hands[i].hour] == 1 {
			hours[i].Name = hours[i].Name[:2]
		}
	}
	return hours
}

// hourOf returns the hour of a day that holds t90k.
func hourOf(day Span, t90k int64, loc *time.Location) Span {
	for _, h := range hoursOf(day, loc) {
		if t90k < h.To90k {
			return h
		}
	}
	return Span{}
}

// suffix is the UTC offset in the name of an hour that a clock change repeats, else empty.
func (s Span) suffix() string { return s.Name[min(2, len(s.Name)):] }

const nameFormat = "2006-01-02_15-04-05"

// entryName names the entry of a stream that starts at start90k, in hour.
func entryName(label string, start90k int64, hour Span, loc *time.Location) string {
	return fmt.Sprintf("%s_%s%s.mp4", label, schema.ToTime(start90k).In(loc).Format(nameFormat), hour.suffix())
}

// longestClip bounds the clips that have a name, since anyone may ask for one. nvrfs export knows no bound.
const longestClip = 31 * 24 * time.Hour

// ParseClipName reads the name of a clip: two times with "--" between them, of which the second may leave out the date,
// and each may end in a UTC offset: "2026-11-20_14-03-10--14-05-00.mp4". A second time without a date is the first one
// after the start. Nothing longer than longestClip has a name. A clip of more than longestClip has no name.
func ParseClipName(name string, loc *time.Location) (from, to time.Time, ok bool) {
	from, to, ok = parseClipName(name, loc)
	return from, to, ok && to.Sub(from) <= longestClip
}

func parseClipName(name string, loc *time.Location) (from, to time.Time, ok bool) {
	span, ok1 := strings.CutSuffix(name, ".mp4")
	a, b, ok2 := strings.Cut(span, "--")
	from, ok3 := parseLocal(a, loc)
	if !ok1 || !ok2 || !ok3 {
		return from, to, false
	}
	if to, ok = parseLocal(b, loc); ok {
		return from, to, from.Before(to)
	}
	for _, day := range []int{-1, 0, 1} { // -1 where the times have an offset of their own
		to, ok = parseLocal(from.In(loc).AddDate(0, 0, day).Format("2006-01-02_")+b, loc)
		if ok && from.Before(to) {
			return from, to, true
		}
	}
	return from, to, false
}

// parseLocal reads a local time, or one with a UTC offset.
func parseLocal(s string, loc *time.Location) (time.Time, bool) {
	if t, err := time.Parse(nameFormat+"-0700", s); err == nil {
		return t, true
	}
	t, err := time.ParseInLocation(nameFormat, s, loc)
	return t, err == nil
}
