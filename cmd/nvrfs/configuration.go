package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"nvrfs/config"
)

// addConfigFlag adds the flag that names the configuration file.
func addConfigFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "nvrfs.yaml", "the configuration `FILE`")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// readConfig reads the file that the flag names.
func readConfig(path string, lookup config.Lookup) (*config.Config, error) {
	text, err := config.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w; name a readable configuration file with --config", err)
	}
	return config.Parse(path, text, lookup)
}
