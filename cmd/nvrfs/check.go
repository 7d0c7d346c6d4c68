package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"nvrfs/recorder/fsck"
)

func newCheckCommand(env *environment) *cobra.Command {
	var from footageFlags
	var level string
	var repair bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check that every recording has its file, and that it is whole",
		Long: `Compare the database with the sample files. Each level also does everything that
the levels above it do:

  presence   each recording has its file, and each file its recording
  size       each file has the right size, and ends as recorded
  index      what the database says of the samples is what the file says
  hash       every byte is as it was written

Each finding is a line on standard output; the exit code is 1 when there is any.
Nothing is changed, and a recorder may be at work. Recording front-door/3 is the
sample file front-door/000/000003.mp4 in the sample directory.

With --repair, the problems that the level finds are repaired, each after a line
that says how; stop the recorder before. No file is deleted: a damaged one is
renamed to end in .damaged, and its whole fragments, also those behind the
damage, are written to new files. The exit code is 1 even when all problems
could be repaired.`,
		Example: `  nvrfs check
  nvrfs check --data /var/lib/nvrfs --level hash
  nvrfs check --level hash --repair`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := fsck.ParseLevel(level)
			if err != nil {
				return usageErrorf("--level: %w", err)
			}
			data, _, err := from.locate(env)
			if err != nil {
				return err
			}
			c := checking{env: env, data: data, level: l}
			if repair {
				return explainLocked(c.repair(cmd.Context()))
			}
			return c.check(cmd.Context())
		},
	}
	from.add(cmd)
	cmd.Flags().StringVar(&level, "level", fsck.Size.String(), "how closely to look: `LEVEL` presence, size, index or hash")
	cmd.Flags().BoolVar(&repair, "repair", false, "repair the problems that are found")
	return cmd
}

// checking is one run of the command.
type checking struct {
	env   *environment
	data  string
	level fsck.Level
	bar   *progress
}

func (c *checking) options() fsck.CheckOptions {
	newProgress := c.env.newCountProgress
	if c.level == fsck.Hash {
		newProgress = c.env.newByteProgress
	}
	return fsck.CheckOptions{
		Level: c.level, Log: c.env.log,
		Total:   func(n int64) { c.bar = newProgress("checking", n) },
		Checked: func(n int64) { c.bar.Add(n) },
		Found: func(p fsck.Problem) {
			c.bar.Hide()
			fmt.Fprintln(c.env.stdout, p)
		},
	}
}

func (c *checking) closeBar() {
	if c.bar != nil {
		c.bar.Close()
	}
}

func (c *checking) check(ctx context.Context) error {
	sum, err := fsck.Check(ctx, c.data, c.options())
	c.closeBar()
	if err != nil {
		return err
	}
	if sum.Problems > 0 {
		return fmt.Errorf("check %s: %s; nothing was changed; to repair, stop the recorder, then run nvrfs check --level %s --repair", c.data, problems(sum), c.level)
	}
	c.clean(sum)
	return nil
}

func problems(sum fsck.CheckSummary) string {
	return counted(sum.Problems, "problem") + " in " + counted(sum.Recordings, "recording")
}

// counted says how many things there are of a kind.
func counted(n int64, kind string) string {
	if n == 1 {
		return "1 " + kind
	}
	return fmt.Sprintf("%d %ss", n, kind)
}

func (c *checking) clean(sum fsck.CheckSummary) {
	fmt.Fprintf(c.env.stdout, "%s, %s: no problem\n", counted(sum.Recordings, "recording"), humanBytes(sum.Bytes))
}

func (c *checking) repair(ctx context.Context) error {
	sum, left, err := fsck.Repair(ctx, c.data, fsck.RepairOptions{
		CheckOptions: c.options(),
		Plan: func(p fsck.Problem, action string) {
			c.closeBar()
			fmt.Fprintf(c.env.stdout, "%s: to do: %s\n", p.Subject(), action)
		},
		Done: func(p fsck.Problem, aside string, err error) {
			what := "repaired"
			if aside != "" {
				what += "; as it was, the file is kept as " + aside
			}
			if err != nil {
				what = fmt.Sprintf("cannot be repaired: %v", err)
			}
			fmt.Fprintf(c.env.stdout, "%s: %s\n", p.Subject(), what)
		},
	})
	c.closeBar()
	switch {
	case err != nil:
		return err
	case left > 0:
		return fmt.Errorf("repair %s: %s; %d could not be repaired", c.data, problems(sum), left)
	case sum.Problems > 0:
		return fmt.Errorf("repair %s: %s; all are repaired", c.data, problems(sum))
	}
	c.clean(sum)
	return nil
}
