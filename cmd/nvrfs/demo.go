package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"nvrfs/camera"
	"nvrfs/store/dir"
)

//go:embed demo.yaml
var demoConfig string

func newDemoCommand(env *environment) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Record a built-in camera, and mount its footage, to look around",
		Long: `Start a built-in RTSP camera, record it through a real RTSP session, and mount
the footage, until Ctrl-C. Under DIR there are then

  mnt/        the footage, while the demo runs
  data/       the sample files and the database, which stay
  nvrfs.yaml  the configuration that is used, for the other commands to try

Run again, it goes on with the same footage.`,
		Example: `  nvrfs demo
  nvrfs demo --dir /tmp/demo`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return env.demo(cmd.Context(), dir) },
	}
	cmd.Flags().StringVar(&dir, "dir", "demo", "the `DIR` of the demo; it is made when it is not there")
	_ = cmd.MarkFlagDirname("dir")
	env.addPprof(cmd)
	return cmd
}

func (env *environment) demo(ctx context.Context, base string) (err error) {
	base, err = absolute(base)
	if err != nil {
		return err
	}
	if err := env.host.checkFUSE(false); err != nil { // before anything is made
		return err
	}
	if err := dir.CheckUnlocked(filepath.Join(base, "data")); err != nil {
		return explainLocked(err)
	}
	for _, d := range []string{"data", "mnt"} {
		if err := os.MkdirAll(filepath.Join(base, d), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("make the demo's directory: %w", err)
		}
	}
	cam, err := camera.Start(camera.Options{Clip: camera.DemoClip(), Path: "clock", Log: env.log})
	if err != nil {
		return fmt.Errorf("start the built-in camera: %w", err)
	}
	defer func() { err = errors.Join(err, cam.Close()) }()
	file := filepath.Join(base, "nvrfs.yaml")
	if err := writeDemoConfig(file, cam.URL()); err != nil {
		return err
	}
	cfg, err := readConfig(file, env.lookupEnv)
	if err != nil {
		return err
	}
	if err := env.checkRecord(cfg); err != nil {
		return err
	}
	return stopped(ctx, env.record(ctx, cfg, "", func() { env.welcome(base, file, cfg.Mount.Path) }))
}

func writeDemoConfig(path, url string) error {
	var text strings.Builder
	if err := template.Must(template.New("").Parse(demoConfig)).Execute(&text, url); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	return nil
}

// welcome says where to look and how to stop.
func (env *environment) welcome(dir, file, mount string) {
	today := env.now().In(env.local).Format("2006-01-02/15")
	fmt.Fprintf(env.stdout, `
A camera is being recorded. In a few seconds its footage is here, and grows:

  ls -lR %[1]s
  mpv %[1]s/demo/%[2]s/*.mp4

Any range, and what there is (%[3]s is the configuration in use):

  nvrfs export --config %[3]s demo -- -10s now
  nvrfs ls --config %[3]s

Stop with Ctrl-C. The footage stays in %[4]s; run the demo again to go on.

`, shellQuote(relative(mount)), today, shellQuote(relative(file)), shellQuote(relative(filepath.Join(dir, "data"))))
}

// relative shortens a path for reading.
func relative(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}
