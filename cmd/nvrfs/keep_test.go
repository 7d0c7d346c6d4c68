package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nvrfs/schema"
)

// TestKeep adds, lists and removes holds as a user does.
func TestKeep(t *testing.T) {
	data := t.TempDir()
	db, err := schema.Create(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() // a recorder has it open all the while
	if err := db.Write(t.Context(), func(tx *schema.Tx) error {
		_, err := tx.Stream("front-door", "main")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args []string
		code int
		want string // of what is printed
	}{
		{[]string{"--list"}, exitOK, "HOLD  CAMERA  FROM  TO  SINCE  WHY"},
		{[]string{"front-door", "yesterday 14:00", "yesterday 15:00"}, exitBadSetup, "what is it kept for?"},
		{[]string{"back-door", "yesterday 14:00", "yesterday 15:00", "--why", "x"}, exitBadSetup, "camera back-door has no footage"},
		{[]string{"front-door", "yesterday 15:00", "yesterday 14:00", "--why", "x"}, exitBadSetup, "is not after"},
		{[]string{"front-door", "yesterday 14:00", "--why", "x"}, exitBadSetup, "CAMERA START END"},
		{[]string{"front-door", "yesterday 14:00", "yesterday 15:00", "--why", "parcel \"thief\""}, exitOK, "hold 1: front-door from 2026-11-19 14:00:00 to 2026-11-19 15:00:00"},
		{[]string{"front-door", "2026-11-18 01:00", "2026-11-18 02:00", "--why", "fox"}, exitOK, "hold 2: front-door from 2026-11-18 01:00:00"},
		{[]string{"--list"}, exitOK, `1     front-door  2026-11-19 14:00:00  2026-11-19 15:00:00  2026-11-20 15:05:30  "parcel \"thief\""`},
		{[]string{"--remove", "7"}, exitBadSetup, "there is no hold 7"},
		{[]string{"--list", "--remove", "1"}, exitBadSetup, ""},
		{[]string{"--remove", "1"}, exitOK, "hold 1 is removed"},
		{[]string{"--remove", "1"}, exitBadSetup, "there is no hold 1"},
		{[]string{"--list"}, exitOK, `"fox"`},
	}
	for _, tt := range tests {
		code, stdout, stderr := runCommand(t, t.Context(), nil, append([]string{"keep", "--data", data}, tt.args...)...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("keep %q: exit %d, want %d\n%s%swant %s", tt.args, code, tt.code, stdout, stderr, tt.want)
		}
	}
	holds, err := db.Holds(t.Context())
	if err != nil || len(holds) != 1 || holds[0].ID != 2 || holds[0].Why != "fox" || holds[0].To90k-holds[0].From90k != 3600*90000 {
		t.Errorf("holds %+v, %v", holds, err)
	}
}

// TestKeepChangesNothingElse runs keep where there is no database.
func TestKeepChangesNothingElse(t *testing.T) {
	data := t.TempDir()
	code, _, stderr := runCommand(t, t.Context(), nil, "keep", "--data", data, "--list")
	if code == exitOK || !strings.Contains(stderr, "no nvrfs database") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if left, err := filepath.Glob(filepath.Join(data, "*")); err != nil || len(left) > 0 {
		t.Errorf("it made %v, %v", left, err)
	}
	if _, err := os.Stat(data); err != nil {
		t.Error(err)
	}
}
