package clock

import (
	"strings"
	"testing"
	"time"

	"nvrfs/config"
	"nvrfs/media"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	loc, err := config.LoadTimezone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestParseTime(t *testing.T) {
	zones := map[string]*time.Location{}
	for _, name := range []string{"Europe/Berlin", "UTC", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana", "Antarctica/Troll"} {
		loc, err := config.LoadTimezone(name)
		if err != nil {
			t.Fatal(err)
		}
		zones[name] = loc
	}
	now := time.Date(2026, 11, 20, 23, 30, 15, 0, time.UTC) // the 21st in Berlin
	const notTime = ` is not a time; want one such as 2026-11-20T14:05:30Z, "2026-11-20 14:05:30", "today 14:05", now, -10m, or 90 kHz ticks since 1970`
	tests := []struct{ zone, in, want string }{
		{"", "161566517700000", "2026-11-20T14:05:30Z"},
		{"", "0", "1970-01-01T00:00:00Z"},
		{"", "-90000", "1969-12-31T23:59:59Z"},
		{"", "2026-11-20T14:05:30Z", "2026-11-20T14:05:30Z"},
		{"", "2026-11-20t14:05:30z", "2026-11-20T14:05:30Z"},
		{"", "2026-11-20T14:05:30.123456789+05:30", "2026-11-20T08:35:30.123456789Z"},
		{"", "2026-11-20T14:05:30,5-03:00", "2026-11-20T17:05:30.5Z"},
		{"", "2026-11-20T14:05:30.1234567891234Z", "2026-11-20T14:05:30.123456789Z"},
		{"", "2026-11-20T14:05Z", "2026-11-20T14:05:00Z"},
		{"", "2026-11-20 14:05:30 +0100", "2026-11-20T13:05:30Z"},
		{"", "2026-11-20 14:05:30", "2026-11-20T13:05:30Z"},
		{"", " 2026-11-20 14:05 ", "2026-11-20T13:05:00Z"},
		{"", "2026-11-20_14-05-30", "2026-11-20T13:05:30Z"},
		{"", "2026-11-20_14-05", "2026-11-20T13:05:00Z"},
		{"", "2026-11-20 14:05:30.25", "2026-11-20T13:05:30.25Z"},
		{"", "2026-07-20", "2026-07-19T22:00:00Z"},
		{"", "now", "2026-11-20T23:30:15Z"},
		{"", "today", "2026-11-20T23:00:00Z"},
		{"UTC", "today", "2026-11-20T00:00:00Z"},
		{"", "yesterday", "2026-11-19T23:00:00Z"},
		{"", "today 14:05", "2026-11-21T13:05:00Z"},
		{"", "yesterday  14:05:10", "2026-11-20T13:05:10Z"},
		{"", "14:05", "2026-11-21T13:05:00Z"},
		{"", "14:05:10.5", "2026-11-21T13:05:10.5Z"},
		{"", "-10m", "2026-11-20T23:20:15Z"},
		{"", "-90s", "2026-11-20T23:28:45Z"},
		{"", "-1.5h", "2026-11-20T22:00:15Z"},
		{"", "-2d", "2026-11-18T23:30:15Z"},
		{"", "-1d12h", "2026-11-19T11:30:15Z"},
		{"Asia/Kolkata", "2026-11-20 14:05", "2026-11-20T08:35:00Z"},

		// A time that happens twice needs its offset; with it, it is plain.
		{"", "2026-10-25 01:59:59", "2026-10-24T23:59:59Z"},
		{"", "2026-10-25 03:00", "2026-10-25T02:00:00Z"},
		{"", "2026-10-25_02-30-00+0200", "2026-10-25T00:30:00Z"},
		{"", "2026-10-25_02-30-00+0100", "2026-10-25T01:30:00Z"},
		{"", "2026-10-25 02:30", `"2026-10-25 02:30" happens twice in Europe/Berlin, since the clocks are set back; want 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00`},
		{"Australia/Lord_Howe", "2026-04-05 01:45", `"2026-04-05 01:45" happens twice in Australia/Lord_Howe, since the clocks are set back; want 2026-04-05T01:45:00+11:00 or 2026-04-05T01:45:00+10:30`},
		{"", "2026-10-25 02A:30", "2026-10-25T00:30:00Z"},
		{"", "2026-10-25 02B:30:10.5", "2026-10-25T01:30:10.5Z"},
		{"", "2026-10-25_02A-30-00+0200", "2026-10-25T00:30:00Z"},
		{"", "2026-10-25_02B-30-00+0100", "2026-10-25T01:30:00Z"},
		{"", "2026-10-25_02A-30-00+0100", `"2026-10-25_02A-30-00+0100": no clock change in Europe/Berlin makes an hour A of it; leave the letter out`},
		{"", "2026-11-20 14A:05", `"2026-11-20 14A:05": no clock change in Europe/Berlin makes an hour A of it; leave the letter out`},
		{"", "2026-11-20 14C:05", `"2026-11-20 14C:05"` + notTime},
		{"Australia/Lord_Howe", "2026-04-05_01A-10-00+1100", "2026-04-04T14:10:00Z"},
		{"Antarctica/Troll", "2026-10-25_02B01-30-00+0000", "2026-10-25T01:30:00Z"},
		{"Antarctica/Troll", "2026-10-25 01B:30", "2026-10-25T01:30:00Z"},
		{"Antarctica/Troll", "2026-10-25 01A:30", "2026-10-24T23:30:00Z"},
		{"Australia/Lord_Howe", "2026-04-05 01B:45", "2026-04-04T15:15:00Z"},
		{"", "2026-03-29 02:00", `"2026-03-29 02:00" does not exist in Europe/Berlin: the clocks are set from 02:00:00 to 03:00:00; want a time before or after`},
		{"", "2026-03-29 02:59:59.9", `"2026-03-29 02:59:59.9" does not exist in Europe/Berlin: the clocks are set from 02:00:00 to 03:00:00; want a time before or after`},
		{"", "2026-03-29 03:00", "2026-03-29T01:00:00Z"},
		{"Australia/Lord_Howe", "2026-10-04 02:15", `"2026-10-04 02:15" does not exist in Australia/Lord_Howe: the clocks are set from 02:00:00 to 02:30:00; want a time before or after`},

		// Days that do not start at midnight, start twice, or were left out.
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04 00:30", `"2018-11-04 00:30" does not exist in America/Sao_Paulo: the clocks are set from 00:00:00 to 01:00:00; want a time before or after`},
		{"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"},
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"},

		{"", "", `""` + notTime},
		{"", "soon", `"soon"` + notTime},
		{"", "2026-02-30", `"2026-02-30"` + notTime},
		{"", "2026-11-20T", `"2026-11-20T"` + notTime},
		{"", "2026-11-20 24:00", `"2026-11-20 24:00"` + notTime},
		{"", "2026-11-20 14:60", `"2026-11-20 14:60"` + notTime},
		{"", "2026-11-20 14:00:60", `"2026-11-20 14:00:60"` + notTime},
		{"", "2026-11-20 14", `"2026-11-20 14"` + notTime},
		{"", "2026-11-20 14:05-10", `"2026-11-20 14:05-10"` + notTime},
		{"", "2026-11-20T14:05:30+24:00", `"2026-11-20T14:05:30+24:00"` + notTime},
		{"", "today 25:00", `"today 25:00"` + notTime},
		{"", "-", `"-"` + notTime},
		{"", "-10", "1969-12-31T23:59:59.999888889Z"},
		{"", "-1.2.3h", `"-1.2.3h"` + notTime},
		{"", "-999999d", `"-999999d"` + notTime},
		{"", "9223372036854775807", `"9223372036854775807" lies outside of the years 0001 to 9999`},
	}
	for _, tt := range tests {
		loc := zones[tt.zone]
		if loc == nil {
			loc = zones["Europe/Berlin"]
		}
		got, err := Parse(tt.in, loc, now)
		shown := got.UTC().Format(time.RFC3339Nano)
		if err != nil {
			shown = err.Error()
		}
		if shown != tt.want {
			t.Errorf("%q in %s:\n got %s\nwant %s", tt.in, loc, shown, tt.want)
		}
	}
}

// What ts prints it reads back, all three ways, to the tick.
func TestTSRoundTrip(t *testing.T) {
	loc := berlin(t)
	for t90k := int64(161_566_517_700_000); t90k < 161_566_517_700_000+1000; t90k++ {
		at := media.ToTime(t90k)
		for _, shown := range []string{at.Format(time.RFC3339Nano), WithOffset(at.In(loc))} {
			got, err := Parse(shown, time.UTC, at)
			if err != nil || media.FromTime(got) != t90k {
				t.Fatalf("%s: %d, %v; want %d", shown, media.FromTime(got), err, t90k)
			}
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{"now", "-1d12h", "2026-03-29 02:30", "2026-10-25_02-30-00+0200", "today 14:05", "14:05:10.5", "-5"} {
		f.Add(seed)
	}
	loc, err := config.LoadTimezone("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 11, 20, 14, 5, 30, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		times, err := ParseAll(s, loc, now)
		if err != nil {
			if strings.Contains(err.Error(), "\n") || len(times) > 0 {
				t.Errorf("%q: %v, %v", s, times, err)
			}
			return
		}
		if len(times) < 1 || len(times) > 2 {
			t.Fatalf("%q: %d times", s, len(times))
		}
		again, err := Parse(times[0].UTC().Format(time.RFC3339Nano), loc, now)
		if err != nil || !again.Equal(times[0]) {
			t.Errorf("%q is %v, which is read as %v, %v", s, times[0], again, err)
		}
	})
}
