package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/config"
)

// runCommand runs nvrfs in a world of the test: 2026-11-20T14:05:30Z, in the time zone of Berlin, without a terminal.
func runCommand(t *testing.T, ctx context.Context, extra func(*environment) *cobra.Command, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	env := newEnvironment(strings.NewReader(""), &out, &errOut)
	env.now = func() time.Time { return time.Date(2026, 11, 20, 14, 5, 30, 0, time.UTC) }
	env.local = berlin(t)
	env.lookupEnv = func(string) (string, bool) { return "", false }
	env.host = testHost(0)
	all := commands
	if extra != nil {
		all = append(all[:len(all):len(all)], extra)
	}
	code = env.run(ctx, args, all)
	return code, out.String(), errOut.String()
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	loc, err := config.LoadTimezone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestRunMistakes(t *testing.T) {
	tests := []struct {
		args []string
		want string // after "nvrfs: "
	}{
		{[]string{"vrsion"}, `unknown command "vrsion"; did you mean "version"? See: nvrfs --help`},
		{[]string{"bogus"}, `unknown command "bogus"; see: nvrfs --help`},
		{[]string{"help", "bogus"}, `unknown command "bogus"; see: nvrfs help --help`},
		{[]string{"completion", "bsh"}, `unknown command "bsh"; did you mean "bash"? See: nvrfs completion --help`},
		{[]string{"version", "now"}, `unexpected argument "now": want none; see: nvrfs version --help`},
		{[]string{"--bogus"}, `unknown flag: --bogus; see: nvrfs --help`},
		{[]string{"ts", "--timezon", "x"}, `unknown flag: --timezon; did you mean --timezone? See: nvrfs ts --help`},
		{[]string{"ts", "-9000"}, `unknown flag -9000; a value that starts with - goes after --; see: nvrfs ts --help`},
		{[]string{"ts", "-x"}, `unknown shorthand flag: 'x' in -x; see: nvrfs ts --help`},
		{[]string{"ts", "--log-format", "xml", "now"}, `invalid argument "xml" for "--log-format" flag: want auto, text or json; see: nvrfs ts --help`},
		{[]string{"--log-level=all", "version"}, `invalid argument "all" for "--log-level" flag: want debug, info, warn or error; see: nvrfs version --help`},
	}
	for _, tt := range tests {
		code, stdout, stderr := runCommand(t, t.Context(), nil, tt.args...)
		if code != exitBadSetup || stdout != "" || stderr != "nvrfs: "+tt.want+"\n" {
			t.Errorf("%q: exit %d, stdout %q\n got %swant nvrfs: %s", tt.args, code, stdout, stderr, tt.want)
		}
	}
}

func TestRunHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"help"}, {"ts", "-h"}, {"help", "ts"}, {"completion"}} {
		code, stdout, stderr := runCommand(t, t.Context(), nil, args...)
		if code != exitOK || !strings.Contains(stdout, "Usage:\n  nvrfs ") || stderr != "" {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

// Every command says what it is for, shows an example, and refuses arguments that mean nothing to it.
func TestCommandsAreComplete(t *testing.T) {
	env := newEnvironment(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{})
	for _, newCommand := range commands {
		checkCommand(t, newCommand(env))
	}
}

func checkCommand(t *testing.T, cmd *cobra.Command) {
	t.Helper()
	for _, sub := range cmd.Commands() {
		checkCommand(t, sub)
	}
	if cmd.Short == "" || cmd.Example == "" {
		t.Errorf("%s: wants a Short and an Example", cmd.CommandPath())
	}
	if !cmd.HasSubCommands() && (cmd.RunE == nil || cmd.Args == nil) {
		t.Errorf("%s: wants RunE and Args", cmd.CommandPath())
	}
	for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
		if len(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("%s: longer than 80 columns: %s", cmd.CommandPath(), line)
		}
	}
}

// Help is read in terminals of 80 columns, flags included.
func TestHelpFitsTerminals(t *testing.T) {
	env := newEnvironment(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{})
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.UsageString()) {
			if len(strings.TrimRight(line, "\n")) > 80 {
				t.Errorf("%s: longer than 80 columns: %s", cmd.CommandPath(), line)
			}
		}
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	check(env.newRootCommand(commands))
}

func TestRunFailures(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		code int
		want string
	}{
		{"none", t.Context(), nil, 0, ""},
		{"plain", t.Context(), errors.New("check: 3 files are damaged"), 1, "nvrfs: check: 3 files are damaged\n"},
		{"joined", t.Context(), errors.Join(errors.New("a"), errors.New("b\r\n\nc")), 1, "nvrfs: a; b; c\n"},
		{"password", t.Context(), errors.New("dial rtsp://u:p@h/s: refused"), 1, "nvrfs: dial rtsp://u:xxxxx@h/s: refused\n"},
		{"usage", t.Context(), usageErrorf("bad"), 2, "nvrfs: bad\n"},
		{"interrupted", cancelled, fmt.Errorf("copy: %w", context.Canceled), 130, "nvrfs: interrupted\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			failing := func(*environment) *cobra.Command {
				return &cobra.Command{Use: "fail", RunE: func(*cobra.Command, []string) error { return tt.err }}
			}
			code, _, stderr := runCommand(t, tt.ctx, failing, "fail")
			if code != tt.code || stderr != tt.want {
				t.Errorf("exit %d, stderr %q; want %d, %q", code, stderr, tt.code, tt.want)
			}
		})
	}
}

// Flags that cobra checks after the arguments are mistakes on the command line too.
func TestRunRequiredFlag(t *testing.T) {
	needy := func(*environment) *cobra.Command {
		cmd := &cobra.Command{Use: "needy", RunE: func(*cobra.Command, []string) error { return nil }}
		var config string
		addConfigFlag(cmd, &config)
		_ = cmd.MarkFlagRequired("config")
		return cmd
	}
	code, _, stderr := runCommand(t, t.Context(), needy, "needy")
	if want := "nvrfs: required flag(s) \"config\" not set; see: nvrfs needy --help\n"; code != exitBadSetup || stderr != want {
		t.Errorf("exit %d, stderr %q; want 2, %q", code, stderr, want)
	}
}

func TestRunHandsTheLoggerIn(t *testing.T) {
	logging := func(env *environment) *cobra.Command {
		return &cobra.Command{Use: "log", RunE: func(*cobra.Command, []string) error {
			env.log.Debug("recording", "camera", "door")
			return nil
		}}
	}
	_, _, stderr := runCommand(t, t.Context(), logging, "log", "--log-level", "debug")
	if !strings.Contains(stderr, `"level":"DEBUG","msg":"recording","camera":"door"}`) {
		t.Errorf("stderr %q, want JSON", stderr)
	}
	if _, _, stderr := runCommand(t, t.Context(), logging, "log"); stderr != "" {
		t.Errorf("stderr %q, want nothing at the level info", stderr)
	}
}

func TestCompletion(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"__completeNoDesc", "ver"}, "version\n:4\n"},
		{[]string{"__completeNoDesc", "ts", "--log-format", ""}, "auto\ntext\njson\n:4\n"},
		{[]string{"__completeNoDesc", "ts", ""}, ":4\n"},
	}
	for _, tt := range tests {
		if code, stdout, _ := runCommand(t, t.Context(), nil, tt.args...); code != exitOK || stdout != tt.want {
			t.Errorf("%q: exit %d, %q; want %q", tt.args, code, stdout, tt.want)
		}
	}
	if code, stdout, _ := runCommand(t, t.Context(), nil, "completion", "bash"); code != exitOK || !strings.Contains(stdout, "__start_nvrfs") {
		t.Errorf("completion bash: exit %d, %d bytes", code, len(stdout))
	}
}

func TestWantArgs(t *testing.T) {
	tests := []struct {
		atLeast, atMost int
		args            []string
		want            string
	}{
		{0, 0, nil, ""},
		{1, 2, []string{"a"}, ""},
		{1, -1, []string{"a", "b", "c"}, ""},
		{1, 2, nil, "missing argument: want FROM [TO]"},
		{1, 2, []string{"a", "b", "c"}, `unexpected argument "c": want FROM [TO]`},
		{0, 0, []string{"a"}, `unexpected argument "a": want none`},
	}
	for _, tt := range tests {
		got := ""
		if err := wantArgs(tt.atLeast, tt.atMost, "FROM [TO]")(nil, tt.args); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%d to %d of %q: %q, want %q", tt.atLeast, tt.atMost, tt.args, got, tt.want)
		}
	}
}
