package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"nvrfs/config"
	"nvrfs/redact"
)

// commands makes the subcommands, in the order in which the help lists them.
var commands = []func(*environment) *cobra.Command{
	newDemoCommand,
	newRunCommand,
	newMountCommand,
	newLSCommand,
	newMarksCommand,
	newExportCommand,
	newKeepCommand,
	newImportCommand,
	newCheckCommand,
	newRebuildCommand,
	newUpgradeCommand,
	newConfigCommand,
	newTSCommand,
	newCameraCommand,
	newVersionCommand,
}

// An environment is what a command may know of the world around it, so that tests can hand in another one.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	stdoutTerminal bool
	stderrTerminal bool
	stdinTerminal  bool
	now            func() time.Time
	local          *time.Location              // the host's time zone
	lookupEnv      func(string) (string, bool) // environment variables
	host           host                        // what preflight looks at
	counters       counters                    // of a service, for --pprof
	hangups        <-chan os.Signal            // each SIGHUP; nil where there are none

	hangUp context.CancelFunc // stops the command
	moved  moved              // finds cameras whose address has changed

	// log is made from the global flags before a command's RunE is called, and is nil until then.
	log *slog.Logger
}

func newEnvironment(stdin io.Reader, stdout, stderr io.Writer) *environment {
	return &environment{
		stdin:          stdin,
		stdout:         stdout,
		stderr:         stderr,
		stdoutTerminal: isTerminal(stdout),
		stderrTerminal: isTerminal(stderr),
		stdinTerminal:  isTerminal(stdin),
		now:            time.Now,
		local:          time.Local,
		lookupEnv:      os.LookupEnv,
		host:           thisHost(),
	}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// run is the whole program but for signals: it executes the command that args name and returns the exit code.
func run(ctx context.Context, args []string, hangups <-chan os.Signal, stdin io.Reader, stdout, stderr io.Writer) int {
	env := newEnvironment(stdin, stdout, stderr)
	env.hangups = hangups
	return env.run(ctx, args, commands)
}

func (env *environment) run(ctx context.Context, args []string, commands []func(*environment) *cobra.Command) int {
	root := env.newRootCommand(commands)
	root.SetArgs(args)
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	env.hangUp = hangUp
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if env.log == nil { // it ended before RunE: only the command line can be at fault
		err = usageErrorf("%w%s", err, seeHelp(cmd, err))
	}
	err = explainDatabase(err)
	line := oneLine(err)
	if interrupted(ctx, err) {
		line = "interrupted"
	}
	fmt.Fprintf(env.stderr, "nvrfs: %s\n", line)
	return exitCode(ctx, err)
}

// seeHelp ends the message of err, a mistake on the command line of cmd.
func seeHelp(cmd *cobra.Command, err error) string {
	see := "; see: "
	if strings.HasSuffix(err.Error(), "?") {
		see = " See: "
	}
	return see + cmd.CommandPath() + " --help"
}

// oneLine returns the message of err, which may be several joined ones, as one line without passwords.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	return redact.Text(strings.Join(lines, "; "))
}

func (env *environment) newRootCommand(commands []func(*environment) *cobra.Command) *cobra.Command {
	cobra.EnableCommandSorting = false
	root := &cobra.Command{
		Use:   "nvrfs",
		Short: "Record RTSP cameras, and mount the footage as .mp4 files",
		Long: `nvrfs records RTSP cameras day and night, without decoding, and mounts the
footage as a filesystem: every camera, day and hour is a directory of ordinary
.mp4 files, which any player, copier or file server reads.

Exit codes: 0 done; 1 failed, or footage is damaged; 2 wrong command line,
configuration or environment, and nothing was created; 130 interrupted.`,
		Version:       buildVersion(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(env.stdin)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	root.SetVersionTemplate("nvrfs {{.Version}}\n")
	root.SetFlagErrorFunc(explainFlagError)
	root.SetUsageTemplate(strings.NewReplacer(
		"{{if .Runnable}}", "{{if not .HasAvailableSubCommands}}", // alone, a group only prints its help
		"FlagUsages ", "FlagUsagesWrapped 80 ",
	).Replace(root.UsageTemplate()))

	var logs logOptions
	logs.addFlags(root)
	for _, newCommand := range commands {
		root.AddCommand(newCommand(env))
	}
	root.InitDefaultCompletionCmd()
	addHelpCommand(root)
	env.prepare(root, &logs)
	return root
}

// addHelpCommand adds cobra's, made to refuse what is no command.
func addHelpCommand(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, err := root.Find([]string{"help"})
	if err != nil {
		panic(err) // it was added the line before
	}
	help.Args = func(_ *cobra.Command, args []string) error {
		found, unknown, err := root.Find(args)
		if err == nil && len(unknown) > 0 {
			err = refuseUnknownCommand(found, unknown)
		}
		return err
	}
}

// prepare makes cmd and all below it start with a logger, and makes those that only group others refuse names that
// they do not know.
func (env *environment) prepare(cmd *cobra.Command, logs *logOptions) {
	switch runE := cmd.RunE; {
	case runE != nil:
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			env.log = logs.newLogger(env.stderr, env.stderrTerminal)
			if !reloads(cmd) {
				defer env.stopAtHangup()()
			}
			return runE(cmd, args)
		}
	case cmd.HasSubCommands():
		cmd.Args = refuseUnknownCommand // which is called only of a command that runs
		cmd.Run = func(cmd *cobra.Command, _ []string) { _ = cmd.Help() }
	}
	for _, sub := range cmd.Commands() {
		env.prepare(sub, logs)
	}
}

// onlyOneOf has a command refuse flags that exclude each other. cobra does so by itself, in words about groups.
func onlyOneOf(cmd *cobra.Command, names ...string) {
	cmd.MarkFlagsMutuallyExclusive(names...)
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		var given []string
		for _, name := range names {
			if cmd.Flags().Changed(name) {
				given = append(given, "--"+name)
			}
		}
		if len(given) > 1 {
			return fmt.Errorf("%s exclude each other: give one of them", strings.Join(given, " and "))
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

func refuseUnknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	if near := config.Closest(args[0], names); near != "" {
		return fmt.Errorf("unknown command %q; did you mean %q?", args[0], near)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// explainFlagError names the flag that was probably meant by one that does not exist.
func explainFlagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	if digit := unknown.GetSpecifiedShortnames(); digit != "" && '0' <= digit[0] && digit[0] <= '9' {
		return fmt.Errorf("unknown flag -%s; a value that starts with - goes after --", digit)
	}
	var names []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	if near := config.Closest(unknown.GetSpecifiedName(), names); near != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return err
}

// wantArgs checks the number of arguments, atLeast <= n <= atMost; atMost < 0 is no bound. What says what they are, as
// the usage line does: "FILE" or "CAMERA FROM TO".
func wantArgs(atLeast, atMost int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < atLeast:
			return fmt.Errorf("missing argument: want %s", what)
		case atMost == 0 && len(args) > 0:
			return fmt.Errorf("unexpected argument %q: want none", args[0])
		case atMost >= 0 && len(args) > atMost:
			return fmt.Errorf("unexpected argument %q: want %s", args[atMost], what)
		}
		return nil
	}
}

// A choice is the value of a flag that must be one of a few words.
type choice struct {
	value   string
	allowed []string
}

// addChoice adds a flag to cmd's flags that takes one of allowed, completes to them, and is at first what c is.
func addChoice(cmd *cobra.Command, flags *pflag.FlagSet, c *choice, name, usage string, allowed ...string) {
	c.allowed = allowed
	flags.Var(c, name, usage)
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.allowed, "|") }

func (c *choice) Set(s string) error {
	for _, word := range c.allowed {
		if s == word {
			c.value = s
			return nil
		}
	}
	return fmt.Errorf("want %s", config.OrList(c.allowed))
}
