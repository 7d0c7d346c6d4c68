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

// checkStreamNames refuses streams that the database has no name for.
func checkStreamNames(cfg *config.Config) error {
	for _, c := range cfg.Cameras {
		for _, s := range c.Streams {
			if s.Name != "main" && s.Name != "sub" {
				return &environmentError{
					fmt.Sprintf("stream %s of camera %s", s.Name, c.Name), "the database takes main and sub only",
					"name it main or sub, or give it a camera of its own",
				}
			}
		}
	}
	return nil
}
