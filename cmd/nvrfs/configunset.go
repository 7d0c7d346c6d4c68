package main

import (
	"github.com/spf13/cobra"

	"nvrfs/config"
)

func newConfigUnsetCommand(*environment) *cobra.Command {
	return &cobra.Command{
		Use:   "unset FILE PATH",
		Short: "Take a value, or a camera, out of a configuration file",
		Long: `Take the name at PATH, names with dots between them, and its value out of the
file. If the name above it has no other value, it goes too. All else stays as it
is. A change that would make the file wrong is refused. No footage is deleted.`,
		Example: `  nvrfs config unset /etc/nvrfs.yaml cameras.barn.retain
  nvrfs config unset /etc/nvrfs.yaml cameras.barn`,
		Args: wantArgs(2, 2, "FILE PATH"),
		RunE: func(_ *cobra.Command, args []string) error {
			return editConfig(args[0], config.Unset(args[1]))
		},
	}
}
