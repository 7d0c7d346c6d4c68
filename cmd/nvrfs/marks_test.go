package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/media"
	"nvrfs/schema"
)

// footageWithMarks is footage of two cameras, with marks of which one goes on.
func footageWithMarks(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, c := range []footage.Camera{
		{Name: "door", Start: time.Date(2026, 11, 19, 10, 0, 0, 0, time.UTC), Duration: 2 * time.Minute},
		{Name: "yard", Start: time.Date(2026, 11, 20, 13, 0, 0, 0, time.UTC), Duration: time.Minute},
		{Name: "door", Start: time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC), Duration: 3 * time.Minute},
	} {
		c.Tiny = true
		if err := footage.Make(t.Context(), dir, c); err != nil {
			t.Fatal(err)
		}
	}
	db, err := schema.OpenExisting(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	at := func(s string) int64 {
		x, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return media.FromTime(x)
	}
	err = db.Write(t.Context(), func(tx *schema.Tx) error {
		for _, m := range []schema.Mark{
			{Camera: "door", Start90k: at("2026-11-19T10:01:10Z"), End90k: at("2026-11-19T10:01:25Z"), Kind: "motion", Text: "VideoSource/MotionAlarm"},
			{Camera: "door", Start90k: at("2026-11-20T14:02:30Z"), GoesOn: true, Kind: "person", Text: "RuleEngine/PeopleDetector/People"},
			{Camera: "yard", Start90k: at("2026-11-20T13:00:05Z"), End90k: at("2026-11-20T13:00:05Z"), Kind: "line", Text: "RuleEngine/LineDetector/Crossed: gate"},
			{Camera: "yard", Start90k: at("2026-11-20T13:30:00Z"), End90k: at("2026-11-20T13:30:01Z"), Kind: "input", Text: "Device/Trigger/DigitalInput: 1"},
		} {
			if _, err := tx.PutMark(m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMarks(t *testing.T) {
	dir := footageWithMarks(t)
	const (
		a = "2026-11-19 11:01:10 15s door motion VideoSource/MotionAlarm door/2026-11-19/11/door_2026-11-19_11-00-00.mp4"
		b = "2026-11-20 14:00:05 0s yard line RuleEngine/LineDetector/Crossed: gate yard/2026-11-20/14/yard_2026-11-20_14-00-00.mp4"
		c = "2026-11-20 14:30:00 1s yard input Device/Trigger/DigitalInput: 1 -" // of which there is no footage
		d = "2026-11-20 15:02:30 cut off door person RuleEngine/PeopleDetector/People door/2026-11-20/15/door_2026-11-20_15-00-00.mp4"
	)
	list := func(args ...string) []string {
		t.Helper()
		code, stdout, stderr := runCommand(t, t.Context(), nil, append([]string{"marks", "--data", dir, "--timezone", "Europe/Berlin"}, args...)...)
		if code != exitOK || stderr != "" {
			t.Fatalf("%q: exit %d, %s", args, code, stderr)
		}
		var rows []string
		for _, line := range strings.Split(strings.TrimSpace(stdout), "\n")[1:] {
			rows = append(rows, strings.Join(strings.Fields(line), " "))
		}
		return rows
	}
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{nil, []string{a, b, c, d}},
		{[]string{"door"}, []string{a, d}},
		{[]string{"--from", "2026-11-20"}, []string{b, c, d}},
		{[]string{"--from", "2026-11-19 11:01:20", "--to", "2026-11-20 14:30"}, []string{a, b}},
		{[]string{"yard", "--to", "2026-11-19"}, nil},
	} {
		if got := list(tt.args...); strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%q:\n%s\nwant\n%s", tt.args, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
	recordInto(t, dir)
	if got, want := list("door")[1], strings.Replace(d, "cut off", "going on", 1); got != want {
		t.Errorf("while something records: %s, want %s", got, want)
	}
}

func TestMarksAsJSON(t *testing.T) {
	dir := footageWithMarks(t)
	for args, want := range map[string]int{"": 4, "--to 2026-11-01": 0} {
		code, stdout, stderr := runCommand(t, t.Context(), nil, append([]string{"marks", "--data", dir, "--json"}, strings.Fields(args)...)...)
		var got []map[string]any
		if err := json.Unmarshal([]byte(stdout), &got); code != exitOK || err != nil || len(got) != want {
			t.Errorf("%s: exit %d, %v, %q, %q", args, code, err, stdout, stderr)
		}
		for _, m := range got {
			if end, ok := m["end"]; !ok || (end == nil) != (m["kind"] == "person") || m["camera"] == "" || m["start"] == "" {
				t.Errorf("got %v", m)
			}
		}
	}
}

func TestMarksOfNoCamera(t *testing.T) {
	dir := footageWithMarks(t)
	for args, want := range map[string]string{
		"attic":                                  "camera attic has no footage; there is some of door or yard",
		"door --from 2026-11-20 --to 2026-11-19": "--to 2026-11-19 is not after --from 2026-11-20",
		"door --from then":                       "then",
	} {
		code, _, stderr := runCommand(t, t.Context(), nil, append([]string{"marks", "--data", dir}, strings.Fields(args)...)...)
		if code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %s", args, code, stderr)
		}
	}
}
