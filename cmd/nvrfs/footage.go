package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/config"
	"nvrfs/playback"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

const zoneUsage = "the `ZONE` of days and hours, such as Europe/Berlin (default the host's)"

// footageFlags say which footage a command looks at: that of a configuration file, or of a data directory.
type footageFlags struct {
	config, data, zone string
}

func (f *footageFlags) add(cmd *cobra.Command) {
	addConfigFlag(cmd, &f.config)
	cmd.Flags().StringVar(&f.data, "data", "", "the data `DIR`, in place of a configuration file")
	_ = cmd.MarkFlagDirname("data")
	cmd.Flags().StringVar(&f.zone, "timezone", "", "the `ZONE` of local times, such as Europe/Berlin (default that of the configuration, else the host's)")
	onlyOneOf(cmd, "config", "data")
}

// configuration returns what the flags say: all of a configuration file, or only the data directory and the time zone.
func (f *footageFlags) configuration(env *environment) (cfg *config.Config, err error) {
	cfg = &config.Config{Data: f.data, Timezone: env.local}
	if f.data == "" {
		if cfg, err = readConfig(f.config, nil); err != nil {
			return nil, err
		}
	}
	if f.zone != "" {
		cfg.Timezone, err = env.zone(f.zone)
	}
	return cfg, err
}

// locate returns the data directory, which has footage, and the time zone that the flags say.
func (f *footageFlags) locate(env *environment) (data string, loc *time.Location, err error) {
	cfg, err := f.configuration(env)
	if err != nil {
		return "", nil, err
	}
	data, err = env.dataDir(cfg.Data)
	return data, cfg.Timezone, err
}

// open opens the footage that the flags say. The caller closes it.
func (f *footageFlags) open(ctx context.Context, env *environment) (*playback.Library, error) {
	data, loc, err := f.locate(env)
	if err != nil {
		return nil, err
	}
	return playback.Open(ctx, playback.Options{Data: data, Location: loc, Log: env.log})
}

// zone returns a time zone by name; the host's for the empty one.
func (env *environment) zone(name string) (*time.Location, error) {
	if name == "" {
		return env.local, nil
	}
	loc, err := config.LoadTimezone(name)
	if err != nil {
		return nil, usageErrorf("--timezone: %w", err)
	}
	return loc, nil
}

// dataDir checks that path is a directory with footage that can be read, and returns it as an absolute path.
func (env *environment) dataDir(path string) (string, error) {
	path, err := absolute(path)
	if err != nil {
		return "", err
	}
	if err := env.host.checkDataDir(path, false); err != nil {
		return "", err
	}
	if _, err := env.host.stat(filepath.Join(path, schema.FileName)); err != nil {
		if _, err := dir.Database(schema.SampleDirPath(path, schema.DefaultSampleDir)); err == nil {
			return "", &environmentError{
				"data directory " + path, "there is no " + schema.FileName + " beside its sample files",
				"restore it, or make a new one from them with: nvrfs rebuild --data " + path,
			}
		}
		return "", &environmentError{"data directory " + path, "has no footage: there is no " + schema.FileName, "name the directory that nvrfs run records into"}
	}
	return path, nil
}

func absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the path of %s: %w", path, err)
	}
	return abs, nil
}

// explainAway says what to do about a sample directory that is not there, or whose disk hangs.
func explainAway(err error) error {
	if errors.Is(err, store.ErrAway) || errors.Is(err, store.ErrNoAnswer) {
		return &environmentError{"sample files", err.Error(), "mount the disk, and try again"}
	}
	return err
}

// stream returns the stream with a label, or an error that names those that there are.
func stream(ctx context.Context, view *playback.View, label string) (playback.Stream, error) {
	s, err := view.Stream(ctx, label)
	if !errors.Is(err, playback.ErrNotFound) {
		return s, err
	}
	all, err := view.Streams(ctx)
	if err != nil {
		return s, err
	}
	var labels []string
	for _, x := range all {
		labels = append(labels, x.Label)
	}
	if len(labels) == 0 {
		return s, usageErrorf("camera %s: there is no footage at all", label)
	}
	return s, usageErrorf("camera %s has no footage; there is some of %s", label, config.OrList(labels))
}
