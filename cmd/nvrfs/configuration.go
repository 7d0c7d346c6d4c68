package main

import (
	"errors"
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

func checkStreamNames(cfg *config.Config) error {
	for _, c := range cfg.Cameras {
		for _, s := range c.Streams {
			if err := checkStreamName(s.Name); err != nil {
				return &environmentError{fmt.Sprintf("stream %s of camera %s", s.Name, c.Name), err.Error(), "name it so, or give it a camera of its own"}
			}
		}
	}
	return nil
}

// checkStreamName refuses the names that the database has no room for.
func checkStreamName(name string) error {
	if name != "main" && name != "sub" {
		return errors.New("the database takes the names main and sub only")
	}
	return nil
}
