package cameras

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/config"
	"nvrfs/recorder/survey"
	"nvrfs/redact"
)

func (env *Environment) testCommand() *cobra.Command {
	var (
		file   string
		length time.Duration
		asJSON bool
		tls    fingerprintFlag
	)
	cmd := &cobra.Command{
		Use:   "test NAME|URL",
		Short: "Say what a camera sends, and what to change at it",
		Long: `Connect to a camera of the configuration (NAME, or NAME.sub for another of its
streams), or to an rtsp:// or rtsps:// URL, and measure for some seconds what it
sends: codecs, sizes, rates, how often decoding can start, its clock, and lost
packets. Then say what nvrfs records of it, and what to change at the camera.

Nothing is recorded. A URL may have its password as ${NAME} or ${file:PATH}, as
in the configuration. The exit code is 1 where no picture and no sound came.`,
		Example: `  nvrfs camera test front-door --config /etc/nvrfs.yaml
  nvrfs camera test front-door.sub --for 30s
  nvrfs camera test 'rtsp://admin:${CAMERA_PASSWORD}@192.0.2.10/stream1' --json`,
		Args: env.WantArgs(1, 1, "NAME or URL"),
	}
	addConfigFlag(cmd, &file)
	cmd.Flags().DurationVar(&length, "for", 10*time.Second, "how `LONG` to measure, from the first sample on")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	transport := env.transportFlag(cmd, "", "how its packets are to come (default as the configuration says, else tcp)")
	tls.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if length < shortestTest || length > longestTest {
			return env.Usagef("--for %v: want %v to %v", length, shortestTest, longestTest)
		}
		if err := tls.check(env); err != nil {
			return err
		}
		stream, err := env.stream(args[0], file)
		if err != nil {
			return err
		}
		stream.Transport = cmp.Or(*transport, stream.Transport, "tcp")
		stream.Fingerprint = cmp.Or(tls.sum, stream.Fingerprint)
		report, err := env.measure(cmd.Context(), stream, length)
		if err != nil {
			return err
		}
		if !isURL(args[0]) {
			report.Stream = args[0]
		}
		if !asJSON {
			return report.Text(env.Stdout)
		}
		out := json.NewEncoder(env.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(report)
	}
	return cmd
}

func isURL(s string) bool { return strings.Contains(s, "://") }

// stream returns the stream of a URL, or the stream of the configuration that has a label.
func (env *Environment) stream(what, file string) (config.Stream, error) {
	if isURL(what) {
		u, err := config.LookUpURL(what, env.LookupEnv)
		if err != nil {
			return config.Stream{}, env.Usagef("%w", err)
		}
		return config.Stream{URL: u}, nil
	}
	text, err := config.ReadFile(file)
	if err != nil {
		return config.Stream{}, env.Usagef("%w; name the configuration that has camera %s with --config, or give the URL of a stream, such as rtsp://192.0.2.10/stream1", err, what)
	}
	cfg, err := config.Parse(file, text, env.LookupEnv)
	if err != nil {
		return config.Stream{}, err
	}
	var names []string
	for _, c := range cfg.Cameras {
		for _, s := range c.Streams {
			label := c.Name + "." + s.Name
			if s.Name == "main" {
				label = c.Name
			}
			if what == label || what == c.Name+"."+s.Name {
				return s, nil
			}
			names = append(names, label)
		}
	}
	if near := config.Closest(what, names); near != "" {
		return config.Stream{}, env.Usagef("%s has no camera %q; did you mean %q?", file, what, near)
	}
	return config.Stream{}, env.Usagef("%s has no camera %q; it has %s", file, what, strings.Join(names, ", "))
}

// measure records nothing: it watches a stream for a time, and reports what came.
func (env *Environment) measure(ctx context.Context, stream config.Stream, length time.Duration) (survey.Report, error) {
	kept := &notes{}
	var s survey.Survey
	early, err := s.Watch(ctx, env.Source(stream, slog.New(kept), s.Reports), length)
	if err != nil {
		for _, x := range kept.leftOut {
			env.tell("%s is not recorded: %s", redact.Text(x.Codec), redact.Text(x.Reason))
		}
		return survey.Report{}, err
	}
	r := s.Report()
	r.URL, r.Transport = stream.URL.String(), stream.Transport
	r.Lost, r.Damaged = kept.lost, kept.damaged
	for _, x := range kept.leftOut {
		r.LeftOut = append(r.LeftOut, survey.LeftOut{Codec: redact.Text(x.Codec), Reason: redact.Text(x.Reason)})
	}
	for _, line := range kept.lines {
		r.Notes = append(r.Notes, redact.Text(line))
	}
	if early != nil {
		r.Ended = redact.Text(early.Error())
	}
	r.Advise()
	return r, nil
}
