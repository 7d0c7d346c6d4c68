package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"nvrfs/recorder"
)

func newCheckCommand(env *environment) *cobra.Command {
	var from footageFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check that every recording has its file, and every file its recording",
		Long: `Check that every row of the database has its sample file, that the file has the
right size, and that every sample file has its row. Nothing is changed. Each
finding is a line on standard output; the exit code is 1 when there is any.

A recorder may be at work: what it is writing is not looked at.`,
		Example: `  nvrfs check
  nvrfs check --data /var/lib/nvrfs`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, _, err := from.locate(env)
			if err != nil {
				return err
			}
			var bar *progress
			sum, err := recorder.Check(cmd.Context(), data, recorder.CheckOptions{
				Total:   func(n int64) { bar = env.newCountProgress("checking", n) },
				Checked: func() { bar.Add(1) },
				Found:   func(p recorder.Problem) { fmt.Fprintln(env.stdout, p) },
			})
			if bar != nil {
				bar.Close()
			}
			if err != nil {
				return err
			}
			if sum.Problems > 0 {
				return fmt.Errorf("check %s: %d problems in %d recordings; nothing was changed", data, sum.Problems, sum.Recordings)
			}
			fmt.Fprintf(env.stdout, "%d recordings, %s: no problem\n", sum.Recordings, humanBytes(sum.Bytes))
			return nil
		},
	}
	from.add(cmd)
	return cmd
}
