package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/schema"
	"nvrfs/store/dir"
)

// footageOfRuns is a database with three runs of a camera: one over midnight of Berlin, one that followed, and one that
// goes on; and with one of another camera.
func footageOfRuns(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	db, err := schema.Create(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Write(t.Context(), func(tx *schema.Tx) error {
		for _, r := range []struct {
			camera, uuid, start, reason string
			minutes                     int
		}{
			{"door", "a", "2026-11-18T22:58:00Z", "the camera closed the connection", 5},
			{"door", "b", "2026-11-19T10:00:00Z", "the recorder was cut off", 2},
			{"door", "c", "2026-11-20T14:00:00Z", "", 3},
			{"yard", "d", "2026-11-20T13:00:00Z", "stopped", 1},
		} {
			if err := putRun(tx, r.camera, r.uuid, r.start, r.reason, r.minutes); err != nil {
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

// putRun adds a run of recordings of a minute each.
func putRun(tx *schema.Tx, camera, uuid, start, reason string, minutes int) error {
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		return err
	}
	s, err := tx.Stream(camera, "main")
	if err != nil {
		return err
	}
	start90k := media.FromTime(at)
	run, err := tx.Run(s.ID, uuid, start90k)
	if err != nil {
		return err
	}
	for i := range minutes {
		const minute90k = 60 * 90000
		r := schema.Recording{
			ID: schema.MakeRecordingID(s.ID, s.NextNumber+int64(i)), Run: run, Dir: 1, Sequence: i,
			Start90k: start90k + int64(i)*minute90k, WallDuration90k: minute90k, Sealed: reason != "" || i < minutes-1,
		}
		if err := tx.PutRecording(&r, []byte{schema.IndexVersion, 0}); err != nil {
			return err
		}
	}
	if reason == "" {
		return nil
	}
	return tx.EndRun(run, reason)
}

// recordInto has a data directory look as if something recorded into it, until the test ends.
func recordInto(t *testing.T, data string) {
	t.Helper()
	lock, err := dir.LockDir(data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	})
}

// TestLsOfAKilledRecorder lists what goes on by the rows, while nothing records it.
func TestLsOfAKilledRecorder(t *testing.T) {
	dir := footageOfRuns(t)
	for _, args := range [][]string{{"--reasons", "door", "today"}, {"door", "today"}} {
		for _, format := range [][]string{nil, {"--json"}} {
			args := append(append([]string{"ls", "--data", dir}, args...), format...)
			if code, stdout, stderr := runCommand(t, t.Context(), nil, args...); code != exitOK || stderr != "" ||
				strings.Count(stdout, "the recorder was cut off") != 1 || strings.Contains(stdout, "going on") {
				t.Errorf("%q: exit %d, %q, %q", args, code, stdout, stderr)
			}
		}
	}
	recordInto(t, dir)
	_, stdout, _ := runCommand(t, t.Context(), nil, "ls", "--data", dir, "door", "today")
	if !strings.Contains(stdout, "going on") {
		t.Errorf("while something records: %q", stdout)
	}
}

func TestLsReasons(t *testing.T) {
	dir := footageOfRuns(t)
	recordInto(t, dir)
	const (
		a = "door 2026-11-18 23:58:00 2026-11-19 00:03:00 5m0s the camera closed the connection"
		b = "door 2026-11-19 11:00:00 2026-11-19 11:02:00 2m0s the recorder was cut off"
		c = "door 2026-11-20 15:00:00 2026-11-20 15:03:00 3m0s going on"
		d = "yard 2026-11-20 14:00:00 2026-11-20 14:01:00 1m0s stopped"
	)
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{nil, []string{a, b, c, d}},
		{[]string{"door"}, []string{a, b, c}},
		{[]string{"door", "2026-11-18"}, []string{a}},
		{[]string{"door", "yesterday"}, []string{a, b}},
		{[]string{"door", "today"}, []string{c}},
		{[]string{"yard", "today"}, []string{d}},
	} {
		code, stdout, stderr := runCommand(t, t.Context(), nil, append([]string{"ls", "--reasons", "--data", dir}, tt.args...)...)
		var got []string
		for line := range strings.Lines(stdout) {
			got = append(got, strings.Join(strings.Fields(line), " "))
		}
		want := append([]string{"CAMERA START END LENGTH ENDED"}, tt.want...)
		if code != exitOK || stderr != "" || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%q: exit %d, stderr %q\n got %q\nwant %q", tt.args, code, stderr, got, want)
		}
	}
}

func TestLsReasonsAsJSON(t *testing.T) {
	dir := footageOfRuns(t)
	recordInto(t, dir)
	_, stdout, _ := runCommand(t, t.Context(), nil, "ls", "--reasons", "--json", "--data", dir, "door", "today")
	var rows []map[string]any
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("%s: %v", stdout, err)
	}
	for k, want := range map[string]any{
		"camera": "door", "start": "2026-11-20T15:00:00+01:00", "end": "2026-11-20T15:03:00+01:00", "seconds": 180.0, "end_reason": "going on",
	} {
		if rows[0][k] != want {
			t.Errorf("%s is %v, want %v", k, rows[0][k], want)
		}
	}
}

func TestLsReasonsOfNothing(t *testing.T) {
	dir := footageOfRuns(t)
	for _, args := range [][]string{{"nobody"}, {"door", "2026-11-01"}} {
		code, stdout, stderr := runCommand(t, t.Context(), nil, append([]string{"ls", "--reasons", "--data", dir}, args...)...)
		if code != exitBadSetup || stdout != "" || stderr == "" {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}
