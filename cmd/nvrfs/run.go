package main

import (
	"context"
	"errors"
	"net"

	"github.com/spf13/cobra"

	"nvrfs/config"
	"nvrfs/store"
	"nvrfs/store/dir"
)

func newRunCommand(env *environment) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Record every camera of the configuration, and mount the footage",
		Long: `Record every camera of the configuration file and mount the footage, in the
foreground, until SIGINT or SIGTERM. Then the recordings are sealed and synced,
the footage is unmounted, and the exit code is 0.

A camera that is away is tried again for as long as it takes.

SIGHUP has the file read again, with its secrets: cameras that are new, gone or
not as they were are applied, and so is retain; everything else goes on without
losing a frame. A file with a mistake changes nothing, which the log says. data,
mount, timezone, http, cache and recording take effect at the next start.`,
		Example: `  nvrfs run --config /etc/nvrfs.yaml
  nvrfs run --config nvrfs.yaml --log-format json`,
		Args:        wantArgs(0, 0, ""),
		Annotations: map[string]string{reloadsAtHangup: "yes"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := readConfig(file, env.lookupEnv)
			if err != nil {
				return err
			}
			if err := env.checkRecord(cfg); err != nil {
				return err
			}
			return stopped(cmd.Context(), env.record(cmd.Context(), cfg, file, func() {
				env.log.Info("started", "path", cfg.Data, "cameras", len(cfg.Cameras))
				env.notify(stateReady)
			}))
		},
	}
	addConfigFlag(cmd, &file)
	env.addPprof(cmd)
	return cmd
}

// checkRecord does every check that recording and mounting what cfg says takes. It creates nothing.
func (env *environment) checkRecord(cfg *config.Config) error {
	if err := env.host.checkDataDir(cfg.Data, true); err != nil {
		return err
	}
	if err := dir.CheckUnlocked(cfg.Data); err != nil {
		return explainLocked(err)
	}
	if err := checkListen(cfg.HTTP.Listen); err != nil {
		return err
	}
	if cfg.Mount.Path == "" {
		return nil
	}
	return env.prepareMount(cfg.Mount, cfg.Data)
}

// checkListen checks that HTTP can be served at an address; the empty one is for not serving it.
func checkListen(address string) error {
	if address == "" {
		return nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return &environmentError{"http.listen " + address, "cannot be listened at: " + err.Error(), "choose another address, or stop what listens there"}
	}
	return l.Close()
}

// stopped makes nothing of the error of a service that was told to stop while it started.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return explainLocked(err)
}

// explainLocked says what to do about a data directory, or a sample directory, that another process records into.
func explainLocked(err error) error {
	if errors.Is(err, store.ErrLocked) {
		return usageErrorf("%w; stop that one first, or choose another directory", err)
	}
	return err
}
