package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"nvrfs/recorder/fsck"
)

func newRebuildCommand(env *environment) *cobra.Command {
	var dir string
	var samples []string
	cmd := &cobra.Command{
		Use:   "rebuild --data DIR",
		Short: "Make a lost database anew from the sample files",
		Long: `Make a new database from the sample files alone, when the one of the data
directory is lost or damaged beyond use. The footage is mounted as before, byte
for byte. No file is deleted: a damaged one is set aside, and its whole
fragments are written to new files. Each damaged file is a line on standard
output, and the exit code is 1 when there is any.

Holds are restored from the lists beside the sample files. Footage that
was deleted a moment before the database was lost may be back. Where there is a
database, move it away first.`,
		Example: `  nvrfs rebuild --data /var/lib/nvrfs
  nvrfs rebuild --data /var/lib/nvrfs --samples /mnt/disk2/nvrfs`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return usageErrorf("which data directory? Name it, with: --data DIR")
			}
			data, err := absolute(dir)
			if err != nil {
				return err
			}
			if err := env.host.checkDataDir(data, true); err != nil {
				return err
			}
			for i := range samples {
				if samples[i], err = absolute(samples[i]); err != nil {
					return err
				}
			}
			var bar *progress
			sum, err := fsck.Rebuild(cmd.Context(), data, fsck.RebuildOptions{
				Samples: samples,
				Log:     env.log,
				Total:   func(n int64) { bar = env.newByteProgress("reading", n) },
				Read:    func(n int64) { bar.Add(n) },
				Found: func(p fsck.Problem) {
					bar.Hide()
					fmt.Fprintln(env.stdout, p)
				},
			})
			if bar != nil {
				bar.Close()
			}
			switch {
			case errors.Is(err, fsck.ErrNothingDone):
				return usageErrorf("%w", err)
			case err != nil:
				return explainLocked(err)
			}
			fmt.Fprintf(env.stdout, "%s of %s, %s; %s\n",
				counted(sum.Recordings, "recording"), counted(sum.Streams, "stream"), humanBytes(sum.Bytes), counted(sum.Holds, "hold"))
			if sum.Problems > 0 {
				return fmt.Errorf("rebuild the database of %s: %s, told above; what could not be taken in was set aside or left, not deleted", data, counted(sum.Problems, "problem"))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "data", "", "the data `DIR`")
	cmd.Flags().StringArrayVar(&samples, "samples", nil, "a `DIR` of sample files outside of it; may be given several times")
	_ = cmd.MarkFlagDirname("data")
	_ = cmd.MarkFlagDirname("samples")
	return cmd
}
