package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"nvrfs/config"
)

func newConfigCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check or change a configuration file",
		Example: `  nvrfs config check /etc/nvrfs.yaml
  nvrfs config set /etc/nvrfs.yaml cameras.barn.retain.days 30`,
	}
	cmd.AddCommand(newConfigCheckCommand(env), newConfigSetCommand(env), newConfigUnsetCommand(env))
	return cmd
}

func newConfigCheckCommand(env *environment) *cobra.Command {
	var withoutSecrets bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Say whether a configuration file is good",
		Long: `Read a configuration file as nvrfs run does, and say how many cameras and
streams it has or, with exit code 2, what is wrong with it. Whether cameras and
directories are there is not looked at.`,
		Example: `  nvrfs config check /etc/nvrfs.yaml
  nvrfs config check --without-secrets /etc/nvrfs.yaml`,
		Args: wantArgs(1, 1, "FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			lookup := config.Lookup(env.lookupEnv)
			if withoutSecrets {
				lookup = nil
			}
			cfg, err := config.Read(args[0], lookup)
			if err != nil {
				return err
			}
			var streams int64
			for _, c := range cfg.Cameras {
				streams += int64(len(c.Streams))
			}
			fmt.Fprintf(env.stdout, "%s, %s: good\n", counted(int64(len(cfg.Cameras)), "camera"), counted(streams, "stream"))
			return nil
		},
	}
	cmd.Flags().BoolVar(&withoutSecrets, "without-secrets", false,
		"do not look for passwords; for a shell without the variables of the service")
	return cmd
}
