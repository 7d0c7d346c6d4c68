package main

import (
	"errors"
	"testing"
	"time"
)

// A time that cannot be read is a mistake on the command line.
func TestParseTimeIsAboutUsage(t *testing.T) {
	var usage *usageError
	for _, s := range []string{"soon", "2026-10-25 02:30", "0000-01-01"} {
		if _, err := parseTime(s, berlin(t), time.Now()); !errors.As(err, &usage) {
			t.Errorf("%q: %T, want a usageError", s, err)
		}
	}
}

func TestTSCommand(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"161566517700000"}, "161566517700000  2026-11-20T14:05:30Z  2026-11-20T15:05:30+01:00\n"},
		{[]string{"now"}, "161566517700000  2026-11-20T14:05:30Z  2026-11-20T15:05:30+01:00\n"},
		{[]string{"161566517700001"}, "161566517700001  2026-11-20T14:05:30.000011111Z  2026-11-20T15:05:30.000011111+01:00\n"},
		{[]string{"--timezone", "UTC", "--", "-10m"}, "161566463700000  2026-11-20T13:55:30Z  2026-11-20T13:55:30+00:00\n"},
		{
			[]string{"2026-10-25 02:30", "0"},
			"161359938000000  2026-10-25T00:30:00Z  2026-10-25T02:30:00+02:00\n" +
				"161360262000000  2026-10-25T01:30:00Z  2026-10-25T02:30:00+01:00\n" +
				"0                1970-01-01T00:00:00Z  1970-01-01T01:00:00+01:00\n",
		},
	}
	for _, tt := range tests {
		code, stdout, stderr := runCommand(t, t.Context(), nil, append([]string{"ts"}, tt.args...)...)
		if code != exitOK || stdout != tt.want {
			t.Errorf("%q: exit %d, %s\n got %s\nwant %s", tt.args, code, stderr, stdout, tt.want)
		}
	}
}

func TestTSCommandMistakes(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{nil, "nvrfs: missing argument: want VALUE, such as 161566517700000, 2026-11-20T14:05:30Z or now; see: nvrfs ts --help\n"},
		{[]string{"--timezone", "Berlin", "now"}, "nvrfs: --timezone: unknown time zone \"Berlin\"; want a name of the IANA database such as Europe/Berlin or UTC\n"},
		{[]string{"now", "2026-03-29 02:30"}, "nvrfs: \"2026-03-29 02:30\" does not exist in Europe/Berlin: the clocks are set from 02:00:00 to 03:00:00; want a time before or after\n"},
	}
	for _, tt := range tests {
		code, stdout, stderr := runCommand(t, t.Context(), nil, append([]string{"ts"}, tt.args...)...)
		if code != exitBadSetup || stdout != "" || stderr != tt.want {
			t.Errorf("%q: exit %d, stdout %q\n got %swant %s", tt.args, code, stdout, stderr, tt.want)
		}
	}
}
