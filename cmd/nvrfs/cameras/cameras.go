package cameras

import (
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/config"
	"nvrfs/media"
)

// An Environment is what the commands may know of the world around them, and of the program that they are part of.
type Environment struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	LookupEnv      config.Lookup
	Log            func() *slog.Logger // of a command that runs

	// ReadPassword asks on the terminal, without echo. It is nil where there is none.
	ReadPassword func() (string, error)
	// Source returns the source that records a stream; it calls reports for each sender report of the camera.
	Source func(s config.Stream, log *slog.Logger, reports func(wall, received time.Time)) media.Source

	Usagef   func(format string, args ...any) error // a mistake on the command line
	WantArgs func(atLeast, atMost int, what string) cobra.PositionalArgs
	// Choice adds a flag that takes one of a few words.
	Choice func(cmd *cobra.Command, name, value, usage string, allowed ...string) *string
}

// Command is the camera command, which groups the others.
func Command(env *Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "camera",
		Short: "Find, add and test cameras, or play one",
		Example: `  nvrfs camera scan
  nvrfs camera add front-door 192.0.2.10 --user admin
  nvrfs camera test front-door`,
	}
	cmd.AddCommand(env.scanCommand(), env.addCommand(), env.testCommand(), env.playCommand())
	return cmd
}

func addConfigFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "nvrfs.yaml", "the configuration `FILE`")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

func (env *Environment) transportFlag(cmd *cobra.Command, value, usage string) *string {
	return env.Choice(cmd, "transport", value, usage, "tcp", "udp", "auto", "multicast", "http")
}

// A fingerprintFlag names the certificate that a camera at rtsps:// has to show.
type fingerprintFlag struct{ text, sum string }

func (f *fingerprintFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.text, "fingerprint", "", "the `SHA256` of the camera's own certificate, for rtsps://; where it is wanted, the error has it")
}

func (f *fingerprintFlag) check(env *Environment) (err error) {
	if f.text == "" {
		return nil
	}
	if f.sum, err = config.ParseFingerprint(f.text); err != nil {
		return env.Usagef("--fingerprint: %w", err)
	}
	return nil
}

// Bounds of what flags ask for.
const (
	shortestTest = time.Second
	longestTest  = 10 * time.Minute
)
