package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"

	"github.com/mattn/go-sqlite3"
	"github.com/spf13/cobra"
)

// version is set by release builds: -ldflags "-X main.version=v1.2.3". Otherwise it is what the Go tool knows.
var version string

// shownModules are those whose version matters when something goes wrong with a mount or a camera.
var shownModules = []struct{ name, path string }{
	{"go-fuse", "github.com/hanwen/go-fuse/v2"},
	{"gortsplib", "github.com/bluenviron/gortsplib/v5"},
}

func newVersionCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of nvrfs and of what it is built with",
		Example: "  nvrfs version",
		Args:    wantArgs(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			table := tabwriter.NewWriter(env.stdout, 0, 8, 2, ' ', 0)
			for _, line := range versions() {
				fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
			}
			return table.Flush()
		},
	}
}

// versions returns pairs of a name and its version.
func versions() [][2]string {
	sqlite, _, _ := sqlite3.Version()
	lines := [][2]string{
		{"nvrfs", buildVersion()},
		{"go", fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)},
		{"sqlite", sqlite},
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return lines
	}
	for _, shown := range shownModules {
		for _, module := range info.Deps {
			if module.Path == shown.path {
				lines = append(lines, [2]string{shown.name, module.Version})
			}
		}
	}
	return lines
}

// buildVersion returns the version of this program: that of the release, else of the module, else of the commit.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	revision := settings["vcs.revision"]
	if revision == "" {
		return "development"
	}
	described := []string{"development", revision[:min(12, len(revision))]}
	if settings["vcs.modified"] == "true" {
		described = append(described, "modified")
	}
	return strings.Join(described, " ")
}
