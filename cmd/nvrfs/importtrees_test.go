package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nvrfs/cmd/nvrfs/trees"
)

// tree makes a directory of files: copies of a clip, but for those whose content is given.
func tree(t *testing.T, clip string, names map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile(filepath.Join("../..", clip))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if content == "" {
			content = string(data)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const fragments = "mp4/demux/testdata/fragments.mp4" // half a second

// table returns the rows of a table, with single spaces.
func table(text string) (rows []string) {
	for line := range strings.Lines(text) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	return rows
}

// holds reports whether a row of the table has all of some words.
func holds(rows []string, words ...string) bool {
	for _, row := range rows {
		all := true
		for _, word := range words {
			all = all && strings.Contains(row, word)
		}
		if all {
			return true
		}
	}
	return false
}

// TestImportTree imports what another recorder left, twice.
func TestImportTree(t *testing.T) {
	data := t.TempDir()
	dir := tree(t, fragments, map[string]string{
		"2026-11-19/10/front_door/00.00.mp4": "", "2026-11-19/10/front_door/00.10.mp4": "", "2026-11-19/11/front_door/00.00.mp4": "",
		"2026-11-19/10/back yard/00.00.mp4": "", "2026-11-19/10/back yard/00.00.jpg": "a picture",
		"2026-11-19/10/front_door/00.20.mp4": "damaged", "2026-11-19/10/front_door/00.30.mp4": "\x1a\x45\xdf\xa3, which is Matroska",
		"2026-11-19/10/front_door/00.40.ts": "G", "clips/front_door.mp4": "", "2026-11-19/10/front_door/00.00.mov": "",
	})
	args := []string{"import", "--data", data, "--layout", "frigate", dir}
	check := func(out, result string) {
		t.Helper()
		rows := table(out)
		for _, words := range [][]string{
			{"front_door 3 ", "2026-11-19T11:00:00+01:00", "2026-11-19T12:00:00.685", result},
			{"back-yard 1 ", "2026-11-19T11:00:00+01:00", result},
			{"front_door 1 - - - not taken: it overlaps", "00.00.mov (/", "00.00.mp4)"},
			{"front_door 1 - - - not taken: read mp4: no moov box", "00.20.mp4"},
			{"front_door 1 - - - not taken: read mp4: the file is not mp4 but Matroska or WebM; copy", "00.30.mp4"},
			{"- 1 - - - not taken: it is not mp4; copy what is in it", "00.40.ts"},
			{"- 1 - - - not taken: its name is none of the layout frigate", "clips/front_door.mp4"},
		} {
			if !holds(rows, words...) {
				t.Errorf("no row has %q:\n%s", words, out)
			}
		}
		if len(rows) != 8 {
			t.Errorf("%d rows:\n%s", len(rows), out)
		}
	}
	code, stdout, stderr := berlinCommand(t, append(args, "--dry-run")...)
	if check(stdout, "would be imported"); code != exitFailure || !strings.Contains(stderr, "5 files of 9 not taken, for the reasons in the table") {
		t.Errorf("dry run: exit %d, %s", code, stderr)
	}
	if made, err := os.ReadDir(data); err != nil || len(made) > 0 {
		t.Errorf("the dry run made %v, %v", made, err)
	}
	code, stdout, stderr = berlinCommand(t, args...)
	if check(stdout, " imported"); code != exitFailure {
		t.Errorf("exit %d, %s", code, stderr)
	}
	for _, again := range [][]string{args, append(args, "--dry-run")} {
		code, stdout, stderr = berlinCommand(t, again...)
		if check(stdout, "there already"); code != exitFailure {
			t.Errorf("again: exit %d, %s", code, stderr)
		}
	}
	if code, stdout, stderr := nvrfs(t, "check", "--data", data, "--level", "hash"); code != exitOK || !strings.Contains(stdout, "4 recordings") {
		t.Errorf("check: exit %d, %s%s", code, stdout, stderr)
	}
	code, stdout, _ = nvrfs(t, append(args, "--json")...)
	var rows []trees.Row
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != exitFailure || len(rows) != 7 || rows[1].Camera != "front_door" || rows[1].Files != 3 ||
		rows[1].Result != "there already" || !rows[1].From.Equal(time.Date(2026, 11, 19, 10, 0, 0, 0, time.UTC)) || len(rows[6].Paths) != 1 {
		t.Errorf("exit %d, %v: %s", code, err, stdout)
	}
}

// TestImportTreeAgainOfAConfiguredCamera runs an import again when all of it is there. The camera is in the configuration, whose retain
// may ask for a warning about what is old.
func TestImportTreeAgainOfAConfiguredCamera(t *testing.T) {
	dir := tree(t, fragments, map[string]string{"2026-11-19/10/front_door/00.00.mp4": "", "2026-11-19/10/front_door/note.mp4": ""})
	file := filepath.Join(t.TempDir(), "nvrfs.yaml")
	text := "data: " + t.TempDir() + "\nmount: /mnt/nvr\ncameras: { front_door: { url: rtsp://192.0.2.1/, retain: { days: 1 } } }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, result := range []string{" imported", "there already"} {
		code, out, stderr := runCommand(t, t.Context(), nil, "import", "--config", file, "--pattern", "%Y-%m-%d/%H/{camera}/%M.%S", dir)
		rows := table(out)
		if code != exitFailure || !holds(rows, "front_door 1 ", result) || !holds(rows, "not taken: its name does not match --pattern (/") {
			t.Errorf("exit %d, want a row with %q in\n%s%s", code, result, out, stderr)
		}
	}
}

func TestImportTreeOfCameras(t *testing.T) {
	dir := tree(t, fragments, map[string]string{
		"a/front.20261119_100000.mp4": "", "b/front.20261119_110000.mp4": "", "a/Café.20261119_100000.mp4": "", "a/....20261119_100000.mp4": "",
	})
	for _, c := range []struct {
		args   []string
		code   int
		rows   []string
		stderr string
	}{
		{[]string{dir}, exitBadSetup, nil, "whose footage is it? Name the camera"},
		{[]string{"--layout", "blueiris", dir, "--start", "yesterday"}, exitBadSetup, nil, "--start and --repeat are for FILEs alone"},
		{[]string{"--layout", "frigat", dir}, exitBadSetup, nil, "--layout frigat: want frigate, mediamtx"},
		{[]string{"--pattern", "{camera}", dir}, exitBadSetup, nil, "--pattern \"{camera}\": it does not say year"},
		{[]string{"--layout", "wyze", "--pattern", "%s", dir}, exitBadSetup, nil, "--layout and --pattern exclude each other: give one of them; see: nvrfs import --help"},
		{[]string{"--layout", "blueiris", "--camera", "x", "--camera", "y", dir}, exitBadSetup, nil, "needs --camera FROM=CAMERA for each"},
		{[]string{"--layout", "blueiris", "--camera", "front=a b", dir}, exitBadSetup, nil, "a camera's name cannot hold"},
		{[]string{"--layout", "blueiris", filepath.Join(dir, "none")}, exitBadSetup, nil, "no such file"},
		{[]string{"--layout", "blueiris", t.TempDir()}, exitBadSetup, nil, "there is no .mp4 file in"},
		{[]string{"--layout", "blueiris", dir}, exitFailure, []string{
			"Caf 1 ", "front 1 ", "- 1 - - - not taken: it is of another camera than the files that become front; rename it",
			`not taken: a camera of nvrfs cannot be called "..."`,
		}, ""},
		{[]string{"--layout", "blueiris", "--camera", "front=hall.sub", "--camera", "...=dots", "--camera", "Café=café", dir + "/a"}, exitBadSetup, nil, "a camera's name cannot hold"},
		{[]string{"--layout", "blueiris", "--camera", "front=hall.sub", "--camera", "...=dots", "--camera", "Café=cafe", dir + "/a"}, exitOK, []string{
			"cafe 1 ", "dots 1 ", "hall.sub 1 ",
		}, ""},
		{[]string{"--camera", "hall", dir + "/b"}, exitOK, []string{"hall 1 "}, ""},
		{[]string{"--camera", "hall", dir + "/b/front.20261119_110000.mp4", "--json"}, exitOK, []string{`"camera": "hall",`}, ""},
	} {
		code, stdout, stderr := nvrfs(t, append([]string{"import", "--data", t.TempDir(), "--dry-run"}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.stderr) {
			t.Errorf("import %q: exit %d, want %d\n%s%swant %s", c.args, code, c.code, stdout, stderr, c.stderr)
		}
		for _, row := range c.rows {
			if !holds(table(stdout), row) {
				t.Errorf("import %q: no row has %q:\n%s", c.args, row, stdout)
			}
		}
	}
}

// What a name may mean twice is asked, or refused with what to give.
func TestImportTreeAsks(t *testing.T) {
	twice := tree(t, fragments, map[string]string{"front.20261025_021000.mp4": "", "front.20261025_021100.mp4": "", "front.20260329_021000.mp4": ""})
	unsaid := tree(t, fragments, map[string]string{"front/2026-11-19_10-00-00-000000.mp4": "", "front/2026-11-19_10-01-00-000000.mp4": ""})
	summer := tree(t, fragments, map[string]string{"RecM01_DST20261025_021000_021100_1_2.mp4": "", "RecM01_20261025_021000_021100_1_2.mp4": ""})
	for _, c := range []struct {
		name     string
		args     []string
		answers  string
		terminal bool
		code     int
		rows     []string
		question string
	}{
		{"twice", []string{"--layout", "blueiris", twice}, "", false, exitFailure, []string{
			"front 2 - - - not taken: the time in its name happens twice in Europe/Berlin, since the clocks are set back; say which is meant, with: --repeated-hour first, or second",
			"front 1 - - - not taken: the time in its name does not exist in Europe/Berlin",
		}, ""},
		{"the second", []string{"--layout", "blueiris", "--repeated-hour", "second", twice}, "", false, exitFailure, []string{"front 2", "2026-10-25T02:10:00+01:00"}, ""},
		{"asked", []string{"--layout", "blueiris", twice}, "what?\nfirst\n", true, exitFailure, []string{"front 2", "2026-10-25T02:10:00+02:00"}, `"first" (+02:00) or "second" (+01:00)?`},
		{"no answer", []string{"--layout", "blueiris", twice}, "", true, exitFailure, []string{"front 2 - - - not taken: the time in its name happens twice"}, "happens twice"},
		{"without a layout", []string{"--camera", "front", twice}, "second\n", true, exitFailure, []string{"front 2", "2026-10-25T02:10:00+01:00"}, "happens twice"},
		{"UTC or local", []string{"--layout", "mediamtx", unsaid}, "", false, exitFailure, []string{"front 2 - - - not taken: its name does not say whether its time is local or UTC; say it with --timezone UTC"}, ""},
		{"UTC", []string{"--layout", "mediamtx", "--timezone", "UTC", unsaid}, "", false, exitOK, []string{"front 2", "2026-11-19T10:00:00+00:00"}, ""},
		{"zone asked", []string{"--layout", "mediamtx", unsaid}, "Utopia\nAsia/Tokyo\n", true, exitOK, []string{"front 2", "2026-11-19T02:00:00+01:00"}, "In which time zone are they"},
		{"summer time", []string{"--layout", "reolink", "--camera", "x", "--repeated-hour", "second", summer}, "", false, exitOK, []string{"x 2", "2026-10-25T02:10:00+02:00", "2026-10-25T02:10:00.5"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			env := newEnvironment(strings.NewReader(c.answers), &out, &errOut)
			env.local, env.now = berlin(t), func() time.Time { return time.Date(2026, 11, 20, 14, 5, 30, 0, time.UTC) }
			env.stderrTerminal, env.stdinTerminal = c.terminal, c.terminal
			code := env.run(t.Context(), append([]string{"import", "--data", t.TempDir(), "--dry-run"}, c.args...), commands)
			if code != c.code || !strings.Contains(errOut.String(), c.question) {
				t.Errorf("exit %d, want %d: %s%s", code, c.code, out.String(), errOut.String())
			}
			if !holds(table(out.String()), c.rows[0:1]...) || len(c.rows) > 1 && !holds(table(out.String()), c.rows[1]) {
				t.Errorf("no row has %q:\n%s", c.rows, out.String())
			}
			if asked := strings.Count(errOut.String(), c.question); c.terminal && asked > 2 {
				t.Errorf("it asks %d times", asked)
			}
		})
	}
}

// endingContext is over after it was asked so often.
type endingContext struct {
	context.Context
	left *atomic.Int64
}

func (c endingContext) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// Wherever it is interrupted, what was begun is whole, and the next import goes on from there.
func TestImportTreeInterrupted(t *testing.T) {
	data := t.TempDir()
	names := map[string]string{}
	for _, minute := range []string{"00", "01", "02", "03"} {
		names["2026-11-19/10/a/"+minute+".00.mp4"], names["2026-11-19/10/b/"+minute+".00.mp4"] = "", ""
	}
	dir := tree(t, fragments, names)
	interrupted := 0
	for asked := 0; ; asked++ {
		var left atomic.Int64
		left.Store(int64(asked))
		var out, errOut bytes.Buffer
		env := newEnvironment(strings.NewReader(""), &out, &errOut)
		env.local, env.log = time.UTC, slog.New(slog.DiscardHandler)
		im := importing{env: env, from: footageFlags{data: data}, layout: "frigate", laps: 1}
		err := im.trees(endingContext{t.Context(), &left}, []string{dir})
		if err == nil {
			if rows := table(out.String()); !holds(rows, "a 4 ") && !holds(rows, "a ", "there already") {
				t.Errorf("at last:\n%s", out.String())
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted at %d: %v, %s%s", asked, err, out.String(), errOut.String())
		}
		interrupted++
	}
	if interrupted < 10 {
		t.Errorf("it was interrupted %d times", interrupted)
	}
	if code, stdout, stderr := nvrfs(t, "check", "--data", data, "--level", "hash"); code != exitOK || !strings.Contains(stdout, "8 recordings") {
		t.Errorf("check: exit %d, %s%s", code, stdout, stderr)
	}
}

// berlinCommand runs a command in Berlin.
func berlinCommand(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runCommand(t, t.Context(), nil, args...)
}

// A tree may be named by a link.
func TestImportTreeByLink(t *testing.T) {
	dir := tree(t, fragments, map[string]string{"front.20261119_100000.mp4": ""})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := berlinCommand(t, "import", "--data", t.TempDir(), "--layout", "blueiris", link)
	if code != exitOK || !holds(table(stdout), "front 1 ", " imported") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}
