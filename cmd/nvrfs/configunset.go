package main

import (
	"github.com/spf13/cobra"

	"nvrfs/config"
)

func newConfigUnsetCommand(*environment) *cobra.Command {
	return &cobra.Command{
		Use:   "unset FILE PATH",
		Short: "Take a value, or a camera, out of a configuration file",
		Long: `Take the name at PATH, names with dots between them, out of the file with its
value, and what holds it where that is empty then. All else stays as it is. A
change that would make the file wrong is refused. Footage stays, too.`,
		Example: `  nvrfs config unset /etc/nvrfs.yaml cameras.barn.retain
  nvrfs config unset /etc/nvrfs.yaml cameras.barn`,
		Args: wantArgs(2, 2, "FILE PATH"),
		RunE: func(_ *cobra.Command, args []string) error {
			return editConfig(args[0], config.Unset(args[1]))
		},
	}
}
