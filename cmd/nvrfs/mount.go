package main

import (
	"os"

	"github.com/spf13/cobra"

	"nvrfs/config"
)

func newMountCommand(env *environment) *cobra.Command {
	var data, zone, cache string
	var allowOther bool
	cmd := &cobra.Command{
		Use:   "mount --data DIR MOUNTPOINT",
		Short: "Mount existing footage without recording",
		Long: `Mount the footage of a data directory, read-only, in the foreground, until
SIGINT or SIGTERM. Another process may record into the directory meanwhile:
what it commits appears within two seconds.`,
		Example: `  nvrfs mount --data /var/lib/nvrfs /mnt/nvr
  nvrfs mount --data ./demo/data --timezone UTC ./mnt`,
		Args: wantArgs(1, 1, "MOUNTPOINT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			loc, err := env.zone(zone)
			if err != nil {
				return err
			}
			bytes, err := config.ParseCache(cache)
			if err != nil {
				return usageErrorf("--cache: %w", err)
			}
			from, err := env.dataDir(data)
			if err != nil {
				return err
			}
			point, err := absolute(args[0])
			if err != nil {
				return err
			}
			m := config.Mount{Path: point, AllowOther: allowOther, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Umask: 0o022}
			if err := env.prepareMount(m, from); err != nil {
				return err
			}
			limitMemory(bytes, 0)
			return env.show(cmd.Context(), shown{data: from, loc: loc, mount: m, cache: bytes}, func() {
				env.log.Info("mounted", "path", point)
			})
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "the data `DIR` whose footage to mount")
	_ = cmd.MarkFlagRequired("data")
	_ = cmd.MarkFlagDirname("data")
	cmd.Flags().StringVar(&zone, "timezone", "", zoneUsage)
	cmd.Flags().StringVar(&cache, "cache", "128MB", "memory of `SIZE` for listings and tables")
	cmd.Flags().BoolVar(&allowOther, "allow-other", false, "let other users read the mount, a Samba server among them")
	env.addPprof(cmd)
	return cmd
}
