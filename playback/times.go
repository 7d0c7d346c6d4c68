package playback

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"nvrfs/media"
)

// A Span is a local day or hour: a directory.
type Span struct {
	Name           string // "2026-11-20", "14"; "02A+0200" and "02B+0100" where a clock change repeats an hour
	From90k, To90k int64  // [From90k, To90k)
}

const dayFormat = "2006-01-02"

// quarter is the step at which local hours and days can begin: every UTC offset in use is a multiple of it.
const quarter = 15 * time.Minute

// dayOf returns the local day that holds t.
func dayOf(t time.Time, loc *time.Location) Span {
	y, m, d := t.In(loc).Date()
	noon := time.Date(y, m, d, 12, 0, 0, 0, loc)
	day := Span{Name: noon.Format(dayFormat)}
	if from, to := noon.Add(-12*time.Hour), noon.Add(12*time.Hour); oneOffset(noon, from.Add(-quarter), to.Add(quarter)) {
		day.From90k, day.To90k = media.FromTime(from), media.FromTime(to)
	} else {
		day.From90k, day.To90k = media.FromTime(midnight(y, m, d, loc)), media.FromTime(midnight(y, m, d+1, loc))
	}
	return day
}

// oneOffset reports whether t's zone has the same UTC offset all the time from one time to another.
func oneOffset(t, from, to time.Time) bool {
	start, end := t.ZoneBounds()
	return (start.IsZero() || !start.After(from)) && (end.IsZero() || !end.Before(to))
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

// hoursOf splits a day into its hours: the spans with one hand of the clock and one UTC offset. Where one occurs again with
// another offset, their names have a letter, so that they sort by time, and the offset, so that they say when they are. Where
// clocks are set back by so much that several hours come again, each of these begins with the last hour before, so that it sorts
// behind that, and has its own behind the letter: 01A, 02A, 02B01, 02B02, 03.
func hoursOf(day Span, loc *time.Location) []Span {
	from, to := media.ToTime(day.From90k).In(loc), media.ToTime(day.To90k)
	if to.Sub(from) == 24*time.Hour && from.Hour() == 0 && from.Minute() == 0 && oneOffset(from, from, to) {
		return plainHours(day)
	}
	return oddHours(day, loc)
}

const hour90k = 3600 * 90000

// plainHours are those of a day without a clock change.
func plainHours(day Span) []Span {
	hours := make([]Span, 24)
	for i := range hours {
		from90k := day.From90k + int64(i)*hour90k
		hours[i] = Span{plainHourNames[2*i : 2*i+2], from90k, from90k + hour90k}
	}
	return hours
}

const plainHourNames = "000102030405060708091011121314151617181920212223"

func oddHours(day Span, loc *time.Location) []Span {
	type hand struct{ hour, offset int }
	var hours []Span
	var hands []hand
	for t := media.ToTime(day.From90k).In(loc); media.FromTime(t) < day.To90k; t = t.Add(quarter) {
		_, offset := t.Zone()
		h := hand{t.Hour(), offset}
		if n := len(hands); n == 0 || hands[n-1] != h {
			hands = append(hands, h)
			hours = append(hours, Span{Name: t.Format("15-0700"), From90k: media.FromTime(t)})
		}
		hours[len(hours)-1].To90k = min(day.To90k, media.FromTime(t.Add(quarter)))
	}
	last, letter := -1, rune(firstPassage) // of the passage before
	for i, h := range hands {
		offset := hours[i].Name[2:]
		again := func(other hand) bool { return other.hour == h.hour }
		switch {
		case h.hour > last && !slices.ContainsFunc(hands[i+1:], again):
			hours[i].Name = hours[i].Name[:2]
		case h.hour > last:
			hours[i].Name = fmt.Sprintf("%02d%c%s", h.hour, firstPassage, offset)
		default:
			if i > 0 && hands[i-1].offset != h.offset {
				letter++
			}
			own := ""
			if h.hour != last || hands[i-1].offset == h.offset { // not only the last hour comes again
				own = fmt.Sprintf("%02d", h.hour)
			}
			hours[i].Name = fmt.Sprintf("%02d%c%s%s", last, letter, own, offset)
		}
		if h.hour > last {
			last, letter = h.hour, firstPassage
		}
	}
	return hours
}

// firstPassage is the letter of an hour that a clock change repeats, when it comes for the first time; B is the second, as in
// the law of some countries.
const firstPassage = 'A'

const offsetLen = len("+0200")

// repeated reports whether a clock change repeats the hour.
func (s Span) repeated() bool { return len(s.Name) > 2 }

// clock returns what stands for the hour in names, "14" or "02A", and the UTC offset behind the seconds, empty or "+0200".
func (s Span) clock() (hour, offset string) {
	if !s.repeated() {
		return s.Name, ""
	}
	end := len(s.Name) - offsetLen
	return s.Name[:end], s.Name[end:]
}

// Passage returns the letter of the hour that holds t, which is A or B where a clock change repeats it, else empty.
func Passage(t time.Time, loc *time.Location) string {
	if hour := hourOf(t, loc); hour.repeated() {
		return hour.Name[2:3]
	}
	return ""
}

// hourOf returns the hour that holds t. It is the zero Span for times before the zone kept to quarters of an hour.
func hourOf(t time.Time, loc *time.Location) Span {
	day := dayOf(t, loc)
	d := calendarDay{day, hoursOf(day, loc)}
	if i := d.index(media.FromTime(t)); i < len(d.hours) {
		return d.hours[i]
	}
	return Span{}
}

const nameFormat = "2006-01-02_15-04-05"

// appendLocal appends a local time, as in names: "2026-11-20_14-03-10", "2026-10-25_02A-30-00+0200". Hour is the one that holds
// it.
func appendLocal(b []byte, t time.Time, hour Span, loc *time.Location) []byte {
	t = t.In(loc)
	if !hour.repeated() {
		return t.AppendFormat(b, nameFormat)
	}
	clock, offset := hour.clock()
	b = append(t.AppendFormat(b, nameFormat[:hourAt]), clock...)
	return append(t.AppendFormat(b, nameFormat[hourEnd:]), offset...)
}

// hourAt and hourEnd are where the hour stands in nameFormat.
const (
	hourAt  = len("2006-01-02_")
	hourEnd = hourAt + 2
)

// entryName names the entry of a stream that starts at start90k, in hour. Where several start in the same second, it is the
// nth of them.
func entryName(label string, start90k int64, hour Span, loc *time.Location, nth int) string {
	b := make([]byte, 0, len(label)+len("_"+nameFormat+"A00+0000-10000.mp4"))
	b = append(append(b, label...), '_')
	b = appendLocal(b, media.ToTime(start90k), hour, loc)
	if nth > 1 {
		b = strconv.AppendInt(append(b, '-'), int64(nth), 10)
	}
	return string(append(b, ".mp4"...))
}

// longestClip bounds the clips that have a name, since anyone may ask for one. nvrfs export knows no bound.
const longestClip = 31 * 24 * time.Hour

// ParseClipName reads the name of a clip: two times with "--" between them, of which the second may leave out the date,
// each may end in a UTC offset, and an hour that a clock change repeats may have its letter: "2026-11-20_14-03-10--14-05-00.mp4",
// "2026-10-25_02A-30-00+0200--02B-10-00.mp4". A second time without a date is the first one
// after the start. A clip of more than longestClip has no name.
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

// parseLocal reads a local time, or one with a UTC offset, or with the letter of an hour that a clock change repeats.
func parseLocal(s string, loc *time.Location) (time.Time, bool) {
	if len(s) > hourEnd && s[hourEnd] >= firstPassage {
		return parsePassage(s, loc)
	}
	if t, err := time.Parse(nameFormat+"-0700", s); err == nil {
		return t, true
	}
	t, err := time.ParseInLocation(nameFormat, s, loc)
	return t, err == nil
}

// parsePassage reads a time in an hour with a letter, as appendLocal writes it; the offset may be left out.
func parsePassage(s string, loc *time.Location) (time.Time, bool) {
	day, ok := parseDay(s[:hourAt-1], loc)
	clock, rest, _ := strings.Cut(s[hourAt:], "-")
	if !ok || s[hourAt-1] != '_' {
		return time.Time{}, false
	}
	for _, hour := range hoursOf(day, loc) {
		have, offset := hour.clock()
		if have != clock {
			continue
		}
		begin := media.ToTime(hour.From90k).In(loc)
		t, err := time.Parse(nameFormat+"-0700", begin.Format(nameFormat[:hourEnd])+"-"+strings.TrimSuffix(rest, offset)+offset)
		t90k := media.FromTime(t)
		return t, err == nil && hour.From90k <= t90k && t90k < hour.To90k
	}
	return time.Time{}, false
}
