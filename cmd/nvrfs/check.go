package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"nvrfs/recorder"
)

func newCheckCommand(env *environment) *cobra.Command {
	var from footageFlags
	var level string
	var repair bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check that every recording has its file, and that it is whole",
		Long: `Compare the database with the sample files. Each level does what those before it
do as well:

  presence   each recording has its file, and each file its recording
  size       each file has the right size, and ends as recorded
  index      what the database says of the samples is what the file says
  hash       every byte is as it was written

Each finding is a line on standard output; the exit code is 1 when there is any.
Nothing is changed, and a recorder may be at work.

With --repair, and no recorder at work, what was found is repaired, after it was
said how. No file is deleted: a damaged one is renamed to end in .damaged, and
what is whole of it written to a new one.`,
		Example: `  nvrfs check
  nvrfs check --data /var/lib/nvrfs --level hash
  nvrfs check --level hash --repair`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := recorder.ParseLevel(level)
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
	cmd.Flags().StringVar(&level, "level", recorder.Size.String(), "how closely to look: `LEVEL` presence, size, index or hash")
	cmd.Flags().BoolVar(&repair, "repair", false, "repair what is found")
	return cmd
}

// checking is one run of the command.
type checking struct {
	env   *environment
	data  string
	level recorder.Level
	bar   *progress
}

func (c *checking) options() recorder.CheckOptions {
	newProgress := c.env.newCountProgress
	if c.level == recorder.Hash {
		newProgress = c.env.newByteProgress
	}
	return recorder.CheckOptions{
		Level: c.level, Log: c.env.log,
		Total:   func(n int64) { c.bar = newProgress("checking", n) },
		Checked: func(n int64) { c.bar.Add(n) },
		Found:   func(p recorder.Problem) { fmt.Fprintln(c.env.stdout, p) },
	}
}

func (c *checking) closeBar() {
	if c.bar != nil {
		c.bar.Close()
	}
}

func (c *checking) check(ctx context.Context) error {
	sum, err := recorder.Check(ctx, c.data, c.options())
	c.closeBar()
	if err != nil {
		return err
	}
	if sum.Problems > 0 {
		return fmt.Errorf("check %s: %d problems in %d recordings; nothing was changed", c.data, sum.Problems, sum.Recordings)
	}
	c.clean(sum)
	return nil
}

func (c *checking) clean(sum recorder.CheckSummary) {
	fmt.Fprintf(c.env.stdout, "%d recordings, %s: no problem\n", sum.Recordings, humanBytes(sum.Bytes))
}

func (c *checking) repair(ctx context.Context) error {
	sum, left, err := recorder.Repair(ctx, c.data, recorder.RepairOptions{
		CheckOptions: c.options(),
		Plan: func(p recorder.Problem, action string) {
			c.closeBar()
			fmt.Fprintf(c.env.stdout, "%s: to do: %s\n", p.Place(), action)
		},
		Done: func(p recorder.Problem, err error) {
			if err != nil {
				fmt.Fprintf(c.env.stdout, "%s: cannot be repaired: %v\n", p.Place(), err)
			} else {
				fmt.Fprintf(c.env.stdout, "%s: repaired\n", p.Place())
			}
		},
	})
	c.closeBar()
	switch {
	case err != nil:
		return err
	case left > 0:
		return fmt.Errorf("repair %s: %d problems in %d recordings; %d recordings could not be repaired", c.data, sum.Problems, sum.Recordings, left)
	case sum.Problems > 0:
		return fmt.Errorf("repair %s: %d problems in %d recordings; all are repaired", c.data, sum.Problems, sum.Recordings)
	}
	c.clean(sum)
	return nil
}
