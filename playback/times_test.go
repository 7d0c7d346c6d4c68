package playback

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/media"
)

func location(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Skip("no time zone data: ", err)
	}
	return loc
}

func utc(t testing.TB, s string) time.Time {
	t.Helper()
	x, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestDays(t *testing.T) {
	for _, c := range []struct {
		zone, at   string // at is UTC
		name       string
		from, to   string // UTC
		hours      string // those that are not ordinary; an ordinary day has 24
		otherHours int
	}{
		{"UTC", "2026-11-20 14:30", "2026-11-20", "2026-11-20 00:00", "2026-11-21 00:00", "", 24},
		{"UTC", "2026-11-20 00:00", "2026-11-20", "2026-11-20 00:00", "2026-11-21 00:00", "", 24},
		{"Europe/Berlin", "2026-11-19 23:00", "2026-11-20", "2026-11-19 23:00", "2026-11-20 23:00", "", 24},
		{"Europe/Berlin", "2026-03-29 12:00", "2026-03-29", "2026-03-28 23:00", "2026-03-29 22:00", "-02", 23},
		{"Europe/Berlin", "2026-10-25 12:00", "2026-10-25", "2026-10-24 22:00", "2026-10-25 23:00", "02A+0200 02B+0100", 23},
		{"Asia/Kolkata", "2026-11-20 18:29", "2026-11-20", "2026-11-19 18:30", "2026-11-20 18:30", "", 24},
		{"Asia/Kathmandu", "2026-11-20 12:00", "2026-11-20", "2026-11-19 18:15", "2026-11-20 18:15", "", 24},
		{"Australia/Lord_Howe", "2026-04-04 20:00", "2026-04-05", "2026-04-04 13:00", "2026-04-05 13:30", "01A+1100 01B+1030", 23},
		{"Australia/Lord_Howe", "2026-10-03 20:00", "2026-10-04", "2026-10-03 13:30", "2026-10-04 13:00", "", 24},
		{"America/Havana", "2026-03-08 12:00", "2026-03-08", "2026-03-08 05:00", "2026-03-09 04:00", "-00", 23},
		{"America/Havana", "2026-03-08 04:59", "2026-03-07", "2026-03-07 05:00", "2026-03-08 05:00", "", 24},
		{"America/Havana", "2026-11-01 12:00", "2026-11-01", "2026-11-01 04:00", "2026-11-02 05:00", "00A-0400 00B-0500", 23},
		{"America/Santiago", "2026-04-05 02:30", "2026-04-04", "2026-04-04 03:00", "2026-04-05 04:00", "23A-0300 23B-0400", 23},
		{"America/Santiago", "2026-04-05 03:30", "2026-04-04", "2026-04-04 03:00", "2026-04-05 04:00", "23A-0300 23B-0400", 23},
		{"America/Santiago", "2026-09-06 12:00", "2026-09-06", "2026-09-06 04:00", "2026-09-07 03:00", "-00", 23},
		{"Africa/Cairo", "2026-04-24 12:00", "2026-04-24", "2026-04-23 22:00", "2026-04-24 21:00", "-00", 23},
		{"Antarctica/Troll", "2026-10-25 12:00", "2026-10-25", "2026-10-24 22:00", "2026-10-26 00:00", "01A+0200 02A+0200 02B01+0000 02B02+0000", 22},
		{"Asia/Pyongyang", "2015-08-14 12:00", "2015-08-14", "2015-08-13 15:00", "2015-08-14 15:30", "23A+0900 23B+0830", 23},
		{"Pacific/Apia", "2011-12-29 12:00", "2011-12-29", "2011-12-29 10:00", "2011-12-30 10:00", "", 24},
		{"Pacific/Apia", "2011-12-30 12:00", "2011-12-31", "2011-12-30 10:00", "2011-12-31 10:00", "", 24},
	} {
		t.Run(c.zone+" "+c.at, func(t *testing.T) {
			loc := location(t, c.zone)
			day := dayOf(utc(t, c.at), loc)
			if want := (Span{c.name, media.FromTime(utc(t, c.from)), media.FromTime(utc(t, c.to))}); day != want {
				t.Fatalf("the day is %v, want %v", show(day), show(want))
			}
			if again, ok := parseDay(c.name, loc); !ok || again != day {
				t.Errorf("parsed, the name means %v, %v", show(again), ok)
			}
			checkHours(t, day, loc, c.hours, c.otherHours)
		})
	}
	if _, ok := parseDay("2011-12-30", location(t, "Pacific/Apia")); ok {
		t.Error("a day that was not is parsed")
	}
}

func show(s Span) string {
	return fmt.Sprintf("%s from %v to %v", s.Name, media.ToTime(s.From90k), media.ToTime(s.To90k))
}

// checkHours checks the hours of a day: special names those with offsets, or with "-", one that is missing; the others have
// two digits.
func checkHours(t *testing.T, day Span, loc *time.Location, special string, others int) {
	t.Helper()
	hours := hoursOf(day, loc)
	at := day.From90k
	plain := 0
	var names []string
	for _, h := range hours {
		if h.From90k != at || h.To90k <= at {
			t.Errorf("hour %s follows what ends at %v", show(h), media.ToTime(at))
		}
		at = h.To90k
		names = append(names, h.Name)
		if len(h.Name) == 2 {
			plain++
		}
		local := media.ToTime(h.From90k).In(loc)
		if len(h.Name) == 2 && h.Name != local.Format("15") || len(h.Name) > 2 && h.Name[:2]+h.Name[3:] != local.Format("15-0700") && h.Name[3:] != local.Format("15-0700") {
			t.Errorf("hour %s starts at %v", h.Name, local)
		}
		for _, x := range []int64{h.From90k, (h.From90k + h.To90k) / 2, h.To90k - 1} {
			if got := (&calendarDay{day, hours}).hour(x); got != h {
				t.Errorf("%v is in hour %s, want %s", media.ToTime(x), got.Name, h.Name)
			}
		}
	}
	if at != day.To90k {
		t.Errorf("the hours end at %v", media.ToTime(at))
	}
	for _, s := range strings.Fields(special) {
		if name, missing := strings.CutPrefix(s, "-"); slices.Contains(names, name) == missing {
			t.Errorf("hours %q, want %q", names, special)
		}
	}
	if plain != others {
		t.Errorf("%d ordinary hours, want %d: %q", plain, others, names)
	}
	if sorted := slices.Compact(slices.Sorted(slices.Values(names))); len(sorted) != len(names) {
		t.Errorf("two hours have one name: %q", names)
	}
}

// TestDaysTile walks through years of zones with odd changes: each moment is in one day and hour, and names differ.
func TestDaysTile(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/Havana", "America/Santiago", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia", "Asia/Kathmandu", "Africa/Casablanca", "America/St_Johns", "Asia/Beirut", "Asia/Gaza"} {
		loc := location(t, zone)
		seen := map[string]bool{}
		day := dayOf(time.Date(2011, 11, 20, 12, 0, 0, 0, time.UTC), loc)
		for range 16 * 365 {
			next := dayOf(media.ToTime(day.To90k), loc)
			if next.From90k != day.To90k || next.Name <= day.Name || seen[next.Name] {
				t.Errorf("%s: %s is followed by %s", zone, show(day), show(next))
			}
			if length := (day.To90k - day.From90k) / 90000 / 3600; length < 22 || length > 26 {
				t.Errorf("%s: %s has %d hours", zone, show(day), length)
			}
			if again, ok := parseDay(next.Name, loc); !ok || again != next {
				t.Errorf("%s: %s parses to %s", zone, show(next), show(again))
			}
			// The short way of most days gives what the long one gives.
			y, m, d := media.ToTime(next.From90k).In(loc).Date()
			if from, to := midnight(y, m, d, loc), midnight(y, m, d+1, loc); media.FromTime(from) != next.From90k || media.FromTime(to) != next.To90k {
				t.Errorf("%s: %s is from %s to %s", zone, show(next), from, to)
			}
			if hours := hoursOf(next, loc); !slices.Equal(hours, oddHours(next, loc)) {
				t.Errorf("%s: the hours of %s are %v, want %v", zone, show(next), hours, oddHours(next, loc))
			}
			day, seen[next.Name] = next, true
		}
	}
}

func TestParseDayRefuses(t *testing.T) {
	for _, name := range []string{"", "2026", "2026-1-1", "2026-02-30", "2026-11-20 ", "20-11-2026", "2026-11-20T00", "-026-11-20"} {
		if d, ok := parseDay(name, time.UTC); ok {
			t.Errorf("%q is %s", name, show(d))
		}
	}
}

func TestEntryName(t *testing.T) {
	berlin := location(t, "Europe/Berlin")
	for _, c := range []struct {
		label string
		at    time.Time
		loc   *time.Location
		want  string
	}{
		{"front-door", utc(t, "2026-11-20 14:00"), time.UTC, "front-door_2026-11-20_14-00-00.mp4"},
		{"front-door.sub", utc(t, "2026-11-20 14:00").Add(59*time.Minute + 59900*time.Millisecond), time.UTC, "front-door.sub_2026-11-20_14-59-59.mp4"},
		{"a", utc(t, "2026-10-25 00:10"), berlin, "a_2026-10-25_02A-10-00+0200.mp4"},
		{"a", utc(t, "2026-10-25 01:10"), berlin, "a_2026-10-25_02B-10-00+0100.mp4"},
		{"a", utc(t, "2026-10-25 02:10"), berlin, "a_2026-10-25_03-10-00.mp4"},
		{"a", utc(t, "2026-11-20 10:00"), location(t, "Asia/Kolkata"), "a_2026-11-20_15-30-00.mp4"},
		{"a", utc(t, "2026-04-04 14:45"), location(t, "Australia/Lord_Howe"), "a_2026-04-05_01A-45-00+1100.mp4"},
		{"a", utc(t, "2026-04-04 15:15"), location(t, "Australia/Lord_Howe"), "a_2026-04-05_01B-45-00+1030.mp4"},
		{"a", utc(t, "2026-11-01 05:15"), location(t, "America/Havana"), "a_2026-11-01_00B-15-00-0500.mp4"},
	} {
		day := dayOf(c.at, c.loc)
		at90k := media.FromTime(c.at)
		if got := entryName(c.label, at90k, (&calendarDay{day, hoursOf(day, c.loc)}).hour(at90k), c.loc, 1); got != c.want {
			t.Errorf("%v in %v: %s, want %s", c.at, c.loc, got, c.want)
		}
	}
}

func TestParseClipName(t *testing.T) {
	berlin := location(t, "Europe/Berlin")
	for _, c := range []struct {
		name     string
		loc      *time.Location
		from, to string // UTC
	}{
		{"2026-11-20_14-03-00--14-05-00.mp4", time.UTC, "2026-11-20 14:03", "2026-11-20 14:05"},
		{"2026-11-20_14-03-00--14-05-00.mp4", berlin, "2026-11-20 13:03", "2026-11-20 13:05"},
		{"2026-11-20_14-03-00--2026-11-21_14-03-00.mp4", time.UTC, "2026-11-20 14:03", "2026-11-21 14:03"},
		{"2026-11-20_23-50-00--00-10-00.mp4", time.UTC, "2026-11-20 23:50", "2026-11-21 00:10"},
		{"2026-12-31_23-50-00--00-10-00.mp4", berlin, "2026-12-31 22:50", "2026-12-31 23:10"},
		{"2026-11-20_14-00-00--14-00-00.mp4", time.UTC, "2026-11-20 14:00", "2026-11-21 14:00"},
		{"2026-10-25_02-30-00+0200--02-10-00+0100.mp4", berlin, "2026-10-25 00:30", "2026-10-25 01:10"},
		{"2026-10-25_02-30-00+0100--03-10-00.mp4", berlin, "2026-10-25 01:30", "2026-10-25 02:10"},
		{"2026-10-25_01-30-00--03-30-00.mp4", berlin, "2026-10-24 23:30", "2026-10-25 02:30"},
		{"2026-03-29_01-30-00--03-30-00.mp4", berlin, "2026-03-29 00:30", "2026-03-29 01:30"},
		{"2026-11-01_00-30-00-0400--00-10-00-0500.mp4", location(t, "America/Havana"), "2026-11-01 04:30", "2026-11-01 05:10"},
		{"2026-10-25_02A-30-00+0200--02B-10-00+0100.mp4", berlin, "2026-10-25 00:30", "2026-10-25 01:10"},
		{"2026-10-25_02A-30-00--02B-10-00.mp4", berlin, "2026-10-25 00:30", "2026-10-25 01:10"},
		{"2026-10-25_02B-30-00--2026-10-25_03-10-00.mp4", berlin, "2026-10-25 01:30", "2026-10-25 02:10"},
		{"2026-04-05_01A-10-00--01B-45-00.mp4", location(t, "Australia/Lord_Howe"), "2026-04-04 14:10", "2026-04-04 15:15"},
		{"2026-10-25_02A-30-00--02B01-10-00.mp4", location(t, "Antarctica/Troll"), "2026-10-25 00:30", "2026-10-25 01:10"},
		{"2026-10-25_02B01-30-00+0000--02B02-10-00+0000.mp4", location(t, "Antarctica/Troll"), "2026-10-25 01:30", "2026-10-25 02:10"},
		{"2026-11-01_00A-30-00-0400--00B-10-00-0500.mp4", location(t, "America/Havana"), "2026-11-01 04:30", "2026-11-01 05:10"},
		{"2026-11-20_14-00-00-0700--2026-11-20_15-00-00-0700.mp4", time.UTC, "2026-11-20 21:00", "2026-11-20 22:00"},
		{"2026-11-20_23-30-00-0700--23-45-00-0700.mp4", time.UTC, "2026-11-21 06:30", "2026-11-21 06:45"},
	} {
		from, to, ok := ParseClipName(c.name, c.loc)
		if !ok || !from.Equal(utc(t, c.from)) || !to.Equal(utc(t, c.to)) {
			t.Errorf("%s in %v: %v to %v, %v", c.name, c.loc, from.UTC(), to.UTC(), ok)
		}
	}
	for _, name := range []string{
		"", ".mp4", "--.mp4", "2026-11-20_14-03-00.mp4", "2026-11-20_14-03-00--14-05-00", "2026-11-20_14-03-00--14-05-00.mp4.mp4",
		"2026-11-20_14-03-00-14-05-00.mp4", "2026-11-20_14-03-00--.mp4", "--14-05-00.mp4", "2026-11-20_14-03--14-05.mp4",
		"2026-11-20_14-03-00--2026-11-20_14-03-00.mp4", "2026-11-20_14-03-00--2026-11-19_14-05-00.mp4",
		"2026-11-20_25-03-00--14-05-00.mp4", "2026-02-30_14-03-00--14-05-00.mp4", "2026-11-20 14-03-00--14-05-00.mp4",
		"2026-11-20_14-03-00--14-05-60.mp4", "x2026-11-20_14-03-00--14-05-00.mp4", "2026-11-20_14-03-00--14-05-00x.mp4",
	} {
		if from, to, ok := ParseClipName(name, time.UTC); ok {
			t.Errorf("%q is %v to %v", name, from, to)
		}
	}
	for _, name := range []string{
		"2026-10-25_02C-30-00--03-10-00.mp4", "2026-10-25_01A-30-00--03-10-00.mp4", "2026-10-25_02A-30-00+0100--03-10-00.mp4",
		"2026-10-25_02B-30-00+0200--03-10-00.mp4", "2026-10-25_02A-30-00Z--03-10-00.mp4", "2026-10-25_02AA-30-00--03-10-00.mp4", "2026-11-20_14A-00-00--15-00-00.mp4",
	} {
		if from, to, ok := ParseClipName(name, berlin); ok {
			t.Errorf("%q is %v to %v", name, from, to)
		}
	}
}

// FuzzParseClipName checks that whatever is parsed is a range.
func FuzzParseClipName(f *testing.F) {
	f.Add("2026-11-20_14-03-10--14-05-00.mp4")
	f.Add("2026-10-25_02-30-00+0200--02-10-00+0100.mp4")
	f.Add("2026-10-25_02A-30-00--02B-10-00+0100.mp4")
	loc := location(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, name string) {
		if from, to, ok := ParseClipName(name, loc); ok && !from.Before(to) {
			t.Errorf("%q is %v to %v", name, from, to)
		}
	})
}
