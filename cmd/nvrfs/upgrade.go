package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store/dir"
)

func newUpgradeCommand(env *environment) *cobra.Command {
	var from dataFlags
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Bring a database of an older nvrfs up to date",
		Long: `Bring the database of an older nvrfs up to date. A new one is made of it, which
takes as much space again; the old one is kept beside it. The sample files are
not touched. If the upgrade fails or is interrupted, the database stays as it
was.

Nothing may record or mount the footage meanwhile.`,
		Example: `  nvrfs upgrade --config /etc/nvrfs.yaml
  nvrfs upgrade --data /var/lib/nvrfs`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := from.locate(env)
			if err != nil {
				return err
			}
			return explainLocked(env.upgrade(cmd.Context(), data))
		},
	}
	from.add(cmd)
	return cmd
}

func (env *environment) upgrade(ctx context.Context, data string) (err error) {
	lock, err := dir.LockDir(data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	var bar *progress
	version, backup, err := schema.Upgrade(ctx, data, schema.Progress{
		Total: func(n int64) { bar = env.newCountProgress("upgrading", n) },
		Done:  func(n int64) { bar.Add(n) },
	})
	if bar != nil {
		bar.Close()
	}
	switch {
	case err != nil:
		return err
	case backup == "":
		fmt.Fprintf(env.stdout, "the database of %s has version %d already: nothing to do\n", data, version)
	default:
		fmt.Fprintf(env.stdout, "the database of %s is upgraded from version %d to %d; as it was, it is kept as %s\n", data, version, schema.Version, backup)
	}
	return nil
}

// dataFlags say which data directory a command works on, by a configuration file or by name.
type dataFlags struct {
	config, data string
}

func (f *dataFlags) add(cmd *cobra.Command) {
	addConfigFlag(cmd, &f.config)
	cmd.Flags().StringVar(&f.data, "data", "", "the data `DIR`, in place of a configuration file")
	_ = cmd.MarkFlagDirname("data")
	onlyOneOf(cmd, "config", "data")
}

// locate returns the data directory, which has a database.
func (f *dataFlags) locate(env *environment) (string, error) {
	data, _, err := (&footageFlags{config: f.config, data: f.data}).locate(env)
	return data, err
}

// explainDatabase says what to do about a database that cannot be used as it is.
func explainDatabase(err error) error {
	switch {
	case errors.Is(err, schema.ErrOld):
		return usageErrorf("%w; bring it up to date with: nvrfs upgrade", err)
	case errors.Is(err, volume.ErrLost): // it says itself
		return usageErrorf("%w", err)
	}
	return err
}
