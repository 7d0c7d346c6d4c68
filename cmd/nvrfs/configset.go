package main

import (
	"github.com/spf13/cobra"

	"nvrfs/config"
)

func newConfigSetCommand(*environment) *cobra.Command {
	return &cobra.Command{
		Use:   "set FILE PATH VALUE",
		Short: "Change a value of a configuration file, or add one",
		Long: `Set the value at PATH, names with dots between them, to VALUE, which is YAML of
one line. All else in the file stays as it is, comments included. A change that
would make the file wrong is refused. Passwords are not looked for.`,
		Example: `  nvrfs config set /etc/nvrfs.yaml cameras.barn.retain.days 30
  nvrfs config set nvrfs.yaml cameras.gate "{ url: 'rtsp://192.0.2.12/1' }"`,
		Args: wantArgs(3, 3, "FILE PATH VALUE"),
		RunE: func(_ *cobra.Command, args []string) error {
			return editConfig(args[0], config.Set(args[1], args[2]))
		},
	}
}

// editConfig makes one edit of the configuration file at path.
func editConfig(path string, edit config.Edit) error {
	before, err := config.ReadFile(path)
	if err != nil {
		return err
	}
	after, err := config.Apply(path, before, nil, edit)
	if err != nil {
		return err
	}
	return config.WriteFile(path, before, after)
}
